//! The answer of a review.

use serde_json::{Map, Value, json};

use crate::domain::count::counted;
use crate::domain::coverage::CoverageStatus;
use crate::domain::finding::Finding;
use crate::domain::limits;
use crate::domain::review_answer::ReviewAnswer;
use crate::domain::verdict::ReviewStatus;
use crate::service::deliver::room::{ROOM, cut, json_bytes, shorten_lists, truncated};
use crate::service::reply::fields;
use crate::service::shown;
use crate::state::directory::{Job, JobDirectory};

/// Bytes of one finding beyond which its texts are cut in an envelope that is too long.
const FINDING_BYTES: usize = 4 * 1024;

/// Says what a review examined first, then what it found.
pub fn summary(answer: &ReviewAnswer) -> String {
    let target = &answer.target;
    let files = counted(target.files, "file");
    let what = match target.scope.as_str() {
        "snippet" => "Reviewed the snippet".to_owned(),
        "working_tree" => format!("Reviewed the working tree ({files})"),
        "job" => format!("Reviewed what a delegate left ({files})"),
        "staged" => format!("Reviewed the staged changes ({files})"),
        scope => {
            let ends: Vec<&str> = [&target.base_oid, &target.head_oid]
                .iter()
                .filter_map(|oid| oid.as_deref())
                .collect();
            let short: Vec<&str> = ends.iter().map(|oid| &oid[..oid.len().min(10)]).collect();
            format!("Reviewed the {scope} {} ({files})", short.join(".."))
        }
    };
    let coverage = &answer.coverage;
    let part = match coverage.status {
        CoverageStatus::Complete if coverage.hunks.reviewed_before > 0 => format!(
            ", {} of {} hunks new since the review before",
            coverage.hunks.sent, coverage.hunks.total
        ),
        CoverageStatus::Complete => String::new(),
        CoverageStatus::Partial => {
            let hunks = &coverage.hunks;
            let before = match hunks.reviewed_before {
                0 => String::new(),
                before => format!(", {before} of them in the review before"),
            };
            let generated = coverage
                .generated_left_out()
                .map_or_else(String::new, |told| format!(", {told}"));
            format!(
                ", only {} of {} hunks were shown to the reviewer{before}{generated}",
                hunks.sent + hunks.reviewed_before,
                hunks.total
            )
        }
        CoverageStatus::None => ", nothing of it could be shown to the reviewer".to_owned(),
    };
    if answer.review_status == ReviewStatus::NotRun && answer.examination.is_some() {
        return format!("{what}: not run, the reviewer said nothing that shows that it read the change.");
    }
    if answer.review_status == ReviewStatus::NotRun {
        return format!("{what}{part}: not run, nothing was examined and nothing was paid.");
    }
    let verdict = serde_json::to_value(answer.verdict).ok();
    let verdict = verdict.as_ref().and_then(Value::as_str).unwrap_or_default();
    let found = match answer.findings.len() {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let known = answer.baseline.as_ref().map_or(0, |report| report.known.len());
    let aside: Vec<String> = [
        (answer.suppressed.len(), "suppressed"),
        (known, "in the baseline"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!(", {count} {what}"))
    .collect();
    let found = format!("{found}{}", aside.concat());
    let refuted = match answer.refuted.len() {
        0 => String::new(),
        count => format!(" ({count} refuted)"),
    };
    let since = answer.since.as_ref().map_or_else(String::new, |tracking| {
        format!(" Since {}: {}.", tracking.job, tracking.spoken())
    });
    format!("{what}{part}: {verdict}, {found}{refuted}.{since}")
}

/// The fields of a review that fit an envelope.
pub fn body(answer: &ReviewAnswer, directory: &JobDirectory) -> Map<String, Value> {
    let mut body = fields(answer);
    // Counted here, listed by `detail=full` and in a report: what was decided already is not what a reader looks for.
    let aside = [
        ("suppressed_count", answer.suppressed.len()),
        (
            "baseline_count",
            answer.baseline.as_ref().map_or(0, |report| report.known.len()),
        ),
        (
            "baseline_gone",
            answer.baseline.as_ref().map_or(0, |report| report.gone.len()),
        ),
    ];
    for name in ["suppressed", "baseline"] {
        body.remove(name);
    }
    for (name, count) in aside.into_iter().filter(|(_, count)| *count > 0) {
        body.insert(name.to_owned(), count.into());
    }
    // They are counted; whoever wants to read them asks for all of the job.
    body.remove("refuted");
    let mut kept = answer.findings.len();
    let mut shortened = false;
    if json_bytes(&body) > ROOM {
        // One finding may be larger than an envelope; the worst must not be the one that is left out.
        let longest = answer.findings.iter().map(finding_bytes).max().unwrap_or(0);
        shortened = longest > FINDING_BYTES || answer.overview.len() > FINDING_BYTES;
        for name in ["findings", "since", "overview", "questions", "assumptions"] {
            if let Some(value) = body.get_mut(name) {
                cut(value, FINDING_BYTES / 4, limits::FINDINGS);
            }
        }
    }
    let findings = body.get("findings").and_then(Value::as_array).cloned();
    let findings = findings.unwrap_or_default();
    // Several looks together may have found more than a list keeps that was cut.
    kept = kept.min(findings.len());
    while json_bytes(&body) > ROOM && kept > 1 {
        // The worst come first, so the mildest are the ones left to the file.
        kept = kept * 3 / 4;
        body.insert("findings".to_owned(), json!(findings[..kept]));
    }
    if json_bytes(&body) > ROOM {
        shorten_lists(&mut body, ROOM);
        shortened = true;
    }
    if kept < answer.findings.len() {
        body.insert("findings_more".to_owned(), (answer.findings.len() - kept).into());
    }
    if shortened || kept < answer.findings.len() {
        body.insert(
            "truncated".to_owned(),
            truncated(answer.findings.len(), &directory.result_path()),
        );
    }
    body
}

/// Says what to do with it.
pub(super) fn steps(job: &Job, answer: &ReviewAnswer) -> Vec<String> {
    let mut steps = Vec::new();
    if !answer.findings.is_empty() {
        steps.push("verify each finding in the code before you change anything".to_owned());
    }
    if !answer.refuted.is_empty() {
        steps.push(format!(
            "call job with id {} and detail full to read what was refuted, and why",
            job.id()
        ));
    }
    if answer.coverage.status == CoverageStatus::Partial {
        steps.push("look at coverage.omitted: those parts were not reviewed".to_owned());
    }
    if answer
        .since
        .as_ref()
        .is_some_and(|tracking| !tracking.unmentioned.is_empty())
    {
        steps.push(
            "look at since.unmentioned: their code still stands there, and the reviewer said nothing of them"
                .to_owned(),
        );
    }
    steps.push(format!(
        "after the changes, call review with resume {} to look again in the same thread",
        job.id()
    ));
    steps
}

fn finding_bytes(finding: &Finding) -> usize {
    shown::json_bytes(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::tests::finding;
    use crate::domain::finding::{Anchor, Severity};
    use crate::domain::review_answer::tests::answer;

    #[test]
    fn more_findings_than_one_look_may_have_are_told_as_far_as_they_fit() {
        let dir = tempfile::tempdir().unwrap();
        for count in [1, limits::FINDINGS, 3 * limits::FINDINGS] {
            for bytes in [10, 2 * FINDING_BYTES] {
                let mut one = finding("f", Severity::High, Anchor::Exact);
                one.risk = "r".repeat(bytes);
                let answer = answer(vec![one; count]);
                let body = body(&answer, &JobDirectory::at(dir.path()));
                let told = body["findings"].as_array().unwrap().len();
                let more = body.get("findings_more").map_or(0, |more| more.as_u64().unwrap());
                assert_eq!(told + usize::try_from(more).unwrap(), count, "{count} of {bytes}");
                assert!(json_bytes(&body) <= ROOM + 1024, "{count} of {bytes}");
            }
        }
    }
}
