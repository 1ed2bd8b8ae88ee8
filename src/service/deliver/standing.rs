//! Whether the result of a delegate fits the user's files as they are now, as far as a quick look can tell.
//!
//! It never merges: whether a result conflicts is told by the preview of apply. Here it is only seen whether anybody touched
//! the files that it changes.

use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;

use crate::domain::delegation::{Delegation, Place, Work};
use crate::git::{self, Git, Oid, Renames, TreeEntry};
use crate::service::context::Service;
use crate::state::directory::Job;
use crate::state::record::{Expects, ResultRecord};
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::sys::files;

/// Bytes of the user's files that are read for it; beyond them nobody knows before the preview.
const READ_BYTES: u64 = 16 * 1024 * 1024;
/// Changed files that are looked at.
const LOOKED_AT: usize = 1000;
/// The bits of git's mode that say what kind of entry it is, and those of files and links.
const LINK: u32 = 0o120_000;
const PLAIN: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;

/// Whether a result fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// The files that it changes are as they were when it was made.
    Clean,
    /// Some are not, or nobody looked; the preview tells.
    Unknown,
}

/// Looks, on a thread that may block. `None` for a job that has nothing to land.
pub async fn look(service: &Service, store: &Store, job: &Job, result: &ResultRecord) -> Option<Applies> {
    let (Expects::Delegate { delegation }, Some(work)) = (&job.spec.expects, &result.work) else {
        return None;
    };
    if delegation.place == Place::Live || work.is_empty() {
        return None;
    }
    let folder = RepositoryFolder::of(store, &delegation.baseline.common_directory);
    let (environment, delegation) = (service.environment().clone(), delegation.clone());
    let work = work.clone();
    let looking = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).ok()?;
        is_untouched(&git, &folder, &delegation, &work)
    };
    let untouched = tokio::task::spawn_blocking(looking).await.ok().flatten();
    Some(if untouched == Some(true) {
        Applies::Clean
    } else {
        Applies::Unknown
    })
}

/// Tells whether every changed path is as the peer found it; `None` where that cannot be told.
fn is_untouched(git: &Git, folder: &RepositoryFolder, delegation: &Delegation, work: &Work) -> Option<bool> {
    let vault = folder.vault(git).ok()?;
    let (base, result) = (Oid::parse(&delegation.baseline.tree)?, Oid::parse(&work.tree)?);
    let changes = vault.changes(&base, &result, Renames::Split).ok()?;
    if changes.len() > LOOKED_AT {
        return None;
    }
    let before: Vec<(&[u8], &TreeEntry)> = changes
        .iter()
        .filter_map(|change| Some((change.path.as_slice(), change.old.as_ref()?)))
        .collect();
    let oids: Vec<&Oid> = before.iter().map(|(_, entry)| &entry.oid).collect();
    let top = &delegation.baseline.top_level;
    let at = |path: &[u8]| top.join(std::ffi::OsStr::from_bytes(path));
    let sizes = before
        .iter()
        .filter_map(|(path, _)| at(path).symlink_metadata().ok());
    if sizes.map(|found| found.len()).fold(0, u64::saturating_add) > READ_BYTES {
        return None;
    }
    let blobs = vault.blobs(&oids).ok()?;
    let new = changes.iter().filter(|change| change.old.is_none());
    let are_absent = new
        .map(|change| at(&change.path).symlink_metadata())
        .all(|found| found.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    let are_equal = before
        .iter()
        .zip(&blobs)
        .all(|((path, entry), blob)| is_equal(&at(path), entry.mode, blob));
    Some(are_absent && are_equal)
}

/// Tells whether what is at a path has this mode and these bytes.
fn is_equal(path: &Path, mode: u32, bytes: &[u8]) -> bool {
    let Ok(found) = path.symlink_metadata() else {
        return false;
    };
    match mode {
        LINK => {
            found.is_symlink()
                && path
                    .read_link()
                    .is_ok_and(|target| target.into_os_string().into_vec() == bytes)
        }
        PLAIN | EXECUTABLE => {
            found.is_file()
                && (found.permissions().mode() & 0o100 != 0) == (mode == EXECUTABLE)
                && files::read_bounded(path, READ_BYTES).is_ok_and(|present| present == bytes)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_equal_in_bytes_and_in_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "text\r\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("a", &link).unwrap();
        let check = |path: &Path, mode, bytes: &[u8], expected| {
            assert_eq!(is_equal(path, mode, bytes), expected, "{mode:o} {bytes:?}");
        };
        check(&path, PLAIN, b"text\r\n", true);
        check(&path, PLAIN, b"text\n", false);
        check(&path, EXECUTABLE, b"text\r\n", false);
        check(&path, LINK, b"text\r\n", false);
        check(&link, LINK, b"a", true);
        check(&link, PLAIN, b"text\r\n", false);
        check(&dir.path().join("absent"), PLAIN, b"", false);
    }
}
