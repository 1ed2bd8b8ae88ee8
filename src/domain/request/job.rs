//! Looking at jobs, and ending one.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::job::{JobName, JobState};

/// How much of a job to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// The result as the call would have returned it.
    #[default]
    Summary,
    /// Also the raw text, the commands and what was sent.
    Full,
    /// The change that was reviewed, as sent.
    Diff,
    /// The event log.
    Log,
}

impl Detail {
    /// The names callers may write.
    pub const NAMES: [&'static str; 4] = ["summary", "full", "diff", "log"];
}

/// Which jobs to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateFilter {
    /// Every job.
    #[default]
    All,
    /// Queued and running.
    Active,
    /// The others.
    Ended,
    /// One state.
    Only(JobState),
}

impl StateFilter {
    /// Reads a filter's name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "active" => Some(Self::Active),
            "ended" => Some(Self::Ended),
            _ => JobState::ALL
                .into_iter()
                .find(|state| state.as_str() == text)
                .map(Self::Only),
        }
    }

    /// The names callers may write.
    pub fn names() -> Vec<&'static str> {
        ["all", "active", "ended"]
            .into_iter()
            .chain(JobState::ALL.map(JobState::as_str))
            .collect()
    }

    /// Tells whether a job in this state is listed.
    pub fn admits(self, state: JobState) -> bool {
        match self {
            Self::All => true,
            Self::Active => state.is_active(),
            Self::Ended => !state.is_active(),
            Self::Only(only) => only == state,
        }
    }
}

/// Looks at one job or lists many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobRequest {
    /// One job.
    Show {
        /// Which.
        name: JobName,
        /// How long to wait for its end.
        wait: Duration,
        /// Events to show of a running job or of the log.
        tail: usize,
        /// How much to show.
        detail: Detail,
        /// The workspace `latest` is looked for in.
        workspace: Option<PathBuf>,
    },
    /// Many, newest first.
    List {
        /// Which states.
        filter: StateFilter,
        /// At most so many.
        limit: usize,
        /// Only those with this label of their caller's.
        group: Option<String>,
        /// Only this workspace; the call's own when absent.
        workspace: Option<PathBuf>,
    },
}

/// Ends a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// Which.
    pub name: JobName,
    /// Delete the record after returning it whole.
    pub forget: bool,
    /// The workspace `latest` is looked for in.
    pub workspace: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_know_every_state() {
        for name in StateFilter::names() {
            assert!(StateFilter::parse(name).is_some(), "{name}");
        }
        assert!(StateFilter::Active.admits(JobState::Queued));
        assert!(!StateFilter::Ended.admits(JobState::Running));
    }
}
