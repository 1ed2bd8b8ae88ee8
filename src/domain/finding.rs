//! What a reviewer found.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::verdict::Confidence;

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

/// What supports a finding, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A second model call tried to refute it and made the failure happen with a command that we saw run.
    Reproduced,
    /// A second model call tried to refute it and could not.
    Verified,
    /// At least two looks that knew nothing of each other said so.
    Agreed,
    /// One look said so and quoted code that is in the diff.
    #[serde(alias = "quoted")]
    Single,
    /// One look said so without code that we could find.
    Claimed,
}

/// Whether the change brought a defect, or it stood there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The change adds or removes the code that it is about.
    Introduced,
    /// Nobody looked, as in records of versions that did not, or the finding stands nowhere in the change. It counts like one
    /// of the change's own: what is not known to be old must not be waved through.
    #[default]
    Unknown,
    /// The code that it is about stands on both sides of the change, or was only moved by it.
    PreExisting,
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
    /// How sure the reviewer says it is of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
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
    /// Whether the change brought it; absent in records of versions that did not look, which is not known.
    #[serde(default)]
    pub origin: Origin,
    /// How sure the reviewer said it is: its own word, which no conclusion of ours rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// How many of `looks` said so; only where a change was looked at more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<u32>,
    /// How many looks examined the part of the change that it points into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<u32>,
    /// Whether the second model call says that it stands in the base too, before the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_in_base: Option<bool>,
    /// What the second model call said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

impl Origin {
    /// Tells whether it is known that the change did not bring it.
    pub fn is_old(self) -> bool {
        match self {
            Self::PreExisting => true,
            Self::Introduced | Self::Unknown => false,
        }
    }
}

impl Finding {
    /// Orders findings as they are told: what a change brought before what stood there, the worst first, then by place.
    pub fn worst_first(a: &Self, b: &Self) -> Ordering {
        let key = |finding: &Self| (finding.origin.is_old(), finding.severity);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line)))
    }

    /// Says what supports it: `verified, 2 of 3 looks`.
    pub fn support(&self) -> String {
        let basis = match self.basis {
            Basis::Reproduced => "reproduced",
            Basis::Verified => "verified",
            Basis::Agreed => "agreed",
            Basis::Single => "single",
            Basis::Claimed => "claimed",
        };
        match (self.votes, self.looks) {
            (Some(votes), Some(looks)) => format!("{basis}, {votes} of {looks} looks"),
            _ => basis.to_owned(),
        }
    }
}

/// A finding that a second model call refuted, kept with its reason.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Refuted {
    /// What was found.
    pub finding: Finding,
    /// Why it does not hold, in the words of whoever refuted it.
    pub reason: String,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A finding of a change's own at a line of it.
    pub(crate) fn finding(id: &str, severity: Severity, anchor: Anchor) -> Finding {
        Finding {
            id: id.to_owned(),
            severity,
            title: format!("Title of {id}"),
            file: "src/a.py".to_owned(),
            line: 7,
            end_line: None,
            side: Side::New,
            evidence: String::new(),
            risk: String::new(),
            recommendation: String::new(),
            anchor,
            basis: Basis::Single,
            confidence: None,
            votes: None,
            looks: None,
            stands_in_base: None,
            check: None,
            origin: Origin::Introduced,
        }
    }

    /// What a reviewer states of the second line of a file.
    pub(crate) fn claim(file: &str, evidence: &str) -> Claim {
        Claim {
            severity: Severity::High,
            title: format!("about {evidence}"),
            file: file.to_owned(),
            line: 2,
            end_line: None,
            side: Side::New,
            evidence: evidence.to_owned(),
            risk: "it breaks".to_owned(),
            recommendation: "mend it".to_owned(),
            confidence: None,
        }
    }

    #[test]
    fn a_record_that_says_nothing_of_an_origin_claims_none() {
        let mut record = serde_json::to_value(finding("f", Severity::Low, Anchor::Exact)).unwrap();
        record.as_object_mut().unwrap().remove("origin");
        let read: Finding = serde_json::from_value(record).unwrap();
        assert_eq!(read.origin, Origin::Unknown);
    }
}
