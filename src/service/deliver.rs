//! Tells a job: as a handle while it runs, as its result when it is over. One place, so that a call, a later look and
//! the terminal all say the same.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::domain::coverage::CoverageStatus;
use crate::domain::envelope::{ConsultAnswer, JobLimits, JobView, Meta, NextCall, ReviewAnswer, Usage};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Finding;
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::time::{rfc3339, spoken};
use crate::domain::verdict::ReviewStatus;
use crate::peer::event::Event;
use crate::peer::transcript::truncate;
use crate::run::reap::reap;
use crate::run::span::so_far;
use crate::service::reply::{Outcome, Refusal, Reply, fields};
use crate::state::directory::{Job, JobDirectory};
use crate::state::error::StateError;
use crate::state::events::{self, Entry};
use crate::state::kept;
use crate::state::record::{Answer, Expects, ResultRecord, Spec};
use crate::state::store::Store;
use crate::sys::{clock, seam};

/// Milliseconds in which a new worker has looked for a slot.
pub(super) const SLOT_LOOK_MS: u64 = 1500;
/// What a job does that no slot is free for.
pub(super) const NO_SLOT: &str = "waiting for a free slot";
/// Bytes of an envelope that are not the answer: job, meta, steps and warnings.
const AROUND_BYTES: usize = 6 * 1024;
/// Bytes of an answer that stay inline in any case; below this the lists beside it are cut.
const SHORTEST_BYTES: usize = 8 * 1024;
/// Bytes of one finding beyond which its texts are cut in an envelope that is too long.
const FINDING_BYTES: usize = 4 * 1024;

/// Whether anybody hears what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The caller waits for it.
    Present,
    /// The host gave the call up: the result counts as unread.
    Gone,
}

/// Tells a job as it stands now.
pub async fn job(store: &Store, directory: &JobDirectory, listener: Listener) -> Outcome {
    unless_gone(directory, reap(directory).await)?;
    let spec = directory.read_spec().map_err(Fault::from)?;
    let job = store.read(&spec.id).map_err(Fault::from)?;
    match job.directory.read_result().map_err(Fault::from)? {
        // Deleted since: what it was is no answer.
        None if !job.state.is_active() && !job.directory.spec_path().exists() => {
            Err(Fault::from(StateError::NoSuchJob).into())
        }
        None => Ok(handle(&job)),
        Some(result) => {
            seam::point("deliver.read");
            if listener == Listener::Present {
                job.directory.mark_fetched();
                seam::point("deliver.marked");
            }
            ended(&job, result)
        }
    }
}

/// Says that a job's record was deleted, where that is why something with it failed: another caller may forget a job
/// that this one waits for.
pub fn unless_gone<T>(directory: &JobDirectory, done: Result<T, StateError>) -> Result<T, Fault> {
    done.map_err(|error| {
        if directory.path().exists() {
            return error.into();
        }
        let message = "the job's record was deleted meanwhile";
        Fault::new(FaultCode::JobNotFound, message).call("job", json!({}))
    })
}

/// The view of a job in an envelope.
pub fn view(job: &Job, result: Option<&ResultRecord>) -> JobView {
    let now = clock::now_ms();
    let started = job.directory.started_ms();
    let active = job.state.is_active();
    // A sleep before the newest thousand events makes a running job look older than it is, and nothing else.
    let newest: Vec<Entry> = match started {
        Some(_) if active => events::newest(&job.directory.events_path())
            .take(limits::TAIL_MAX)
            .collect(),
        _ => Vec::new(),
    };
    let slept_ms = newest
        .iter()
        .map(|entry| entry.event.slept_ms())
        .fold(0, u64::saturating_add);
    let span = started.map(|started| so_far(started, now, slept_ms, job.spec.timeout_ms));
    let elapsed_ms = match result {
        Some(result) => result.elapsed_ms,
        None => span.map_or(0, |span| span.elapsed_ms),
    };
    let (phase, usage) = if active { doing(job, &newest) } else { (None, None) };
    JobView {
        id: job.id().clone(),
        kind: job.spec.kind,
        label: job.spec.label.clone(),
        state: job.state,
        elapsed_ms,
        deadline_at: span.filter(|_| active).map(|span| rfc3339(span.deadline_ms)),
        expires_at: result
            .and_then(|result| kept::expires_ms(&job.directory, result))
            .map(rfc3339),
        poll_after_ms: active.then(|| poll_after_ms(now.saturating_sub(job.spec.created_ms))),
        phase,
        usage,
        limits: JobLimits {
            timeout_s: job.spec.timeout_ms / 1000,
            budget_tokens: job.spec.budget_tokens,
        },
        next: active.then(|| NextCall {
            tool: "job",
            arguments: object(json!({"id": job.id(), "wait_s": 600})),
        }),
    }
}

