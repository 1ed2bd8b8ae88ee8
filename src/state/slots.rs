//! The slots that bound how many jobs of the user run at once, over all servers and terminals.

use std::path::PathBuf;

use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::lock::{self, HeldLock};

/// Takes a free slot; `None` when all are taken. The slot is free again when the lock is dropped.
pub fn try_take(store: &Store, slots: usize) -> Result<Option<HeldLock>, StateError> {
    let folder = folder(store)?;
    for number in 0..slots {
        let path = folder.join(number.to_string());
        // Trying opens the file for writing, and closing it wakes everybody who watches the folder, ourselves too:
        // a queue of workers would wake itself for ever. Looking does not.
        if lock::is_held(&path).map_err(StateError::io("lock", &path))? {
            continue;
        }
        if let Some(slot) = HeldLock::try_take(&path).map_err(StateError::io("lock", path))? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// Returns the folder of the slots, to be watched while waiting for one.
pub fn folder(store: &Store) -> Result<PathBuf, StateError> {
    store.folder("slots")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
