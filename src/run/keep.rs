//! Writes a result that was paid for although the disk is full.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::ResultRecord;
use crate::sys::files;

/// Bytes set aside while the peer runs; nearly every result fits.
const RESERVED_BYTES: u64 = 1024 * 1024;
/// Time between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts before the worker gives up: an hour, in which somebody may notice that the disk is full.
const ATTEMPTS: u32 = 3600;

/// Room for the result, set aside before anything is paid.
#[derive(Debug)]
pub struct Reserve(PathBuf);

impl Reserve {
    /// Sets room aside. Failing is no error: then there is only what is free at the end.
    pub fn take(directory: &JobDirectory) -> Self {
        let path = directory.reserve_path();
        let _ = files::reserve(&path, RESERVED_BYTES);
        Self(path)
    }

    fn free(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.free();
    }
}

/// Writes the result. On a full disk it gives the reserve back, then leaves out what stands elsewhere too, then waits
/// for room: meanwhile the job counts as running.
pub async fn keep_result(
    directory: &JobDirectory,
    result: &ResultRecord,
    reserve: Reserve,
) -> Result<(), StateError> {
    let smaller = ResultRecord {
        raw: None,
        commands: Vec::new(),
        more_commands: result.more_commands + u32::try_from(result.commands.len()).unwrap_or(u32::MAX),
        ..result.clone()
    };
    insist(PAUSE, |attempt| {
        if attempt == 0 {
            return directory.write_result(result);
        }
        reserve.free();
        directory
            .write_result(result)
            .or_else(|_| directory.write_result(&smaller))
    })
    .await
}

/// Tries until it works, fails for another reason than want of room, or failed [`ATTEMPTS`] times.
async fn insist(
    pause: Duration,
    mut write: impl FnMut(u32) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut attempt = 0;
    loop {
        match write(attempt) {
            Err(error) if is_full(&error) && attempt < ATTEMPTS => {
                if attempt == 1 {
                    tracing::error!(%error, "the result waits for free space");
                }
                attempt += 1;
                if attempt > 1 {
                    tokio::time::sleep(pause).await;
                }
            }
            outcome => return outcome,
        }
    }
}

fn is_full(error: &StateError) -> bool {
    matches!(error, StateError::Io { source, .. }
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> StateError {
        StateError::io("write", "/x")(io::ErrorKind::StorageFull.into())
    }

    #[tokio::test]
    async fn a_full_disk_is_waited_for_and_a_broken_one_is_not() {
        let mut calls = 0;
        let written = insist(Duration::from_millis(1), |attempt| {
            calls += 1;
            if attempt < 5 { Err(full()) } else { Ok(()) }
        })
        .await;
        assert!(written.is_ok());
        assert_eq!(calls, 6);
        let mut calls = 0;
        let broken = insist(Duration::from_millis(1), |_| {
            calls += 1;
            Err(StateError::io("write", "/x")(
                io::ErrorKind::PermissionDenied.into(),
            ))
        })
        .await;
        assert!(broken.is_err());
        assert_eq!(calls, 1);
    }

    #[test]
    fn room_is_set_aside_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let directory = JobDirectory::at(dir.path());
        let reserve = Reserve::take(&directory);
        assert_eq!(directory.reserve_path().metadata().unwrap().len(), RESERVED_BYTES);
        drop(reserve);
        assert!(!directory.reserve_path().exists());
    }
}
