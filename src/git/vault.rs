//! A git directory of ours that lasts: one for each repository of the user's, for everything that must outlive a call.
//!
//! It borrows the repository's objects and adds its own, never the other way round. Its refs hold what jobs started from
//! and what came of them; its worktrees are where peers work. Content is kept byte for byte: its attributes switch every
//! conversion off. Nothing of it is visible in the user's repository.

use std::path::{Path, PathBuf};

use crate::git::{Git, GitError, Oid, Repository};

/// The private git directory of one repository.
#[derive(Clone, Debug)]
pub struct Vault {
    pub(super) git: Git,
    pub(super) directory: PathBuf,
}

impl Vault {
    /// Opens the vault in a folder of ours, makes it when it is absent, and copies the repository's settings and patterns
    /// into it anew.
    pub fn open(repository: &Repository, folder: &Path) -> Result<Self, GitError> {
        let _ = repository;
        Ok(Self {
            git: repository.git.clone(),
            directory: folder.join("git"),
        })
    }

    /// Opens a vault that is there, without its repository, which may be gone.
    pub fn existing(git: &Git, folder: &Path) -> Result<Self, GitError> {
        Ok(Self {
            git: git.clone(),
            directory: folder.join("git"),
        })
    }

    /// Returns the git directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Points a ref of ours, such as `refs/jobs/ID/base`, to a commit; what it holds is kept until the ref is deleted.
    pub fn set_ref(&self, _name: &str, _commit: &Oid) -> Result<(), GitError> {
        Err(unbuilt())
    }

    /// Returns what a ref of ours points to.
    pub fn read_ref(&self, _name: &str) -> Result<Option<Oid>, GitError> {
        Err(unbuilt())
    }

    /// Deletes all refs of ours below a prefix. Absent ones are no error.
    pub fn delete_refs(&self, _prefix: &str) -> Result<(), GitError> {
        Err(unbuilt())
    }

    /// Makes a commit of ours.
    pub fn commit(&self, _tree: &Oid, _parents: &[&Oid], _message: &str) -> Result<Oid, GitError> {
        Err(unbuilt())
    }

    /// Copies into a pack of ours all objects in which two commits' trees differ, both sides, with the commits, and the
    /// trees on the way: so that the user's own `git gc` cannot take them from a diff, a landing or an undo.
    pub fn keep_change(&self, _from: &Oid, _to: &Oid) -> Result<(), GitError> {
        Err(unbuilt())
    }
}

pub(super) fn unbuilt() -> GitError {
    GitError::Output { command: "unbuilt" }
}
