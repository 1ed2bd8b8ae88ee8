//! A patch of somebody else's made a tree: exactly or not at all, in an index of ours, far from everybody's files.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::diff::text::shown_path;
use crate::git::command::CHECKOUT;
use crate::git::{GitError, Oid, Vault};

/// Characters of git's own words that are repeated.
const SAID_CHARS: usize = 300;

/// What became of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patched {
    /// The tree with it.
    Tree(Oid),
    /// It does not fit the tree, or is no whole patch; git's words.
    Refused(String),
}

impl Vault {
    /// Makes an index that holds a tree, in a folder that is deleted with the first value.
    pub(super) fn index_of(&self, tree: &Oid) -> Result<(TempDir, PathBuf), GitError> {
        let scratch = self.scratch()?;
        let index = scratch.path().join("index");
        let read = self
            .command("read-tree")
            .args([tree.as_str()])
            .variable("GIT_INDEX_FILE", &index)
            .run(&CHECKOUT)?;
        self.expect("read-tree", &read)?;
        Ok((scratch, index))
    }

    /// Applies a patch to a tree. Contexts have to match to the letter; only lines may have moved. What leads out of the tree or
    /// into a `.git` is refused by git itself.
    pub fn patched(&self, tree: &Oid, patch: &[u8]) -> Result<Patched, GitError> {
        let (_scratch, index) = self.index_of(tree)?;
        let applied = self
            .command("apply")
            .args(["--cached", "--binary", "--whitespace=nowarn", "-p1", "-"])
            .variable("GIT_INDEX_FILE", &index)
            .stdin(patch.to_vec())
            .run(&CHECKOUT)?;
        if !applied.is_success() {
            let said: String = shown_path(applied.stderr.trim_ascii())
                .chars()
                .take(SAID_CHARS)
                .collect();
            return Ok(Patched::Refused(said));
        }
        let written = self
            .command("write-tree")
            .variable("GIT_INDEX_FILE", &index)
            .run(&CHECKOUT)?;
        self.oid_of("write-tree", &written).map(Patched::Tree)
    }
}
