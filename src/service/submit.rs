//! Starts a paid run as a job and waits for it as long as the call allows.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::config::{Config, Origin};
use crate::domain::delegation::Member;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobKind, JobState};
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::request::{Common, Wait};
use crate::peer::interface::Counting;
use crate::prompt::Prompt;
use crate::redact::secret_globs;
use crate::run::start::start_worker;
use crate::service::allowance::Allowance;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::delegate::start::Start;
use crate::service::deliver;
use crate::service::plan::Plan;
use crate::service::preflight::Preflight;
use crate::service::reply::{Outcome, Refusal};
use crate::service::resume::Continued;
use crate::service::spending;
use crate::service::waiting::wait_as_allowed;
use crate::service::workspace::Workspace;
use crate::state::directory::{Job, JobDirectory};
use crate::state::error::StateError;
use crate::state::groups;
use crate::state::keys::LockedKey;
use crate::state::locking;
use crate::state::record::{Asker, Expects, PeerSpec, REMOTE_VERSION, Spec, VERSION};
use crate::state::remote;
use crate::state::sessions;
use crate::state::store::{NewJob, Store};
use crate::sys::lock::HeldLock;
use crate::sys::{clock, seam};

/// A plan with everything that is needed to start it.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The plan.
    pub plan: Plan,
    /// The peer.
    pub preflight: Preflight,
    /// The thread to continue.
    pub continued: Option<Continued>,
    /// The call's common parameters.
    pub common: &'a Common,
    /// The arguments as a caller's retry would repeat them, for idempotency.
    pub arguments: String,
    /// The configuration it was decided under.
    pub config: Config,
    /// Where its job is kept.
    pub store: Store,
    /// What a delegate starts from.
    pub start: Option<Arc<Start>>,
    /// How deep it is nested in other runs of ours.
    pub depth: u32,
    /// Further folders that may be read.
    pub roots: Vec<PathBuf>,
}

/// Starts the job, or finds the one that an earlier identical call started, and waits.
pub async fn submit(service: &Service, ready: Ready<'_>, call: &Call) -> Outcome {
    let store = &ready.store;
    let wait = ready.common.wait;
    seam::point("submit.begun");
    locking::check(store).map_err(Fault::from)?;
    if !is_started(&ready, call)? {
        // Before the keys are taken: a person may take minutes, and whoever repeats the call meanwhile must not wait for them.
        spending::agreed(&ready, 1, call).await?;
    }
    let locked = match claim(&ready, call)? {
        Claim::Taken(directory) => {
            return wait_and_deliver(service, store, directory, false, wait, call).await;
        }
        Claim::Free(locked) => locked,
    };
    seam::point("submit.keys_locked");
    let id = new_job_id(&ready)?;
    check_queue(store, [&ready.plan])?;
    seam::point("submit.queue_checked");
    let (directory, lock) = create(&ready, &id, None, None, call).await?;
    if let Err(error) = store_keys(locked, &id) {
        // A job that a retry would not find would be paid for twice.
        take_back(&ready, &id);
        return Err(error.into());
    }
    seam::point("submit.keys_stored");
    start(service, &ready, &id, &directory, lock)?;
    watch_over(service, store, call, &id, std::slice::from_ref(&directory));
    let outcome = wait_and_deliver(service, store, directory, true, wait, call).await;
    outcome.map_err(|refusal| naming(&id, refusal))
}

/// Waits for a job as long as the call allows, and tells it.
pub(super) async fn wait_and_deliver(
    service: &Service,
    store: &Store,
    directory: JobDirectory,
    started_here: bool,
    wait: Wait,
    call: &Call,
) -> Outcome {
    let directories = [directory];
    let listener = wait_as_allowed(service, &directories, started_here, wait, call).await?;
    let [directory] = directories;
    deliver::job(service, store, &directory, listener).await
}

/// Whether a call's keys stand for a job already.
pub(super) enum Claim {
    /// They do; for a group it is the first of its jobs.
    Taken(JobDirectory),
    /// They do not, and nobody else can use them while these locks are held.
    Free(Vec<LockedKey>),
}

