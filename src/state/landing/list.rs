//! What landed in a repository's working trees.

use std::path::{Path, PathBuf};

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::{Landing, LandingState, journal};
use crate::state::repositories::RepositoryFolder;

/// Landings of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landings {
    /// Newest first.
    pub found: Vec<Landing>,
    /// Folders of those that cannot be read.
    pub damaged: Vec<PathBuf>,
    /// Whether there are older ones beyond the limit.
    pub has_more: bool,
}

/// Lists the newest landings, at most `limit`. One that cannot be read hides no other.
pub fn list(repository: &RepositoryFolder, limit: usize) -> Result<Landings, StateError> {
    let mut landings = Landings::default();
    for folder in journal::folders(repository)? {
        if landings.found.len() + landings.damaged.len() == limit {
            landings.has_more = true;
            break;
        }
        match Landing::read(&folder) {
            Ok(landing) => landings.found.push(landing),
            Err(_) => landings.damaged.push(folder),
        }
    }
    Ok(landings)
}

/// Returns the newest landing in a working tree that was not taken back.
pub fn landed_in(repository: &RepositoryFolder, top_level: &Path) -> Result<Option<Landing>, StateError> {
    let folders = journal::folders(repository)?.into_iter();
    let mut landings = folders.filter_map(|folder| Landing::read(&folder).ok());
    Ok(landings.find(|landing| landing.state == LandingState::Landed && landing.top_level == top_level))
}

/// Returns the newest landing of a job, whatever became of it; nothing when none can be read.
pub fn landed_by(repository: &RepositoryFolder, job: &JobId) -> Result<Option<Landing>, StateError> {
    let folders = journal::folders(repository)?.into_iter();
    // The folder's name ends in the job's id, so no other job's journal is read.
    let mut of_job = folders.filter(|folder| {
        folder
            .to_str()
            .is_some_and(|name| name.ends_with(&format!("-{job}")))
    });
    Ok(of_job.find_map(|folder| Landing::read(&folder).ok()))
}
