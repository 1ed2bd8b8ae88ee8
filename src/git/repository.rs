//! A repository, as seen from one directory of its working tree.

use crate::domain::scope::Revision;
use crate::git::{Git, GitError};
use std::path::{Path, PathBuf};

/// An object id in lower-case hexadecimal, 40 or 64 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(String);

/// How a repository names its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFormat {
    /// 40 digits.
    Sha1,
    /// 64 digits.
    Sha256,
}

/// Where `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a branch without a commit.
    Unborn {
        /// The branch's short name, when it can be read.
        branch: Option<String>,
    },
    /// On a commit.
    Born {
        /// The commit.
        oid: Oid,
        /// The branch's short name; nothing when `HEAD` is detached.
        branch: Option<String>,
    },
}

/// A repository with a working tree.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(super) git: Git,
    pub(super) directory: PathBuf,
    pub(super) top_level: PathBuf,
    pub(super) git_directory: PathBuf,
    pub(super) common_directory: PathBuf,
    pub(super) object_format: ObjectFormat,
    pub(super) head: Head,
}

impl Git {
    /// Finds the repository of a directory. Sub-directories and linked worktrees are fine; a bare repository, one of
    /// another user, and one whose working tree is not where its `.git` lies are refused.
    pub fn discover(&self, directory: &Path) -> Result<Repository, GitError> {
        Err(GitError::NotARepository {
            directory: directory.to_owned(),
        })
    }
}

impl Repository {
    /// Returns the directory it was found from, without symlinks.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the top of the working tree.
    pub fn top_level(&self) -> &Path {
        &self.top_level
    }

    /// Returns the git directory; that of a linked worktree is its own.
    pub fn git_directory(&self) -> &Path {
        &self.git_directory
    }

    /// Returns the git directory that all worktrees share.
    pub fn common_directory(&self) -> &Path {
        &self.common_directory
    }

    /// Returns how objects are named.
    pub fn object_format(&self) -> ObjectFormat {
        self.object_format
    }

    /// Returns where `HEAD` was when the repository was found.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the commit that a revision names.
    pub fn resolve(&self, revision: &Revision) -> Result<Oid, GitError> {
        let _ = revision;
        Err(GitError::InvalidRevision {
            role: crate::git::RevisionRole::Revision,
        })
    }
}

impl Oid {
    /// Reads 40 or 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (is_hex && matches!(text.len(), 40 | 64)).then(|| Self(text.to_owned()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first ten digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl std::fmt::Display for Oid {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}
