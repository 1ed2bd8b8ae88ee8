//! The rare knobs of a paid call: the table of what callers may write, which `status topic=options` shows, and the one
//! strict way in that both doors use.
//!
//! A closed schema of them would cost every session more context than the knobs are worth, so the fault for an unknown
//! key lists the keys instead.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::is_inside;
use crate::domain::delegation::CHECK_BYTES;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{Options, Untracked};
use crate::domain::tier::Isolation;
use crate::service::choice;
use crate::service::whole::Whole;

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

/// What a run may be allowed to cost in US dollars: no model answers for less, and no single run should take more.
const BUDGET_USD: std::ops::RangeInclusive<f64> = 0.01..=1000.0;
/// The most turns that can be asked for; a run that needs more should be several.
const MAX_TURNS_MAX: u64 = 1000;
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
        kind: "text, 1 to 64 of a-z, A-Z, 0-9, -, _ and .",
        default: "none",
        meaning: "A label of yours: job with id `group:LABEL` lists the jobs that have it.",
        tools: ALL,
    },
    OptionRow {
        name: "supersedes",
        kind: "a whole job id",
        default: "none",
        meaning: "The job whose place this one takes; lists say so beside both.",
        tools: ALL,
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
        name: "in_place",
        kind: SWITCH,
        default: "false",
        meaning: "Lets a delegate edit the user's own files; the user's configuration must allow it.",
        tools: DELEGATE,
    },
];

