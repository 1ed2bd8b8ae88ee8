//! A job as an envelope tells it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::job::{JobId, JobKind, JobState};
use crate::domain::usage::Usage;

/// A job in an envelope.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Its use case.
    pub kind: JobKind,
    /// What it is about, in a few words.
    pub label: String,
    /// Its state.
    pub state: JobState,
    /// Awake time from its start to its end or to now, in milliseconds.
    pub elapsed_ms: u64,
    /// When its deadline falls if the machine stays awake, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<String>,
    /// When its record may be deleted, RFC 3339 in UTC; absent while nobody has read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How long to leave it alone before asking again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_after_ms: Option<u64>,
    /// What the peer is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Tokens so far, while it runs and where the peer tells them; those of an ended job stand in `meta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Of a review: the hash of what was decided to be sent; a dry run of the same call tells the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// What its run may take at most.
    pub limits: JobLimits,
    /// Where its task stands, of a job that is done elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteView>,
    /// The one call that makes sense next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextCall>,
}

/// Where a task stands that is done elsewhere. What cannot be seen of it changes no state.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct RemoteView {
    /// Who does it.
    pub runner: &'static str,
    /// Its address; absent before it is handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What was last seen of it: `pending`, `ready`, `applied` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// When that was, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<String>,
    /// Why it cannot be seen now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<UnreachableView>,
}

/// Why a task cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct UnreachableView {
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// One line.
    pub why: String,
}

/// What a run may take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct JobLimits {
    /// Seconds of awake time.
    pub timeout_s: u64,
    /// Tokens, read (the cached ones too) and written; absent when there is no budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u64>,
}

/// A call, ready to use.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct NextCall {
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}
