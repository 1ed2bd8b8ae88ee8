//! Turns what a run left into the job's result.

use crate::diff::anchor::anchor;
use crate::diff::patch::Patch;
use crate::domain::coverage::Coverage;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::{Finding, Refuted};
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::review_answer::{Examination, ReviewAnswer, Target};
use crate::domain::time::spoken;
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};
use crate::prompt::{AnswerError, parse_consult, parse_delegate, parse_review};
use crate::run::control::Stop;
use crate::run::masking::{masked, masked_consult};
use crate::standing::follow::{Followed, follow};
use crate::state::record::{Answer, Expects, Spec};

/// Reads an answer. Places are checked against the change as it was sent, since that is what the reviewer saw.
pub fn read_answer(
    spec: &Spec,
    change: Option<&Patch>,
    text: &str,
) -> Result<(Answer, Vec<String>), AnswerError> {
    match &spec.expects {
        Expects::Consult { kind } => {
            let answer = parse_consult(*kind, text)?;
            Ok((Answer::Consult(masked_consult(answer)), Vec::new()))
        }
        Expects::Review { coverage, .. } => {
            let raw = parse_review(text)?;
            let empty = Patch::default();
            let patch = change.unwrap_or(&empty);
            let mut warnings = Vec::new();
            if raw.malformed > 0 {
                warnings.push(format!(
                    "{} findings were left out because they had no severity, title or file",
                    raw.malformed
                ));
            }
            if raw.surplus > 0 {
                warnings.push(format!(
                    "{} findings beyond the first {} were left out",
                    raw.surplus,
                    limits::FINDINGS
                ));
            }
            let found = Found {
                findings: anchor(patch, &root(spec), raw.claims),
                verdict: raw.verdict,
                confidence: raw.confidence,
                score: raw.score,
                overview: raw.summary,
                questions: raw.questions,
                assumptions: raw.assumptions,
                refuted: Vec::new(),
                examination: None,
                status: ReviewStatus::Completed,
                coverage: coverage.as_ref().clone(),
            };
            let (answer, more) = conclude_review(spec, patch, found);
            warnings.extend(more);
            Ok((answer, warnings))
        }
        Expects::Delegate { .. } => {
            let answer = parse_delegate(text)?;
            Ok((Answer::Delegate(masked(answer)), Vec::new()))
        }
    }
}

/// What was found in a change, by one look or by several, before it is compared with what was known.
#[derive(Debug)]
pub(in crate::run) struct Found {
    /// What was found.
    pub(in crate::run) findings: Vec<Finding>,
    /// The reviewers' own verdict.
    pub(in crate::run) verdict: Verdict,
    /// How sure they are of it.
    pub(in crate::run) confidence: Confidence,
    /// Their mark.
    pub(in crate::run) score: Option<u8>,
    /// Their summary.
    pub(in crate::run) overview: String,
    /// What they want to know.
    pub(in crate::run) questions: Vec<String>,
    /// What they took for granted.
    pub(in crate::run) assumptions: Vec<String>,
    /// What was refuted.
    pub(in crate::run) refuted: Vec<Refuted>,
    /// How the change was examined, where that was planned.
    pub(in crate::run) examination: Option<Examination>,
    /// Whether anybody examined it.
    pub(in crate::run) status: ReviewStatus,
    /// What was examined.
    pub(in crate::run) coverage: Coverage,
}

/// Compares what was found with what was known before, and concludes. Returns the answer and what the caller should know.
pub(in crate::run) fn conclude_review(spec: &Spec, patch: &Patch, found: Found) -> (Answer, Vec<String>) {
    let (target, earlier, standing) = match &spec.expects {
        Expects::Review {
            target,
            earlier,
            standing,
            ..
        } => (target.as_ref().clone(), earlier.as_deref(), standing.as_deref()),
        Expects::Consult { .. } | Expects::Delegate { .. } => (Target::default(), None, None),
    };
    let Followed { settled, since } = follow(
        patch,
        &root(spec),
        earlier,
        standing,
        found.findings,
        &found.refuted,
    );
    let (verdict, confidence) = settled.judge(found.verdict, found.confidence, found.coverage.status);
    let (mut findings, warnings) = (settled.findings, settled.warnings);
    findings.sort_by(Finding::worst_first);
    let answer = ReviewAnswer {
        target,
        score: found.score,
        verdict,
        confidence,
        review_status: found.status,
        findings: findings.into_iter().map(masked::<Finding>).collect(),
        since,
        suppressed: settled.suppressed,
        baseline: settled.baseline,
        coverage: found.coverage,
        overview: found.overview,
        questions: found.questions,
        assumptions: found.assumptions,
        refuted: found.refuted,
        examination: found.examination,
    };
    (Answer::Review(Box::new(masked(answer))), warnings)
}

/// The top level of what is reviewed, as text.
pub(in crate::run) fn root(spec: &Spec) -> String {
    let root = spec.repo_root.as_deref().unwrap_or(&spec.workspace);
    root.to_string_lossy().into_owned()
}

/// Says how a run that was ended is told.
pub fn stopped(peer: Peer, stop: Stop, timeout_ms: u64) -> (JobState, Fault) {
    match stop {
        Stop::Deadline => (
            JobState::TimedOut,
            Fault::new(
                FaultCode::TimedOut,
                format!("the run was ended at its deadline of {}", spoken(timeout_ms)),
            ),
        ),
        Stop::Cancelled => (
            JobState::Cancelled,
            Fault::new(FaultCode::Cancelled, "the run was cancelled"),
        ),
        Stop::WorkerSignal => (
            JobState::Cancelled,
            Fault::new(
                FaultCode::Cancelled,
                "the run's worker was told to end by a signal",
            ),
        ),
        Stop::Budget => (
            JobState::Failed,
            Fault::new(
                FaultCode::BudgetExceeded,
                "the run used more tokens than its budget and was ended",
            ),
        ),
        Stop::OutputLimit => (
            JobState::Failed,
            Fault::new(
                FaultCode::PeerFailed,
                format!("{peer} printed more than is read and was ended"),
            ),
        ),
        Stop::NoNetwork => (
            JobState::Failed,
            Fault::new(
                FaultCode::PeerNetwork,
                "the connection to the model's service broke and did not come back",
            ),
        ),
        Stop::DirectoryGone => (
            JobState::Cancelled,
            Fault::new(
                FaultCode::Cancelled,
                "the job's directory was deleted while it ran",
            ),
        ),
        Stop::ClosedOutput => (
            JobState::Failed,
            Fault::new(
                FaultCode::PeerFailed,
                format!("{peer} closed its output without completing a turn, lived on and was ended"),
            ),
        ),
    }
}
