//! How long it takes to merge what several looks found, and to write the page, when there are five thousand findings.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crosscheck::diff::anchor::Located;
use crosscheck::diff::merge::{Sighting, merge};
use crosscheck::diff::parse::parse_patch;
use crosscheck::domain::envelope::Meta;
use crosscheck::domain::finding::Finding;
use crosscheck::report::{Change, ReviewReport, html};
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::table::Row;

/// Findings.
const FINDINGS: usize = 5_000;
/// Files that they are spread over.
const FILES: usize = 200;
/// Lines of each file, all of them new.
const LINES: usize = 300;
/// Runs, after one that fills the caches.
const RUNS: usize = 7;

/// What findings say, so that some of those in one place mean the same and some do not.
const SAID: [(&str, &str); 6] = [
    ("Index out of bounds", "The last element is read one too far."),
    (
        "Reads one past the end",
        "An index equal to the length is out of bounds.",
    ),
    ("The error is ignored", "A failed write is lost."),
    ("Unchecked result of the write", "Nobody hears of a failure."),
    ("Two threads race", "An update is lost without the lock."),
    ("The handle leaks", "It is never closed."),
];

/// Measures the merge, and the page of a review with so many findings.
pub(crate) fn measure() -> Vec<Row> {
    let sightings: Vec<Sighting> = (0..FINDINGS).map(sighting).collect();
    let mut left = 0;
    let merging = times(|| left = merge(sightings.clone()).len());
    let findings = sightings.into_iter().map(|sighting| sighting.located.finding);
    let report = report(&findings.collect::<Vec<_>>());
    let mut bytes = 0;
    let writing = times(|| bytes = html::write(&report).len());
    vec![
        Row::new(
            "merging 5,000 findings of three looks",
            "",
            &Figure::of_times(&merging),
        )
        .remark(&format!("{left} are left")),
        Row::new(
            "writing the page of 5,000 findings",
            "",
            &Figure::of_times(&writing),
        )
        .remark(&format!("{bytes} bytes over {FILES} files of {LINES} lines")),
    ]
}

fn times(mut run: impl FnMut()) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..=RUNS {
        let begun = Instant::now();
        run();
        if number > 0 {
            times.push(begun.elapsed());
        }
    }
    times
}

/// A finding of one of three looks: eight or so in each place.
fn sighting(number: usize) -> Sighting {
    let place = number / 8;
    let (file, line) = (place % FILES, 1 + place / FILES * 11 % LINES);
    let (title, risk) = SAID[number % SAID.len()];
    let raw: Value = json!({"id": format!("{number:012x}"), "severity": "medium", "title": title,
        "file": format!("src/file{file}.rs"), "line": line + number % 3, "side": "new",
        "evidence": format!("let value_{line} = compute({line});"), "risk": risk, "recommendation": "Mend it.",
        "anchor": "exact", "basis": "single"});
    let finding: Finding = serde_json::from_value(raw).unwrap();
    Sighting {
        located: Located {
            key: finding.evidence.clone(),
            finding,
        },
        looks: BTreeSet::from([u32::try_from(number % 3).unwrap()]),
    }
}

fn report(findings: &[Finding]) -> ReviewReport {
    let mut diff = String::new();
    for file in 0..FILES {
        let path = format!("src/file{file}.rs");
        let _ = writeln!(
            diff,
            "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}"
        );
        let _ = writeln!(diff, "@@ -0,0 +1,{LINES} @@");
        for line in 1..=LINES {
            let _ = writeln!(diff, "+let value_{line} = compute({line});");
        }
    }
    let hunks = FILES;
    let answer = json!({
        "target": {"scope": "branch", "base_oid": "a".repeat(40), "head_oid": "b".repeat(40), "paths": [], "files": FILES},
        "verdict": "concerns", "confidence": "low", "review_status": "completed", "findings": findings,
        "coverage": {"status": "complete", "files": FILES, "hunks": {"total": hunks, "sent": hunks, "omitted": 0},
            "omitted": [], "redaction": {"withheld": [], "masked": [], "count": 0}},
        "overview": "Looked at it.", "questions": [], "assumptions": [],
    });
    ReviewReport {
        summary: "Reviewed the branch: concerns, 5000 findings.".to_owned(),
        job: None,
        begun_ms: None,
        ended_ms: None,
        answer: serde_json::from_value(answer).unwrap(),
        change: Change::Kept(parse_patch(diff.as_bytes()).unwrap()),
        warnings: Vec::new(),
        meta: Meta::default(),
    }
}
