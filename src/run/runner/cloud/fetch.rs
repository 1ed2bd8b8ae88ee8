//! Getting what came of a task: the diff of one attempt, made a result as if a worktree held it.
//!
//! What was paid for is on disk before anything is made of it, and the number of tries is bounded: what the service gives may be
//! cut off, or not be there yet, and may also never fit.

use std::time::Duration;

use crate::domain::answer::DelegateAnswer;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::runner::{CloudPlan, TaskStatus};
use crate::peer::codex::cloud::{Fetched, diff_arguments, parse_diff, task_url};
use crate::run::keep::Reserve;
use crate::run::masking::mask;
use crate::run::remains::Remains;
use crate::run::runner::cloud::cancel::{self, GivenUp};
use crate::run::runner::cloud::submit::{home_of, stage};
use crate::run::runner::cloud::{Asking, observe};
use crate::run::runner::{Job, Went};
use crate::run::shared::Shared;
use crate::state::error::StateError;
use crate::state::record::{Answer, Expects};
use crate::state::remote::RemoteTask;
use crate::state::slots;
use crate::sys::process::end_all;
use crate::sys::{clock, files, seam, signal};

/// How long fetching may take: a diff of many megabytes on a slow line.
const FETCH: Duration = Duration::from_secs(300);
/// Tries to make a result of what the service gives. Each is at least the shortest pause after the one before.
const TRIES: u64 = 3;

/// What can be said of an attempt now.
enum Got {
    Diff(Vec<u8>),
    /// There is none, and will be none.
    Nothing(String),
    /// It failed at the service.
    Failed(Box<Fault>),
    /// Not now.
    Later,
}

/// Fetches the diff of a job's attempt and makes its result; the job stays elsewhere where that cannot be done now.
pub(in crate::run) async fn fetch(job: &Job<'_>, plan: &CloudPlan) -> Result<Went, StateError> {
    let Some(task) = job.directory.task() else {
        return Ok(Went::Elsewhere);
    };
    // What an earlier worker of this job left running when it was killed has its temporary folder.
    let tmp = job.directory.tmp_path();
    end_all(signal::with_folder("TMPDIR", &tmp)).await;
    files::create_private_dir(&tmp).map_err(StateError::io("make", tmp))?;
    if job.directory.is_cancel_requested() {
        return Ok(Went::ended(cancel::given_up(job.spec, &task, GivenUp::Asked)));
    }
    let tries = job.directory.count_try();
    let got = get(job, plan, &task, tries).await;
    seam::point("cloud.fetched");
    let mut remains = Remains::of(job.spec);
    let outcome = match got {
        Got::Later => return Ok(Went::Elsewhere),
        Got::Failed(fault) => Err((JobState::Failed, *fault)),
        Got::Nothing(said) => {
            remains
                .warnings
                .push(format!("Codex Cloud has no diff of this attempt: {said}"));
            take(job, &[], &mut remains).await
        }
        Got::Diff(diff) => {
            if let Err(error) = files::write_atomic(&job.directory.remote_diff_path(), &diff) {
                remains
                    .warnings
                    .push(format!("the diff could not be kept as it came: {error}"));
            }
            seam::point("cloud.diff_kept");
            take(job, &diff, &mut remains).await
        }
    };
    let result = match outcome {
        Ok(Taken::Kept) => {
            remains.elapsed_ms = clock::now_ms().saturating_sub(task.sent.at_ms);
            remains.succeeded(job.spec, Answer::Delegate(report(plan, &task)))
        }
        Ok(Taken::Later) => {
            job.directory.forget_tries();
            return Ok(Went::Elsewhere);
        }
        Ok(Taken::Misfit(_)) if tries < TRIES => return Ok(Went::Elsewhere),
        Ok(Taken::Misfit(said)) => {
            let fault = misfit(&said, job, &task);
            remains.elapsed_ms = clock::now_ms().saturating_sub(task.sent.at_ms);
            remains.failed(job.spec, JobState::Failed, fault)
        }
        Err((state, fault)) => {
            remains.elapsed_ms = clock::now_ms().saturating_sub(task.sent.at_ms);
            remains.failed(job.spec, state, fault)
        }
    };
    Ok(Went::Ended {
        result: Box::new(result),
        reserve: Some(Reserve::take(job.directory)),
    })
}

