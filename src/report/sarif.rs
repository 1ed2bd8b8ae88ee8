//! A report as SARIF 2.1.0.
//!
//! Only findings that point into the change become results: others have no line that a reader could open, and are counted
//! in a notification, as are those about a file whose name cannot be written as a reference. What was not reviewed is a notification too, so that an empty list of results is never read as "all
//! was looked at".

use serde_json::{Map, Value, json};

use crate::domain::count::counted;
use crate::domain::coverage::CoverageStatus;
use crate::domain::finding::{Anchor, Finding, Severity, Side};
use crate::domain::review_answer::ReviewAnswer;
use crate::domain::suppression::SuppressedBy;
use crate::domain::time::rfc3339;
use crate::domain::verdict::ReviewStatus;
use crate::domain::visible::make_visible;
use crate::report::escape::cut;
use crate::report::review::ReviewReport;
use crate::report::uri;
use crate::report::words::{Earlier, SEVERITIES, examined, masked, place, spoken};

/// Where the schema of this version stands.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Results of one run that GitHub takes; of these it shows 5,000, the worst ones.
pub const RESULTS: usize = 25_000;
/// Bytes of all results. GitHub takes 10 MB compressed, and nothing grows by it.
pub const RESULT_BYTES: usize = 9 * 1024 * 1024;
/// Characters of one message or quote.
const TEXT_CHARS: usize = 4000;
/// Characters of a title or a name.
const NAME_CHARS: usize = 500;
/// Refuted findings of the review before that are told one by one; their number is told always.
const REFUTED_TOLD: usize = 20;
/// Names the repository's root, which nobody but the reader knows.
const ROOT: &str = "SRCROOT";

/// Writes a report as one JSON text.
pub fn write(report: &ReviewReport) -> String {
    format!("{}\n", log(report))
}

fn log(report: &ReviewReport) -> Value {
    let (results, left_out) = results(report);
    let answer = &report.answer;
    let is_completed = answer.review_status == ReviewStatus::Completed;
    let mut invocation = json!({"executionSuccessful": is_completed,
        "toolExecutionNotifications": notifications(report, left_out)});
    for (name, at) in [("startTimeUtc", report.begun_ms), ("endTimeUtc", report.ended_ms)] {
        if let Some(at) = at {
            invocation[name] = rfc3339(at).into();
        }
    }
    let mut tool = json!({"driver": {"name": "crosscheck", "fullName": "Crosscheck review",
        "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": SEVERITIES.map(rule)}});
    if let (Some(peer), Some(version)) = (report.meta.peer, &report.meta.peer_version) {
        // The reviewer itself. It is named, and brings no rules of its own.
        tool["extensions"] = json!([{"name": peer, "version": shown(version, NAME_CHARS)}]);
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": tool,
            // What GitHub calls the category: another tool's alerts are not closed by ours.
            "automationDetails": {"id": "crosscheck/review/"},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "The top folder of the repository."}}},
            "invocations": [invocation],
            "results": results,
            "properties": properties(report),
        }],
    })
}

/// The findings have no categories that could be rules, so a rule says how bad a finding is and nothing more.
fn rule(severity: Severity) -> Value {
    let name = severity.as_str();
    let about = match severity {
        Severity::Critical => "Data loss, a security hole, or a crash for everybody.",
        Severity::High => "Wrong in a case that will happen.",
        Severity::Medium => "Wrong in a case that can happen.",
        Severity::Low => "Small, or unlikely.",
        Severity::Nit => "Taste.",
    };
    json!({
        "id": rule_id(severity),
        "name": format!("Review{}{}", name[..1].to_ascii_uppercase(), &name[1..]),
        "shortDescription": {"text": format!("A reviewer's finding of severity {name}")},
        "fullDescription": {"text": about},
        "help": {"text": "A model read the change and claims this. Read the code before you act on it."},
        "defaultConfiguration": {"level": level(severity), "rank": rank(severity)},
        "properties": {"tags": ["review"], "problem.severity": problem(severity)},
    })
}

fn rule_id(severity: Severity) -> String {
    format!("review/{}", severity.as_str())
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Nit => "note",
    }
}

fn problem(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Nit => "recommendation",
    }
}

/// 0 to 100: only the order means something.
fn rank(severity: Severity) -> f64 {
    match severity {
        Severity::Critical => 100.0,
        Severity::High => 80.0,
        Severity::Medium => 50.0,
        Severity::Low => 25.0,
        Severity::Nit => 5.0,
    }
}

