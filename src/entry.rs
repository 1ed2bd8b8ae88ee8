//! Wires the doors to the use cases. The only place that knows all rings.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{self, Device, Place, Streams};
use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::fingerprint::fingerprint;
use crate::domain::peer::Peer;
use crate::domain::schema;
use crate::mcp::{self, Eras, ExitReason};
use crate::run;
use crate::service::context::Service;
use crate::service::hook::{self, Event, Host, INPUT_BYTES, Said};
use crate::service::plugin_settings;
use crate::state::store::Store;
use crate::sys::files;
use crate::sys::log_file::{CappedLog, LOG_BYTES};
use crate::sys::signal;

/// Threads of the server: one reads and one answers while a third would only wait.
const SERVER_THREADS: usize = 2;
/// Time that background work gets to end with the server. Paid work is in other processes.
const SHUTDOWN: Duration = Duration::from_millis(100);
/// Bytes of a host's first lines: the one that opens the session and one more, each as long as a line may be, with room to spare.
const HANDED_OVER_BYTES: u64 = 12 * 1024 * 1024;
/// The exit code with which a hook begins a turn of its host.
const WAKE: u8 = 2;
/// Columns of the list of jobs. A host breaks longer lines: in a terminal of 80 columns it takes four for itself, and a hook
/// cannot ask for more, since it has no terminal. Seen with Claude Code 2.1.197 and 2.1.329.
const LIST_COLUMNS: usize = 76;
/// What a person can do with the list.
const LIST_HINT: &str =
    "No model was asked.\n/codex:jobs ID shows one, /codex:result ID a task, /codex:cancel ID ends it.";
/// Bytes of the user's configuration file.
const CONFIG_BYTES: u64 = 1024 * 1024;

/// Serves one host on standard input and output.
pub fn serve(peer: Peer, environment: Environment, directory: PathBuf, program: PathBuf) -> ExitCode {
    // First of all, before any thread: from here on nothing but the transport can reach standard output.
    let (input, output) = match mcp::claim_stdio() {
        Ok(streams) => streams,
        Err(error) => return fatal(&format!("cannot use standard input and output: {error}")),
    };
    let _log = init_log(&environment);
    leave_one_line_on_panic();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVER_THREADS)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fatal(&format!("no runtime: {error}")),
    };
    let begun = match environment
        .path("CROSSCHECK_HANDED_OVER")
        .map(|path| taken_over(&path))
    {
        Some(Ok(begun)) => Some(begun),
        Some(Err(what)) => return fatal(&what),
        None => None,
    };
    let eras = Eras::from_legacy_variable(environment.text("CROSSCHECK_MCP_LEGACY"));
    #[cfg(feature = "conformance")]
    let samples = environment.text("CROSSCHECK_MCP_SAMPLES") == Some("1");
    let environment = plugin_settings::adopt(environment);
    let service = Service::of(peer, program, environment, directory, contract_fingerprint(peer));
    let reason = runtime.block_on(async {
        match mcp::ending_signals() {
            #[cfg(feature = "conformance")]
            Ok(signal) if samples => {
                Ok(mcp::serve_samples(Arc::new(service), eras, input, output, begun, signal).await)
            }
            Ok(signal) => Ok(mcp::serve(Arc::new(service), eras, input, output, begun, signal).await),
            Err(error) => Err(error),
        }
    });
    runtime.shutdown_timeout(SHUTDOWN);
    match reason {
        Ok(ExitReason::Broken) => fatal("the protocol's machinery stopped"),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => fatal(&format!("cannot listen for signals: {error}")),
    }
}

/// Reads what the launcher wrote down of a session that it began, and removes it: it is meant for one process alone.
fn taken_over(path: &Path) -> Result<mcp::HandedOver, String> {
    let lines = files::read_bounded(path, HANDED_OVER_BYTES);
    let _ = std::fs::remove_file(path);
    let lines = lines.map_err(|error| format!("cannot read what the host said first: {error}"))?;
    mcp::HandedOver::parse(lines).ok_or_else(|| "what the host said first opens no session".to_owned())
}