/// Takes the keys of a call, or finds the job that an earlier identical call started.
pub(super) fn claim(ready: &Ready<'_>, call: &Call) -> Result<Claim, Fault> {
    let store = &ready.store;
    let mut locked = Vec::new();
    for key in keys(ready.plan.kind, &ready.plan.workspace, ready.common, call) {
        match LockedKey::take(store, &key.text, ready.arguments.as_bytes()) {
            Ok(held) => match held.job().map(|id| store.directory(id)) {
                // A job that was lost before the peer was started cost nothing: the same call may start it anew.
                // The locks are let go before anybody waits: whoever comes with the same key must not wait for them.
                Some(directory) if !was_never_started(store, &directory) => {
                    return Ok(Claim::Taken(directory));
                }
                _ => locked.push(held),
            },
            // A host that uses one id for two calls means two calls; a caller who uses one key for two is mistaken.
            Err(StateError::KeyConflict) if !key.explicit => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Claim::Free(locked))
}

/// Tells whether an earlier identical call started what is asked for, which is paid for already then.
pub(super) fn is_started(ready: &Ready<'_>, call: &Call) -> Result<bool, Fault> {
    let plan = &ready.plan;
    let found = started_before(
        &ready.store,
        plan.kind,
        &plan.workspace,
        ready.common,
        &ready.arguments,
        call,
    )?;
    Ok(found.is_some())
}

/// Finds the job that an earlier identical call started, before anything is done that only a new one needs; for a group it
/// is the first of its jobs. Who finds none still has to [`claim`].
pub(super) fn started_before(
    store: &Store,
    kind: JobKind,
    workspace: &Workspace,
    common: &Common,
    arguments: &str,
    call: &Call,
) -> Result<Option<JobDirectory>, Fault> {
    for key in keys(kind, workspace, common, call) {
        match LockedKey::look(store, &key.text, arguments.as_bytes()) {
            Ok(found) => {
                let directory = found.map(|id| store.directory(&id));
                if let Some(directory) = directory.filter(|found| !was_never_started(store, found)) {
                    return Ok(Some(directory));
                }
            }
            Err(StateError::KeyConflict) if !key.explicit => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Lets the keys stand for a job.
pub(super) fn store_keys(locked: Vec<LockedKey>, id: &JobId) -> Result<(), Fault> {
    let stored = locked.into_iter().try_for_each(|key| key.store(id));
    stored.map_err(Fault::from)
}

/// Makes the job's record, locked and not yet started.
pub(super) async fn create(
    ready: &Ready<'_>,
    id: &JobId,
    member: Option<Member>,
    lead: Option<JobId>,
    call: &Call,
) -> Result<(JobDirectory, HeldLock), Fault> {
    root(ready, id).await?;
    let mut spec = spec(ready, id, call);
    if let Expects::Delegate { delegation } = &mut spec.expects {
        if let (Some(cloud), Some(member)) = (&mut delegation.cloud, &member) {
            cloud.attempt = member.attempt;
            cloud.lead = lead;
        }
        delegation.member = member;
    }
    let new = NewJob {
        spec: &spec,
        prompt: ready.plan.prompt.as_str(),
        parts: ready.plan.parts.iter().map(Prompt::as_str).collect(),
        schema: ready.plan.schema.as_ref(),
        change: ready.plan.change.as_ref(),
    };
    ready.store.create(&new).map_err(|error| {
        unroot(ready, id);
        Fault::from(error)
    })
}

/// Starts a job's worker. When that fails nothing ran and nothing was paid, and a record would only look like a lost job.
pub(super) fn start(
    service: &Service,
    ready: &Ready<'_>,
    id: &JobId,
    directory: &JobDirectory,
    lock: HeldLock,
) -> Result<(), Fault> {
    let started = start_worker(
        service.program(),
        ready.preflight.program.peer,
        service.environment(),
        &ready.config,
        directory,
        lock,
    );
    if let Err(fault) = started {
        take_back(ready, id);
        return Err(fault);
    }
    tracing::info!(job = %id, "job started");
    seam::point("submit.started");
    Ok(())
}

/// Returns the session that is told when a job of this call is over, if there is one.
fn asker(store: &Store, call: &Call) -> Option<Asker> {
    let session = sessions::of_process(store, call.host_process.as_ref()?)?;
    Some(Asker {
        process: session.process,
        session: session.name,
    })
}

/// Lets the session of a call know of what it started, which is watched over from here on.
pub(super) fn watch_over(service: &Service, store: &Store, call: &Call, id: &JobId, jobs: &[JobDirectory]) {
    if let Some(asker) = asker(store, call) {
        service.vigil().begin(store, &asker, id, jobs);
    }
}

/// Keeps what a delegate starts from as long as its record is kept.
async fn root(ready: &Ready<'_>, id: &JobId) -> Result<(), Fault> {
    let Some(start) = ready.start.clone() else {
        return Ok(());
    };
    let id = id.clone();
    let rooted = tokio::task::spawn_blocking(move || start.root(&id)).await;
    rooted.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "keeping the snapshot stopped unexpectedly",
        ))
    })
}

fn unroot(ready: &Ready<'_>, id: &JobId) {
    if let Some(start) = &ready.start {
        start.unroot(id);
    }
}

/// Deletes the record of a job that was not started.
pub(super) fn take_back(ready: &Ready<'_>, id: &JobId) {
    let _ = ready.store.delete(id);
    unroot(ready, id);
}

