//! The stop gate: reviews what a turn changed, once, and says so only where something was found.
//!
//! It is the one hook that starts paid work, and only where the person switched it on. A review of its is a job like any
//! other, so a hook that is killed loses nothing. It never keeps a turn from ending but for findings, and it never asks
//! twice about the same files.

mod look;
pub(in crate::service) mod told;

use std::path::Path;
use std::time::Duration;

use crate::domain::autonomy::is_typed;
use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Finding;
use crate::domain::gate::change::{Delta, Look, State, delta};
use crate::domain::gate::text::Voice;
use crate::domain::gate::{Background, Continued, Limit, Mode, Reason, Step, Turn, Verdict, judge, text};
use crate::domain::job::JobId;
use crate::domain::request::{Common, ReviewRequest, Subject, Wait};
use crate::domain::scope::{Revision, Scope};
use crate::domain::wake::{Say, SessionName, Standing};
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::hook::Said;
use crate::service::hook::input::Input;
use crate::service::opening::Governed;
use crate::service::review;
use crate::service::waiting::wait_for_jobs;
use crate::service::workspace::Workspace;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::gates::{self, HeldGate, Pending};
use crate::state::notice;
use crate::state::record::{Answer, Starter};
use crate::state::sessions;
use crate::state::store::Store;
use crate::sys::clock;
use crate::sys::lock::SharedLock;
use crate::sys::signal::ProcessIdentity;

/// The plugin's setting `gate` where the person made it; see `plugin_settings`.
pub(super) const OPTION: &str = "CROSSCHECK_PLUGIN_GATE";
/// The variable that admits less than was chosen.
const VARIABLE: &str = "CROSSCHECK_GATE";
/// How long a turn is held up for a review. The host gives the hook a minute more, so that it is never cut off.
const HOLD: Duration = Duration::from_secs(9 * 60);
/// How long a prompt is held up for a first look at a large working tree. Without one the first review is of everything
/// that is not committed.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Returns what the gate does. The person's own file is read each time, so it switches the gate off in a session that goes
/// on; the host tells a setting that was changed to its next session. Seen with 2.1.197 and 2.1.329.
fn mode(service: &Service) -> Mode {
    match chosen(service.environment()) {
        Mode::Off => Mode::Off,
        chosen => {
            let most = service.config().ok().and_then(|config| config.gate.value);
            most.map_or(chosen, |most| chosen.min(most))
        }
    }
}

fn chosen(environment: &Environment) -> Mode {
    // A peer that we started is looked at by whoever asked for it.
    if environment.get(DEPTH_VARIABLE).is_some() {
        return Mode::Off;
    }
    Mode::in_force(environment.text(OPTION), environment.text(VARIABLE))
}

/// What there is to say at a prompt.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// For the model.
    pub(super) context: Option<String>,
    /// For the person.
    pub(super) notice: Option<String>,
}

/// What became of the review that was started last.
enum Settled {
    /// There is none, or it speaks against nothing.
    Quiet,
    /// It goes on.
    Running,
    /// These words keep the turn from ending.
    Findings(String),
}

/// One conversation, held by this hook alone.
struct Watch<'a> {
    service: &'a Service,
    store: &'a Store,
    host: &'a ProcessIdentity,
    session: SessionName,
    /// The prompt that the person wrote last.
    prompt: String,
    held: HeldGate,
    notices: Vec<String>,
}

/// A prompt begins: what is there now is what its turn starts from.
pub(super) async fn prompt(
    service: &Service,
    store: &Store,
    host: &ProcessIdentity,
    input: &Input,
) -> Spoken {
    if mode(service) == Mode::Off {
        return Spoken::default();
    }
    let Some(session) = input.session() else {
        return Spoken::default();
    };
    let typed = input.prompt().is_none_or(is_typed);
    if let Some(id) = input.prompt_id().filter(|_| typed)
        && let Err(error) = gates::note_prompt(store, &session, id)
    {
        tracing::warn!(%error, "the prompt is not noted");
    }
    let Some(mut watch) = Watch::begin(service, store, host, session) else {
        return Spoken::default();
    };
    let context = match watch.settle().await {
        Ok(Settled::Findings(text)) => Some(text),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "the last review of the gate cannot be read");
            None
        }
    };
    match tokio::time::timeout(FIRST_LOOK, watch.first_look()).await {
        Ok(Err(fault)) => tracing::warn!(%fault, "the working tree cannot be looked at"),
        Err(_) => tracing::warn!("the working tree takes long to look at"),
        Ok(Ok(())) => {}
    }
    Spoken {
        context,
        notice: watch.end(),
    }
}

/// A turn is about to end.
pub(super) async fn stop(service: &Service, store: &Store, host: &ProcessIdentity, input: &Input) -> Said {
    let mode = mode(service);
    if mode == Mode::Off {
        return Said::Nothing;
    }
    let Some(session) = input.session() else {
        return Said::Nothing;
    };
    let Some(mut watch) = Watch::begin(service, store, host, session) else {
        return Said::Nothing;
    };
    let findings = match watch.look_at_turn(mode, input).await {
        Ok(findings) => findings,
        Err(fault) => {
            watch.could_not_run(Reason::Fault(fault.code), None);
            None
        }
    };
    let notice = watch.end();
    match (findings, notice) {
        (Some(findings), _) => Said::instead(&findings),
        (None, Some(notice)) => Said::notice(&notice),
        (None, None) => Said::Nothing,
    }
}

