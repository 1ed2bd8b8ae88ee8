//! What a reviewer found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Data loss, a security hole, or a crash for everybody.
    Critical,
    /// Wrong in a case that will happen.
    High,
    /// Wrong in a case that can happen.
    Medium,
    /// Small, or unlikely.
    Low,
    /// Taste.
    Nit,
}

impl Severity {
    /// Returns the name used in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Nit => "nit",
        }
    }
}

/// Which side of the diff a line number counts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The file after the change.
    #[default]
    New,
    /// The file before the change.
    Old,
}

/// How well a finding's line fits the diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The stated line is in the diff on the stated side, and its quoted code does not contradict it.
    Exact,
    /// The stated line was wrong; the quoted code stands at the line now given.
    Moved,
    /// Neither line nor quoted code is in the diff.
    OffDiff,
}

/// What supports a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// One pass of the reviewer said so and quoted code that is in the diff.
    Quoted,
    /// One pass of the reviewer said so without code that we could find.
    Claimed,
}

/// A finding as the reviewer stated it, before anybody checked it.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Claim {
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Path relative to the repository root.
    pub file: String,
    /// 1-based line on `side`; 0 when the reviewer gave none.
    pub line: u32,
    /// Last line of a range.
    pub end_line: Option<u32>,
    /// The side the line counts on.
    #[serde(default)]
    pub side: Side,
    /// Code quoted from the diff.
    pub evidence: String,
    /// What goes wrong.
    pub risk: String,
    /// What to do.
    pub recommendation: String,
}

/// A finding whose place was checked against the diff.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Finding {
    /// Stable for the same finding in the same place of the same file.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Path relative to the repository root.
    pub file: String,
    /// 1-based line on `side`; 0 when it has none.
    pub line: u32,
    /// Last line of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// The side the line counts on.
    pub side: Side,
    /// Code quoted from the diff.
    pub evidence: String,
    /// What goes wrong.
    pub risk: String,
    /// What to do.
    pub recommendation: String,
    /// How well the line fits.
    pub anchor: Anchor,
    /// What supports it.
    pub basis: Basis,
}
