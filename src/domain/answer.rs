//! What a peer answered to a question, and what it says of a task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