/// Judges a job that the gate started and that is over; `None` for any other.
pub(super) fn verdict(store: &Store, job: &JobDirectory) -> Result<Option<Verdict>, StateError> {
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

fn judge_job(job: &JobDirectory, told: &[String]) -> Result<Verdict, StateError> {
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

impl<'a> Watch<'a> {
    /// Begins; `None` where another hook looks after this conversation at the moment.
    fn begin(
        service: &'a Service,
        store: &'a Store,
        host: &'a ProcessIdentity,
        session: SessionName,
    ) -> Option<Self> {
        match HeldGate::try_take(store, &session) {
            Ok(held) => Some(Self {
                service,
                store,
                host,
                prompt: gates::prompt(store, &session),
                session,
                held: held?,
                notices: Vec::new(),
            }),
            Err(error) => {
                tracing::warn!(%error, "the gate cannot remember anything and does nothing");
                None
            }
        }
    }

    /// Writes down what is remembered, and returns what the person is told.
    fn end(self) -> Option<String> {
        self.save();
        (!self.notices.is_empty()).then(|| self.notices.join("\n"))
    }

    fn save(&self) -> bool {
        let saved = self.held.save();
        if let Err(error) = &saved {
            tracing::warn!(%error, "what the gate did is not remembered");
        }
        saved.is_ok()
    }

    fn voice(&self) -> Voice {
        Voice::of(self.service.peer())
    }

    fn could_not_run(&mut self, reason: Reason, job: Option<&JobId>) {
        if self.held.gate.say_once(reason) {
            self.notices.push(text::could_not_run(self.voice(), reason, job));
        }
    }

    /// Looks at a working tree that this conversation has not seen yet, so that only what changes from now on is its own.
    async fn first_look(&mut self) -> Result<(), Fault> {
        let Some(place) = look::find(self.service, self.store).await? else {
            return Ok(());
        };
        let top_level = place.top_level().to_owned();
        if self.held.gate.seen(&top_level).is_none() {
            let look = place.look().await?;
            self.held.gate.accept(&top_level, look);
        }
        Ok(())
    }

    /// Returns what keeps the turn from ending.
    async fn look_at_turn(&mut self, mode: Mode, input: &Input) -> Result<Option<String>, Fault> {
        match self.settle().await? {
            Settled::Running => return Ok(None),
            Settled::Findings(text) => return Ok(Some(text)),
            Settled::Quiet => {}
        }
        let turn = self.turn(input);
        if !turn.is_looked_at() {
            return Ok(None);
        }
        let Some(place) = look::find(self.service, self.store).await? else {
            return Ok(None);
        };
        let top_level = place.top_level().to_owned();
        let look = place.look().await?;
        let seen = self.held.gate.seen(&top_level);
        let Delta::Since { commit, paths } = delta(seen, &look) else {
            if seen.is_none_or(|seen| seen.tree != look.tree) {
                self.held.gate.accept(&top_level, look);
            }
            return Ok(None);
        };
        match turn.step() {
            Step::Leave => return Ok(None),
            Step::Reached(limit) => {
                self.reached(limit);
                return Ok(None);
            }
            Step::Review => {}
        }
        // Before anything is paid for: a hook that is killed now must not begin anew at every turn.
        self.held.gate.reviews += 1;
        self.held.gate.look(&top_level, &look);
        if !self.save() {
            return Ok(None);
        }
        let Some(job) = self.start(&top_level, look, commit, &paths).await? else {
            return Ok(None);
        };
        match mode {
            Mode::Hard => self.hold(&job).await,
            Mode::Soft | Mode::Off => Ok(None),
        }
    }

    fn turn(&self, input: &Input) -> Turn {
        let is_running = |id| notice::standing(self.store, id) == Standing::Running;
        let ours = sessions::jobs(self.store, self.host);
        let is_busy = input.has_background_tasks() || ours.iter().any(is_running);
        Turn {
            background: if is_busy {
                Background::Busy
            } else {
                Background::Quiet
            },
            continued: if input.is_continued() {
                Continued::ByAHook
            } else {
                Continued::No
            },
            rounds: self.held.gate.rounds.of(&self.prompt),
            reviews: self.held.gate.reviews,
        }
    }

    fn reached(&mut self, limit: Limit) {
        let gate = &mut self.held.gate;
        let is_new = match limit {
            Limit::Rounds => gate.rounds.tell(&self.prompt),
            Limit::Reviews => gate.say_reviews_are_used_up(),
        };
        if is_new {
            self.notices.push(text::reached(self.voice(), limit));
        }
    }

    /// Starts the review as a job. `None` where there was nothing to show anybody, or it could not be started.
    async fn start(
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
    async fn hold(&mut self, job: &JobDirectory) -> Result<Option<String>, Fault> {
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
    async fn settle(&mut self) -> Result<Settled, StateError> {
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
        common: Common {
            workspace: Some(top_level.to_owned()),
            wait: Wait::Background,
            ..Common::default()
        },
    }
}
