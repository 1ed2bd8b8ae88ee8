//! What differs between two trees of a vault, to the byte.

use crate::git::vault::unbuilt;
use crate::git::{GitError, Oid, Vault};

/// One side of a changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Git's mode: `0o100644`, `0o100755`, `0o120000` or `0o160000`.
    pub mode: u32,
    /// Its object.
    pub oid: Oid,
}

/// One changed path. A rename is a change of its new path that names the old one, and no change of the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeChange {
    /// The path, its later one.
    pub path: Vec<u8>,
    /// The earlier path of a renamed file.
    pub from: Option<Vec<u8>>,
    /// What was there before; absent for a new file.
    pub old: Option<TreeEntry>,
    /// What is there now; absent for a deleted file.
    pub new: Option<TreeEntry>,
    /// Lines added and removed; absent for what is not text.
    pub lines: Option<(u64, u64)>,
}

/// Whether a moved file is one change or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renames {
    /// One, for people.
    Found,
    /// Two, a deletion and an addition, for whatever works path by path.
    Split,
}

impl Vault {
    /// Lists the changed paths, sorted by path.
    pub fn changes(&self, _from: &Oid, _to: &Oid, _renames: Renames) -> Result<Vec<TreeChange>, GitError> {
        Err(unbuilt())
    }

    /// Writes the patch from one tree to another: binary, with full ids, byte-exact; only these paths, all when empty. More
    /// than [`crate::domain::limits::PATCH_BYTES`] is [`GitError::DiffTooLarge`].
    pub fn patch(&self, _from: &Oid, _to: &Oid, _paths: &[Vec<u8>]) -> Result<Vec<u8>, GitError> {
        Err(unbuilt())
    }

    /// Reads the bytes of blobs, in order; one that is missing is [`GitError::MissingObjects`].
    pub fn blobs(&self, _oids: &[&Oid]) -> Result<Vec<Vec<u8>>, GitError> {
        Err(unbuilt())
    }

    /// Lists all paths of a tree.
    pub fn paths(&self, _tree: &Oid) -> Result<Vec<Vec<u8>>, GitError> {
        Err(unbuilt())
    }

    /// Returns the tree that is `from` with the given paths as they are in `to`: what a landing of a part lands.
    pub fn pick(&self, _from: &Oid, _to: &Oid, _paths: &[Vec<u8>]) -> Result<Oid, GitError> {
        Err(unbuilt())
    }
}
