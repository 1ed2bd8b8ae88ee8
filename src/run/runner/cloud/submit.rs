//! Handing a task over, at most once.
//!
//! The order is what counts: who is to be followed, the note that it is handed over, codex, its identity, the prompt, the
//! address. After the note nothing sends this task again, whatever is known of it.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::limits::HAND_OVER;
use crate::domain::runner::{CloudPlan, Handover};
use crate::peer::codex::cloud::{
    Printed, Submitted, Trouble, TroubleKind, parse_submitted, submit_arguments, task_url,
};
use crate::peer::ended::End;
use crate::peer::event::Event;
use crate::run::conclude::stopped;
use crate::run::masking::mask;
use crate::run::remains::Remains;
use crate::run::runner::cloud::cancel::{self, GivenUp};
use crate::run::runner::cloud::{Asking, end};
use crate::run::runner::{Job, Went};
use crate::run::wake::tell_end;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events::EventLog;
use crate::state::groups;
use crate::state::record::{Expects, ResultRecord, Spec};
use crate::state::remote::{self, RemoteTask, Sent};
use crate::state::store::Store;
use crate::sys::lock::HeldLock;
use crate::sys::process::Running;
use crate::sys::{clock, files, seam};

/// Bytes that are read of what it prints. An address is on its first line or nowhere.
const PRINTED_BYTES: u64 = 64 * 1024;
/// Bytes of a stored prompt, far above what is accepted.
const PROMPT_BYTES: u64 = 256 * 1024 * 1024;

/// Hands the task of a job over, for all attempts that the service makes of it.
pub(in crate::run) async fn submit(job: &Job<'_>, plan: &CloudPlan) -> Result<Went, StateError> {
    let followers = followers(job.store, job.spec);
    if job.directory.is_cancel_requested() || job.ended.is_cancelled() {
        let (state, fault) = stopped(job.spec.peer.name, job.stop(), job.spec.timeout_ms);
        return Ok(Went::ended(end_all(job, &followers, state, &fault)));
    }
    if plan.lead.is_some() {
        // It has no task, and the one that hands over for it is gone: what that one had sent is sent by nobody else.
        let fault = unknown("the job that was to hand it over is gone");
        return Ok(Went::ended(end_all(job, &[], JobState::Lost, &fault)));
    }
    if job.directory.handover() != Handover::NotBegun {
        // A worker of this job was here before and did not come to an end.
        let fault = unknown("it was about to be handed over before");
        return Ok(Went::ended(end_all(job, &followers, JobState::Lost, &fault)));
    }
    let asking = Asking {
        program: &job.spec.peer.program,
        config: job.config,
        environment: job.environment,
        store: job.store,
    };
    let sent = Sent {
        at_ms: clock::now_ms(),
        home: asking.home(),
    };
    let begun = begin(job, &followers, &sent);
    let became = match begun {
        Ok(prompt) => hand_over(job, plan, &asking, &sent, prompt).await,
        Err(error) => Submitted::NotSent(Trouble {
            kind: TroubleKind::Unanswered,
            said: error.to_string(),
        }),
    };
    let task = match became {
        Submitted::Task(task) => RemoteTask { task, sent },
        Submitted::NotSent(trouble) => {
            let fault = not_sent(&trouble, plan);
            return Ok(Went::ended(end_all(job, &followers, JobState::Failed, &fault)));
        }
        Submitted::Unknown(said) => {
            let fault = unknown(&said);
            return Ok(Went::ended(end_all(job, &followers, JobState::Lost, &fault)));
        }
    };
    keep(job, &followers, &task);
    stage(
        job.directory,
        &format!("in Codex Cloud at {}", task_url(&task.task)),
    );
    if job.directory.is_cancel_requested() {
        return Ok(Went::ended(cancel::given_up(job.spec, &task, GivenUp::Asked)));
    }
    Ok(Went::Elsewhere)
}