/// Returns the results and how many findings of the change have no room.
fn results(report: &ReviewReport) -> (Vec<Value>, usize) {
    let earlier = Earlier::of(report);
    let mut results = Vec::new();
    let (mut bytes, mut left_out) = (0, 0);
    let open = report
        .by_severity()
        .into_iter()
        .map(|finding| (finding, json!([])));
    // Behind those that count: where there is no room, what was decided already is left out first.
    for (finding, suppressions) in open.chain(set_aside(report)) {
        let Some(location) = location(finding) else {
            continue;
        };
        if results.len() == RESULTS || left_out > 0 {
            left_out += 1;
            continue;
        }
        let mut result = result(finding, &location, &earlier);
        result["suppressions"] = suppressions;
        bytes += result.to_string().len();
        if bytes > RESULT_BYTES {
            left_out += 1;
        } else {
            results.push(result);
        }
    }
    (results, left_out)
}

/// Lists the findings that do not count, each with the format's own word for why.
fn set_aside(report: &ReviewReport) -> impl Iterator<Item = (&Finding, Value)> {
    let suppressed = report.answer.suppressed.iter().map(|suppressed| {
        let kind = match suppressed.by {
            SuppressedBy::File => "external",
            SuppressedBy::Inline => "inSource",
        };
        let why = shown(&suppressed.reason, TEXT_CHARS);
        let suppression = json!([{"kind": kind, "status": "accepted", "justification": why,
            "properties": {"expires": suppressed.expires.to_string()}}]);
        (&suppressed.finding, suppression)
    });
    let baseline = report.answer.baseline.iter();
    let known = baseline.flat_map(|report| &report.known).map(|finding| {
        let why = "It is in the baseline: accepted as it stood.";
        let suppression = json!([{"kind": "external", "status": "accepted", "justification": why}]);
        (finding, suppression)
    });
    suppressed.chain(known)
}

fn result(finding: &Finding, location: &Value, earlier: &Earlier<'_>) -> Value {
    let rule_index = SEVERITIES
        .iter()
        .position(|severity| *severity == finding.severity);
    let id = shown(&finding.id, NAME_CHARS);
    json!({
        "ruleId": rule_id(finding.severity),
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": level(finding.severity),
        "rank": rank(finding.severity),
        "message": {"text": message(finding)},
        "locations": [location],
        // The first is what GitHub tracks an alert by, and two findings at one line are two alerts.
        "partialFingerprints": {"primaryLocationLineHash": format!("{id}:1"), "crosscheckFinding/v1": id},
        "suppressions": [],
        "properties": without_nulls(json!({
            "severity": finding.severity.as_str(),
            "side": finding.side,
            "anchor": finding.anchor,
            "basis": finding.basis,
            "origin": finding.origin,
            "votes": finding.votes,
            "looks": finding.looks,
            "confidence": finding.confidence,
            "standsInBase": finding.stands_in_base,
            "check": finding.check.as_deref().map(|check| shown(check, TEXT_CHARS)),
            // Not the format's own state of a baseline: that is for whoever compares two whole logs.
            "standing": earlier.standing(finding),
        })),
    })
}

/// Leaves out what nobody knows: absent says so, and readers of this format take null for a value.
fn without_nulls(mut properties: Value) -> Value {
    if let Some(map) = properties.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    properties
}

fn message(finding: &Finding) -> String {
    let mut parts = vec![shown(&finding.title, NAME_CHARS)];
    if finding.side == Side::Old {
        let place = shown(&place(finding), NAME_CHARS);
        parts.push(format!("It is about {place} as it was before the change."));
    }
    for (name, text) in [("Risk", &finding.risk), ("Fix", &finding.recommendation)] {
        if !text.trim().is_empty() {
            parts.push(format!("{name}: {}", shown(text.trim(), TEXT_CHARS)));
        }
    }
    parts.join("\n\n")
}

/// Returns where a result points. A finding on the old side has a file and no line: the line is not in the files that a
/// reader of this looks at. `None` for one that points nowhere in the change, or at a file whose name is no text: GitHub
/// refuses a whole log for one result without a place.
fn location(finding: &Finding) -> Option<Value> {
    if finding.anchor == Anchor::OffDiff {
        return None;
    }
    let uri = uri::relative(&finding.file)?;
    let mut physical = json!({"artifactLocation": {"uri": uri, "uriBaseId": ROOT}});
    if finding.side == Side::New && finding.line > 0 {
        let mut region = Map::new();
        region.insert("startLine".to_owned(), finding.line.into());
        if let Some(end) = finding.end_line.filter(|end| *end > finding.line) {
            region.insert("endLine".to_owned(), end.into());
        }
        if !finding.evidence.trim().is_empty() {
            region.insert(
                "snippet".to_owned(),
                json!({"text": shown(&finding.evidence, TEXT_CHARS)}),
            );
        }
        physical["region"] = Value::Object(region);
    }
    Some(json!({"physicalLocation": physical}))
}

