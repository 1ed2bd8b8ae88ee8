//! Tells a job: as a handle while it runs, as its result when it is over. One place, so that a call, a later look and
//! the terminal all say the same.

mod consult;
pub mod delegate;
mod remote;
pub mod review;
mod room;
pub mod standing;

use serde_json::{Map, Value, json};

use crate::domain::count::counted;
use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::job_view::{JobLimits, JobView, NextCall};
use crate::domain::limits;
use crate::domain::time::{rfc3339, spoken};
use crate::domain::usage::Usage;
use crate::peer::event::Event;
use crate::run::reap::reap;
use crate::run::span::so_far;
use crate::service::context::Service;
use crate::service::deliver::delegate::Standing;
use crate::service::reply::{Outcome, Refusal, Reply};
use crate::service::vigil;
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
/// Whether anybody hears what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The caller waits for it.
    Present,
    /// The host gave the call up: the result counts as unread.
    Gone,
}

/// Tells a job as it stands now.
pub async fn job(service: &Service, store: &Store, directory: &JobDirectory, listener: Listener) -> Outcome {
    unless_gone(directory, reap(directory).await)?;
    let spec = directory.read_spec().map_err(Fault::from)?;
    let job = store.read(&spec.id).map_err(Fault::from)?;
    match job.directory.read_result().map_err(Fault::from)? {
        // Deleted since: what it was is no answer.
        None if !job.state.is_active() && !job.directory.spec_path().exists() => {
            Err(Fault::from(StateError::NoSuchJob).into())
        }
        None => {
            let mut reply = handle(&job);
            if vigil::is_told(service, store, job.spec.asked_by.as_ref()) {
                vigil::promise(&mut reply);
            }
            Ok(reply)
        }
        Some(mut result) => {
            // The text as it came stands in the answer too, and is told by `detail=full` alone.
            if result.answer.is_some() {
                result.raw = None;
            }
            seam::point("deliver.read");
            if listener == Listener::Present {
                job.directory.mark_fetched();
                seam::point("deliver.marked");
            }
            let standing = delegate::standing(service, store, &job, &result).await;
            ended(&job, result, standing)
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
    let remote = remote::view(job);
    let (phase, usage) = if active { doing(job, &newest) } else { (None, None) };
    let phase = remote
        .as_ref()
        .filter(|_| active)
        .and_then(|view| remote::phase(job, view))
        .or(phase);
    let elapsed_ms = remote::elapsed_ms(job).filter(|_| active).unwrap_or(elapsed_ms);
    JobView {
        id: job.id().clone(),
        kind: job.spec.kind,
        label: job.spec.label.clone(),
        state: job.state,
        elapsed_ms,
        // The deadline is that of what is done here.
        deadline_at: span
            .filter(|_| active && remote.is_none())
            .map(|span| rfc3339(span.deadline_ms)),
        expires_at: result
            .and_then(|result| kept::expires_ms(&job.directory, result))
            .map(rfc3339),
        poll_after_ms: active.then(|| poll_after_ms(now.saturating_sub(job.spec.created_ms))),
        phase,
        usage,
        plan_hash: match &job.spec.expects {
            Expects::Review { plan: Some(plan), .. } => Some(plan.hash.clone()),
            _ => None,
        },
        limits: JobLimits {
            timeout_s: job.spec.timeout_ms / 1000,
            budget_tokens: job.spec.budget_tokens,
        },
        remote,
        next: active.then(|| NextCall {
            tool: "job",
            arguments: object(json!({"id": job.id(), "wait_s": 600})),
        }),
    }
}

/// What is known of a job for the meta of an envelope.
pub fn meta(spec: &Spec, result: Option<&ResultRecord>) -> Meta {
    // What a run elsewhere may do is decided there, and nobody here has looked.
    let is_here = spec.cloud().is_none();
    Meta {
        workspace: Some(spec.workspace.display().to_string()),
        workspace_source: Some(match spec.workspace_source.as_str() {
            "argument" => "argument",
            "project_dir" => "project_dir",
            "cwd" => "cwd",
            _ => "job",
        }),
        repo_root: spec.repo_root.as_ref().map(|root| root.display().to_string()),
        isolation: is_here.then(|| spec.isolation.as_str()),
        peer: Some(spec.peer.name.as_str()),
        peer_version: Some(spec.peer.version.clone()),
        tier: Some(spec.tier),
        sandbox: (is_here && spec.peer.name.runs_commands()).then(|| spec.tier.sandbox()),
        tools: is_here.then_some(spec.tools),
        model: spec.model.as_ref().map(|model| model.as_str().to_owned()),
        effort: spec.effort.as_ref().map(|effort| effort.as_str().to_owned()),
        thread: result.and_then(|result| result.thread.clone()),
        usage: result.and_then(|result| result.usage),
        cost_usd: result.and_then(|result| result.cost_usd),
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
            ending(&view),
        ],
        warnings: job.spec.warnings.clone(),
        meta: meta(&job.spec, None),
        job: Some(view),
        ..Reply::default()
    }
}

/// Says how a running job is ended, and of one that is done elsewhere what that does not end.
fn ending(view: &JobView) -> String {
    let id = &view.id;
    match view.remote.as_ref().and_then(|remote| remote.url.as_ref()) {
        Some(_) => format!(
            "call cancel with id {id} to follow it no more; the task goes on, since codex has no command that ends one"
        ),
        None => format!("call cancel with id {id} to end it"),
    }
}

/// An ended job: its answer, or its fault with what is left of it.
fn ended(job: &Job, result: ResultRecord, standing: Standing) -> Outcome {
    let view = view(job, Some(&result));
    let meta = meta(&job.spec, Some(&result));
    match (&result.answer, &result.fault) {
        (Some(Answer::Consult(answer)), _) => Ok(Reply {
            summary: consult::summary(job, &result),
            body: consult::body(answer, &job.directory),
            next_steps: vec![format!(
                "to ask more in the same thread, call consult with resume {}",
                job.id()
            )],
            warnings: result.warnings,
            job: Some(view),
            meta,
        }),
        (Some(Answer::Review(answer)), _) => Ok(Reply {
            summary: review::summary(answer),
            body: review::body(answer, &job.directory),
            next_steps: review::steps(job, answer),
            warnings: result.warnings,
            job: Some(view),
            meta,
        }),
        (Some(Answer::Delegate(answer)), _) => Ok(Reply {
            summary: delegate::summary(job, &result, &standing),
            body: delegate::body(job, answer, &result, standing),
            next_steps: delegate::steps(job, &result),
            warnings: result.warnings,
            job: Some(view),
            meta,
        }),
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
    if let Some(kept) = delegate::kept(job, result) {
        fault.repair.hint = format!("{}; {kept}", fault.repair.hint);
    }
    if let Some(review) = &result.partial_review {
        let found = u32::try_from(review.findings.len()).unwrap_or(u32::MAX);
        fault.repair.hint = format!(
            "{}; what its passes had found, {}, is in job {} with detail=full as result.partial_review, and in its report: merged, a part of \
             a review, and no verdict on the change",
            fault.repair.hint,
            counted(found, "finding"),
            job.id()
        );
    } else if result.partial.is_some() {
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
