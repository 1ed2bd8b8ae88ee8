//! Locks that a killed git left beside refs of ours.
//!
//! A git that finds a lock waits for it as long as the vault's configuration says, then gives up, and whoever comes later
//! would do the same for ever. A lock that was there before such a wait and is the same one after it has no owner: refs of
//! ours are written in milliseconds. Nothing is ever removed outside a vault.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::git::command::Output;
use crate::git::{GitError, Vault};

/// How git waits for a lock before it gives up, as settings of a vault: several workers set and delete refs at once, and
/// each holds a lock for milliseconds.
pub(super) const WAITS: &str = "\tfilesRefLockTimeout = 10000\n\tpackedRefsTimeout = 10000\n";

/// What git says when somebody else's lock outlasted that.
const IN_THE_WAY: &[u8] = b"File exists";

/// Files that may be in the way of a command, as they were found before it.
#[derive(Debug, PartialEq, Eq)]
struct Locks(Vec<(PathBuf, Identity)>);

/// A file, told from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    inode: u64,
    changed: (i64, i64),
}

impl Vault {
    /// Runs a command that locks these refs. When the lock of a killed git was in its way, removes that and runs it again.
    pub(super) fn run_locking(
        &self,
        refs: &[&str],
        run: impl Fn() -> Result<Output, GitError>,
    ) -> Result<Output, GitError> {
        let before = Locks::of(self.directory(), refs);
        let output = run()?;
        let is_locked = output
            .stderr
            .windows(IN_THE_WAY.len())
            .any(|words| words == IN_THE_WAY);
        if output.is_success() || !is_locked || !before.remove_unchanged()? {
            return Ok(output);
        }
        run()
    }
}

impl Locks {
    /// Looks for the locks of some refs, and for those of all packed ones, which a deletion takes.
    fn of(directory: &Path, refs: &[&str]) -> Self {
        let packed = ["packed-refs.lock", "packed-refs.new"].map(|name| directory.join(name));
        let of_refs = refs.iter().map(|name| directory.join(format!("{name}.lock")));
        let found = of_refs
            .chain(packed)
            .filter_map(|path| Some((Identity::of(&path)?, path)));
        Self(found.map(|(identity, path)| (path, identity)).collect())
    }

    /// Removes those that are still the same. Tells whether there were any.
    fn remove_unchanged(&self) -> Result<bool, GitError> {
        let mut removed = false;
        for (path, identity) in &self.0 {
            if Identity::of(path) == Some(*identity) {
                fs::remove_file(path).map_err(GitError::file("delete", path))?;
                removed = true;
            }
        }
        Ok(removed)
    }
}

impl Identity {
    /// Returns nothing for what is no file.
    fn of(path: &Path) -> Option<Self> {
        let about = fs::symlink_metadata(path).ok()?;
        about.is_file().then(|| Self {
            inode: about.ino(),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_that_stayed_the_same_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::create_dir(place("refs")).unwrap();
        fs::create_dir(place("refs/folder.lock")).unwrap();
        for name in [
            "refs/left.lock",
            "refs/taken.lock",
            "refs/let-go.lock",
            "packed-refs.lock",
        ] {
            fs::write(place(name), "").unwrap();
        }
        let refs = [
            "refs/left",
            "refs/taken",
            "refs/let-go",
            "refs/folder",
            "refs/none",
        ];
        let locks = Locks::of(folder.path(), &refs);
        fs::remove_file(place("refs/let-go.lock")).unwrap();
        fs::write(place("other"), "").unwrap();
        fs::rename(place("other"), place("refs/taken.lock")).unwrap();

        assert!(locks.remove_unchanged().unwrap());

        assert!(!place("refs/left.lock").exists());
        assert!(!place("packed-refs.lock").exists());
        assert!(place("refs/taken.lock").exists());
        assert!(place("refs/folder.lock").exists());
        assert!(!locks.remove_unchanged().unwrap());
    }
}
