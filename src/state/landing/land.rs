//! Puts a result into the user's files: all of it or nothing.
//!
//! The order is: lock, take back what a killed landing left, look at every file, keep them all in the journal, write
//! everything new beside its target, exchange, look at what came out, mark it landed, delete what came out. The index, the
//! refs and the configuration of the repository are never touched.
//!
//! What git would not keep is not kept either: a file that is replaced loses its other hard links, its extended attributes
//! and its owner, and gets those of a new file.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::journal::{self, FILES, Journal, LATE, UNDO, UNDONE};
use crate::state::landing::node::{EXECUTABLE, LINK, PLAIN};
use crate::state::landing::plan::{Content, Folders, Target};
use crate::state::landing::recover::recover_held;
use crate::state::landing::swap::{Pace, Swap, Trouble};
use crate::state::landing::{Landing, Node};
use crate::state::repositories::RepositoryFolder;
use crate::sys::confined::Top;
use crate::sys::files;
use crate::sys::lock::HeldLock;

/// Journals of failed undos that are kept in one landing; each needed a person who wrote into the files meanwhile.
const ASIDE: usize = 1000;

/// One path to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The path below the top of the working tree.
    pub path: Vec<u8>,
    /// What must be there, as [`crate::state::landing::look`] tells it; anything else ends the landing and changes nothing.
    /// Where a file takes the place of a folder it may be the folder or nothing, as git knows none; either way steps must
    /// delete all that is in the folder. What will be behind a link or file that a step deletes is absent.
    pub before: Node,
    /// What shall be there: mode as git writes it, and the bytes of the file or of the link; absent to delete it.
    pub after: Option<(u32, Vec<u8>)>,
}

/// Why nothing landed.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// These files are not what the caller saw. Nothing was changed, or all was put back.
    #[error("{} files changed meanwhile", paths.len())]
    Changed {
        /// The files.
        paths: Vec<Vec<u8>>,
    },
    /// Another landing of this repository is under way.
    #[error("another landing is under way")]
    Busy,
    /// A file could not be written. Everything that was written is put back, except what is named.
    #[error("a file could not be written: {source}")]
    Io {
        /// Why.
        source: io::Error,
        /// Files that could not be put back; their earlier bytes are in the landing's folder.
        not_restored: Vec<Vec<u8>>,
    },
    /// The journal could not be written; nothing was changed, or all was put back.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Lands. The index is not touched. Steps that change nothing are checked and not recorded.
pub fn land(
    repository: &RepositoryFolder,
    top_level: &Path,
    job: &JobId,
    steps: &[Step],
    now_ms: u64,
) -> Result<Landing, LandError> {
    land_at_pace(repository, top_level, job, steps, now_ms, Pace::STRAIGHT)
}

/// As [`land`], with a look at every step.
pub(super) fn land_at_pace(
    repository: &RepositoryFolder,
    top_level: &Path,
    job: &JobId,
    steps: &[Step],
    now_ms: u64,
    pace: Pace<'_>,
) -> Result<Landing, LandError> {
    let targets = targets(steps)?;
    let _lock = take_lock(repository)?;
    recover_held(repository, Pace::STRAIGHT)?;
    let (folder, at_ms) = journal::new_folder(repository, job, now_ms)?;
    let journal = Journal::new(job.clone(), top_level, at_ms);
    let late = run(&folder, journal, &targets, &Folders::default(), pace)?;
    let mut landing = Landing::read(&folder)?;
    landing.left = late;
    Ok(landing)
}

