//! From the prompt to an answer or a fault: which peers a job starts one after the other, and what their ends mean.

mod start;

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::diff::patch::Patch;
use crate::diff::sent::SentPatch;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::request::ThreadId;
use crate::peer::ended::{End, Failure};
use crate::peer::exec::Exec;
use crate::peer::support::Support;
use crate::prompt::{AnswerError, go_on, repair};
use crate::run::conclude;
use crate::run::control::{Control, Stop};
use crate::run::delegate::Workplace;
use crate::run::masking::mask;
use crate::run::patience::Patience;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::run::remains::Remains;
use crate::run::seat::Seat;
use crate::run::shared::Shared;
use crate::run::supervise::{Run, Supervision};
use crate::run::tokens::Tokens;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::{Answer, Expects, Spec};
use crate::state::store::Store;
use crate::sys::clock::{self, Clocks};
use crate::sys::files;
use crate::sys::process::Invocation;
use crate::sys::seam;

/// Bytes of a stored prompt or change, far above what is accepted.
const STORED_BYTES: u64 = 256 * 1024 * 1024;
/// How long codex may take to tell when a used-up allowance is back.
const QUOTA_DEADLINE: Duration = Duration::from_secs(10);

/// One job in its slot.
pub struct Attempt<'a> {
    /// The job.
    pub directory: &'a JobDirectory,
    /// What was asked.
    pub spec: &'a Spec,
    /// The configuration in force.
    pub config: &'a Config,
    /// Our environment.
    pub environment: &'a Environment,
    /// Where facts about the peer are remembered.
    pub store: &'a Store,
    /// Cancelled when the worker is told to end.
    pub ended: CancellationToken,
    /// When its time is over.
    pub deadline: Instant,
    /// What its peers share.
    pub shared: &'a Shared,
    /// What is its own beside others of the same job.
    pub seat: Seat,
}

