//! Looking at jobs: one, or a list.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::diff::patch::Patch;
use crate::diff::render::{LEGEND, render};
use crate::diff::sent::SentPatch;
use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobName, JobState};
use crate::domain::limits;
use crate::domain::request::{Detail, JobRequest, StateFilter};
use crate::domain::time::rfc3339;
use crate::peer::transcript::truncate;
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::{self, Listener, object};
use crate::service::reply::{Outcome, Reply, fields};
use crate::service::submit::wait_for_job;
use crate::service::workspace::Workspace;
use crate::state::directory::Job;
use crate::state::events::{self, Entry};
use crate::state::quarantine;
use crate::state::record::ResultRecord;
use crate::state::store::Store;
use crate::sys::files;

/// Bytes read of a stored change.
const CHANGE_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a long text in a detailed answer; the file holds all of it.
const TEXT_BYTES: usize = 16 * 1024;

/// Bytes of an envelope around its rows.
const AROUND_BYTES: usize = 6 * 1024;
/// What is left out of a detailed answer that has no room, the longest parts first; a file that it names holds each.
const FULL_PARTS: [(&str, Option<&str>); 7] = [
    ("events", None),
    ("result", Some("answer")),
    ("result", Some("raw")),
    ("result", Some("commands")),
    ("egress", Some("files")),
    ("result", Some("partial")),
    ("expects", Some("coverage")),
];
/// Warnings of one list.
const WARNINGS: usize = 5;

/// Looks.
pub async fn run(service: &Service, request: &JobRequest, call: &Call) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    match request {
        JobRequest::Show {
            name,
            wait,
            tail,
            detail,
            workspace,
        } => {
            let workspace = Workspace::resolve(service, workspace.as_deref(), &config)?;
            let job = find(&store, name, &workspace)?;
            if job.state.is_active() && !wait.is_zero() {
                wait_for_job(&job.directory, *wait, false, call).await?;
            }
            show(service, &store, job, *tail, *detail).await
        }
        JobRequest::List {
            filter,
            limit,
            workspace,
        } => {
            let workspace = Workspace::resolve(service, workspace.as_deref(), &config)?;
            list(&store, *filter, *limit, &workspace).await
        }
    }
}

/// Finds the job that a name means.
pub fn find(store: &Store, name: &JobName, workspace: &Workspace) -> Result<Job, Fault> {
    store.find(name, workspace.hash()).map_err(|error| {
        let fault = Fault::from(error);
        if fault.code == FaultCode::JobNotFound && fault.allowed.is_none() {
            return fault.field("id").call("job", json!({}));
        }
        fault
    })
}

async fn show(service: &Service, store: &Store, job: Job, tail: usize, detail: Detail) -> Outcome {
    match detail {
        Detail::Summary => summary(service, store, &job, tail).await,
        Detail::Full => full(store, &job, tail).await,
        Detail::Diff => diff(&job),
        Detail::Log => Ok(log(&job, tail)),
    }
}

async fn summary(service: &Service, store: &Store, job: &Job, tail: usize) -> Outcome {
    let mut outcome = deliver::job(service, store, &job.directory, Listener::Present).await;
    if let Ok(reply) = &mut outcome
        && reply.job.as_ref().is_some_and(|view| view.state.is_active())
    {
        insert_events(&mut reply.body, job, tail, limits::INLINE_BYTES / 2);
    }
    outcome
}

/// Everything that is known of a job: also what a failed one left, so this never fails because the job did.
async fn full(store: &Store, job: &Job, tail: usize) -> Outcome {
    deliver::unless_gone(&job.directory, reap(&job.directory).await)?;
    let job = store.read(job.id()).map_err(Fault::from)?;
    let result = job.directory.read_result().map_err(Fault::from)?;
    let mut body = Map::new();
    if let Some(result) = &result {
        job.directory.mark_fetched();
        body.insert("result".to_owned(), result_view(result));
    }
    body.insert("egress".to_owned(), json!(job.spec.egress));
    body.insert("expects".to_owned(), json!(job.spec.expects));
    insert_events(&mut body, &job, tail, limits::INLINE_BYTES / 4);
    body.insert(
        "files".to_owned(),
        json!({
            "directory": job.directory.path().display().to_string(),
            "result": job.directory.result_path().display().to_string(),
            "prompt": job.directory.prompt_path().display().to_string(),
            "events": job.directory.events_path().display().to_string(),
            "stderr": job.directory.stderr_path().display().to_string(),
        }),
    );
    let left_out = fit(&mut body, &FULL_PARTS);
    if !left_out.is_empty() {
        body.insert("left_out".to_owned(), json!(left_out));
    }
    Ok(Reply {
        summary: format!(
            "Everything that is kept of {} job {} ({}).",
            job.spec.kind.as_str(),
            job.id(),
            job.state.as_str()
        ),
        job: Some(deliver::view(&job, result.as_ref())),
        body,
        warnings: result
            .as_ref()
            .map_or_else(|| job.spec.warnings.clone(), |result| result.warnings.clone()),
        meta: deliver::meta(&job.spec, result.as_ref()),
        ..Reply::default()
    })
}

