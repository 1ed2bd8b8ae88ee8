//! The gate's own review: a job that is started, waited for where the gate is hard, and judged once.

use super::Watch;
use std::path::Path;
use std::time::Duration;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Finding;
use crate::domain::gate::change::{Look, State};
use crate::domain::gate::text::Voice;
use crate::domain::gate::{Reason, Verdict, judge, text};
use crate::domain::request::{Common, ReviewRequest, Subject, Wait};
use crate::domain::review_plan::Depth;
use crate::domain::scope::{Revision, Scope};
use crate::domain::wake::Say;
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::opening::Governed;
use crate::service::review;
use crate::service::waiting::wait_for_jobs;
use crate::service::workspace::Workspace;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::gates::{self, Pending};
use crate::state::notice;
use crate::state::record::{Answer, Starter};
use crate::state::store::Store;
use crate::sys::clock;
use crate::sys::lock::SharedLock;

/// How long a turn is held up for a review. The host gives the hook a minute more, so that it is never cut off.
const HOLD: Duration = Duration::from_secs(9 * 60);

/// What became of the review that was started last.
pub(super) enum Settled {
    /// There is none, or it speaks against nothing.
    Quiet,
    /// It goes on.
    Running,
    /// These words keep the turn from ending.
    Findings(String),
}

/// Judges a job that the gate started and that is over; `None` for any other.
pub(in crate::service::hook) fn verdict(
    store: &Store,
    job: &JobDirectory,
) -> Result<Option<Verdict>, StateError> {
    let spec = job.read_spec()?;
    if spec.starter != Some(Starter::Gate) {
        return Ok(None);
    }
    let told = spec
        .asked_by
        .map(|asker| gates::read(store, &asker.session).told)
        .unwrap_or_default();
    Ok(Some(judge_job(job, &told)?))
}

pub(super) fn judge_job(job: &JobDirectory, told: &[String]) -> Result<Verdict, StateError> {
    let result = job.read_result()?;
    let code = |fault: Option<Fault>| fault.map_or(FaultCode::JobLost, |fault| fault.code);
    Ok(match result {
        Some(result) => match result.answer {
            Some(Answer::Review(answer)) => judge(&answer, told),
            _ => Verdict::CouldNotRun(Reason::Fault(code(result.fault))),
        },
        None => Verdict::CouldNotRun(Reason::Fault(FaultCode::JobLost)),
    })
}

