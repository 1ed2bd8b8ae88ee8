//! Advisory locks on whole files. The lock belongs to the open file: it ends when the last descriptor of it is closed,
//! by whatever way its process ends, and travels with the descriptor to a child.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::sys::files;
use crate::sys::seam::{self, Operation};

/// An exclusive lock, held until it is dropped or its process ends.
#[derive(Debug)]
pub struct HeldLock(File);

impl HeldLock {
    /// Takes the lock of a file, made if absent; `None` when somebody else holds it.
    ///
    /// # Errors
    /// Also when the file system knows no locks, which is an error and never "free".
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = files::private();
        options.create(true).truncate(false).read(true).write(true);
        let file = files::open_private(&options, path)?;
        seam::before(Operation::Lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes over a lock that came with an inherited descriptor.
    pub fn inherited(file: File) -> Self {
        Self(file)
    }

    /// Leaves a short word in the file for whoever holds the lock next. It replaces one of the same length.
    pub fn leave_word(&self, word: &str) -> io::Result<()> {
        self.0.write_all_at(word.as_bytes(), 0)
    }

    /// Returns the word that an earlier holder left, at most `bytes` of it.
    pub fn word(&self, bytes: usize) -> io::Result<String> {
        let mut word = vec![0; bytes];
        let read = self.0.read_at(&mut word, 0)?;
        word.truncate(read);
        Ok(String::from_utf8_lossy(&word).into_owned())
    }

    /// Lets go at once. Dropping does so only when no child that was being started at the moment has a copy of the
    /// descriptor any more, which it closes milliseconds later.
    pub fn release(&self) {
        let _ = self.0.unlock();
    }

    /// Returns the open file, to hand the lock to a child.
    pub fn into_file(self) -> File {
        self.0
    }
}

/// A lock that any number may hold at once; it tells others that somebody is there.
#[derive(Debug)]
pub struct SharedLock {
    // Dropping it lets go.
    _file: Option<File>,
}

impl SharedLock {
    /// Takes the lock. Failing is no error: then this holder is not seen.
    pub fn take(path: &Path) -> Self {
        let file = files::open_private(files::private().create(true).truncate(false).write(true), path).ok();
        Self {
            _file: file.filter(|file| file.try_lock_shared().is_ok()),
        }
    }

    /// Tells whether anybody holds the lock.
    pub fn others_hold(path: &Path) -> bool {
        matches!(HeldLock::try_take(path), Ok(None))
    }
}

/// Tells whether somebody holds the exclusive lock of a file. An absent file is free.
///
/// Looking takes a shared lock for a moment, so lookers never see each other.
pub fn is_held(path: &Path) -> io::Result<bool> {
    let file = match files::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    seam::before(Operation::Lock)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!is_held(&path).unwrap());
        let held = HeldLock::try_take(&path).unwrap().unwrap();
        assert!(is_held(&path).unwrap());
        assert!(HeldLock::try_take(&path).unwrap().is_none());
        drop(held);
        assert!(!is_held(&path).unwrap());
    }

    #[test]
    fn shared_holders_see_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("waiting");
        let (one, two) = (SharedLock::take(&path), SharedLock::take(&path));
        assert!(SharedLock::others_hold(&path));
        drop(one);
        assert!(SharedLock::others_hold(&path));
        drop(two);
        assert!(!SharedLock::others_hold(&path));
    }

    #[test]
    fn a_lock_travels_with_its_descriptor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = HeldLock::try_take(&path).unwrap().unwrap().into_file();
        let mut child = std::process::Command::new("cat")
            .arg("-")
            .stdin(std::process::Stdio::piped())
            .stdout(file)
            .spawn()
            .unwrap();
        assert!(is_held(&path).unwrap(), "the child holds it now");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!is_held(&path).unwrap());
    }
}
