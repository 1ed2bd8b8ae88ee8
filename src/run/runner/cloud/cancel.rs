//! Letting go of a task, and looking what became of one that nobody holds.
//!
//! The command line of Codex Cloud cannot end a task (seen with codex-cli 0.169.0). So a cancel ends the following, says that
//! the task goes on, and says where.

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::limits::FOLLOWED_FOR;
use crate::domain::runner::Handover;
use crate::domain::time::spoken;
use crate::peer::codex::cloud::task_url;
use crate::run::remains::Remains;
use crate::run::runner::cloud::submit::{LOOK, unknown};
use crate::run::runner::{Cancelled, Salvaged};
use crate::run::wake::tell_end;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::{ResultRecord, Spec};
use crate::state::remote::{self, RemoteTask};
use crate::state::store::Store;
use crate::sys::clock;
use crate::sys::lock::HeldLock;

/// Ends the following of a job that nobody here works on. One that has a worker is left to it: it sees the wish.
pub(in crate::run) fn let_go(directory: &JobDirectory) -> Result<Cancelled, StateError> {
    let Some(task) = directory.task() else {
        return Ok(Cancelled::Told);
    };
    let spec = directory.read_spec()?;
    end(directory, &spec, |spec| given_up(spec, &task, GivenUp::Asked))?;
    Ok(Cancelled::LetGo {
        url: task_url(&task.task),
    })
}

/// Gives a job that nobody works on its result. One that has a worker, or a result, is left as it is.
pub(in crate::run) fn end(
    directory: &JobDirectory,
    spec: &Spec,
    result: impl FnOnce(&Spec) -> ResultRecord,
) -> Result<(), StateError> {
    let path = directory.lock_path();
    let held = HeldLock::try_take(&path).map_err(StateError::io("lock", path))?;
    let Some(_held) = held else { return Ok(()) };
    if directory.read_result()?.is_some() {
        return Ok(());
    }
    directory.write_result(&result(spec))?;
    let store = Store::around(directory);
    remote::unfollow(&store, &spec.id);
    tell_end(&store, spec);
    Ok(())
}

/// Why a job is followed no more while its task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum GivenUp {
    /// Somebody wanted it.
    Asked,
    /// It was followed for as long as jobs are.
    TooOld,
}

/// The result of a job that is followed no more.
pub(in crate::run) fn given_up(spec: &Spec, task: &RemoteTask, why: GivenUp) -> ResultRecord {
    let url = task_url(&task.task);
    let (state, code, message, hint) = match why {
        GivenUp::Asked => (
            JobState::Cancelled,
            FaultCode::Cancelled,
            format!(
                "the job is followed no more; the task itself goes on at {url}, since codex has no command that ends one"
            ),
            "end it there, in a browser, if it should not go on",
        ),
        GivenUp::TooOld => (
            JobState::TimedOut,
            FaultCode::TimedOut,
            format!(
                "there was no result of the task within {}, and it is followed no more; it is at {url}",
                spoken(clock::millis(FOLLOWED_FOR))
            ),
            "look at it there, in a browser",
        ),
    };
    let remains = Remains {
        elapsed_ms: clock::now_ms().saturating_sub(task.sent.at_ms),
        ..Remains::of(spec)
    };
    remains.failed(spec, state, Fault::new(code, message).hint(hint))
}

/// Looks what became of a job that has no worker, no result and no address. The caller holds its lock, and no codex of its hands
/// it over any more, or takes too long: such a job is not lost.
pub(in crate::run) fn salvage(directory: &JobDirectory) -> Salvaged {
    match directory.handover() {
        Handover::Done => {
            // Codex lived to print it, so the worker's death cost nothing.
            if let Some(task) = directory.task()
                && let Err(error) = directory.write_task(&task)
            {
                tracing::warn!(%error, "which task it is, is not kept by itself");
            }
            Salvaged::Found
        }
        Handover::NotBegun if !directory.lead_was_sent() => Salvaged::Lost {
            message: "the job's worker died before the task was handed to Codex Cloud; nothing was paid"
                .to_owned(),
            hint: None,
        },
        Handover::NotBegun | Handover::Unknown => {
            let Fault { message, .. } = unknown("the job's worker died while it was handed over");
            Salvaged::Lost {
                message,
                hint: Some(LOOK.to_owned()),
            }
        }
    }
}