/// What is known of a job for the meta of an envelope.
pub fn meta(spec: &Spec, result: Option<&ResultRecord>) -> Meta {
    Meta {
        workspace: Some(spec.workspace.display().to_string()),
        workspace_source: Some(match spec.workspace_source.as_str() {
            "argument" => "argument",
            "project_dir" => "project_dir",
            "cwd" => "cwd",
            _ => "job",
        }),
        repo_root: spec.repo_root.as_ref().map(|root| root.display().to_string()),
        isolation: Some(spec.isolation.as_str()),
        peer_version: Some(spec.peer.version.clone()),
        tier: Some(spec.tier),
        sandbox: Some(spec.tier.sandbox()),
        tools: Some(spec.tools),
        model: spec.model.as_ref().map(|model| model.as_str().to_owned()),
        effort: spec.effort.as_ref().map(|effort| effort.as_str().to_owned()),
        thread: result.and_then(|result| result.thread.clone()),
        usage: result.and_then(|result| result.usage),
        ..Meta::default()
    }
}

/// A running job: where it stands and how to ask again.
fn handle(job: &Job) -> Reply {
    let view = view(job, None);
    let mut doing = view.phase.clone().unwrap_or_default();
    if let Some(usage) = view.usage {
        doing = format!("{doing}, {} tokens", usage.spoken());
    }
    let summary = format!(
        "{} is {} as job {} ({doing}, {} so far). It goes on by itself; its result is kept.",
        job.spec.kind.as_str(),
        job.state.as_str(),
        job.id(),
        spoken(view.elapsed_ms)
    );
    Reply {
        summary,
        next_steps: vec![
            format!("call job with id {} and wait_s to wait for the result", job.id()),
            format!("call cancel with id {} to end it", job.id()),
        ],
        warnings: job.spec.warnings.clone(),
        meta: meta(&job.spec, None),
        job: Some(view),
        ..Reply::default()
    }
}

/// An ended job: its answer, or its fault with what is left of it.
fn ended(job: &Job, result: ResultRecord) -> Outcome {
    let view = view(job, Some(&result));
    let meta = meta(&job.spec, Some(&result));
    match (&result.answer, &result.fault) {
        (Some(Answer::Consult(answer)), _) => Ok(Reply {
            summary: consult_summary(job, &result),
            body: consult_body(answer, &job.directory),
            next_steps: vec![format!(
                "to ask more in the same thread, call consult with resume {}",
                job.id()
            )],
            warnings: result.warnings,
            job: Some(view),
            meta,
        }),
        (Some(Answer::Review(answer)), _) => Ok(Reply {
            summary: review_summary(answer),
            body: review_body(answer, &job.directory),
            next_steps: review_steps(job, answer),
            warnings: result.warnings,
            job: Some(view),
            meta,
        }),
        (Some(Answer::Delegate(_)), _) => Ok(Reply::default()),
        (None, fault) => {
            let mut fault = fault
                .clone()
                .unwrap_or_else(|| Fault::new(FaultCode::Internal, "the job left no reason"));
            tell_what_is_left(&mut fault, job, &result);
            Err(Box::new(Refusal {
                fault,
                job: Some(view),
                meta,
            }))
        }
    }
}

