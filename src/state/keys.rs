//! Idempotency: one key and one set of arguments is one job, also when two callers come at once.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::fingerprint::sha256_hex;
use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::quarantine;
use crate::state::store::Store;
use crate::sys::{files, seam};

/// Bytes of a key's file that are read: an id and a hash.
const KEY_BYTES: u64 = 4096;

/// A key whose file is locked until this is dropped: nobody else can make a job for it meanwhile.
#[derive(Debug)]
pub struct LockedKey {
    file: File,
    path: PathBuf,
    arguments: String,
    job: Option<JobId>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    job: JobId,
    arguments: String,
}

impl LockedKey {
    /// Locks a key, waiting for another holder, who is at most making a job.
    ///
    /// # Errors
    /// [`StateError::KeyConflict`] when the key stands for other arguments and its job still exists.
    pub fn take(store: &Store, key: &str, arguments: &[u8]) -> Result<Self, StateError> {
        let path = store.folder("keys")?.join(sha256_hex(key.as_bytes()));
        let mut file = open_locked(&path)?;
        let mut text = String::new();
        (&file)
            .take(KEY_BYTES)
            .read_to_string(&mut text)
            .map_err(StateError::io("read", &path))?;
        file.rewind().map_err(StateError::io("read", &path))?;
        let arguments = sha256_hex(arguments);
        let job = stands_for(store, &text, &arguments)?;
        Ok(Self {
            file,
            path,
            arguments,
            job,
        })
    }

    /// Returns the job that a key stands for, without a lock and without making anything: for whoever can spare work that
    /// only a new job needs. That there is none says nothing about the next moment.
    ///
    /// # Errors
    /// Those of [`Self::take`].
    pub fn look(store: &Store, key: &str, arguments: &[u8]) -> Result<Option<JobId>, StateError> {
        let path = store.root().join("keys").join(sha256_hex(key.as_bytes()));
        let mut text = String::new();
        let read = files::open_regular(&path).and_then(|file| file.take(KEY_BYTES).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => {
                read.map_err(StateError::io("read", &path))?;
                stands_for(store, &text, &sha256_hex(arguments))
            }
        }
    }

    /// Returns the job the key stands for.
    pub fn job(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// Lets the key stand for a new job.
    pub fn store(mut self, job: &JobId) -> Result<(), StateError> {
        let stored = Stored {
            job: job.clone(),
            arguments: self.arguments.clone(),
        };
        let bytes = serde_json::to_vec(&stored).map_err(|source| StateError::Damaged {
            path: self.path.clone(),
            source,
        })?;
        self.file
            .set_len(0)
            .and_then(|()| seam::write_all(&mut self.file, &bytes))
            .and_then(|()| files::sync(&self.file))
            .map_err(StateError::io("write", &self.path))
    }
}

/// Finds the job in a key's text, if it is still there.
fn stands_for(store: &Store, text: &str, arguments: &str) -> Result<Option<JobId>, StateError> {
    // A file that was cut short by a crash holds no job: its writer never said that there is one.
    let stored = serde_json::from_str::<Stored>(text).ok();
    // Looked for here first, or one that is moved aside between the two looks would be seen in neither place.
    let here = stored.as_ref().is_some_and(|stored| store.has(&stored.job));
    let aside = stored
        .as_ref()
        .filter(|_| !here)
        .and_then(|stored| quarantine::place_of(store, &stored.job));
    if let Some(path) = aside {
        // Whether it was paid for nobody can tell any more, so the key must not start another one.
        return Err(StateError::Quarantined { path });
    }
    match stored.filter(|_| here) {
        Some(stored) if stored.arguments != arguments => Err(StateError::KeyConflict),
        stored => Ok(stored.map(|stored| stored.job)),
    }
}

/// Opens and locks a key's file. One that was deleted while this waited for the lock is nobody's key any more.
fn open_locked(path: &Path) -> Result<File, StateError> {
    loop {
        let mut options = files::private();
        options.create(true).truncate(false).read(true).write(true);
        let file = files::open_private(&options, path).map_err(StateError::io("write", path))?;
        file.lock().map_err(StateError::io("lock", path))?;
        let about = file.metadata().map_err(StateError::io("read", path))?;
        if !about.is_file() {
            return Err(StateError::io("read", path)(io::ErrorKind::InvalidInput.into()));
        }
        if about.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Deletes a key's file if its job is gone and nobody uses the key now.
pub(super) fn forget_if_free(store: &Store, path: &Path) {
    let Ok(file) = files::open_regular(path) else {
        return;
    };
    if file.try_lock().is_err() {
        return;
    }
    let mut text = String::new();
    if (&file).take(KEY_BYTES).read_to_string(&mut text).is_err() {
        return;
    }
    let job = serde_json::from_str::<Stored>(&text).ok();
    if job.is_none_or(|stored| !store.has(&stored.job) && quarantine::place_of(store, &stored.job).is_none())
    {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;

    #[test]
    fn a_key_stands_for_one_set_of_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        let key = LockedKey::take(&store, "k", b"a").unwrap();
        assert_eq!(key.job(), None);
        let directory = store.directory(&id);
        files::create_private_dir(directory.path()).unwrap();
        std::fs::write(directory.spec_path(), "{}").unwrap();
        key.store(&id).unwrap();
        assert_eq!(LockedKey::take(&store, "k", b"a").unwrap().job(), Some(&id));
        assert!(matches!(
            LockedKey::take(&store, "k", b"b"),
            Err(StateError::KeyConflict)
        ));
        store.delete(&id).unwrap();
        assert_eq!(
            LockedKey::take(&store, "k", b"b").unwrap().job(),
            None,
            "a deleted job frees its key"
        );
    }

    #[test]
    fn a_look_finds_what_a_key_stands_for_and_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        assert_eq!(LockedKey::look(&store, "k", b"a").unwrap(), None);
        assert!(!store.root().join("keys").exists());
        let directory = store.directory(&id);
        files::create_private_dir(directory.path()).unwrap();
        std::fs::write(directory.spec_path(), "{}").unwrap();
        LockedKey::take(&store, "k", b"a").unwrap().store(&id).unwrap();
        // Somebody who has it locked is not waited for.
        let _held = LockedKey::take(&store, "k", b"a").unwrap();
        assert_eq!(LockedKey::look(&store, "k", b"a").unwrap(), Some(id));
        assert!(matches!(
            LockedKey::look(&store, "k", b"b"),
            Err(StateError::KeyConflict)
        ));
    }

    #[test]
    fn a_record_is_looked_for_where_it_was_before_where_it_is_moved_to() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        LockedKey::take(&store, "k", b"a").unwrap().store(&id).unwrap();
        for path in [
            store.directory(&id).path(),
            &quarantine::folder(&store).join(id.as_str()),
        ] {
            files::create_private_dir(path).unwrap();
        }
        // The other way round one that is moved between the two looks is seen in neither place, and paid for twice.
        assert_eq!(LockedKey::take(&store, "k", b"a").unwrap().job(), Some(&id));
    }
}
