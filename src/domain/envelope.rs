//! What every tool returns: one object, the same for hosts, for `--json` and for results on disk.
//!
//! Absent values are left out; empty lists stay, so a caller can tell "none" from "not said".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::coverage::Coverage;
use crate::domain::fault::Fault;
use crate::domain::finding::Finding;
use crate::domain::job::{JobId, JobKind, JobState};
use crate::domain::tracking::Tracking;
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};

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
            repair: fault.repair,
        }
    }
}

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
    /// What its run may take at most.
    pub limits: JobLimits,
    /// The one call that makes sense next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextCall>,
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

/// Tokens of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, the cached ones included.
    pub input: u64,
    /// Of these, read from the service's cache.
    pub cached: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
}

impl Usage {
    /// Returns what a budget counts: all that was read, the cached part too, and all that was written.
    #[must_use]
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Writes the total for people: `950`, `12.4k`, `1.2M`.
    pub fn spoken(self) -> String {
        let total = self.total();
        let tenths = |unit: u64| format!("{}.{}", total / unit, total % unit * 10 / unit);
        match total {
            0..1000 => total.to_string(),
            1000..1_000_000 => format!("{}k", tenths(1000)),
            _ => format!("{}M", tenths(1_000_000)),
        }
    }

    /// Returns the counter that reads `self` after `before`.
    #[must_use]
    pub fn after(self, before: Self) -> Self {
        Self {
            input: self.input.saturating_add(before.input),
            cached: self.cached.saturating_add(before.cached),
            output: self.output.saturating_add(before.output),
        }
    }

    /// Returns what was used since `before`, two readings of one cumulative counter.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            input: self.input.saturating_sub(before.input),
            cached: self.cached.saturating_sub(before.cached),
            output: self.output.saturating_sub(before.output),
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

/// A block of code in an answer.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct CodeBlock {
    /// Its language, in lower case; `text` when nobody said.
    pub language: String,
    /// The file it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The code.
    pub text: String,
}

/// The structured part of a plan review.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct PlanReport {
    /// Steps the plan forgot.
    pub missing_tasks: Vec<String>,
    /// Steps in the wrong order or without what they need.
    pub dependency_issues: Vec<String>,
    /// Steps that can go side by side.
    pub parallelization: Vec<String>,
    /// What no test would notice.
    pub test_gaps: Vec<String>,
    /// What can go wrong.
    pub risks: Vec<String>,
    /// Steps too large to judge.
    pub splits: Vec<String>,
}

/// The answer of a consult.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ConsultAnswer {
    /// The peer's text.
    pub answer: String,
    /// Its code.
    pub code: Vec<CodeBlock>,
    /// Only of a plan review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<PlanReport>,
    /// What the peer wants to know.
    pub questions: Vec<String>,
    /// What the peer took for granted.
    pub assumptions: Vec<String>,
}

/// The peer's own report on a delegate. What it really did is told by the diff.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct DelegateAnswer {
    /// What it says it did.
    pub report: String,
    /// What it says can go wrong.
    pub risks: Vec<String>,
    /// What it says is left to do.
    pub remaining: Vec<String>,
    /// What it wants to know.
    pub questions: Vec<String>,
    /// What it took for granted.
    pub assumptions: Vec<String>,
}

/// What a review looked at, resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Target {
    /// The scope after `auto` was decided; `snippet` for code that the caller gave.
    pub scope: String,
    /// The older side's object id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_oid: Option<String>,
    /// The newer side's object id; absent for the working tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_oid: Option<String>,
    /// The paths it was narrowed to.
    pub paths: Vec<String>,
    /// Files in the change.
    pub files: u32,
}

/// The answer of a review.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct ReviewAnswer {
    /// What was looked at.
    pub target: Target,
    /// 0 to 100, only when the peer gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// Derived by us.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// Whether anybody looked.
    pub review_status: ReviewStatus,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// What became of the findings of the review that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Box<Tracking>>,
    /// What was shown to the reviewer.
    pub coverage: Coverage,
    /// The reviewer's own summary.
    pub overview: String,
    /// What the reviewer wants to know.
    pub questions: Vec<String>,
    /// What the reviewer took for granted.
    pub assumptions: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_spoken_short_and_never_rounded_up() {
        let check = |input, output, expected: &str| {
            let usage = Usage {
                input,
                cached: input,
                output,
            };
            assert_eq!(usage.spoken(), expected);
        };
        check(0, 0, "0");
        check(900, 99, "999");
        check(1000, 0, "1.0k");
        check(12_000, 499, "12.4k");
        check(999_999, 0, "999.9k");
        check(1_000_000, 250_000, "1.2M");
        check(u64::MAX, 1, "18446744073709.5M");
    }
}