/// A failed run may have been paid for: say what it left and how to go on.
fn tell_what_is_left(fault: &mut Fault, job: &Job, result: &ResultRecord) {
    let resumable = matches!(
        fault.code,
        FaultCode::TimedOut
            | FaultCode::Cancelled
            | FaultCode::BudgetExceeded
            | FaultCode::JobLost
            | FaultCode::PeerNetwork
            | FaultCode::PeerOverloaded
            | FaultCode::PeerRateLimited
            | FaultCode::PeerUsageLimit
    );
    if result.thread.is_none() && resumable {
        // Codex opened no thread, or was told to keep none.
        let hint = fault
            .repair
            .hint
            .replace("then resume the job", "then repeat the call");
        fault.repair.hint = if hint.contains("resume the job") {
            "there is no thread to resume: repeat the call".to_owned()
        } else {
            hint
        };
    }
    if result.partial.is_some() {
        fault.repair.hint = format!(
            "{}; what it had said is in job {} with detail=full",
            fault.repair.hint,
            job.id()
        );
    }
    if fault.repair.tool.is_none() && result.thread.is_some() && resumable {
        fault.repair.tool = Some(job.spec.kind.as_str().to_owned());
        let mut arguments = match job.spec.expects {
            Expects::Consult { .. } => object(json!({"prompt": "Go on.", "resume": job.id()})),
            Expects::Review { .. } => object(json!({"resume": job.id()})),
            Expects::Delegate { .. } => object(json!({"task": "Go on.", "resume": job.id()})),
        };
        if let (FaultCode::BudgetExceeded, Some(budget)) = (fault.code, job.spec.budget_tokens) {
            let most = job.spec.budget_most.unwrap_or(limits::BUDGET_TOKENS_MAX);
            let larger = budget.saturating_mul(2).min(most);
            arguments.insert("options".to_owned(), json!({"budget_tokens": larger}));
        }
        fault.repair.arguments = Some(arguments);
    } else if fault.repair.tool.is_none() {
        fault.repair.tool = Some("job".to_owned());
        fault.repair.arguments = Some(object(json!({"id": job.id(), "detail": "full"})));
    }
}

fn consult_summary(job: &Job, result: &ResultRecord) -> String {
    format!(
        "codex answered in {} ({}). Check its claims before you act on them.",
        spoken(result.elapsed_ms),
        job.spec.label
    )
}

fn consult_body(answer: &ConsultAnswer, directory: &JobDirectory) -> Map<String, Value> {
    let mut body = fields(answer);
    body.insert("findings".to_owned(), json!([]));
    let room = limits::INLINE_BYTES - AROUND_BYTES;
    if json_bytes(&body) > room {
        // The code stands in the answer too: leaving out the second copy first loses nothing.
        body.insert("code".to_owned(), json!([]));
        let mut text = answer.answer.clone();
        let mut bytes = room;
        // How long a text is in JSON depends on what is in it, so it is tried.
        while json_bytes(&body) > room && bytes > SHORTEST_BYTES {
            truncate(&mut text, bytes);
            body.insert("answer".to_owned(), text.clone().into());
            bytes = bytes * 7 / 8;
        }
        shorten_lists(&mut body, room);
        let file = directory.answer_path();
        // A short answer with long lists has no file of its own.
        let file = if file.exists() {
            file
        } else {
            directory.result_path()
        };
        body.insert("truncated".to_owned(), truncated(answer.answer.len(), &file));
    }
    body
}

/// Cuts what is left when the main part was cut already and the rest is still too long: long texts first, then lists.
fn shorten_lists(body: &mut Map<String, Value>, room: usize) {
    for (bytes, items) in [(2000, 50), (500, 20), (200, 5)] {
        if json_bytes(body) <= room {
            return;
        }
        for name in [
            "overview",
            "questions",
            "assumptions",
            "report",
            "coverage",
            "findings",
        ] {
            if let Some(value) = body.get_mut(name) {
                cut(value, bytes, items);
            }
        }
    }
}

fn cut(value: &mut Value, bytes: usize, items: usize) {
    match value {
        Value::String(text) if text.len() > bytes => {
            truncate(text, bytes);
            text.push('…');
        }
        Value::Array(list) => {
            list.truncate(items);
            for item in list {
                cut(item, bytes, items);
            }
        }
        Value::Object(map) => map.values_mut().for_each(|item| cut(item, bytes, items)),
        _ => {}
    }
}

/// Says what a review examined first, then what it found.
pub fn review_summary(answer: &ReviewAnswer) -> String {
    let target = &answer.target;
    let files = counted(target.files, "file");
    let what = match target.scope.as_str() {
        "snippet" => "Reviewed the snippet".to_owned(),
        "working_tree" => format!("Reviewed the working tree ({files})"),
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
        CoverageStatus::Complete => String::new(),
        CoverageStatus::Partial => {
            format!(
                ", only {} of {} hunks were shown to the reviewer",
                coverage.hunks.sent, coverage.hunks.total
            )
        }
        CoverageStatus::None => ", nothing of it could be shown to the reviewer".to_owned(),
    };
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
    format!("{what}{part}: {verdict}, {found}.")
}

