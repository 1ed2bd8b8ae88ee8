//! A review: what was looked at, the findings with the worst first, what was not looked at, the verdict.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::next_call::{peer_of, program, quoted};
use crate::cli::render::page::{Page, Style};
use crate::cli::render::{consult, tree, truncated};
use crate::domain::count::counted;
use crate::domain::coverage::Coverage;
use crate::domain::envelope::Success;
use crate::domain::finding::{Anchor, Finding, Origin, Severity, Side};
use crate::domain::peer::Peer;
use crate::domain::review_answer::ReviewAnswer;
use crate::domain::time::spoken;
use crate::domain::tracking::{Known, Tracking};
use crate::domain::verdict::{ReviewStatus, Verdict};

/// Writes the review.
pub(super) fn render(success: &Success, answer: &ReviewAnswer, page: &mut Page) {
    page.wrapped(Style::Bold, &success.summary);
    if !answer.overview.trim().is_empty() {
        page.blank();
        page.wrapped(Style::Plain, &answer.overview);
    }
    let mut findings: Vec<&Finding> = answer.findings.iter().collect();
    findings.sort_by_key(|finding| (finding.origin.is_old(), finding.severity));
    let mut is_old = false;
    for finding in findings {
        page.blank();
        if finding.origin.is_old() && !is_old {
            is_old = true;
            page.styled(Style::Dim, "not of this change; it stood there before:");
            page.blank();
        }
        self::finding(finding, page);
    }
    if let Some(more) = success.body.get("findings_more").and_then(Value::as_u64) {
        page.blank();
        page.line(&format!("and {more} milder findings"));
    }
    if let Some(tracking) = &answer.since {
        since(tracking, page);
    }
    set_aside(success, page);
    coverage(&answer.coverage, page);
    if let Some(examination) = &answer.examination {
        page.blank();
        page.labelled("examined:", Style::Dim, &examination.spoken());
    }
    consult::lists(
        &[
            ("questions", &answer.questions),
            ("taken for granted", &answer.assumptions),
        ],
        page,
    );
    truncated(&success.body, page);
    page.blank();
    verdict(success, answer, page);
}

/// Lists what the earlier review found and this one did not.
fn since(tracking: &Tracking, page: &mut Page) {
    let plain = |known: &'_ [Known]| -> Vec<(Known, String)> {
        known.iter().map(|known| (known.clone(), String::new())).collect()
    };
    let refuted = tracking.refuted.iter();
    let refuted = refuted.map(|refuted| (refuted.known.clone(), refuted.reason.clone()));
    let lists = [
        ("fixed:", Style::Green, plain(&tracking.fixed)),
        ("open before, and refuted:", Style::Green, refuted.collect()),
        (
            "not mentioned again, though the code still stands there:",
            Style::Yellow,
            plain(&tracking.unmentioned),
        ),
        ("no longer in the change:", Style::Dim, plain(&tracking.gone)),
    ];
    for (heading, style, known) in lists {
        if known.is_empty() {
            continue;
        }
        page.blank();
        page.styled(style, heading);
        for (finding, reason) in known {
            let place = if finding.line > 0 {
                format!("{}:{}", finding.file, finding.line)
            } else {
                finding.file.clone()
            };
            page.parts(&[
                (Style::Plain, "  "),
                (Style::Plain, finding.severity.as_str()),
                (Style::Plain, "  "),
                (Style::Bold, &place),
                (Style::Plain, "  "),
                (Style::Plain, &finding.title),
            ]);
            if !reason.trim().is_empty() {
                page.indented("    ", "why:", Style::Dim, &reason);
            }
        }
    }
}

