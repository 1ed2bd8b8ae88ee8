//! The sessions of hosts that are to be told when a job of theirs is over, and the files by which they are told.
//!
//! A session is the process of a host: its number, its start and its boot. `sessions/<pid>-<start>.json` says which
//! conversation goes on in it; `wakes/<pid>-<start>` is the file that the host watches. Each line of that file names a job
//! or a group, with a `+` where it was started and without one where it is over. The lines are hints: what is told follows
//! from the jobs alone, so a line too many says nothing and a missing one is made up for at the next prompt.
//!
//! `wakes/<pid>-<start>.heard` is written by the host's own answer to a line; its time says since when the host is known to
//! watch.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;
use crate::domain::limits;
use crate::domain::wake::{Process, SessionName};
use crate::state::error::StateError;
use crate::state::notice;
use crate::state::store::Store;
use crate::sys::signal::ProcessIdentity;
use crate::sys::{clock, files};

/// The version of the record that is written.
const VERSION: u32 = 1;
/// The folder of the records.
const SESSIONS: &str = "sessions";
/// The folder of the watched files.
const WAKES: &str = "wakes";
/// Bytes of one record.
const RECORD_BYTES: u64 = 4096;
/// Bytes read of the end of a watched file: some five hundred lines.
const LINES_BYTES: u64 = 16 * 1024;
/// Jobs of one session that are looked at, the newest. Nobody waits for more at once, and each costs a few looks at the disk.
const JOBS: usize = 200;
/// Sessions that are looked at, the newest ones by the names of their files. More do not live beside each other.
const SESSIONS_MAX: usize = 500;

/// A process of a host and the conversation in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    version: u32,
    /// The process.
    pub process: ProcessIdentity,
    /// The conversation that goes on in it now.
    pub name: SessionName,
}

/// What of a record must be known before the rest can be trusted.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Which part of a job's life a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It was started.
    Started,
    /// It is over.
    Ended,
}

impl Session {
    /// Names a conversation in a process.
    pub fn new(process: ProcessIdentity, name: SessionName) -> Self {
        Self {
            version: VERSION,
            process,
            name,
        }
    }

    /// Tells what has become of the process of `other`, seen from this one.
    pub fn sees(&self, other: &ProcessIdentity) -> Process {
        if self.process == *other {
            Process::Here
        } else if other.is_alive() {
            Process::Alive
        } else if other.is_of_here() {
            Process::Gone
        } else {
            Process::Unknown
        }
    }
}

/// Lets a session be told of its jobs, under the name that its conversation has now. Returns the file to watch.
pub fn register(store: &Store, session: &Session) -> Result<PathBuf, StateError> {
    let folder = store.folder(SESSIONS)?;
    store.folder(WAKES)?;
    let watched = wake_file(store, &session.process);
    match files::create_new(&watched, b"") {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(StateError::io("write", watched)(error));
        }
        _ => {}
    }
    let path = folder.join(format!("{}.json", key(&session.process)));
    let bytes = serde_json::to_vec(session).map_err(|source| StateError::Damaged {
        path: path.clone(),
        source,
    })?;
    files::replace(&path, &bytes).map_err(StateError::io("write", path))?;
    Ok(watched)
}

/// Returns the session of a process; `None` where it is not to be told anything.
pub fn of_process(store: &Store, process: &ProcessIdentity) -> Option<Session> {
    read(&record(store, process)).filter(|session| session.process == *process)
}

/// Returns all sessions whose record can be read, those of processes that are gone too; at most five hundred.
pub fn all(store: &Store) -> Vec<Session> {
    let entries = fs::read_dir(store.root().join(SESSIONS))
        .into_iter()
        .flatten()
        .flatten();
    let records = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    records
        .filter_map(|path| read(&path))
        .take(SESSIONS_MAX)
        .collect()
}

/// Returns the file that the host of a process watches.
pub fn wake_file(store: &Store, process: &ProcessIdentity) -> PathBuf {
    store.root().join(WAKES).join(key(process))
}

/// Adds a line to the file that the host of a process watches. Where there is none, nobody listens.
///
/// Failing is no error: the session is told at its next prompt.
pub fn note(store: &Store, process: &ProcessIdentity, id: &JobId, line: Line) {
    let path = wake_file(store, process);
    if let Err(error) = files::append_existing(&path, text(id, line).as_bytes())
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(job = %id, %error, "a session is not woken");
    }
}

/// Tells whether the end of a job was noted for a process.
pub fn is_end_noted(store: &Store, process: &ProcessIdentity, id: &JobId) -> bool {
    lines(store, process).any(|(named, line)| named == *id && line == Line::Ended)
}

/// Returns the jobs and groups of a process that are named in its file, the newest last, each once.
pub fn jobs(store: &Store, process: &ProcessIdentity) -> Vec<JobId> {
    let mut ids: Vec<JobId> = lines(store, process).map(|(id, _)| id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.split_off(ids.len().saturating_sub(JOBS))
}

/// Notes that the host of a process answered to a line just now.
pub fn hear(store: &Store, process: &ProcessIdentity) {
    let path = heard(store, process);
    let touched = files::open_append(&path).and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::warn!(%error, "it is not noted that the host watches");
    }
}

