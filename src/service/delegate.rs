//! A task for the peer that comes back as a diff.

pub mod cloud;
pub mod plan;
pub mod preview;
pub mod start;
pub(crate) mod wanted;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobKind;
use crate::domain::request::{DelegateRequest, ONLY_TASK, Options, Wait};
use crate::domain::runner::RunnerName;
use crate::domain::tier::Tools;
use crate::git::Keep;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::run::sandbox_fix::{Machine, unavailable};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::delegate::cloud::CloudStart;
use crate::service::delegate::plan::{Asked, plans};
use crate::service::delegate::start::{Start, Wish};
use crate::service::opening::Opening;
use crate::service::preflight::{Preflight, preflight};
use crate::service::reply::Outcome;
use crate::service::resume::Continued;
use crate::service::submit::{Ready, started_before, submit, wait_and_deliver};
use crate::service::workspace::Workspace;
use crate::service::{group, plan::Plan};
use crate::state::store::Store;

pub use preview::preview;

/// A delegate that was decided: one plan for each job it would make, by task and attempt.
#[derive(Debug)]
pub struct Prepared {
    /// What the peer starts from.
    pub start: Arc<Start>,
    /// What the tasks start from that Codex Cloud does, where there are any.
    pub cloud: Option<CloudStart>,
    /// The plans, at least one.
    pub plans: Vec<Plan>,
    /// The peer.
    pub preflight: Preflight,
    /// The job to go on from.
    pub continued: Option<Continued>,
    /// The configuration it was decided under.
    pub config: Config,
    /// Where jobs are kept.
    pub store: Store,
    /// How deep it is nested in other runs of ours.
    pub depth: u32,
}

/// Delegates.
pub async fn run(service: &Service, request: &DelegateRequest, call: &Call) -> Outcome {
    let arguments = retry_arguments(request);
    if let Some(outcome) = again(service, request, &arguments, call).await? {
        return outcome;
    }
    let prepared = prepare(service, request, call, Keep::Objects).await?;
    let mut members: Vec<Ready<'_>> = prepared
        .plans
        .into_iter()
        .map(|plan| Ready {
            preflight: prepared.preflight.clone(),
            continued: prepared.continued.clone(),
            common: &request.common,
            arguments: arguments.clone(),
            config: prepared.config.clone(),
            store: prepared.store.clone(),
            start: Some(match &prepared.cloud {
                Some(cloud) if plan.cloud().is_some() => cloud.start.clone(),
                _ => prepared.start.clone(),
            }),
            depth: prepared.depth,
            roots: Vec::new(),
            plan,
        })
        .collect();
    match members.pop() {
        Some(only) if members.is_empty() && !request.is_group() => submit(service, only, call).await,
        Some(last) => {
            members.push(last);
            group::submit(service, members, request, call).await
        }
        None => Err(Fault::new(FaultCode::Internal, "there is no task").into()),
    }
}

/// Tells the job that an earlier identical call started. It is looked for first of all: the files, and what `resume` means,
/// may be others by now, and a snapshot of them would be for nobody.
async fn again(
    service: &Service,
    request: &DelegateRequest,
    arguments: &str,
    call: &Call,
) -> Result<Option<Outcome>, Fault> {
    let (config, store) = (service.config()?, service.store()?);
    let common = &request.common;
    let workspace = Workspace::resolve(service, common.workspace.as_deref(), &config)?;
    let kind = JobKind::Delegate;
    let Some(directory) = started_before(&store, kind, &workspace, common, arguments, call)? else {
        return Ok(None);
    };
    Ok(Some(if request.is_group() {
        group::again(service, &store, &directory, request, call).await
    } else {
        wait_and_deliver(service, &store, directory, false, common.wait, call).await
    }))
}

/// What a caller's retry would repeat. The files are no part of it: a host that repeats a call means the job that it has
/// started, also when somebody has edited meanwhile.
fn retry_arguments(request: &DelegateRequest) -> String {
    let mut same = request.clone();
    same.common.wait = Wait::HostDefault;
    format!("{same:?}")
}

