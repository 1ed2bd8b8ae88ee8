//! The way of a review without its processes: answers are read, placed, merged, voted, doubted and concluded by the code
//! that the worker runs.

use std::collections::BTreeMap;

use crosscheck::diff::count::hunks;
use crosscheck::diff::parse::parse_patch;
use crosscheck::diff::patch::Patch;
use crosscheck::domain::coverage::CoverageStatus;
use crosscheck::domain::finding::{Anchor, Basis, Finding, Severity};
use crosscheck::domain::review_plan::{Depth, PartPlan, ReviewPlan, Slice};
use crosscheck::domain::verdict::{Verdict, conclude};
use crosscheck::prompt::{parse_review, parse_verify};
use crosscheck::run::review::check::{Checked, apply};
use crosscheck::run::review::combine::{Look, combine};

use crate::dice::Dice;
use crate::measure::Share;
use crate::reviewer::{Truth, look};
use crate::seeded::{Case, DEFECTS, REPOSITORIES, clean, with_defect};
use crate::verifier::{ERRING, Judgement, TRUTHFUL, judge};

/// What became of a case.
struct Outcome {
    before: Vec<Finding>,
    checked: Checked,
    verdict: Verdict,
}

fn plan(patch: &Patch, depth: Depth) -> ReviewPlan {
    let slices = patch.files.iter().enumerate().map(|(index, file)| Slice {
        file: u32::try_from(index).unwrap(),
        first: 0,
        hunks: hunks(file),
        continues: false,
    });
    let part = PartPlan {
        slices: slices.collect(),
        prompt_bytes: 1,
        prompt_sha256: String::new(),
    };
    ReviewPlan {
        depth,
        parts: vec![part],
        hash: String::new(),
        language: None,
    }
}

fn review(case: &Case, depth: Depth, how: Judgement) -> Outcome {
    let patch = parse_patch(case.diff.as_bytes()).unwrap();
    let looks = (1..=depth.looks()).map(|number| {
        let look = look(case, u64::from(number));
        let raw = parse_review(&look.said)
            .or_else(|_| parse_review(&look.repaired))
            .unwrap();
        Look {
            part: 1,
            nth: number,
            raw,
        }
    });
    let combined = combine(&plan(&patch, depth), &patch, "/home/me/project", looks.collect());
    let before = combined.findings.clone();
    let mut dice = Dice::of(5, &[case.number]);
    let said = judge(&combined.findings, how, &mut dice);
    let rulings =
        parse_verify(&said.text, &said.asked).or_else(|_| parse_verify(&said.repaired, &said.asked));
    let rulings = rulings.unwrap().by_id;
    let rulings: BTreeMap<_, _> = rulings
        .into_iter()
        .map(|(id, ruling)| (id, (ruling, false)))
        .collect();
    let checked = apply(combined.findings, &rulings);
    let (verdict, _) = conclude(
        combined.verdict,
        combined.confidence,
        &checked.findings,
        CoverageStatus::Complete,
    );
    Outcome {
        before,
        checked,
        verdict,
    }
}

/// Counts over many cases.
#[derive(Debug, Default)]
struct Figures {
    /// Findings that are real, before the check, after it, and of those that are called verified.
    before: Share,
    after: Share,
    verified: Share,
    /// Defects that a look told of and that are still told after the check.
    recall: Share,
    /// Real findings whose line is that of the defect.
    anchored: Share,
    /// Findings that name a line, inside of the diff, of all that do not say that they are off it.
    refuted_real: usize,
}

fn count(case: &Case, outcome: &Outcome, figures: &mut Figures) {
    let defect_of = |finding: &Finding| Truth::of(&finding.recommendation);
    for finding in &outcome.before {
        figures.before.count(defect_of(finding).is_some());
    }
    for finding in &outcome.checked.findings {
        let defect = defect_of(finding);
        figures.after.count(defect.is_some());
        if finding.basis <= Basis::Verified {
            figures.verified.count(defect.is_some());
        }
        if let Some(defect) = defect.and_then(|id| case.defects.iter().find(|defect| defect.id == id)) {
            let stands = finding.anchor != Anchor::OffDiff && finding.file == defect.file;
            figures.anchored.count(stands && finding.line == defect.line);
        }
    }
    for defect in &case.defects {
        let tells = |findings: &[Finding]| {
            findings
                .iter()
                .any(|finding| defect_of(finding) == Some(defect.id))
        };
        if tells(&outcome.before) {
            figures.recall.count(tells(&outcome.checked.findings));
        }
    }
    let refuted = outcome.checked.refuted.iter();
    figures.refuted_real += refuted
        .filter(|refuted| defect_of(&refuted.finding).is_some())
        .count();
}

