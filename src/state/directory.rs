//! One job's directory.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::job::{JobId, JobState};
use crate::state::error::StateError;
use crate::state::notice::Marks;
use crate::state::record::{REMOTE_VERSION, ResultRecord, Spec, VERSION};
use crate::sys::lock::HeldLock;
use crate::sys::signal::ProcessIdentity;
use crate::sys::{files, lock};

/// Bytes read of one record. What is written is kept within it.
pub const RECORD_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a record that are read before it is parsed, where what is in it is kept.
const WHOLE_BYTES: usize = 1024 * 1024;

/// The directory of one job and the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDirectory(PathBuf);

impl JobDirectory {
    /// Names a directory; it need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What was asked.
    pub fn spec_path(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// The prompt as sent.
    pub fn prompt_path(&self) -> PathBuf {
        self.0.join("prompt.txt")
    }

    /// The prompt of a review's part, counted from 1. The first part is what every job has.
    pub fn part_prompt_path(&self, part: usize) -> PathBuf {
        match part {
            0 | 1 => self.prompt_path(),
            part => self.0.join("parts").join(format!("{part}.txt")),
        }
    }

    /// The change as sent, of a review.
    pub fn change_path(&self) -> PathBuf {
        self.0.join("change.json")
    }

    /// The schema the answer must fit.
    pub fn schema_path(&self) -> PathBuf {
        self.0.join("schema.json")
    }

    /// Held by the worker for life.
    pub fn lock_path(&self) -> PathBuf {
        self.0.join("worker.lock")
    }

    /// Exists once the job has a slot; holds when that was, in milliseconds since 1970.
    pub fn started_path(&self) -> PathBuf {
        self.0.join("started")
    }

    /// Made by whoever wants the job to end.
    pub fn cancel_path(&self) -> PathBuf {
        self.0.join("cancel")
    }

    /// What came of it.
    pub fn result_path(&self) -> PathBuf {
        self.0.join("result.json")
    }

    /// Room for the result, set aside while the peer runs.
    pub fn reserve_path(&self) -> PathBuf {
        self.0.join("reserve")
    }

    /// Made when somebody has read the result.
    pub fn fetched_path(&self) -> PathBuf {
        self.0.join("fetched")
    }

    /// Where it is marked that somebody was told of its end.
    pub fn marks(&self) -> Marks {
        Marks {
            told: self.0.join("told"),
            mentioned: self.0.join("mentioned"),
        }
    }

    /// Made when somebody gave up what a delegate did; holds when that was, in milliseconds since 1970.
    pub fn discarded_path(&self) -> PathBuf {
        self.0.join("discarded")
    }

    /// Locked, shared, by every call that waits for the job.
    pub fn waiting_path(&self) -> PathBuf {
        self.0.join("waiting")
    }

    /// The answer as text, of an answer that is too long for an envelope.
    pub fn answer_path(&self) -> PathBuf {
        self.0.join("answer.md")
    }

    /// The report of a review as a page, where somebody had it opened.
    pub fn page_path(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The patch of a delegate's result, whole and as it is: nothing in it is masked.
    pub fn patch_path(&self) -> PathBuf {
        self.0.join("result.patch")
    }

    /// What whoever collects a delegate's result has to know, written before its worktree is taken.
    pub fn worktree_path(&self) -> PathBuf {
        self.0.join("worktree.json")
    }

    /// Where codex writes the last message of a run whose commands may write into the temporary folder.
    pub fn last_message_path(&self) -> PathBuf {
        self.0.join("last-message")
    }

    /// The event log.
    pub fn events_path(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// The peer's standard error.
    pub fn stderr_path(&self) -> PathBuf {
        self.0.join("stderr.log")
    }

    /// Our worker's own log.
    pub fn worker_log_path(&self) -> PathBuf {
        self.0.join("worker.log")
    }

    /// The peer's temporary folder; never this directory, which holds the result.
    pub fn tmp_path(&self) -> PathBuf {
        self.0.join("tmp")
    }

    /// The identities of the peers that were started.
    pub fn peers_path(&self) -> PathBuf {
        self.0.join("peers")
    }

    /// Reads what was asked. A directory whose record is missing or belongs to another job is damaged, not absent.
    pub fn read_spec(&self) -> Result<Spec, StateError> {
        let path = self.spec_path();
        let spec: Option<Spec> = read_record(&path, REMOTE_VERSION, WHOLE_BYTES)?;
        match fs::symlink_metadata(&self.0) {
            Ok(about) if !about.is_dir() => Err(StateError::damaged(&self.0, "it is no directory")),
            Ok(_) => match spec {
                Some(spec) if self.0.file_name().is_some_and(|name| name == spec.id.as_str()) => Ok(spec),
                Some(_) => Err(StateError::damaged(path, "it belongs to another job")),
                None => Err(StateError::damaged(path, "it is missing")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StateError::NoSuchJob),
            Err(error) => Err(StateError::io("read", &self.0)(error)),
        }
    }

    /// Reads what came of it; `None` while there is nothing.
    pub fn read_result(&self) -> Result<Option<ResultRecord>, StateError> {
        let path = self.result_path();
        match read_record::<ResultRecord>(&path, VERSION, WHOLE_BYTES)? {
            Some(result) if result.state.is_active() => Err(StateError::damaged(path, GOES_ON)),
            result => Ok(result),
        }
    }

    /// Writes what came of it. Only the holder of the lock may.
    pub fn write_result(&self, result: &ResultRecord) -> Result<(), StateError> {
        let path = self.result_path();
        let bytes = serde_json::to_vec(result).map_err(|source| StateError::Damaged {
            path: path.clone(),
            source,
        })?;
        files::write_reserved(&path, &bytes).map_err(StateError::io("write", path))?;
        self.tidy();
        Ok(())
    }

    /// Deletes what was of use only while the job ran: the room for its result, its folder for temporary files, and the
    /// drafts of whoever was killed while writing. Only the holder of the lock may.
    fn tidy(&self) {
        let _ = fs::remove_file(self.reserve_path());
        let _ = fs::remove_dir_all(self.tmp_path());
        let folders = [self.0.clone(), self.0.join("passes")];
        let entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(b".writing-") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Tidies up after a worker that was killed between its result and its end.
    pub(super) fn tidy_if_ended(&self) {
        let left = has_name(&self.reserve_path()) || has_name(&self.tmp_path());
        if left
            && has_name(&self.result_path())
            && let Ok(Some(_lock)) = HeldLock::try_take(&self.lock_path())
        {
            self.tidy();
        }
    }

    /// Asks for the job's end. Asking twice is no error.
    ///
    /// Where there is no room for one more file, the lock's file, which is empty, is made a byte longer: a hole in a file
    /// that is there needs neither a block nor an entry.
    pub fn request_cancel(&self) -> Result<(), StateError> {
        match files::create_new(&self.cancel_path(), b"") {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                files::lengthen(&self.lock_path(), 1)
                    .map_err(|_| StateError::io("write", self.cancel_path())(error))
            }
            _ => Ok(()),
        }
    }

    /// Tells whether somebody asked for the job's end.
    pub fn is_cancel_requested(&self) -> bool {
        let lengthened = || fs::symlink_metadata(self.lock_path()).is_ok_and(|about| about.len() > 0);
        has_name(&self.cancel_path()) || lengthened()
    }

    /// Tells whether the job got a slot or started a peer. Only the names count: what they hold may be damaged. A disk
    /// that does not tell counts as yes: a second run is paid for only where there certainly was no first one.
    pub fn was_started(&self) -> bool {
        may_exist(&self.started_path()) || self.has_peers()
    }

    /// Notes that the result was read. A full disk must not hide a result, so failing here is no error.
    pub fn mark_fetched(&self) {
        let _ = files::create_new(&self.fetched_path(), b"");
    }

    /// Returns when the job got its slot, in milliseconds since 1970.
    pub fn started_ms(&self) -> Option<u64> {
        let bytes = files::read_bounded(&self.started_path(), 64).ok()?;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
    }

    /// As [`Self::mark_started`], of a job whose worker may not be its first.
    pub fn mark_started_once(&self, now_ms: u64) -> Result<(), StateError> {
        if may_exist(&self.started_path()) {
            return Ok(());
        }
        self.mark_started(now_ms)
    }

    /// Notes that the job has its slot. Not synced here: [`Self::write_peer`] makes its name last, while the peer starts.
    pub fn mark_started(&self, now_ms: u64) -> Result<(), StateError> {
        let path = self.started_path();
        files::create_new(&path, now_ms.to_string().as_bytes()).map_err(StateError::io("write", path))
    }

    /// Notes a started peer, on disk before it gets its first prompt byte: the note, the folder of notes, and the
    /// folder's name in the job's directory.
    pub fn write_peer(&self, number: u32, peer: &ProcessIdentity) -> Result<(), StateError> {
        let folder = self.peers_path();
        files::create_private_dir(&folder).map_err(StateError::io("make", &folder))?;
        let path = folder.join(number.to_string());
        let bytes = serde_json::to_vec(peer).map_err(|source| StateError::Damaged {
            path: path.clone(),
            source,
        })?;
        files::create_new_synced(&path, &bytes).map_err(StateError::io("write", path))?;
        files::sync_dir(&self.0).map_err(StateError::io("write", &self.0))
    }

    /// Tells whether a peer may have been started and paid for, by the same rule.
    pub fn has_peers(&self) -> bool {
        may_exist(&self.peers_path())
    }

    /// Returns the peers that were started, those whose note can be read.
    pub fn read_peers(&self) -> Vec<ProcessIdentity> {
        let Ok(entries) = fs::read_dir(self.peers_path()) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| files::read_bounded(&entry.path(), 4096).ok())
            .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
            .collect()
    }

    /// Reads how the job ended, and nothing else of its result, which may have megabytes.
    fn read_end(&self) -> Result<Option<End>, StateError> {
        let path = self.result_path();
        match read_record::<End>(&path, VERSION, usize::MAX)? {
            Some(end) if end.state.is_active() => Err(StateError::damaged(path, GOES_ON)),
            end => Ok(end),
        }
    }

    /// Derives the state from what exists and who holds the lock.
    ///
    /// The result is looked for before and after the lock: a worker writes it first and lets go of the lock last. A job
    /// that is deleted meanwhile has neither, and is not lost but no job any more.
    pub fn state(&self) -> Result<JobState, StateError> {
        if let Some(end) = self.read_end()? {
            return Ok(end.state);
        }
        let path = self.lock_path();
        let is_held = lock::is_held(&path).map_err(StateError::io("lock", path))?;
        // Whoever has just written it may still hold the lock: what was looked for before is looked for again.
        match self.read_end()? {
            Some(end) => Ok(end.state),
            None if is_held && has_name(&self.started_path()) => Ok(JobState::Running),
            None if is_held => Ok(JobState::Queued),
            None if has_name(&self.0) => Ok(self.state_elsewhere().unwrap_or(JobState::Lost)),
            None => Err(StateError::NoSuchJob),
        }
    }
}

/// What is wrong with a result of a job that is not over.
const GOES_ON: &str = "it says that the job goes on";

/// What a result says of its state.
#[derive(Deserialize)]
struct End {
    state: JobState,
}

/// Tells whether anything has this name, a dangling link too: a name cannot be made a second time.
fn has_name(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Tells whether this is not certainly absent.
pub(super) fn may_exist(path: &Path) -> bool {
    !fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads a record of at most the version `newest`. One that is newer than what we usually write and cannot be understood counts as
/// one of a newer program, and not as a damaged one.
///
/// One of more than `whole_bytes` is parsed as it is read, which takes longer: its bytes are not there beside what is in them.
fn read_record<T: DeserializeOwned>(
    path: &Path,
    newest: u32,
    whole_bytes: usize,
) -> Result<Option<T>, StateError> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let unread = |source| StateError::Io {
        action: "read",
        path: path.into(),
        source,
    };
    let damaged = |source: serde_json::Error| match source.io_error_kind() {
        Some(_) => unread(source.into()),
        None => StateError::Damaged {
            path: path.into(),
            source,
        },
    };
    let bytes = match files::read_bounded(path, RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(unread(source)),
    };
    let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
    let record = if bytes.len() > whole_bytes {
        drop(bytes);
        let file = files::open_bounded(path, RECORD_BYTES).map_err(unread)?;
        serde_json::from_reader(BufReader::new(file.take(RECORD_BYTES)))
    } else {
        serde_json::from_slice(&bytes)
    };
    if head.version > newest {
        return Err(StateError::Newer { path: path.into() });
    }
    record.map(Some).map_err(|source| {
        if head.version > VERSION && source.io_error_kind().is_none() {
            StateError::Newer { path: path.into() }
        } else {
            damaged(source)
        }
    })
}

/// A job as it stands now.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its directory.
    pub directory: JobDirectory,
    /// What was asked.
    pub spec: Spec,
    /// Its state.
    pub state: JobState,
}

impl Job {
    /// Returns its id.
    pub fn id(&self) -> &JobId {
        &self.spec.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_deleted_during_a_look_is_gone_and_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let job = JobDirectory::at(dir.path().join("job"));
        fs::create_dir(job.path()).unwrap();
        assert_eq!(job.state().unwrap(), JobState::Lost);
        fs::rename(job.path(), dir.path().join(".gone-job")).unwrap();
        assert!(matches!(job.state(), Err(StateError::NoSuchJob)));
    }

    #[test]
    fn a_wish_to_end_needs_no_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let directory = JobDirectory::at(dir.path());
        let held = HeldLock::try_take(&directory.lock_path()).unwrap().unwrap();
        assert!(!directory.is_cancel_requested());
        files::lengthen(&directory.lock_path(), 1).unwrap();
        assert!(directory.is_cancel_requested());
        assert!(
            lock::is_held(&directory.lock_path()).unwrap(),
            "and the lock is held on"
        );
        drop(held);
    }

    #[test]
    fn a_job_that_cannot_be_looked_at_may_have_been_started_and_one_without_traces_was_not() {
        let dir = tempfile::tempdir().unwrap();
        let check = |job: JobDirectory, expected: bool| {
            assert_eq!(
                (job.was_started(), job.has_peers()),
                (expected, expected),
                "{job:?}"
            );
        };
        check(JobDirectory::at(dir.path()), false);
        // No file system takes so long a name, which is neither there nor absent.
        check(JobDirectory::at(dir.path().join("x".repeat(300))), true);
        let damaged = JobDirectory::at(dir.path().join("damaged"));
        fs::create_dir_all(damaged.peers_path()).unwrap();
        fs::write(damaged.peers_path().join("1"), "{").unwrap();
        check(damaged, true);
    }

    #[test]
    fn a_wish_that_cannot_be_written_at_all_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        JobDirectory::at(dir.path().join("absent"))
            .request_cancel()
            .unwrap_err();
    }

    #[test]
    fn a_record_is_read_alike_whether_it_is_parsed_whole_or_as_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        let read = |text: &str, whole_bytes: usize| {
            fs::write(&path, text).unwrap();
            read_record::<serde_json::Value>(&path, VERSION, whole_bytes)
        };
        let long = "a line \"quoted\" of \u{1f512}\n".repeat(100_000);
        let record = serde_json::json!({"version": VERSION, "answer": long, "list": [1, 2.5, null]});
        let text = record.to_string();
        for whole_bytes in [WHOLE_BYTES, usize::MAX] {
            assert!(text.len() > WHOLE_BYTES);
            assert_eq!(read(&text, whole_bytes).unwrap().unwrap(), record);
            for damaged in [&text[..text.len() - 1], &(text.clone() + "x")] {
                let error = read(damaged, whole_bytes).unwrap_err();
                assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
            }
            let newer = text.replacen(
                &format!("\"version\":{VERSION}"),
                &format!("\"version\":{}", VERSION + 1),
                1,
            );
            let error = read(&newer, whole_bytes).unwrap_err();
            assert!(matches!(error, StateError::Newer { .. }), "{error:?}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(
            read_record::<serde_json::Value>(&path, VERSION, WHOLE_BYTES).unwrap(),
            None
        );
    }
}
