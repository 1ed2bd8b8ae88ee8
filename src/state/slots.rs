//! The slots that bound how many jobs of the user run at once, over all servers and terminals.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::job::{JOB_ID_LEN, JobId};
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::lock::{self, HeldLock};

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

/// Returns the job that held a slot before. If its worker was killed, its peer may still run.
pub fn last_job(slot: &HeldLock) -> Option<JobId> {
    slot.word(JOB_ID_LEN).ok()?.parse().ok()
}

/// Notes in a slot which job holds it. Failing costs only that what a killed worker leaves there is found later.
pub fn note_job(slot: &HeldLock, job: &JobId) {
    let _ = slot.leave_word(job.as_str());
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
    fn a_slot_remembers_the_job_that_held_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let jobs = [1, 2].map(|time| JobId::new(time, WorkspaceHash::of(b"w"), time));
        for (job, before) in [
            (&jobs[0], None),
            (&jobs[1], Some(&jobs[0])),
            (&jobs[0], Some(&jobs[1])),
        ] {
            let slot = try_take(&store, 1).unwrap().unwrap();
            assert_eq!(last_job(&slot).as_ref(), before);
            note_job(&slot, job);
        }
    }
}
