//! The way of a planned review: looks, what they come to, the check of it, and the conclusion.

use std::collections::BTreeSet;

use crate::diff::patch::Patch;
use crate::diff::text::shown_path;
use crate::domain::coverage::Coverage;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Severity;
use crate::domain::job::JobState;
use crate::domain::pass::{Pass, Purpose};
use crate::domain::review_answer::{Examination, Verification};
use crate::domain::review_plan::ReviewPlan;
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};
use crate::prompt::{RawReview, parse_review};
use crate::run::attempt::Attempt;
use crate::run::conclude::{self, Found};
use crate::run::control::Stop;
use crate::run::remains::Remains;
use crate::run::review::check::Checked;
use crate::run::review::combine::{Look, combine};
use crate::run::review::early::partial_review;
use crate::run::review::gather::{Left, Told};
use crate::run::review::pass::{Failure, Task};
use crate::run::review::side_by_side::{Work, run_all};
use crate::state::passes;
use crate::state::record::{Answer, Expects};
use crate::sys::seam;

/// Failed passes that are told one by one.
const FAILURES_TOLD: usize = 5;

/// What the looks came to.
struct Looked {
    looks: Vec<Look>,
    /// Passes that answered without a word about the change.
    silent: u32,
    failures: Vec<(Pass, Failure)>,
    not_begun: u32,
}

