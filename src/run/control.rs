//! What can end a run from outside.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::state::directory::JobDirectory;
use crate::sys::watch::DirectoryWatch;

/// Why a run was ended before its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its time was over.
    Deadline,
    /// Somebody asked for it.
    Cancelled,
    /// The worker was told to end.
    WorkerSignal,
    /// It used more tokens than its budget.
    Budget,
    /// The peer printed more than is read.
    OutputLimit,
    /// The peer closed its output and lived on.
    ClosedOutput,
}

/// Watches for the reasons to end a run.
pub struct Control {
    directory: JobDirectory,
    watch: DirectoryWatch,
    deadline: Instant,
    worker_signal: CancellationToken,
}

impl Control {
    /// Watches a job's directory from now on.
    pub fn new(directory: &JobDirectory, deadline: Instant, worker_signal: CancellationToken) -> Self {
        Self {
            watch: DirectoryWatch::start(directory.path()),
            directory: directory.clone(),
            deadline,
            worker_signal,
        }
    }

    /// Waits until there is a reason to end the run. Safe to drop and call again.
    pub async fn stop(&self) -> Stop {
        loop {
            if self.directory.is_cancel_requested() {
                return Stop::Cancelled;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.deadline) => return Stop::Deadline,
                () = self.worker_signal.cancelled() => return Stop::WorkerSignal,
                () = self.watch.changed() => {}
            }
        }
    }
}
