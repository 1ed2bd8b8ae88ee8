//! What can go wrong with git, one variant per cause.

use crate::diff::largest::LargeFile;
use crate::diff::parse::ParseError;
use std::path::PathBuf;
use std::time::Duration;

/// Which of the caller's revisions is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionRole {
    /// The one revision that was asked about.
    Revision,
    /// Where a branch left.
    Base,
    /// The tip of a branch.
    Head,
    /// The one commit to look at.
    Commit,
    /// The older end of a range.
    From,
    /// The newer end of a range.
    To,
}

impl RevisionRole {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revision => "revision",
            Self::Base => "base",
            Self::Head => "head",
            Self::Commit => "commit",
            Self::From => "start of the range",
            Self::To => "end of the range",
        }
    }
}

/// An error of the git module.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No git on the `PATH` that was given.
    #[error("git is not on the PATH")]
    NotFound,
    /// `git version` says something that is no version.
    #[error("`{program}` does not say its version")]
    VersionUnknown {
        /// The program.
        program: PathBuf,
    },
    /// The only git is older than the oldest one tested.
    #[error("git is {found}, older than {minimum}")]
    TooOld {
        /// Its version.
        found: semver::Version,
        /// The oldest that will do.
        minimum: semver::Version,
    },
    /// The program could not be started, or not be waited for.
    #[error("`git {command}` cannot be run")]
    Spawn {
        /// The git command.
        command: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// It was ended after its time.
    #[error("`git {command}` ran longer than {} s", after.as_secs())]
    Deadline {
        /// The git command.
        command: &'static str,
        /// Its time.
        after: Duration,
    },
    /// It waited for a FIFO that lies where a file of the repository is expected, and was ended.
    #[error("`git {command}` waits for a FIFO of the repository, which nobody writes")]
    Fifo {
        /// The git command.
        command: &'static str,
    },
    /// It wrote more than is read, and was ended.
    #[error("`git {command}` wrote more than {limit} bytes")]
    OutputTooLarge {
        /// The git command.
        command: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// It failed for a reason that has no variant of its own.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// The git command.
        command: &'static str,
        /// Its exit code; nothing when a signal ended it.
        exit_code: Option<i32>,
        /// The first line of its standard error, shortened, invisible characters spelled out.
        message: String,
    },
    /// It answered with something that this version of ours cannot read.
    #[error("the output of `git {command}` is not understood")]
    Output {
        /// The git command.
        command: &'static str,
    },
    /// Its diff is not what git writes.
    #[error("the diff is not understood")]
    Diff(#[from] ParseError),
    /// The directory is in no repository.
    #[error("`{}` is not in a git repository", directory.display())]
    NotARepository {
        /// The directory.
        directory: PathBuf,
    },
    /// The repository belongs to another user and `safe.directory` does not name it.
    #[error("the repository at `{}` belongs to another user", directory.display())]
    NotOwned {
        /// The directory.
        directory: PathBuf,
    },
    /// The repository has no working tree.
    #[error("the repository at `{}` is bare", directory.display())]
    Bare {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory is inside the git directory, or the repository's working tree is elsewhere than its `.git`.
    #[error("`{}` is not in the working tree of its repository", directory.display())]
    NoWorkingTree {
        /// The directory.
        directory: PathBuf,
    },
    /// A part of the repository leads to another one, and nothing in that one says that they belong together.
    #[error("the repository at `{}` leads to another one: {what} is not its own", directory.display())]
    LeadsElsewhere {
        /// The directory.
        directory: PathBuf,
        /// What does.
        what: &'static str,
    },
    /// A revision names no commit here. The revision is not repeated.
    #[error("the {} names no commit of this repository", role.as_str())]
    InvalidRevision {
        /// Which one.
        role: RevisionRole,
    },
    /// The scope needs a commit and there is none yet.
    #[error("the repository has no commit yet")]
    NoCommitYet,
    /// No base for the branch was found.
    #[error("no base for the branch: {} do not exist or are the branch itself", tried.join(", "))]
    NoBase {
        /// What was tried, in order.
        tried: Vec<String>,
    },
    /// The two ends have no common history.
    #[error("`{base}` and the branch have no common ancestor")]
    NoMergeBase {
        /// The base's name.
        base: String,
    },
    /// A path leads out of the workspace. The path is not repeated.
    #[error("path {index} is outside the workspace")]
    PathOutside {
        /// Its place among the given paths, from 0.
        index: usize,
    },
    /// Objects are not in this clone, and nothing is fetched.
    #[error("objects of the change are not in this {}", if *partial_clone { "partial clone" } else { "repository" })]
    MissingObjects {
        /// Whether the repository is a partial clone, whose objects a `git fetch` or `git checkout` would bring.
        partial_clone: bool,
    },
    /// The diff has more bytes than are read.
    #[error("the diff has more than {limit} bytes")]
    DiffTooLarge {
        /// The limit in bytes.
        limit: usize,
        /// Its largest files by lines; `bytes` is not known and 0.
        largest: Vec<LargeFile>,
    },
    /// The diff has more lines than are read.
    #[error("the diff has more than {limit} lines")]
    DiffTooLong {
        /// The limit in lines.
        limit: usize,
        /// Its largest files by lines; `bytes` is not known and 0.
        largest: Vec<LargeFile>,
    },
    /// A file of the repository's metadata or of ours failed.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was done: `read`, `copy`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl GitError {
    /// Makes the error of a failed file operation.
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
