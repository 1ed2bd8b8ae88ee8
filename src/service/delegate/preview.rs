//! What a delegate would do, for free: the same snapshot and the same plans, shown instead of run. Nothing is made.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::delegation::{Delegation, Place};
use crate::domain::job::JobKind;
use crate::domain::job_view::JobLimits;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::request::DelegateRequest;
use crate::domain::runner::RunnerName;
use crate::domain::time::spoken;
use crate::git::Keep;
use crate::peer::exec::Access;
use crate::run::delegate::reuse_places;
use crate::service::allowance::Allowance;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::delegate::start::Start;
use crate::service::delegate::{Prepared, prepare};
use crate::service::deliver::object;
use crate::service::dry_run::{Workplace, command, meta};
use crate::service::plan::Plan;
use crate::service::reply::{Outcome, Reply};
use crate::service::spending::Spending;
use crate::state::record::Expects;
use crate::state::store::Store;
use crate::state::trees;
use crate::sys::clock;

/// Previews a delegate.
pub async fn preview(service: &Service, request: &DelegateRequest, call: &Call) -> Outcome {
    let prepared = prepare(service, request, call, Keep::Nothing).await?;
    let about = tokio::task::spawn_blocking({
        let (start, store) = (prepared.start.clone(), prepared.store.clone());
        let delegation = prepared.plans.first().and_then(delegation).cloned();
        move || Room::of(&start, &store, delegation.as_ref())
    });
    let room = about.await.unwrap_or_default();
    Ok(show(request, &prepared, &room))
}

/// What the worktrees take and what there is already.
#[derive(Debug, Default)]
struct Room {
    tree_bytes: u64,
    idle: usize,
    /// The folders that would be linked.
    reused: Vec<String>,
}

impl Room {
    fn of(start: &Start, store: &Store, delegation: Option<&Delegation>) -> Self {
        let top = &start.baseline.top_level;
        let paths = start.paths.iter().flatten();
        let bytes = paths.filter_map(|path| {
            let found = top.join(OsStr::from_bytes(path)).symlink_metadata().ok()?;
            (!found.is_dir()).then_some(found.len())
        });
        let trees = trees::list(&start.folder).unwrap_or_default();
        Self {
            tree_bytes: bytes.fold(0, u64::saturating_add),
            // One that a killed worker left is neither held nor free.
            idle: trees.iter().filter(|tree| tree.is_idle && !tree.is_held).count(),
            reused: delegation
                .map(|delegation| reused(start, store, delegation))
                .unwrap_or_default(),
        }
    }
}

/// Says what becomes of the project's guidance.
fn guidance(peer: Peer) -> String {
    format!(
        "{} of the repository and of the folder is part of the prompt, as data",
        peer.guidance().join(" or else ")
    )
}