/// Runs a journaled change in an empty folder of ours. Either all is in place, or all is back and the folder is gone unless
/// something of somebody's is in it. Returns the paths to which somebody wrote too late.
pub(super) fn run(
    folder: &Path,
    journal: Journal,
    targets: &[Target<'_>],
    folders: &Folders,
    pace: Pace<'_>,
) -> Result<Vec<Vec<u8>>, LandError> {
    let top = Top::open(&journal.top_level()).map_err(|source| {
        let _ = std::fs::remove_dir_all(folder);
        unwritten(source)
    })?;
    let swap = Swap {
        top,
        folder,
        journal,
        pace,
    };
    let (targets, unchanged): (Vec<_>, Vec<_>) = targets
        .iter()
        .cloned()
        .partition(|target| target.before != target.after);
    let prepared = crate::state::landing::plan::changed(&swap.top, &unchanged)
        .map_err(Trouble::from)
        .and_then(|moved| {
            if moved.is_empty() {
                swap.prepare(&targets, folders)
            } else {
                Err(Trouble::Changed(moved))
            }
        });
    let swap = match prepared {
        Ok(swap) => swap,
        Err(trouble) => {
            // Nothing of the working tree was touched, so nothing here is worth keeping.
            let _ = std::fs::remove_dir_all(folder);
            return Err(error(trouble, Vec::new()));
        }
    };
    if let Err(trouble) = swap.stage(&targets).and_then(|()| swap.swap()) {
        let back = swap.put_back();
        if !back.is_to_be_repeated {
            close(folder, &back.left);
        }
        return Err(error(trouble, back.left));
    }
    // All is in place. What cannot be deleted now is deleted by whoever looks next.
    Ok(swap.sweep().unwrap_or_default())
}

/// Ends the record of a landing that was taken back: it goes, unless something in it is nowhere else.
pub(super) fn close(folder: &Path, left: &[Vec<u8>]) {
    if left.is_empty() && !journal::has(folder, LATE) {
        let _ = std::fs::remove_dir_all(folder);
    } else {
        // Without them it is taken back once more, which finds nothing to do.
        let _ = journal::write_left(folder, left);
        let _ = journal::mark(folder, UNDONE);
    }
}

/// Moves the journal of an undo that could not be put back whole out of the way of the next one, with the bytes in it.
pub(super) fn set_aside(undo: &Path) {
    let free = (1..ASIDE).map(|number| undo.with_file_name(format!("{UNDO}-{number}")));
    if let Some(free) = free.into_iter().find(|path| path.symlink_metadata().is_err()) {
        let _ = files::rename(undo, &free);
    }
}

fn error(trouble: Trouble, not_restored: Vec<Vec<u8>>) -> LandError {
    match trouble {
        Trouble::Changed(paths) if not_restored.is_empty() => LandError::Changed { paths },
        Trouble::Changed(_) => LandError::Io {
            source: io::Error::new(
                io::ErrorKind::ResourceBusy,
                "files changed while they were written",
            ),
            not_restored,
        },
        Trouble::State(error) if not_restored.is_empty() => LandError::State(error),
        Trouble::State(error) => LandError::Io {
            source: io::Error::other(error),
            not_restored,
        },
        Trouble::Io(source) => LandError::Io { source, not_restored },
    }
}

fn unwritten(source: io::Error) -> LandError {
    LandError::Io {
        source,
        not_restored: Vec::new(),
    }
}

/// The lock that landings of one repository share.
pub(super) struct LandingLock(Option<HeldLock>);

impl LandingLock {
    /// Takes it; nothing when somebody else has it.
    pub(super) fn try_take(repository: &RepositoryFolder) -> Result<Option<Self>, StateError> {
        let folder = repository.path();
        files::create_private_dir(folder).map_err(StateError::io("make", folder))?;
        let path = folder.join("landing.lock");
        let held = HeldLock::try_take(&path).map_err(StateError::io("lock", path))?;
        Ok(held.map(|held| Self(Some(held))))
    }
}

impl Drop for LandingLock {
    fn drop(&mut self) {
        // A git that is being started beside us would make the next landing hear that this one is under way.
        if let Some(held) = self.0.take() {
            held.release();
        }
    }
}

/// Takes the lock for a landing.
pub(super) fn take_lock(repository: &RepositoryFolder) -> Result<LandingLock, LandError> {
    LandingLock::try_take(repository)?.ok_or(LandError::Busy)
}

fn targets(steps: &[Step]) -> Result<Vec<Target<'_>>, LandError> {
    let invalid = |what| unwritten(io::Error::new(io::ErrorKind::InvalidInput, what));
    if steps.len() > FILES {
        return Err(invalid("too many files for one landing"));
    }
    let mut seen = BTreeSet::new();
    steps
        .iter()
        .map(|step| {
            if !seen.insert(step.path.as_slice()) {
                return Err(invalid("a file is named twice"));
            }
            let after = match &step.after {
                None => Node::Absent,
                Some((mode @ (PLAIN | EXECUTABLE | LINK), bytes)) => Node::of(*mode, bytes),
                Some(_) => return Err(invalid("it is neither a file nor a link")),
            };
            Ok(Target {
                path: &step.path,
                before: step.before.clone(),
                after,
                content: step.after.as_ref().map(|(_, bytes)| Content::Bytes(bytes)),
                mode: None,
                modified: None,
            })
        })
        .collect()
}
