//! A task for the peer that comes back as a diff.

use std::path::PathBuf;

use crate::domain::delegation::Dirty;
use crate::domain::request::Common;
use crate::domain::runner::RunnerName;
use crate::domain::scope::Revision;

/// The id of the task of a call that has only one.
pub const ONLY_TASK: &str = "task";

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id: 1 to 48 of lower-case letters, digits and `-`; unique in the call.
    pub id: String,
    /// What to do; not blank.
    pub text: String,
    /// Globs of paths that may change, relative to the workspace; any when empty.
    pub allowed_paths: Vec<String>,
    /// Command lines that must pass.
    pub checks: Vec<String>,
    /// Who does it.
    pub runner: RunnerName,
}

/// Tasks to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegateRequest {
    /// At least one.
    pub tasks: Vec<Task>,
    /// Files to read first, relative to the workspace or absolute inside it.
    pub files: Vec<PathBuf>,
    /// What the caller knows already.
    pub context: Option<String>,
    /// Attempts at each task, 1 to [`crate::domain::delegation::ATTEMPTS_MAX`].
    pub attempts: u32,
    /// What to do with uncommitted changes.
    pub dirty: Dirty,
    /// The commit to start from instead of the one that is checked out; uncommitted changes take no part then.
    pub base: Option<Revision>,
    /// The rest.
    pub common: Common,
}

impl DelegateRequest {
    /// Tells whether the call makes more than one job.
    pub fn is_group(&self) -> bool {
        self.tasks.len() > 1 || self.attempts > 1
    }

    /// Tells whether any of its tasks is for this runner.
    pub fn has(&self, runner: RunnerName) -> bool {
        self.tasks.iter().any(|task| task.runner == runner)
    }
}
