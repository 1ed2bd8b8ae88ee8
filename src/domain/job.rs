//! Jobs: their ids, kinds and states.
//!
//! A state is never stored. It is derived from what exists in the job's directory and from who holds its lock, so a
//! crash at any point leaves a job that can be named truthfully.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The alphabet of job ids: Crockford's base 32 in lower case, which has no letters that look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of the creation time: 10 x 5 bits hold 48 bits of milliseconds since 1970.
const TIME_CHARS: usize = 10;
/// Characters of the workspace hash: 30 bits, enough to list one workspace without reading other jobs.
const WORKSPACE_CHARS: usize = 6;
/// Characters of randomness: 50 bits, so an id cannot be guessed and two jobs of one millisecond differ.
const RANDOM_CHARS: usize = 10;
/// Length of a job id in bytes, separators included.
pub const JOB_ID_LEN: usize = TIME_CHARS + 1 + WORKSPACE_CHARS + 1 + RANDOM_CHARS;

/// Names one job. Sorts by creation time, is safe as a file name, and carries a hash of its workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct JobId(String);

/// Says that a text is not a job id. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a job id")]
pub struct NotAJobId;

impl JobId {
    /// Makes an id from a creation time in milliseconds since 1970, a workspace hash and random bits.
    ///
    /// Only the low 48 bits of the time, 30 of the hash and 50 of the randomness are used.
    pub fn new(created_ms: u64, workspace: WorkspaceHash, random: u64) -> Self {
        let mut text = String::with_capacity(JOB_ID_LEN);
        push_base32(&mut text, created_ms, TIME_CHARS);
        text.push('-');
        text.push_str(&workspace.to_string());
        text.push('-');
        push_base32(&mut text, random, RANDOM_CHARS);
        Self(text)
    }

    /// Returns the id as text, which is also the name of the job's directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns when the job was created, in milliseconds since 1970.
    pub fn created_ms(&self) -> u64 {
        self.0.as_bytes()[..TIME_CHARS].iter().fold(0, |value, byte| {
            let digit = ALPHABET.iter().position(|letter| letter == byte).unwrap_or(0);
            (value << 5) | digit as u64
        })
    }

    /// Tells whether the job was started for the workspace with this hash.
    pub fn is_of(&self, workspace: WorkspaceHash) -> bool {
        self.0[TIME_CHARS + 1..TIME_CHARS + 1 + WORKSPACE_CHARS] == workspace.to_string()
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        let bytes = text.as_bytes();
        if bytes.len() != JOB_ID_LEN {
            return Err(NotAJobId);
        }
        let shaped = bytes.iter().enumerate().all(|(at, byte)| {
            if at == TIME_CHARS || at == TIME_CHARS + 1 + WORKSPACE_CHARS {
                *byte == b'-'
            } else {
                ALPHABET.contains(byte)
            }
        });
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAJobId)
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = NotAJobId;

    fn try_from(text: String) -> Result<Self, NotAJobId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a caller may write to name a job: a whole id, a unique beginning of one, or `latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobName {
    /// A complete id.
    Exact(JobId),
    /// The beginning of an id; it must fit exactly one job.
    Prefix(String),
    /// The newest job of the workspace.
    Latest,
}

impl FromStr for JobName {
    type Err = NotAJobId;

    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Exact(id));
        }
        let fits = !text.is_empty()
            && text.len() < JOB_ID_LEN
            && text.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte));
        if fits {
            Ok(Self::Prefix(text.to_owned()))
        } else {
            Err(NotAJobId)
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(id) => id.fmt(out),
            Self::Prefix(text) => out.write_str(text),
            Self::Latest => out.write_str("latest"),
        }
    }
}

/// A 30-bit hash of a workspace's canonical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkspaceHash(u32);

impl WorkspaceHash {
    /// Hashes the bytes of a canonical path.
    pub fn of(canonical_path: &[u8]) -> Self {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(canonical_path);
        Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) >> 2)
    }
}

impl fmt::Display for WorkspaceHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(WORKSPACE_CHARS);
        push_base32(&mut text, u64::from(self.0), WORKSPACE_CHARS);
        out.write_str(&text)
    }
}

fn push_base32(text: &mut String, value: u64, chars: usize) {
    for place in (0..chars).rev() {
        let digit = (value >> (5 * place)) & 31;
        text.push(char::from(
            ALPHABET[usize::try_from(digit).expect("five bits fit")],
        ));
    }
}

/// Which paid use case a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A question, answered read-only.
    Consult,
    /// A review of a change, read-only.
    Review,
    /// A task whose edits go into a worktree of ours.
    Delegate,
}

impl JobKind {
    /// Returns the name used in envelopes and tool names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consult => "consult",
            Self::Review => "review",
            Self::Delegate => "delegate",
        }
    }
}

/// What a job is doing or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its worker lives and waits for a free slot.
    Queued,
    /// Its worker lives and the peer may have been started.
    Running,
    /// It ended with an answer.
    Succeeded,
    /// It ended without one; the result says why.
    Failed,
    /// Somebody asked for its end.
    Cancelled,
    /// Its deadline passed.
    TimedOut,
    /// Its worker is gone and left no result.
    Lost,
}

impl JobState {
    /// All states, in the order a job passes through them.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Lost,
    ];

    /// Returns the name used in envelopes and filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }

    /// Tells whether the job can still change its state.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_carries_its_time_and_workspace() {
        let workspace = WorkspaceHash::of(b"/home/me/project");
        let id = JobId::new(1_795_244_455_123, workspace, 42);
        assert_eq!(id.created_ms(), 1_795_244_455_123);
        assert!(id.is_of(workspace));
        assert!(!id.is_of(WorkspaceHash::of(b"/home/me/other")));
        assert_eq!(id.as_str().len(), JOB_ID_LEN);
    }

    #[test]
    fn names_that_could_leave_the_state_directory_are_refused() {
        for text in [
            "",
            "..",
            ".",
            "-x/../y",
            "a/b",
            "01j\0",
            "LATEST",
            "ilou",
            &"0".repeat(200),
        ] {
            assert!(text.parse::<JobName>().is_err(), "`{text}` was accepted");
        }
        assert_eq!("latest".parse(), Ok(JobName::Latest));
        assert_eq!("01m".parse(), Ok(JobName::Prefix("01m".to_owned())));
    }

    proptest! {
        #[test]
        fn ids_sort_by_time(a in 0u64..1 << 47, b in 0u64..1 << 47, random in any::<u64>()) {
            let workspace = WorkspaceHash::of(b"w");
            let (first, second) = (JobId::new(a, workspace, random), JobId::new(b, workspace, !random));
            prop_assert!(a == b || (a < b) == (first < second));
        }

        #[test]
        fn every_id_parses_back(time in 0u64..1 << 48, path in any::<Vec<u8>>(), random in any::<u64>()) {
            let id = JobId::new(time, WorkspaceHash::of(&path), random);
            prop_assert_eq!(id.as_str().parse::<JobId>(), Ok(id.clone()));
        }

        #[test]
        fn a_parsed_id_is_a_plain_file_name(text in ".{0,40}") {
            if let Ok(id) = text.parse::<JobId>() {
                prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
                prop_assert!(!id.as_str().starts_with('-'));
            }
        }
    }
}
