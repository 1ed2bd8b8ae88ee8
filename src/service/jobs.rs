//! Looking at jobs: one, or a list.

mod kept;

use serde_json::{Map, Value, json};

use crate::domain::count::counted;
use crate::domain::envelope::Meta;
use crate::domain::fault::Fault;
use crate::domain::job::{JobId, JobName, JobState};
use crate::domain::limits;
use crate::domain::request::{Detail, JobRequest, StateFilter};
use crate::domain::time::rfc3339;
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::{self, Listener, object};
use crate::service::elsewhere;
use crate::service::group::tell::{meta, tell, view};
use crate::service::group::{self, Found, Run};
use crate::service::jobs::kept::{diff, fitting, insert_events, log, shorten};
use crate::service::reply::{Outcome, Reply, fields};
use crate::service::shown;
use crate::service::waiting::wait_for_jobs;
use crate::service::workspace::Workspace;
use crate::state::directory::{Job, JobDirectory};
use crate::state::groups::{self, Group};
use crate::state::passes;
use crate::state::quarantine;
use crate::state::record::{Egress, ResultRecord};
use crate::state::store::Store;

/// Bytes of an envelope around its rows.
const AROUND_BYTES: usize = 6 * 1024;
/// What is left out of a detailed answer that has no room, the longest parts first; a file that it names holds each.
const FULL_PARTS: [(&str, Option<&str>); 9] = [
    ("events", None),
    ("result", Some("answer")),
    ("result", Some("raw")),
    ("result", Some("commands")),
    ("egress", Some("verification")),
    ("egress", Some("files")),
    ("result", Some("partial")),
    ("expects", Some("coverage")),
    ("result", Some("partial_review")),
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
            match group::find(&store, name, &workspace)? {
                Found::Job(job) => {
                    Box::pin(elsewhere::refresh_one(service, &config, &store, &job)).await;
                    if job.state.is_active() && !wait.is_zero() {
                        let directories = std::slice::from_ref(&job.directory);
                        wait_for_jobs(directories, *wait, false, call).await?;
                    }
                    show(service, &store, *job, *tail, *detail).await
                }
                Found::Group(group) => {
                    let directories = group::directories(&store, &group);
                    Box::pin(elsewhere::refresh(service, &config, &store, directories.iter())).await;
                    if !wait.is_zero() {
                        wait_for_jobs(&directories, *wait, false, call).await?;
                    }
                    show_group(service, &store, &group, *detail).await
                }
            }
        }
        JobRequest::List {
            filter,
            limit,
            group,
            workspace,
        } => {
            let workspace = Workspace::resolve(service, workspace.as_deref(), &config)?;
            elsewhere::see_to_it(service, &config, &store);
            list(&store, *filter, *limit, group.as_deref(), &workspace).await
        }
    }
}

/// Finds the job whose log a name means. A group is a fault that names its runs.
pub fn find_log(store: &Store, name: &JobName, workspace: &Workspace) -> Result<Job, Fault> {
    match group::find(store, name, workspace)? {
        Found::Job(job) => Ok(*job),
        Found::Group(group) => Err(no_own(&group, "log").field("id")),
    }
}

async fn show(service: &Service, store: &Store, job: Job, tail: usize, detail: Detail) -> Outcome {
    match detail {
        Detail::Summary => summary(service, store, &job, tail).await,
        Detail::Full => full(store, &job, tail).await,
        Detail::Diff => diff(&job),
        Detail::Log => Ok(log(&job, tail)),
    }
}

/// Shows a group. It has neither a diff nor a log of its own.
async fn show_group(service: &Service, store: &Store, group: &Group, detail: Detail) -> Outcome {
    let field = match detail {
        Detail::Summary => return tell(service, store, group, Listener::Present).await,
        Detail::Full => return Ok(whole_group(store, group).await),
        Detail::Diff => "diff",
        Detail::Log => "log",
    };
    Err(no_own(group, field).into())
}

/// The fault of asking a group for what only its runs have.
fn no_own(group: &Group, what: &str) -> Fault {
    let jobs: Vec<&str> = group.members.iter().map(|member| member.job.as_str()).collect();
    let message = format!(
        "{} is a group and has no {what} of its own; its runs have one each",
        group.id
    );
    Fault::argument("detail", message)
        .hint(format!("ask for one of its runs: {}", jobs.join(", ")))
        .call("job", json!({"id": jobs.first(), "detail": what}))
}