impl Watch<'_> {
    /// Starts the review as a job. `None` where there was nothing to show anybody, or it could not be started.
    pub(super) async fn start(
        &mut self,
        top_level: &Path,
        look: Look,
        commit: Option<String>,
        paths: &[String],
    ) -> Result<Option<JobDirectory>, Fault> {
        let commit = commit.and_then(|commit| Revision::parse(&commit).ok());
        let mut request = request(top_level, commit, paths);
        request.common.options.budget_tokens = budget(self.service, top_level)?;
        let mut call = Call::new(format!("gate-{}-{}", std::process::id(), clock::now_ms()));
        call.host_process = Some(self.host.clone());
        call.starter = Some(Starter::Gate);
        // The same files again in the same conversation are the same review.
        call.tool_use_id = Some(format!("gate {} {}", self.session, look.tree));
        let mut outcome = review::run(self.service, &request, &call).await;
        let is_commit_gone = |code| code == FaultCode::InvalidRevision;
        if outcome
            .as_ref()
            .is_err_and(|refusal| is_commit_gone(refusal.fault.code))
        {
            // The history was rewritten; what is not committed is still there.
            request.subject = Subject::Change(Scope::WorkingTree);
            outcome = review::run(self.service, &request, &call).await;
        }
        match outcome {
            Ok(reply) => {
                // Of a change that may not be shown there is no job.
                let Some(job) = reply.job else {
                    self.was_free(top_level, Some(look));
                    return Ok(None);
                };
                let directory = self.store.directory(&job.id);
                self.held.gate.pending = Some(Pending {
                    job: job.id,
                    prompt: self.prompt.clone(),
                    top_level: top_level.to_owned(),
                    state: look.state,
                });
                self.save();
                Ok(Some(directory))
            }
            Err(refusal) if refusal.fault.code == FaultCode::NothingToReview => {
                self.was_free(top_level, Some(look));
                Ok(None)
            }
            Err(refusal) => {
                self.was_free(top_level, None);
                Err(refusal.fault)
            }
        }
    }

    /// Takes back that a review was counted; a look that had nothing to review is settled.
    fn was_free(&mut self, top_level: &Path, settled: Option<Look>) {
        self.held.gate.reviews -= 1;
        if let Some(look) = settled {
            self.held.gate.accept(top_level, look);
        }
    }

    /// Holds the turn up until the review is over, or takes too long.
    pub(super) async fn hold(&mut self, job: &JobDirectory) -> Result<Option<String>, Fault> {
        // Held beyond the end of the job, so that nobody else tells it.
        let _waiting = SharedLock::take(&job.waiting_path());
        let call = Call::new("gate");
        wait_for_jobs(std::slice::from_ref(job), HOLD, false, &call).await?;
        Ok(match self.settle().await? {
            Settled::Findings(text) => Some(text),
            Settled::Quiet => None,
            Settled::Running => {
                let id = self.held.gate.pending.as_ref().map(|pending| pending.job.clone());
                self.could_not_run(Reason::TakesLong, id.as_ref());
                None
            }
        })
    }

    /// Looks what became of the review that was started last, and settles it if it is over.
    pub(super) async fn settle(&mut self) -> Result<Settled, StateError> {
        let Some(pending) = self.held.gate.pending.clone() else {
            return Ok(Settled::Quiet);
        };
        let Some(subject) = notice::subject(self.store, &pending.job) else {
            // Somebody deleted it.
            self.held.gate.pending = None;
            return Ok(Settled::Quiet);
        };
        let job = self.store.directory(&pending.job);
        reap(&job).await?;
        if job.state()?.is_active() {
            return Ok(Settled::Running);
        }
        let verdict = judge_job(&job, &self.held.gate.told)?;
        self.held.gate.pending = None;
        match verdict {
            Verdict::Pass => {
                self.judged(&pending.top_level, pending.state);
                subject.claim(Say::Ended);
                job.mark_fetched();
                Ok(Settled::Quiet)
            }
            Verdict::CouldNotRun(reason) => {
                self.could_not_run(reason, Some(&pending.job));
                subject.claim(Say::Ended);
                job.mark_fetched();
                Ok(Settled::Quiet)
            }
            Verdict::Block(findings) => {
                self.judged(&pending.top_level, pending.state.clone());
                self.held.gate.tell(findings.iter().map(|finding| &finding.id));
                // Who claims it speaks; a session that was woken for it has heard of it.
                if subject.claim(Say::Ended) {
                    job.mark_fetched();
                    Ok(Settled::Findings(self.round(&pending, &findings)))
                } else {
                    self.held.gate.rounds.count(&pending.prompt);
                    Ok(Settled::Quiet)
                }
            }
        }
    }

    fn judged(&mut self, top_level: &Path, state: State) {
        self.held.gate.judge(top_level, state);
    }

    fn round(&mut self, pending: &Pending, findings: &[Finding]) -> String {
        let rounds = &mut self.held.gate.rounds;
        rounds.count(&self.prompt);
        text::block(
            Voice::of(self.service.peer()),
            &pending.job,
            findings,
            rounds.of(&self.prompt),
        )
    }
}

/// Returns what one review may use where the person wants to be asked above some number of tokens. Nobody can be asked at
/// the end of a turn, and who switched the gate on has agreed to what passes unasked, [`REVIEWS`](crate::domain::gate::REVIEWS)
/// times in a conversation: a review is held to that and ended there, instead of being refused.
fn budget(service: &Service, top_level: &Path) -> Result<Option<u64>, Fault> {
    let users = service.config()?;
    let Some(unasked) = users.ask_above_tokens.value else {
        return Ok(None);
    };
    let workspace = Workspace::resolve(service, Some(top_level), &users)?;
    // A project may allow a run fewer tokens still.
    let config = Governed::of(&users, &workspace)?.config;
    let most = config.budget_tokens.value;
    Ok(Some(most.map_or(unasked, |most| most.min(unasked))))
}

/// What is asked for: what changed, in one pass, and nothing is waited for.
fn request(top_level: &Path, commit: Option<Revision>, paths: &[String]) -> ReviewRequest {
    ReviewRequest {
        subject: Subject::Change(match commit {
            Some(commit) => Scope::Since { commit },
            None => Scope::WorkingTree,
        }),
        paths: paths.to_vec(),
        focus: None,
        context: None,
        depth: Depth::Quick,
        common: Common {
            workspace: Some(top_level.to_owned()),
            wait: Wait::Background,
            ..Common::default()
        },
    }
}
