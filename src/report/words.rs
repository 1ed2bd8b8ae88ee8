//! Words that several forms of a report share.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::domain::count::counted;
use crate::domain::coverage::{Coverage, CoverageStatus};
use crate::domain::finding::{Anchor, Finding, Origin, Refuted, Severity, Side};
use crate::domain::review_answer::ReviewAnswer;
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
    match finding.origin {
        Origin::Introduced => {}
        Origin::PreExisting => about.push("stood there before the change"),
        // Of one outside of the change that says enough.
        Origin::Unknown if finding.anchor == Anchor::OffDiff => {}
        Origin::Unknown => about.push("not known whether the change brought it"),
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
        CoverageStatus::Partial if hunks.omitted == 0 => format!(
            "The change was reviewed with some of its lines masked: {} of {files}.",
            counted(hunks.total, "hunk")
        ),
        CoverageStatus::Partial => format!(
            "Only part of the change was reviewed: {} of {} of {files}{}.",
            hunks.sent + hunks.reviewed_before,
            counted(hunks.total, "hunk"),
            coverage
                .generated_left_out()
                .map_or_else(String::new, |told| format!(", {told}"))
        ),
        CoverageStatus::None => format!(
            "Nothing of the change was reviewed: none of {} of {files} could be shown.",
            counted(hunks.total, "hunk")
        ),
    }
}

/// Says how much of the change an earlier review had examined; `None` when this one was shown all of it.
pub(super) fn reviewed_before(coverage: &Coverage) -> Option<String> {
    let hunks = coverage.hunks.reviewed_before;
    (hunks > 0).then(|| {
        format!(
            "Of it, {} had been reviewed before and are unchanged since; {} shown now.",
            counted(hunks, "hunk"),
            counted(coverage.hunks.sent, "hunk")
        )
    })
}

/// Lists what was set aside: findings that are lived with, and those of the baseline, with why.
pub(super) fn set_aside(report: &ReviewReport) -> Vec<(&'static str, Vec<String>)> {
    let answer = &report.answer;
    let about = |finding: &Finding| {
        format!(
            "{}: {} ({})",
            finding.severity.as_str(),
            finding.title,
            place(finding)
        )
    };
    let suppressed = answer.suppressed.iter().map(|suppressed| {
        let finding = about(&suppressed.finding);
        format!("{finding}, until {}: {}", suppressed.expires, suppressed.reason)
    });
    let baseline = answer.baseline.as_deref();
    let known = baseline.iter().flat_map(|report| &report.known).map(about);
    let gone = baseline.iter().flat_map(|report| &report.gone).cloned();
    vec![
        ("Suppressed", suppressed.collect()),
        ("Known, in the baseline", known.collect()),
        ("Gone: take these ids out of the baseline", gone.collect()),
    ]
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

/// Says how the change was examined, as far as it is known.
pub(super) fn examination(answer: &ReviewAnswer) -> Option<String> {
    let examination = answer.examination.as_ref()?;
    Some(format!("Examined in a {}.", examination.spoken()))
}

/// Lists what was refuted, a line each, with the reasons.
pub(super) fn refuted(report: &ReviewReport) -> Vec<String> {
    let line = |refuted: &Refuted| {
        let finding = &refuted.finding;
        format!("{}: {} ({})", finding.title, refuted.reason, place(finding))
    };
    report.answer.refuted.iter().map(line).collect()
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
    let refuted = since.refuted.iter().map(|refuted| {
        let known = &refuted.known;
        format!(
            "{}: {} ({}:{}): {}",
            known.severity.as_str(),
            known.title,
            known.file,
            known.line,
            refuted.reason
        )
    });
    vec![
        ("Fixed since the review before", told(&since.fixed)),
        ("Open in the review before, and refuted", refuted.collect()),
        (
            "Not mentioned again, though the code still stands there",
            told(&since.unmentioned),
        ),
        ("No longer in the change", told(&since.gone)),
    ]
}
