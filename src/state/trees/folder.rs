//! One numbered folder of a worktree, and what the files in it mean.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::domain::job::{JOB_ID_LEN, JobId};
use crate::state::error::StateError;
use crate::state::repositories::RepositoryFolder;
use crate::sys::lock::{self, HeldLock};
use crate::sys::{clock, files};

/// Worktrees of one repository at once: more than can be in use, with those of killed workers that nobody has looked at.
pub(super) const TREES_MAX: usize = 64;
/// Bytes of the small files: an id, a boot.
const NOTE_BYTES: u64 = 1024;
/// Bytes of the list of paths that take no part.
const LINKED_BYTES: u64 = 64 * 1024;

/// The folder of one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeFolder(PathBuf);

impl TreeFolder {
    /// Names the folder of this number, from 1.
    pub(super) fn numbered(repository: &RepositoryFolder, number: usize) -> Self {
        Self(repository.trees_path().join(number.to_string()))
    }

    /// Lists those that exist.
    pub(super) fn all(repository: &RepositoryFolder) -> Vec<Self> {
        if repository.refuse_link(&repository.trees_path()).is_err() {
            return Vec::new();
        }
        (1..=TREES_MAX)
            .map(|number| Self::numbered(repository, number))
            // A link in the place of one is no worktree of ours.
            .filter(|folder| folder.0.symlink_metadata().is_ok_and(|about| about.is_dir()))
            .collect()
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the top of the worktree.
    pub(super) fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    /// Takes its lock, making the folder if it is absent; nothing when somebody else has it.
    pub(super) fn try_lock(&self) -> Result<Option<HeldLock>, StateError> {
        if self.0.symlink_metadata().is_ok_and(|about| about.is_symlink()) {
            return Err(StateError::damaged(&self.0, "a link is in its place"));
        }
        files::create_private_dir(&self.0).map_err(StateError::io("make", &self.0))?;
        let path = self.0.join("lock");
        HeldLock::try_take(&path).map_err(StateError::io("lock", path))
    }

    /// Tells whether somebody holds it. One that cannot be asked counts as held.
    pub(super) fn is_held(&self) -> bool {
        lock::is_held(&self.0.join("lock")).unwrap_or(true)
    }

    /// Returns the job that has or had it.
    pub(super) fn owner(&self) -> Option<JobId> {
        let bytes = files::read_bounded(&self.0.join("owner"), NOTE_BYTES).ok()?;
        std::str::from_utf8(bytes.get(..JOB_ID_LEN)?).ok()?.parse().ok()
    }

    /// Writes down whose it is from now on.
    pub(super) fn set_owner(&self, job: &JobId) -> Result<(), StateError> {
        let path = self.0.join("owner");
        files::write_atomic(&path, format!("{job}\n").as_bytes()).map_err(StateError::io("write", path))
    }

    /// Tells whether it was made to the end.
    pub(super) fn is_ready(&self) -> bool {
        self.0.join("ready").exists()
    }

    /// Tells whether it was made to the end since the machine was started. Git knows a file by its size and times, and after
    /// a power cut those may be on disk without the content.
    pub(super) fn is_ready_since_boot(&self) -> bool {
        let boot = files::read_bounded(&self.0.join("ready"), NOTE_BYTES);
        boot.is_ok_and(|boot| boot == clock::boot_id().as_bytes())
    }

    /// Says that it was made to the end.
    pub(super) fn set_ready(&self) -> Result<(), StateError> {
        let path = self.0.join("ready");
        files::write_atomic(&path, clock::boot_id().as_bytes()).map_err(StateError::io("write", path))
    }

    /// Returns since when nobody needs it; nothing when it was never given back.
    pub(super) fn idle_since(&self) -> Option<SystemTime> {
        fs::symlink_metadata(self.0.join("idle")).ok()?.modified().ok()
    }

    /// Says that its content is kept elsewhere, or worth nothing.
    pub(super) fn set_idle(&self) -> Result<(), StateError> {
        let path = self.0.join("idle");
        files::write_atomic(&path, b"").map_err(StateError::io("write", path))
    }

    /// Says that it is in use.
    pub(super) fn set_busy(&self) -> Result<(), StateError> {
        self.forget_note("idle")
    }

    /// Says that it is half made.
    pub(super) fn set_unready(&self) -> Result<(), StateError> {
        self.forget_note("ready")?;
        self.forget_note("linked")
    }

    /// Returns the paths in it that take no part.
    pub(super) fn linked(&self) -> Vec<Vec<u8>> {
        let bytes = files::read_bounded(&self.0.join("linked"), LINKED_BYTES).unwrap_or_default();
        bytes
            .split(|&byte| byte == 0)
            .filter(|path| !path.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// Remembers the paths in it that take no part.
    pub(super) fn set_linked(&self, paths: &[Vec<u8>]) -> Result<(), StateError> {
        let bytes: Vec<u8> = paths
            .iter()
            .flat_map(|path| [path.as_slice(), b"\0"].concat())
            .collect();
        let path = self.0.join("linked");
        files::write_atomic(&path, &bytes).map_err(StateError::io("write", path))
    }

    /// Renames the worktree to a name under which nobody looks for one, and forgets what was known of it. The caller holds
    /// the lock. Returns where it is now, if there was one.
    pub(super) fn put_aside(&self, repository: &RepositoryFolder) -> Result<Option<PathBuf>, StateError> {
        // In this order: killed half-way, it is half made and not idle.
        self.set_unready()?;
        let number = self.0.file_name().unwrap_or_default().as_bytes();
        let number = String::from_utf8_lossy(number);
        let name = format!(".gone-{number}-{}-{}", clock::now_ms(), std::process::id());
        let (from, to) = (self.tree(), repository.trees_path().join(name));
        let gone = match files::rename(&from, &to) {
            Ok(()) => Some(to),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(StateError::io("rename", from)(error)),
        };
        for name in ["idle", "owner"] {
            self.forget_note(name)?;
        }
        Ok(gone)
    }

    fn forget_note(&self, name: &str) -> Result<(), StateError> {
        let path = self.0.join(name);
        absent_is_fine(fs::remove_file(&path)).map_err(StateError::io("delete", path))
    }
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
