//! Who does the work of a delegate: this machine, or Codex Cloud.
//!
//! Owns the names of both, what is decided for a task that is done elsewhere, and what was last seen of it. Knows no command
//! line and no file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;

/// Who does the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerName {
    /// A worker on this machine.
    #[default]
    Local,
    /// Codex Cloud.
    Cloud,
}

impl RunnerName {
    /// The names callers may write.
    pub const NAMES: [&'static str; 2] = ["local", "cloud"];
    /// All of them, in the order of their names.
    pub const ALL: [Self; 2] = [Self::Local, Self::Cloud];

    /// Returns the name used in calls and envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => Self::NAMES[0],
            Self::Cloud => Self::NAMES[1],
        }
    }
}

/// Characters of an environment's id or label, far more than the service makes.
pub const ENVIRONMENT_CHARS: usize = 200;

/// Tells whether a text can name an environment: printable, and no flag.
pub fn is_environment(text: &str) -> bool {
    let length = text.chars().count();
    (1..=ENVIRONMENT_CHARS).contains(&length)
        && !text.starts_with('-')
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// What is decided for a task that Codex Cloud does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudPlan {
    /// The id or the label of the environment.
    pub environment: String,
    /// The branch that the service checks out.
    pub branch: String,
    /// How many attempts are asked for in the one submission, at least 1.
    pub attempts: u32,
    /// Which of them this job is, from 1.
    pub attempt: u32,
    /// The job that hands the task over for this one; absent where it does so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<JobId>,
}

/// The id of a task of Codex Cloud: 1 to 128 letters, digits, `_` and `-`, not beginning with `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

/// Says that a text is no id of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a task")]
pub struct NotATaskId;

impl TaskId {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = NotATaskId;

    fn from_str(text: &str) -> Result<Self, NotATaskId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
        fits.then(|| Self(text.to_owned())).ok_or(NotATaskId)
    }
}

impl TryFrom<String> for TaskId {
    type Error = NotATaskId;

    fn try_from(text: String) -> Result<Self, NotATaskId> {
        text.parse()
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What is on disk of handing a task over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// It was noted that it is about to be sent. A disk that does not tell counts as yes.
    pub sent: bool,
    /// Its address is known.
    pub address: bool,
}

/// How far handing a task over has come, for whoever finds only what is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// Nothing was sent: it may be sent.
    NotBegun,
    /// Nobody can tell whether the service has it. It is never sent again.
    Unknown,
    /// The service has it.
    Done,
}

impl Traces {
    /// Says what they mean.
    pub fn handover(self) -> Handover {
        match (self.sent, self.address) {
            (_, true) => Handover::Done,
            (true, false) => Handover::Unknown,
            (false, false) => Handover::NotBegun,
        }
    }
}

/// What the service says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It is worked on, or waits to be.
    Pending,
    /// It is done.
    Ready,
    /// It is done, and somebody applied it elsewhere.
    Applied,
    /// It ended with an error.
    Error,
}

impl TaskStatus {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Applied => "applied",
            Self::Error => "error",
        }
    }

    /// Tells whether the service works on it no more.
    pub fn is_over(self) -> bool {
        self != Self::Pending
    }
}

/// What was last seen of a task. It says nothing of the job's state: what cannot be seen goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When it was last asked about, in milliseconds since 1970.
    pub asked_ms: u64,
    /// When that was last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<u64>,
    /// The last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskStatus>,
    /// Why there was none the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<Unreachable>,
}

/// Since when a task cannot be asked about, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// In milliseconds since 1970.
    pub since_ms: u64,
    /// One line, secrets masked.
    pub why: String,
}

impl Sighting {
    /// Returns what is known after an answer.
    #[must_use]
    pub fn seen(status: TaskStatus, now_ms: u64) -> Self {
        Self {
            asked_ms: now_ms,
            seen_ms: Some(now_ms),
            status: Some(status),
            unreachable: None,
        }
    }

    /// Returns what is known after a question without an answer.
    #[must_use]
    pub fn unseen(self, why: String, now_ms: u64) -> Self {
        let since_ms = self.unreachable.map_or(now_ms, |earlier| earlier.since_ms);
        Self {
            asked_ms: now_ms,
            unreachable: Some(Unreachable { since_ms, why }),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_never_taken_for_a_flag() {
        let check = |text: &str, good: bool| assert_eq!(is_environment(text), good, "{text:?}");
        check("env_0123", true);
        check("owner/repository", true);
        check("Web, staging", true);
        check("", false);
        check("--env", false);
        check(" padded", false);
        check("two\nlines", false);
        check(&"e".repeat(ENVIRONMENT_CHARS + 1), false);
    }

    #[test]
    fn the_id_of_a_task_is_a_plain_word() {
        let check = |text: &str, good: bool| assert_eq!(text.parse::<TaskId>().is_ok(), good, "{text:?}");
        check("task_e_68f2c41a9b7c81909d3e", true);
        check("t-1", true);
        check("-t", false);
        check("../x", false);
        check("a b", false);
        check("", false);
        check(&"t".repeat(129), false);
    }

    #[test]
    fn what_is_out_of_reach_keeps_what_was_seen_and_since_when() {
        let seen = Sighting::seen(TaskStatus::Pending, 5);
        let gone = seen
            .unseen("no network".to_owned(), 7)
            .unseen("no name".to_owned(), 9);
        let since = gone.unreachable.clone().unwrap();
        assert_eq!((since.since_ms, since.why.as_str()), (7, "no name"));
        assert_eq!(
            (gone.asked_ms, gone.seen_ms, gone.status),
            (9, Some(5), Some(TaskStatus::Pending))
        );
        assert_eq!(Sighting::seen(TaskStatus::Ready, 11).unreachable, None);
    }
}
