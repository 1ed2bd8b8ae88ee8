//! Takes a landing back: exact bytes, permission bits and times of change.
//!
//! It is a landing of what was there before, with a journal of its own inside the landing's folder, so one that is killed
//! is taken back like any other.

use std::path::Path;

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::journal::{self, BEFORE, Entry, Journal, UNDO, UNDONE};
use crate::state::landing::land::{run, set_aside, take_lock};
use crate::state::landing::plan::{Content, Folders, Target};
use crate::state::landing::recover::recover_held;
use crate::state::landing::swap::{Pace, modified};
use crate::state::landing::{LandError, Landing, LandingState, Node};
use crate::state::repositories::RepositoryFolder;
use crate::sys::{files, seam};

/// Why a landing was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// Nothing of this job landed, or it was taken back already.
    #[error("nothing of the job is in the working tree")]
    NothingLanded,
    /// A newer landing changed the same files; it must be undone first.
    #[error("job {job} landed on the same files later")]
    Newer {
        /// The newer job.
        job: JobId,
    },
    /// As for a landing.
    #[error(transparent)]
    Land(#[from] LandError),
}

impl From<StateError> for UndoError {
    fn from(error: StateError) -> Self {
        Self::Land(error.into())
    }
}

/// Takes the newest landing of a job back: exact bytes and modes. Every file must still be what was put there; folders that
/// the landing made go if they are empty.
pub fn undo(repository: &RepositoryFolder, job: &JobId) -> Result<Landing, UndoError> {
    undo_in(repository, job, None)
}

/// As [`undo`], of the last landing in one working tree, or in any when none is named.
pub fn undo_in(
    repository: &RepositoryFolder,
    job: &JobId,
    only: Option<&Path>,
) -> Result<Landing, UndoError> {
    undo_at_pace(repository, job, only, Pace::STRAIGHT)
}

/// As [`undo`], with a look at every step.
pub(super) fn undo_at_pace(
    repository: &RepositoryFolder,
    job: &JobId,
    only: Option<&Path>,
    pace: Pace<'_>,
) -> Result<Landing, UndoError> {
    let _lock = take_lock(repository)?;
    recover_held(repository, Pace::STRAIGHT)?;
    let mut newer = Vec::new();
    let mut found = None;
    for folder in journal::folders(repository)? {
        let landing = match Landing::read(&folder) {
            Ok(landing) => landing,
            // What cannot be read hides no other. If it changed the same files, they are not what was put there.
            Err(error) if error.is_damage() || matches!(error, StateError::Newer { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        // Nor does one that names a folder of somebody else's.
        if landing.state != LandingState::Landed || !repository.has_working_tree(&landing.top_level) {
            continue;
        }
        if landing.job == *job && only.is_none_or(|only| landing.top_level == only) {
            found = Some(landing);
            break;
        }
        newer.push(landing);
    }
    let landing = found.ok_or(UndoError::NothingLanded)?;
    let in_the_way = newer
        .into_iter()
        .find(|newer| newer.top_level == landing.top_level && newer.overlaps(&landing));
    if let Some(newer) = in_the_way {
        return Err(UndoError::Newer { job: newer.job });
    }
    take_back(&landing.folder, pace)
}

fn take_back(folder: &Path, pace: Pace<'_>) -> Result<Landing, UndoError> {
    let landed = Journal::read(folder)?;
    let targets: Vec<Target<'_>> = landed
        .entries
        .iter()
        .map(|entry| reversed(folder, entry))
        .collect();
    let undo = folder.join(UNDO);
    let before = undo.join(BEFORE);
    files::create_private_dir(&before).map_err(StateError::io("make", before))?;
    let journal = Journal::new(landed.job.clone(), &landed.top_level(), landed.at_ms);
    let folders = Folders {
        removable: (!landed.is_adopted).then(|| landed.made.iter().map(|made| made.path.clone()).collect()),
        modes: landed
            .removed
            .iter()
            .map(|removed| (removed.path.clone(), removed.mode))
            .collect(),
    };
    let late = match run(&undo, journal, &targets, &folders, pace) {
        Ok(late) => late,
        Err(error) => {
            if let LandError::Io { not_restored, .. } = &error
                && !not_restored.is_empty()
                && journal::has(&undo, UNDONE)
            {
                set_aside(&undo);
            }
            return Err(error.into());
        }
    };
    seam::point("landing.undone");
    journal::mark(folder, UNDONE)?;
    let mut landing = Landing::read(folder)?;
    landing.left = late;
    Ok(landing)
}

fn reversed<'a>(folder: &Path, entry: &'a Entry) -> Target<'a> {
    let side = &entry.side;
    let kept = entry.kept.as_ref();
    Target {
        path: &side.path,
        before: side.after.clone(),
        // A folder that gave way to a file comes back with the files in it.
        after: if side.before == Node::Folder {
            Node::Absent
        } else {
            side.before.clone()
        },
        content: kept.map(|kept| Content::Kept(folder.join(BEFORE).join(kept.number.to_string()))),
        mode: kept.and_then(|kept| kept.mode),
        modified: kept.and_then(modified),
    }
}
