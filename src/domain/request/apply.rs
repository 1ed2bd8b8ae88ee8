//! What to do with the result of a delegate job.

use std::path::PathBuf;

use crate::domain::job::JobName;

/// Files that one call may name; more are meant by naming none.
pub const APPLY_FILES: usize = 1000;

/// What to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyAction {
    /// Show what landing would do; changes nothing.
    Preview,
    /// Put it into the working tree.
    Land {
        /// From the preview.
        token: Option<String>,
        /// Whether the caller said that it lands although a check failed.
        accept_failed_checks: bool,
    },
    /// Commit it on a new local branch.
    Branch {
        /// The branch; named after the job when absent.
        name: Option<String>,
    },
    /// Give it up; it is kept until its job's record is deleted.
    Discard,
    /// Put the files back as they were before it landed.
    Undo,
}

impl ApplyAction {
    /// The names callers may write.
    pub const NAMES: [&'static str; 5] = ["preview", "land", "branch", "discard", "undo"];

    /// Returns the action of this name, without what only its own arguments say.
    pub fn named(name: &str) -> Option<Self> {
        let actions = [
            Self::Preview,
            Self::Land {
                token: None,
                accept_failed_checks: false,
            },
            Self::Branch { name: None },
            Self::Discard,
            Self::Undo,
        ];
        actions.into_iter().find(|action| action.as_str() == name)
    }

    /// Tells whether an argument beside the job and the workspace means something to it.
    pub fn takes(&self, argument: &str) -> bool {
        match self {
            // A preview is of what `land` would do, and is made with the same arguments.
            Self::Preview | Self::Land { .. } => argument != "branch",
            Self::Branch { .. } => matches!(argument, "branch" | "files"),
            Self::Discard | Self::Undo => false,
        }
    }

    /// Returns the name used in envelopes.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Preview => Self::NAMES[0],
            Self::Land { .. } => Self::NAMES[1],
            Self::Branch { .. } => Self::NAMES[2],
            Self::Discard => Self::NAMES[3],
            Self::Undo => Self::NAMES[4],
        }
    }
}

/// One call of apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyRequest {
    /// The job whose result it is.
    pub name: JobName,
    /// What to do.
    pub action: ApplyAction,
    /// Only these files, as the result lists them; all when empty.
    pub files: Vec<String>,
    /// The workspace `latest` is looked for in, and the working tree it lands in; the job's own when absent.
    pub workspace: Option<PathBuf>,
}