impl Attempt<'_> {
    /// Does a review as it was planned.
    pub(in crate::run) async fn review(
        &self,
        plan: &ReviewPlan,
        remains: &mut Remains,
    ) -> Result<Answer, Failure> {
        let failed = |fault: Fault| (JobState::Failed, fault);
        let Expects::Review { target, coverage, .. } = &self.spec.expects else {
            return Err(failed(Fault::new(FaultCode::Internal, "the job is no review")));
        };
        passes::prepare(self.directory).map_err(|error| failed(error.into()))?;
        let patch = self.read_change().map_err(|error| failed(error.into()))?;
        let patch = patch.unwrap_or_default();
        let mut left = Left::default();
        let looked = self.look(plan, &mut left).await;
        seam::point("review.looked");
        if let Some(failure) = self.without_answer(&looked) {
            left.give_to(self.directory, Told::Always, remains);
            remains.partial_review = partial_review(self.directory, self.spec);
            return Err(failure);
        }
        tell_failures(plan, &looked, &mut remains.warnings);
        let mut coverage = coverage.as_ref().clone();
        reduce(&mut coverage, plan, &patch, &looked.looks);
        let status = if looked.looks.is_empty() {
            ReviewStatus::NotRun
        } else {
            ReviewStatus::Completed
        };
        let failed = count(looked.failures.len()) + looked.silent + looked.not_begun;
        let rests_on_findings = looked
            .looks
            .iter()
            .filter(|look| look.raw.verdict != Verdict::Pass)
            .all(|look| !look.raw.claims.is_empty());
        let combined = combine(plan, &patch, &conclude::root(self.spec), looked.looks);
        remains.warnings.extend(combined.warnings);
        let mut checked = if plan.depth.verifies() {
            self.doubt(combined.findings, target, &patch, plan, &mut left)
                .await
        } else {
            Checked {
                findings: combined.findings,
                ..Checked::default()
            }
        };
        seam::point("review.checked");
        remains.warnings.append(&mut checked.warnings);
        let (mut verdict, mut confidence) = (combined.verdict, combined.confidence);
        let is_clean = checked
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Nit);
        if is_clean && !checked.refuted.is_empty() && rests_on_findings {
            // The reviewers' word rested on what was refuted; nobody's word rests on nothing, so it is not sure either.
            verdict = Verdict::Pass;
            confidence = confidence.min(Confidence::Medium);
        }
        left.give_to(self.directory, Told::IfShort, remains);
        let found = Found {
            findings: checked.findings,
            verdict,
            confidence,
            score: combined.score,
            overview: combined.overview,
            questions: combined.questions,
            assumptions: combined.assumptions,
            refuted: checked.refuted,
            examination: Some(examination(plan, failed, checked.verification)),
            status,
            coverage,
        };
        let (answer, warnings) = conclude::conclude_review(self.spec, &patch, found);
        remains.warnings.extend(warnings);
        Ok(answer)
    }

    /// Lets every look at every part run. The first look at all parts comes before the second at any: what ends early has
    /// seen as much of the change as it could.
    async fn look(&self, plan: &ReviewPlan, left: &mut Left) -> Looked {
        let parts = count(plan.parts.len());
        let each = (1..=plan.depth.looks()).flat_map(|look| (1..=parts).map(move |part| (look, part)));
        let work: Vec<Work<'_, _>> = (1_u32..)
            .zip(each)
            .map(|(number, (look, part))| {
                let task = Task {
                    number,
                    purpose: Purpose::Look { part, look },
                    prompt: self.directory.part_prompt_path(part as usize),
                    schema: self.directory.schema_path(),
                    sharers: sharers(plan),
                    read: &parse_review,
                };
                let work: Work<'_, _> = Box::pin(self.pass(task));
                work
            })
            .collect();
        let mut looked = Looked {
            looks: Vec::new(),
            silent: 0,
            failures: Vec::new(),
            not_begun: 0,
        };
        for ended in run_all(self, work).await {
            let Some(ended) = ended else {
                looked.not_begun += 1;
                continue;
            };
            let (pass, outcome): (Pass, Result<RawReview, Failure>) = left.take(ended);
            match (outcome, pass.purpose) {
                (Ok(raw), Purpose::Look { part, look }) => {
                    let nth = look;
                    let look = Look { part, nth, raw };
                    if look.says_something() {
                        looked.looks.push(look);
                    } else {
                        looked.silent += 1;
                    }
                }
                (Ok(_), Purpose::Verify { .. }) => {}
                (Err(failure), _) => looked.failures.push((pass, failure)),
            }
        }
        looked
    }

    /// Returns why the job has no answer, if that is so: somebody ended it before all looks were done, or none of them gave
    /// one. What ended a part of them only, as a deadline does, costs the parts that were not examined and no more.
    fn without_answer(&self, looked: &Looked) -> Option<Failure> {
        let cancelled = looked
            .failures
            .iter()
            .find(|(_, (state, _))| *state == JobState::Cancelled);
        if let Some((_, failure)) = cancelled {
            return Some(failure.clone());
        }
        let stopped = |stop| conclude::stopped(self.spec.peer.name, stop, self.spec.timeout_ms);
        if looked.not_begun > 0 && self.is_to_end() {
            return Some(stopped(if self.ended.is_cancelled() {
                Stop::WorkerSignal
            } else {
                Stop::Cancelled
            }));
        }
        if !looked.looks.is_empty() {
            return None;
        }
        match looked.failures.first() {
            Some((_, failure)) => Some(failure.clone()),
            None if looked.silent > 0 => None,
            None => Some(stopped(Stop::Deadline)),
        }
    }
}

/// Counts what nobody examined as left out. Of a hunk that was cut into pieces all must have been examined.
pub(super) fn reduce(coverage: &mut Coverage, plan: &ReviewPlan, patch: &Patch, looks: &[Look]) {
    let is_examined = |index: usize| looks.iter().any(|look| look.part as usize == index + 1);
    let unseen = plan
        .hunks_of(&|_| true)
        .saturating_sub(plan.hunks_of(&is_examined));
    let mut paths = BTreeSet::new();
    for (index, part) in plan.parts.iter().enumerate() {
        if is_examined(index) {
            continue;
        }
        let files = part
            .slices
            .iter()
            .filter_map(|slice| patch.files.get(slice.file as usize));
        paths.extend(files.map(|file| shown_path(&file.new_path)));
    }
    coverage.without(unseen, paths);
}

