//! The hidden process that owns one job: it holds the job's lock for life, runs the peer and writes the result.

use std::path::Path;
use std::process::ExitCode;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, stdin};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::git::{self, Git};
use crate::run::follow;
use crate::run::keep::{Reserve, keep_result};
use crate::run::runner::{Job, Runner, Went};
use crate::run::wake::tell_end;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::Answer;
use crate::state::released::release_gone;
use crate::state::remote;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::state::sweep::sweep;
use crate::sys::clock;
use crate::sys::files;
use crate::sys::lock::HeldLock;
use crate::sys::seam;

/// Answers beyond this many bytes do not fit an envelope for sure and get a file of their own.
const ANSWER_FILE_BYTES: usize = 16 * 1024;

/// Runs the worker of the job in this directory to its end.
pub fn main(program: &Path, directory: &Path, config: &Config, environment: &Environment) -> ExitCode {
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
    // Its own task, if it is done elsewhere; else this only makes sure of those of others.
    runtime.block_on(async { follow::ensure(program, environment, config, &Store::around(&directory)) });
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
    let store = Store::around(directory);
    let ended = CancellationToken::new();
    listen_for_signals(&ended);
    let job = Job {
        directory,
        spec: &spec,
        config,
        environment,
        store: &store,
        ended,
    };
    let runner = Runner::of(&spec);
    let went = if directory.task().is_some() {
        runner.fetch(&job).await?
    } else {
        runner.submit(&job).await?
    };
    let Went::Ended { result, reserve } = went else {
        tracing::info!("the job goes on elsewhere");
        return Ok(());
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
    if spec.cloud().is_some() {
        // Only now: a worker that is killed before must be found by the one who follows.
        remote::unfollow(&store, &spec.id);
    }
    tell_end(&store, &spec);
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
    release(&store, environment);
    Ok(())
}

/// Lets go of what repositories' folders hold for deleted jobs. Who never delegates has none, and then git is not asked.
fn release(store: &Store, environment: &Environment) {
    if RepositoryFolder::all(store).is_ok_and(|all| all.is_empty()) {
        return;
    }
    let variables = environment
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    match Git::locate(git::Environment::new(variables)) {
        Ok(git) => release_gone(store, &git),
        Err(error) => tracing::info!(%error, "what deleted jobs kept is not released"),
    }
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
