//! Tests of merging: which findings are the same, and what becomes of them.

use proptest::prelude::*;

use super::*;
use crate::domain::finding::Basis;

fn finding(file: &str, line: u32, evidence: &str, title: &str, risk: &str) -> Finding {
    Finding {
        id: String::new(),
        severity: Severity::High,
        title: title.to_owned(),
        file: file.to_owned(),
        line,
        end_line: None,
        side: Side::New,
        evidence: evidence.to_owned(),
        risk: risk.to_owned(),
        recommendation: String::new(),
        anchor: Anchor::Exact,
        basis: Basis::Single,
        origin: crate::domain::finding::Origin::Introduced,
        confidence: None,
        votes: None,
        looks: None,
        stands_in_base: None,
        check: None,
    }
}

fn seen(finding: Finding, looks: &[u32]) -> Sighting {
    Sighting {
        located: Located {
            key: finding.evidence.clone(),
            finding,
        },
        looks: looks.iter().copied().collect(),
    }
}

/// Two findings of `a.rs`: line, quoted code, title, risk.
type Told<'a> = (u32, &'a str, &'a str, &'a str);

#[test]
#[expect(clippy::too_many_lines, reason = "cases as data")]
fn what_two_reviewers_say_of_one_defect_is_one_finding() {
    let check = |one: Told<'_>, two: Told<'_>| {
        let made = |told: Told<'_>| finding("a.rs", told.0, told.1, told.2, told.3);
        let (one, two) = (made(one), made(two));
        assert!(
            are_same(&one, &two) && are_same(&two, &one),
            "{} / {}",
            one.title,
            two.title
        );
    };
    check(
        (2, "a - b", "`add` subtracts its operands", "Every sum is wrong."),
        (
            2,
            "    a - b",
            "Wrong operator in add",
            "The function returns the difference instead of the sum.",
        ),
    );
    check(
        (
            14,
            "let first = items[0];",
            "Index out of bounds for an empty list",
            "Panics when `items` is empty.",
        ),
        (
            14,
            "let first = items[0];",
            "Empty input panics",
            "items[0] panics if the slice has no element.",
        ),
    );
    check(
        (
            30,
            "conn.execute(f\"select * from t where n = '{name}'\")",
            "SQL injection through name",
            "An attacker reads the table.",
        ),
        (
            31,
            "conn.execute(f\"select * from t where n = '{name}'\")",
            "User input is interpolated into the query",
            "Untrusted `name` allows SQL injection.",
        ),
    );
    check(
        (
            8,
            "return total / len(rows)",
            "Division by zero for no rows",
            "Raises ZeroDivisionError on an empty table.",
        ),
        (
            7,
            "",
            "Average of an empty list divides by zero",
            "len(rows) may be zero.",
        ),
    );
    check(
        (
            21,
            "let _ = file.sync_all();",
            "Failure of sync is ignored",
            "Data may be lost on a crash.",
        ),
        (
            21,
            "let _ = file.sync_all();",
            "The sync error is silently discarded",
            "The caller believes that the data is on disk.",
        ),
    );
    check(
        (
            50,
            "if user.is_admin || true {",
            "Authorization check is always true",
            "Anybody is an admin.",
        ),
        (
            50,
            "if user.is_admin || true {",
            "Privilege check bypassed",
            "Every user passes the permission check.",
        ),
    );
    check(
        (
            3,
            "with open(path) as f:",
            "Path traversal",
            "`path` may point outside of the folder.",
        ),
        (
            3,
            "with open(path) as f:",
            "Directory traversal through path",
            "../ escapes the upload directory.",
        ),
    );
    check(
        (
            60,
            "balance = balance + amount",
            "Lost update between two threads",
            "Two concurrent deposits race.",
        ),
        (
            60,
            "balance = balance + amount",
            "Unsynchronized read-modify-write",
            "A race between threads loses deposits.",
        ),
    );
    check(
        (
            12,
            "defer file.Close()",
            "File handle leaks in the loop",
            "Descriptors are only released when the function returns.",
        ),
        (
            12,
            "defer file.Close()",
            "defer in a loop keeps every file open",
            "Runs out of file descriptors; nothing is closed before the end.",
        ),
    );
}

#[test]
fn two_defects_of_one_place_stay_two() {
    let check = |one: Told<'_>, two: Told<'_>| {
        let made = |told: Told<'_>| finding("a.rs", told.0, told.1, told.2, told.3);
        let (one, two) = (made(one), made(two));
        assert!(
            !are_same(&one, &two) && !are_same(&two, &one),
            "{} / {}",
            one.title,
            two.title
        );
    };
    let query = "conn.execute(f\"select * from t where n = '{name}'\")";
    check(
        (
            30,
            query,
            "SQL injection through name",
            "An attacker reads the table.",
        ),
        (
            30,
            query,
            "The connection is never closed",
            "Descriptors leak under load.",
        ),
    );
    check(
        (2, "a - b", "`add` subtracts its operands", "Every sum is wrong."),
        (
            2,
            "a - b",
            "`add` overflows for large operands",
            "Panics in debug builds, wraps in release.",
        ),
    );
    check(
        (
            14,
            "let first = items[0];",
            "Index out of bounds for an empty list",
            "Panics when `items` is empty.",
        ),
        (
            14,
            "let first = items[0];",
            "The clone in the loop is quadratic",
            "Slow for long lists.",
        ),
    );
    check(
        (
            60,
            "balance = balance + amount",
            "Lost update between two threads",
            "Two concurrent deposits race.",
        ),
        (
            60,
            "balance = balance + amount",
            "No test covers a negative amount",
            "A refund is untested.",
        ),
    );
    // The same mistake twice in a file.
    check(
        (
            10,
            "unlink(first)",
            "The error of unlink is ignored",
            "The file may stay.",
        ),
        (
            90,
            "unlink(second)",
            "The error of unlink is ignored",
            "The file may stay.",
        ),
    );
    check(
        (
            10,
            "unlink(first)",
            "The error of unlink is ignored",
            "The file may stay.",
        ),
        (
            11,
            "unlink(second)",
            "The error of unlink is ignored",
            "The file may stay.",
        ),
    );
    // The same words without any place need more.
    check(
        (0, "", "Errors are ignored", "Data may be lost."),
        (0, "", "No tests for errors", "Regressions go unnoticed."),
    );
}