fn notifications(report: &ReviewReport, left_out: usize) -> Vec<Value> {
    let answer = &report.answer;
    let note = |level: &str, text: String| json!({"level": level, "message": {"text": text}});
    let mut told = Vec::new();
    match (answer.review_status, answer.coverage.status) {
        (ReviewStatus::NotRun, _) | (_, CoverageStatus::None) => {
            told.push(note("error", examined(&answer.coverage)));
        }
        (_, CoverageStatus::Partial) => told.push(note("warning", examined(&answer.coverage))),
        (_, CoverageStatus::Complete) => {}
    }
    if let Some(masked) = masked(&answer.coverage) {
        told.push(note("note", masked));
    }
    told.extend(followed(answer).into_iter().map(|text| note("note", text)));
    let findings = answer.findings.iter();
    let astray = findings.filter(|finding| location(finding).is_none()).count();
    if astray > 0 {
        told.push(note(
            "note",
            format!(
                "{} without a place in the change: not among the results.",
                counted(astray, "finding")
            ),
        ));
    }
    if left_out > 0 {
        told.push(note(
            "warning",
            format!(
                "{} left out for want of room; the mildest.",
                counted(left_out, "finding")
            ),
        ));
    }
    told
}

/// Says what became of the findings of the review before: one that is no result any more is closed by whoever compares two
/// logs, and why it was is told here.
fn followed(answer: &ReviewAnswer) -> Vec<String> {
    let Some(since) = &answer.since else {
        return Vec::new();
    };
    let refuted = since.refuted.iter().take(REFUTED_TOLD).map(|refuted| {
        format!(
            "Refuted: {} ({}): {}",
            shown(&refuted.known.title, NAME_CHARS),
            shown(&refuted.known.file, NAME_CHARS),
            shown(&refuted.reason, TEXT_CHARS)
        )
    });
    let sum = format!("Since {}: {}.", shown(&since.job, NAME_CHARS), since.spoken());
    std::iter::once(sum).chain(refuted).collect()
}

fn properties(report: &ReviewReport) -> Value {
    let answer = &report.answer;
    let coverage = &answer.coverage;
    let omitted = coverage.omitted.iter();
    let omitted =
        omitted.map(|omission| json!({"path": shown(&omission.path, NAME_CHARS), "reason": omission.reason}));
    without_nulls(json!({
        "verdict": answer.verdict,
        "confidence": answer.confidence,
        "reviewStatus": answer.review_status,
        "scope": shown(&answer.target.scope, NAME_CHARS),
        "coverage": {
            "status": spoken(&coverage.status),
            "files": coverage.files,
            "hunks": coverage.hunks,
            "omitted": omitted.collect::<Vec<_>>(),
            "omittedMore": coverage.omitted_more,
            "masked": coverage.redaction.count,
        },
        "job": report.job.as_ref().map(|job| job.id.as_str()),
    }))
}

