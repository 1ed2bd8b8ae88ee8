//! Where changes are, when the scope that was asked for has none.

use std::path::PathBuf;

/// Changes of a repository outside an empty scope, all paths counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Files that differ between `HEAD` and the index.
    pub staged: u32,
    /// Files that differ between the index and the working tree.
    pub unstaged: u32,
    /// Files that git does not track and does not ignore.
    pub untracked: u32,
    /// Commits of the branch that its base does not have.
    pub ahead_of_base: Option<Ahead>,
    /// Other worktrees of the repository in which something differs from their `HEAD`, at most
    /// [`OTHER_WORKTREES`] looked at.
    pub worktrees: Vec<OtherWorktree>,
}

/// Other worktrees that are looked at; each costs three git processes.
pub const OTHER_WORKTREES: usize = 8;

/// A branch that is ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The base's name, such as `origin/main`.
    pub base: String,
    /// The commits.
    pub commits: u32,
}

/// Another worktree with changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherWorktree {
    /// The top of its working tree.
    pub path: PathBuf,
    /// Its branch; nothing when `HEAD` is detached.
    pub branch: Option<String>,
    /// Files that differ from its `HEAD`, untracked ones included.
    pub changed: u32,
}