fn tell_failures(plan: &ReviewPlan, looked: &Looked, warnings: &mut Vec<String>) {
    let all = plan.passes();
    if !looked.failures.is_empty() {
        let told: Vec<String> = looked
            .failures
            .iter()
            .take(FAILURES_TOLD)
            .map(|(pass, (_, fault))| format!("{}: {}", pass.purpose.spoken(), fault.message))
            .collect();
        let failed = looked.failures.len();
        let more = failed.saturating_sub(FAILURES_TOLD);
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        warnings.push(format!(
            "{failed} of {all} passes gave no answer ({}{more})",
            told.join("; ")
        ));
    }
    if looked.not_begun > 0 {
        warnings.push(format!(
            "{} of {all} passes were not begun: there were no tokens or no time left",
            looked.not_begun
        ));
    }
    if looked.silent > 0 {
        warnings.push(format!(
            "{} of {all} passes said nothing that shows that the change was read; they count as not made",
            looked.silent
        ));
    }
}

pub(super) fn examination(plan: &ReviewPlan, failed: u32, verification: Verification) -> Examination {
    Examination {
        depth: plan.depth,
        parts: count(plan.parts.len()),
        passes: plan.passes(),
        failed,
        verification,
    }
}

/// Counts the shares of what a review may cost: one for each look, and one for all calls of the check together.
pub(super) fn sharers(plan: &ReviewPlan) -> u32 {
    plan.passes().saturating_add(u32::from(plan.depth.verifies()))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::added_file;
    use crate::domain::coverage::{CoverageStatus, RedactionReport};
    use crate::domain::review_plan::{Depth, PartPlan, Slice};

    /// A plan of one hunk in two pieces and one whole hunk, and the coverage of all of it.
    fn planned() -> (ReviewPlan, Coverage) {
        let slice = |file, first, continues| Slice {
            file,
            first,
            hunks: 1,
            continues,
        };
        let part = |slices: Vec<Slice>| PartPlan {
            slices,
            prompt_bytes: 1,
            prompt_sha256: String::new(),
        };
        let plan = ReviewPlan {
            depth: Depth::Quick,
            parts: vec![
                part(vec![slice(0, 0, false), slice(1, 0, false)]),
                part(vec![slice(1, 1, true)]),
            ],
            hash: String::new(),
            language: None,
        };
        (
            plan,
            Coverage::count(2, 2, 0, Vec::new(), RedactionReport::default()),
        )
    }

    fn look(part: u32) -> Look {
        let raw = RawReview {
            summary: "Looked at.".to_owned(),
            verdict: Verdict::Pass,
            confidence: Confidence::High,
            score: None,
            claims: Vec::new(),
            malformed: 0,
            surplus: 0,
            questions: Vec::new(),
            assumptions: Vec::new(),
        };
        Look { part, nth: 1, raw }
    }

    #[test]
    fn the_rest_of_a_hunk_that_nobody_examined_makes_a_review_partial() {
        let patch = Patch {
            files: ["a.rs", "b.rs"]
                .iter()
                .map(|path| added_file(path.as_bytes(), 0o100_644, b"x\n"))
                .collect(),
        };
        let check = |answered: &[u32], sent: u32, status: CoverageStatus, omitted: &[&str]| {
            let (plan, mut coverage) = planned();
            let looks: Vec<Look> = answered.iter().map(|part| look(*part)).collect();
            reduce(&mut coverage, &plan, &patch, &looks);
            assert_eq!(
                (coverage.hunks.sent, coverage.status),
                (sent, status),
                "{answered:?}"
            );
            assert_eq!(coverage.hunks.total, 2);
            let paths: Vec<&str> = coverage.omitted.iter().map(|left| left.path.as_str()).collect();
            assert_eq!(paths, omitted, "{answered:?}");
        };
        check(&[1, 2], 2, CoverageStatus::Complete, &[]);
        check(&[1], 1, CoverageStatus::Partial, &["b.rs"]);
        check(&[2], 0, CoverageStatus::None, &["a.rs", "b.rs"]);
    }
}