#[test]
fn another_file_is_another_finding() {
    let made = |file| finding(file, 3, "x.unwrap();", "Unwrap of none panics", "It crashes.");
    assert!(are_same(&made("a.rs"), &made("a.rs")));
    assert!(!are_same(&made("a.rs"), &made("b.rs")));
}

#[test]
fn votes_are_looks_and_the_severity_is_their_median() {
    use Severity::{Critical, High, Low, Medium};

    let with = |severity, anchor, title: &str, look| {
        let mut finding = finding("a.rs", 3, "x.unwrap();", title, "It panics for a missing value.");
        (finding.severity, finding.anchor) = (severity, anchor);
        seen(finding, &[look])
    };
    let check = |said: &[(u32, Severity)], votes: usize, expected: Severity| {
        let said = said
            .iter()
            .map(|(look, severity)| with(*severity, Anchor::Exact, "Unwrap of none", *look));
        let merged = merge(said.collect());
        assert_eq!(merged.len(), 1);
        assert_eq!(
            (merged[0].looks.len(), merged[0].located.finding.severity),
            (votes, expected)
        );
    };
    check(&[(1, High)], 1, High);
    check(&[(1, High), (2, Low)], 2, High);
    check(&[(1, Critical), (2, Low), (3, Low)], 3, Low);
    check(&[(1, Low), (2, High), (3, Critical)], 3, High);
    // One look that says it twice has one vote.
    check(&[(1, Medium), (1, High), (2, Low)], 2, High);
    let best = merge(vec![
        with(High, Anchor::Moved, "Unwrap of none here", 1),
        with(High, Anchor::Exact, "Unwrap of none", 2),
    ]);
    assert_eq!(best[0].located.finding.title, "Unwrap of none");
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    let words = prop::sample::subsequence(
        vec![
            "overflow", "index", "race", "leak", "query", "sum", "wraps", "loses", "closed", "empty",
        ],
        1..4,
    );
    let severity = prop::sample::select(vec![
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Nit,
    ]);
    let anchor = prop::sample::select(vec![Anchor::Exact, Anchor::Moved, Anchor::OffDiff]);
    let place = (
        0_usize..2,
        0_u32..12,
        prop::option::of(0_u32..8),
        0_usize..4,
        any::<bool>(),
    );
    (place, words.clone(), words, severity, anchor, 1_u32..4).prop_map(
        |((file, line, more, quote, old), title, risk, severity, anchor, look)| {
            let quotes = ["", "let total = a + b;", "close(handle);", "} else {"];
            let mut finding = finding(
                ["a.rs", "b.rs"][file],
                line,
                quotes[quote],
                &title.join(" "),
                &risk.join(" "),
            );
            finding.severity = severity;
            finding.anchor = anchor;
            finding.end_line = more.map(|more| line + more);
            finding.side = if old { Side::Old } else { Side::New };
            seen(finding, &[look])
        },
    )
}

proptest! {
    #[test]
    fn the_order_of_the_looks_does_not_matter(
        sightings in prop::collection::vec(any_sighting(), 0..30).prop_flat_map(|all| {
            (Just(all.clone()), Just(all).prop_shuffle())
        })
    ) {
        let (one, other) = sightings;
        prop_assert_eq!(merge(one), merge(other));
    }

    #[test]
    fn merging_again_changes_nothing(sightings in prop::collection::vec(any_sighting(), 0..30)) {
        let merged = merge(sightings);
        prop_assert_eq!(merge(merged.clone()), merged);
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_made_up(sightings in prop::collection::vec(any_sighting(), 0..30)) {
        let merged = merge(sightings.clone());
        for sighting in &sightings {
            let is_in = |one: &Sighting| {
                one.located.finding.file == sighting.located.finding.file && sighting.looks.is_subset(&one.looks)
            };
            prop_assert!(merged.iter().any(is_in));
        }
        for one in &merged {
            let is_from = |sighting: &Sighting| {
                let same = Finding { severity: one.located.finding.severity, ..sighting.located.finding.clone() };
                same == one.located.finding
            };
            prop_assert!(sightings.iter().any(is_from));
        }
        // What is left are different findings.
        for (at, one) in merged.iter().enumerate() {
            for other in &merged[at + 1..] {
                prop_assert!(!are_same(&one.located.finding, &other.located.finding));
            }
        }
    }
}

#[test]
fn five_thousand_findings_are_merged_at_once() {
    let kinds = [
        "index out of bounds",
        "error is ignored",
        "race between threads",
        "leaked descriptor",
    ];
    let sightings: Vec<Sighting> = (0..5000_u32)
        .map(|at| {
            let title = format!("{} number{}", kinds[at as usize % 4], at % 700);
            let file = format!("src/f{}.rs", at % 40);
            seen(
                finding(
                    &file,
                    at % 500,
                    &format!("line_{}(a);", at % 90),
                    &title,
                    "It breaks.",
                ),
                &[at % 3],
            )
        })
        .collect();
    let begun = std::time::Instant::now();
    let merged = merge(sightings);
    assert!(!merged.is_empty() && merged.len() < 5000);
    // A second without optimisation; a comparison of each with each takes half a minute.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
