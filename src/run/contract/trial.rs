//! Runs the trial: the real program, some seconds, no money.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::request::{Effort, ModelName, ThreadId};
use crate::domain::tier::{Isolation, Tools};
use crate::model::{ModelServer, RecordedRequest, Turn};
use crate::peer::codex::events::parse_line;
use crate::peer::codex::sandbox::{self, WriteAccess};
use crate::peer::exec::{Access, Exec, Schema};
use crate::peer::transcript::Transcript;
use crate::run::contract::check::Report;
use crate::run::contract::evidence::{Evidence, RunSeen, SandboxSeen, WriterSeen};
use crate::run::contract::flags;
use crate::run::contract::judge::{EFFORT, MODEL, judge};
use crate::run::contract::script::{BARE, ContractScript, FIRST, RESUMED, prompt, writing};
use crate::run::contract::world::{SERVERS, WORLD_PREFIX, World};
use crate::run::masking::mask;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::run::usage::thread_total;
use crate::state::cache;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;
use crate::sys::process::{Ended, run_captured};
use crate::sys::sweep::sweep;

/// How long a report on an unchanged program is believed.
const REPORT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Time of one run; it takes less than a second on an idle machine.
const RUN_DEADLINE: Duration = Duration::from_secs(12);
/// When no run or question is begun or given more time. With the time that ending the last one takes, the whole check
/// stays below a minute.
const DEADLINE: Duration = Duration::from_secs(40);
/// Age at which a world is what a killed check left.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// Time that programs have which codex starts behind its own end, such as the one of `notify`.
const AFTERMATH: Duration = Duration::from_millis(300);
/// Bytes that a run may print; it prints some thousand.
const OUTPUT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of the file with a run's last message.
const MESSAGE_BYTES: u64 = 1024 * 1024;
/// Characters kept of what a program said.
const SAID_CHARS: usize = 200;

/// Checks a program, unless the same file passed before.
///
/// Only a report without anything broken is remembered, and only where the sandbox could be tried.
///
/// # Errors
/// When the check itself cannot be made; a program that fails it is no error but a report.
pub async fn check_once(
    environment: &Environment,
    config: &Config,
    store: &Store,
    program: &Program,
) -> Result<Report, Fault> {
    match cache::read(store, &key(program), REPORT_AGE) {
        Some(report) => Ok(report),
        None => check(environment, config, store, program).await,
    }
}

/// Checks a program, whatever is remembered; a report without anything broken is remembered for [`check_once`].
///
/// # Errors
/// As [`check_once`].
pub async fn check(
    environment: &Environment,
    config: &Config,
    store: &Store,
    program: &Program,
) -> Result<Report, Fault> {
    if !program.peer.takes_a_trial() {
        let report = flags::check(environment, config, store, program).await?;
        if report.broken().is_none() && report.not_checked() == 0 {
            cache::write(store, &key(program), &report);
        }
        return Ok(report);
    }
    let scratch = store.folder("scratch")?;
    sweep(&scratch, WORLD_PREFIX, ABANDONED, SystemTime::now());
    let script = Arc::new(ContractScript::default());
    let server = ModelServer::start(script.clone()).await.map_err(|error| {
        Fault::new(
            FaultCode::Internal,
            format!("cannot listen on loopback for the contract check: {error}"),
        )
    })?;
    let origin = server.origin();
    let made = World::make(&scratch, &origin).map_err(StateError::io("write", &scratch));
    let world = made.map_err(Fault::from)?;
    let address = origin.trim_start_matches("http://").replace(':', "/");
    script.begin(&world, &address);
    let trial = Trial {
        address: &address,
        program,
        config,
        environment: world.environment(environment, &origin),
        store: Store::at(world.state()),
        server: &server,
        world: &world,
        end: Instant::now() + DEADLINE,
    };
    let evidence = trial.run().await;
    server.shutdown().await;
    if let Err(error) = world.end() {
        tracing::warn!(%error, "the contract check's folder is still there");
    }
    let report = judge(&evidence);
    if report.broken().is_none() && evidence.sandbox == SandboxSeen::Works {
        cache::write(store, &key(program), &report);
    }
    Ok(report)
}

/// Another build of ours may check other things.
fn key(program: &Program) -> String {
    format!("contract {} {}", env!("CARGO_PKG_VERSION"), program.identity)
}