impl Attempt<'_> {
    /// Runs the peer, once more in the same thread when its answer cannot be read; of a review that was planned so, several.
    pub async fn run(&self, remains: &mut Remains) -> Result<Answer, (JobState, Fault)> {
        seam::point("run.begun");
        match &self.spec.expects {
            Expects::Delegate { delegation } => self.run_task(delegation, &self.control(), remains).await,
            Expects::Review { plan: Some(plan), .. } => self.review(plan, remains).await,
            Expects::Consult { .. } | Expects::Review { plan: None, .. } => {
                let place = Workplace::of(self.spec);
                self.ask(&place, &self.control(), remains).await
            }
        }
    }

    /// Tells whether one more pass of this job may begin: nobody ended it, and there is time and budget left.
    pub(in crate::run) fn may_begin(&self) -> bool {
        let budget = self.spec.budget_tokens;
        !self.is_to_end()
            && Instant::now() < self.deadline
            && budget.is_none_or(|budget| self.shared.purse().total().total() <= budget)
    }

    /// Tells whether somebody wants this job to end.
    pub(in crate::run) fn is_to_end(&self) -> bool {
        self.directory.is_cancel_requested() || self.ended.is_cancelled()
    }

    /// Returns how many of the user's slots this job may take one of: the first ones only, so that no more of a project's
    /// jobs run at once than it admits.
    pub(in crate::run) fn slots(&self) -> usize {
        let slots = self.config.concurrency.value;
        self.spec.slots.map_or(slots, |most| most.clamp(1, slots))
    }

    /// Watches for what can end a run of this job.
    pub(in crate::run) fn control(&self) -> Control {
        Control::new(self.directory, self.deadline, self.ended.clone())
    }

    /// Asks the peer what the job asks, in the place that is ready for it.
    pub(in crate::run) async fn ask(
        &self,
        place: &Workplace,
        control: &Control,
        remains: &mut Remains,
    ) -> Result<Answer, (JobState, Fault)> {
        let state_failed = |error: StateError| (JobState::Failed, error.into());
        let prompt = Self::read_text(&self.directory.prompt_path()).map_err(state_failed)?;
        let change = self.read_change().map_err(state_failed)?;
        let read = |text: &str| conclude::read_answer(self.spec, change.as_ref(), text);
        let (answer, warnings) = self.converse(place, control, remains, &prompt, &read).await?;
        remains.warnings.extend(warnings);
        Ok(answer)
    }

    /// Sends one prompt and reads the answer: in one more turn where it cannot be read, and in the same thread again
    /// where the network was lost meanwhile.
    pub(in crate::run) async fn converse<T>(
        &self,
        place: &Workplace,
        control: &Control,
        remains: &mut Remains,
        prompt: &str,
        read: &dyn Fn(&str) -> Result<T, AnswerError>,
    ) -> Result<T, (JobState, Fault)> {
        let failed = |fault: Fault| (JobState::Failed, fault);
        let _under_way = self.shared.begin();
        let mut supervision = Supervision {
            peer: self.peer(),
            directory: self.directory,
            shared: self.shared,
            pass: self.seat.pass,
            tmp: &self.seat.tmp,
            control,
            clocks: Clocks::now(),
            patience: None,
            tokens: Tokens::of(self.spec, self.environment, self.shared.purse(), self.seat.pass),
        };
        self.check_program(remains).await.map_err(failed)?;
        if !place.directory.is_dir() {
            // Spawning would fail with the same error as a missing program.
            let message = format!("the workspace vanished before {} was started", self.peer());
            return Err(failed(
                Fault::new(FaultCode::InvalidWorkspace, message).field("workspace"),
            ));
        }
        let mut exec = self.exec(place).map_err(|error| failed(error.into()))?;
        let mut run = supervision
            .run(&self.invocation(&exec), prompt)
            .await
            .map_err(failed)?;
        if run.stop.is_none() && self.peer().names_an_absent_server(&run.transcript, &run.stderr) {
            // A server was removed since the list was made. Nothing was paid yet.
            exec.servers = self.servers_again(place).await.map_err(failed)?;
            run = supervision
                .run(&self.invocation(&exec), prompt)
                .await
                .map_err(failed)?;
        }
        let mut judged = self.judge(run, &exec, remains).await;
        if let Err((_, fault)) = &judged
            && let Some(thread) = self.broken_thread(fault.code, remains)
            && !supervision.tokens.is_over()
        {
            self.resume(&mut exec, thread);
            judged = self.go_on(&mut supervision, &exec, remains).await;
        }
        let text = judged?;
        seam::point("run.judged");
        let answer = read(&text);
        // It was taken, not copied: it may have megabytes.
        remains.transcript.last_message = Some(text);
        let unreadable = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let thread = remains
            .transcript
            .thread
            .clone()
            .and_then(|thread| ThreadId::try_from(thread).ok());
        let Some(thread) = thread.filter(|_| !self.spec.ephemeral) else {
            return Err(bad_output(self.peer(), &unreadable));
        };
        if supervision.tokens.is_over() {
            // A repair would cost more of what there is no more of.
            return Err(conclude::stopped(
                self.spec.peer.name,
                Stop::Budget,
                self.spec.timeout_ms,
            ));
        }
        seam::point("run.repair");
        self.resume(&mut exec, thread);
        tracing::info!("asking the peer to repair its answer");
        let first = std::mem::take(&mut remains.transcript);
        let again = supervision
            .run(&self.invocation(&exec), repair(&unreadable).as_str())
            .await;
        let judged = match again {
            Ok(run) => self.judge(run, &exec, remains).await,
            Err(fault) => Err(failed(fault)),
        };
        let repaired = judged.map(|text| {
            let answer = read(&text);
            remains.transcript.last_message = Some(text);
            answer
        });
        let answered = matches!(repaired, Ok(Ok(_)));
        remains.transcript.continue_from(first, answered);
        match repaired {
            Ok(Ok(answer)) => {
                remains.warnings.push(repaired_by(self.peer()));
                Ok(answer)
            }
            Ok(Err(error)) => Err(bad_output(self.peer(), &error)),
            Err(ended) => Err(ended),
        }
    }

    /// Goes on in the thread of a run that lost the network, waiting for it within bounds.
    async fn go_on(
        &self,
        supervision: &mut Supervision<'_>,
        exec: &Exec,
        remains: &mut Remains,
    ) -> Result<String, (JobState, Fault)> {
        tracing::info!("the connection broke; going on in the thread");
        let first = std::mem::take(&mut remains.transcript);
        let waiting = Invocation {
            arguments: self.peer().waiting_arguments(exec),
            ..self.invocation(exec)
        };
        supervision.patience = Some(Patience::new(limits::NETWORK_WAIT));
        let again = supervision.run(&waiting, go_on().as_str()).await;
        supervision.patience = None;
        let judged = match again {
            Ok(run) => self.judge(run, exec, remains).await,
            Err(fault) => Err((JobState::Failed, fault)),
        };
        // An answer was taken out of the transcript.
        let said_more = judged.is_ok() || remains.transcript.last_message.is_some();
        remains.transcript.continue_from(first, said_more);
        remains
            .warnings
            .push("the connection broke during the run; it was resumed once in the same thread".into());
        judged
    }

    /// Takes what a run left and says whether its last message is an answer.
    async fn judge(&self, run: Run, exec: &Exec, remains: &mut Remains) -> Result<String, (JobState, Fault)> {
        remains.leaked.extend(run.leaked);
        remains.transcript = run.transcript;
        let transcript = &remains.transcript;
        let whole = transcript.completed_turns > 0 && transcript.failure.is_none();
        if let (Some(stop), false) = (run.stop, whole && transcript.last_message.is_some()) {
            return Err(conclude::stopped(self.spec.peer.name, stop, self.spec.timeout_ms));
        }
        let Some(end) = run.end else {
            let fault = Fault::new(
                FaultCode::PeerFailed,
                format!("{} could not be ended", self.peer()),
            );
            return Err((JobState::Failed, fault));
        };
        // A run that was ended after its turn was complete has its answer: how the process ended says nothing then.
        let end = if run.stop.is_some() { End::Exited(0) } else { end };
        if let (Some(asked), Some(got)) = (&exec.resume, &transcript.thread)
            && asked.as_str() != got
            && !exec.fork
        {
            remains.warnings.push(format!(
                "{} did not continue the thread that was asked for; it started a new one",
                self.peer()
            ));
        }
        match self.peer().classify(end, transcript, &run.stderr) {
            Ok(()) => Ok(remains.transcript.last_message.take().unwrap_or_default()),
            Err(failure) => {
                if let Some(said) = &failure.said {
                    let said: String = mask(said).chars().take(500).collect();
                    let said = format!("{} said: {said}", self.peer());
                    if !remains.warnings.contains(&said) {
                        remains.warnings.push(said);
                    }
                }
                Err((JobState::Failed, self.fault(failure).await))
            }
        }
    }

    /// Looks whether the peer is still the one that was checked when the job was made: a job may wait for hours.
    async fn check_program(&self, remains: &mut Remains) -> Result<(), Fault> {
        let checked = &self.spec.peer;
        let peer = self.peer();
        let again = format!("repeat the call, which looks for {peer} and checks it anew");
        let path = checked.program.clone();
        let Ok(present) = Program::at(peer, path, self.config, self.environment, self.store).await else {
            let message = format!(
                "{peer} is gone from `{}`, or broken, since the job was made; nothing was paid",
                checked.program.display()
            );
            return Err(Fault::new(FaultCode::PeerNotFound, message).hint(again));
        };
        let version = present.version.to_string();
        if version == checked.version {
            return Ok(());
        }
        let replaced = format!(
            "{peer} was replaced since the job was made, {} to {version}",
            checked.version
        );
        let refused = match peer
            .tested()
            .support(&present.version, self.config.versions_of(peer).value.as_ref())
        {
            Support::Supported => {
                remains.warnings.push(replaced);
                return Ok(());
            }
            Support::TooOld => FaultCode::PeerVersionUnsupported,
            Support::Untested => FaultCode::PeerContractChanged,
        };
        let message = format!("{replaced}, which was not checked; nothing was paid");
        Err(Fault::new(refused, message).hint(again))
    }

    /// Returns the thread in which a run that lost the network can go on: one that codex keeps and the model worked in.
    fn broken_thread(&self, code: FaultCode, remains: &Remains) -> Option<ThreadId> {
        let transcript = &remains.transcript;
        let lost = code == FaultCode::PeerNetwork && self.peer().reached_the_model(transcript);
        let thread = transcript
            .thread
            .clone()
            .filter(|_| lost && !self.spec.ephemeral)?;
        ThreadId::try_from(thread).ok()
    }

    /// Turns a failure into a fault, with the reset time of a used-up allowance where codex tells it.
    async fn fault(&self, failure: Failure) -> Fault {
        let mut fault = Fault::new(failure.code, failure.message).about(self.peer());
        if let Some(hint) = failure.said.as_deref().and_then(missing_variable) {
            fault = fault.hint(hint);
        }
        match failure.code {
            FaultCode::PeerUsageLimit => {
                let told = failure.said.as_deref().and_then(|said| self.peer().back_at(said));
                let back_at = match told {
                    Some(at) => Some(at),
                    None => self.reset_time().await,
                };
                if let Some(seconds) = back_at {
                    let now = clock::now_ms();
                    let at_ms = seconds.saturating_mul(1000);
                    fault.retry_after_ms = Some(at_ms.saturating_sub(now));
                    fault.message = format!(
                        "{}; it is back at {}",
                        fault.message,
                        crate::domain::time::rfc3339(at_ms)
                    );
                }
                fault
            }
            FaultCode::InvalidArguments => fault.field("resume"),
            _ => fault,
        }
    }

    async fn reset_time(&self) -> Option<u64> {
        let program = self.program()?;
        let probe = Probe {
            program: &program,
            config: self.config,
            environment: self.environment,
            store: self.store,
        };
        probe.fresh_quota(QUOTA_DEADLINE).await.ok()?.resets_at()
    }

    async fn servers_again(&self, place: &Workplace) -> Result<Vec<String>, Fault> {
        let program = self
            .program()
            .ok_or_else(|| Fault::new(FaultCode::PeerNotFound, format!("{} is gone", self.peer())))?;
        let probe = Probe {
            program: &program,
            config: self.config,
            environment: self.environment,
            store: self.store,
        };
        probe.servers(&place.directory, &place.project, true).await
    }

    fn peer(&self) -> Peer {
        self.spec.peer.name
    }

    pub(in crate::run) fn read_text(path: &Path) -> Result<String, StateError> {
        let bytes = files::read_bounded(path, STORED_BYTES).map_err(StateError::io("read", path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(in crate::run) fn read_change(&self) -> Result<Option<Patch>, StateError> {
        let path = self.directory.change_path();
        if !path.exists() {
            return Ok(None);
        }
        let text = Self::read_text(&path)?;
        let sent: SentPatch =
            serde_json::from_str(&text).map_err(|source| StateError::Damaged { path, source })?;
        Ok(Some(sent.into()))
    }
}

fn repaired_by(peer: Peer) -> String {
    format!("{peer}'s first answer could not be read; it repaired it in a second turn")
}

fn bad_output(peer: Peer, error: &AnswerError) -> (JobState, Fault) {
    let message = format!("{peer}'s answer could not be read: {error}");
    (JobState::Failed, Fault::new(FaultCode::PeerBadOutput, message))
}

/// What to do about a variable that the peer says it misses, by its name where that is one.
fn missing_variable(said: &str) -> Option<String> {
    let rest = said.strip_prefix("Missing environment variable")?;
    let named = rest.split('`').nth(1).filter(|name| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !name.is_empty() && name.len() <= 100 && name.bytes().all(is_part)
    });
    let variable = named.map_or_else(
        || "the variable that `job` with detail=full tells".to_owned(),
        |name| format!("`{name}`"),
    );
    Some(format!(
        "set {variable} and name it in [env] pass of crosscheck's configuration file"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_is_named_where_it_is_a_name() {
        let check = |said: &str, expected: Option<&str>| {
            let hint = expected.map(|what| {
                format!("set {what} and name it in [env] pass of crosscheck's configuration file")
            });
            assert_eq!(missing_variable(said), hint, "{said}");
        };
        check("Missing environment variable: `FAKE_KEY`.", Some("`FAKE_KEY`"));
        let unnamed = "the variable that `job` with detail=full tells";
        check("Missing environment variable: `a b`.", Some(unnamed));
        check("Missing environment variable", Some(unnamed));
        check("Something else", None);
    }
}