/// Writes a text of others for a message: nothing hidden, and neither an embedded link (`[text](target)`) nor a
/// placeholder (`{0}`). A space tells them apart from these; the escapes of the format are shown as they are by many readers.
fn shown(text: &str, chars: usize) -> String {
    let (head, rest) = cut(text, chars);
    let mut out = make_visible(head).replace("](", "] (");
    for (at, _) in out.clone().rmatch_indices('{') {
        if out[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            out.insert(at + 1, ' ');
        }
    }
    if rest > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use jsonschema::Validator;
    use proptest::prelude::*;

    use super::*;
    use crate::report::sample;

    fn validator() -> Validator {
        let schema = include_str!("../../tests/schemas/sarif-2.1.0.json");
        // The pattern of a language in the published schema is no valid expression, a bracket too many; no log has one.
        let (wrong, right) = ("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
        assert_eq!(schema.matches(wrong).count(), 2);
        jsonschema::validator_for(&serde_json::from_str(&schema.replace(wrong, right)).unwrap()).unwrap()
    }

    fn assert_valid(validator: &Validator, report: &ReviewReport) -> Value {
        let log: Value = serde_json::from_str(&write(report)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&log)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(!has_null(&log), "{log:#}");
        log
    }

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(has_null),
            Value::Object(map) => map.values().any(has_null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    fn not_run() -> ReviewReport {
        let mut report = sample::report();
        report.answer.review_status = ReviewStatus::NotRun;
        report.answer.coverage.status = CoverageStatus::None;
        report.answer.findings.clear();
        (report.begun_ms, report.ended_ms) = (None, None);
        report
    }

    #[test]
    fn a_report_reads_like_this() {
        let text = format!("{:#}", log(&sample::report()));
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn every_report_fits_the_official_schema() {
        let validator = validator();
        assert_valid(&validator, &sample::report());
        for text in sample::HOSTILE {
            assert_valid(&validator, &sample::hostile(text));
        }
        let log = assert_valid(&validator, &not_run());
        let invocation = &log["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        assert_eq!(invocation["toolExecutionNotifications"][0]["level"], "error");
        assert!(!validator.is_valid(&json!({"version": "2.1.0"})));
        assert!(!validator.is_valid(&json!({"version": "2.1.0", "runs": [{"results": []}]})));
    }

    #[test]
    fn a_partial_review_says_so_and_a_stray_finding_is_no_result() {
        let log = log(&sample::report());
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 5);
        // What was set aside stands behind, with the reason.
        let set_aside = |result: &&Value| !result["suppressions"].as_array().unwrap().is_empty();
        let reasons: Vec<&Value> = results.iter().filter(set_aside).collect();
        assert_eq!(reasons, results[3..].iter().collect::<Vec<_>>());
        assert_eq!(reasons[0]["suppressions"][0]["justification"], "one writer");
        let told = run["invocations"][0]["toolExecutionNotifications"].to_string();
        assert!(
            told.contains("Only part of the change was reviewed: 2 of 3 hunks"),
            "{told}"
        );
        assert!(told.contains("1 finding without a place in the change"), "{told}");
        assert_eq!(run["properties"]["coverage"]["hunks"]["omitted"], 1);
        let old = run["results"]
            .as_array()
            .unwrap()
            .iter()
            .find(|result| result["properties"]["side"] == "old");
        let old = old.unwrap();
        assert!(
            old["locations"][0]["physicalLocation"].get("region").is_none(),
            "{old}"
        );
        assert!(
            !log.to_string().contains("secret-project"),
            "no path of this machine is told"
        );
    }

    #[test]
    fn a_run_stays_within_what_is_taken() {
        let validator = validator();
        let log = assert_valid(&validator, &sample::large(5000));
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 5000);
        let mut report = sample::large(RESULTS + 1000);
        let told = write(&report);
        assert!(told.len() < RESULT_BYTES + 64 * 1024, "{}", told.len());
        for finding in &mut report.answer.findings {
            finding.risk = "x".repeat(1000);
        }
        let (results, left_out) = results(&report);
        assert!(results.len() < RESULTS && left_out > 0);
        assert_eq!(results.len() + left_out, RESULTS + 1000);
        assert!(
            results.iter().all(|result| result["level"] == "error"),
            "the worst stay"
        );
        assert!(write(&report).contains("left out for want of room"));
    }

    #[test]
    fn a_message_is_neither_a_link_nor_a_form() {
        let check = |text: &str, expected: &str| assert_eq!(shown(text, 100), expected);
        check("[a](https://evil.example)", "[a] (https://evil.example)");
        check("{0} and {12}, {x}", "{ 0} and { 12}, {x}");
        check("a\u{202e}b", "a<U+202E>b");
        check(&"ä".repeat(101), &format!("{}…", "ä".repeat(100)));
    }

    proptest! {
        // A log is checked against a large schema each time.
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_finding_makes_an_invalid_log(text in "(\\PC|\\p{C}|[/.:%{}0\\[\\]()]|\\.\\./){0,30}", line in 0u32..5, end in proptest::option::of(0u32..9)) {
            let mut report = sample::hostile(&text);
            report.answer.findings[0].line = line;
            report.answer.findings[0].end_line = end;
            let log = assert_valid(&VALIDATOR, &report);
            for result in log["runs"][0]["results"].as_array().unwrap() {
                prop_assert!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].is_string());
                if let Some(region) = result["locations"][0]["physicalLocation"].get("region") {
                    prop_assert!(region["startLine"].as_u64().unwrap() >= 1);
                    prop_assert!(region.get("endLine").is_none_or(|end| end.as_u64() > region["startLine"].as_u64()));
                }
            }
        }
    }

    static VALIDATOR: std::sync::LazyLock<Validator> = std::sync::LazyLock::new(validator);
}
