//! The calls of the tools after parsing: values here are within their bounds.
//!
//! The tool arguments and the command line are both parsed into these types, so the use cases see one shape.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::fault::Fault;
use crate::domain::fingerprint::sha256_hex;
use crate::domain::job::{JobId, JobName};
use crate::domain::limits;
use crate::domain::review_plan::Depth;
use crate::domain::runner::RunnerName;
use crate::domain::scope::Scope;
use crate::domain::tier::Isolation;

mod apply;
mod delegate;
mod job;
mod status;

pub use apply::{APPLY_FILES, ApplyAction, ApplyRequest};
pub use delegate::{DelegateRequest, ONLY_TASK, Task};
pub use job::{CancelRequest, Detail, JobRequest, StateFilter};
pub use status::{StatusRequest, Topic};

/// What a consult asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultKind {
    /// An answer to a question.
    #[default]
    Answer,
    /// The strongest case against what the caller believes.
    Challenge,
    /// A structured report on a plan.
    ReviewPlan,
    /// Code in blocks.
    WriteCode,
}

impl ConsultKind {
    /// The names callers may write.
    pub const NAMES: [&'static str; 4] = ["answer", "challenge", "review_plan", "write_code"];

    /// Returns the name used in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => Self::NAMES[0],
            Self::Challenge => Self::NAMES[1],
            Self::ReviewPlan => Self::NAMES[2],
            Self::WriteCode => Self::NAMES[3],
        }
    }
}

/// A model name: 1 to 128 printable characters without white space, not starting with `-`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

/// An effort name. Which ones exist is the peer's to say; it grows with every model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Effort(String);

/// Says that a name holds characters that could change a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use 1 to 128 letters, digits and `-_./:@`, not starting with `-`")]
pub struct BadName;

fn checked_name(text: String) -> Result<String, BadName> {
    let fits = (1..=128).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b));
    if fits { Ok(text) } else { Err(BadName) }
}

macro_rules! checked_text {
    ($type:ident) => {
        impl $type {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                checked_name(text).map(Self)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}

checked_text!(ModelName);
checked_text!(Effort);

/// A peer's thread id: a UUID, checked because codex starts a new thread for anything else, silently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ThreadId(String);

/// Says that a text is not a thread id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a thread id")]
pub struct NotAThreadId;

impl ThreadId {
    /// Returns the id that a thread gets which is opened for this purpose: the same for the same words, and known to nobody
    /// who does not know these.
    pub fn of(purpose: &str) -> Self {
        let hex = sha256_hex(format!("thread {purpose}").as_bytes());
        // In the form of a random UUID; the first hexadecimal digit of the fourth group is one of 8, 9, a and b.
        Self(format!(
            "{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        ))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ThreadId {
    type Error = NotAThreadId;

    fn try_from(text: String) -> Result<Self, NotAThreadId> {
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if groups == [8, 4, 4, 4, 12] && hex {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAThreadId)
        }
    }
}

impl From<ThreadId> for String {
    fn from(value: ThreadId) -> Self {
        value.0
    }
}

/// What to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The thread of one of our jobs.
    Job(JobName),
    /// A thread of the peer.
    Thread(ThreadId),
}

/// How long the call itself waits for its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As long as this host lets a call take.
    HostDefault,
    /// At most this long; zero returns at once.
    AtMost(Duration),
    /// Not at all: the caller asked for a background job.
    Background,
}

/// What to do with untracked files of a working tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Untracked {
    /// Review them, within the limits.
    #[default]
    Include,
    /// List them as omitted.
    Exclude,
}

impl Untracked {
    /// The names callers may write.
    pub const NAMES: [&'static str; 2] = ["include", "exclude"];
}

/// The rare knobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own that callers write by its name"
)]
pub struct Options {
    /// Deadline of the run in awake time; [`limits::TIMEOUT_DEFAULT`] when absent.
    pub timeout: Option<Duration>,
    /// Tokens that the run may use; the user's configuration decides when absent.
    pub budget_tokens: Option<u64>,
    /// Millionths of a US dollar that the run may cost; needs a peer that tells its cost.
    pub budget_microusd: Option<u64>,
    /// How often the model may be asked; needs a peer that counts it.
    pub max_turns: Option<u32>,
    /// How much of the user's peer configuration takes part.
    pub isolation: Option<Isolation>,
    /// Whether the model may search the web; needs the user's `[allow]`.
    pub web_search: bool,
    /// Keep no thread at the peer: no repair turn, no resume.
    pub ephemeral: bool,
    /// What to do with untracked files.
    pub untracked: Untracked,
    /// The language the peer answers in, or the programming language of `write_code`.
    pub language: Option<String>,
    /// More instructions of the caller for the peer.
    pub instructions: Option<String>,
    /// The same key with the same arguments is the same job.
    pub idempotency_key: Option<String>,
    /// A command line that prepares a delegate's worktree before the peer starts.
    pub setup: Option<String>,
    /// Folders to link into a delegate's worktree; the user's configuration decides when absent.
    pub reuse: Option<Vec<String>>,
    /// Files that a delegate may change at most.
    pub max_files: Option<u32>,
    /// Parts that a large change may be reviewed in; the configuration decides when absent.
    pub max_parts: Option<u32>,
    /// Beginnings of commands that a delegate should keep to; others are told.
    pub allow_commands: Vec<String>,
    /// Whether a delegate's commands may use the network; needs the user's `[allow]`.
    pub network: bool,
    /// Whether a delegate edits the user's own files; needs the user's `[allow]`.
    pub in_place: bool,
    /// Whether what is gone on from is left as it is, and this run has a thread of its own.
    pub fork: bool,
    /// Further folders that may be read, as they were written.
    pub roots: Vec<PathBuf>,
    /// A label of the caller's own, by which jobs are listed together.
    pub group: Option<String>,
    /// The job whose place this one takes.
    pub supersedes: Option<JobId>,
    /// The review that this one follows: only what changed since is looked at.
    pub since: Option<JobName>,
    /// Jobs of this call that run at once at most.
    pub concurrency: Option<usize>,
    /// Who does the tasks of a delegate that say nothing themselves.
    pub runner: RunnerName,
}

