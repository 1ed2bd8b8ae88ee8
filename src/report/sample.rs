//! A small report for tests, with something of everything.

use serde_json::json;

use crate::diff::patch::Patch;
use crate::diff::sent::SentPatch;
use crate::diff::text::shown_path;
use crate::domain::envelope::Meta;
use crate::domain::finding::Finding;
use crate::report::review::{Change, ReviewReport};

pub(super) fn report() -> ReviewReport {
    let sent: SentPatch = serde_json::from_value(json!({"files": [
        {"old": "src/lock.rs", "new": "src/lock.rs", "hunks": [{"old": [10, 3], "new": [10, 4], "lines": [
            " fn lock() {", "-    try_lock()?;", "+    let _ = try_lock();", "+    write(\"<b>\u{202e}\")", " }"]}]},
        {"old": "docs/old.md", "new": "docs/new name.md", "hunks": []},
    ]}))
    .unwrap();
    let finding = |id: &str, severity: &str, line: u32, side: &str, anchor: &str| {
        json!({"id": id, "severity": severity, "title": "The lock's failure is ignored", "file": "src/lock.rs",
            "line": line, "side": side, "evidence": "let _ = try_lock();", "risk": "Two writers at once.",
            "recommendation": "Return the error.", "anchor": anchor, "basis": "single", "origin": "introduced"})
    };
    // A record of a version that did not look where a finding comes from.
    let mut older = finding("f3", "low", 11, "old", "exact");
    older.as_object_mut().unwrap().remove("origin");
    let mut gone = finding("f4", "nit", 3, "new", "off_diff");
    gone["origin"] = "unknown".into();
    gone["file"] = "src/gone.rs".into();
    let answer = json!({
        "target": {"scope": "branch", "base_oid": "a".repeat(40), "head_oid": "b".repeat(40), "paths": [], "files": 3},
        "verdict": "fail", "confidence": "low", "review_status": "completed",
        "findings": [
            finding("f1", "high", 11, "new", "exact"),
            finding("f2", "medium", 12, "new", "moved"),
            older,
            gone,
        ],
        "suppressed": [{"finding": finding("f5", "low", 12, "new", "exact"), "by": "file", "reason": "one writer",
            "expires": "2026-12-31"}],
        "baseline": {"known": [finding("f6", "nit", 12, "new", "exact")], "gone": ["f7"]},
        "coverage": {"status": "partial", "files": 3, "hunks": {"total": 3, "sent": 2, "omitted": 1},
            "omitted": [{"path": "logo.png", "reason": "binary"}],
            "redaction": {"withheld": [], "masked": ["src/lock.rs"], "count": 1}},
        "overview": "It locks, but does not look whether it did.",
        "since": {"job": "01m7zr8v4a-kpphwk-0000000001", "fixed": [{"id": "f0", "severity": "high", "title": "It panics",
            "file": "src/lock.rs", "line": 40, "side": "new", "evidence": "unwrap()"}], "open": ["f1"],
            "new": ["f2", "f3", "f4"], "refuted": [{"id": "f9", "severity": "medium", "title": "It waits for ever",
            "file": "src/lock.rs", "line": 12, "side": "new", "evidence": "try_lock()", "reason": "try_lock never waits"}],
            "unmentioned": [], "gone": []},
        "questions": ["Is one writer guaranteed elsewhere?"], "assumptions": [],
    });
    ReviewReport {
        summary: "Reviewed the branch aaaaaaaaaa..bbbbbbbbbb (3 files), only 2 of 3 hunks were shown to the reviewer: \
            fail, 4 findings."
            .to_owned(),
        job: None,
        begun_ms: Some(1_700_000_000_000),
        ended_ms: Some(1_700_000_060_000),
        answer: serde_json::from_value(answer).unwrap(),
        change: Change::Kept(Patch::from(sent)),
        warnings: vec!["1 values that look like secrets were masked before anything was sent".to_owned()],
        meta: Meta {
            peer: Some("codex"),
            peer_version: Some("0.169.0".to_owned()),
            repo_root: Some("/home/somebody/secret-project".to_owned()),
            ..Meta::default()
        },
    }
}

