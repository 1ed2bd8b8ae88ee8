//! The hidden process that owns one job: it holds the job's lock for life, runs the peer and writes the result.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, stdin};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::diff::patch::Patch;
use crate::diff::sent::SentPatch;
use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::request::ThreadId;
use crate::peer::codex::classify::{self, Failure};
use crate::peer::codex::invocation::Exec;
use crate::prompt::repair;
use crate::run::conclude::{self, Remains};
use crate::run::control::{Control, Stop};
use crate::run::keep::{Reserve, keep_result};
use crate::run::probe::Probe;
use crate::run::program::{Program, peer_environment};
use crate::run::supervise::{Run, Supervision};
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events::EventLog;
use crate::state::record::{Answer, ResultRecord, Spec};
use crate::state::slots;
use crate::state::store::Store;
use crate::state::sweep::sweep;
use crate::sys::clock::{self, Stopwatch};
use crate::sys::files;
use crate::sys::lock::HeldLock;
use crate::sys::process::Invocation;
use crate::sys::seam;
use crate::sys::watch::DirectoryWatch;

/// Bytes of a stored prompt or change, far above what is accepted.
const STORED_BYTES: u64 = 256 * 1024 * 1024;
/// Answers beyond this many bytes do not fit an envelope for sure and get a file of their own.
const ANSWER_FILE_BYTES: usize = 16 * 1024;
/// How long codex may take to tell when a used-up allowance is back.
const QUOTA_DEADLINE: Duration = Duration::from_secs(10);

/// Runs the worker of the job in this directory to its end.
pub fn main(directory: &Path, config: &Config, environment: &Environment) -> ExitCode {
    let directory = JobDirectory::at(directory);
    seam::point("worker.begun");
    // First of all leave the caller's session: its end, or Ctrl-C in its terminal, must not reach a paid run.
    let _ = rustix::process::setsid();
    // What codex leaves behind becomes our child instead of init's, so that it can be found and ended. Only Linux can.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let Some(lock) = adopt_lock(&directory) else {
        tracing::error!("the worker was not started by crosscheck: its input is not the job's lock");
        return ExitCode::from(2);
    };
    seam::point("worker.adopted");
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match work(&directory, config, environment).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the job has no result");
                ExitCode::FAILURE
            }
        }
    });
    // Held to the very end: whoever sees the lock free may rely on the result being there, or on there never being one.
    drop(lock);
    code
}

/// Moves the lock from standard input to a descriptor that no child inherits.
fn adopt_lock(directory: &JobDirectory) -> Option<HeldLock> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::File::from(fcntl_dupfd_cloexec(stdin(), 3).ok()?);
    let (held, meant) = (
        file.metadata().ok()?,
        std::fs::metadata(directory.lock_path()).ok()?,
    );
    let null = std::fs::File::open("/dev/null").ok()?;
    dup2_stdin(&null).ok()?;
    ((held.dev(), held.ino()) == (meant.dev(), meant.ino())).then(|| HeldLock::inherited(file))
}

async fn work(
    directory: &JobDirectory,
    config: &Config,
    environment: &Environment,
) -> Result<(), StateError> {
    let spec = directory.read_spec()?;
    seam::point("worker.spec_read");
    let store = directory
        .path()
        .parent()
        .and_then(Path::parent)
        .map_or_else(|| Store::at("/"), Store::at);
    let ended = CancellationToken::new();
    listen_for_signals(&ended);
    let mut job = Job {
        directory,
        spec: &spec,
        config,
        environment,
        store: &store,
        ended,
    };
    let mut reserve = None;
    let result = match job.wait_for_slot().await {
        Ok(Some(slot)) => {
            reserve = Some(Reserve::take(directory));
            seam::point("slot.reserved");
            let result = job.run().await;
            drop(slot);
            result
        }
        Ok(None) => {
            let stop = if directory.is_cancel_requested() {
                Stop::Cancelled
            } else {
                Stop::WorkerSignal
            };
            let (state, fault) = conclude::stopped(stop, spec.timeout_ms);
            Remains::of(&spec).failed(&spec, state, fault)
        }
        Err(error) => Remains::of(&spec).failed(&spec, JobState::Failed, error.into()),
    };
    seam::point("finish.begun");
    if let Some(Answer::Consult(answer)) = &result.answer
        && answer.answer.len() > ANSWER_FILE_BYTES
    {
        // For reading, so whoever is woken by the result finds it. The result holds it too: failing loses nothing.
        let _ = files::write_atomic(&directory.answer_path(), answer.answer.as_bytes());
    }
    seam::point("finish.answer_written");
    let reserve = reserve.unwrap_or_else(|| Reserve::take(directory));
    keep_result(directory, &result, reserve).await?;
    seam::point("finish.kept");
    tracing::info!(state = result.state.as_str(), "the job ended");
    // The peer's temporary folder is of no use to anybody any more.
    let _ = std::fs::remove_dir_all(directory.tmp_path());
    seam::point("finish.cleaned");
    // By the time at which the job was made: a clock that jumped ahead meanwhile must not make every result look old.
    let gone = store.evict(spec.created_ms.min(clock::now_ms()));
    if gone > 0 {
        tracing::info!(gone, "old jobs were deleted");
    }
    seam::point("finish.evicted");
    sweep(&store);
    Ok(())
}