/// Says how much was set aside; which it is tell `detail=full` and the report.
fn set_aside(success: &Success, page: &mut Page) {
    let count = |name: &str| success.body.get(name).and_then(Value::as_u64).unwrap_or(0);
    let counts = [
        (count("suppressed_count"), "suppressed"),
        (count("baseline_count"), "in the baseline"),
        (count("baseline_gone"), "gone from the baseline"),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !said.is_empty() {
        page.blank();
        page.labelled("set aside:", Style::Dim, &said.join(", "));
    }
}

fn finding(finding: &Finding, page: &mut Page) {
    let style = match finding.severity {
        Severity::Critical | Severity::High => Style::Red,
        Severity::Medium => Style::Yellow,
        Severity::Low | Severity::Nit => Style::Plain,
    };
    let mut place = finding.file.clone();
    if finding.line > 0 {
        let _ = write!(place, ":{}", finding.line);
    }
    if let Some(end) = finding.end_line.filter(|end| *end > finding.line) {
        let _ = write!(place, "-{end}");
    }
    if finding.side == Side::Old {
        place.push_str(" (before the change)");
    }
    if finding.anchor == Anchor::OffDiff {
        place.push_str(" (not in the change)");
    } else if finding.origin == Origin::Unknown {
        place.push_str(" (not known whether the change brought it)");
    }
    page.parts(&[
        (style, finding.severity.as_str()),
        (Style::Plain, "  "),
        (Style::Bold, &place),
        (Style::Plain, "  "),
        (Style::Plain, &finding.title),
    ]);
    if !finding.evidence.trim().is_empty() {
        page.block("    | ", finding.evidence.trim_matches('\n'));
    }
    let basis = format!("{}; id {}", finding.support(), finding.id);
    page.indented("    ", "basis:", Style::Dim, &basis);
    if !finding.risk.trim().is_empty() {
        page.indented("    ", "risk:", Style::Dim, &finding.risk);
    }
    if !finding.recommendation.trim().is_empty() {
        page.indented("    ", "fix: ", Style::Dim, &finding.recommendation);
    }
}

/// Writes what was not shown to the reviewer; also what was masked, since a finding may be about it.
pub(super) fn coverage(coverage: &Coverage, page: &mut Page) {
    if !coverage.omitted.is_empty() {
        page.blank();
        let hunks = &coverage.hunks;
        page.styled(
            Style::Yellow,
            &format!(
                "not reviewed ({} of {} hunks were):",
                hunks.sent + hunks.reviewed_before,
                hunks.total
            ),
        );
        for omission in &coverage.omitted {
            let reason = serde_json::to_value(omission.reason).unwrap_or_default();
            let reason = tree::plain(&reason).replace('_', " ");
            page.line(&format!("    {}  {reason}", omission.path));
        }
        if coverage.omitted_more > 0 {
            page.line(&format!("    and {} more", coverage.omitted_more));
        }
    }
    if coverage.redaction.count > 0 {
        page.blank();
        let text = format!(
            "{} that may be secrets",
            counted(u64::from(coverage.redaction.count), "value")
        );
        page.labelled("masked:", Style::Yellow, &text);
    }
}

fn verdict(success: &Success, answer: &ReviewAnswer, page: &mut Page) {
    let (word, style) = match answer.verdict {
        Verdict::Pass => ("pass", Style::Green),
        Verdict::Concerns => ("concerns", Style::Yellow),
        Verdict::Fail => ("fail", Style::Red),
        Verdict::Unknown => ("unknown", Style::Yellow),
    };
    let mut rest = match answer.review_status {
        ReviewStatus::Completed => {
            let confidence = serde_json::to_value(answer.confidence).unwrap_or_default();
            format!(" (confidence {})", tree::plain(&confidence))
        }
        ReviewStatus::NotRun => " (nothing was examined)".to_owned(),
    };
    if let Some(score) = answer.score {
        let _ = write!(rest, ", score {score}/100");
    }
    rest.push_str(&spent(success));
    page.parts(&[(Style::Plain, "verdict: "), (style, word), (Style::Plain, &rest)]);
}

/// Says who answered, how long it took and what it used, as far as it is known.
pub(super) fn spent(success: &Success) -> String {
    let mut text = String::new();
    if let Some(version) = &success.meta.peer_version {
        let _ = write!(text, ", {} {version}", success.meta.peer.unwrap_or_default());
    }
    if let Some(job) = &success.job {
        let _ = write!(text, ", {}", spoken(job.elapsed_ms));
    }
    if let Some(usage) = success.meta.usage {
        let _ = write!(text, ", {} tokens in, {} out", usage.input, usage.output);
    }
    if let Some(budget) = success.job.as_ref().and_then(|job| job.limits.budget_tokens) {
        let _ = write!(text, " of {budget}");
    }
    text
}

/// Says what to do next, in commands.
pub(super) fn steps(success: &Success, answer: &ReviewAnswer) -> Vec<String> {
    // Nothing of the demo is left to go on with; it says itself what comes next.
    if success.body.contains_key("demo") {
        return success.next_steps.clone();
    }
    let mut steps = Vec::new();
    if !answer.findings.is_empty() {
        steps.push("verify each finding in the code before you change anything".to_owned());
    }
    if let Some(job) = &success.job {
        let id = quoted(job.id.as_str());
        steps.push(format!(
            "`{} review --resume {id}` looks again in the same thread",
            program(peer_of(&success.meta, Peer::default()))
        ));
    }
    steps
}