/// Notes all that has to be on disk before anything is sent, and returns the prompt.
fn begin(job: &Job<'_>, followers: &[JobDirectory], sent: &Sent) -> Result<Vec<u8>, StateError> {
    let prompt = job.directory.prompt_path();
    let prompt = files::read_bounded(&prompt, PROMPT_BYTES).map_err(StateError::io("read", prompt))?;
    stage(job.directory, "handing the task to Codex Cloud");
    job.directory.mark_started_once(sent.at_ms)?;
    for id in followers.iter().filter_map(|one| Some(one.read_spec().ok()?.id)) {
        remote::follow(job.store, &id)?;
    }
    remote::follow(job.store, &job.spec.id)?;
    seam::point("cloud.followed");
    job.directory.write_sent(sent)?;
    seam::point("cloud.noted");
    Ok(prompt)
}

/// Starts codex and waits for the address.
async fn hand_over(
    job: &Job<'_>,
    plan: &CloudPlan,
    asking: &Asking<'_>,
    sent: &Sent,
    prompt: Vec<u8>,
) -> Submitted {
    let not_started = |said: String| {
        Submitted::NotSent(Trouble {
            kind: TroubleKind::Unanswered,
            said,
        })
    };
    let arguments = submit_arguments(&plan.environment, &plan.branch, plan.attempts);
    let (invocation, scratch) = match asking.invocation(arguments, sent.home.as_ref()) {
        Ok(made) => made,
        Err(error) => return not_started(error.to_string()),
    };
    let path = job.directory.submitted_path();
    let output = match files::open_append(&path) {
        Ok(file) => file,
        Err(error) => return not_started(format!("cannot write `{}`: {error}", path.display())),
    };
    let mut running = match Running::start_into(&invocation, output) {
        Ok(running) => running,
        Err(error) => {
            let program = invocation.program.display();
            return not_started(format!("cannot start `{program}`: {error}"));
        }
    };
    seam::point("cloud.spawned");
    // On disk before the first byte of the prompt: whoever finds this job lost knows whom to wait for.
    if let Err(error) = job.directory.write_peer(1, running.identity()) {
        running.terminate().await;
        return not_started(error.to_string());
    }
    let (stdin, stderr) = (running.stdin.take(), running.stderr.take());
    let talk = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(&prompt).await;
            }
        };
        let listen = async {
            let mut said = Vec::new();
            if let Some(stderr) = stderr {
                let _ = stderr.take(PRINTED_BYTES).read_to_end(&mut said).await;
            }
            said
        };
        let ((), said) = tokio::join!(feed, listen);
        (said, running.wait().await.ok())
    };
    // Not ended by a wish to cancel: half-way nobody could say any more whether the service has the task.
    let told = timeout(HAND_OVER, talk).await;
    if told.is_err() {
        running.terminate().await;
    }
    drop(scratch);
    seam::point("cloud.printed");
    let (stderr, ended) = match told {
        Ok((said, ended)) => (said, ended.map_or(End::Signaled(0), end)),
        Err(_) => (
            format!("Error: no answer within {} s\n", HAND_OVER.as_secs()).into_bytes(),
            End::Signaled(0),
        ),
    };
    let stdout = files::read_bounded(&path, PRINTED_BYTES).unwrap_or_default();
    parse_submitted(Printed {
        end: ended,
        stdout: &stdout,
        stderr: &stderr,
    })
}

/// Keeps which task it is, for each attempt. What cannot be written is found again in what codex printed.
fn keep(job: &Job<'_>, followers: &[JobDirectory], task: &RemoteTask) {
    for directory in std::iter::once(job.directory).chain(followers) {
        if let Err(error) = directory.write_task(task) {
            tracing::warn!(%error, "which task it is, is not kept by itself");
        }
        seam::point("cloud.kept");
        if let Err(error) = directory.mark_started_once(task.sent.at_ms) {
            tracing::warn!(%error, "when the job began is not kept");
        }
    }
}