impl Options {
    /// Returns the instructions of the caller, and which further folders there are: a peer that may read everywhere knows of
    /// them only so.
    pub fn told(&self) -> Option<String> {
        let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        let roots =
            (!roots.is_empty()).then(|| format!("You may also read these folders: {}", roots.join(", ")));
        match (&self.instructions, roots) {
            (Some(own), Some(roots)) => Some(format!("{own}\n{roots}")),
            (own, roots) => own.clone().or(roots),
        }
    }
}

/// What consult and review have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The folder the caller named; absolute.
    pub workspace: Option<PathBuf>,
    /// The model, else the peer's own default.
    pub model: Option<ModelName>,
    /// The effort, else the peer's own default.
    pub effort: Option<Effort>,
    /// How long to wait.
    pub wait: Wait,
    /// What to continue.
    pub resume: Option<Resume>,
    /// The rare knobs.
    pub options: Options,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            workspace: None,
            model: None,
            effort: None,
            wait: Wait::HostDefault,
            resume: None,
            options: Options::default(),
        }
    }
}

/// A question for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsultRequest {
    /// The question; not blank.
    pub prompt: String,
    /// What kind of answer.
    pub kind: ConsultKind,
    /// What the caller knows already.
    pub context: Option<String>,
    /// Files to read with it, relative to the workspace or absolute inside it.
    pub files: Vec<PathBuf>,
    /// The rest.
    pub common: Common,
}

/// What a review is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A change of the repository.
    Change(Scope),
    /// What a delegate left.
    Job(JobName),
    /// Code that the caller gave.
    Snippet(String),
}

/// A review to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRequest {
    /// What to look at.
    pub subject: Subject,
    /// Only these paths, relative to the workspace.
    pub paths: Vec<String>,
    /// What to look for.
    pub focus: Option<String>,
    /// What the author meant.
    pub context: Option<String>,
    /// How thorough.
    pub depth: Depth,
    /// The rest.
    pub common: Common,
}

/// A free preview of a paid call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DryRunRequest {
    /// Of a consult.
    Consult(ConsultRequest),
    /// Of a review.
    Review(ReviewRequest),
    /// Of a delegate.
    Delegate(DelegateRequest),
    /// Of an apply: its preview, which returns the token.
    Apply(ApplyRequest),
}

/// Checks a text argument: not blank, within [`limits::ARGUMENT_BYTES`].
pub fn checked_argument(field: &str, text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::argument(field, format!("`{field}` is empty")));
    }
    if text.len() > limits::ARGUMENT_BYTES {
        let message = format!(
            "`{field}` has {} bytes; the limit is {}",
            text.len(),
            limits::ARGUMENT_BYTES
        );
        return Err(Fault {
            field: Some(field.into()),
            ..Fault::new(crate::domain::fault::FaultCode::InputTooLarge, message)
        });
    }
    Ok(text)
}

/// Reads what to continue: a thread id, or the name of one of our jobs.
pub fn parse_resume(text: &str) -> Result<Resume, Fault> {
    if let Ok(thread) = ThreadId::try_from(text.to_owned()) {
        return Ok(Resume::Thread(thread));
    }
    text.parse().map(Resume::Job).map_err(|_| {
        Fault::argument("resume", "`resume` is neither a job id nor a thread id")
            .hint("pass the id of a job, `latest`, or the thread id in a result's meta")
    })
}

/// Returns the one job a resume names exactly, if it does.
pub fn resumed_job(resume: Option<&Resume>) -> Option<&JobId> {
    match resume {
        Some(Resume::Job(JobName::Exact(id))) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_opened_for_a_purpose_is_always_the_same() {
        let thread = ThreadId::of("a job");
        assert_eq!(thread, ThreadId::of("a job"));
        assert_ne!(thread, ThreadId::of("another job"));
        let text = thread.as_str().to_owned();
        assert_eq!((&text[14..15], &text[19..20]), ("4", "8"), "{text}");
        assert_eq!(ThreadId::try_from(text).unwrap(), thread);
    }

    #[test]
    fn names_that_could_change_a_command_line_are_refused() {
        let check = |text: &str, good: bool| {
            assert_eq!(ModelName::try_from(text.to_owned()).is_ok(), good, "{text:?}");
        };
        check("gpt-6.1-sol", true);
        check("openai/gpt:free@1", true);
        check("", false);
        check("-m", false);
        check("a b", false);
        check("a\"b", false);
        check(&"a".repeat(129), false);
    }

    #[test]
    fn only_uuids_are_thread_ids() {
        assert!(
            parse_resume("019A0000-0000-7000-8000-000000000001")
                .is_ok_and(|r| matches!(r, Resume::Thread(_)))
        );
        assert_eq!(parse_resume("latest"), Ok(Resume::Job(JobName::Latest)));
        assert!(parse_resume("my thread").is_err());
    }
}
