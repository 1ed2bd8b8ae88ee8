//! Reads the change of a scope.

use crate::diff::patch::Patch;
use crate::domain::coverage::Omission;
use crate::domain::scope::Scope;
use crate::git::{Elsewhere, GitError, Oid, Repository, Untracked};
use std::path::Path;

/// The scope that was really read; `auto` is one of these by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolvedScope {
    /// `HEAD` against the working tree.
    WorkingTree,
    /// `HEAD` against the index.
    Staged,
    /// The merge base against the tip.
    Branch,
    /// A commit against its first parent.
    Commit,
    /// Two commits.
    Range,
}

impl ResolvedScope {
    /// Returns the name used in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkingTree => "working_tree",
            Self::Staged => "staged",
            Self::Branch => "branch",
            Self::Commit => "commit",
            Self::Range => "range",
        }
    }
}

/// A change with the facts that say what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was read.
    pub scope: ResolvedScope,
    /// The commit it starts from; nothing when it starts from an empty tree. For a branch it is the merge base.
    pub base: Option<Oid>,
    /// The name of what a branch was compared with, such as `origin/main`, or the caller's base.
    pub base_name: Option<String>,
    /// The commit it ends at; nothing when it ends in the working tree or the index.
    pub head: Option<Oid>,
    /// The paths it was narrowed to, relative to the repository root; empty means all.
    pub paths: Vec<String>,
    /// The files.
    pub patch: Patch,
    /// Untracked files that are part of the change and were not read; they are not in `patch`.
    pub left_out: Vec<Omission>,
    /// Where changes are instead, when there is neither a file in `patch` nor one left out.
    pub elsewhere: Option<Elsewhere>,
}

impl Change {
    /// Tells whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.patch.files.is_empty() && self.left_out.is_empty()
    }
}

impl Repository {
    /// Reads the change of a scope.
    ///
    /// `paths` are files or folders relative to the directory the repository was found from (or absolute and below
    /// it), taken literally; none means the whole repository. `scratch` is an existing folder of ours; a private git
    /// directory lives in it as long as the call, so several calls may share it.
    pub fn read_change(
        &self,
        scope: &Scope,
        paths: &[String],
        untracked: Untracked,
        scratch: &Path,
    ) -> Result<Change, GitError> {
        let _ = (scope, paths, untracked, scratch);
        Err(GitError::NoCommitYet)
    }
}