fn result_view(result: &ResultRecord) -> Value {
    let mut view = fields(result);
    // They stand in the envelope itself.
    view.remove("warnings");
    for name in ["raw", "partial"] {
        if let Some(Value::String(text)) = view.get_mut(name) {
            shorten(text);
        }
    }
    Value::Object(view)
}

fn shorten(text: &mut String) {
    let whole = text.len();
    if whole > TEXT_BYTES {
        truncate(text, TEXT_BYTES);
        let left = whole - text.len();
        let _ = write!(text, "\n[{left} bytes left out; the file holds all of it]");
    }
}

/// Leaves out parts in this order until the rest fits an envelope, and returns what was left out.
pub fn fit(body: &mut Map<String, Value>, order: &[(&str, Option<&str>)]) -> Vec<String> {
    let bytes = |body: &Map<String, Value>| serde_json::to_vec(body).map_or(0, |bytes| bytes.len());
    let mut left_out = Vec::new();
    for (field, inner) in order {
        if bytes(body) <= limits::INLINE_BYTES - AROUND_BYTES {
            break;
        }
        match (body.get_mut(*field), inner) {
            (Some(value), None) => *value = json!([]),
            (Some(Value::Object(map)), Some(inner)) => {
                if map.remove(*inner).is_none() {
                    continue;
                }
            }
            _ => continue,
        }
        left_out.push(inner.map_or_else(|| (*field).to_owned(), |inner| format!("{field}.{inner}")));
    }
    left_out
}

/// The change as the reviewer saw it.
fn diff(job: &Job) -> Outcome {
    let path = job.directory.change_path();
    let bytes = files::read_bounded(&path, CHANGE_BYTES).map_err(|_| {
        Fault::new(
            FaultCode::InvalidArguments,
            "the job has no change: only reviews have one",
        )
        .field("detail")
    })?;
    let sent: SentPatch = serde_json::from_slice(&bytes)
        .map_err(|_| Fault::new(FaultCode::StateUnavailable, "the job's change is damaged"))?;
    let mut text = render(&Patch::from(sent)).text;
    let whole = text.len();
    shorten(&mut text);
    let mut body = object(json!({"diff": text, "diff_bytes": whole, "legend": LEGEND}));
    if whole > TEXT_BYTES {
        body.insert(
            "truncated".to_owned(),
            json!({"whole": whole, "file": path.display().to_string()}),
        );
    }
    Ok(Reply {
        summary: format!("The change as review job {} saw it, secrets masked.", job.id()),
        job: Some(deliver::view(job, None)).filter(|_| job.state.is_active()),
        body,
        meta: deliver::meta(&job.spec, None),
        ..Reply::default()
    })
}

fn log(job: &Job, tail: usize) -> Reply {
    let mut body = Map::new();
    insert_events(&mut body, job, tail, limits::INLINE_BYTES / 2);
    let mut stderr = files::read_bounded(&job.directory.stderr_path(), 2 * limits::PEER_STDERR_BYTES as u64)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    shorten(&mut stderr);
    body.insert("stderr".to_owned(), stderr.into());
    Reply {
        summary: format!("The last events of job {} ({}).", job.id(), job.state.as_str()),
        job: Some(deliver::view(job, None)).filter(|_| job.state.is_active()),
        body,
        meta: deliver::meta(&job.spec, None),
        ..Reply::default()
    }
}

