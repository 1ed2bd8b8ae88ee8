//! A review as it is reported.

use crate::diff::patch::Patch;
use crate::domain::envelope::Meta;
use crate::domain::finding::{Anchor, Finding, Severity};
use crate::domain::job_view::JobView;
use crate::domain::review_answer::ReviewAnswer;

/// Everything that is known of an ended review.
#[derive(Clone, Debug)]
pub struct ReviewReport {
    /// One line: what was examined, the verdict, how much was found.
    pub summary: String,
    /// The job; absent for a review of which nothing could be shown, which starts none.
    pub job: Option<JobView>,
    /// When the job was made, in milliseconds since 1970.
    pub begun_ms: Option<u64>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<u64>,
    /// What the review came to.
    pub answer: ReviewAnswer,
    /// The change that was reviewed, as far as it is kept.
    pub change: Change,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// Facts about the run.
    pub meta: Meta,
}

/// The change as it was sent, values that look like secrets masked.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is kept beside the job.
    Kept(Patch),
    /// It is not there.
    Absent(Absence),
}

/// Why a report has no change to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing of it was sent, so nothing was kept.
    NothingSent,
    /// The job's record has none.
    NotKept,
    /// The record cannot be read.
    Damaged,
}

impl Absence {
    /// Says it in a sentence without a period.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NothingSent => {
                "nothing of the change was sent to the reviewer, so there is no diff to show"
            }
            Self::NotKept => "the job's record does not hold the change, so findings stand without it",
            Self::Damaged => "the change in the job's record cannot be read, so findings stand without it",
        }
    }
}

impl ReviewReport {
    /// Returns the worst severity among findings that point into the change and are not known to have stood there before.
    pub fn worst(&self) -> Option<Severity> {
        let in_change = |finding: &&Finding| finding.anchor != Anchor::OffDiff && !finding.origin.is_old();
        let findings = self.answer.findings.iter().filter(in_change);
        findings.map(|finding| finding.severity).min()
    }

    /// Returns the findings, those of the change before those that stood there, the worst first, in the order of the answer
    /// otherwise.
    pub(super) fn by_severity(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.answer.findings.iter().collect();
        findings.sort_by_key(|finding| (finding.origin.is_old(), finding.severity));
        findings
    }
}
