//! What is set aside and what counts, as tables and properties.

use super::*;
use crate::diff::anchor::anchor;
use crate::diff::parse::parse_patch;
use crate::domain::baseline::Accepted;
use crate::domain::finding::{Claim, Severity};
use crate::domain::suppression::{Selects, Suppression};
use proptest::prelude::*;

const PATCH: &str = "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1,7 +1,8 @@\n \
    // crosscheck: allow unchecked-division until=2026-12-31 reason=never zero\n-let a = b / c;\n+let a = b / d;\n \
    let x = 1;\n+// crosscheck: allow lost-write until=2026-12-31 reason=mine\n+let w = write(x);\n \
    // crosscheck: allow old-thing until=2026-01-01 reason=then\n let old = thing();\n-let gone = code_of_before();\n \
    let z = 26;\n";

fn claim(line: u32, title: &str, evidence: &str, severity: Severity) -> Claim {
    Claim {
        severity,
        title: title.to_owned(),
        file: "a.rs".to_owned(),
        line,
        end_line: None,
        side: Side::New,
        evidence: evidence.to_owned(),
        risk: String::new(),
        recommendation: String::new(),
        confidence: None,
    }
}

fn found(claims: Vec<Claim>) -> (Patch, Vec<Finding>) {
    let patch = parse_patch(PATCH.as_bytes()).unwrap();
    let findings = anchor(&patch, "", claims);
    (patch, findings)
}

fn standing(suppressions: Vec<Suppression>, baseline: Option<Vec<Accepted>>) -> Standing {
    Standing {
        today: "2026-11-22".parse().unwrap(),
        suppressions,
        baseline,
        fresh_files: None,
    }
}

#[test]
fn a_comment_holds_only_where_the_base_has_it() {
    let division = claim(2, "Unchecked division", "let a = b / d;", Severity::High);
    let critical = claim(2, "Unchecked division", "let a = b / d;", Severity::Critical);
    let other = claim(2, "Wrong variable", "let a = b / d;", Severity::High);
    let lost = claim(5, "Lost write", "let w = write(x);", Severity::High);
    let old = claim(7, "Old thing", "let old = thing();", Severity::High);
    let check = |claim: &Claim, suppressed: bool, words: &str| {
        let (patch, findings) = found(vec![claim.clone()]);
        let settled = settle(&patch, &standing(Vec::new(), None), findings, None);
        assert_eq!(settled.suppressed.len(), usize::from(suppressed), "{settled:?}");
        assert_eq!(settled.findings.len(), usize::from(!suppressed), "{settled:?}");
        let told = settled.warnings.join("\n");
        assert!(
            told.contains(words) && (told.is_empty() == words.is_empty()),
            "{told}"
        );
    };
    check(&division, true, "");
    check(&critical, false, "");
    check(&other, false, "");
    check(&lost, false, "a.rs:4 allows nothing: this change adds it");
    check(&old, false, "a.rs:6 allows nothing: it has expired");
}

#[test]
fn what_was_accepted_is_known_again_and_what_the_change_takes_away_is_told() {
    let claims = vec![claim(5, "Lost write", "let w = write(x);", Severity::High)];
    let (patch, findings) = found(claims);
    let same = Accepted {
        id: "ffffffffffff".to_owned(),
        ..Accepted::from(&findings[0])
    };
    let vanished = Accepted {
        id: "eeeeeeeeeeee".to_owned(),
        evidence: "let gone = code_of_before();".to_owned(),
        ..same.clone()
    };
    let report = |baseline: Vec<Accepted>| {
        let settled = settle(
            &patch,
            &standing(Vec::new(), Some(baseline)),
            findings.clone(),
            None,
        );
        let report = settled.baseline.unwrap();
        (settled.findings.len(), report.known.len(), report.gone)
    };
    assert_eq!(report(vec![same.clone()]), (0, 1, Vec::new()));
    assert_eq!(report(vec![vanished]), (1, 0, vec!["eeeeeeeeeeee".to_owned()]));
    // It has become worse than what was accepted.
    let milder = Accepted {
        severity: Severity::Low,
        ..same
    };
    assert_eq!(report(vec![milder]), (1, 0, Vec::new()));
}

fn any_severity() -> impl Strategy<Value = Severity> {
    prop_oneof![
        Just(Severity::Critical),
        Just(Severity::High),
        Just(Severity::Low)
    ]
}

proptest! {
    #[test]
    fn every_finding_is_in_one_list_and_a_critical_one_only_goes_by_its_id(
        claims in prop::collection::vec((0_u32..10, "(lost|write|old|thing|unchecked|division)( (write|thing|division))?",
            any_severity()), 0..8),
        words in prop::collection::vec("(lost|old|division|thing)( write)?", 0..3),
        by_id in prop::collection::vec(0_usize..8, 0..3),
        known in prop::collection::vec(0_usize..8, 0..3),
    ) {
        let lines = ["", "", "let a = b / d;", "let x = 1;", "", "let w = write(x);", "", "let old = thing();"];
        let claims = claims.iter().map(|(line, title, severity)| {
            claim(*line, title, lines.get(*line as usize).unwrap_or(&""), *severity)
        });
        let (patch, findings) = found(claims.collect());
        let expires = "2026-12-01".parse().unwrap();
        let entry = |selects| Suppression { selects, reason: "r".to_owned(), expires };
        let ids: BTreeSet<String> = by_id.iter().filter_map(|at| findings.get(*at)).map(|f| f.id.clone()).collect();
        let mut entries: Vec<Suppression> = words.into_iter()
            .map(|title| entry(Selects::Words { path: "**".to_owned(), title })).collect();
        entries.extend(ids.iter().cloned().map(Selects::Id).map(entry));
        let baseline = known.iter().filter_map(|at| findings.get(*at)).map(Accepted::from).collect();
        let count = findings.len();
        let settled = settle(&patch, &standing(entries, Some(baseline)), findings, None);
        let known = settled.baseline.unwrap().known;
        prop_assert_eq!(settled.findings.len() + settled.suppressed.len() + known.len(), count);
        for suppressed in &settled.suppressed {
            let finding = &suppressed.finding;
            prop_assert!(finding.severity != Severity::Critical || ids.contains(&finding.id));
        }
    }
}
