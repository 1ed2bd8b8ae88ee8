//! Findings of a repository that were accepted as they stand, so that only what is new is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::finding::{Finding, Severity};
use crate::domain::fingerprint::sha256_hex;

/// One accepted finding. It is known again by its id, or by its file with its quoted code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Its id when it was accepted.
    pub id: String,
    /// How bad it was. A finding that has become worse is not this one.
    pub severity: Severity,
    /// Its file, from the repository's root.
    pub file: String,
    /// Its title then, for whoever reads the file.
    pub title: String,
    /// The code that was quoted.
    pub evidence: String,
}

/// What a review knew already.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct BaselineReport {
    /// Findings that are in the baseline. They do not count for the verdict.
    pub known: Vec<Finding>,
    /// Ids in the baseline whose quoted code this change takes away: they can be taken out of the file.
    pub gone: Vec<String>,
}

impl Accepted {
    /// Returns a hash of what it decides.
    pub fn digest(&self) -> String {
        let severity = self.severity.as_str();
        let text = format!(
            "accepted\0{}\0{severity}\0{}\0{}",
            self.id, self.file, self.evidence
        );
        sha256_hex(text.as_bytes())
    }

    /// Tells whether a finding is this one, and no worse than it was.
    pub fn fits(&self, finding: &Finding) -> bool {
        let is_same_code = || {
            let (one, other) = (words(&self.evidence), words(&finding.evidence));
            !one.is_empty() && one == other && self.file == finding.file
        };
        finding.severity >= self.severity && (self.id == finding.id || is_same_code())
    }
}

impl From<&Finding> for Accepted {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            severity: finding.severity,
            file: finding.file.clone(),
            title: finding.title.clone(),
            evidence: finding.evidence.clone(),
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}