/// Decides the whole delegate without starting it.
pub async fn prepare(
    service: &Service,
    request: &DelegateRequest,
    call: &Call,
    keep: Keep,
) -> Result<Prepared, Fault> {
    let Opening {
        config,
        store,
        workspace,
        continued,
        further,
        depth,
        notes,
        // A task has the whole of its worktree and nothing else; the option is not one of its.
        roots: _,
    } = Opening::of(service, &request.common, call).await?;
    let directory = workspace.readable()?.to_owned();
    let earlier = match &continued {
        None => None,
        Some(continued) => Some(continued.delegate.as_deref().ok_or_else(|| {
            Fault::argument("resume", "`resume` is not the id of a delegate job").hint(
                "delegate goes on from the result of a delegate job only; for another thread, call consult",
            )
        })?),
    };
    let isolation = request.common.options.isolation.unwrap_or_default();
    let environment = if request.has(RunnerName::Cloud) {
        Some(cloud::check(request, service.peer(), &config)?)
    } else {
        None
    };
    let is_local = request.has(RunnerName::Local);
    let wish = Wish::of(request, &directory, earlier, keep, service.peer());
    // Reading the files and asking the peer wait for different things.
    let ((start, cloud), preflight) = tokio::join!(
        starts(service, &store, wish, is_local, environment),
        preflight(service, &config, &store, &directory, isolation)
    );
    let cloud = cloud?;
    let start = match (start, &cloud) {
        (Some(start), _) => Arc::new(start.map_err(|fault| with_ready_call(fault, request))?),
        (None, Some(cloud)) => cloud.start.clone(),
        (None, None) => return Err(Fault::new(FaultCode::Internal, "there is nothing to start from")),
    };
    let mut preflight = preflight?;
    let probe = Probe {
        program: &preflight.program,
        config: &config,
        environment: service.environment(),
        store: &store,
    };
    if cloud.is_some() {
        cloud::check_login(&probe).await?;
    }
    // Without its sandbox a peer with commands could write anywhere, so it does not edit at all. What is done elsewhere needs
    // it here for the checks alone.
    if !is_local && !runs_lines(request) {
        // Nothing of a model's runs on this machine.
    } else if service.peer().runs_commands() {
        let sandbox = probe.write_sandbox().await;
        if sandbox.tools == Tools::None {
            return Err(unavailable(&sandbox, Machine::look()));
        }
    } else if runs_lines(request) {
        preflight.checker = Some(checker(service, &config, &store).await?);
    }
    let mut plans = plans(&Asked {
        peer: service.peer(),
        tools: preflight.tools,
        request,
        config: &config,
        further: &further,
        workspace: &workspace,
        directory: &directory,
        start: &start,
        cloud: cloud.as_ref(),
        earlier,
    })?;
    for plan in &mut plans {
        plan.warnings.extend(notes.iter().cloned());
    }
    Ok(Prepared {
        start,
        cloud,
        plans,
        preflight,
        continued,
        config,
        store,
        depth,
    })
}

/// Takes what the tasks start from: those of this machine, those of Codex Cloud, or both.
async fn starts(
    service: &Service,
    store: &Store,
    wish: Wish,
    is_local: bool,
    environment: Option<String>,
) -> (Option<Result<Start, Fault>>, Result<Option<CloudStart>, Fault>) {
    let cloud = match environment {
        Some(environment) => match cloud::take(service, store, wish.clone(), environment).await {
            Ok(cloud) => Ok(Some(cloud)),
            Err(fault) => return (None, Err(fault)),
        },
        None => Ok(None),
    };
    let start = if is_local {
        Some(start::take(service, store, wish).await)
    } else {
        None
    };
    (start, cloud)
}

/// Tells whether lines of shell are to be run that no model started.
fn runs_lines(request: &DelegateRequest) -> bool {
    request.common.options.setup.is_some() || request.tasks.iter().any(|task| !task.checks.is_empty())
}

/// Finds the program in whose sandbox lines of shell are run for a peer that has none for them.
///
/// They are refused without one: what a model wrote would be run with everything that the user may do.
async fn checker(service: &Service, config: &Config, store: &Store) -> Result<PathBuf, Fault> {
    let (peer, other) = (service.peer(), service.peer().checker());
    let refused = |why: String| {
        let message = format!(
            "checks and set-up of a {peer} delegate run in {other}'s sandbox, which cannot be used: {why}"
        );
        Fault::new(FaultCode::SandboxUnavailable, message).hint(format!(
            "repeat the call without checks and options.setup, or make {other} usable: {}",
            other.hint(FaultCode::PeerNotFound)
        ))
    };
    let program = Program::find(other, config, service.environment(), store)
        .await
        .map_err(|fault| refused(fault.message))?;
    let probe = Probe {
        program: &program,
        config,
        environment: service.environment(),
        store,
    };
    let sandbox = probe.write_sandbox().await;
    if sandbox.tools == Tools::None {
        return Err(refused(sandbox.reason.unwrap_or_default()));
    }
    Ok(program.path)
}

/// Bytes of a call that is repeated in a fault: a longer one the caller has at hand anyway.
const READY_CALL_BYTES: usize = 4 * 1024;

/// Adds the call that goes on with the uncommitted changes to a fault about them.
fn with_ready_call(fault: Fault, request: &DelegateRequest) -> Fault {
    if fault.code != FaultCode::DirtyWorkspace {
        return fault;
    }
    let common = &request.common;
    // What only this call's options said cannot be repeated in their own words.
    if common.options != Options::default() || common.model.is_some() || common.effort.is_some() {
        return fault;
    }
    let mut arguments = match request.tasks.as_slice() {
        [only] if only.id == ONLY_TASK => json!({
            "task": only.text, "allowed_paths": only.allowed_paths, "checks": only.checks,
        }),
        tasks => json!({"tasks": tasks.iter().map(|task| json!({
            "id": task.id, "task": task.text, "allowed_paths": task.allowed_paths, "checks": task.checks,
        })).collect::<Vec<_>>()}),
    };
    arguments["files"] = json!(request.files);
    arguments["attempts"] = json!(request.attempts);
    arguments["dirty"] = json!("snapshot");
    if let Some(context) = &request.context {
        arguments["context"] = json!(context);
    }
    if let Some(workspace) = &common.workspace {
        arguments["workspace"] = json!(workspace);
    }
    if arguments.to_string().len() > READY_CALL_BYTES {
        return fault;
    }
    fault.call("delegate", arguments)
}
