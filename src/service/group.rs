//! Groups: the jobs of one delegate call with several tasks or attempts, started, found and told as one.

pub mod overlap;
pub mod start;
pub mod tell;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobKind, JobName, JobState};
use crate::run::reap::reap;
use crate::service::workspace::Workspace;
use crate::state::directory::{Job, JobDirectory};
use crate::state::error::StateError;
use crate::state::groups::{self, Group, GroupMember};
use crate::state::record::{Expects, ResultRecord};
use crate::state::store::Store;

pub use start::{again, submit};

/// What a name means.
#[derive(Debug)]
pub enum Found {
    /// A job, which may be one of a group.
    Job(Box<Job>),
    /// A group.
    Group(Group),
}

/// Ids named when a beginning fits several.
const CANDIDATES: usize = 5;

/// Finds the job or the group that a name means. `latest` after a call that made a group is the group.
pub fn find(store: &Store, name: &JobName, workspace: &Workspace) -> Result<Found, Fault> {
    found(store, name, workspace).map_err(|error| {
        let fault = Fault::from(error);
        if fault.code == FaultCode::JobNotFound && fault.allowed.is_none() {
            return fault.field("id").call("job", serde_json::json!({}));
        }
        fault
    })
}

/// As [`find`], where only one kind of job can be meant: `latest` is the newest of that kind. Where there is none it is the
/// newest of all, so that the caller hears what that one is.
pub fn find_kind(
    store: &Store,
    name: &JobName,
    workspace: &Workspace,
    kind: JobKind,
) -> Result<Found, Fault> {
    if *name == JobName::Latest
        && let Some(job) = store.newest(workspace.hash(), kind)?
    {
        return Ok(whole(store, job)?);
    }
    find(store, name, workspace)
}

fn found(store: &Store, name: &JobName, workspace: &Workspace) -> Result<Found, StateError> {
    match name {
        JobName::Exact(id) => match store.read(id) {
            Err(StateError::NoSuchJob) => of_group(store, id)?.ok_or(StateError::NoSuchJob),
            job => Ok(Found::Job(Box::new(job?))),
        },
        JobName::Latest => whole(store, store.find(name, workspace.hash())?),
        JobName::Prefix(prefix) => {
            let groups: Vec<JobId> = groups::ids(store)?
                .into_iter()
                .filter(|id| id.as_str().starts_with(prefix))
                .collect();
            match (store.find(name, workspace.hash()), groups.as_slice()) {
                (job, []) => Ok(Found::Job(Box::new(job?))),
                (Err(StateError::NoSuchJob), [only]) => of_group(store, only)?.ok_or(StateError::NoSuchJob),
                (jobs, groups) => {
                    let jobs = match jobs {
                        Ok(job) => vec![job.id().to_string()],
                        Err(StateError::Ambiguous { candidates }) => candidates,
                        Err(StateError::NoSuchJob) => Vec::new(),
                        Err(error) => return Err(error),
                    };
                    let groups = groups.iter().map(ToString::to_string);
                    let candidates = groups.chain(jobs).take(CANDIDATES).collect();
                    Err(StateError::Ambiguous { candidates })
                }
            }
        }
    }
}

/// Returns the group of a job, or the job itself where it is in none.
fn whole(store: &Store, job: Job) -> Result<Found, StateError> {
    let group = group_of(&job)
        .map(|id| of_group(store, id))
        .transpose()?
        .flatten();
    Ok(group.unwrap_or_else(|| Found::Job(Box::new(job))))
}

fn of_group(store: &Store, id: &JobId) -> Result<Option<Found>, StateError> {
    Ok(groups::read(store, id)?.map(Found::Group))
}

/// Returns the group that a job belongs to.
pub fn group_of(job: &Job) -> Option<&JobId> {
    match &job.spec.expects {
        Expects::Delegate { delegation } => delegation.member.as_ref().map(|member| &member.group),
        Expects::Consult { .. } | Expects::Review { .. } => None,
    }
}

/// Returns the folders of a group's jobs, those that are there.
pub fn directories(store: &Store, group: &Group) -> Vec<JobDirectory> {
    let all = group.members.iter().map(|member| store.directory(&member.job));
    all.filter(|directory| directory.path().exists()).collect()
}

/// One run of a group as it stands. A record that is gone or damaged leaves only its place.
#[derive(Debug)]
pub struct Run {
    /// Its place.
    pub place: GroupMember,
    /// The job.
    pub job: Option<Job>,
    /// What came of it.
    pub result: Option<ResultRecord>,
}

/// Reads all runs of a group, in its order. Lost ones get their result first.
pub async fn runs(store: &Store, group: &Group) -> Vec<Run> {
    let mut runs = Vec::with_capacity(group.members.len());
    for place in &group.members {
        let directory = store.directory(&place.job);
        if let Err(error) = reap(&directory).await {
            tracing::debug!(job = %place.job, %error, "a run of a group cannot be collected");
        }
        let job = store.read(&place.job).ok();
        let result = job
            .as_ref()
            .and_then(|job| job.directory.read_result().ok().flatten());
        runs.push(Run {
            place: place.clone(),
            job,
            result,
        });
    }
    runs
}

/// Derives the state of a group from those of its jobs: active while one is; succeeded when one did; else what most of
/// them came to matter least: the mildest way in which all of them failed.
pub fn state(states: &[JobState]) -> JobState {
    // The first of these that any of them has.
    const ORDER: [JobState; 7] = [
        JobState::Running,
        JobState::Queued,
        JobState::Succeeded,
        JobState::Failed,
        JobState::TimedOut,
        JobState::Cancelled,
        JobState::Lost,
    ];
    ORDER
        .into_iter()
        .find(|state| states.contains(state))
        .unwrap_or(JobState::Lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_state_follows_from_its_jobs() {
        use JobState::{Cancelled, Failed, Lost, Queued, Running, Succeeded, TimedOut};
        let check = |states: &[JobState], expected| assert_eq!(state(states), expected, "{states:?}");
        check(&[Queued, Succeeded], Queued);
        check(&[Queued, Running, Failed], Running);
        check(&[Failed, Succeeded, Lost], Succeeded);
        check(&[Cancelled, Failed], Failed);
        check(&[Lost, Cancelled], Cancelled);
        check(&[TimedOut, TimedOut], TimedOut);
        check(&[], Lost);
    }
}