/// Adds the last events that fit `room` bytes, and how many of the wanted ones do not.
fn insert_events(body: &mut Map<String, Value>, job: &Job, tail: usize, room: usize) {
    let newest = events::newest(&job.directory.events_path());
    let wanted = newest.take(tail).map(|entry| event_row(&entry));
    let (mut rows, more) = fitting(wanted, room);
    rows.reverse();
    body.insert("events".to_owned(), rows.into());
    if more > 0 {
        body.insert("events_more".to_owned(), more.into());
    }
}

/// Takes rows until `room` bytes are full; returns them and how many were left.
fn fitting(mut rows: impl Iterator<Item = Value>, room: usize) -> (Vec<Value>, usize) {
    let (mut kept, mut used) = (Vec::new(), 0);
    while let Some(row) = rows.next() {
        used += serde_json::to_vec(&row).map_or(0, |bytes| bytes.len() + 1);
        if used > room {
            return (kept, 1 + rows.count());
        }
        kept.push(row);
    }
    (kept, 0)
}

/// One event in an envelope: its texts are cut to a few lines, the log file holds them whole.
fn event_row(entry: &Entry) -> Value {
    const BYTES: usize = 400;
    let mut event = entry.event.clone();
    event.map_texts(&mut |text| truncate(text, BYTES));
    let mut row = fields(&event);
    row.shift_insert(0, "at".to_owned(), rfc3339(entry.at_ms).into());
    Value::Object(row)
}

fn list_row(job: &Job) -> Value {
    Value::Object(row(job, job.directory.read_result().ok().flatten().as_ref()))
}

/// Tells a job in a few fields, as a list of many does.
pub fn row(job: &Job, result: Option<&ResultRecord>) -> Map<String, Value> {
    let mut row = fields(&deliver::view(job, result));
    row.insert("created_at".to_owned(), rfc3339(job.spec.created_ms).into());
    row.insert("fetched".to_owned(), job.directory.fetched_path().exists().into());
    if let Some(fault) = result.and_then(|result| result.fault.as_ref()) {
        row.insert("code".to_owned(), fault.code.as_str().into());
    }
    row
}

/// Says which records no list can show, at most a few by their ids.
fn not_listed(damaged: &[JobId]) -> String {
    let named: Vec<&str> = damaged.iter().take(WARNINGS).map(JobId::as_str).collect();
    let more = if damaged.len() > named.len() { ", ..." } else { "" };
    format!(
        "{} job records cannot be read and are not listed; ask for one by its id to see why: {}{more}",
        damaged.len(),
        named.join(", ")
    )
}

async fn list(store: &Store, filter: StateFilter, limit: usize, workspace: &Workspace) -> Outcome {
    // A lost job gets its result as soon as somebody looks.
    let (jobs, damaged) = store
        .list(Some(workspace.hash()), filter, limit)
        .map_err(Fault::from)?;
    let mut warnings = Vec::new();
    for job in jobs.iter().filter(|job| job.state == JobState::Lost) {
        // One that cannot be written now is written at the next look, and hides no other.
        if let Err(error) = reap(&job.directory).await {
            warnings.push(format!("what job {} left cannot be collected: {error}", job.id()));
        }
    }
    warnings.truncate(WARNINGS);
    let (rows, more) = fitting(jobs.iter().map(list_row), limits::INLINE_BYTES - AROUND_BYTES);
    if more > 0 {
        warnings.push(format!(
            "{more} older jobs do not fit this answer; narrow it with state"
        ));
    }
    let active = jobs.iter().filter(|job| job.state.is_active()).count();
    let mut body = object(json!({"jobs": rows}));
    if !damaged.is_empty() {
        body.insert("unread".to_owned(), damaged.len().into());
        warnings.push(not_listed(&damaged));
    }
    warnings.extend(quarantine::notice(store, Some(workspace.hash())));
    let next_steps = match jobs.first() {
        Some(newest) => vec![format!("call job with id {} to see the newest", newest.id())],
        None => vec!["call consult or review to start one".to_owned()],
    };
    Ok(Reply {
        summary: format!("{} jobs of this workspace, {active} of them active.", jobs.len()),
        body,
        next_steps,
        warnings,
        meta: Meta {
            workspace: Some(workspace.root.display().to_string()),
            workspace_source: Some(workspace.source),
            ..Meta::default()
        },
        ..Reply::default()
    })
}
