//! The worktrees of one repository: who holds which, which are idle, and what a killed worker left in one.
//!
//! A worktree is `trees/<n>/{tree/, lock, owner}`. Its holder is whoever holds its lock; `owner` names the job that held it
//! last, whose content it still has until somebody else resets it.

use std::path::{Path, PathBuf};

use crate::domain::job::JobId;
use crate::git::{GitError, Oid, Vault};
use crate::state::error::StateError;
use crate::state::repositories::RepositoryFolder;
use crate::sys::lock::HeldLock;

/// Why there is no worktree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Git could not make it.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The state directory failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A worktree that is ours as long as this lives.
#[derive(Debug)]
pub struct HeldTree {
    folder: PathBuf,
    /// Whether it still holds what its job had left in it, ignored files too.
    pub is_continued: bool,
    _lock: HeldLock,
}

impl HeldTree {
    /// Takes a worktree and makes it equal to `start`: the one that `continues` left if nobody took it since, else an idle
    /// one, else a new one. Blocks while others make theirs.
    pub fn take(
        _repository: &RepositoryFolder,
        _vault: &Vault,
        _job: &JobId,
        _start: &Oid,
        _continues: Option<&JobId>,
    ) -> Result<Self, TreeError> {
        Err(crate::git::GitError::Output { command: "unbuilt" }.into())
    }

    /// Returns the top of the worktree.
    pub fn path(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Gives it back. More than [`crate::domain::limits::IDLE_TREES`] idle ones are removed, in the background.
    pub fn give_back(self) {}
}

/// A worktree as `status topic=worktrees` and `clean` tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeView {
    /// Its folder.
    pub folder: PathBuf,
    /// The job that has or had it.
    pub job: Option<JobId>,
    /// Whether a live process holds it.
    pub is_held: bool,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Lists the worktrees of a repository.
pub fn list(_repository: &RepositoryFolder) -> Result<Vec<TreeView>, StateError> {
    Ok(Vec::new())
}

/// Finds the worktree that a job left, if nobody took it since, and takes its lock: for whoever collects what a killed
/// worker left.
pub fn left_by(_repository: &RepositoryFolder, _job: &JobId) -> Option<HeldTree> {
    None
}

/// Removes an idle worktree; a held one is left. The caller made sure that its content is kept.
pub fn remove(_repository: &RepositoryFolder, _vault: &Vault, _folder: &Path) -> Result<bool, TreeError> {
    Ok(false)
}
