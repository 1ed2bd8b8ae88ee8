//! Every knob there is: its name, its type in words, and what it does; and what stands here in the place of knobs of others.

/// One knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRow {
    /// Its key in `options`.
    pub name: &'static str,
    /// Its type and bounds, in words.
    pub kind: &'static str,
    /// What holds when it is absent.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// The tools that take it.
    pub tools: &'static [&'static str],
}

/// The kind of a knob that is on or off.
pub const SWITCH: &str = "true or false";
/// How the kind of a knob that holds several texts begins.
pub const LIST: &str = "list";

/// A knob of every paid call.
const ALL: &[&str] = &["consult", "review", "delegate"];
/// A knob of calls that read.
const READERS: &[&str] = &["consult", "review"];
/// A knob of calls that edit.
const DELEGATE: &[&str] = &["delegate"];

/// Every knob there is, in the order in which people look for them. Any other key is refused.
pub const TABLE: &[OptionRow] = &[
    OptionRow {
        name: "timeout_s",
        kind: "integer, 10 to 14400",
        default: "1800; of a delegate 3600",
        meaning: "Deadline of the run in seconds of awake time; waiting for a free slot does not count.",
        tools: ALL,
    },
    OptionRow {
        name: "budget_tokens",
        kind: "integer, 1000 to 100000000",
        default: "none",
        meaning: "Tokens of the run, input (cached ones too) and output; it is ended once it has used more. Not with ephemeral.",
        tools: ALL,
    },
    OptionRow {
        name: "budget_usd",
        kind: "number, 0.01 to 1000",
        default: "none",
        meaning: "US dollars of the run; it is ended once it has cost more. Only with a peer that tells its cost: claude.",
        tools: ALL,
    },
    OptionRow {
        name: "max_turns",
        kind: "integer, 1 to 1000",
        default: "none",
        meaning: "How often the model may be asked in the run. Only with a peer that counts it: claude.",
        tools: ALL,
    },
    OptionRow {
        name: "isolation",
        kind: "clean, ignore_config or ignore_rules",
        default: "clean",
        meaning: "How much of the user's own configuration of the peer takes part.",
        tools: ALL,
    },
    OptionRow {
        name: "web_search",
        kind: SWITCH,
        default: "false",
        meaning: "Lets the model search the web; the user's configuration must allow it.",
        tools: ALL,
    },
    OptionRow {
        name: "ephemeral",
        kind: SWITCH,
        default: "false",
        meaning: "Keeps no thread at the peer, so the run can be neither resumed nor repaired.",
        tools: ALL,
    },
    OptionRow {
        name: "untracked",
        kind: "include or exclude",
        default: "include",
        meaning: "Whether a review of the working tree reads files that git does not track.",
        tools: &["review"],
    },
    OptionRow {
        name: "max_parts",
        kind: "integer, 1 to 64",
        default: "[limits] review_parts",
        meaning: "Parts that a change may be reviewed in which is too large for one prompt; each costs as much as a prompt.",
        tools: &["review"],
    },
    OptionRow {
        name: "language",
        kind: "text, 1 to 64 characters",
        default: "the prompt's own",
        meaning: "The language of the answer, or the programming language of write_code.",
        tools: ALL,
    },
    OptionRow {
        name: "instructions",
        kind: "text, 1 to 4096 bytes",
        default: "none",
        meaning: "More instructions for the peer, after ours.",
        tools: ALL,
    },
    OptionRow {
        name: "idempotency_key",
        kind: "text, 1 to 200 characters",
        default: "none",
        meaning: "The same key with the same arguments returns the same job instead of a second one.",
        tools: ALL,
    },
    OptionRow {
        name: "fork",
        kind: SWITCH,
        default: "false",
        meaning: "With resume: goes on in a new thread and leaves the old one as it is.",
        tools: READERS,
    },
    OptionRow {
        name: "roots",
        kind: "list of at most 5 absolute paths",
        default: "none",
        meaning: "Further folders that the peer may read; each must be one that a workspace could be.",
        tools: READERS,
    },
    OptionRow {
        name: "group",
        kind: "1 to 64 letters, digits, -, _, .",
        default: "none",
        meaning: "A label of yours: job with id `group:LABEL` lists the jobs that have it.",
        tools: ALL,
    },
    OptionRow {
        name: "supersedes",
        kind: "a whole job id",
        default: "none",
        meaning: "The job whose place this one takes; a list says so beside the new one.",
        tools: ALL,
    },
    OptionRow {
        name: "since",
        kind: "a job id or latest",
        default: "none",
        meaning: "The review that this one follows, in a new thread: only what changed since is sent, and its open findings are carried on.",
        tools: &["review"],
    },
    OptionRow {
        name: "concurrency",
        kind: "integer, 1 to 10",
        default: "[limits] concurrency",
        meaning: "Slots that the jobs of this call may take; never more than the user allows.",
        tools: ALL,
    },
    OptionRow {
        name: "profile",
        kind: "strict, default or permissive",
        default: "none",
        meaning: "A ready list of allow_commands: version control and tests; also node, python and files; also npx.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "setup",
        kind: "text, 1 to 500 bytes",
        default: "none",
        meaning: "A line for `sh -c` that prepares a delegate's worktree in a sandbox before the peer starts.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "reuse",
        kind: "list of at most 10 relative paths",
        default: "[delegate] reuse",
        meaning: "Ignored folders of the workspace that the worktree gets links to, readable only.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "max_files",
        kind: "integer, 1 to 10000",
        default: "none",
        meaning: "Files that may change at most; more are told as out of scope.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "allow_commands",
        kind: "list of at most 50 texts",
        default: "any",
        meaning: "Beginnings of commands that the peer should keep to; others that it ran are told.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "network",
        kind: SWITCH,
        default: "false",
        meaning: "Lets the commands of a delegate use the network; the user's configuration must allow it.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "runner",
        kind: "local or cloud",
        default: "local",
        meaning: "Who does a delegate's tasks: this machine, or Codex Cloud, which sees only what is pushed.",
        tools: DELEGATE,
    },
    OptionRow {
        name: "in_place",
        kind: SWITCH,
        default: "false",
        meaning: "Lets a delegate edit the user's own files; the user's configuration must allow it.",
        tools: DELEGATE,
    },
];

