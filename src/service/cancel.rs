//! Ending a job, and forgetting one.

use std::time::Duration;

use serde_json::json;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobName, JobState};
use crate::domain::request::CancelRequest;
use crate::run::reap::reap;
use crate::run::wait::Follower;
use crate::service::context::Service;
use crate::service::deliver::{self, object};
use crate::service::jobs::find;
use crate::service::reply::{Outcome, Reply, fields};
use crate::service::workspace::Workspace;
use crate::state::quarantine;
use crate::sys::seam;

/// The longest an ending takes: interrupt, TERM and KILL with their graces, and the descendants.
const END_WAIT: Duration = Duration::from_secs(12);

/// Ends a job and everything below it, and says when it is over. A job that is over is left as it is.
pub async fn run(service: &Service, request: &CancelRequest) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let workspace = Workspace::resolve(service, request.workspace.as_deref(), &config)?;
    if request.forget
        && let JobName::Exact(id) = &request.name
        && quarantine::forget(&store, id).map_err(Fault::from)?
    {
        return Ok(forgotten_unread(id));
    }
    let job = find(&store, &request.name, &workspace)?;
    let was_active = job.state.is_active();
    if was_active {
        seam::point("cancel.begun");
        job.directory.request_cancel().map_err(Fault::from)?;
        seam::point("cancel.requested");
        Follower::new(&job.directory)
            .wait(END_WAIT, &mut |_| {})
            .await
            .map_err(Fault::from)?;
    }
    reap(&job.directory).await.map_err(Fault::from)?;
    let job = store.read(job.id()).map_err(Fault::from)?;
    if job.state.is_active() {
        let message = format!(
            "job {} was told to end and has not ended within {} s",
            job.id(),
            END_WAIT.as_secs()
        );
        return Err(Fault::new(FaultCode::JobNotFinished, message)
            .hint("call job with this id to see whether it ended meanwhile")
            .call("job", json!({"id": job.id(), "wait_s": 30}))
            .into());
    }
    seam::point("cancel.ended");
    let result = job.directory.read_result().map_err(Fault::from)?;
    let leaked = result
        .as_ref()
        .map(|result| result.leaked.clone())
        .unwrap_or_default();
    let thread = result.as_ref().and_then(|result| result.thread.clone());
    // A job that gave its answer while it was told to end was not ended by us.
    let ended = was_active && job.state == JobState::Cancelled;
    let mut body = object(json!({"ended": ended, "leaked": leaked}));
    let mut warnings = result
        .as_ref()
        .map(|result| result.warnings.clone())
        .unwrap_or_default();
    let mut next_steps = Vec::new();
    if request.forget {
        // The record is returned whole before it is gone: nothing paid vanishes without having been shown.
        body.insert(
            "record".to_owned(),
            json!({"spec": job.spec, "result": result.as_ref().map(fields)}),
        );
        seam::point("cancel.forgetting");
        store.delete(job.id()).map_err(Fault::from)?;
        warnings.push(match &thread {
            Some(thread) => {
                format!("codex itself still keeps thread {thread}; `codex delete {thread}` removes it")
            }
            None => "codex keeps nothing of it".to_owned(),
        });
    } else if let Some(thread) = &thread {
        let _ = thread;
        next_steps.push(format!(
            "to continue it, call {} with resume {}",
            job.spec.kind.as_str(),
            job.id()
        ));
    }
    let summary = match (was_active, job.state) {
        (true, JobState::Cancelled) if leaked.is_empty() => {
            format!("Job {} was ended; nothing of it runs any more.", job.id())
        }
        (true, JobState::Cancelled) => format!(
            "Job {} was ended, but {} of its processes still run.",
            job.id(),
            leaked.len()
        ),
        (_, state) => format!("Job {} was over already ({}).", job.id(), state.as_str()),
    };
    let summary = if request.forget {
        format!("{summary} Its record was deleted.")
    } else {
        summary
    };
    Ok(Reply {
        summary,
        job: Some(deliver::view(&job, result.as_ref())),
        body,
        next_steps,
        warnings,
        meta: deliver::meta(&job.spec, result.as_ref()),
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
