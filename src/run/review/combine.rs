//! Makes one review of what several looks at several parts said. Pure: it reads answers, and knows nothing of runs.

use std::collections::BTreeSet;

use crate::diff::anchor::{locate, name_all};
use crate::diff::merge::{Sighting, merge};
use crate::diff::patch::Patch;
use crate::diff::text::shown_path;
use crate::domain::finding::{Anchor, Basis, Finding};
use crate::domain::limits;
use crate::domain::review_plan::ReviewPlan;
use crate::domain::verdict::{Confidence, Verdict};
use crate::prompt::RawReview;

/// Questions, or things taken for granted, kept of all looks together.
const TEXTS: usize = 50;

/// What one look at one part said.
#[derive(Debug)]
pub struct Look {
    /// The part, counted from 1.
    pub part: u32,
    /// The look, counted from 1.
    pub nth: u32,
    /// Its answer.
    pub raw: RawReview,
}

impl Look {
    /// Tells whether it says anything at all. An answer of empty words was given without reading.
    pub fn says_something(&self) -> bool {
        let raw = &self.raw;
        let is_text = |text: &String| !text.trim().is_empty();
        is_text(&raw.summary)
            || !raw.claims.is_empty()
            || raw.score.is_some()
            || raw.questions.iter().chain(&raw.assumptions).any(is_text)
    }
}

/// What all looks come to.
#[derive(Debug)]
pub struct Combined {
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// The verdict of the reviewers.
    pub verdict: Verdict,
    /// How sure they are.
    pub confidence: Confidence,
    /// Their mark.
    pub score: Option<u8>,
    /// Their summaries.
    pub overview: String,
    /// What they want to know.
    pub questions: Vec<String>,
    /// What they took for granted.
    pub assumptions: Vec<String>,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// Combines them. Of the looks at one part the middle one counts, the worse of two, as for a finding's severity; of the
/// parts the worst, since a change is as good as its worst part.
pub fn combine(plan: &ReviewPlan, patch: &Patch, root: &str, looks: Vec<Look>) -> Combined {
    let parts: BTreeSet<u32> = looks.iter().map(|look| look.part).collect();
    let of_part = |part: u32| looks.iter().filter(move |look| look.part == part);
    let verdict = parts
        .iter()
        .map(|part| middle(of_part(*part).map(|look| badness(look.raw.verdict)).collect()))
        .max()
        .map_or(Verdict::Unknown, verdict_of);
    let confidence = parts
        .iter()
        .map(|part| middle_first(of_part(*part).map(|look| look.raw.confidence).collect()))
        .min()
        .flatten()
        .unwrap_or(Confidence::Low);
    let score = parts
        .iter()
        .filter_map(|part| middle_first(of_part(*part).filter_map(|look| look.raw.score).collect()))
        .min();
    let overview = overview(plan, &looks);
    let questions = texts(looks.iter().flat_map(|look| &look.raw.questions));
    let assumptions = texts(looks.iter().flat_map(|look| &look.raw.assumptions));
    let warnings = left_out(&looks);
    let findings = findings(plan, patch, root, looks);
    Combined {
        findings,
        verdict,
        confidence,
        score,
        overview,
        questions,
        assumptions,
        warnings,
    }
}

fn findings(plan: &ReviewPlan, patch: &Patch, root: &str, looks: Vec<Look>) -> Vec<Finding> {
    let seen: Vec<(u32, u32)> = looks.iter().map(|look| (look.part, look.nth)).collect();
    let mut sightings = Vec::new();
    for look in looks {
        let located = locate(patch, root, look.raw.claims);
        sightings.extend(located.into_iter().map(|located| Sighting {
            located,
            looks: [look.nth].into(),
        }));
    }
    let merged = merge(sightings);
    let votes: Vec<u32> = merged.iter().map(|one| count(one.looks.len())).collect();
    let named = name_all(merged.into_iter().map(|one| one.located).collect());
    let is_voted = plan.depth.looks() > 1;
    let named = named.into_iter().zip(votes).map(|(mut finding, votes)| {
        if is_voted {
            finding.votes = Some(votes);
            finding.looks = Some(looks_at(plan, patch, &finding, &seen).max(votes));
            if votes >= 2 && finding.anchor != Anchor::OffDiff {
                finding.basis = Basis::Agreed;
            }
        }
        finding
    });
    named.collect()
}

/// Counts the looks that examined the part in which a finding stands; of one that stands nowhere, the most that examined
/// any part.
fn looks_at(plan: &ReviewPlan, patch: &Patch, finding: &Finding, seen: &[(u32, u32)]) -> u32 {
    let examined = |part: u32| count(seen.iter().filter(|(other, _)| *other == part).count());
    let shows = |slice: &crate::domain::review_plan::Slice| {
        let file = patch.files.get(slice.file as usize);
        file.is_some_and(|file| shown_path(&file.new_path) == finding.file)
    };
    let parts = plan.parts.iter().zip(1..);
    let there = parts.filter(|(part, _)| part.slices.iter().any(shows));
    let there = there.map(|(_, number)| examined(number)).max();
    there.unwrap_or_else(|| seen.iter().map(|(part, _)| examined(*part)).max().unwrap_or(0))
}

/// The summary of one look at each part: of the first whose verdict is that of the part.
fn overview(plan: &ReviewPlan, looks: &[Look]) -> String {
    let mut texts = Vec::new();
    for (number, _) in (1_u32..).zip(&plan.parts) {
        let of_part = || looks.iter().filter(|look| look.part == number);
        let common = middle(of_part().map(|look| badness(look.raw.verdict)).collect());
        let chosen = of_part()
            .find(|look| badness(look.raw.verdict) == common)
            .or_else(|| of_part().next());
        let Some(summary) = chosen.map(|look| look.raw.summary.trim()) else {
            continue;
        };
        if plan.parts.len() == 1 {
            return summary.to_owned();
        }
        if !summary.is_empty() {
            texts.push(format!("Part {number} of {}: {summary}", plan.parts.len()));
        }
    }
    texts.join("\n")
}

fn left_out(looks: &[Look]) -> Vec<String> {
    let mut warnings = Vec::new();
    let malformed: u32 = looks.iter().map(|look| look.raw.malformed).sum();
    if malformed > 0 {
        warnings.push(format!(
            "{malformed} findings were left out because they had no severity, title or file"
        ));
    }
    let surplus: u32 = looks.iter().map(|look| look.raw.surplus).sum();
    if surplus > 0 {
        warnings.push(format!(
            "{surplus} findings beyond the first {} of an answer were left out",
            limits::FINDINGS
        ));
    }
    warnings
}

fn texts<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let new = all.filter(|text| seen.insert(text.to_lowercase()));
    new.take(TEXTS).cloned().collect()
}

fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Unknown => 1,
        Verdict::Concerns => 2,
        Verdict::Fail => 3,
    }
}

fn verdict_of(badness: u8) -> Verdict {
    match badness {
        0 => Verdict::Pass,
        2 => Verdict::Concerns,
        3 => Verdict::Fail,
        _ => Verdict::Unknown,
    }
}

/// Returns the middle one, the greater of two; 0 of none.
fn middle(mut values: Vec<u8>) -> u8 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns the middle one, the smaller of two.
fn middle_first<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::parse::parse_patch;
    use crate::domain::finding::{Claim, Severity, Side};
    use crate::domain::review_plan::{Depth, PartPlan, Slice};

    const PATCH: &str = "\
diff --git a/a.rs b/a.rs
--- a/a.rs
+++ b/a.rs
@@ -1,1 +1,3 @@
 first
+let sum = a - b;
+let part = a / b;
diff --git a/b.rs b/b.rs
--- a/b.rs
+++ b/b.rs
@@ -1,1 +1,2 @@
 first
+unlink(path)?;
";

    fn plan(depth: Depth) -> ReviewPlan {
        let part = |file| PartPlan {
            slices: vec![Slice {
                file,
                first: 0,
                hunks: 1,
                continues: false,
            }],
            prompt_bytes: 1,
            prompt_sha256: String::new(),
        };
        ReviewPlan {
            depth,
            parts: vec![part(0), part(1)],
            hash: String::new(),
            language: None,
        }
    }

    fn look(part: u32, look: u32, verdict: Verdict, claims: Vec<Claim>) -> Look {
        Look {
            part,
            nth: look,
            raw: RawReview {
                summary: format!("summary {part}.{look}"),
                verdict,
                confidence: Confidence::High,
                score: Some(50),
                claims,
                malformed: 0,
                surplus: 0,
                questions: vec!["Why?".into()],
                assumptions: Vec::new(),
            },
        }
    }

    fn claim(file: &str, line: u32, evidence: &str, title: &str) -> Claim {
        Claim {
            severity: Severity::High,
            title: title.into(),
            file: file.into(),
            line,
            end_line: None,
            side: Side::New,
            evidence: evidence.into(),
            risk: "It is wrong.".into(),
            recommendation: String::new(),
            confidence: None,
        }
    }

    #[test]
    fn votes_are_counted_among_the_looks_that_saw_the_part() {
        use Verdict::{Concerns, Fail, Pass};
        let patch = parse_patch(PATCH.as_bytes()).unwrap();
        let minus = |title| claim("a.rs", 2, "let sum = a - b;", title);
        let looks = vec![
            look(1, 1, Fail, vec![minus("The sum subtracts its operands")]),
            look(1, 2, Concerns, vec![minus("Subtraction in place of addition")]),
            look(
                1,
                3,
                Pass,
                vec![claim("a.rs", 3, "let part = a / b;", "Division by zero")],
            ),
            look(
                2,
                1,
                Pass,
                vec![claim("b.rs", 2, "unlink(path)?;", "Deletes a file of the user")],
            ),
        ];
        let combined = combine(&plan(Depth::Deep), &patch, "", looks);
        let told: Vec<(&str, u32, u32, Basis)> = combined
            .findings
            .iter()
            .map(|one| {
                (
                    one.file.as_str(),
                    one.votes.unwrap(),
                    one.looks.unwrap(),
                    one.basis,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("a.rs", 2, 3, Basis::Agreed),
                ("a.rs", 1, 3, Basis::Single),
                ("b.rs", 1, 1, Basis::Single),
            ]
        );
        assert_eq!((combined.verdict, combined.questions.len()), (Concerns, 1));
        assert_eq!(
            combined.overview,
            "Part 1 of 2: summary 1.2\nPart 2 of 2: summary 2.1"
        );
    }

    #[test]
    fn one_look_has_no_votes() {
        let patch = parse_patch(PATCH.as_bytes()).unwrap();
        let looks = vec![look(
            1,
            1,
            Verdict::Fail,
            vec![claim("a.rs", 2, "let sum = a - b;", "Minus")],
        )];
        let combined = combine(&plan(Depth::Standard), &patch, "", looks);
        assert_eq!(
            (combined.findings[0].votes, combined.findings[0].basis),
            (None, Basis::Single)
        );
    }

    #[test]
    fn an_answer_without_a_word_was_given_without_reading() {
        let mut empty = look(1, 1, Verdict::Pass, Vec::new());
        empty.raw.summary = " \n".into();
        empty.raw.score = None;
        empty.raw.questions = vec![" ".into()];
        assert!(!empty.says_something());
        empty.raw.summary = "Fine.".into();
        assert!(empty.says_something());
    }
}