/// Gives all attempts of a task that was not handed over the same end, and returns this job's own, which is written last.
fn end_all(job: &Job<'_>, followers: &[JobDirectory], state: JobState, fault: &Fault) -> ResultRecord {
    let result_of = |spec: &Spec| Remains::of(spec).failed(spec, state, fault.clone());
    for directory in followers {
        let Ok(spec) = directory.read_spec() else { continue };
        let held = HeldLock::try_take(&directory.lock_path());
        if let Ok(Some(_held)) = held
            && directory.read_result().is_ok_and(|result| result.is_none())
        {
            match directory.write_result(&result_of(&spec)) {
                Ok(()) => {
                    remote::unfollow(job.store, &spec.id);
                    tell_end(job.store, &spec);
                }
                // It stays followed: whoever follows gives it the end of a lost job.
                Err(error) => tracing::warn!(job = %spec.id, %error, "an attempt has no result"),
            }
        }
    }
    result_of(job.spec)
}

/// Returns the jobs for which this one hands over, itself left out.
fn followers(store: &Store, spec: &Spec) -> Vec<JobDirectory> {
    let Expects::Delegate { delegation } = &spec.expects else {
        return Vec::new();
    };
    let Some(own) = &delegation.member else {
        return Vec::new();
    };
    let group = groups::read(store, &own.group).ok().flatten();
    let members = group.map(|group| group.members).unwrap_or_default();
    members
        .into_iter()
        .filter(|member| member.task == own.task && member.job != spec.id)
        .map(|member| store.directory(&member.job))
        .collect()
}

/// Notes in the job's log what is done with it.
pub(super) fn stage(directory: &JobDirectory, what: &str) {
    let event = Event::Stage {
        what: what.to_owned(),
    };
    let noted = EventLog::open(&directory.events_path()).and_then(|mut log| log.append(&event));
    if let Err(error) = noted {
        tracing::warn!(%error, "an event is not in the log");
    }
}

/// Says that a task was not handed over, so nothing was paid.
pub(super) fn not_sent(trouble: &Trouble, plan: &CloudPlan) -> Fault {
    let message = format!(
        "the task was not handed to Codex Cloud and nothing was paid: {}",
        mask(&trouble.said)
    );
    match trouble.kind {
        TroubleKind::SignedOut => Fault::new(FaultCode::PeerNotAuthenticated, message)
            .hint("run `codex login` and choose ChatGPT, then repeat the call: Codex Cloud takes no API key"),
        TroubleKind::NoEnvironment => Fault::new(FaultCode::ConfigInvalid, message).hint(format!(
            "set [runner.cloud] env, which is `{}`, to an environment of the account; `codex cloud` lists them",
            plan.environment
        )),
        TroubleKind::Refused => Fault::new(FaultCode::PeerNotAuthenticated, message)
            .hint("look at https://chatgpt.com/codex whether this account may use Codex Cloud"),
        TroubleKind::Gone | TroubleKind::Unanswered | TroubleKind::Unreadable => {
            Fault::new(FaultCode::PeerFailed, message).hint("repeat the call, or leave out runner to run it here")
        }
    }
}

/// Says that nobody can tell whether the service has a task.
pub(super) fn unknown(said: &str) -> Fault {
    let message = format!(
        "Codex Cloud may have the task or not, and it is not sent again by itself: {}",
        mask(said)
    );
    Fault::new(FaultCode::JobLost, message).hint(LOOK)
}

/// What to do where nobody can tell.
pub(super) const LOOK: &str =
    "look at `codex cloud list` or https://chatgpt.com/codex; only if the task is not there, repeat the call";

/// Returns the folder of codex that a job's task was handed over with.
pub(super) fn home_of(task: &RemoteTask) -> Option<&PathBuf> {
    task.sent.home.as_ref()
}
