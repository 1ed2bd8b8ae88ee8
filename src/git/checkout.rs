//! Worktrees of a vault: made, reset, read back and taken away.

use std::path::Path;

use crate::git::vault::unbuilt;
use crate::git::{GitError, Oid, Vault};

/// What a worktree holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Its tree, raw bytes, without ignored files.
    pub tree: Oid,
    /// What is no part of it: repositories inside it, and what is neither a file nor a link.
    pub left_out: Vec<Vec<u8>>,
}

impl Vault {
    /// Makes a worktree of a commit at a path that does not exist. Slow for many files; callers do one at a time.
    pub fn check_out(&self, _place: &Path, _commit: &Oid) -> Result<(), GitError> {
        Err(unbuilt())
    }

    /// Makes an existing worktree equal to a commit: other files, ignored ones too, are deleted.
    pub fn reset(&self, _place: &Path, _commit: &Oid) -> Result<(), GitError> {
        Err(unbuilt())
    }

    /// Reads what a worktree holds, through an index of ours: new files, deletions, modes, links, and what the peer
    /// committed itself. `base` is the commit it was made of. Paths in `without`, relative to its top, take no part.
    pub fn collect(&self, _place: &Path, _base: &Oid, _without: &[Vec<u8>]) -> Result<Collected, GitError> {
        Err(unbuilt())
    }

    /// Forgets a worktree whose folder is gone or about to go.
    pub fn forget(&self, _place: &Path) -> Result<(), GitError> {
        Err(unbuilt())
    }
}