fn listen_for_signals(ended: &CancellationToken) {
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
        if let Ok(mut stream) = signal(kind) {
            let ended = ended.clone();
            tokio::spawn(async move {
                stream.recv().await;
                ended.cancel();
            });
        }
    }
}

struct Job<'a> {
    directory: &'a JobDirectory,
    spec: &'a Spec,
    config: &'a Config,
    environment: &'a Environment,
    store: &'a Store,
    ended: CancellationToken,
}

impl Job<'_> {
    /// Waits until a slot is free; `None` when the job was cancelled first.
    async fn wait_for_slot(&self) -> Result<Option<HeldLock>, StateError> {
        let slots_watch = DirectoryWatch::start(&slots::folder(self.store)?);
        let job_watch = DirectoryWatch::start(self.directory.path());
        loop {
            if self.directory.is_cancel_requested() || self.ended.is_cancelled() {
                return Ok(None);
            }
            if let Some(slot) = slots::try_take(self.store, self.config.concurrency.value)? {
                seam::point("slot.taken");
                self.directory.mark_started(clock::now_ms())?;
                seam::point("slot.started");
                return Ok(Some(slot));
            }
            tokio::select! {
                () = slots_watch.changed() => {}
                () = job_watch.changed() => {}
                () = self.ended.cancelled() => {}
            }
        }
    }

    /// Runs the peer, once more in the same thread when its answer cannot be read.
    async fn run(&mut self) -> ResultRecord {
        let watch = Stopwatch::start();
        let mut remains = Remains::of(self.spec);
        let outcome = self.attempt(&mut remains).await;
        remains.elapsed_ms = watch.elapsed_ms();
        match outcome {
            Ok(answer) => remains.succeeded(self.spec, answer),
            Err((state, fault)) => remains.failed(self.spec, state, fault),
        }
    }

    async fn attempt(&mut self, remains: &mut Remains) -> Result<Answer, (JobState, Fault)> {
        let failed = |fault: Fault| (JobState::Failed, fault);
        let state_failed = |error: StateError| failed(error.into());
        let prompt = Self::read_text(&self.directory.prompt_path()).map_err(state_failed)?;
        let change = self.read_change().map_err(state_failed)?;
        let deadline = Instant::now() + Duration::from_millis(self.spec.timeout_ms);
        let control = Control::new(self.directory, deadline, self.ended.clone());
        let mut log = EventLog::open(&self.directory.events_path())
            .map_err(StateError::io("write", self.directory.events_path()))
            .map_err(state_failed)?;
        seam::point("run.begun");
        let mut supervision = Supervision {
            directory: self.directory,
            log: &mut log,
            control: &control,
        };
        if !self.spec.directory.is_dir() {
            // Spawning would fail with the same error as a missing program.
            let message = "the workspace vanished before codex was started";
            return Err(failed(
                Fault::new(FaultCode::InvalidWorkspace, message).field("workspace"),
            ));
        }
        let mut exec = self.exec();
        let mut number = 1;
        let mut run = supervision
            .run(&self.invocation(&exec), &prompt, number)
            .await
            .map_err(failed)?;
        if run.stop.is_none() && classify::names_an_absent_server(&run.transcript, &run.stderr) {
            // A server was removed since the list was made. Nothing was paid yet.
            exec.servers = self.servers_again().await.map_err(failed)?;
            number += 1;
            run = supervision
                .run(&self.invocation(&exec), &prompt, number)
                .await
                .map_err(failed)?;
        }
        let text = self.judge(run, remains).await?;
        seam::point("run.judged");
        let unreadable = match conclude::read_answer(self.spec, change.as_ref(), &text) {
            Ok((answer, warnings)) => {
                remains.warnings.extend(warnings);
                return Ok(answer);
            }
            Err(error) => error,
        };
        let bad_output = |error| {
            failed(Fault::new(
                FaultCode::PeerBadOutput,
                format!("codex's answer could not be read: {error}"),
            ))
        };
        let thread = remains
            .transcript
            .thread
            .clone()
            .and_then(|thread| ThreadId::try_from(thread).ok());
        let Some(thread) = thread.filter(|_| !self.spec.ephemeral) else {
            return Err(bad_output(unreadable));
        };
        tracing::info!("asking codex to repair its answer");
        seam::point("run.repair");
        exec.resume = Some(thread);
        let first = remains.transcript.clone();
        let again = supervision
            .run(&self.invocation(&exec), repair(&unreadable).as_str(), number + 1)
            .await;
        let judged = match again {
            Ok(run) => self.judge(run, remains).await,
            Err(fault) => Err(failed(fault)),
        };
        let repaired = judged.map(|text| conclude::read_answer(self.spec, change.as_ref(), &text));
        let answered = matches!(repaired, Ok(Ok(_)));
        remains.transcript.continue_from(first, answered);
        match repaired {
            Ok(Ok((answer, warnings))) => {
                remains.warnings.extend(warnings);
                remains
                    .warnings
                    .push("codex's first answer could not be read; it repaired it in a second turn".into());
                Ok(answer)
            }
            Ok(Err(error)) => Err(bad_output(error)),
            Err(ended) => Err(ended),
        }
    }

    /// Takes what a run left and says whether its last message is an answer.
    async fn judge(&self, run: Run, remains: &mut Remains) -> Result<String, (JobState, Fault)> {
        remains.leaked.extend(run.leaked);
        remains.transcript = run.transcript;
        let transcript = &remains.transcript;
        let whole = transcript.completed_turns > 0 && transcript.failure.is_none();
        if let (Some(stop), false) = (run.stop, whole && transcript.last_message.is_some()) {
            return Err(conclude::stopped(stop, self.spec.timeout_ms));
        }
        let Some(end) = run.end else {
            let fault = Fault::new(FaultCode::PeerFailed, "codex could not be ended");
            return Err((JobState::Failed, fault));
        };
        // A run that was ended after its turn was complete has its answer: how the process ended says nothing then.
        let end = if run.stop.is_some() {
            classify::End::Exited(0)
        } else {
            end
        };
        if let (Some(asked), Some(got)) = (&self.spec.resume, &transcript.thread)
            && asked.as_str() != got
        {
            remains
                .warnings
                .push("codex did not continue the thread that was asked for; it started a new one".into());
        }
        match classify::classify(end, transcript, &run.stderr) {
            Ok(()) => Ok(transcript.last_message.clone().unwrap_or_default()),
            Err(failure) => {
                if let Some(said) = &failure.said {
                    let said: String = conclude::mask(said).chars().take(500).collect();
                    remains.warnings.push(format!("codex said: {said}"));
                }
                Err((JobState::Failed, self.fault(failure).await))
            }
        }
    }

    /// Turns a failure into a fault, with the reset time of a used-up allowance where codex tells it.
    async fn fault(&self, failure: Failure) -> Fault {
        let mut fault = Fault::new(failure.code, failure.message);
        if failure
            .said
            .as_deref()
            .is_some_and(|said| said.starts_with("Missing environment variable"))
        {
            fault = fault.hint(
                "name the variable, which a warning tells, in [env] pass of crosscheck's configuration file, and set it",
            );
        }
        match failure.code {
            FaultCode::PeerUsageLimit => {
                if let Some(seconds) = self.reset_time().await {
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

    async fn servers_again(&self) -> Result<Vec<String>, Fault> {
        let program = self
            .program()
            .ok_or_else(|| Fault::new(FaultCode::PeerNotFound, "codex is gone"))?;
        let probe = Probe {
            program: &program,
            config: self.config,
            environment: self.environment,
            store: self.store,
        };
        probe.servers(&self.spec.directory, self.project(), true).await
    }

    fn project(&self) -> &Path {
        self.spec.repo_root.as_deref().unwrap_or(&self.spec.directory)
    }

    fn program(&self) -> Option<Program> {
        let path = self.spec.peer.program.clone();
        let version = semver::Version::parse(&self.spec.peer.version).ok()?;
        Some(Program {
            identity: path.display().to_string(),
            path,
            version,
        })
    }

    fn exec(&self) -> Exec {
        let schema = self.directory.schema_path();
        Exec {
            sandbox: self.spec.tier.sandbox(),
            directory: self.spec.directory.clone(),
            resume: self.spec.resume.clone(),
            model: self.spec.model.clone(),
            effort: self.spec.effort.clone(),
            schema: schema.exists().then_some(schema),
            last_message: self.directory.tmp_path().join("last-message"),
            isolation: self.spec.isolation,
            project: self.project().to_owned(),
            servers: self.spec.peer.servers.clone(),
            tools: self.spec.tools,
            web_search: self.spec.web_search,
            ephemeral: self.spec.ephemeral,
        }
    }

    fn invocation(&self, exec: &Exec) -> Invocation {
        let depth: u32 = self
            .environment
            .text(DEPTH_VARIABLE)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        Invocation {
            program: self.spec.peer.program.clone(),
            arguments: exec.arguments(),
            directory: self.spec.directory.clone(),
            environment: peer_environment(self.config, self.environment)
                .with("TMPDIR", self.directory.tmp_path())
                .with(DEPTH_VARIABLE, (depth + 1).to_string()),
        }
    }

    fn read_text(path: &Path) -> Result<String, StateError> {
        let bytes = files::read_bounded(path, STORED_BYTES).map_err(StateError::io("read", path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn read_change(&self) -> Result<Option<Patch>, StateError> {
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
