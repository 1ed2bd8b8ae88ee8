//! Where a task stands that is done elsewhere, for an envelope: its address, what was last seen of it, and why no more is known.

use crate::domain::job_view::{RemoteView, UnreachableView};
use crate::domain::runner::{RunnerName, TaskStatus};
use crate::domain::time::{rfc3339, spoken};
use crate::peer::codex::cloud::task_url;
use crate::state::directory::Job;
use crate::sys::clock;

/// Returns where the task of a job stands; `None` for a job of this machine.
pub(super) fn view(job: &Job) -> Option<RemoteView> {
    job.spec.cloud()?;
    let seen = job.directory.read_seen();
    let unreachable = seen.unreachable.filter(|_| job.state.is_active());
    Some(RemoteView {
        runner: RunnerName::Cloud.as_str(),
        url: job.directory.task().map(|task| task_url(&task.task)),
        status: seen.status.map(TaskStatus::as_str),
        seen_at: seen.seen_ms.map(rfc3339),
        unreachable: unreachable.map(|unreachable| UnreachableView {
            since: rfc3339(unreachable.since_ms),
            why: unreachable.why,
        }),
    })
}

/// Says what an active job does that has no worker here.
pub(super) fn phase(job: &Job, view: &RemoteView) -> Option<String> {
    if !job.directory.is_elsewhere() {
        return None;
    }
    if view.url.is_none() {
        return Some("waiting for its task to be handed to Codex Cloud".to_owned());
    }
    let status = view.status.unwrap_or("handed over");
    if let Some(unreachable) = &view.unreachable {
        return Some(format!(
            "unreachable in Codex Cloud since {}, {}; it was {status} and is followed on",
            unreachable.since, unreachable.why
        ));
    }
    let ago = job.directory.read_seen().seen_ms;
    Some(match ago {
        Some(at) => format!(
            "in Codex Cloud, {status} {} ago",
            spoken(clock::now_ms().saturating_sub(at))
        ),
        None => format!("in Codex Cloud, {status}"),
    })
}

/// Returns for how long a task has been elsewhere, in milliseconds.
pub(super) fn elapsed_ms(job: &Job) -> Option<u64> {
    job.spec.cloud()?;
    let task = job.directory.task()?;
    Some(clock::now_ms().saturating_sub(task.sent.at_ms))
}
