//! A task in place: the user's own files, which their configuration allowed the peer to edit.
//!
//! What was there before is what the job started from; what the peer changed is recorded as a landing, so that it can be
//! undone like any other.

use crate::domain::delegation::Delegation;
use crate::domain::job::JobId;
use crate::git::{Collected, Git, GitError, Keep, Oid, Renames, SnapshotOf, Vault};
use crate::run::delegate::{CollectError, worktree};
use crate::state::directory::JobDirectory;
use crate::state::landing::{Adopted, adopt as record};
use crate::state::repositories::RepositoryFolder;
use crate::sys::{clock, files};

/// Reads the user's own files as they are. Blocks.
pub(super) fn read(
    vault: &Vault,
    git: &Git,
    delegation: &Delegation,
    directory: &JobDirectory,
) -> Result<Collected, GitError> {
    let repository = git.discover(&delegation.baseline.top_level)?;
    // Beside the job and not in its folder for temporary files, into which the peer's commands write.
    let scratch = directory.path().join("scratch");
    files::create_private_dir(&scratch).map_err(|source| GitError::File {
        action: "create",
        path: scratch.clone(),
        source,
    })?;
    let taken = vault.snapshot(&repository, &SnapshotOf::WorkingTree, Keep::Objects, &scratch);
    let _ = std::fs::remove_dir_all(&scratch);
    let snapshot = taken?;
    Ok(Collected {
        tree: snapshot.tree,
        left_out: snapshot.left_out,
    })
}

/// Records what a run changed in the user's files, with what was there before. Blocks.
pub(super) fn adopt(
    folder: &RepositoryFolder,
    vault: &Vault,
    delegation: &Delegation,
    job: &JobId,
    tree: &Oid,
) -> Result<(), CollectError> {
    let baseline = &delegation.baseline;
    let changes = vault.changes(&worktree::oid(&baseline.tree)?, tree, Renames::Split)?;
    if changes.is_empty() {
        return Ok(());
    }
    let oids: Vec<&Oid> = changes
        .iter()
        .filter_map(|change| Some(&change.old.as_ref()?.oid))
        .collect();
    let mut blobs = vault.blobs(&oids)?.into_iter();
    let adopted: Vec<Adopted> = changes
        .iter()
        .map(|change| Adopted {
            path: change.path.clone(),
            before: change
                .old
                .as_ref()
                .and_then(|old| Some((old.mode, blobs.next()?))),
        })
        .collect();
    record(folder, &baseline.top_level, job, &adopted, clock::now_ms())?;
    Ok(())
}