async fn get(job: &Job<'_>, plan: &CloudPlan, task: &RemoteTask, tries: u64) -> Got {
    stage(job.directory, "fetching the diff from Codex Cloud");
    let asking = Asking {
        program: &job.spec.peer.program,
        config: job.config,
        environment: job.environment,
        store: job.store,
    };
    let arguments = diff_arguments(&task.task, plan.attempt);
    let bounds = (FETCH, limits::PATCH_BYTES);
    let fetched = asking.ask(arguments, home_of(task), bounds, parse_diff).await;
    let failed = job.directory.read_seen().status == Some(TaskStatus::Error);
    let url = task_url(&task.task);
    match fetched {
        Ok(Fetched::Diff(diff)) => Got::Diff(diff),
        Ok(Fetched::None(_)) if failed => Got::Failed(Box::new(
            Fault::new(
                FaultCode::PeerFailed,
                format!(
                    "the task ended with an error in Codex Cloud, and this attempt has no diff; see {url}"
                ),
            )
            .hint("look at it there, in a browser; then repeat the call, or leave out runner to run it here"),
        )),
        // The list may know earlier than the details do, so none is believed only when it is said again.
        Ok(Fetched::None(said)) if tries >= TRIES => Got::Nothing(mask(&said)),
        Ok(Fetched::NoSuchAttempt(said)) if tries >= TRIES => Got::Failed(Box::new(
            Fault::new(
                FaultCode::PeerFailed,
                format!(
                    "Codex Cloud made fewer attempts than were asked for: {}; see {url}",
                    mask(&said)
                ),
            )
            .hint("the other attempts are jobs of the same group; look at them"),
        )),
        Ok(Fetched::None(_) | Fetched::NoSuchAttempt(_)) => Got::Later,
        Err(trouble) => {
            // It says nothing about the diff, so it is no try.
            job.directory.forget_tries();
            observe::note(job.directory, &Err(trouble));
            Got::Later
        }
    }
}

/// Whether a diff became a result.
enum Taken {
    Kept,
    /// It does not fit the base; git's words.
    Misfit(String),
    /// This worker was told to end before it could be judged. It lies there for the next one.
    Later,
}

/// Makes a diff a result and runs the checks on it, in a slot where there are any.
async fn take(job: &Job<'_>, diff: &[u8], remains: &mut Remains) -> Result<Taken, (JobState, Fault)> {
    let Expects::Delegate { delegation } = &job.spec.expects else {
        let fault = Fault::new(
            FaultCode::Internal,
            "a job that is no delegate was done elsewhere",
        );
        return Err((JobState::Failed, fault));
    };
    let failed = |fault: Fault| (JobState::Failed, fault);
    let has_lines = !delegation.checks.is_empty() || delegation.setup.is_some();
    let slot = if has_lines {
        let slot = job.wait_for_slot().await.map_err(|error| failed(error.into()))?;
        if slot.is_none() && job.directory.is_cancel_requested() {
            let stopped = crate::run::conclude::stopped(job.spec.peer.name, job.stop(), job.spec.timeout_ms);
            return Err(stopped);
        }
        if slot.is_none() {
            return Ok(Taken::Later);
        }
        slot
    } else {
        None
    };
    let shared = Shared::open(job.directory).map_err(|error| failed(error.into()))?;
    let attempt = job.attempt(&shared);
    let taken = attempt
        .take_patch(delegation, diff, &attempt.control(), remains)
        .await;
    if let Some(slot) = slot {
        slots::give_back(slot);
    }
    match taken {
        Ok(None) => Ok(Taken::Kept),
        Ok(Some(said)) => Ok(Taken::Misfit(said)),
        Err(fault) => Err(failed(fault)),
    }
}

/// The report of a job whose engine gives none.
fn report(plan: &CloudPlan, task: &RemoteTask) -> DelegateAnswer {
    let url = task_url(&task.task);
    let report = if plan.attempts > 1 {
        format!(
            "Attempt {} of {} of the task at {url}; its own words are there.",
            plan.attempt, plan.attempts
        )
    } else {
        format!("Done as the task at {url}; its own words are there.")
    };
    DelegateAnswer {
        report,
        ..DelegateAnswer::default()
    }
}

/// Says that a diff does not fit what this machine believes that the task started from.
fn misfit(said: &str, job: &Job<'_>, task: &RemoteTask) -> Fault {
    let message = format!(
        "the diff does not fit the commit that the remote branch was known to be at: {}; it is kept as it came in `{}`, and at {}",
        mask(said),
        job.directory.remote_diff_path().display(),
        task_url(&task.task)
    );
    Fault::new(FaultCode::PeerBadOutput, message)
        .hint("fetch the branch and look whether it moved on; `git apply --3way` with that file tries it on the new files")
}
