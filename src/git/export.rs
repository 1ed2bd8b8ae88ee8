//! The one way in which objects of ours enter the user's repository: a new local branch.

use std::path::Path;

use crate::git::{Conflict, GitError, Oid, Repository, Vault};

/// What to commit.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    /// The commit of the user's that it counts from, the parent of the new one.
    pub head: &'a Oid,
    /// The raw tree that the peer started from.
    pub base: &'a Oid,
    /// The raw tree that came of it.
    pub result: &'a Oid,
    /// The branch's short name.
    pub branch: &'a str,
    /// The commit's message.
    pub message: &'a str,
}

/// Why there is no branch.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No branch can have this name.
    #[error("it is no name of a branch")]
    BadName,
    /// There is one of this name.
    #[error("the branch exists")]
    Exists,
    /// Files whose content Git LFS or another filter stores in another form, which we do not run.
    #[error("{} changed files are stored through a filter", paths.len())]
    Filtered {
        /// The files.
        paths: Vec<Vec<u8>>,
    },
    /// The peer built on uncommitted changes, and its edits do not fit the commit without them.
    #[error("the result does not fit the commit without the uncommitted changes")]
    Conflicts(Vec<Conflict>),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Vault {
    /// Commits a result on a new branch of the user's repository and returns the commit. Files are brought into the form in
    /// which git stores them, by the attributes of the base tree. Nothing is checked out; no hook runs.
    pub fn export(
        &self,
        _repository: &Repository,
        _export: &Export<'_>,
        _scratch: &Path,
    ) -> Result<Oid, ExportError> {
        Err(crate::git::vault::unbuilt().into())
    }
}