/// The same report with so many findings, at the lines of a change that has as many.
pub(super) fn large(findings: usize) -> ReviewReport {
    let mut report = report();
    let model = report.answer.findings[0].clone();
    let per_file = 50;
    let files = findings.div_ceil(per_file);
    let sent = json!({"files": (0..files).map(|file| json!({"old": format!("src/f{file}.rs"), "new": format!("src/f{file}.rs"),
        "hunks": [{"old": [1, 0], "new": [1, per_file], "lines": (0..per_file).map(|line| format!("+let value{line} = {file};"))
            .collect::<Vec<_>>()}]})).collect::<Vec<_>>()});
    let sent: SentPatch = serde_json::from_value(sent).unwrap();
    report.change = Change::Kept(Patch::from(sent));
    report.answer.suppressed.clear();
    report.answer.baseline = None;
    report.answer.findings = (0..findings)
        .map(|at| Finding {
            id: format!("{at:012x}"),
            severity: super::words::SEVERITIES[at % 5],
            file: format!("src/f{}.rs", at / per_file),
            line: u32::try_from(at % per_file).unwrap() + 1,
            title: format!("Finding number {at}"),
            ..model.clone()
        })
        .collect();
    report
}

/// Texts that want to be more than text.
pub(super) const HOSTILE: [&str; 14] = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "--> ]]> </style></pre></article>",
    "\" onmouseover=\"alert(1)",
    "' autofocus onfocus='alert(1)",
    "@octocat please look, cc @org/team",
    "fixes #1, GH-2, org/repo#3, deadbeefdeadbeef",
    "see https://evil.example/?x=1 or www.evil.example or mail a@evil.example",
    "[click](https://evil.example) ![i](https://evil.example/i.png) <https://evil.example> {0}",
    "```\n# heading\n- [ ] task\n| a | b |\n|---|---|",
    "a\u{202e}b\u{2066}c\u{200b}\u{e0041}\0\u{1b}[31m",
    "$\\href{https://evil.example}{x}$ :tada: [^1] &lt;b&gt; &#64;octocat",
    "line one\r\nline two\u{2028}line three",
    "`@octocat` ``x`` \\",
];

/// The sample with hostile text in every field that a model or a repository writes.
pub(super) fn hostile(text: &str) -> ReviewReport {
    let mut report = report();
    let answer = &mut report.answer;
    for finding in &mut answer.findings {
        for field in [
            &mut finding.id,
            &mut finding.title,
            &mut finding.evidence,
            &mut finding.risk,
            &mut finding.recommendation,
        ] {
            text.clone_into(field);
        }
        finding.file = shown_path(text.as_bytes());
    }
    text.clone_into(&mut answer.overview);
    text.clone_into(&mut answer.coverage.omitted[0].path);
    if let Some(since) = &mut answer.since {
        text.clone_into(&mut since.fixed[0].title);
        text.clone_into(&mut since.fixed[0].file);
        text.clone_into(&mut since.open[0]);
    }
    for suppressed in &mut answer.suppressed {
        text.clone_into(&mut suppressed.finding.title);
        suppressed.finding.file = shown_path(text.as_bytes());
        text.clone_into(&mut suppressed.reason);
    }
    if let Some(report) = &mut answer.baseline {
        text.clone_into(&mut report.known[0].title);
        report.known[0].file = shown_path(text.as_bytes());
        report.gone = vec![text.to_owned()];
    }
    answer.questions = vec![text.to_owned()];
    answer.assumptions = vec![text.to_owned()];
    answer.coverage.redaction.masked = vec![text.to_owned()];
    answer.target.base_oid = Some(text.to_owned());
    report.summary = format!("Reviewed {text}");
    report.warnings = vec![text.to_owned()];
    report.meta.model = Some(text.to_owned());
    let sent = json!({"files": [{"old": text, "new": text, "hunks": [{"old": [1, 1], "new": [1, 2],
        "lines": [format!(" {text}"), format!("+{text}")]}]}]});
    let sent: SentPatch = serde_json::from_value(sent).unwrap();
    report.change = Change::Kept(Patch::from(sent));
    report
}
