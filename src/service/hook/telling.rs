//! Finds what a session has to be told, takes the right to say it, and puts it together.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::gate::Verdict;
use crate::domain::job::{JobId, JobKind, JobState, WorkspaceHash};
use crate::domain::wake::text::{Ended, Outcome};
use crate::domain::wake::{Conversation, Process, Relation, Say, decide};
use crate::run::reap::reap;
use crate::service::group;
use crate::service::hook::gate;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::groups::Group;
use crate::state::notice::{self, Subject};
use crate::state::record::{Answer, Asker, ResultRecord};
use crate::state::sessions::{self, Session};
use crate::state::store::Store;

/// Time between two looks at a job that a call is about to read.
const PAUSE: Duration = Duration::from_millis(50);

/// A session that listens.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) store: Store,
    pub(super) session: Session,
}

/// What sessions left whose process is gone.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    /// Jobs of the conversation that goes on here.
    pub(super) own: Vec<Ended>,
    /// Jobs of others in the same workspace.
    pub(super) orphans: Vec<Ended>,
}

impl Telling {
    /// Takes everything of this process that is over and not told yet. A call that waits for a job has `patience` to read it.
    pub(super) async fn own(&self, patience: Duration) -> Vec<Ended> {
        let end = Instant::now() + patience;
        let mut told = Vec::new();
        loop {
            let mut later = false;
            for id in sessions::jobs(&self.store, &self.session.process) {
                match self.take(&id, Relation::Own).await {
                    (Say::Ended, Some(ended)) => told.push(ended),
                    (Say::Later, _) => later = true,
                    _ => {}
                }
            }
            if !later || Instant::now() >= end {
                return told;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes what processes left that are gone: what belongs to this conversation, and what lies in this workspace.
    pub(super) async fn left_behind(&self, workspace: Option<WorkspaceHash>) -> LeftBehind {
        let mut left = LeftBehind::default();
        for other in sessions::all(&self.store) {
            let process = self.session.sees(&other.process);
            if matches!(process, Process::Here | Process::Alive) {
                continue;
            }
            for id in sessions::jobs(&self.store, &other.process) {
                let Some(asker) = self.asker(&id) else {
                    continue;
                };
                let conversation = if asker.session == self.session.name {
                    Conversation::Same
                } else {
                    Conversation::Another
                };
                let relation = Relation::of(self.session.sees(&asker.process), conversation);
                if relation == Relation::Orphan && !workspace.is_some_and(|workspace| id.is_of(workspace)) {
                    continue;
                }
                match self.take(&id, relation).await {
                    (Say::Ended, Some(ended)) => left.own.push(ended),
                    (Say::LiesThere, Some(ended)) => left.orphans.push(ended),
                    _ => {}
                }
            }
        }
        left
    }

    /// Returns who asked for a job or group that may still have to be told.
    fn asker(&self, id: &JobId) -> Option<Asker> {
        let subject = notice::subject(&self.store, id)?;
        if !subject.standing().is_open() {
            return None;
        }
        subject.jobs.first()?.read_spec().ok()?.asked_by
    }

    /// Decides what is said of a job, and takes the right to say it.
    async fn take(&self, id: &JobId, relation: Relation) -> (Say, Option<Ended>) {
        let Some(subject) = notice::subject(&self.store, id) else {
            return (Say::Nothing, None);
        };
        let say = decide(relation, subject.standing());
        if !matches!(say, Say::Ended | Say::LiesThere) {
            return (say, None);
        }
        // Put together first: what cannot be told must not count as told.
        match self.describe(&subject).await {
            Ok(ended) if ended.outcome == Outcome::Gate { findings: 0 } => {
                // Nobody asked for it, and it speaks against nothing.
                subject.claim(say);
                subject.jobs.iter().for_each(JobDirectory::mark_fetched);
                (Say::Nothing, None)
            }
            // Why the gate could not look is the gate's to say, to the person.
            Ok(ended) if ended.outcome == Outcome::GateCouldNotRun => {
                if relation == Relation::Orphan {
                    subject.jobs.iter().for_each(JobDirectory::mark_fetched);
                }
                (Say::Nothing, None)
            }
            Ok(ended) if subject.claim(say) => (say, Some(ended)),
            Ok(_) => (Say::Nothing, None),
            Err(error) => {
                tracing::warn!(job = %id, %error, "the end of a job cannot be told");
                (Say::Nothing, None)
            }
        }
    }

    /// Puts together what is said of a job or group that is over. A lost job gets its result first.
    async fn describe(&self, subject: &Subject) -> Result<Ended, StateError> {
        for job in &subject.jobs {
            reap(job).await?;
        }
        match (&subject.group, subject.jobs.as_slice()) {
            (Some(group), jobs) => Ok(of_group(group, jobs)),
            (None, [job]) => {
                let mut ended = of_job(job)?;
                if let Some(verdict) = gate::verdict(&self.store, job)? {
                    ended.outcome = of_gate(&verdict);
                }
                Ok(ended)
            }
            (None, _) => Err(StateError::NoSuchJob),
        }
    }
}

fn of_gate(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Pass => Outcome::Gate { findings: 0 },
        Verdict::Block(findings) => Outcome::Gate {
            findings: findings.len(),
        },
        Verdict::CouldNotRun(_) => Outcome::GateCouldNotRun,
    }
}

fn of_job(job: &JobDirectory) -> Result<Ended, StateError> {
    let spec = job.read_spec()?;
    let result = job.read_result()?;
    Ok(Ended {
        outcome: result.as_ref().map_or(Outcome::Unknown, outcome),
        state: result.map_or(JobState::Lost, |result| result.state),
        id: spec.id,
        kind: spec.kind,
        label: spec.label,
    })
}

fn outcome(result: &ResultRecord) -> Outcome {
    match (&result.answer, &result.fault) {
        (Some(Answer::Consult(_)), _) => Outcome::Answer,
        (Some(Answer::Review(answer)), _) => Outcome::Review {
            verdict: answer.verdict,
            score: answer.score,
            findings: answer.findings.len(),
        },
        (Some(Answer::Delegate(_)), _) => Outcome::Diff {
            files: result.work.as_ref().map_or(0, |work| work.diffstat.files.into()),
        },
        (None, Some(fault)) => Outcome::Fault(fault.code),
        (None, None) => Outcome::Unknown,
    }
}

fn of_group(group: &Group, jobs: &[JobDirectory]) -> Ended {
    let states: Vec<JobState> = jobs.iter().filter_map(|job| job.state().ok()).collect();
    let succeeded = states
        .iter()
        .filter(|state| **state == JobState::Succeeded)
        .count();
    Ended {
        id: group.id.clone(),
        kind: JobKind::Delegate,
        label: group.label.clone(),
        state: group::state(&states),
        outcome: Outcome::Runs {
            runs: group.members.len(),
            succeeded,
        },
    }
}
