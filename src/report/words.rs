//! Words that several forms of a report share.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::domain::count::counted;
use crate::domain::coverage::{Coverage, CoverageStatus};
use crate::domain::finding::{Anchor, Finding, Severity, Side};
use crate::domain::tracking::Known;
use crate::report::review::ReviewReport;

/// All severities, the worst first.
pub(super) const SEVERITIES: [Severity; 5] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Nit,
];

/// Returns the name that a value has in envelopes, as words.
pub(super) fn spoken(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    let name = value.as_ref().and_then(Value::as_str);
    name.unwrap_or_default().replace('_', " ")
}

/// Returns a finding's place: `src/a.rs:3-5`.
pub(super) fn place(finding: &Finding) -> String {
    let mut place = finding.file.clone();
    if finding.line > 0 {
        let _ = write!(place, ":{}", finding.line);
    }
    if let Some(end) = finding.end_line.filter(|end| *end > finding.line) {
        let _ = write!(place, "-{end}");
    }
    place
}

/// Says what a reader must know of a finding's place; empty when it simply stands there.
pub(super) fn about_place(finding: &Finding) -> Vec<&'static str> {
    let mut about = Vec::new();
    if finding.side == Side::Old {
        about.push("before the change");
    }
    match finding.anchor {
        Anchor::Exact => {}
        Anchor::Moved => about.push("line found by the quoted code"),
        Anchor::OffDiff => about.push("not in the change"),
    }
    about
}

/// Says what was examined: the first thing that a reader must know where it is not all.
pub(super) fn examined(coverage: &Coverage) -> String {
    let hunks = &coverage.hunks;
    let files = counted(coverage.files, "file");
    match coverage.status {
        CoverageStatus::Complete => format!(
            "The whole change was reviewed: {} of {files}.",
            counted(hunks.total, "hunk")
        ),
        CoverageStatus::Partial => format!(
            "Only part of the change was reviewed: {} of {} of {files}.",
            hunks.sent,
            counted(hunks.total, "hunk")
        ),
        CoverageStatus::None => format!(
            "Nothing of the change was reviewed: none of {} of {files} could be shown.",
            counted(hunks.total, "hunk")
        ),
    }
}

/// Says what was masked; `None` when nothing was.
pub(super) fn masked(coverage: &Coverage) -> Option<String> {
    let count = u64::from(coverage.redaction.count);
    (count > 0).then(|| format!("Masked as possible secrets: {}.", counted(count, "value")))
}

/// Says who reviewed, as far as it is known: `codex 0.169.0, model`.
pub(super) fn reviewer(report: &ReviewReport) -> Option<String> {
    let meta = &report.meta;
    let mut text = format!("{} {}", meta.peer?, meta.peer_version.as_deref()?);
    if let Some(model) = &meta.model {
        let _ = write!(text, ", {model}");
    }
    Some(text)
}

/// Counts the findings of each severity that there is, the worst first.
pub(super) fn counts(report: &ReviewReport) -> Vec<(Severity, usize)> {
    let of = |severity| {
        let findings = report.answer.findings.iter();
        findings.filter(|finding| finding.severity == severity).count()
    };
    let counts = SEVERITIES.map(|severity| (severity, of(severity)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// What an earlier review knew of the findings of this one.
pub(super) struct Earlier<'a>(Option<HashSet<&'a str>>);

impl<'a> Earlier<'a> {
    /// Knows nothing where no review went before.
    pub(super) fn of(report: &'a ReviewReport) -> Self {
        let since = report.answer.since.as_ref();
        Self(since.map(|since| since.open.iter().map(String::as_str).collect()))
    }

    /// Says whether a finding is new; `None` where nobody can tell.
    pub(super) fn standing(&self, finding: &Finding) -> Option<&'static str> {
        let open = self.0.as_ref()?;
        Some(if open.contains(finding.id.as_str()) {
            "still open"
        } else {
            "new"
        })
    }
}

/// Lists what an earlier review found and this one did not, by what became of it.
pub(super) fn since(report: &ReviewReport) -> Vec<(&'static str, Vec<String>)> {
    let Some(since) = &report.answer.since else {
        return Vec::new();
    };
    let told = |known: &[Known]| {
        let line = |known: &Known| {
            format!(
                "{}: {} ({}:{})",
                known.severity.as_str(),
                known.title,
                known.file,
                known.line
            )
        };
        known.iter().map(line).collect()
    };
    vec![
        ("Fixed since the review before", told(&since.fixed)),
        (
            "Not mentioned again, though the code still stands there",
            told(&since.unmentioned),
        ),
        ("No longer in the change", told(&since.gone)),
    ]
}
