//! Three trees made one.

use crate::git::vault::unbuilt;
use crate::git::{GitError, Oid, Vault};

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Everything fits.
    Clean {
        /// The merged tree.
        tree: Oid,
    },
    /// Something does not.
    Conflicts(Vec<Conflict>),
}

/// A path on which two trees disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: Vec<u8>,
    /// Why, in a few words, such as `both changed the same lines`.
    pub reason: String,
    /// The lines of the present file on which they disagree, first and last, from 1; empty when it is not about lines.
    pub hunks: Vec<(u32, u32)>,
}

impl Vault {
    /// Merges what changed from `base` to `theirs` into `ours`. All three are trees.
    pub fn merge(&self, _base: &Oid, _ours: &Oid, _theirs: &Oid) -> Result<Merged, GitError> {
        Err(unbuilt())
    }
}
