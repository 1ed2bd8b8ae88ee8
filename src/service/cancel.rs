//! Ending a job, and forgetting one.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobName, JobState};
use crate::domain::job_view::JobView;
use crate::domain::request::CancelRequest;
use crate::run::reap::reap;
use crate::run::runner;
use crate::run::wait::{Follower, wait_for_worker};
use crate::run::wake;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::delegate;
use crate::service::deliver::{self, object};
use crate::service::group::{self, Found, tell};
use crate::service::jobs::fit;
use crate::service::reply::{Outcome, Refusal, Reply, fields};
use crate::service::workspace::Workspace;
use crate::state::directory::Job;
use crate::state::groups::{self, Group};
use crate::state::quarantine;
use crate::state::record::ResultRecord;
use crate::state::store::Store;
use crate::sys::seam;
use crate::sys::signal::{self, ProcessIdentity};

/// The longest an ending takes: interrupt, TERM and KILL with their graces, and the descendants.
const END_WAIT: Duration = Duration::from_secs(12);

/// What is left out of a record that has no room in an answer, the copies and the lists before the answer itself.
const RECORD_PARTS: [(&str, Option<&str>); 6] = [
    ("result", Some("raw")),
    ("spec", Some("expects")),
    ("spec", Some("egress")),
    ("result", Some("commands")),
    ("result", Some("partial")),
    ("result", Some("answer")),
];

/// Ends a job and everything below it, and says when it is over. A job that is over is left as it is.
pub async fn run(service: &Service, request: &CancelRequest, call: &Call) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let workspace = Workspace::resolve(service, request.workspace.as_deref(), &config)?;
    if request.forget
        && let JobName::Exact(id) = &request.name
    {
        // What a dead worker left running is found by its record, so it is ended before that is gone.
        let _ = reap(&store.directory(id)).await;
        if quarantine::forget(&store, id).map_err(Fault::from)? {
            return Ok(forgotten_unread(id));
        }
    }
    let found = match group::find(&store, &request.name, &workspace) {
        Ok(found) => found,
        Err(fault) => {
            // A damaged record cannot be told, but what its dead worker left running can be ended.
            // Without a lock's file there never was one, and taking it would make it: a record that is to be moved
            // aside must be left alone.
            if let JobName::Exact(id) = &request.name
                && store.directory(id).lock_path().exists()
            {
                let _ = reap(&store.directory(id)).await;
            }
            return Err(fault.into());
        }
    };
    match found {
        Found::Job(job) => {
            hush(&store, job.id(), std::iter::once(&*job), call);
            one(service, &store, *job, request.forget).await
        }
        Found::Group(group) => all(service, &store, &group, request.forget, call).await,
    }
}

/// Lets the session that started a job or a group not be woken by its end where it is the one that ends it.
fn hush<'a>(store: &Store, id: &JobId, mut jobs: impl Iterator<Item = &'a Job>, call: &Call) {
    let is_own = |job: &Job| {
        let asker = job.spec.asked_by.as_ref().map(|asker| &asker.process);
        job.state.is_active() && asker.is_some() && asker == call.host_process.as_ref()
    };
    if jobs.any(is_own) {
        wake::hush(store, id);
    }
}

/// A job that was ended, or was over before.
struct Over {
    job: Job,
    result: Option<ResultRecord>,
    was_active: bool,
    leaked: Vec<u32>,
}

/// Ends a job and waits until nothing of it runs.
async fn end(store: &Store, job: Job) -> Result<Over, Fault> {
    let was_active = job.state.is_active();
    if was_active {
        seam::point("cancel.begun");
        let asked = runner::cancel(&job.directory);
        deliver::unless_gone(&job.directory, asked)?;
        seam::point("cancel.requested");
        Follower::new(&job.directory).wait(END_WAIT, &mut |_| {}).await?;
        wait_for_worker(&job.directory).await;
    }
    deliver::unless_gone(&job.directory, reap(&job.directory).await)?;
    let job = store.read(job.id())?;
    if job.state.is_active() {
        let message = format!(
            "job {} was told to end and has not ended within {} s",
            job.id(),
            END_WAIT.as_secs()
        );
        return Err(Fault::new(FaultCode::JobNotFinished, message)
            .hint("call job with this id to see whether it ended meanwhile")
            .call("job", json!({"id": job.id(), "wait_s": 30})));
    }
    seam::point("cancel.ended");
    let result = job.directory.read_result()?;
    let leaked = still_running(&job, result.as_ref());
    Ok(Over {
        job,
        result,
        was_active,
        leaked,
    })
}

