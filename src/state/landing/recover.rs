//! Takes back what a killed landing or undo left.

use std::fs;
use std::io;
use std::path::Path;

use crate::state::error::StateError;
use crate::state::landing::journal::{self, JOURNAL, Journal, LANDED, SWEPT, UNDO, UNDONE};
use crate::state::landing::land::{LandingLock, close, set_aside};
use crate::state::landing::swap::{Pace, Swap};
use crate::state::landing::{Landing, LandingState};
use crate::state::repositories::RepositoryFolder;

/// Takes back what was begun and never finished because its process was killed; returns what was taken back. Files that
/// somebody changed since are left and named, and their earlier bytes stay in the landing's folder.
///
/// While somebody else lands there is nothing to take back. A landing in a folder that is not there now waits until it is.
pub fn recover(repository: &RepositoryFolder) -> Result<Vec<Landing>, StateError> {
    if journal::folders(repository)?.is_empty() {
        return Ok(Vec::new());
    }
    match LandingLock::try_take(repository)? {
        Some(_lock) => recover_held(repository, Pace::STRAIGHT),
        None => Ok(Vec::new()),
    }
}

/// As [`recover`], for whoever holds the lock.
pub(super) fn recover_held(
    repository: &RepositoryFolder,
    pace: Pace<'_>,
) -> Result<Vec<Landing>, StateError> {
    let mut taken_back = Vec::new();
    for folder in journal::folders(repository)? {
        let is_over = journal::has(&folder, UNDONE) || journal::has(&folder, SWEPT);
        let undo = folder.join(UNDO);
        if journal::has(&folder, UNDO) && !(journal::has(&folder, UNDONE) && journal::has(&undo, SWEPT)) {
            recover_undo(repository, &folder, &undo, pace)?;
        }
        if !is_over {
            taken_back.extend(recover_one(repository, &folder, pace)?);
        }
    }
    Ok(taken_back)
}

/// Brings one landing to an end: what is in place is swept, the rest is taken back.
fn recover_one(
    repository: &RepositoryFolder,
    folder: &Path,
    pace: Pace<'_>,
) -> Result<Option<Landing>, StateError> {
    let Some((journal, swap)) = open(repository, folder, pace)? else {
        return Ok(None);
    };
    if journal::has(folder, LANDED) {
        // What cannot be deleted now is tried again next time.
        let _ = swap.sweep();
        return Ok(None);
    }
    let back = swap.put_back();
    let mut landing = Landing::of(&journal, folder);
    landing.left.clone_from(&back.left);
    if !back.is_to_be_repeated {
        close(folder, &back.left);
        landing.state = LandingState::Undone;
    }
    Ok(Some(landing))
}

/// Brings an undo to an end: one that got through makes its landing undone, any other is taken back.
fn recover_undo(
    repository: &RepositoryFolder,
    folder: &Path,
    undo: &Path,
    pace: Pace<'_>,
) -> Result<(), StateError> {
    let Some((_, swap)) = open(repository, undo, pace)? else {
        return Ok(());
    };
    if journal::has(undo, LANDED) {
        let _ = swap.sweep();
        return journal::mark(folder, UNDONE);
    }
    if journal::has(folder, UNDONE) {
        return Ok(());
    }
    let back = swap.put_back();
    if back.is_to_be_repeated {
        return Ok(());
    }
    close(undo, &back.left);
    if journal::has(undo, UNDONE) {
        set_aside(undo);
    }
    Ok(())
}

/// Opens a journal where its process left it. Without a whole journal nothing was changed, and the folder goes. A damaged or
/// newer one is left alone, as is one whose working tree is not there or is none of this repository's.
fn open<'a>(
    repository: &RepositoryFolder,
    folder: &'a Path,
    pace: Pace<'a>,
) -> Result<Option<(Journal, Swap<'a>)>, StateError> {
    let journal = match Journal::read(folder) {
        Ok(journal) => journal,
        Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            debug_assert!(!journal::has(folder, JOURNAL));
            let _ = fs::remove_dir_all(folder);
            return Ok(None);
        }
        Err(error @ StateError::Io { .. }) => return Err(error),
        Err(_) => return Ok(None),
    };
    if !repository.has_working_tree(&journal.top_level()) {
        return Ok(None);
    }
    match Swap::resume(folder, journal.clone(), pace) {
        Ok(swap) => Ok(Some((journal, swap))),
        Err(_) => Ok(None),
    }
}
