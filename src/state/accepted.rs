//! What the user of this machine has decided about findings of a repository: hashes of suppressions and of accepted
//! findings that stand in the repository's own files and are not committed yet.
//!
//! A file of the repository alone decides nothing about the change that brings it. The user's own word does, and this is
//! where it is kept: by a hash, so that the entry itself has to stand in the file too, and goes with it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::domain::fingerprint::sha256_hex;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;

/// The folder of these files.
const FOLDER: &str = "accepted";
/// Hexadecimal digits of a repository's name.
const KEY_CHARS: usize = 32;
/// Hashes of one repository; the newest are kept.
const HASHES: usize = 20_000;
/// Bytes of one file: each hash is a line.
const BYTES: u64 = 65 * HASHES as u64;

/// Reads the hashes of a repository, which is known by the git directory that its worktrees share.
pub fn read(store: &Store, common_directory: &Path) -> Result<BTreeSet<String>, StateError> {
    Ok(lines(&path(store, common_directory))?.into_iter().collect())
}

/// Adds hashes. Two that add at once may lose one: then that entry waits until it is committed, or is said again.
pub fn add(store: &Store, common_directory: &Path, hashes: &[String]) -> Result<(), StateError> {
    store.folder(FOLDER)?;
    let path = path(store, common_directory);
    let mut all = lines(&path)?;
    for hash in hashes {
        if !all.contains(hash) {
            all.push(hash.clone());
        }
    }
    let surplus = all.len().saturating_sub(HASHES);
    let text = all[surplus..]
        .iter()
        .flat_map(|hash| [hash, "\n"])
        .collect::<String>();
    files::write_atomic(&path, text.as_bytes()).map_err(StateError::io("write", path))
}

fn lines(path: &Path) -> Result<Vec<String>, StateError> {
    match files::read_bounded(path, BYTES) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StateError::io("read", path)(error)),
    }
}

fn path(store: &Store, common_directory: &Path) -> PathBuf {
    let key = sha256_hex(common_directory.as_os_str().as_encoded_bytes());
    store.root().join(FOLDER).join(&key[..KEY_CHARS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_known_of_that_repository_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let (one, other) = (Path::new("/one/.git"), Path::new("/other/.git"));
        assert!(read(&store, one).unwrap().is_empty());
        add(&store, one, &["a".to_owned(), "b".to_owned()]).unwrap();
        add(&store, one, &["b".to_owned(), "c".to_owned()]).unwrap();
        assert_eq!(read(&store, one).unwrap().into_iter().collect::<String>(), "abc");
        assert!(read(&store, other).unwrap().is_empty());
    }
}
