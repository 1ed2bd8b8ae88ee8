//! Waiting for jobs within a call: as long as the host allows, telling progress, and obeying its cancel and its closing.

use std::time::Duration;

use crate::domain::environment::Environment;
use crate::domain::fault::Fault;
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::request::Wait;
use crate::run::runner;
use crate::run::wait::{Follower, Waited};
use crate::run::wake;
use crate::service::call::{Call, CancelReason};
use crate::service::context::Service;
use crate::service::deliver::{self, Listener};
use crate::service::host_wait::wait_of;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::sys::lock::SharedLock;
use crate::sys::{clock, seam};

/// A host that is being closed says first that the person cancelled, and is gone this much later at the latest.
/// Seen with Claude Code 2.1.197: 10 to 40 ms.
const CLOSING_GRACE: Duration = Duration::from_secs(1);
/// How long a call waits for the end of a job that it cancelled.
const CANCEL_WAIT: Duration = Duration::from_secs(10);

/// Waits as long as this call's host allows, and says whether anybody still hears the answer.
pub(super) async fn wait_as_allowed(
    service: &Service,
    directories: &[JobDirectory],
    started_here: bool,
    wait: Wait,
    call: &Call,
) -> Result<Listener, Fault> {
    let time = wait_of(wait, call.host.as_deref(), tool_timeout(service.environment()));
    seam::point("wait.begun");
    wait_for_jobs(directories, time, started_here, call).await?;
    seam::point("wait.ended");
    let gone = call.cancelled.is_cancelled() || call.closing.is_cancelled();
    Ok(if gone { Listener::Gone } else { Listener::Present })
}

fn tool_timeout(environment: &Environment) -> Option<u64> {
    environment.text("MCP_TOOL_TIMEOUT")?.parse().ok()
}

/// Follows several jobs until all of them are over.
struct Followers(Vec<Follower>);

impl Followers {
    async fn wait(
        &mut self,
        time: Duration,
        told: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Waited, StateError> {
        let end = tokio::time::Instant::now() + time;
        let all = self.0.len();
        // One after the other: whoever is over already is passed at once, and all have to be over.
        for (at, follower) in self.0.iter_mut().enumerate() {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let mut told_of_one = |new: &str| {
                if all == 1 {
                    told(new);
                } else {
                    told(&format!("run {} of {all}: {new}", at + 1));
                }
            };
            if follower.wait(left, &mut told_of_one).await? == Waited::TimeUp {
                return Ok(Waited::TimeUp);
            }
        }
        Ok(Waited::Ended)
    }
}

/// Waits until all of some jobs are over.
pub async fn wait_for_jobs(
    directories: &[JobDirectory],
    time: Duration,
    started_here: bool,
    call: &Call,
) -> Result<Waited, Fault> {
    // Held while this call waits, so that another one can see that it is not alone.
    let waiting: Vec<_> = directories
        .iter()
        .map(|directory| SharedLock::take(&directory.waiting_path()))
        .collect();
    let mut followers = Followers(directories.iter().map(Follower::new).collect());
    let progress = call.progress.clone();
    let mut phase = String::from(JobState::Queued.as_str());
    let mut heartbeat = tokio::time::interval(limits::PROGRESS_EVERY);
    heartbeat.tick().await;
    let begun = tokio::time::Instant::now();
    let deadline = begun + time;
    // Nothing happens in the folder of a job that waits for a slot, so that is looked for once.
    let slot_look = begun + Duration::from_millis(deliver::SLOT_LOOK_MS);
    let mut looked = false;
    let reason = loop {
        let mut told = |new: &str| {
            new.clone_into(&mut phase);
            if let Some(progress) = &progress {
                progress.send(new);
            }
        };
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        tokio::select! {
            waited = followers.wait(left, &mut told) => return Ok(waited?),
            reason = call.cancelled.wait() => break reason,
            () = call.closing.cancelled() => return Ok(Waited::TimeUp),
            () = tokio::time::sleep_until(slot_look), if !looked => {
                looked = true;
                let is_queued = |directory: &JobDirectory| matches!(directory.state(), Ok(JobState::Queued));
                if directories.iter().all(is_queued) {
                    told(deliver::NO_SLOT);
                }
                continue;
            }
            _ = heartbeat.tick() => {}
        }
        if let Some(progress) = &progress {
            progress.send(format!(
                "{phase} ({} so far)",
                crate::domain::time::spoken(clock::millis(begun.elapsed()))
            ));
        }
    };
    // The wait ends; the jobs go on, unless the person who started them with this very call gave it up.
    if reason == CancelReason::Other || !started_here {
        return Ok(Waited::TimeUp);
    }
    // A second Ctrl-C leaves at once. The wish of the first one is on disk by then, or the run would go on unseen.
    if reason == CancelReason::User {
        tokio::select! {
            () = call.closing.cancelled() => return Ok(Waited::TimeUp),
            () = tokio::time::sleep(CLOSING_GRACE) => {}
        }
    }
    drop(waiting);
    let is_awaited = |directory: &JobDirectory| SharedLock::others_hold(&directory.waiting_path());
    if directories.iter().any(is_awaited) {
        return Ok(Waited::TimeUp);
    }
    for directory in directories {
        wake::hush_whole(directory);
        runner::cancel(directory)?;
    }
    Ok(followers.wait(CANCEL_WAIT, &mut |_| {}).await?)
}
