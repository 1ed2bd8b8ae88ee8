//! The seam between a job and the engine that does its work: submit, observe, fetch, cancel, salvage.
//!
//! `local` is a worker on this machine that holds the job's lock from its start to its result. `cloud` hands the task to Codex
//! Cloud and lets go of the lock: then what runs is known from `task.json`, and a second worker fetches what came of it.
//! Nobody outside of this module asks which of the two it is; what both need of the job is the same.

pub mod cloud;
mod local;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::runner::{RunnerName, Sighting};
use crate::run::keep::Reserve;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::{ResultRecord, Spec};
use crate::state::store::Store;

/// Who does the work of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runner(RunnerName);

/// A job whose lock is held by this process.
pub(super) struct Job<'a> {
    pub(super) directory: &'a JobDirectory,
    pub(super) spec: &'a Spec,
    pub(super) config: &'a Config,
    pub(super) environment: &'a Environment,
    pub(super) store: &'a Store,
    pub(super) ended: CancellationToken,
}

/// Where a job is after its worker has done what there was to do.
#[derive(Debug)]
pub(super) enum Went {
    /// It is over.
    Ended {
        /// What came of it.
        result: Box<ResultRecord>,
        /// The room that was set aside for that.
        reserve: Option<Reserve>,
    },
    /// It goes on elsewhere, without a worker.
    Elsewhere,
}

impl Went {
    pub(super) fn ended(result: ResultRecord) -> Self {
        Self::Ended {
            result: Box::new(result),
            reserve: None,
        }
    }
}

/// What became of the wish to end a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Its worker was told, or it has none and is lost.
    Told,
    /// It is followed no more; the service goes on with the task at this address.
    LetGo {
        /// The address.
        url: String,
    },
}

/// What remains of a job that looks lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Salvaged {
    /// It is not lost after all: the service has its task.
    Found,
    /// It is lost, and this is what is said of it.
    Lost {
        /// The message of the fault.
        message: String,
        /// The next step, where the usual one would be wrong.
        hint: Option<String>,
    },
}

impl Runner {
    /// Returns who does the work of this job.
    pub fn of(spec: &Spec) -> Self {
        Self(if spec.cloud().is_some() {
            RunnerName::Cloud
        } else {
            RunnerName::Local
        })
    }

    /// Returns its name.
    pub fn name(self) -> RunnerName {
        self.0
    }

    /// Begins the work, and here does it to its end.
    pub(super) async fn submit(self, job: &Job<'_>) -> Result<Went, StateError> {
        match (self.0, job.spec.cloud()) {
            (RunnerName::Cloud, Some(plan)) => cloud::submit::submit(job, plan).await,
            _ => local::work(job).await,
        }
    }

    /// Gets what came of the work. A local job has nothing elsewhere: its worker begins and ends with it.
    pub(super) async fn fetch(self, job: &Job<'_>) -> Result<Went, StateError> {
        match (self.0, job.spec.cloud()) {
            (RunnerName::Cloud, Some(plan)) => cloud::fetch::fetch(job, plan).await,
            _ => local::work(job).await,
        }
    }

    /// Asks how the work stands, if nobody did within the shortest pause, and returns what is known then. Of a local job all
    /// that is known is its state.
    pub async fn observe(self, asking: &cloud::Asking<'_>, directory: &JobDirectory) -> Option<Sighting> {
        match self.0 {
            RunnerName::Local => None,
            RunnerName::Cloud => cloud::observe::look(asking, directory).await,
        }
    }

    /// Asks for the job's end. Asking twice is no error.
    pub fn cancel(self, directory: &JobDirectory) -> Result<Cancelled, StateError> {
        directory.request_cancel()?;
        match self.0 {
            RunnerName::Local => Ok(Cancelled::Told),
            RunnerName::Cloud => cloud::cancel::let_go(directory),
        }
    }

    /// Looks what remains of a job whose worker died without a result, whose lock is held by the caller.
    pub(super) fn salvage(self, directory: &JobDirectory) -> Salvaged {
        match self.0 {
            RunnerName::Local => local::salvage(directory),
            RunnerName::Cloud => cloud::cancel::salvage(directory),
        }
    }
}

/// As [`Runner::cancel`], of a job whose record need not be readable.
pub fn cancel(directory: &JobDirectory) -> Result<Cancelled, StateError> {
    match directory.read_spec() {
        Ok(spec) => Runner::of(&spec).cancel(directory),
        Err(_) => directory.request_cancel().map(|()| Cancelled::Told),
    }
}
