//! A task handed to the peer: what it may touch, what it started from, and what came of it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;
use crate::domain::runner::CloudPlan;

/// Where the peer's edits go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A throw-away worktree of ours.
    #[default]
    Worktree,
    /// The user's own files, which only the user's configuration can allow.
    Live,
}

/// What to do when the workspace has uncommitted changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dirty {
    /// The peer starts from the files as they are, uncommitted ones too.
    #[default]
    Snapshot,
    /// The peer starts from the commit; uncommitted changes take no part.
    Committed,
    /// The call is refused and tells the choices.
    Ask,
}

impl Dirty {
    /// The names callers may write.
    pub const NAMES: [&'static str; 3] = ["snapshot", "committed", "ask"];
}

/// Most attempts at one task.
pub const ATTEMPTS_MAX: u32 = 4;
/// Most tasks of one call.
pub const TASKS_MAX: usize = 8;
/// Most jobs of one group: tasks times attempts.
pub const MEMBERS_MAX: usize = 16;
/// Most checks of one task.
pub const CHECKS_MAX: usize = 10;
/// Bytes of one check: a line that somebody reads before it runs.
pub const CHECK_BYTES: usize = 500;
/// Most globs of one task.
pub const GLOBS_MAX: usize = 50;

/// What a delegate job was asked to do, decided when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// What the peer starts from.
    pub baseline: Baseline,
    /// Where its edits go.
    pub place: Place,
    /// Globs relative to the top of the working tree; empty means everywhere.
    pub allowed_paths: Vec<String>,
    /// Globs of files that a configuration keeps back, so that no result may change them either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_paths: Vec<String>,
    /// Lines for `sh -c`, run in order in the peer's sandbox when the peer is done.
    pub checks: Vec<String>,
    /// A line for `sh -c`, run before the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Folders of the workspace to link into the worktree, relative to its top.
    pub reuse: Vec<String>,
    /// Files that may change at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_files: Option<u32>,
    /// Beginnings of commands that the peer should keep to; others are listed. Empty means any.
    pub allow_commands: Vec<String>,
    /// Whether the peer's commands may use the network.
    pub network: bool,
    /// The group it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// The job whose result it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<JobId>,
    /// What was decided for a task that Codex Cloud does; absent for one that is done here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudPlan>,
}

/// What the peer starts from. Objects are in our private store of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The top of the user's working tree.
    pub top_level: PathBuf,
    /// The repository's git directory that all its worktrees share; it names our private store.
    pub common_directory: PathBuf,
    /// The caller's folder below the top; empty when it is the top.
    pub prefix: PathBuf,
    /// The commit that was checked out, or the caller's base; absent where there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The commit of ours that the peer starts from; its parent is `head`.
    pub commit: String,
    /// The commit's tree, the user's bytes as they are.
    pub tree: String,
    /// For a continued job, the commit with the earlier result, which the worktree begins with; the diff still counts
    /// from `tree`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Files in the tree that differ from `head`.
    pub uncommitted: u32,
    /// Files in the tree.
    pub files: u64,
    /// What is no part of it: submodules and repositories inside this one.
    pub left_out: Vec<String>,
}

/// A job's place in its group.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Member {
    /// The group.
    pub group: JobId,
    /// The task's id.
    pub task: String,
    /// Which attempt at the task, from 1.
    pub attempt: u32,
}

/// What came of a delegate job's edits, complete or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Work {
    /// The commit of ours that holds the result.
    pub commit: String,
    /// Its tree, byte for byte what the peer left.
    pub tree: String,
    /// Bytes of the whole patch.
    pub diff_bytes: u64,
    /// SHA-256 of the whole patch.
    pub diff_sha256: String,
    /// The changed files, at most [`crate::domain::limits::CHANGED_LISTED`].
    pub changed: Vec<ChangedFile>,
    /// Changed files beyond those listed.
    #[serde(default)]
    pub more_changed: u32,
    /// The size of the change.
    pub diffstat: Diffstat,
    /// What the setup command did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<CheckOutcome>,
    /// What the checks did, in order.
    pub checks: Vec<CheckOutcome>,
    /// What went beyond what was allowed.
    pub scope: ScopeReport,
    /// What the peer left that is no part of the result: nested repositories and special files.
    pub left_out: Vec<String>,
}

impl Work {
    /// Tells whether the peer changed nothing.
    pub fn is_empty(&self) -> bool {
        self.diffstat.files == 0
    }

    /// Tells whether a check or the setup did not pass.
    pub fn has_failed_checks(&self) -> bool {
        self.setup
            .iter()
            .chain(&self.checks)
            .any(|check| check.exit_code != Some(0))
    }
}

/// The size of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Diffstat {
    /// Files.
    pub files: u32,
    /// Lines added, of text files.
    pub added: u64,
    /// Lines removed, of text files.
    pub removed: u64,
    /// Files that are not text.
    pub binary: u32,
}

/// How a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It is new.
    Added,
    /// Its content changed, and perhaps its mode.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other content.
    Renamed,
    /// Only its mode changed.
    Mode,
    /// A file became a symbolic link, or the other way round.
    Type,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path, relative to the top of the working tree; bytes that cannot be shown are spelled out.
    pub path: String,
    /// Its earlier path, of a renamed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How it changed.
    pub kind: FileChange,
    /// Its new mode as git writes it, where that is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Why landing it needs its name in `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Why it can never land.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Why a changed file deserves a look of its own before it lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// It is run by git or by a hook manager.
    Hook,
    /// It is run by a continuous integration service.
    Ci,
    /// It instructs or configures an agent, or starts MCP servers.
    Agent,
    /// It changes how git reads or writes other files.
    Attributes,
    /// It is run when a folder is opened or entered, such as an editor's tasks.
    Autorun,
}

/// Why a changed file can never land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// It is inside a `.git`, in any spelling that a file system takes for it.
    GitDirectory,
    /// It is a repository inside the repository.
    Gitlink,
    /// It is a symbolic link that leads out of the repository.
    SymlinkOutside,
    /// It lies behind a symbolic link of the working tree.
    BehindSymlink,
    /// It differs from another path only in case or in the form of its letters.
    Collision,
}

/// How a command of a check or of the setup ended.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// The line, secrets masked.
    pub command: String,
    /// Its exit code; absent when it was ended or could not be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The end of what it printed, secrets masked.
    pub tail: String,
}

/// What went beyond what was allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ScopeReport {
    /// Changed files that no allowed glob matches.
    pub outside: Vec<String>,
    /// More of them than are listed.
    #[serde(default)]
    pub more_outside: u32,
    /// The limit of changed files, where it was exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_max_files: Option<u32>,
    /// Commands of the peer that no allowed beginning matches.
    #[serde(default)]
    pub commands: Vec<String>,
}

impl ScopeReport {
    /// Tells whether everything was within what was allowed. Commands are told and refuse nothing.
    pub fn is_kept(&self) -> bool {
        self.outside.is_empty() && self.more_outside == 0 && self.over_max_files.is_none()
    }
}
