//! What a call continues.

use crate::domain::envelope::Usage;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::WorkspaceHash;
use crate::domain::request::{Resume, ThreadId};
use crate::run::reap::reap;
use crate::run::usage;
use crate::state::store::Store;

/// A thread to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    /// The thread.
    pub thread: ThreadId,
    /// Its tokens so far, where anybody knows them.
    pub usage_before: Option<Usage>,
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
            let recorded = result.and_then(|result| result.thread_usage);
            let usage_before = usage::thread_total(environment, thread.as_str()).or(recorded);
            Ok(Continued { thread, usage_before })
        }
    }
}