/// Everything that is known of a group's runs, as far as it fits: also what failed ones left.
async fn whole_group(store: &Store, group: &Group) -> Reply {
    let runs = group::runs(store, group).await;
    let rows = runs.iter().map(|run| {
        let mut row = match &run.job {
            Some(job) => row(job, run.result.as_ref()),
            None => object(json!({"id": run.place.job, "state": "gone"})),
        };
        row.insert("task".to_owned(), run.place.task.clone().into());
        row.insert("attempt".to_owned(), run.place.attempt.into());
        if let Some(result) = &run.result {
            row.insert("result".to_owned(), result_view(result));
        }
        Value::Object(row)
    });
    let (rows, more) = fitting(rows, limits::INLINE_BYTES - AROUND_BYTES);
    let mut body = object(json!({"runs": rows}));
    if more > 0 {
        body.insert("runs_more".to_owned(), more.into());
    }
    Reply {
        summary: format!(
            "Everything that is kept of the {} runs of group {}.",
            runs.len(),
            group.id
        ),
        job: Some(view(group, &runs)),
        body,
        next_steps: vec!["call job with the id of a run and detail full for all of it".to_owned()],
        meta: meta(&runs),
        ..Reply::default()
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
    body.insert("egress".to_owned(), egress_view(&job.directory, &job.spec.egress));
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

/// Tells what left the machine: what was decided before the job began, and with it the prompts that were written while it
/// ran, those that try to refute what was found.
fn egress_view(directory: &JobDirectory, egress: &Egress) -> Value {
    let mut view = json!(egress);
    let further: Vec<Value> = passes::read_egress(directory)
        .into_iter()
        .map(|(pass, egress)| {
            let mut row = fields(&egress);
            row.insert("pass".to_owned(), pass.into());
            Value::Object(row)
        })
        .collect();
    if !further.is_empty() {
        view["verification"] = further.into();
    }
    view
}

/// Leaves out parts in this order until the rest fits an envelope, and returns what was left out.
pub fn fit(body: &mut Map<String, Value>, order: &[(&str, Option<&str>)]) -> Vec<String> {
    let bytes = |body: &Map<String, Value>| shown::json_bytes(body);
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

fn list_row(job: &Job) -> Value {
    Value::Object(row(job, job.directory.read_result().ok().flatten().as_ref()))
}

/// Tells a job in a few fields, as a list of many does.
pub fn row(job: &Job, result: Option<&ResultRecord>) -> Map<String, Value> {
    let mut row = fields(&deliver::view(job, result));
    row.insert("created_at".to_owned(), rfc3339(job.spec.created_ms).into());
    if let Some(group) = group::group_of(job) {
        row.insert("group".to_owned(), json!(group));
    }
    if let Some(label) = &job.spec.group {
        row.insert("group_label".to_owned(), json!(label));
    }
    if let Some(earlier) = &job.spec.supersedes {
        row.insert("supersedes".to_owned(), json!(earlier));
    }
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

/// Lists the jobs, each group before the first of its own that is listed.
async fn with_groups(store: &Store, jobs: &[Job]) -> Vec<Value> {
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    for job in jobs {
        let group = group::group_of(job).filter(|id| !told.contains(*id));
        if let Some(id) = group
            && let Ok(Some(group)) = groups::read(store, id)
        {
            told.push(id.clone());
            rows.push(Value::Object(group_row(store, &group).await));
        }
        rows.push(list_row(job));
    }
    rows
}

/// Tells a group in a few fields.
async fn group_row(store: &Store, group: &Group) -> Map<String, Value> {
    let runs = group::runs(store, group).await;
    let mut row = fields(&view(group, &runs));
    row.insert("created_at".to_owned(), rfc3339(group.id.created_ms()).into());
    row.insert("runs".to_owned(), runs.len().into());
    let is_read = |run: &Run| {
        let job = run.job.as_ref();
        job.is_none_or(|job| job.directory.fetched_path().exists())
    };
    row.insert("fetched".to_owned(), runs.iter().all(is_read).into());
    row
}

async fn list(
    store: &Store,
    filter: StateFilter,
    limit: usize,
    label: Option<&str>,
    workspace: &Workspace,
) -> Outcome {
    // A label is known only of a record that was read, so as many are looked at as a list can hold.
    let looked_at = label.map_or(limit, |_| limits::LIST_MAX);
    // A lost job gets its result as soon as somebody looks.
    let (mut jobs, damaged) = store
        .list(Some(workspace.hash()), filter, looked_at)
        .map_err(Fault::from)?;
    if label.is_some() {
        jobs.retain(|job| job.spec.group.as_deref() == label);
        jobs.truncate(limit);
    }
    let mut warnings = Vec::new();
    for job in jobs.iter().filter(|job| job.state == JobState::Lost) {
        // One that cannot be written now is written at the next look, and hides no other.
        if let Err(error) = reap(&job.directory).await {
            warnings.push(format!("what job {} left cannot be collected: {error}", job.id()));
        }
    }
    warnings.truncate(WARNINGS);
    let rows = with_groups(store, &jobs).await;
    let (rows, more) = fitting(rows.into_iter(), limits::INLINE_BYTES - AROUND_BYTES);
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
        None => vec!["call consult, review or delegate to start one".to_owned()],
    };
    Ok(Reply {
        summary: format!(
            "{} of this workspace, {active} of them active.",
            counted(jobs.len(), "job")
        ),
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
