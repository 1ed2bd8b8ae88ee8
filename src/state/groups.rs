//! Groups: the jobs of one delegate call with several tasks or attempts. `groups/<id>.json`, written once, before the first
//! member starts. A group has no state of its own; it follows from its members'.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::store::Store;

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The version of the record.
    pub version: u32,
    /// Its id, of the same form as a job's.
    pub id: JobId,
    /// What it is about.
    pub label: String,
    /// The workspace.
    pub workspace: PathBuf,
    /// Its jobs, by task and attempt.
    pub members: Vec<GroupMember>,
}

/// One job of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// The job.
    pub job: JobId,
    /// The task's id.
    pub task: String,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// Writes a group down.
pub fn create(_store: &Store, _group: &Group) -> Result<(), StateError> {
    Ok(())
}

/// Reads a group; `None` when no group has this id.
pub fn read(_store: &Store, _id: &JobId) -> Result<Option<Group>, StateError> {
    Ok(None)
}