/// What other bridges have knobs for and this one has not, with what holds instead. A caller who knows such a name is told.
const INSTEAD: [(&str, &str); 6] = [
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
        "max_parts",
        "a review is one prompt: what is too large is told with its largest files and a narrower call that works",
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
const PROFILES: [(&str, &[&str]); 3] = [
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

/// Folders of `options.roots`.
pub const ROOTS_MAX: usize = 5;
/// Characters of `options.group`.
pub const GROUP_CHARS: usize = 64;
/// Characters of `options.language`: a name, not a text.
pub const LANGUAGE_CHARS: usize = 64;
/// Bytes of `options.instructions`: a page. More belongs into the prompt.
pub const INSTRUCTIONS_BYTES: usize = 4096;
/// Characters of `options.idempotency_key`: room for any id in use, and short enough to store.
pub const IDEMPOTENCY_KEY_CHARS: usize = 200;
/// Bytes of `options.setup`: a line, as long as a check.
pub const SETUP_BYTES: usize = CHECK_BYTES;
/// Folders of `options.reuse`.
pub const REUSE_MAX: usize = 10;
/// Most that `options.max_files` can be: a change that nobody reads needs no bound.
pub const MAX_FILES_MAX: u64 = 10_000;
/// Entries of `options.allow_commands`.
pub const COMMANDS_MAX: usize = 50;
/// Characters of one entry of `options.allow_commands`: a command's beginning, not a script.
pub const COMMAND_CHARS: usize = 100;

const ISOLATIONS: [Isolation; Isolation::NAMES.len()] =
    [Isolation::Clean, Isolation::IgnoreConfig, Isolation::IgnoreRules];
const UNTRACKED: [Untracked; Untracked::NAMES.len()] = [Untracked::Include, Untracked::Exclude];

/// Reads the knobs of a call of `tool`.
pub(crate) fn parse(tool: &str, options: Map<String, Value>) -> Result<Options, Fault> {
    let mut read = Options::default();
    for (name, value) in options {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            if let Some((_, why)) = INSTEAD.iter().find(|(known, _)| *known == name) {
                let field = format!("options.{name}");
                return Err(
                    Fault::argument(field.clone(), format!("there is no `{field}`: {why}"))
                        .hint("leave it out; status topic=options lists what there is"),
                );
            }
            let known = TABLE.iter().filter(|row| row.tools.contains(&tool));
            return Err(choice::unknown(
                tool,
                "options.",
                &name,
                known.map(|row| row.name),
            ));
        };
        if !row.tools.contains(&tool) {
            return Err(misplaced(tool, row));
        }
        if !value.is_null() {
            set(&mut read, row, value)?;
        }
    }
    Ok(read)
}

/// Refuses a knob that would change nothing: whoever sets it believes that it does.
fn misplaced(tool: &str, row: &OptionRow) -> Fault {
    let field = format!("options.{}", row.name);
    let known = TABLE.iter().filter(|row| row.tools.contains(&tool));
    Fault::argument(field.clone(), format!("`{field}` means nothing to {tool}"))
        .allowing(known.map(|row| row.name))
        .hint(format!(
            "leave it out; it is a knob of {}",
            row.tools.join(" and ")
        ))
}

fn set(options: &mut Options, row: &OptionRow, value: Value) -> Result<(), Fault> {
    let field = format!("options.{}", row.name);
    match row.name {
        "timeout_s" => {
            let bounds = limits::TIMEOUT_MIN.as_secs()..=limits::TIMEOUT_MAX.as_secs();
            let seconds: Whole = typed(&field, row, value)?;
            options.timeout = Some(Duration::from_secs(seconds.within(&field, bounds)?));
        }
        "budget_tokens" => {
            let bounds = limits::BUDGET_TOKENS_MIN..=limits::BUDGET_TOKENS_MAX;
            let tokens: Whole = typed(&field, row, value)?;
            options.budget_tokens = Some(tokens.within(&field, bounds)?);
        }
        "budget_usd" => {
            let usd: f64 = typed(&field, row, value)?;
            options.budget_microusd = Some(microusd(usd).ok_or_else(|| wrong(&field, row))?);
        }
        "max_turns" => {
            let turns: Whole = typed(&field, row, value)?;
            let turns = turns.within(&field, 1..=MAX_TURNS_MAX)?;
            options.max_turns = u32::try_from(turns).ok();
        }
        "isolation" => {
            let text: String = typed(&field, row, value)?;
            options.isolation = Some(choice::choose(&field, &text, &Isolation::NAMES, &ISOLATIONS)?);
        }
        "web_search" => options.web_search = typed(&field, row, value)?,
        "ephemeral" => options.ephemeral = typed(&field, row, value)?,
        "untracked" => {
            let text: String = typed(&field, row, value)?;
            options.untracked = choice::choose(&field, &text, &Untracked::NAMES, &UNTRACKED)?;
        }
        "language" => {
            let text: String = typed(&field, row, value)?;
            let length = text.chars().count();
            options.language = Some(short(&field, row, text, length, LANGUAGE_CHARS)?);
        }
        "instructions" => {
            let text: String = typed(&field, row, value)?;
            let length = text.len();
            options.instructions = Some(short(&field, row, text, length, INSTRUCTIONS_BYTES)?);
        }
        "idempotency_key" => {
            let text: String = typed(&field, row, value)?;
            let length = text.chars().count();
            options.idempotency_key = Some(short(&field, row, text, length, IDEMPOTENCY_KEY_CHARS)?);
        }
        "setup" => {
            let text: String = typed(&field, row, value)?;
            let length = if text.contains('\0') {
                usize::MAX
            } else {
                text.len()
            };
            options.setup = Some(short(&field, row, text, length, SETUP_BYTES)?);
        }
        "reuse" => {
            let paths: Vec<String> = typed(&field, row, value)?;
            if paths.len() > REUSE_MAX || !paths.iter().all(|path| is_inside(path)) {
                return Err(wrong(&field, row));
            }
            options.reuse = Some(paths);
        }
        "max_files" => {
            let files: Whole = typed(&field, row, value)?;
            let files = files.within(&field, 1..=MAX_FILES_MAX)?;
            options.max_files = u32::try_from(files).ok();
        }
        "allow_commands" => {
            let texts: Vec<String> = typed(&field, row, value)?;
            let fits = |text: &String| !text.trim().is_empty() && text.chars().count() <= COMMAND_CHARS;
            if texts.len() > COMMANDS_MAX || !texts.iter().all(fits) {
                return Err(wrong(&field, row));
            }
            options.allow_commands.extend(texts);
        }
        "profile" => {
            let text: String = typed(&field, row, value)?;
            let at = PROFILES.iter().position(|(name, _)| *name == text);
            let lists = &PROFILES[..=at.ok_or_else(|| wrong(&field, row))?];
            let commands = lists.iter().flat_map(|(_, commands)| commands.iter());
            options
                .allow_commands
                .extend(commands.map(|command| (*command).to_owned()));
        }
        "fork" => options.fork = typed(&field, row, value)?,
        "roots" => {
            let paths: Vec<PathBuf> = typed(&field, row, value)?;
            if paths.len() > ROOTS_MAX || !paths.iter().all(|path| path.is_absolute()) {
                return Err(wrong(&field, row));
            }
            options.roots = paths;
        }
        "group" => {
            let text: String = typed(&field, row, value)?;
            if !is_group(&text) {
                return Err(wrong(&field, row));
            }
            options.group = Some(text);
        }
        "supersedes" => {
            let text: String = typed(&field, row, value)?;
            options.supersedes = Some(text.parse().map_err(|_| wrong(&field, row))?);
        }
        "concurrency" => {
            let slots: Whole = typed(&field, row, value)?;
            let slots = slots.within(&field, 1..=limits::CONCURRENCY_MAX as u64)?;
            options.concurrency = usize::try_from(slots).ok();
        }
        "network" => options.network = typed(&field, row, value)?,
        "in_place" => options.in_place = typed(&field, row, value)?,
        // `every_knob_of_the_table_can_be_set` keeps the table and these arms equal.
        _ => {
            return Err(Fault::argument(
                field.clone(),
                format!("`{field}` is not supported"),
            ));
        }
    }
    Ok(())
}

/// Tells whether a text can be a label of a caller's.
pub(crate) fn is_group(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=GROUP_CHARS).contains(&text.len()) && text.chars().all(fits)
}

/// Reads an amount of US dollars as millionths; `None` outside of the bounds.
fn microusd(usd: f64) -> Option<u64> {
    if !BUDGET_USD.contains(&usd) {
        return None;
    }
    // Rounded by its text: the digits that were written count, not the nearest fraction of two.
    format!("{usd:.6}").replace('.', "").parse().ok()
}

fn typed<T: serde::de::DeserializeOwned>(field: &str, row: &OptionRow, value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|_| wrong(field, row))
}

fn short(field: &str, row: &OptionRow, text: String, length: usize, at_most: usize) -> Result<String, Fault> {
    if text.trim().is_empty() || length > at_most {
        return Err(wrong(field, row));
    }
    Ok(text)
}

fn wrong(field: &str, row: &OptionRow) -> Fault {
    Fault::argument(field, format!("`{field}` is not what it takes: {}", row.kind))
        .hint(format!("pass {}", row.kind))
}