/// Writes a number of things.
pub fn counted(count: u32, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// The fields of a review that fit an envelope.
pub fn review_body(answer: &ReviewAnswer, directory: &JobDirectory) -> Map<String, Value> {
    let mut body = fields(answer);
    let room = limits::INLINE_BYTES - AROUND_BYTES;
    let mut kept = answer.findings.len();
    let mut shortened = false;
    if json_bytes(&body) > room {
        // One finding may be larger than an envelope; the worst must not be the one that is left out.
        let longest = answer.findings.iter().map(finding_bytes).max().unwrap_or(0);
        shortened = longest > FINDING_BYTES || answer.overview.len() > FINDING_BYTES;
        for name in ["findings", "overview", "questions", "assumptions"] {
            if let Some(value) = body.get_mut(name) {
                cut(value, FINDING_BYTES / 4, limits::FINDINGS);
            }
        }
    }
    let findings = body.get("findings").and_then(Value::as_array).cloned();
    let findings = findings.unwrap_or_default();
    while json_bytes(&body) > room && kept > 1 {
        // The worst come first, so the mildest are the ones left to the file.
        kept = kept * 3 / 4;
        body.insert("findings".to_owned(), json!(findings[..kept]));
    }
    if json_bytes(&body) > room {
        shorten_lists(&mut body, room);
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

fn review_steps(job: &Job, answer: &ReviewAnswer) -> Vec<String> {
    let mut steps = Vec::new();
    if !answer.findings.is_empty() {
        steps.push("verify each finding in the code before you change anything".to_owned());
    }
    if answer.coverage.status == CoverageStatus::Partial {
        steps.push("look at coverage.omitted: those parts were not reviewed".to_owned());
    }
    steps.push(format!(
        "after the changes, call review with resume {} to look again in the same thread",
        job.id()
    ));
    steps
}

fn finding_bytes(finding: &Finding) -> usize {
    serde_json::to_vec(finding).map_or(0, |bytes| bytes.len())
}

fn truncated(whole: usize, file: &Path) -> Value {
    json!({"whole": whole, "file": file.display().to_string()})
}

fn json_bytes(body: &Map<String, Value>) -> usize {
    serde_json::to_vec(body).map_or(0, |bytes| bytes.len())
}

/// What an active job does, and the tokens it has used so far.
fn doing(job: &Job, newest: &[Entry]) -> (Option<String>, Option<Usage>) {
    if job.state == JobState::Queued {
        // A worker needs a moment to look for a slot; until then nobody waits.
        let age_ms = clock::now_ms().saturating_sub(job.spec.created_ms);
        let doing = if age_ms < SLOT_LOOK_MS {
            "starting"
        } else {
            NO_SLOT
        };
        return (Some(doing.to_owned()), None);
    }
    let phase = newest.iter().find_map(|entry| entry.event.phase());
    let usage = newest.iter().find_map(|entry| match entry.event {
        Event::Tokens { used } => Some(used),
        _ => None,
    });
    (Some(phase.unwrap_or_else(|| "starting".to_owned())), usage)
}

/// The longer a job runs, the less often it is worth asking.
fn poll_after_ms(age_ms: u64) -> u64 {
    match age_ms / 1000 {
        0..30 => 10_000,
        30..120 => 20_000,
        120..300 => 45_000,
        300..900 => 60_000,
        _ => 90_000,
    }
}

/// Turns a JSON literal into an object.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_shown_in_part_however_long_it_is() {
        let check = |line: &str, bytes: usize| {
            let answer = ConsultAnswer {
                answer: line.repeat(bytes / line.len()),
                ..ConsultAnswer::default()
            };
            let directory = JobDirectory::at(Path::new("/nonexistent/jobs/one"));
            let body = consult_body(&answer, &directory);
            let shown = body["answer"].as_str().map_or(0, str::len);
            assert!(
                json_bytes(&body) < limits::INLINE_BYTES,
                "{bytes} bytes stay in bounds"
            );
            assert!(
                shown > limits::INLINE_BYTES / 8,
                "{bytes} bytes are shown in part, not {shown}"
            );
        };
        check("a line of words\n", 60_000);
        check("a line of words\n", 5_000_000);
        check("\"\u{1}\n", 200_000);
    }
}
