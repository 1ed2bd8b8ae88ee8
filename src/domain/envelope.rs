//! What every tool returns: one object, the same for hosts, for `--json` and for results on disk.
//!
//! Absent values are left out; empty lists stay, so a caller can tell "none" from "not said".

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::job_view::JobView;
use crate::domain::usage::Usage;

/// A tool's answer.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum Envelope {
    /// It did what it says.
    Success(Box<Success>),
    /// It did not.
    Failure(Box<Failure>),
}

impl Envelope {
    /// Tells whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// Returns one line for people.
    pub fn summary(&self) -> String {
        match self {
            Self::Success(success) => success.summary.clone(),
            Self::Failure(failure) => {
                format!(
                    "{}: {}. {}",
                    failure.error.code, failure.error.message, failure.error.repair.hint
                )
            }
        }
    }
}

/// A call that succeeded.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Success {
    /// Always true.
    pub ok: bool,
    /// The tool.
    pub tool: &'static str,
    /// One line for people and models.
    pub summary: String,
    /// The job, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobView>,
    /// The tool's own fields.
    #[serde(flatten)]
    pub body: Map<String, Value>,
    /// What the caller may do next.
    pub next_steps: Vec<String>,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// Facts about the call.
    pub meta: Meta,
    /// Changes when schemas or codes change.
    pub fingerprint: String,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Failure {
    /// Always false.
    pub ok: bool,
    /// The tool.
    pub tool: &'static str,
    /// What went wrong.
    pub error: ErrorView,
    /// The job, where there is one; what it left can be read by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobView>,
    /// Facts about the call.
    pub meta: Meta,
    /// Changes when schemas or codes change.
    pub fingerprint: String,
}

/// A fault on the wire.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct ErrorView {
    /// The stable code.
    pub code: &'static str,
    /// One line.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// When, if somebody who knows said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The wrong argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// What a review would need that is too large to run unasked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<crate::domain::review_plan::Needs>,
    /// The next step.
    pub repair: crate::domain::fault::Repair,
}

impl From<Fault> for ErrorView {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code.as_str(),
            message: fault.message,
            retryable: fault.code.retryable(),
            retry_after_ms: fault.retry_after_ms,
            field: fault.field,
            allowed: fault.allowed,
            needs: fault.needs.map(|needs| *needs),
            repair: fault.repair,
        }
    }
}

/// Facts about a call.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize)]
pub struct Meta {
    /// The workspace used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Where it was taken from: `argument`, `project_dir`, `cwd` or `job`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_source: Option<&'static str>,
    /// The repository around it; finding paths are relative to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_root: Option<String>,
    /// Names this call in logs.
    pub request_id: String,
    /// How much of the user's peer configuration took part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<&'static str>,
    /// The peer.
    #[schemars(with = "String")]
    pub peer: Option<&'static str>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_version: Option<String>,
    /// The promise about effects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<crate::domain::tier::Tier>,
    /// The peer's sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<crate::domain::tier::Sandbox>,
    /// Whether the peer could run commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<crate::domain::tier::Tools>,
    /// The model asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The effort asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// The peer's thread, for `resume`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Tokens of this run alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What this run cost in US dollars, where the peer told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// How long this call took, in milliseconds.
    pub elapsed_ms: u64,
    /// Our version.
    pub server_version: &'static str,
    /// The host that called, as it named itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}