async fn one(service: &Service, store: &Store, job: Job, forget: bool) -> Outcome {
    let Over {
        job,
        result,
        was_active,
        leaked,
    } = end(store, job).await?;
    let thread = result.as_ref().and_then(|result| result.thread.clone());
    // A job that gave its answer while it was told to end was not ended by us.
    let ended = was_active && job.state == JobState::Cancelled;
    let mut summary = let_go(&job, was_active).unwrap_or_else(|| told(&job, was_active, &leaked));
    let mut body = object(json!({"ended": ended, "leaked": leaked}));
    let mut warnings = result
        .as_ref()
        .map(|result| result.warnings.clone())
        .unwrap_or_default();
    let mut next_steps = Vec::new();
    if forget {
        let (record, left_out) = record(&job, result.as_ref())?;
        body.insert("record".to_owned(), record);
        if !left_out.is_empty() {
            body.insert("left_out".to_owned(), json!(left_out));
        }
        delete(service, store, &job).await?;
        summary.push_str(" Its record was deleted.");
        warnings.push(job.spec.peer.name.keeps(thread.as_deref()));
    } else if thread.is_some() {
        next_steps.push(format!(
            "to continue it, call {} with resume {}",
            job.spec.kind.as_str(),
            job.id()
        ));
    }
    if let Some(kept) = result
        .as_ref()
        .and_then(|result| deliver::delegate::kept(&job, result))
        && !forget
    {
        next_steps.push(kept);
    }
    Ok(Reply {
        summary,
        job: Some(deliver::view(&job, result.as_ref())),
        body,
        next_steps,
        warnings,
        meta: deliver::meta(&job.spec, result.as_ref()),
    })
}

/// Ends all jobs of a group. They are told first and waited for then, so that none runs longer than it must.
async fn all(service: &Service, store: &Store, group: &Group, forget: bool, call: &Call) -> Outcome {
    let runs = group::runs(store, group).await;
    let jobs: Vec<Job> = runs.into_iter().filter_map(|run| run.job).collect();
    hush(store, &group.id, jobs.iter(), call);
    for job in jobs.iter().filter(|job| job.state.is_active()) {
        let asked = runner::cancel(&job.directory);
        deliver::unless_gone(&job.directory, asked)?;
    }
    let mut over = Vec::with_capacity(jobs.len());
    for job in jobs {
        over.push(end(store, job).await?);
    }
    let runs = group::runs(store, group).await;
    let (view, meta) = (tell::view(group, &runs), tell::meta(&runs));
    let leaked: Vec<u32> = over.iter().flat_map(|over| over.leaked.clone()).collect();
    let ended = over
        .iter()
        .filter(|over| over.was_active && over.job.state == JobState::Cancelled)
        .count();
    let states: Vec<Value> = over
        .iter()
        .map(|over| json!({"job": over.job.id(), "state": over.job.state}))
        .collect();
    let mut body = object(json!({"ended": ended > 0, "leaked": leaked, "runs": states}));
    let mut summary = format!(
        "{ended} of the {} runs of group {} were ended; the others were over already.",
        group.members.len(),
        group.id
    );
    if !leaked.is_empty() {
        let _ = write!(summary, " {} of their processes still run.", leaked.len());
    }
    let mut warnings: Vec<String> = over
        .iter()
        .filter_map(|over| let_go(&over.job, over.was_active))
        .collect();
    if forget {
        let records = whole_records(group, &over, &view, &meta)?;
        body.insert("record".to_owned(), records);
        for over in &over {
            delete(service, store, &over.job).await?;
            let thread = over.result.as_ref().and_then(|result| result.thread.as_deref());
            warnings.extend(thread.map(|thread| over.job.spec.peer.name.keeps(Some(thread))));
        }
        groups::delete(store, &group.id).map_err(Fault::from)?;
        summary.push_str(" Their records were deleted.");
    }
    Ok(Reply {
        summary,
        job: Some(view),
        body,
        warnings,
        meta,
        ..Reply::default()
    })
}