/// Owns one job to its end.
pub fn worker(environment: &Environment, program: &Path, job: &Path) -> ExitCode {
    // A worker logs into its job's directory, which its standard error is; a few lines, and never into the server's file.
    let level = environment.text("CROSSCHECK_LOG").unwrap_or("info");
    let own = environment
        .clone()
        .with("CROSSCHECK_LOG", level)
        .with("CROSSCHECK_LOG_FILE", "");
    let _log = init_log(&own);
    match read_config(environment) {
        Ok(config) => run::worker::main(program, job, &config, environment),
        Err(fault) => {
            // The submitter read it a moment ago; a job must not be lost because somebody edits the file just now.
            tracing::warn!(%fault, "the configuration is not valid any more; the built-in one is used");
            match Config::layered(None, &Environment::default()) {
                Ok(config) => run::worker::main(program, job, &config, environment),
                Err(fault) => fatal(&fault.to_string()),
            }
        }
    }
}

/// Follows the tasks that are done elsewhere until there are none.
pub fn follow(environment: &Environment, program: &Path) -> ExitCode {
    let _log = init_log(environment);
    let config = read_config(environment).or_else(|_| Config::layered(None, &Environment::default()));
    match (config, Store::path_from(environment)) {
        (Ok(config), Some(root)) => run::follow::main(program, &config, environment, &Store::at(root)),
        (Err(fault), _) => fatal(&fault.to_string()),
        (_, None) => fatal("there is no state directory"),
    }
}

/// Runs one hook of the plugin. Whatever happens in it, the host hears of nothing but what it has to say.
pub fn hook(
    host: Host,
    environment: Environment,
    directory: PathBuf,
    program: PathBuf,
    name: &OsStr,
) -> ExitCode {
    // What a hook leaves on standard error is for the model, so its log goes into the file alone that somebody asked for.
    let _log = environment
        .path("CROSSCHECK_LOG_FILE")
        .and_then(|_| init_log(&environment));
    std::panic::set_hook(Box::new(|_| tracing::error!("a hook stopped unexpectedly")));
    let ran = std::panic::catch_unwind(|| run_hook(host, environment, directory, program, name));
    match ran.ok().flatten().unwrap_or(Said::Nothing) {
        Said::Nothing => ExitCode::SUCCESS,
        Said::Output(output) => {
            let _ = writeln!(std::io::stdout(), "{output}");
            ExitCode::SUCCESS
        }
        Said::Wake(text) => {
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(WAKE)
        }
    }
}

