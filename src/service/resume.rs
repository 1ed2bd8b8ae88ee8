//! What a call continues.

use crate::domain::delegation::{Delegation, Work};
use crate::domain::envelope::Usage;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, WorkspaceHash};
use crate::domain::request::{Resume, ThreadId};
use crate::run::reap::reap;
use crate::run::usage;
use crate::state::directory::Job;
use crate::state::record::Expects;
use crate::state::store::Store;

/// A thread to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    /// The thread.
    pub thread: ThreadId,
    /// Its tokens so far, where anybody knows them.
    pub usage_before: Option<Usage>,
    /// The delegate job whose thread it is, if it is one's.
    pub delegate: Option<Box<Earlier>>,
}

/// A delegate job that another one goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The job.
    pub job: JobId,
    /// What it was asked to do.
    pub delegation: Delegation,
    /// The commit with what it left; the one that it started from when it left nothing.
    pub commit: String,
}

impl Earlier {
    fn of(job: &Job, work: Option<&Work>) -> Option<Box<Self>> {
        let Expects::Delegate { delegation } = &job.spec.expects else {
            return None;
        };
        let start = delegation.baseline.start.as_ref();
        let began = start.unwrap_or(&delegation.baseline.commit);
        Some(Box::new(Self {
            job: job.id().clone(),
            delegation: (**delegation).clone(),
            commit: work.map_or_else(|| began.clone(), |work| work.commit.clone()),
        }))
    }
}

/// Finds the thread that a resume means.
pub async fn find(
    resume: &Resume,
    workspace: WorkspaceHash,
    store: &Store,
    environment: &Environment,
) -> Result<Continued, Fault> {
    match resume {
        Resume::Thread(thread) => Ok(Continued {
            usage_before: usage::thread_total(environment, thread.as_str()),
            thread: thread.clone(),
            delegate: None,
        }),
        Resume::Job(name) => {
            let job = store
                .find(name, workspace)
                .map_err(|error| Fault::from(error).field("resume"))?;
            if job.state.is_active() {
                let message = "the job to resume is still running";
                return Err(Fault::new(FaultCode::JobNotFinished, message)
                    .field("resume")
                    .hint("wait for it with job, or cancel it first")
                    .call("job", serde_json::json!({"id": job.id(), "wait_s": 600})));
            }
            reap(&job.directory).await?;
            let result = job.directory.read_result()?;
            let thread = result.as_ref().and_then(|result| result.thread.clone());
            let thread = thread
                .and_then(|thread| ThreadId::try_from(thread).ok())
                .ok_or_else(|| {
                    Fault::argument(
                        "resume",
                        "the job to resume has no thread: it ended before codex opened one, or was ephemeral",
                    )
                    .hint("repeat the call without resume")
                })?;
            let work = result.as_ref().and_then(|result| result.work.as_ref());
            let delegate = Earlier::of(&job, work);
            let recorded = result.and_then(|result| result.thread_usage);
            let usage_before = usage::thread_total(environment, thread.as_str()).or(recorded);
            Ok(Continued {
                thread,
                usage_before,
                delegate,
            })
        }
    }
}
