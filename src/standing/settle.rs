//! Takes out of a review's findings what was decided about before: suppressions first, then the baseline.
//!
//! Nothing of the change itself is believed. What the job was told is from the base of the change, and a comment counts only
//! where its line stands on both sides: else a change could silence its own review.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::patch::{Content, LineKind, Patch};
use crate::diff::text::shown_path;
use crate::domain::baseline::BaselineReport;
use crate::domain::coverage::CoverageStatus;
use crate::domain::finding::{Anchor, Finding, Side};
use crate::domain::standing::Standing;
use crate::domain::suppression::{Suppressed, SuppressedBy};
use crate::domain::tracking::Tracking;
use crate::domain::verdict::{Confidence, Verdict, conclude};
use crate::standing::inline::{self, Allowance};
use crate::standing::suppressions::{Lapsed, holds};

/// Sentences about comments that are told one by one; more say nothing new.
const TOLD: usize = 5;

/// What is left of the findings, and what became of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// Those that count.
    pub findings: Vec<Finding>,
    /// Those that are lived with.
    pub suppressed: Vec<Suppressed>,
    /// Those that were known; absent where there is no baseline.
    pub baseline: Option<Box<BaselineReport>>,
    /// What the reader should know: comments that do not hold, and why.
    pub warnings: Vec<String>,
}

impl Settled {
    /// Derives the verdict of what is left.
    ///
    /// Where everything that was found is set aside, the reviewer's own word was about that, and counts no more; how sure the
    /// rest is nobody said then.
    pub fn judge(
        &self,
        said: Verdict,
        confidence: Confidence,
        coverage: CoverageStatus,
    ) -> (Verdict, Confidence) {
        let known = self.baseline.as_ref().map_or(0, |report| report.known.len());
        let is_all_aside = self.findings.is_empty() && self.suppressed.len() + known > 0;
        if is_all_aside && said != Verdict::Pass {
            return conclude(Verdict::Pass, Confidence::Low, &self.findings, coverage);
        }
        conclude(said, confidence, &self.findings, coverage)
    }
}

/// Settles the findings of a review. Each of them is in exactly one list. `patch` is the change as it was kept.
pub fn settle(
    patch: &Patch,
    standing: &Standing,
    findings: Vec<Finding>,
    tracking: Option<&mut Tracking>,
) -> Settled {
    let mut settled = Settled {
        baseline: standing.baseline.is_some().then(Box::default),
        ..Settled::default()
    };
    let mut comments = Comments::default();
    for finding in findings {
        let by_file = standing.suppressions.iter().find(|entry| entry.fits(&finding));
        if let Some(entry) = by_file {
            settled.suppressed.push(Suppressed {
                finding,
                by: SuppressedBy::File,
                reason: entry.reason.clone(),
                expires: entry.expires,
            });
        } else if let Some(allowance) = comments.of(patch, &finding, standing, &mut settled.warnings) {
            settled.suppressed.push(Suppressed {
                finding,
                by: SuppressedBy::Inline,
                reason: allowance.reason,
                expires: allowance.until,
            });
        } else if let Some(report) = settled.baseline.as_mut()
            && standing
                .baseline
                .iter()
                .flatten()
                .any(|accepted| accepted.fits(&finding))
        {
            report.known.push(finding);
        } else {
            settled.findings.push(finding);
        }
    }
    if let Some(report) = settled.baseline.as_mut() {
        report.gone = gone(patch, standing);
    }
    if let Some(tracking) = tracking {
        let kept: BTreeSet<&str> = settled
            .findings
            .iter()
            .map(|finding| finding.id.as_str())
            .collect();
        tracking.open.retain(|id| kept.contains(id.as_str()));
        tracking.new.retain(|id| kept.contains(id.as_str()));
    }
    if settled.warnings.len() > TOLD {
        let more = settled.warnings.len() - TOLD;
        settled.warnings.truncate(TOLD);
        settled
            .warnings
            .push(format!("{more} more comments that allow a finding do not hold"));
    }
    settled
}