fn run_hook(
    host: Host,
    environment: Environment,
    directory: PathBuf,
    program: PathBuf,
    name: &OsStr,
) -> Option<Said> {
    // A newer plugin may know hooks that this program does not.
    let event = Event::of(name.to_str()?).filter(|event| host.runs(*event))?;
    let process = signal::parent()?;
    let mut input = Vec::new();
    std::io::stdin()
        .lock()
        .take(INPUT_BYTES)
        .read_to_end(&mut input)
        .ok()?;
    match event {
        Event::Jobs => return list_jobs(environment, directory, program, &input),
        Event::Transfer => return transfer(plugin_settings::adopt(environment), directory, program, &input),
        _ => {}
    }
    let (peer, environment) = host.adopt(environment);
    let service = Service::of(peer, program, environment, directory, String::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let said = runtime.block_on(hook::run(&service, event, &process, &input));
    runtime.shutdown_background();
    Some(said)
}

/// Answers the command that lists jobs with the terminal's list, so that no model is asked for it.
fn list_jobs(environment: Environment, directory: PathBuf, program: PathBuf, input: &[u8]) -> Option<Said> {
    let filter = hook::listed(input)?;
    let words = ["jobs", "--state", filter].map(OsString::from);
    let (code, list, _) = printed(words.to_vec(), environment, directory, program);
    (code == 0).then(|| Said::instead(&format!("{}\n\n{LIST_HINT}", list.trim_end())))
}

/// Hands the conversation over as the terminal does, so that no model is asked for it; what went wrong is an answer too.
fn transfer(environment: Environment, directory: PathBuf, program: PathBuf, input: &[u8]) -> Option<Said> {
    let (transcript, dry_run) = hook::handed_over(input)?;
    let mut words = vec![
        "transfer".into(),
        "--transcript".into(),
        transcript.into_os_string(),
    ];
    words.extend(dry_run.then(|| OsString::from("--dry-run")));
    let (_, told, steps) = printed(words, environment, directory, program);
    Some(Said::instead(format!("{told}\n{steps}").trim()))
}

/// Runs a command of the terminal, and returns its exit code and what it printed on its two streams.
fn printed(
    words: Vec<OsString>,
    environment: Environment,
    directory: PathBuf,
    program: PathBuf,
) -> (u8, String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut streams = Streams {
        stdin: Box::new(std::io::empty()),
        stdin_device: Device::Other,
        stdout: Box::new(&mut stdout),
        stdout_device: Device::Other,
        stderr: Box::new(&mut stderr),
        stderr_device: Device::Other,
        width: LIST_COLUMNS,
        colour: false,
    };
    let place = Place {
        environment,
        directory,
        program,
        fingerprint: String::new(),
    };
    let line = std::iter::once(OsString::from("crosscheck"))
        .chain(words)
        .collect();
    let code = cli::run_with(line, place, &mut streams);
    drop(streams);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (code, text(stdout), text(stderr))
}

/// Runs one command of the terminal.
pub fn terminal(
    arguments: Vec<OsString>,
    environment: Environment,
    directory: PathBuf,
    program: PathBuf,
) -> ExitCode {
    let _log = init_log(&environment);
    let whole = std::iter::once(OsString::from("crosscheck"))
        .chain(arguments)
        .collect();
    cli::run(
        whole,
        environment,
        directory,
        program,
        contract_fingerprint(Peer::default()),
    )
}

/// The hash by which a client may cache: tool schemas, envelope schema and error codes.
pub fn contract_fingerprint(peer: Peer) -> String {
    let tools = mcp::fingerprint_parts(peer);
    let codes: Vec<u8> = FaultCode::ALL
        .iter()
        .flat_map(|code| [code.as_str().as_bytes(), b"\n"].concat())
        .collect();
    let parts = tools.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
    fingerprint(parts.chain([
        ("envelope", schema::PUBLISHED.as_bytes()),
        ("codes", codes.as_slice()),
    ]))
}

fn read_config(environment: &Environment) -> Result<Config, Fault> {
    let text =
        Config::path_from(environment).and_then(|path| files::read_bounded_linked(&path, CONFIG_BYTES).ok());
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Config::layered(text.as_deref(), environment)
}

/// Logs go to standard error, or to the file that `CROSSCHECK_LOG_FILE` names: ids and sizes, never prompts, diffs or
/// names of withheld files. The protocol's library logs whole messages below its warnings, so it is never heard below them.
///
/// The guard must be kept until the end: it writes what is still waiting.
#[must_use]
fn init_log(environment: &Environment) -> Option<WorkerGuard> {
    let level = match environment.text("CROSSCHECK_LOG") {
        Some("off") => LevelFilter::OFF,
        Some("error") => LevelFilter::ERROR,
        Some("info") => LevelFilter::INFO,
        Some("debug") => LevelFilter::DEBUG,
        Some("trace") => LevelFilter::TRACE,
        _ => LevelFilter::WARN,
    };
    let heard = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("crosscheck", level);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false);
    let file = environment.path("CROSSCHECK_LOG_FILE");
    if let Some(file) = file.and_then(|path| CappedLog::open(&path, LOG_BYTES).ok()) {
        let (writer, guard) = tracing_appender::non_blocking(file);
        let lines = lines.with_writer(writer).with_filter(heard);
        let _ = tracing_subscriber::registry().with(lines).try_init();
        return Some(guard);
    }
    let lines = lines.with_writer(std::io::stderr).with_filter(heard);
    let _ = tracing_subscriber::registry().with(lines).try_init();
    None
}

/// A crash leaves one line that says who, which version, why, and what to do in the host.
fn leave_one_line_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        tracing::error!(
            "crosscheck {} stopped unexpectedly{place}; use /mcp to reconnect",
            env!("CARGO_PKG_VERSION")
        );
    }));
}

fn fatal(reason: &str) -> ExitCode {
    let _ = writeln!(
        std::io::stderr(),
        "crosscheck {}: {reason}; use /mcp to reconnect",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::FAILURE
}