/// Tells whether the host of a process has answered to a line since then, in milliseconds since 1970.
pub fn heard_since(store: &Store, process: &ProcessIdentity, since_ms: u64) -> bool {
    let written = fs::symlink_metadata(heard(store, process)).and_then(|about| about.modified());
    written
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .is_some_and(|at| clock::millis(at) >= since_ms)
}

/// Returns the folder in which it is noted that a host watches.
pub fn folder(store: &Store) -> PathBuf {
    store.root().join(WAKES)
}

/// Forgets a session. What cannot be deleted now is swept away later.
pub fn forget(store: &Store, process: &ProcessIdentity) {
    // The record last: without it nobody would find the others.
    for path in [
        wake_file(store, process),
        heard(store, process),
        record(store, process),
    ] {
        let _ = fs::remove_file(path);
    }
}

/// Tells whether a session may still have to be told of something, now or when it is taken up again.
pub fn has_open(store: &Store, process: &ProcessIdentity) -> bool {
    jobs(store, process)
        .iter()
        .any(|id| notice::standing(store, id).is_open())
}

/// Deletes what sessions left whose process is gone: at once where there is nothing left to tell, else when its results
/// would be deleted too.
pub fn sweep(store: &Store) {
    let now = SystemTime::now();
    for session in all(store) {
        let process = &session.process;
        let aged = is_aged(&record(store, process), now, limits::RETENTION);
        let gone = !process.is_alive();
        if gone && (aged || (process.is_of_here() && !has_open(store, process))) {
            forget(store, process);
        }
    }
    // Records that cannot be read, and files that lost theirs.
    for folder in [SESSIONS, WAKES] {
        let entries = fs::read_dir(store.root().join(folder))
            .into_iter()
            .flatten()
            .flatten();
        for path in entries
            .map(|entry| entry.path())
            .filter(|path| is_aged(path, now, limits::RETENTION))
        {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let key = name.trim_end_matches(".json").trim_end_matches(".heard");
            if read(&store.root().join(SESSIONS).join(format!("{key}.json"))).is_none() {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn is_aged(path: &Path, now: SystemTime, age: Duration) -> bool {
    let written = fs::symlink_metadata(path).and_then(|about| about.modified());
    written.is_ok_and(|written| now.duration_since(written).is_ok_and(|since| since >= age))
}

fn key(process: &ProcessIdentity) -> String {
    format!("{}-{}", process.pid, process.start)
}

fn record(store: &Store, process: &ProcessIdentity) -> PathBuf {
    store.root().join(SESSIONS).join(format!("{}.json", key(process)))
}

fn heard(store: &Store, process: &ProcessIdentity) -> PathBuf {
    store.root().join(WAKES).join(format!("{}.heard", key(process)))
}

fn read(path: &Path) -> Option<Session> {
    let bytes = files::read_bounded(path, RECORD_BYTES).ok()?;
    let versioned: Versioned = serde_json::from_slice(&bytes).ok()?;
    if versioned.version > VERSION {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

fn text(id: &JobId, line: Line) -> String {
    match line {
        Line::Started => format!("+{id}\n"),
        Line::Ended => format!("{id}\n"),
    }
}

/// Returns what the end of a file says; a line that says nothing is passed over.
fn lines(store: &Store, process: &ProcessIdentity) -> impl Iterator<Item = (JobId, Line)> {
    let bytes = files::read_end(&wake_file(store, process), LINES_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines: Vec<_> = text.lines().filter_map(parse_line).collect();
    lines.into_iter()
}

fn parse_line(line: &str) -> Option<(JobId, Line)> {
    match line.strip_prefix('+') {
        Some(id) => Some((id.parse().ok()?, Line::Started)),
        None => Some((line.parse().ok()?, Line::Ended)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;
    use proptest::prelude::*;

    fn id(number: u64) -> JobId {
        JobId::new(number, WorkspaceHash::of(b"w"), number)
    }

    fn here() -> ProcessIdentity {
        ProcessIdentity::of(std::process::id()).unwrap()
    }

    /// A process that is gone: ours, with a start that is not its own.
    fn gone(start: u64) -> ProcessIdentity {
        ProcessIdentity { start, ..here() }
    }

    fn session(process: ProcessIdentity, name: &str) -> Session {
        Session::new(process, name.parse().unwrap())
    }

    #[test]
    fn a_session_is_found_by_its_process_under_its_newest_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("state"));
        assert_eq!(of_process(&store, &here()), None);
        let watched = register(&store, &session(here(), "one")).unwrap();
        note(&store, &here(), &id(1), Line::Started);
        assert_eq!(register(&store, &session(here(), "two")).unwrap(), watched);
        assert_eq!(of_process(&store, &here()), Some(session(here(), "two")));
        assert_eq!(jobs(&store, &here()), [id(1)], "what was noted stays");
        assert_eq!(of_process(&store, &gone(1)), None);
        forget(&store, &here());
        assert_eq!(
            (of_process(&store, &here()), jobs(&store, &here())),
            (None, vec![])
        );
    }

    #[test]
    fn a_file_of_another_boot_is_no_session_of_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let before = ProcessIdentity {
            boot: "another".to_owned(),
            ..here()
        };
        register(&store, &session(before.clone(), "one")).unwrap();
        assert_eq!(of_process(&store, &here()), None);
        assert_eq!(session(here(), "one").sees(&before), Process::Unknown);
        assert_eq!(session(here(), "one").sees(&gone(1)), Process::Gone);
        assert_eq!(session(here(), "one").sees(&here()), Process::Here);
        assert_eq!(session(gone(1), "one").sees(&here()), Process::Alive);
    }

    #[test]
    fn nobody_is_told_where_nobody_listens() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        note(&store, &here(), &id(1), Line::Ended);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made");
    }

    #[test]
    fn garbage_in_the_files_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let watched = register(&store, &session(here(), "one")).unwrap();
        fs::write(&watched, format!("\u{0}\n+\n{}\nnonsense\n+{}\n", id(2), id(1))).unwrap();
        assert_eq!(jobs(&store, &here()), [id(1), id(2)]);
        assert!(is_end_noted(&store, &here(), &id(2)));
        assert!(!is_end_noted(&store, &here(), &id(1)));
        for bytes in [&b"{"[..], br#"{"version":2,"process":{},"name":"x"}"#, b"[]", b""] {
            fs::write(record(&store, &here()), bytes).unwrap();
            assert_eq!(of_process(&store, &here()), None);
            assert_eq!(all(&store), []);
        }
    }

    #[test]
    fn the_newest_jobs_are_kept_where_there_are_many() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        register(&store, &session(here(), "one")).unwrap();
        for number in 1..=600 {
            note(&store, &here(), &id(number), Line::Ended);
        }
        let jobs = jobs(&store, &here());
        assert_eq!((jobs.len(), jobs.last()), (JOBS, Some(&id(600))));
    }

    #[test]
    fn a_host_is_heard_from_the_moment_it_answers() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        register(&store, &session(here(), "one")).unwrap();
        let before = clock::now_ms();
        assert!(!heard_since(&store, &here(), 0));
        hear(&store, &here());
        assert!(heard_since(&store, &here(), before));
        assert!(!heard_since(&store, &here(), clock::now_ms() + 1000));
    }

    #[test]
    fn what_a_dead_process_left_goes_when_there_is_nothing_to_tell() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let elsewhere = ProcessIdentity {
            boot: "another".to_owned(),
            ..gone(3)
        };
        for process in [here(), gone(1), gone(2), elsewhere.clone()] {
            register(&store, &session(process, "one")).unwrap();
        }
        // A job that nobody has read.
        let open = store.directory(&id(7));
        fs::create_dir_all(open.path()).unwrap();
        fs::write(
            open.result_path(),
            r#"{"version":1,"state":"lost","ended_ms":1,"elapsed_ms":1,"commands":[],"warnings":[]}"#,
        )
        .unwrap();
        note(&store, &gone(2), &id(7), Line::Ended);
        note(&store, &gone(1), &id(8), Line::Started);
        sweep(&store);
        let left = |store: &Store| {
            let mut starts: Vec<u64> = all(store).iter().map(|session| session.process.start).collect();
            starts.sort_unstable();
            starts
        };
        let mut expected = vec![2, 3, here().start];
        expected.sort_unstable();
        assert_eq!(left(&store), expected);
        assert!(!wake_file(&store, &gone(1)).exists());
        // The rest when its time is over; a living one never.
        let long_ago = SystemTime::now() - 2 * limits::RETENTION;
        for folder in [SESSIONS, WAKES] {
            for entry in fs::read_dir(dir.path().join(folder)).unwrap().flatten() {
                fs::File::options()
                    .append(true)
                    .open(entry.path())
                    .unwrap()
                    .set_modified(long_ago)
                    .unwrap();
            }
        }
        sweep(&store);
        assert_eq!(left(&store), [here().start]);
        assert!(wake_file(&store, &here()).exists());
        assert_eq!(fs::read_dir(dir.path().join(WAKES)).unwrap().count(), 1);
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written(number in 0u64..1 << 47, started in any::<bool>()) {
            let line = if started { Line::Started } else { Line::Ended };
            let written = text(&id(number), line);
            prop_assert_eq!(parse_line(written.trim_end()), Some((id(number), line)));
        }

        #[test]
        fn no_line_breaks_the_reader(line in any::<String>()) {
            if let Some((id, kind)) = parse_line(&line) {
                let written = text(&id, kind);
                prop_assert_eq!(written.trim_end(), line);
            }
        }
    }
}