fn show(request: &DelegateRequest, prepared: &Prepared, room: &Room) -> Reply {
    let Prepared {
        start,
        cloud,
        plans,
        preflight,
        continued,
        config,
        ..
    } = prepared;
    let common = &request.common;
    let allowance = Allowance::of(JobKind::Delegate, &common.options, config);
    let runs = plans.len();
    let tasks = tasks_shown(request, plans, room);
    let is_live = common.options.in_place;
    let elsewhere = plans.iter().filter(|plan| plan.cloud().is_some()).count();
    // The service has a deadline of its own; a job of which all is done there is followed for so long.
    let timeout_ms = clock::millis(if elsewhere == runs {
        limits::FOLLOWED_FOR
    } else {
        allowance.timeout
    });
    let made = (runs - elsewhere).saturating_sub(room.idle);
    let place = plans
        .iter()
        .find(|plan| plan.cloud().is_none())
        .and_then(|plan| Some((plan, workplace(delegation(plan)?))));
    // Of what is done elsewhere only the checks need one here.
    let has_worktrees = !is_live && (elsewhere < runs || plans.iter().any(has_lines));
    let directory = place
        .as_ref()
        .map(|(_, place)| place.directory.display().to_string());
    // The same for every run: tasks differ in what is said, not in what is started.
    let arguments =
        place.map(|(plan, place)| command(plan, preflight, continued.as_ref(), (common, config), place));
    let mut body = object(json!({
        "would_call": "delegate",
        "baseline": start.shown(),
        "tasks": tasks,
        "runs": runs,
        "at_once": config.concurrency.value.min(runs),
        "would_run": {
            "program": preflight.program.path.display().to_string(),
            "version": preflight.program.version.to_string(),
            "arguments": arguments,
            "directory": directory,
            "timeout_s": timeout_ms / 1000,
            "servers_switched_off": preflight.servers,
            "guidance": guidance(preflight.program.peer),
        },
        "policy": {
            "network": common.options.network,
            "in_place": is_live,
            "max_files": common.options.max_files,
            "allow_commands": common.options.allow_commands,
        },
        "limits": JobLimits {
            timeout_s: timeout_ms / 1000,
            budget_tokens: allowance.budget_tokens,
        },
        "disk": {
            "bytes_of_a_worktree": if is_live { 0 } else { room.tree_bytes },
            "idle_worktrees": room.idle,
            "new_worktrees_at_most": if is_live { 0 } else { made },
        },
        "creates": creates(runs, has_worktrees),
        "touches_workspace": is_live,
    }));
    if let Some(cloud) = cloud {
        body.insert("cloud".to_owned(), cloud.shown(request.attempts));
    }
    let mut warnings = distinct(
        plans
            .iter()
            .flat_map(|plan| &plan.warnings)
            .chain(&preflight.warnings),
    );
    warnings.extend(Spending::of(&common.options, config, runs).map(|spending| spending.told()));
    Reply {
        summary: summary(prepared, timeout_ms),
        body,
        next_steps: vec![
            "call delegate with the same arguments to run it; that costs tokens of the user's account"
                .to_owned(),
        ],
        warnings,
        meta: plans
            .first()
            .map(|plan| meta(plan, preflight, continued.as_ref(), (common, config)))
            .unwrap_or_default(),
        ..Reply::default()
    }
}

/// Tells each task; by whom it is done only where that is not this machine for all of them.
fn tasks_shown(request: &DelegateRequest, plans: &[Plan], room: &Room) -> Vec<Value> {
    let attempts = request.attempts as usize;
    request
        .tasks
        .iter()
        .zip(plans.chunks(attempts.max(1)))
        .filter_map(|(task, plans)| {
            let mut view = task_view(&task.id, plans.len(), plans.first()?, &room.reused);
            if request.has(RunnerName::Cloud) {
                view["runner"] = task.runner.as_str().into();
            }
            Some(view)
        })
        .collect()
}

/// Returns what is said more than once only once.
fn distinct<'a>(warnings: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for warning in warnings {
        if !once.contains(warning) {
            once.push(warning.clone());
        }
    }
    once
}

fn summary(prepared: &Prepared, timeout_ms: u64) -> String {
    let Prepared {
        start,
        cloud,
        plans,
        preflight,
        ..
    } = prepared;
    let bytes: usize = plans.iter().map(|plan| plan.egress.prompt_bytes).sum();
    let runs = plans.len();
    let elsewhere = plans.iter().filter(|plan| plan.cloud().is_some()).count();
    let each = if runs == 1 {
        format!("{bytes} bytes")
    } else {
        format!("{bytes} bytes in {runs} runs")
    };
    if let Some(cloud) = cloud.as_ref().filter(|_| elsewhere == runs) {
        return format!(
            "This delegate would hand {each} to Codex Cloud, to start from `{}`, last seen at {}, in the environment `{}`. \
             Nothing was sent and nothing was made.",
            cloud.pushed.tracking,
            cloud.pushed.tip.short(),
            cloud.environment
        );
    }
    let also = cloud.as_ref().map_or_else(String::new, |cloud| {
        format!(
            "Codex Cloud would do {elsewhere} of them, from `{}`. ",
            cloud.pushed.tracking
        )
    });
    format!(
        "This delegate would send {each} to {} {}, starting from {}, and may take {} at most for each run. \
         {also}Nothing was sent and nothing was made.",
        preflight.program.peer,
        preflight.program.version,
        started_from(start),
        spoken(timeout_ms)
    )
}

