//! What the records of ended jobs are worth and how much room they take.

use std::fs;
use std::time::UNIX_EPOCH;

use crate::domain::job::JobId;
use crate::domain::limits;
use crate::domain::retention::Worth;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::ResultRecord;
use crate::state::store::Store;
use crate::sys::clock;

/// Tells what would be lost with a job that has ended, with or without a result.
pub fn worth(id: &JobId, directory: &JobDirectory, result: Option<&ResultRecord>) -> Worth {
    let ended_ms = result.map_or_else(|| id.created_ms(), |result| result.ended_ms);
    if let Some(read_ms) = read_ms(directory) {
        return Worth::Read {
            since_ms: read_ms.max(ended_ms),
        };
    }
    let paid = match result {
        Some(result) => {
            result.answer.is_some()
                || result.partial.is_some()
                || result.thread.is_some()
                || result.usage.is_some()
        }
        // Lost, and nobody looked: what its peer said is in the event log, if one was started at all.
        None => directory.has_peers(),
    };
    // What was handed over is paid for wherever it is now, and its record is the only one that names it.
    if paid || directory.was_sent() {
        Worth::Unread
    } else {
        Worth::Nothing { since_ms: ended_ms }
    }
}

/// Returns when the record of an ended job may be deleted, in milliseconds since 1970; `None` while nobody has read it.
pub fn expires_ms(directory: &JobDirectory, result: &ResultRecord) -> Option<u64> {
    let since_ms = read_ms(directory)?.max(result.ended_ms);
    Some(since_ms.saturating_add(clock::millis(limits::RETENTION)))
}

/// Returns when the result was first read, in milliseconds since 1970.
fn read_ms(directory: &JobDirectory) -> Option<u64> {
    let made = fs::symlink_metadata(directory.fetched_path())
        .ok()?
        .modified()
        .ok()?;
    Some(made.duration_since(UNIX_EPOCH).map_or(0, clock::millis))
}

/// What the newest jobs of a store take up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Ended jobs whose result nobody has read.
    pub unread: usize,
    /// Bytes of the files of all jobs.
    pub bytes: u64,
    /// Jobs beyond [`limits::STATUS_JOBS`], which were not looked at.
    pub not_counted: usize,
}

/// Looks at the newest jobs, at most [`limits::STATUS_JOBS`] of them.
pub fn usage(store: &Store) -> Result<Usage, StateError> {
    let ids = store.ids(None)?;
    let mut usage = Usage {
        not_counted: ids.len().saturating_sub(limits::STATUS_JOBS),
        ..Usage::default()
    };
    for id in ids.iter().take(limits::STATUS_JOBS) {
        let directory = store.directory(id);
        let unread = directory.result_path().exists() && !directory.fetched_path().exists();
        usage.unread += usize::from(unread);
        let files = fs::read_dir(directory.path()).into_iter().flatten().flatten();
        usage.bytes += files
            .filter_map(|entry| entry.metadata().ok())
            .map(|about| about.len())
            .sum::<u64>();
    }
    Ok(usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobState, WorkspaceHash};
    use crate::domain::usage;
    use crate::state::record::VERSION;
    use crate::sys::signal::ProcessIdentity;

    fn result() -> ResultRecord {
        ResultRecord {
            version: VERSION,
            state: JobState::Lost,
            ended_ms: 5,
            elapsed_ms: 1,
            answer: None,
            fault: None,
            work: None,
            partial: None,
            partial_review: None,
            raw: None,
            thread: None,
            usage: None,
            thread_usage: None,
            cost_usd: None,
            commands: Vec::new(),
            more_commands: 0,
            leaked: Vec::new(),
            warnings: Vec::new(),
            passes: Vec::new(),
        }
    }

    #[test]
    fn what_was_paid_for_is_worth_something_until_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let directory = JobDirectory::at(dir.path());
        let id = JobId::new(3, WorkspaceHash::of(b"w"), 3);
        let check = |result: Option<ResultRecord>, expected: Worth| {
            assert_eq!(worth(&id, &directory, result.as_ref()), expected);
        };
        check(None, Worth::Nothing { since_ms: 3 });
        check(Some(result()), Worth::Nothing { since_ms: 5 });
        let (mut said, mut opened, mut used) = (result(), result(), result());
        said.partial = Some("half".to_owned());
        opened.thread = Some("t".to_owned());
        used.usage = Some(usage::Usage::default());
        for paid in [said, opened, used] {
            check(Some(paid), Worth::Unread);
        }
        directory
            .write_peer(1, &ProcessIdentity::of(std::process::id()).unwrap())
            .unwrap();
        check(None, Worth::Unread);
        assert_eq!(expires_ms(&directory, &result()), None);

        directory.mark_fetched();
        let read_ms = read_ms(&directory).unwrap();
        check(Some(result()), Worth::Read { since_ms: read_ms });
        let ended_ms = u64::MAX - 1;
        let later = ResultRecord { ended_ms, ..result() };
        check(Some(later), Worth::Read { since_ms: ended_ms });
    }

    #[test]
    fn unread_results_and_bytes_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert_eq!(usage(&store).unwrap(), Usage::default());
        for number in 1..=3 {
            let directory = store.directory(&JobId::new(number, WorkspaceHash::of(b"w"), number));
            fs::create_dir_all(directory.path()).unwrap();
            if number > 1 {
                fs::write(directory.result_path(), "12345").unwrap();
            }
            if number > 2 {
                directory.mark_fetched();
            }
        }
        let counted = usage(&store).unwrap();
        assert_eq!((counted.unread, counted.bytes, counted.not_counted), (1, 10, 0));
    }
}
