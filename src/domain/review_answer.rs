//! The answer of a review, and how it came about.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::baseline::BaselineReport;
use crate::domain::count::counted;
use crate::domain::coverage::Coverage;
use crate::domain::finding::{Finding, Refuted};
use crate::domain::review_plan::Depth;
use crate::domain::suppression::Suppressed;
use crate::domain::tracking::Tracking;
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};

/// What a review looked at, resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Target {
    /// The scope after `auto` was decided; `snippet` for code that the caller gave.
    pub scope: String,
    /// The older side's object id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_oid: Option<String>,
    /// What a branch was compared with, such as `origin/main`; absent where it was a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_name: Option<String>,
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
    /// What was found, worst first; what stood there before the change behind the rest.
    pub findings: Vec<Finding>,
    /// What became of the findings of the review that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Box<Tracking>>,
    /// What was found and is lived with; not part of the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Suppressed>,
    /// What was known and accepted before, where the repository has a baseline; not part of the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Box<BaselineReport>>,
    /// What was shown to the reviewer.
    pub coverage: Coverage,
    /// The reviewer's own summary.
    pub overview: String,
    /// What the reviewer wants to know.
    pub questions: Vec<String>,
    /// What the reviewer took for granted.
    pub assumptions: Vec<String>,
    /// What was found and refuted by a second model call, with the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuted: Vec<Refuted>,
    /// How the change was examined; absent in records of versions that knew one look only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examination: Option<Examination>,
}

/// How a change was examined: the model calls behind a review.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Examination {
    /// How thorough it was meant to be.
    pub depth: Depth,
    /// Parts that the change was split into.
    pub parts: u32,
    /// Model calls that looked at a part.
    pub passes: u32,
    /// Those of them that gave no answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// What became of the findings that somebody tried to refute.
    pub verification: Verification,
}

impl Examination {
    /// Says it in one sentence without a period.
    pub fn spoken(&self) -> String {
        let plural = if self.passes == 1 { "" } else { "es" };
        let mut text = format!("{} review, {} pass{plural}", self.depth.as_str(), self.passes);
        if self.parts > 1 {
            let _ = write!(text, " over {}", counted(self.parts, "part"));
        }
        if self.failed > 0 {
            let _ = write!(text, ", {} of them without an answer", self.failed);
        }
        let tally = &self.verification;
        let counts = format!(
            "{} confirmed ({} reproduced), {} refuted, {} undecided",
            tally.confirmed, tally.reproduced, tally.refuted, tally.undecided
        );
        let verified = match tally.status {
            VerificationStatus::NotAsked => "not verified".to_owned(),
            VerificationStatus::NotNeeded => "nothing to verify".to_owned(),
            VerificationStatus::Completed => format!("verified: {counts}"),
            VerificationStatus::Partial => format!("verified in part: {counts}"),
            VerificationStatus::Failed => "the verification failed".to_owned(),
        };
        let _ = write!(text, "; {verified}");
        text
    }
}

/// What came of trying to refute findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Verification {
    /// Whether it was tried.
    pub status: VerificationStatus,
    /// Findings that it could not refute, the reproduced ones included.
    pub confirmed: u32,
    /// Findings that it made happen.
    pub reproduced: u32,
    /// Findings that it refuted.
    pub refuted: u32,
    /// Findings that it said nothing certain of.
    pub undecided: u32,
}

/// Whether somebody tried to refute the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationStatus {
    /// The depth asks for none.
    #[default]
    NotAsked,
    /// There was nothing to refute.
    NotNeeded,
    /// All of them were looked at.
    Completed,
    /// Some of them were looked at.
    Partial,
    /// It was tried and gave no answer; the findings stand as they were found.
    Failed,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls this with a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// The answer of a review that was shown all of a small change.
    pub(crate) fn answer(findings: Vec<Finding>) -> ReviewAnswer {
        let mut answer: ReviewAnswer = serde_json::from_value(json!({
            "target": {"scope": "working_tree", "base_oid": null, "head_oid": null, "paths": [], "files": 1},
            "verdict": "fail", "confidence": "high", "review_status": "completed", "findings": [],
            "coverage": {"status": "complete", "files": 1, "hunks": {"total": 1, "sent": 1, "omitted": 0},
                "omitted": [], "redaction": {"withheld": [], "masked": [], "count": 0}},
            "overview": "", "questions": [], "assumptions": []}))
        .unwrap();
        answer.findings = findings;
        answer
    }
}
