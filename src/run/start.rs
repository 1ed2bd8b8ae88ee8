//! Starts the worker of a new job.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::state::directory::JobDirectory;
use crate::sys::files;
use crate::sys::lock::HeldLock;
use crate::sys::seam::{self, Operation};

/// The hidden sub-command of our own program.
pub const WORKER_COMMAND: &str = "worker";

/// Starts a worker and hands it the job's lock as its standard input, so that there is no moment without a holder.
///
/// The worker leaves our session by itself as its first act. It is not waited for: the runtime reaps it when it ends
/// before us, and it goes on when we end before it.
pub fn start_worker(
    program: &Path,
    peer: Peer,
    environment: &Environment,
    config: &Config,
    directory: &JobDirectory,
    lock: HeldLock,
) -> Result<(), Fault> {
    let cannot = |error: std::io::Error| {
        Fault::new(
            FaultCode::Internal,
            format!("cannot start the job's worker: {error}"),
        )
    };
    let log = files::open_append(&directory.worker_log_path()).map_err(cannot)?;
    seam::point("start.log_opened");
    seam::before(Operation::Spawn).map_err(cannot)?;
    let child = tokio::process::Command::new(our_program(program))
        .arg(WORKER_COMMAND)
        .arg(directory.path())
        .current_dir("/")
        .env_clear()
        .envs(
            environment
                .for_worker(peer.own_variables(), &config.env_pass.value)
                .iter(),
        )
        .stdin(Stdio::from(lock.into_file()))
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .kill_on_drop(false)
        .spawn()
        .map_err(cannot)?;
    drop(child);
    seam::point("start.spawned");
    Ok(())
}

/// Returns our program; on Linux the running one even after an update replaced or removed the file.
pub(super) fn our_program(program: &Path) -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if !program.exists() && running.exists() {
        running
    } else {
        program.to_owned()
    }
}