/// Lets a failure to look at a job that was just started name it: the job goes on, and whoever repeated the call instead
/// of looking again would pay twice.
pub(super) fn naming(id: &JobId, mut refusal: Box<Refusal>) -> Box<Refusal> {
    if refusal.job.is_none() {
        let fault = &mut refusal.fault;
        fault.message = format!("job {id} was started and cannot be looked at: {}", fault.message);
        fault.repair.hint = format!(
            "{}; the job goes on, look at it again with its id",
            fault.repair.hint
        );
        fault.repair.tool = Some("job".to_owned());
        fault.repair.arguments = Some(deliver::object(json!({"id": id, "wait_s": 600})));
    }
    refusal
}

/// Tells whether a job's worker died before anything could have been paid; of a group, whether all of them did.
fn was_never_started(store: &Store, directory: &JobDirectory) -> bool {
    let is_unstarted = |directory: &JobDirectory| {
        let lost = directory.state().is_ok_and(|state| state == JobState::Lost);
        lost && !directory.was_started()
    };
    let member = directory.read_spec().ok().and_then(|spec| match spec.expects {
        Expects::Delegate { delegation } => delegation.member,
        Expects::Consult { .. } | Expects::Review { .. } => None,
    });
    let group = member.and_then(|member| groups::read(store, &member.group).ok().flatten());
    match group {
        Some(group) => group
            .members
            .iter()
            .all(|member| is_unstarted(&store.directory(&member.job))),
        None => is_unstarted(directory),
    }
}

struct Key {
    text: String,
    explicit: bool,
}

fn keys(kind: JobKind, workspace: &Workspace, common: &Common, call: &Call) -> Vec<Key> {
    let scope = format!("{} {}", kind.as_str(), workspace.root.display());
    let explicit = common.options.idempotency_key.as_ref();
    let explicit = explicit.map(|key| Key {
        text: format!("key {scope} {key}"),
        explicit: true,
    });
    let host = call.tool_use_id.as_ref().map(|id| Key {
        text: format!("use {scope} {id}"),
        explicit: false,
    });
    explicit.into_iter().chain(host).collect()
}

pub(super) fn new_job_id(ready: &Ready<'_>) -> Result<JobId, Fault> {
    let random = getrandom::u64().map_err(|error| {
        Fault::new(
            FaultCode::Internal,
            format!("no random numbers from the system: {error}"),
        )
    })?;
    Ok(JobId::new(clock::now_ms(), ready.plan.workspace.hash(), random))
}

/// Refuses jobs of which so many, by what they are to run on, would wait or be followed already.
pub(super) fn check_queue<'a>(store: &Store, plans: impl IntoIterator<Item = &'a Plan>) -> Result<(), Fault> {
    let (mut here, mut away) = (0, 0);
    for plan in plans {
        *(if plan.cloud().is_some() {
            &mut away
        } else {
            &mut here
        }) += 1;
    }
    Ok(check_room(store, here, away)?)
}

/// Those that are done elsewhere wait for nothing here; there is only a bound to how many are followed.
fn check_room(store: &Store, here: usize, away: usize) -> Result<(), StateError> {
    let elsewhere = remote::followed(store);
    let active = store.list_active(limits::QUEUE_MAX + 1 + elsewhere.len())?;
    let is_here = |job: &&Job| elsewhere.binary_search(job.id()).is_err();
    let waiting = active.iter().filter(is_here).count();
    if here > 0 && waiting + here > limits::QUEUE_MAX + 1 {
        return Err(StateError::QueueFull { waiting });
    }
    let followed = elsewhere.len();
    if away > 0 && followed + away > limits::FOLLOWED_MAX {
        return Err(StateError::TooManyFollowed { followed });
    }
    Ok(())
}