/// What other bridges have knobs for and this one has not, with what holds instead. A caller who knows such a name is told.
pub(super) const INSTEAD: [(&str, &str); 5] = [
    (
        "approval",
        "nobody can be asked in the middle of a run, so the peer never asks: the sandbox decides, and landing is asked about",
    ),
    (
        "sandbox",
        "the tool decides: consult and review read, delegate writes in a worktree of its own, and nothing runs without a sandbox",
    ),
    (
        "secrets",
        "files that are secrets are always withheld and values masked; more of them stand under [secrets] of the configuration",
    ),
    (
        "refs",
        "name files to read with `files`, and folders with `options.roots`",
    ),
    (
        "session",
        "`resume` goes on from a job or a thread, and nothing is gone on from by itself",
    ),
];

/// Ready lists of `allow_commands`, each holding those before it.
pub(super) const PROFILES: [(&str, &[&str]); 3] = [
    (
        "strict",
        &[
            "git status",
            "git diff",
            "git add",
            "git log",
            "git show",
            "npm test",
            "npm run test",
            "npm run lint",
            "yarn test",
            "yarn lint",
            "pnpm test",
            "pnpm lint",
            "pytest",
            "go test",
            "cargo test",
            "cargo clippy",
            "ls",
            "cat",
            "wc",
            "find",
            "head",
            "tail",
            "sort",
            "uniq",
            "grep",
            "rg",
            "which",
            "echo",
            "date",
        ],
    ),
    (
        "default",
        &["mkdir", "cp", "mv", "node", "python", "python3", "tsc", "eslint"],
    ),
    ("permissive", &["npx"]),
];
