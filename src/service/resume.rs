//! What a call continues.

use crate::domain::delegation::{Delegation, Work};
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobId;
use crate::domain::peer::Peer;
use crate::domain::request::{Resume, ThreadId};
use crate::domain::review_answer::Target;
use crate::domain::tracking::EarlierReview;
use crate::domain::usage::Usage;
use crate::run::reap::reap;
use crate::run::usage;
use crate::service::earlier;
use crate::service::group::{self, Found};
use crate::service::workspace::Workspace;
use crate::state::directory::Job;
use crate::state::groups::Group;
use crate::state::record::{Answer, Expects};
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
    /// What the review found whose thread it is, if it is one's.
    pub review: Option<Box<EarlierReview>>,
    /// The change that it looked at, or was to look at, if it is a review's.
    pub target: Option<Box<Target>>,
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

/// The fault of going on from a group: each of its runs has a thread and a result of its own.
fn of_group(group: &Group) -> Fault {
    let jobs = group.members.iter().map(|member| member.job.to_string());
    let message = format!(
        "{} is a group of {} jobs, and only one job can be gone on from",
        group.id,
        group.members.len()
    );
    Fault::argument("resume", message)
        .allowing(jobs)
        .hint("look at the group and name one of its jobs")
        .call("job", serde_json::json!({"id": group.id}))
}

/// Refuses to go on with one peer in a thread of another.
fn check_peer(job: &Job, peer: Peer) -> Result<(), Fault> {
    let theirs = job.spec.peer.name;
    if theirs == peer {
        return Ok(());
    }
    let message = format!("the job to resume ran with {theirs}, and this call asks {peer}");
    Err(Fault::argument("resume", message).hint(format!(
        "repeat the call without resume, or in a terminal with `crosscheck --peer {theirs}`"
    )))
}

/// Finds the thread that a resume means.
pub async fn find(
    resume: &Resume,
    workspace: &Workspace,
    store: &Store,
    environment: &Environment,
    peer: Peer,
) -> Result<Continued, Fault> {
    match resume {
        Resume::Thread(thread) => Ok(Continued {
            usage_before: usage::thread_total(peer, environment, thread.as_str()),
            thread: thread.clone(),
            delegate: None,
            review: None,
            target: None,
        }),
        Resume::Job(name) => {
            let job = match group::find(store, name, workspace).map_err(|fault| fault.field("resume"))? {
                Found::Job(job) => *job,
                Found::Group(group) => return Err(of_group(&group)),
            };
            if job.state.is_active() {
                let message = "the job to resume is still running";
                return Err(Fault::new(FaultCode::JobNotFinished, message)
                    .field("resume")
                    .hint("wait for it with job, or cancel it first")
                    .call("job", serde_json::json!({"id": job.id(), "wait_s": 600})));
            }
            check_peer(&job, peer)?;
            reap(&job.directory).await?;
            let result = job.directory.read_result()?;
            let thread = result.as_ref().and_then(|result| result.thread.clone());
            let thread = thread
                .and_then(|thread| ThreadId::try_from(thread).ok())
                .ok_or_else(|| {
                    Fault::argument(
                        "resume",
                        format!("the job to resume has no thread: it ended before {peer} opened one, or was ephemeral"),
                    )
                    .hint("repeat the call without resume")
                })?;
            let work = result.as_ref().and_then(|result| result.work.as_ref());
            let delegate = Earlier::of(&job, work);
            let review = match result.as_ref().and_then(|result| result.answer.as_ref()) {
                Some(Answer::Review(answer)) => Some(Box::new(earlier::review_of(job.id(), answer))),
                _ => None,
            };
            let recorded = result.and_then(|result| result.thread_usage);
            let usage_before = usage::thread_total(peer, environment, thread.as_str()).or(recorded);
            Ok(Continued {
                thread,
                usage_before,
                delegate,
                review,
                target: match &job.spec.expects {
                    Expects::Review { target, .. } => Some(target.clone()),
                    _ => None,
                },
            })
        }
    }
}
