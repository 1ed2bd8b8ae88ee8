//! The slots that bound how many jobs of the user run at once, over all servers and terminals.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::job::{JOB_ID_LEN, JobId};
use crate::domain::limits;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::lock::{self, HeldLock};

/// Jobs looked at for one that waits: as many as can wait and run at once.
const LOOKED_AT: usize = limits::QUEUE_MAX + limits::CONCURRENCY_MAX;

/// Takes a free slot; `None` when all are taken. The slot is free again when the lock is dropped.
pub fn try_take(store: &Store, slots: usize) -> Result<Option<HeldLock>, StateError> {
    let folder = folder(store)?;
    let (mut broken, mut taken) = (None, false);
    for number in 0..slots {
        let path = folder.join(number.to_string());
        match try_one(&path) {
            Ok(Some(slot)) => return Ok(Some(slot)),
            Ok(None) => taken = true,
            Err(error) => broken = Some(StateError::io("lock", path)(error)),
        }
    }
    match broken {
        // One that cannot be locked leaves fewer slots. Where none can, nobody will ever free one.
        Some(error) if !taken => Err(error),
        _ => Ok(None),
    }
}

fn try_one(path: &Path) -> io::Result<Option<HeldLock>> {
    // Trying opens the file for writing, and closing it wakes everybody who watches the folder, ourselves too:
    // a queue of workers would wake itself for ever. Looking does not.
    if lock::is_held(path)? {
        return Ok(None);
    }
    HeldLock::try_take(path)
}

/// Tells whether a slot is free now.
pub fn is_any_free(store: &Store, slots: usize) -> bool {
    let is_free = |number: usize| {
        let path = store.root().join("slots").join(number.to_string());
        lock::is_held(&path).is_ok_and(|held| !held)
    };
    (0..slots).any(is_free)
}

/// Takes a free slot for one more pass of a job that has its own; `None` when all are taken or a job waits for one: who
/// has a slot must not keep those who have none from theirs.
pub fn try_borrow(store: &Store, slots: usize) -> Result<Option<HeldLock>, StateError> {
    let is_waited_for = || {
        let ids = store.ids(None).unwrap_or_default();
        ids.iter().take(LOOKED_AT).any(|id| waits(store, id))
    };
    if !is_any_free(store, slots) || is_waited_for() {
        return Ok(None);
    }
    try_take(store, slots)
}

/// Tells whether no older job waits for a slot, so that who comes first is served first.
pub fn is_first_in_line(store: &Store, job: &JobId) -> bool {
    let Ok(ids) = store.ids(None) else {
        return true;
    };
    // Newest first: the next older one, which is asked first, mostly waits too if anybody does.
    let older = ids.iter().skip_while(|id| *id >= job);
    !older.take(LOOKED_AT).any(|id| waits(store, id))
}

/// Tells whether a job waits for a slot.
fn waits(store: &Store, id: &JobId) -> bool {
    let job = store.directory(id);
    !job.result_path().exists() && !job.was_started() && lock::is_held(&job.lock_path()).unwrap_or(false)
}

/// Returns the job whose worker died with this slot. Its peer may still run.
pub fn killed_job(slot: &HeldLock) -> Option<JobId> {
    slot.word(JOB_ID_LEN).ok()?.parse().ok()
}

/// Notes in a slot which job holds it, and wakes who is next in line. Failing costs only that what a killed worker leaves
/// is found later.
pub fn note_job(slot: &HeldLock, job: &JobId) {
    let _ = slot.leave_word(job.as_str());
}

/// Gives a slot back whose job has no peer any more.
pub fn give_back(slot: HeldLock) {
    let _ = slot.leave_word(&" ".repeat(JOB_ID_LEN));
    drop(slot);
}

/// Returns the folder of the slots, to be watched while waiting for one.
pub fn folder(store: &Store) -> Result<PathBuf, StateError> {
    store.folder("slots")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;

    #[test]
    fn a_slot_that_is_no_file_takes_none_of_the_others_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let folder = folder(&store).unwrap();
        std::fs::create_dir(folder.join("0")).unwrap();
        let one = try_take(&store, 2).unwrap().unwrap();
        assert!(try_take(&store, 2).unwrap().is_none());
        drop(one);
        assert!(try_take(&store, 1).is_err(), "nobody would ever free one");
    }

    #[test]
    fn there_are_as_many_slots_as_configured() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let one = try_take(&store, 2).unwrap().unwrap();
        let two = try_take(&store, 2).unwrap().unwrap();
        assert!(try_take(&store, 2).unwrap().is_none());
        drop(one);
        assert!(try_take(&store, 2).unwrap().is_some());
        drop(two);
    }

    #[test]
    fn a_slot_remembers_the_job_of_a_killed_worker() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let job = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        let take = || try_take(&store, 1).unwrap().unwrap();
        let slot = take();
        assert_eq!(killed_job(&slot), None);
        note_job(&slot, &job);
        drop(slot);
        let slot = take();
        assert_eq!(killed_job(&slot), Some(job));
        give_back(slot);
        assert_eq!(killed_job(&take()), None);
    }

    #[test]
    fn who_waits_longest_is_first_in_line() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let jobs = [1, 2, 3].map(|time| JobId::new(time, WorkspaceHash::of(b"w"), time));
        let mut held: Vec<HeldLock> = jobs
            .iter()
            .map(|id| {
                let job = store.directory(id);
                std::fs::create_dir_all(job.path()).unwrap();
                HeldLock::try_take(&job.lock_path()).unwrap().unwrap()
            })
            .collect();
        let check = |expected: [bool; 3]| {
            let first = [0, 1, 2].map(|job: usize| is_first_in_line(&store, &jobs[job]));
            assert_eq!(first, expected);
        };
        check([true, false, false]);
        store.directory(&jobs[0]).mark_started(1).unwrap();
        check([true, true, false]);
        // The second one died: nobody waits for the dead.
        held.remove(1);
        check([true, true, true]);
        // The third waits still, so nobody may borrow what it needs.
        assert!(try_borrow(&store, 2).unwrap().is_none());
        store.directory(&jobs[2]).mark_started(1).unwrap();
        let borrowed = try_borrow(&store, 2).unwrap().unwrap();
        drop(borrowed);
        assert!(is_any_free(&store, 1));
        let _slot = try_take(&store, 1).unwrap().unwrap();
        assert!(!is_any_free(&store, 1));
    }
}
