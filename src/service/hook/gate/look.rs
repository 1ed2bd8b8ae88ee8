//! Looks at the working tree of a session, without touching anything of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::fingerprint::sha256_hex;
use crate::domain::gate::change::{FILES, Look, State};
use crate::git::{self, Git, GitError, Keep, Repository, SnapshotOf};
use crate::service::context::Service;
use crate::service::git_fault::git_fault;
use crate::service::workspace::Workspace;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::sys::files;

/// Bytes of a file that are hashed. Of a larger one its length and time stand for it.
const HASHED_BYTES: u64 = 8 * 1024 * 1024;

/// The working tree of a session.
#[derive(Debug)]
pub(super) struct Place {
    repository: Repository,
    store: Store,
}

/// Finds it; `None` where there is none that may be read whole.
pub(super) async fn find(service: &Service, store: &Store) -> Result<Option<Place>, Fault> {
    let workspace = Workspace::resolve(service, None, &service.config()?)?;
    let Ok(directory) = workspace.readable().map(Path::to_owned) else {
        return Ok(None);
    };
    let (environment, store) = (service.environment().clone(), store.clone());
    blocking(move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        match git.discover(&directory) {
            Ok(repository) => Ok(Some(Place { repository, store })),
            Err(GitError::NotARepository { .. } | GitError::Bare { .. } | GitError::NoWorkingTree { .. }) => {
                Ok(None)
            }
            Err(error) => Err(git_fault(&error)),
        }
    })
    .await
}

impl Place {
    /// Returns its top.
    pub(super) fn top_level(&self) -> &Path {
        self.repository.top_level()
    }

    /// Looks.
    pub(super) async fn look(self) -> Result<Look, Fault> {
        blocking(move || {
            let Self { repository, store } = self;
            let scratch = store.folder("scratch")?;
            let folder = RepositoryFolder::of(&store, repository.common_directory());
            let snapshot = folder.open_vault(&repository).and_then(|vault| {
                vault.snapshot(&repository, &SnapshotOf::WorkingTree, Keep::Nothing, &scratch)
            });
            let snapshot = snapshot.map_err(|error| git_fault(&error))?;
            Ok(Look {
                tree: snapshot.tree.as_str().to_owned(),
                state: State {
                    head: snapshot.head.map(|head| head.as_str().to_owned()),
                    files: hashes(repository.top_level(), &snapshot.uncommitted),
                },
            })
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "looking at the working tree stopped unexpectedly";
        Err(Fault::new(FaultCode::Internal, message))
    })
}

/// Hashes the files that differ from their commit; nothing where they are too many, or one of them cannot be told.
fn hashes(top_level: &Path, paths: &[Vec<u8>]) -> Option<BTreeMap<String, String>> {
    if paths.len() > FILES {
        return None;
    }
    let one = |path: &Vec<u8>| {
        let name = String::from_utf8(path.clone()).ok()?;
        let hash = hash(&top_level.join(PathBuf::from(&name)))?;
        Some((name, hash))
    };
    paths.iter().map(one).collect()
}

fn hash(path: &Path) -> Option<String> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some("gone".to_owned()),
        Err(_) => return None,
    };
    if about.is_symlink() {
        let target = fs::read_link(path).ok()?;
        return Some(format!("link {}", sha256_hex(target.as_os_str().as_bytes())));
    }
    if !about.is_file() {
        return Some("other".to_owned());
    }
    let mode = about.permissions().mode() & 0o111;
    if about.len() > HASHED_BYTES {
        return Some(format!(
            "{mode:o} {} {}.{}",
            about.len(),
            about.mtime(),
            about.mtime_nsec()
        ));
    }
    let bytes = files::read_bounded(path, HASHED_BYTES).ok()?;
    Some(format!("{mode:o} {}", sha256_hex(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_of_a_file_changes_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut seen = vec![hash(&path).unwrap()];
        fs::write(&path, "one").unwrap();
        seen.push(hash(&path).unwrap());
        assert_eq!(hash(&path).as_ref(), seen.last());
        fs::write(&path, "two").unwrap();
        seen.push(hash(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        seen.push(hash(&path).unwrap());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("two", &path).unwrap();
        seen.push(hash(&path).unwrap());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        seen.push(hash(&path).unwrap());
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn many_files_and_odd_names_are_not_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(hashes(dir.path(), &vec![b"a".to_vec(); FILES + 1]), None);
        assert_eq!(hashes(dir.path(), &[b"\xff".to_vec()]), None);
        assert_eq!(hashes(dir.path(), &[b"a".to_vec()]).unwrap()["a"], "gone");
    }
}
