//! Worktrees that are being deleted.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::domain::job::JobId;
use crate::git::{forget_worktree, remove_tree};
use crate::state::repositories::RepositoryFolder;
use crate::state::trees::folder::TreeFolder;

/// A deletion in the background. Dropping it changes nothing; what the end of the process cuts off is found by the next
/// [`sweep`].
#[derive(Debug)]
pub struct Removal(Option<Receiver<()>>);

impl Removal {
    /// Deletes what was put aside.
    pub(super) fn start(paths: Vec<PathBuf>) -> Self {
        if paths.is_empty() {
            return Self(None);
        }
        let (done, receiver) = channel();
        let thread = std::thread::Builder::new().name("removal".to_owned());
        let started = thread.spawn(move || {
            for path in paths {
                if let Err(error) = remove_tree(&path) {
                    tracing::warn!(%error, "a worktree is not deleted yet");
                }
            }
            let _ = done.send(());
        });
        Self(started.is_ok().then_some(receiver))
    }

    /// Waits until it is done, at most so long; tells whether it is.
    pub fn wait(self, at_most: Duration) -> bool {
        self.0
            .is_none_or(|receiver| receiver.recv_timeout(at_most).is_ok())
    }
}

/// Deletes what killed processes left: half-made worktrees, and half-deleted ones. Returns how many were found. What cannot
/// be deleted is left for the next time.
pub fn sweep(repository: &RepositoryFolder) -> usize {
    for folder in TreeFolder::all(repository) {
        let is_half_made = || !folder.is_ready() && fs::symlink_metadata(folder.tree()).is_ok();
        if is_half_made()
            && !folder.is_held()
            && let Ok(Some(_lock)) = folder.try_lock()
            && is_half_made()
        {
            put_aside(repository, &folder);
        }
    }
    if repository.refuse_link(&repository.trees_path()).is_err() {
        return 0;
    }
    let entries = fs::read_dir(repository.trees_path())
        .into_iter()
        .flatten()
        .flatten();
    let gone = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".gone-"));
    gone.map(|entry| {
        if let Err(error) = remove_tree(&entry.path()) {
            tracing::warn!(%error, "a worktree is not deleted yet");
        }
    })
    .count()
}

/// Deletes the worktrees whose last job is gone, idle ones and what killed workers left.
pub fn release(repository: &RepositoryFolder, is_gone: impl Fn(&JobId) -> bool) {
    for folder in TreeFolder::all(repository) {
        let is_released = || folder.owner().is_some_and(|owner| is_gone(&owner));
        if is_released()
            && !folder.is_held()
            && let Ok(Some(_lock)) = folder.try_lock()
            && is_released()
            && let Some(gone) = put_aside(repository, &folder)
            && let Err(error) = remove_tree(&gone)
        {
            tracing::warn!(%error, "a worktree is not deleted yet");
        }
    }
}

/// Takes a worktree away whose lock the caller holds, and returns what is left to delete. One that cannot be moved stays
/// half made, which nobody takes for anything else.
pub(super) fn put_aside(repository: &RepositoryFolder, folder: &TreeFolder) -> Option<PathBuf> {
    let gone = folder.put_aside(repository).unwrap_or_else(|error| {
        tracing::warn!(%error, "a worktree cannot be put aside");
        None
    });
    if let Err(error) = forget_worktree(&repository.git_path(), &folder.tree()) {
        tracing::warn!(%error, "git's part of a worktree is not deleted");
    }
    gone
}