fn cases(make: fn(usize) -> Case) -> Vec<Case> {
    (0..REPOSITORIES * DEFECTS).map(make).collect()
}

fn measure(name: &str, cases: &[Case], depth: Depth, how: Judgement) -> Figures {
    let mut figures = Figures::default();
    for case in cases {
        let outcome = review(case, depth, how);
        // What the check takes away and what stays are what there was.
        assert_eq!(
            outcome.checked.findings.len() + outcome.checked.refuted.len(),
            outcome.before.len()
        );
        count(case, &outcome, &mut figures);
    }
    println!(
        "pipeline, {name}: real are {} of the findings before the check, {} after it, {} of those called verified; {} of \
         the defects that were told are still told, {} at their line; {} real ones were refuted",
        figures.before,
        figures.after,
        figures.verified,
        figures.recall,
        figures.anchored,
        figures.refuted_real
    );
    figures
}

#[test]
fn a_check_leaves_what_is_real() {
    let seeded = cases(with_defect);
    let deep = measure("deep, a truthful verifier", &seeded, Depth::Deep, TRUTHFUL);
    assert!(
        deep.recall.value() >= 1.0 && deep.verified.value() >= 1.0,
        "{deep:#?}"
    );
    assert!(deep.after.value() >= 2.0 * deep.before.value(), "{deep:#?}");
    assert!(deep.anchored.value() >= 0.90, "{deep:#?}");
    let erring = measure("deep, a verifier that errs", &seeded, Depth::Deep, ERRING);
    assert!(
        erring.recall.value() >= 0.90 && erring.verified.value() >= 0.70,
        "{erring:#?}"
    );
    let standard = measure("standard, a verifier that errs", &seeded, Depth::Standard, ERRING);
    assert!(
        standard.recall.value() >= 0.90 && standard.verified.value() >= 0.70,
        "{standard:#?}"
    );
}

#[test]
fn no_finding_on_a_clean_change_survives_a_truthful_check() {
    let cases = cases(clean);
    for depth in [Depth::Standard, Depth::Deep] {
        let (mut before, mut nits) = (0, 0);
        for case in &cases {
            let outcome = review(case, depth, TRUTHFUL);
            before += outcome.before.len();
            // A nit is not doubted: it costs nobody anything, and no verdict rests on it.
            let stays = |finding: &&Finding| finding.severity < Severity::Nit;
            let left: Vec<&Finding> = outcome.checked.findings.iter().filter(stays).collect();
            assert!(left.is_empty(), "{left:#?}");
            assert!(
                outcome
                    .checked
                    .findings
                    .iter()
                    .all(|finding| finding.basis > Basis::Verified)
            );
            assert!(outcome.verdict != Verdict::Fail);
            nits += outcome.checked.findings.len();
        }
        println!(
            "pipeline, {} clean changes, {}: {before} wrong findings before the check, none after it but {nits} nits, which \
             are not doubted",
            cases.len(),
            depth.as_str()
        );
        assert!(before > cases.len() / 4);
    }
    let (mut before, mut verified, mut undecided) = (0, 0, 0);
    for case in &cases {
        let outcome = review(case, Depth::Deep, ERRING);
        before += outcome.before.len();
        let findings = outcome.checked.findings.iter();
        verified += findings
            .filter(|finding| finding.basis == Basis::Verified)
            .count();
        undecided += usize::try_from(outcome.checked.verification.undecided).unwrap();
    }
    println!(
        "pipeline, clean changes, deep, a verifier that errs: of {before} wrong findings {verified} are called verified and \
         {undecided} stay undecided, which is what the verifier gets wrong and nothing more"
    );
}
