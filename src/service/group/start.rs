//! Starts the jobs of a group: all records first, then the group's, then the workers.

use crate::domain::delegation::Member;
use crate::domain::fault::Fault;
use crate::domain::job::JobId;
use crate::domain::request::DelegateRequest;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::delegate::plan::members;
use crate::service::group::{directories, group_of, tell};
use crate::service::reply::Outcome;
use crate::service::spending;
use crate::service::submit::{
    Claim, Ready, check_queue, claim, create, is_started, naming, new_job_id, start, store_keys, take_back,
    watch_over,
};
use crate::service::waiting::wait_as_allowed;
use crate::state::directory::JobDirectory;
use crate::state::groups::{self, Group, GroupMember};
use crate::state::locking;
use crate::state::store::Store;
use crate::sys::lock::HeldLock;

/// Starts a group, or finds the one that an earlier identical call started, and waits for all of it.
pub async fn submit(
    service: &Service,
    ready: Vec<Ready<'_>>,
    request: &DelegateRequest,
    call: &Call,
) -> Outcome {
    let Some(first) = ready.first() else {
        return Err(Fault::argument("task", "there is no task").into());
    };
    let store = &first.store;
    locking::check(store).map_err(Fault::from)?;
    if !is_started(first, call)? {
        spending::agreed(first, ready.len(), call).await?;
    }
    let locked = match claim(first, call)? {
        Claim::Taken(directory) => return again(service, store, &directory, request, call).await,
        Claim::Free(locked) => locked,
    };
    check_queue(store, ready.iter().map(|ready| &ready.plan))?;
    let id = new_job_id(first)?;
    let made = records(&ready, request, &id, call).await?;
    let group = Group {
        version: groups::VERSION,
        id: id.clone(),
        label: label(request, &ready),
        workspace: first.plan.workspace.root.clone(),
        members: made.iter().map(|made| made.member.clone()).collect(),
    };
    let written = groups::create(store, &group).map_err(Fault::from);
    // One key names the group, through its first job.
    let written = written.and_then(|()| store_keys(locked, &group.members[0].job));
    if let Err(fault) = written {
        let _ = groups::delete(store, &id);
        undo(&ready, &made);
        return Err(fault.into());
    }
    let warning = workers(service, &ready, made).inspect_err(|_| {
        let _ = groups::delete(store, &id);
    })?;
    watch_over(service, store, call, &id, &directories(store, &group));
    let outcome = wait_and_tell(service, store, &group, true, request, call).await;
    let outcome = outcome.map(|mut reply| {
        reply.warnings.extend(warning);
        reply
    });
    outcome.map_err(|refusal| naming(&id, refusal))
}

/// Waits for the group that an earlier identical call started.
pub async fn again(
    service: &Service,
    store: &Store,
    first: &JobDirectory,
    request: &DelegateRequest,
    call: &Call,
) -> Outcome {
    let group = known(store, first)?;
    wait_and_tell(service, store, &group, false, request, call).await
}

/// A record that was made and not yet started.
struct Made {
    member: GroupMember,
    directory: JobDirectory,
    lock: HeldLock,
}

/// Makes all records, or none.
async fn records(
    ready: &[Ready<'_>],
    request: &DelegateRequest,
    group: &JobId,
    call: &Call,
) -> Result<Vec<Made>, Fault> {
    let mut made: Vec<Made> = Vec::with_capacity(ready.len());
    for (ready_one, place) in ready.iter().zip(members(request, group)) {
        let one = async {
            let id = new_job_id(ready_one)?;
            let member = GroupMember {
                job: id.clone(),
                task: place.task.clone(),
                attempt: place.attempt,
            };
            let lead = lead(ready_one, &made, &place);
            let (directory, lock) = create(ready_one, &id, Some(place), lead, call).await?;
            Ok(Made {
                member,
                directory,
                lock,
            })
        };
        match one.await {
            Ok(one) => made.push(one),
            Err(fault) => {
                undo(ready, &made);
                return Err(fault);
            }
        }
    }
    Ok(made)
}

/// Returns the job that hands a task over for this attempt of it: the service makes all attempts of one submission.
fn lead(ready: &Ready<'_>, made: &[Made], place: &Member) -> Option<JobId> {
    ready.plan.cloud()?;
    let first = made.iter().find(|made| made.member.task == place.task)?;
    Some(first.member.job.clone())
}

fn undo(ready: &[Ready<'_>], made: &[Made]) {
    for (ready, made) in ready.iter().zip(made) {
        take_back(ready, &made.member.job);
    }
}

/// Starts the workers. When none can be started there is no group; when some cannot, the others go on and it is said.
fn workers(service: &Service, ready: &[Ready<'_>], made: Vec<Made>) -> Result<Option<String>, Fault> {
    let all = made.len();
    let mut faults = Vec::new();
    // The tasks of which nobody could be started who hands them over.
    let mut unsent: Vec<(String, Fault)> = Vec::new();
    for (ready, made) in ready.iter().zip(made) {
        let task = made.member.task;
        let waits_for_lead = ready.plan.cloud().is_some() && made.member.attempt > 1;
        if waits_for_lead {
            if let Some((_, fault)) = unsent.iter().find(|(unsent, _)| *unsent == task) {
                take_back(ready, &made.member.job);
                faults.push(fault.clone());
            }
            // Its state is its lead's from here on, whose lock is held already.
            drop(made.lock);
        } else if let Err(fault) = start(service, ready, &made.member.job, &made.directory, made.lock) {
            unsent.push((task, fault.clone()));
            faults.push(fault);
        }
    }
    let failed = faults.len();
    match faults.into_iter().next() {
        Some(fault) if failed == all => Err(fault),
        Some(fault) => Ok(Some(format!(
            "{failed} of {all} runs could not be started: {}",
            fault.message
        ))),
        None => Ok(None),
    }
}

/// Says what a group is about.
fn label(request: &DelegateRequest, ready: &[Ready<'_>]) -> String {
    let tasks = request.tasks.len();
    let attempts = request.attempts;
    let first = ready
        .first()
        .map(|ready| ready.plan.label.as_str())
        .unwrap_or_default();
    match (tasks, attempts) {
        (1, attempts) => format!("{attempts} attempts: {first}"),
        (tasks, 1) => format!("{tasks} tasks: {}", names(request)),
        (tasks, attempts) => format!("{tasks} tasks, {attempts} attempts each: {}", names(request)),
    }
}

fn names(request: &DelegateRequest) -> String {
    let names: Vec<&str> = request.tasks.iter().map(|task| task.id.as_str()).collect();
    names.join(", ")
}

/// Finds the group that an earlier call started, from its first job.
fn known(store: &Store, directory: &JobDirectory) -> Result<Group, Fault> {
    let spec = directory.read_spec()?;
    let job = store.read(&spec.id)?;
    let group = match group_of(&job) {
        Some(id) => groups::read(store, id)?,
        None => None,
    };
    group.ok_or_else(|| {
        Fault::new(
            crate::domain::fault::FaultCode::JobNotFound,
            "the group that this call started is no longer recorded; its jobs are",
        )
        .call("job", serde_json::json!({}))
    })
}

async fn wait_and_tell(
    service: &Service,
    store: &Store,
    group: &Group,
    started_here: bool,
    request: &DelegateRequest,
    call: &Call,
) -> Outcome {
    let directories = directories(store, group);
    let wait = request.common.wait;
    let listener = wait_as_allowed(service, &directories, started_here, wait, call).await?;
    tell::tell(service, store, group, listener).await
}
