//! Writes a result that was paid for although the disk is full or fails for a while.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::ResultRecord;
use crate::sys::files;

/// Bytes set aside while the peer runs; nearly every result fits.
const RESERVED_BYTES: u64 = 1024 * 1024;
/// The longest time between two attempts. The first ones follow each other faster, doubling from [`FIRST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
/// Time between the second and the third attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Attempts on a full disk before the worker gives up: an hour, in which somebody may notice.
const FULL_ATTEMPTS: u32 = 3600;
/// Attempts on a disk that fails otherwise: a minute. Too many open files, or a network disk that is away, may pass; what
/// does not leaves a lost job, whose text is in the event log.
const FAILING_ATTEMPTS: u32 = 60;

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
/// for room: meanwhile the job counts as running. A disk that fails in another way is tried for a shorter time.
pub async fn keep_result(
    directory: &JobDirectory,
    result: &ResultRecord,
    reserve: Reserve,
) -> Result<(), StateError> {
    insist(PAUSE, |attempt| {
        if attempt == 0 {
            return directory.write_result(result);
        }
        reserve.free();
        directory
            .write_result(result)
            .or_else(|error| match attempts(&error) {
                // Made only now: a result may have megabytes.
                FULL_ATTEMPTS => directory.write_result(&without_copies(result)),
                // Leaving something out helps only where room is short.
                _ => Err(error),
            })
    })
    .await
}

/// Says that a full disk made a result leave out the text as it came and the commands.
pub const LEFT_OUT: &str =
    "the disk was full: the answer is kept whole, the text as it came and the list of commands are not";

/// Leaves out of a result what stands elsewhere too: the text in the answer, the commands in the event log. It says so.
fn without_copies(result: &ResultRecord) -> ResultRecord {
    let commands = u32::try_from(result.commands.len()).unwrap_or(u32::MAX);
    let mut smaller = ResultRecord {
        raw: None,
        commands: Vec::new(),
        more_commands: result.more_commands.saturating_add(commands),
        ..result.clone()
    };
    smaller.warnings.push(LEFT_OUT.to_owned());
    smaller
}

/// Tries until it works, or until trying makes no sense any more.
async fn insist(
    longest: Duration,
    mut write: impl FnMut(u32) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut pause = FIRST_PAUSE.min(longest);
    let mut attempt = 0;
    loop {
        match write(attempt) {
            Err(error) if attempt < attempts(&error) => {
                if attempt == 1 {
                    tracing::error!(%error, "the result waits for the disk");
                }
                attempt += 1;
                if attempt > 1 {
                    tokio::time::sleep(pause).await;
                    pause = longest.min(pause * 2);
                }
            }
            outcome => return outcome,
        }
    }
}

/// Says how often to try again after this error. A directory that is gone or closed to us does not come back by itself.
fn attempts(error: &StateError) -> u32 {
    let StateError::Io { source, .. } = error else {
        return 0;
    };
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FULL_ATTEMPTS,
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => 0,
        _ => FAILING_ATTEMPTS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_disk_made_a_result_leave_out_is_told() {
        let result: ResultRecord = serde_json::from_value(serde_json::json!({
            "version": 1, "state": "succeeded", "ended_ms": 1, "elapsed_ms": 1, "raw": "text",
            "commands": [{"command": "ls"}], "more_commands": 1, "warnings": ["before"],
        }))
        .unwrap();
        let smaller = without_copies(&result);
        assert_eq!(smaller.warnings, ["before", LEFT_OUT]);
        assert_eq!(
            (smaller.raw, smaller.commands.len(), smaller.more_commands),
            (None, 0, 2)
        );
    }

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

    #[tokio::test]
    async fn each_trouble_has_its_patience() {
        use rustix::io::Errno;
        let check = async |errno: Errno, expected: u32| {
            let mut calls = 0;
            let outcome = insist(Duration::ZERO, |_| {
                calls += 1;
                Err(StateError::io("write", "/x")(errno.into()))
            })
            .await;
            assert!(outcome.is_err());
            assert_eq!(calls, expected + 1, "{errno}");
        };
        check(Errno::NOSPC, 3600).await;
        check(Errno::DQUOT, 3600).await;
        check(Errno::IO, 60).await;
        check(Errno::MFILE, 60).await;
        check(Errno::ROFS, 60).await;
        check(Errno::NOENT, 0).await;
        check(Errno::ACCESS, 0).await;
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