struct Trial<'a> {
    /// The model server's, as `127.0.0.1/port`.
    address: &'a str,
    program: &'a Program,
    config: &'a Config,
    /// The world's own.
    environment: Environment,
    /// The world's own: nothing found out here is a fact about the user's codex.
    store: Store,
    server: &'a ModelServer,
    world: &'a World,
    end: Instant,
}

impl Trial<'_> {
    async fn run(&self) -> Evidence {
        let probe = Probe {
            program: self.program,
            config: self.config,
            environment: &self.environment,
            store: &self.store,
        };
        let work = self.world.work();
        let (sandbox, servers) = tokio::join!(self.sandbox(), probe.servers(&work, &work, true));
        let servers = servers.map_err(|fault| said(&fault.message));
        let tools = match sandbox {
            SandboxSeen::Works => Tools::Sandboxed,
            SandboxSeen::BrokenHere(_) | SandboxSeen::NotUnderstood(_) => Tools::None,
        };
        let names = servers
            .clone()
            .unwrap_or_else(|_| SERVERS.map(str::to_owned).to_vec());
        let exec = |run: &str, tools: Tools| self.exec(run, tools, names.clone());

        let first = self.exec_run(FIRST, &exec(FIRST, tools)).await;
        let thread = first
            .transcript
            .thread
            .clone()
            .and_then(|thread| ThreadId::try_from(thread).ok())
            .filter(|_| first.succeeded());
        let recorded_usage = thread
            .as_ref()
            .and_then(|thread| thread_total(self.program.peer, &self.environment, thread.as_str()));
        let (mut resumed, mut bare) = (None, None);
        if let Some(thread) = thread {
            let again = Exec {
                resume: Some(thread),
                ..exec(RESUMED, tools)
            };
            resumed = Some(self.exec_run(RESUMED, &again).await);
            bare = Some(self.exec_run(BARE, &exec(BARE, Tools::None)).await);
        }
        let writer = match sandbox {
            SandboxSeen::Works => Some(self.writer().await),
            SandboxSeen::BrokenHere(_) | SandboxSeen::NotUnderstood(_) => None,
        };
        let bare_thread = bare.as_ref().and_then(|run| run.transcript.thread.clone());
        let bare_recorded = bare_thread
            .is_some_and(|thread| thread_total(self.program.peer, &self.environment, &thread).is_some());
        let (models, login) = tokio::join!(probe.models(self.left(limits::PROBE_TIMEOUT)), probe.login());
        tokio::time::sleep(AFTERMATH).await;
        Evidence {
            sandbox,
            servers,
            models: models.map_err(|error| said(&error)),
            login,
            first,
            resumed,
            bare,
            writer,
            recorded_usage,
            bare_recorded,
            marks: self.marks(),
            written: self.written(),
            requests: self.server.requests(),
            key: self.world.key(),
        }
    }

    /// Returns this time or what is left of the whole, whichever is shorter.
    fn left(&self, time: Duration) -> Duration {
        time.min(self.end.saturating_duration_since(Instant::now()))
    }

    async fn sandbox(&self) -> SandboxSeen {
        /// With this code the parser of codex's command line ends when it does not know an argument.
        const USAGE: Ended = Ended::Exited(2);
        let arguments = sandbox::read_probe();
        let invocation = self
            .program
            .invocation(arguments, Path::new("/"), self.config, &self.environment);
        let deadline = self.left(limits::PROBE_TIMEOUT);
        match run_captured(&invocation, b"", deadline, OUTPUT_BYTES).await {
            Ok(captured) if captured.ended == Ended::Exited(0) => SandboxSeen::Works,
            Ok(captured) if captured.ended == USAGE => {
                SandboxSeen::NotUnderstood(line(&captured.stderr, Which::First))
            }
            Ok(captured) => SandboxSeen::BrokenHere(line(&captured.stderr, Which::Last)),
            Err(error) => SandboxSeen::BrokenHere(said(&error.to_string())),
        }
    }

    /// Tries a command that may write, in the form and with the pins that checks of a delegate have.
    async fn writer(&self) -> WriterSeen {
        let work = self.world.work();
        let access = WriteAccess {
            top: work.clone(),
            directory: work.clone(),
            network: false,
        };
        let arguments = access.shell(&writing(self.world, self.address));
        let invocation = self
            .program
            .invocation(arguments, &work, self.config, &self.environment);
        let deadline = self.left(limits::PROBE_TIMEOUT);
        let (ending, output) = match run_captured(&invocation, b"", deadline, OUTPUT_BYTES).await {
            Ok(captured) => {
                let said = line(&captured.stderr, Which::Last);
                let output = String::from_utf8_lossy(&captured.stdout).into_owned();
                (format!("{:?}: {said}", captured.ended), output)
            }
            Err(error) => (said(&error.to_string()), String::new()),
        };
        let beyond = self.world.files_beyond();
        WriterSeen {
            ending,
            output,
            wrote: self.world.allowed_file().exists(),
            beyond: beyond
                .into_iter()
                .filter(|(_, file)| file.exists())
                .map(|(place, _)| place)
                .collect(),
        }
    }

    /// Returns the run exactly as a paid one would be.
    fn exec(&self, run: &str, tools: Tools, servers: Vec<String>) -> Exec {
        let work = self.world.work();
        Exec {
            access: Access::Read,
            directory: work.clone(),
            resume: None,
            model: ModelName::try_from(MODEL.to_owned()).ok(),
            effort: Effort::try_from(EFFORT.to_owned()).ok(),
            fork: false,
            roots: Vec::new(),
            session: ThreadId::of(run),
            record: None,
            schema: Some(Schema {
                path: self.world.schema_path(),
                text: String::new(),
            }),
            last_message: self.world.last_message_path(run),
            isolation: Isolation::Clean,
            project: work,
            servers,
            tools,
            web_search: false,
            ephemeral: run == BARE,
            withheld: Vec::new(),
            budget_microusd: None,
            max_turns: None,
            counts_tokens: false,
        }
    }

    async fn exec_run(&self, run: &'static str, exec: &Exec) -> RunSeen {
        let before = self.server.requests().len();
        let invocation = self.program.invocation(
            self.program.peer.arguments(exec),
            &exec.directory,
            self.config,
            &self.environment,
        );
        let deadline = self.left(RUN_DEADLINE);
        let captured = run_captured(&invocation, prompt(run).as_bytes(), deadline, OUTPUT_BYTES).await;
        let requests = self.server.requests();
        let turns = requests
            .iter()
            .skip(before)
            .filter(|request| RecordedRequest::is_turn(request))
            .map(|request| Turn::new(request.body.clone(), 1, 1))
            .collect();
        let mut seen = RunSeen {
            run,
            ended: Err(String::new()),
            transcript: Transcript::default(),
            first_event: String::new(),
            stderr: String::new(),
            last_message: files::read_bounded(&exec.last_message, MESSAGE_BYTES)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default(),
            turns,
        };
        match captured {
            Ok(captured) => {
                seen.ended = Ok(captured.ended);
                seen.stderr = match captured.ended {
                    Ended::Exited(2) => line(&captured.stderr, Which::First),
                    Ended::Exited(_) | Ended::Signaled(_) => line(&captured.stderr, Which::Last),
                };
                seen.read_events(&captured.stdout);
            }
            Err(error) => seen.ended = Err(said(&error.to_string())),
        }
        seen
    }

    fn marks(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.world.marks())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    fn written(&self) -> Vec<(&'static str, &'static str)> {
        let files = [FIRST, RESUMED].map(|run| (run, self.world.forbidden_files(run)));
        files
            .into_iter()
            .flat_map(|(run, files)| files.map(|(place, file)| (run, place, file)))
            .filter(|(_, _, file)| file.exists())
            .map(|(run, place, _)| (run, place))
            .collect()
    }
}

impl RunSeen {
    fn read_events(&mut self, stdout: &[u8]) {
        for text in stdout
            .split(|byte| *byte == b'\n')
            .filter(|text| !text.is_empty())
        {
            match parse_line(text) {
                Some(event) => self.transcript.push(&event),
                None => self.transcript.malformed += 1,
            }
            if self.first_event.is_empty() {
                let value: Option<serde_json::Value> = serde_json::from_slice(text).ok();
                let kind = value.as_ref().and_then(|value| value.get("type")?.as_str());
                kind.unwrap_or("no event").clone_into(&mut self.first_event);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Which {
    First,
    Last,
}

/// Returns one line of what a program wrote to its standard error.
fn line(stderr: &[u8], which: Which) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let found = match which {
        Which::First => lines.next(),
        Which::Last => lines.next_back(),
    };
    said(found.unwrap_or("it says nothing"))
}

/// Shortens and masks what a program said.
fn said(text: &str) -> String {
    mask(text).chars().take(SAID_CHARS).collect()
}
