//! Puts a result into the user's files: all of it or nothing.

use std::path::Path;

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::{Landing, Node};
use crate::state::repositories::RepositoryFolder;

/// One path to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The path below the top of the working tree.
    pub path: Vec<u8>,
    /// What must be there; anything else ends the landing and changes nothing.
    pub before: Node,
    /// What shall be there: mode as git writes it, and the bytes of the file or of the link; absent to delete it.
    pub after: Option<(u32, Vec<u8>)>,
}

/// Why nothing landed.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// These files are not what the caller saw. Nothing was changed, or all was put back.
    #[error("{} files changed meanwhile", paths.len())]
    Changed {
        /// The files.
        paths: Vec<Vec<u8>>,
    },
    /// Another landing of this repository is under way.
    #[error("another landing is under way")]
    Busy,
    /// A file could not be written. Everything that was written is put back, except what is named.
    #[error("a file could not be written: {source}")]
    Io {
        /// Why.
        source: std::io::Error,
        /// Files that could not be put back; their earlier bytes are in the landing's folder.
        not_restored: Vec<Vec<u8>>,
    },
    /// The journal could not be written; nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Lands. The index is not touched.
pub fn land(
    _repository: &RepositoryFolder,
    _top_level: &Path,
    _job: &JobId,
    _steps: &[Step],
    _now_ms: u64,
) -> Result<Landing, LandError> {
    Err(LandError::Busy)
}
