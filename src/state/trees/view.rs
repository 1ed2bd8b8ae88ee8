//! The worktrees as people and the reaper see them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::domain::job::JobId;
use crate::git::{Vault, remove_tree};
use crate::state::error::StateError;
use crate::state::repositories::RepositoryFolder;
use crate::state::trees::folder::TreeFolder;
use crate::state::trees::held::{HeldTree, TreeError};
use crate::state::trees::removal::put_aside;

/// Files and folders of one worktree that are counted: half a second of looking at a disk.
const COUNTED: usize = 500_000;

/// The longest that a killed worker may take to let go of its worktree.
const DYING: Duration = Duration::from_secs(4);
/// Time between two looks whether it has.
const PAUSE: Duration = Duration::from_millis(5);

/// A worktree as `status topic=worktrees` and `clean` tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeView {
    /// Its folder.
    pub folder: PathBuf,
    /// The job that has or had it.
    pub job: Option<JobId>,
    /// Whether a live process holds it.
    pub is_held: bool,
    /// Whether it was given back, so that its content is kept elsewhere. Neither held nor idle means that a worker died: it
    /// may hold what nothing else holds.
    pub is_idle: bool,
    /// Bytes on disk, of its first 500,000 files and folders.
    pub bytes: u64,
}

/// Lists the worktrees of a repository.
pub fn list(repository: &RepositoryFolder) -> Result<Vec<TreeView>, StateError> {
    let there = TreeFolder::all(repository)
        .into_iter()
        .filter(|folder| folder.tree().is_dir());
    let view = |folder: TreeFolder| TreeView {
        job: folder.owner(),
        is_held: folder.is_held(),
        is_idle: folder.is_ready() && folder.idle_since().is_some(),
        bytes: bytes_below(&folder.tree()),
        folder: folder.path().to_owned(),
    };
    Ok(there.map(view).collect())
}

/// Counts what a folder takes on disk. What cannot be looked at takes nothing.
fn bytes_below(top: &Path) -> u64 {
    let (mut bytes, mut left) = (0, COUNTED);
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if left == 0 {
                return bytes;
            }
            left -= 1;
            let Ok(about) = entry.metadata() else { continue };
            // The unit of `st_blocks`, whatever the disk's own is.
            bytes += about.blocks() * 512;
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    bytes
}

/// Finds the worktree that a job left, if nobody took it since, and takes its lock: for whoever collects what a killed
/// worker left. Giving it back declares that its content is kept.
pub fn left_by(repository: &RepositoryFolder, job: &JobId) -> Option<HeldTree> {
    let is_its = |folder: &TreeFolder| folder.is_ready() && folder.owner().as_ref() == Some(job);
    let folder = TreeFolder::all(repository).into_iter().find(is_its)?;
    // A dying process lets go of its locks one after the other, and somebody may just look whether it is held. What is not
    // collected now is collected by nobody.
    let deadline = Instant::now() + DYING;
    let lock = loop {
        match folder.try_lock() {
            Ok(Some(lock)) => break lock,
            _ if Instant::now() > deadline || !is_its(&folder) => return None,
            _ => std::thread::sleep(PAUSE),
        }
    };
    // Between the look and the lock somebody may have taken it.
    is_its(&folder).then(|| HeldTree::of(repository, folder, lock))
}

/// Names the jobs whose worktrees nobody holds and nobody gave back.
pub fn left_behind(repository: &RepositoryFolder) -> Vec<JobId> {
    TreeFolder::all(repository)
        .into_iter()
        .filter(|folder| folder.is_ready() && folder.idle_since().is_none() && !folder.is_held())
        .filter_map(|folder| folder.owner())
        .collect()
}

/// Removes an idle worktree, or one that a killed worker left; a held one is left, and so is what is no worktree. The
/// caller made sure that its content is kept.
pub fn remove(repository: &RepositoryFolder, vault: &Vault, folder: &Path) -> Result<bool, TreeError> {
    let named = TreeFolder::all(repository)
        .into_iter()
        .find(|other| other.path() == folder);
    let Some(folder) = named else { return Ok(false) };
    let Some(_lock) = folder.try_lock()? else {
        return Ok(false);
    };
    let Some(gone) = put_aside(repository, &folder) else {
        return Ok(false);
    };
    vault.forget(&folder.tree())?;
    remove_tree(&gone).map_err(StateError::io("delete", gone))?;
    Ok(true)
}