/// Returns the records of a group before they are deleted. Where they are longer than an answer, each result must have been
/// read before.
fn whole_records(group: &Group, over: &[Over], view: &JobView, meta: &Meta) -> Result<Value, Box<Refusal>> {
    let of_one = |over: &Over| json!({"spec": over.job.spec, "result": over.result.as_ref().map(fields)});
    let mut whole = object(json!({
        "group": group,
        "runs": over.iter().map(of_one).collect::<Vec<_>>(),
    }));
    let left_out = fit(&mut whole, &[("runs", None)]);
    if left_out.is_empty() {
        return Ok(Value::Object(whole));
    }
    let unread = over
        .iter()
        .find(|over| !over.job.directory.fetched_path().exists());
    let Some(unread) = unread else {
        whole.insert("left_out".to_owned(), json!(left_out));
        return Ok(Value::Object(whole));
    };
    let message = format!(
        "the records of group {} are longer than one answer and nobody has read the result of job {} yet; nothing was \
         deleted",
        group.id,
        unread.job.id()
    );
    Err(Box::new(Refusal {
        fault: Fault::new(FaultCode::InvalidArguments, message)
            .field("forget")
            .hint("read the group with job; then forget it")
            .call("job", json!({"id": group.id})),
        job: Some(view.clone()),
        meta: meta.clone(),
    }))
}

/// Deletes a job's record, and lets go of what was kept for it.
async fn delete(service: &Service, store: &Store, job: &Job) -> Result<(), Fault> {
    seam::point("cancel.forgetting");
    store.delete(job.id())?;
    delegate::start::release(service, store, &job.spec).await;
    Ok(())
}

/// Says what became of a job that was to be ended.
fn told(job: &Job, was_active: bool, leaked: &[u32]) -> String {
    let mut summary = match (was_active, job.state) {
        (true, JobState::Cancelled) if leaked.is_empty() => {
            format!("Job {} was ended; nothing of it runs any more.", job.id())
        }
        (true, JobState::Cancelled) => format!("Job {} was ended.", job.id()),
        (true, state) => format!(
            "Job {} was over before it could be ended ({}).",
            job.id(),
            state.as_str()
        ),
        (false, state) => format!("Job {} was over already ({}).", job.id(), state.as_str()),
    };
    if !leaked.is_empty() {
        let _ = write!(summary, " {} of its processes still run.", leaked.len());
    }
    summary
}

/// Says of a job that is done elsewhere what could be ended and what could not.
fn let_go(job: &Job, was_active: bool) -> Option<String> {
    let url = deliver::view(job, None).remote?.url?;
    (was_active && job.state == JobState::Cancelled).then(|| {
        format!(
            "Job {} is followed no more. Its task goes on at {url}: codex has no command that ends one, a browser can.",
            job.id()
        )
    })
}

/// A damaged record cannot be shown before it goes; whoever names it whole knows that.
fn forgotten_unread(id: &JobId) -> Reply {
    Reply {
        summary: format!("The damaged record of job {id} was deleted."),
        body: object(json!({"ended": false, "leaked": []})),
        ..Reply::default()
    }
}

/// Returns the processes of an ended job that run now: those that its worker could not end, and whatever has its
/// temporary folder, which no other job has.
fn still_running(job: &Job, result: Option<&ResultRecord>) -> Vec<u32> {
    let of_job = signal::with_folder("TMPDIR", &job.directory.tmp_path());
    let known = result.map(|result| result.leaked.as_slice()).unwrap_or_default();
    let mut alive: Vec<u32> = known
        .iter()
        .filter_map(|pid| ProcessIdentity::of(*pid))
        .chain(of_job)
        .filter(ProcessIdentity::is_alive)
        .map(|process| process.pid)
        .collect();
    alive.sort_unstable();
    alive.dedup();
    alive
}

/// Returns the record that is about to be deleted, and what has no room in it.
///
/// Whoever deletes a record sees it whole first, so nothing that was paid for vanishes unseen. One that is longer than
/// an answer may be can only go in part; then its result must have been read before, which `fetched` tells: every way
/// to read it either shows all of it or names the file that holds it.
fn record(job: &Job, result: Option<&ResultRecord>) -> Result<(Value, Vec<String>), Box<Refusal>> {
    let mut record = object(json!({"spec": job.spec, "result": result.map(fields)}));
    let left_out = fit(&mut record, &RECORD_PARTS);
    if left_out.is_empty() || job.directory.fetched_path().exists() {
        return Ok((Value::Object(record), left_out));
    }
    let message = format!(
        "the record of job {} ({}) is longer than one answer and nobody has read its result yet; nothing was deleted",
        job.id(),
        job.state.as_str()
    );
    Err(Box::new(Refusal {
        fault: Fault::new(FaultCode::InvalidArguments, message)
            .field("forget")
            .hint("read it with job detail=full, which names the files that hold all of it; then forget it")
            .call("job", json!({"id": job.id(), "detail": "full"})),
        job: Some(deliver::view(job, result)),
        meta: deliver::meta(&job.spec, result),
    }))
}
