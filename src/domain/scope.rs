//! What a review looks at, as the caller said it.

use serde::{Deserialize, Serialize};

/// A revision as somebody typed it. It is resolved to an object id before git sees it anywhere else.
///
/// Bounds: 1 to 256 bytes, no control characters, no leading `-`, so it can never be read as an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

/// Longest revision accepted, in bytes. Git's own ref names end near 255.
pub const REVISION_BYTES: usize = 256;

/// Says why a text cannot be a revision; the text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// Nothing was given.
    #[error("a revision is empty")]
    Empty,
    /// More than [`REVISION_BYTES`].
    #[error("a revision is longer than {REVISION_BYTES} bytes")]
    TooLong,
    /// It would be read as an option.
    #[error("a revision starts with `-`")]
    LooksLikeOption,
    /// Control characters or white space.
    #[error("a revision holds a control character or white space")]
    Control,
}

impl Revision {
    /// Checks the bounds. Whether the revision exists is for git to say.
    pub fn parse(text: &str) -> Result<Self, RevisionError> {
        if text.is_empty() {
            return Err(RevisionError::Empty);
        }
        if text.len() > REVISION_BYTES {
            return Err(RevisionError::TooLong);
        }
        if text.starts_with('-') {
            return Err(RevisionError::LooksLikeOption);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(RevisionError::Control);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text for git's `--end-of-options` position.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Revision {
    type Error = RevisionError;

    fn try_from(text: String) -> Result<Self, RevisionError> {
        Self::parse(&text)
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        revision.0
    }
}

/// Which change to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope")]
pub enum Scope {
    /// The working tree when anything differs from `HEAD`, else the branch.
    Auto,
    /// Everything that differs from `HEAD`: staged, unstaged and untracked.
    WorkingTree,
    /// Everything that differs from a commit, committed since or not. Only the stop gate asks for it.
    Since {
        /// The commit.
        commit: Revision,
    },
    /// The branch since a commit that it grew from, with what is not committed where there is any. Only a review that follows
    /// another one asks for it.
    Onward {
        /// The commit.
        base: Revision,
        /// What the branch was compared with when that commit was found, if it has a name.
        name: Option<Revision>,
    },
    /// What the next commit would hold.
    Staged,
    /// Commits since the merge base with `base`, or with the upstream, or with the remote's default branch.
    Branch {
        /// Where the branch left; found when absent.
        base: Option<Revision>,
        /// The tip; `HEAD` when absent.
        head: Option<Revision>,
    },
    /// One commit against its first parent.
    Commit {
        /// The commit.
        commit: Revision,
    },
    /// What lies between two revisions, `from` excluded.
    Range {
        /// The older end.
        from: Revision,
        /// The newer end.
        to: Revision,
    },
}

impl Scope {
    /// Reads `A..B` as a range and anything else as one commit. Three dots are not a range of commits here.
    pub fn parse_commit(text: &str) -> Result<Self, RevisionError> {
        match text.split_once("..") {
            Some((from, to)) if !to.starts_with('.') => Ok(Self::Range {
                from: Revision::parse(from)?,
                to: Revision::parse(to)?,
            }),
            _ => Ok(Self::Commit {
                commit: Revision::parse(text)?,
            }),
        }
    }

    /// Returns the name used in envelopes.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Auto | Self::Onward { .. } => "auto",
            Self::WorkingTree | Self::Since { .. } => "working_tree",
            Self::Staged => "staged",
            Self::Branch { .. } => "branch",
            Self::Commit { .. } => "commit",
            Self::Range { .. } => "range",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_that_git_could_read_as_something_else_are_refused() {
        let check =
            |text: &str, expected| assert_eq!(Revision::parse(text).map(|_| ()), Err(expected), "{text}");
        check("", RevisionError::Empty);
        check("--output=/tmp/x", RevisionError::LooksLikeOption);
        check("-h", RevisionError::LooksLikeOption);
        check("a b", RevisionError::Control);
        check("a\nb", RevisionError::Control);
        check(&"a".repeat(257), RevisionError::TooLong);
        assert!(Revision::parse("HEAD~3^{commit}").is_ok());
    }

    #[test]
    fn two_dots_are_a_range() {
        let revision = |text| Revision::parse(text).unwrap();
        assert_eq!(
            Scope::parse_commit("v1..v2"),
            Ok(Scope::Range {
                from: revision("v1"),
                to: revision("v2")
            })
        );
        assert_eq!(
            Scope::parse_commit("abc"),
            Ok(Scope::Commit {
                commit: revision("abc")
            })
        );
        assert_eq!(
            Scope::parse_commit("v1..--x"),
            Err(RevisionError::LooksLikeOption)
        );
    }
}