/// A line of the new side.
struct Line {
    number: u32,
    kind: LineKind,
    text: String,
}

/// The lines of files that hold the comment, read when they are asked for first.
#[derive(Default)]
struct Comments(BTreeMap<String, Vec<Line>>);

impl Comments {
    /// Finds the comment that allows a finding, on its lines or on the one above.
    fn of(
        &mut self,
        patch: &Patch,
        finding: &Finding,
        standing: &Standing,
        warnings: &mut Vec<String>,
    ) -> Option<Allowance> {
        if finding.side == Side::Old || finding.line == 0 || finding.anchor == Anchor::OffDiff {
            return None;
        }
        let lines = self
            .0
            .entry(finding.file.clone())
            .or_insert_with(|| commented(patch, &finding.file));
        let last = finding.end_line.unwrap_or(finding.line).max(finding.line);
        let near = finding.line.saturating_sub(1)..=last;
        let mut told = |line: &Line, why: &str| {
            let said = format!(
                "the comment at {}:{} allows nothing: {why}",
                finding.file, line.number
            );
            if !warnings.contains(&said) {
                warnings.push(said);
            }
        };
        for line in lines.iter().filter(|line| near.contains(&line.number)) {
            let allowance = match inline::read(&line.text) {
                Some(Ok(allowance)) => allowance,
                Some(Err(why)) => {
                    told(line, why);
                    continue;
                }
                None => continue,
            };
            if !allowance.fits(finding) {
                continue;
            }
            if line.kind != LineKind::Context {
                told(
                    line,
                    "this change adds it, and it is not in force until it is in the base",
                );
                continue;
            }
            match holds(allowance.until, standing.today) {
                Ok(()) => return Some(allowance),
                Err(Lapsed::Expired) => told(line, "it has expired"),
                Err(Lapsed::TooFar) => told(line, "its date is more than a year away"),
            }
        }
        None
    }
}

/// The lines of a file's new side that hold such a comment, whoever wrote them.
fn commented(change: &Patch, path: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for file in change
        .files
        .iter()
        .filter(|file| shown_path(&file.new_path) == path)
    {
        let Content::Text(hunks) = &file.content else {
            continue;
        };
        for hunk in hunks {
            let mut number = hunk.new_start;
            for line in hunk.lines.iter().filter(|line| line.kind != LineKind::Removed) {
                let text = String::from_utf8_lossy(&line.text);
                if inline::read(&text).is_some() {
                    lines.push(Line {
                        number,
                        kind: line.kind,
                        text: text.into_owned(),
                    });
                }
                number = number.saturating_add(1);
            }
        }
    }
    lines
}

/// The ids of accepted findings whose quoted code the change takes away and leaves nowhere in their file's hunks.
fn gone(patch: &Patch, standing: &Standing) -> Vec<String> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut sides: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for file in &patch.files {
        let Content::Text(hunks) = &file.content else {
            continue;
        };
        let (removed, left) = sides.entry(shown_path(&file.old_path)).or_default();
        for line in hunks.iter().flat_map(|hunk| &hunk.lines) {
            let text = words(&String::from_utf8_lossy(&line.text));
            match line.kind {
                LineKind::Removed => removed.insert(text),
                LineKind::Context | LineKind::Added => left.insert(text),
            };
        }
    }
    let accepted = standing.baseline.iter().flatten();
    let is_gone = |file: &str, evidence: &str| {
        let quoted: Vec<String> = evidence
            .lines()
            .map(words)
            .filter(|line| !line.is_empty())
            .collect();
        sides.get(file).is_some_and(|(removed, left)| {
            !quoted.is_empty()
                && quoted
                    .iter()
                    .all(|line| removed.contains(line) && !left.contains(line))
        })
    };
    accepted
        .filter(|accepted| is_gone(&accepted.file, &accepted.evidence))
        .map(|accepted| accepted.id.clone())
        .collect()
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