/// Says what the peer starts from.
fn started_from(start: &Start) -> String {
    let baseline = &start.baseline;
    let files = counted(baseline.files, "file");
    if baseline.start.is_some() {
        return "the result of the job that it goes on from".to_owned();
    }
    match baseline.uncommitted {
        0 => format!("{files} as they are committed"),
        count => format!("{files} with {count} uncommitted"),
    }
}

/// Tells whether something is run on the result.
fn has_lines(plan: &Plan) -> bool {
    delegation(plan).is_some_and(|delegation| !delegation.checks.is_empty() || delegation.setup.is_some())
}

fn creates(runs: usize, has_worktrees: bool) -> Vec<String> {
    let mut made = vec![format!("{} in the state directory", counted(runs, "job record"))];
    made.push("a snapshot in our private store of the repository".to_owned());
    if runs > 1 {
        made.push("one record of the group".to_owned());
    }
    if has_worktrees {
        made.push("worktrees in the state directory, kept idle for the next call".to_owned());
    }
    made
}

fn delegation(plan: &Plan) -> Option<&Delegation> {
    match &plan.expects {
        Expects::Delegate { delegation } => Some(delegation),
        Expects::Consult { .. } | Expects::Review { .. } => None,
    }
}

fn task_view(id: &str, attempts: usize, plan: &Plan, reused: &[String]) -> Value {
    let mut view = object(json!({
        "id": id,
        "attempts": attempts,
        "label": plan.label,
        "would_send": {
            "prompt_bytes": plan.egress.prompt_bytes,
            "prompt_chars": plan.prompt.chars(),
            "about_tokens": plan.prompt.chars() / 4,
            "files": plan.egress.files,
            "withheld": plan.egress.withheld,
            "masked": plan.egress.masked,
        },
    }));
    if let Some(delegation) = delegation(plan) {
        view.extend(asked_of(delegation, reused));
    }
    Value::Object(view)
}

fn asked_of(delegation: &Delegation, reused: &[String]) -> Map<String, Value> {
    let mut asked = object(json!({
        "allowed_paths": delegation.allowed_paths,
        "checks": delegation.checks,
        "reuse": reused,
    }));
    if let Some(setup) = &delegation.setup {
        asked.insert("setup".to_owned(), setup.clone().into());
    }
    if let Some(continues) = &delegation.continues {
        asked.insert("continues".to_owned(), json!(continues));
    }
    asked
}

/// The folders to link: those that are there and that git ignores. Whether one leads back into the workspace is seen when it
/// is linked.
fn reused(start: &Start, store: &Store, delegation: &Delegation) -> Vec<String> {
    let Ok(scratch) = store.folder("scratch") else {
        return Vec::new();
    };
    let baseline = &delegation.baseline;
    reuse_places(&baseline.prefix, &delegation.reuse)
        .into_iter()
        .filter(|place| {
            let folder = baseline.top_level.join(place);
            delegation.place == Place::Worktree
                && folder.symlink_metadata().is_ok_and(|found| found.is_dir())
                && start.repository.ignores(place, &scratch).unwrap_or(false)
        })
        .map(|place| shown_path(place.as_os_str().as_bytes()))
        .collect()
}

/// Where the run would work; the worktree is named, since there is none yet.
fn workplace(delegation: &Delegation) -> Workplace {
    let baseline = &delegation.baseline;
    let top = match delegation.place {
        Place::Worktree => Path::new("WORKTREE"),
        Place::Live => &baseline.top_level,
    };
    Workplace {
        access: Access::Write {
            top: top.to_owned(),
            network: delegation.network,
        },
        // Joined with nothing a path would end in a slash.
        directory: top.join(&baseline.prefix).components().collect(),
        project: top.to_owned(),
    }
}
