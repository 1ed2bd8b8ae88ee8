//! What became of the findings of an earlier review.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::finding::{Finding, Severity, Side};

/// An earlier review, as the one that follows it needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierReview {
    /// Its job.
    pub job: String,
    /// What it found, and what it still knew of the reviews before it.
    pub findings: Vec<Known>,
    /// Its findings whole, those that were set aside too: what nobody is shown again is told again from here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Finding>,
    /// The ids of those whose lines the change had added to a file that the same change has no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<String>,
}

/// A finding of an earlier review.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Known {
    /// Its id there.
    pub id: String,
    /// How bad it was.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Path relative to the repository root, at that time.
    pub file: String,
    /// 1-based line on `side`, at that time; 0 when it had none.
    pub line: u32,
    /// The side the line counted on.
    pub side: Side,
    /// The code that was quoted.
    pub evidence: String,
}

/// A finding of an earlier review that does not hold, and why.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct RefutedAgain {
    /// What it was.
    #[serde(flatten)]
    pub known: Known,
    /// Why it does not hold, in the words of whoever refuted it.
    pub reason: String,
}

/// What became of each finding of an earlier review of the same work. Every one of them is in exactly one list besides `new`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Tracking {
    /// The job of the earlier review.
    pub job: String,
    /// The quoted code no longer stands in the file, and nobody reported it again; also where the file is as it was before the
    /// change that had brought it.
    pub fixed: Vec<Known>,
    /// The ids of the findings that were reported again.
    pub open: Vec<String>,
    /// The ids of the findings that were not known.
    pub new: Vec<String>,
    /// Found again and refuted by the second model call: the code still stands there, and it is right.
    #[serde(default)]
    pub refuted: Vec<RefutedAgain>,
    /// Not reported again although the quoted code still stands there: mended elsewhere, withdrawn, or overlooked.
    pub unmentioned: Vec<Known>,
    /// The file is no longer part of what was shown, so nothing can be said of it.
    pub gone: Vec<Known>,
}

impl EarlierReview {
    /// Takes what is still to be followed: what was found, and what the review before it had left open without a word.
    pub fn of(job: String, findings: &[Finding], tracking: Option<&Tracking>) -> Self {
        let left = tracking.map_or(&[][..], |tracking| &tracking.unmentioned);
        let found = findings.iter().map(Known::from);
        Self {
            job,
            findings: found.chain(left.iter().cloned()).collect(),
            carried: Vec::new(),
            undone: Vec::new(),
        }
    }

    /// As it is, with findings to carry on where their code is not shown again.
    #[must_use]
    pub fn carrying(self, carried: Vec<Finding>) -> Self {
        Self { carried, ..self }
    }
}

impl From<&Finding> for Known {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            severity: finding.severity,
            title: finding.title.clone(),
            file: finding.file.clone(),
            line: finding.line,
            side: finding.side,
            evidence: finding.evidence.clone(),
        }
    }
}

impl Tracking {
    /// Says it in a line: `1 fixed, 2 still open, 1 new`.
    pub fn spoken(&self) -> String {
        let counts = [
            (self.fixed.len(), "fixed"),
            (self.open.len(), "still open"),
            (self.new.len(), "new"),
            (self.refuted.len(), "refuted"),
            (self.unmentioned.len(), "not mentioned again"),
            (self.gone.len(), "no longer in the change"),
        ];
        let said: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if said.is_empty() {
            "nothing was open".to_owned()
        } else {
            said.join(", ")
        }
    }
}
