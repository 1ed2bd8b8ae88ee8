//! What can go wrong with the state directory.

use std::io;
use std::path::PathBuf;

use crate::domain::fault::{Fault, FaultCode};

/// One failure of the state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made, read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: make, read, write, lock, list, delete.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Too little is free to start something safely.
    #[error("`{}` has {free} bytes free, {needed} are needed", path.display())]
    Full {
        /// The state directory.
        path: PathBuf,
        /// Free bytes.
        free: u64,
        /// Needed bytes.
        needed: u64,
    },
    /// A file does not hold what it should.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A file was written by a newer version of this program.
    #[error("`{}` was written by a newer version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// No job has this name.
    #[error("no job has this id")]
    NoSuchJob,
    /// More than one job has an id that begins so.
    #[error("more than one job has an id that begins so")]
    Ambiguous {
        /// Some of them.
        candidates: Vec<String>,
    },
    /// An idempotency key stands for other arguments.
    #[error("the key was used before with other arguments")]
    KeyConflict,
    /// Too many jobs wait already.
    #[error("{waiting} jobs wait for a slot already")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
}

impl StateError {
    /// Makes the closure that `map_err` wants.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        let message = error.to_string();
        match error {
            StateError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Self::new(FaultCode::DiskFull, message)
            }
            StateError::Io { .. } => Self::new(FaultCode::StateUnavailable, message),
            StateError::Full { .. } => Self::new(FaultCode::DiskFull, message),
            StateError::Damaged { .. } => Self::new(FaultCode::StateUnavailable, message)
                .hint("the record was damaged from outside; delete it with `crosscheck cancel --forget ID`"),
            StateError::Newer { .. } => Self::new(FaultCode::StateUnavailable, message)
                .hint("use the newer version of crosscheck that wrote it"),
            StateError::NoSuchJob => Self::new(FaultCode::JobNotFound, message),
            StateError::Ambiguous { candidates } => Self::new(FaultCode::JobNotFound, message)
                .field("id")
                .allowing(candidates),
            StateError::KeyConflict => {
                Self::new(FaultCode::IdempotencyConflict, message).field("options.idempotency_key")
            }
            StateError::QueueFull { .. } => Self::new(FaultCode::TooManyJobs, message),
        }
    }
}