fn spec(ready: &Ready<'_>, id: &JobId, call: &Call) -> Spec {
    let (plan, common) = (&ready.plan, ready.common);
    let cloud = plan.cloud().is_some();
    let allowance = Allowance::of(plan.kind, &common.options, &ready.config);
    let mut warnings = plan.warnings.clone();
    warnings.extend(ready.preflight.warnings.iter().cloned());
    let is_counted_in_thread = ready.preflight.program.peer.counting() == Counting::InRecord;
    if is_counted_in_thread
        && ready
            .continued
            .as_ref()
            .is_some_and(|continued| continued.usage_before.is_none())
    {
        warnings.push(
            "the tokens of the resumed thread are not known, so those of this run are not either".to_owned(),
        );
    }
    Spec {
        version: if cloud { REMOTE_VERSION } else { VERSION },
        id: id.clone(),
        kind: plan.kind,
        label: plan.label.clone(),
        created_ms: id.created_ms(),
        workspace: plan.workspace.root.clone(),
        workspace_source: plan.workspace.source.to_owned(),
        repo_root: plan.repo_root.clone(),
        directory: plan.directory.clone(),
        tier: plan.tier,
        isolation: common.options.isolation.unwrap_or_default(),
        tools: ready.preflight.tools,
        web_search: common.options.web_search,
        ephemeral: common.options.ephemeral,
        // What is done elsewhere is not told which; a record must not say otherwise.
        model: ready
            .config
            .model(ready.preflight.program.peer, common)
            .filter(|_| !cloud),
        effort: ready
            .config
            .effort(ready.preflight.program.peer, common)
            .filter(|_| !cloud),
        // Of what is done elsewhere it is how long it is followed; the service has a deadline of its own.
        timeout_ms: clock::millis(if cloud {
            limits::FOLLOWED_FOR
        } else {
            allowance.timeout
        }),
        budget_tokens: allowance.budget_tokens,
        budget_microusd: common.options.budget_microusd,
        max_turns: common.options.max_turns,
        withheld: withheld_globs(ready.preflight.program.peer, &ready.config, plan, &ready.roots),
        budget_most: ready.config.budget_tokens.value,
        resume: ready.continued.as_ref().map(|continued| continued.thread.clone()),
        usage_before: ready
            .continued
            .as_ref()
            .and_then(|continued| continued.usage_before),
        expects: plan.expects.clone(),
        peer: PeerSpec {
            name: ready.preflight.program.peer,
            checker: ready.preflight.checker.clone(),
            program: ready.preflight.program.path.clone(),
            version: ready.preflight.program.version.to_string(),
            servers: ready.preflight.servers.clone(),
        },
        host: call
            .host
            .as_ref()
            .map(|host| format!("{} {}", host.name, host.version)),
        asked_by: asker(&ready.store, call),
        starter: call.starter,
        request_id: call.request_id.clone(),
        depth: ready.depth,
        slots: slots(ready),
        fork: common.options.fork,
        roots: ready.roots.clone(),
        group: common.options.group.clone(),
        supersedes: common.options.supersedes.clone(),
        warnings,
        egress: plan.egress.clone(),
    }
}

/// Returns how many of the user's slots it may take one of, where that is fewer than the user admits.
fn slots(ready: &Ready<'_>) -> Option<usize> {
    let most = &ready.config.concurrency;
    match ready.common.options.concurrency {
        Some(wanted) => Some(wanted.min(most.value)),
        None => (most.origin == Origin::Project).then_some(most.value),
    }
}

/// Returns the globs of files that the peer is kept from where that can be done: those that are secrets, and those that the
/// user or the project denies.
pub(super) fn withheld_globs(peer: Peer, config: &Config, plan: &Plan, roots: &[PathBuf]) -> Vec<String> {
    if !peer.withholds() {
        return Vec::new();
    }
    let top = plan.repo_root.as_ref().unwrap_or(&plan.directory);
    let listed = config.secret_files.value.iter().chain(&config.paths_deny.value);
    let listed = listed.map(|glob| {
        if glob.contains('/') {
            format!("{}/{glob}", top.display())
        } else {
            glob.clone()
        }
    });
    let globs: Vec<String> = secret_globs().into_iter().chain(listed).collect();
    // A glob without a folder counts from the directory of the run (seen with claude 2.1.197), so each further root needs its
    // own.
    let in_roots = roots.iter().flat_map(|root| {
        let bare = globs.iter().filter(|glob| !glob.starts_with('/'));
        bare.map(|glob| format!("{}/**/{}", root.display(), glob.trim_start_matches("**/")))
    });
    in_roots.collect::<Vec<_>>().into_iter().chain(globs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;

    #[test]
    fn tasks_that_are_done_elsewhere_are_bounded_by_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let folder = remote::folder(&store).unwrap();
        let ids = (0_u64..).map(|number| JobId::new(number, WorkspaceHash::of(b"w"), number));
        for id in ids.clone().take(limits::FOLLOWED_MAX) {
            std::fs::write(folder.join(id.as_str()), "").unwrap();
        }
        let check = |here: usize, away: usize, expected: Option<&str>| {
            let told = check_room(&store, here, away).map_err(|error| error.to_string());
            assert_eq!(told.err().as_deref(), expected, "{here} here, {away} elsewhere");
        };
        // They take nothing from what this machine does.
        check(1, 0, None);
        check(limits::QUEUE_MAX + 1, 0, None);
        let full = "1000 tasks that are done elsewhere are followed already";
        check(0, 1, Some(full));
        check(3, 1, Some(full));
        check(limits::QUEUE_MAX + 2, 0, Some("0 jobs wait for a slot already"));
        remote::unfollow(&store, &ids.clone().next().unwrap());
        check(0, 1, None);
        check(
            0,
            2,
            Some("999 tasks that are done elsewhere are followed already"),
        );
        let fault = Fault::from(check_room(&store, 0, 2).unwrap_err());
        assert!(fault.repair.hint.contains("leave out runner"), "{fault:?}");
    }
}
