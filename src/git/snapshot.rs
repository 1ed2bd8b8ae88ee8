//! The user's working tree as a tree of ours, byte for byte, without touching anything of the user's.

use std::path::Path;

use crate::git::vault::unbuilt;
use crate::git::{GitError, Oid, Repository, Vault};

/// What is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotOf {
    /// The files as they are: staged, unstaged and untracked ones, without the ignored.
    WorkingTree,
    /// A commit; the bytes are those that a checkout would write.
    Commit(Oid),
}

/// Whether the objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the vault.
    Objects,
    /// Not at all: for a look, which leaves nothing on disk. The ids are those that a kept one would have.
    Nothing,
}

/// A tree with the facts that say what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree, raw bytes.
    pub tree: Oid,
    /// A commit of ours over it, whose parent is `head`; absent when nothing was kept.
    pub commit: Option<Oid>,
    /// The user's commit it counts from; absent where there is none yet.
    pub head: Option<Oid>,
    /// Paths that differ from `head` as git tells it to the user: staged, unstaged, untracked, each once, sorted.
    pub uncommitted: Vec<Vec<u8>>,
    /// Files in the tree.
    pub files: u64,
    /// Submodules and repositories inside this one, which are no part of it.
    pub left_out: Vec<Vec<u8>>,
}

impl Vault {
    /// Takes a snapshot. `scratch` is a folder of ours for what is deleted again.
    pub fn snapshot(
        &self,
        _repository: &Repository,
        _of: &SnapshotOf,
        _keep: Keep,
        _scratch: &Path,
    ) -> Result<Snapshot, GitError> {
        Err(unbuilt())
    }
}
