//! What a review had found that ended before its time: the answers of its passes that are kept, merged.
//!
//! It is made of the records alone, so that whoever finds a killed review and a worker that is told to end say the same. It
//! never passes a change: somebody was still to look, or to doubt.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::patch::Patch;
use crate::diff::sent::SentPatch;
use crate::domain::limits;
use crate::domain::pass::Purpose;
use crate::domain::review_answer::{ReviewAnswer, Verification, VerificationStatus};
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};
use crate::prompt::{Ruling, parse_review, parse_verify};
use crate::run::conclude::{self, Found};
use crate::run::review::check::apply;
use crate::run::review::combine::{Look, combine};
use crate::run::review::flow::{examination, reduce};
use crate::state::directory::JobDirectory;
use crate::state::passes;
use crate::state::record::{Answer, Expects, Spec};
use crate::sys::files;

/// Merges what the kept passes of a review say; `None` where none of them says anything that can be read.
pub(super) fn partial_review(directory: &JobDirectory, spec: &Spec) -> Option<Box<ReviewAnswer>> {
    let Expects::Review {
        coverage,
        plan: Some(plan),
        ..
    } = &spec.expects
    else {
        return None;
    };
    let mut looks = Vec::new();
    let mut checks = Vec::new();
    for record in passes::each(directory) {
        let Some(text) = record.text else { continue };
        match record.pass.purpose {
            Purpose::Look { part, look } => {
                let read = parse_review(&text).ok();
                let look = read.map(|raw| Look { part, nth: look, raw });
                looks.extend(look.filter(Look::says_something));
            }
            Purpose::Verify { .. } => checks.push(text),
        }
    }
    if looks.is_empty() {
        return None;
    }
    let patch = change(directory);
    let missing = plan
        .passes()
        .saturating_sub(u32::try_from(looks.len()).unwrap_or(u32::MAX));
    let mut coverage = coverage.as_ref().clone();
    reduce(&mut coverage, plan, &patch, &looks);
    let combined = combine(plan, &patch, &conclude::root(spec), looks);
    let ids: BTreeSet<String> = combined
        .findings
        .iter()
        .map(|finding| finding.id.clone())
        .collect();
    // Which commands a check ran is not in its record, so nothing is called reproduced here.
    let rulings: BTreeMap<String, (Ruling, bool)> = checks
        .iter()
        .filter_map(|text| parse_verify(text, &ids).ok())
        .flat_map(|said| said.by_id)
        .map(|(id, ruling)| (id, (ruling, false)))
        .collect();
    let status = match (rulings.is_empty(), plan.depth.verifies()) {
        (false, _) => VerificationStatus::Partial,
        (true, true) => VerificationStatus::Failed,
        (true, false) => VerificationStatus::NotAsked,
    };
    let checked = apply(combined.findings, &rulings);
    let found = Found {
        findings: checked.findings,
        verdict: combined.verdict,
        confidence: Confidence::Low,
        score: None,
        overview: combined.overview,
        questions: combined.questions,
        assumptions: combined.assumptions,
        refuted: checked.refuted,
        examination: Some(examination(
            plan,
            missing,
            Verification {
                status,
                ..checked.verification
            },
        )),
        status: ReviewStatus::Completed,
        coverage,
    };
    let (Answer::Review(mut answer), _) = conclude::conclude_review(spec, &patch, found) else {
        return None;
    };
    if answer.verdict == Verdict::Pass {
        answer.verdict = Verdict::Unknown;
    }
    answer.confidence = Confidence::Low;
    Some(answer)
}

/// Reads the change that the passes were shown. Without it nothing has a place, and what was found is told all the same.
fn change(directory: &JobDirectory) -> Patch {
    let bytes = files::read_bounded(&directory.change_path(), limits::CHANGE_BYTES).ok();
    let sent = bytes.and_then(|bytes| serde_json::from_slice::<SentPatch>(&bytes).ok());
    sent.map(Patch::from).unwrap_or_default()
}
