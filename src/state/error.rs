//! What can go wrong with the state directory.

use std::io;
use std::path::PathBuf;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobId;

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
    /// Locks do not work there.
    #[error("locks do not work in `{}` ({}): {why}", path.display(), kind.as_deref().unwrap_or("a file system of unknown type"))]
    NoLocks {
        /// The state directory.
        path: PathBuf,
        /// The type of its file system, where the system tells it.
        kind: Option<String>,
        /// What was seen.
        why: String,
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
    /// The job's record was damaged and lies aside.
    #[error("the record of this job was damaged; what is left of it lies in `{}`", path.display())]
    Quarantined {
        /// Where.
        path: PathBuf,
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
    /// Too many tasks are done elsewhere already.
    #[error("{followed} tasks that are done elsewhere are followed already")]
    TooManyFollowed {
        /// How many.
        followed: usize,
    },
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

    /// Says what is wrong with the content of a file.
    pub fn damaged(path: impl Into<PathBuf>, what: &str) -> Self {
        Self::Damaged {
            path: path.into(),
            source: serde::de::Error::custom(what),
        }
    }

    /// Tells whether no later look can read the record either: its content is wrong, or something else than a plain
    /// file of a bearable size stands in its place. A failing disk, a missing permission and a newer version are no
    /// damage: they may be over tomorrow.
    pub fn is_damage(&self) -> bool {
        use rustix::io::Errno;
        match self {
            Self::Damaged { .. } | Self::Quarantined { .. } => true,
            Self::Io { source, .. } => {
                let errno = source.raw_os_error().map(Errno::from_raw_os_error);
                // A link is refused with LOOP, a socket with NXIO.
                matches!(
                    errno,
                    Some(Errno::LOOP | Errno::NXIO | Errno::NOTDIR | Errno::ISDIR)
                ) || matches!(
                    source.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge
                ) && errno.is_none()
            }
            Self::NoLocks { .. }
            | Self::Full { .. }
            | Self::Newer { .. }
            | Self::NoSuchJob
            | Self::Ambiguous { .. }
            | Self::KeyConflict
            | Self::QueueFull { .. }
            | Self::TooManyFollowed { .. } => false,
        }
    }

    /// Tells whether it is about something in a job's directory, wherever that lies.
    fn is_of_a_job(&self) -> bool {
        let (Self::Io { path, .. } | Self::Damaged { path, .. } | Self::Quarantined { path }) = self else {
            return false;
        };
        path.iter()
            .any(|name| name.to_str().is_some_and(|name| name.parse::<JobId>().is_ok()))
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        let message = error.to_string();
        if error.is_damage() {
            return Self::new(FaultCode::StateUnavailable, message).hint(if error.is_of_a_job() {
                "its other files may still tell something; `crosscheck cancel ID --forget` deletes all of them"
            } else {
                "delete or move what has this name; it is made anew"
            });
        }
        match error {
            StateError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Self::new(FaultCode::DiskFull, message)
            }
            StateError::Io { source, .. } if source.kind() == io::ErrorKind::ResourceBusy => {
                Self::new(FaultCode::StateUnavailable, message)
                    .hint("somebody works on this job just now; try again in a few seconds")
            }
            StateError::Io { .. } | StateError::Damaged { .. } | StateError::Quarantined { .. } => {
                Self::new(FaultCode::StateUnavailable, message)
            }
            StateError::NoLocks { .. } => Self::new(FaultCode::StateUnavailable, message)
                .hint("set CROSSCHECK_STATE_DIR to a folder on a local disk"),
            StateError::Full { .. } => Self::new(FaultCode::DiskFull, message),
            StateError::Newer { .. } => Self::new(FaultCode::StateUnavailable, message)
                .hint("use the newer version of crosscheck that wrote it"),
            StateError::NoSuchJob => Self::new(FaultCode::JobNotFound, message),
            StateError::Ambiguous { candidates } => Self::new(FaultCode::JobNotFound, message)
                .field("id")
                .hint("give more of the id, or one of these whole")
                .allowing(candidates),
            StateError::KeyConflict => {
                Self::new(FaultCode::IdempotencyConflict, message).field("options.idempotency_key")
            }
            StateError::QueueFull { .. } => Self::new(FaultCode::TooManyJobs, message),
            StateError::TooManyFollowed { .. } => Self::new(FaultCode::TooManyJobs, message)
                .hint("wait until some of them are over, or leave out runner to run it here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_jobs_is_not_told_to_be_forgotten_as_one() {
        let check = |path: &str, forget: bool| {
            let fault = Fault::from(StateError::io("lock", path)(io::ErrorKind::InvalidInput.into()));
            assert_eq!(fault.repair.hint.contains("--forget"), forget, "{path}");
        };
        check("/state/jobs/01m7yptqjp-t9cew2-8rhn17gx15/worker.lock", true);
        check("/state/quarantine/01m7yptqjp-t9cew2-8rhn17gx15", true);
        check("/state/slots/0", false);
        check("/state/lock-probe", false);
        check("/state/keys/0a1b", false);
    }

    #[test]
    fn a_job_that_somebody_works_on_needs_no_other_folder() {
        let busy = StateError::io("lock", "/state/jobs/x")(io::ErrorKind::ResourceBusy.into());
        assert!(Fault::from(busy).repair.hint.contains("try again"));
    }
}
