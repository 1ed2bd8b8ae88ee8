//! A worktree in use.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::domain::job::JobId;
use crate::domain::limits;
use crate::git::{GitError, Oid, Vault};
use crate::state::error::StateError;
use crate::state::repositories::RepositoryFolder;
use crate::state::trees::folder::{TREES_MAX, TreeFolder};
use crate::state::trees::removal::{Removal, put_aside};
use crate::sys::lock::HeldLock;
use crate::sys::{files, seam};

/// How long others may take to add theirs, which they do one after the other. Beyond it two add at once, which is slow and
/// nothing worse.
const TURN: Duration = Duration::from_secs(600);
/// Time between two looks whether it is our turn: short beside the seconds that adding takes.
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no worktree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Git could not make it.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The state directory failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A worktree that is ours as long as this lives. Dropping it without giving it back leaves it as a killed worker does.
#[derive(Debug)]
pub struct HeldTree {
    repository: RepositoryFolder,
    folder: TreeFolder,
    /// Whether it still holds what the continued job had left in it, ignored files too.
    pub is_continued: bool,
    lock: HeldLock,
}

/// What a worktree is taken for.
struct Purpose<'a> {
    repository: &'a RepositoryFolder,
    vault: &'a Vault,
    job: &'a JobId,
    start: &'a Oid,
}

impl HeldTree {
    /// Takes a worktree and makes it equal to `start`: the one that `continues` left if nobody took it since, else an idle
    /// one, else a new one. Blocks while others make theirs.
    ///
    /// One that cannot be made equal is removed and another one taken; the error is that of a new one.
    pub fn take(
        repository: &RepositoryFolder,
        vault: &Vault,
        job: &JobId,
        start: &Oid,
        continues: Option<&JobId>,
    ) -> Result<Self, TreeError> {
        let trees = repository.trees_path();
        repository.refuse_link(&trees)?;
        files::create_private_dir(&trees).map_err(StateError::io("make", &trees))?;
        let purpose = Purpose {
            repository,
            vault,
            job,
            start,
        };
        if let Some(held) = continues.and_then(|earlier| purpose.go_on(earlier)) {
            return Ok(held);
        }
        if let Some(held) = purpose.reuse() {
            return Ok(held);
        }
        let turn = wait_for_turn(&trees)?;
        // Who went before may have given one back meanwhile.
        let held = purpose.reuse().map_or_else(|| purpose.add(), Ok);
        drop(turn);
        held
    }

    pub(super) fn of(repository: &RepositoryFolder, folder: TreeFolder, lock: HeldLock) -> Self {
        Self {
            repository: repository.clone(),
            folder,
            is_continued: false,
            lock,
        }
    }

    /// Returns the top of the worktree.
    pub fn path(&self) -> PathBuf {
        self.folder.tree()
    }

    /// Remembers paths in it, relative to its top, that are no part of its content, such as links to what is reused. Who
    /// continues the job compares without them.
    pub fn set_linked(&self, paths: &[Vec<u8>]) -> Result<(), StateError> {
        self.folder.set_linked(paths)
    }

    /// Returns the remembered paths that are no part of its content.
    pub fn linked(&self) -> Vec<Vec<u8>> {
        self.folder.linked()
    }

    /// Gives it back, which declares that its content is kept elsewhere or worth nothing. More than
    /// [`limits::IDLE_TREES`] idle ones are removed, in the background.
    pub fn give_back(self) -> Removal {
        if let Err(error) = self.folder.set_idle() {
            tracing::warn!(%error, "a worktree is not given back");
            return Removal::start(Vec::new());
        }
        seam::point("tree.idle");
        let mut gone = Vec::new();
        for (number, folder) in idle(&self.repository).into_iter().enumerate() {
            if number < limits::IDLE_TREES {
                continue;
            }
            if folder == self.folder {
                gone.extend(put_aside(&self.repository, &folder));
            } else if let Ok(Some(_lock)) = folder.try_lock()
                && folder.idle_since().is_some()
            {
                gone.extend(put_aside(&self.repository, &folder));
            }
        }
        Removal::start(gone)
    }
}

impl Drop for HeldTree {
    /// Lets go at once. A git that another thread starts at this moment has a copy of the descriptor for some milliseconds,
    /// and whoever continues the job would find the worktree held and take another one.
    fn drop(&mut self) {
        self.lock.release();
    }
}

impl Purpose<'_> {
    /// Takes the worktree that an earlier job left, as it is if it still holds what that job's result says.
    fn go_on(&self, earlier: &JobId) -> Option<HeldTree> {
        let is_its =
            |folder: &TreeFolder| folder.owner().as_ref() == Some(earlier) && folder.idle_since().is_some();
        let folder = TreeFolder::all(self.repository).into_iter().find(is_its)?;
        let lock = folder.try_lock().ok().flatten().filter(|_| is_its(&folder))?;
        // Compared before it changes hands: killed meanwhile, it is still the earlier job's.
        if !folder.is_ready_since_boot() || !self.is_at_start(&folder) {
            return self.renew(folder, lock);
        }
        let adopt = || -> Result<(), TreeError> {
            folder.set_owner(self.job)?;
            folder.set_busy()?;
            Ok(self.vault.adopt(&folder.tree(), self.start)?)
        };
        match adopt() {
            Ok(()) => {
                let mut held = HeldTree::of(self.repository, folder, lock);
                held.is_continued = true;
                Some(held)
            }
            Err(error) => {
                self.give_up(&folder, &error);
                None
            }
        }
    }

    fn is_at_start(&self, folder: &TreeFolder) -> bool {
        let start = self.vault.tree_of(self.start);
        let found = self.vault.collect(&folder.tree(), self.start, &folder.linked());
        matches!((start, found), (Ok(start), Ok(found)) if start == found.tree)
    }

    /// Takes an idle worktree, the one that was used last first: its files are the likeliest to be right already.
    fn reuse(&self) -> Option<HeldTree> {
        idle(self.repository).into_iter().find_map(|folder| {
            let lock = folder.try_lock().ok().flatten()?;
            folder.idle_since()?;
            self.renew(folder, lock)
        })
    }

    /// Makes an idle worktree equal to the start, or removes it.
    fn renew(&self, folder: TreeFolder, lock: HeldLock) -> Option<HeldTree> {
        let reset = || -> Result<(), TreeError> {
            if !folder.is_ready_since_boot() {
                let stale = StateError::damaged(folder.path(), "it was made before the machine was started");
                return Err(stale.into());
            }
            // Half made until it is done: a killed git may leave anything.
            folder.set_unready()?;
            folder.set_busy()?;
            folder.set_owner(self.job)?;
            seam::point("tree.renewing");
            self.vault.reset(&folder.tree(), self.start)?;
            seam::point("tree.renewed");
            Ok(folder.set_ready()?)
        };
        match reset() {
            Ok(()) => Some(HeldTree::of(self.repository, folder, lock)),
            Err(error) => {
                self.give_up(&folder, &error);
                None
            }
        }
    }

    fn give_up(&self, folder: &TreeFolder, error: &TreeError) {
        tracing::info!(%error, "a worktree is of no use any more");
        drop(Removal::start(
            put_aside(self.repository, folder).into_iter().collect(),
        ));
    }

    /// Makes a new worktree.
    fn add(&self) -> Result<HeldTree, TreeError> {
        for number in 1..=TREES_MAX {
            let folder = TreeFolder::numbered(self.repository, number);
            let Some(lock) = folder.try_lock()? else { continue };
            if folder.is_ready() {
                // A killed worker's, with what nobody has collected yet.
                continue;
            }
            drop(Removal::start(
                put_aside(self.repository, &folder).into_iter().collect(),
            ));
            if std::fs::symlink_metadata(folder.tree()).is_ok() {
                // It could not be moved, and will not be overwritten either.
                continue;
            }
            return match self.make(&folder) {
                Ok(()) => Ok(HeldTree::of(self.repository, folder, lock)),
                Err(error) => {
                    self.give_up(&folder, &error);
                    Err(error)
                }
            };
        }
        let full = io::Error::other(format!("all {TREES_MAX} worktrees are in use"));
        Err(StateError::io("make", self.repository.trees_path())(full).into())
    }

    fn make(&self, folder: &TreeFolder) -> Result<(), TreeError> {
        folder.set_owner(self.job)?;
        seam::point("tree.owned");
        self.vault.check_out(&folder.tree(), self.start)?;
        seam::point("tree.checked_out");
        Ok(folder.set_ready()?)
    }
}

/// Lists the idle worktrees, the one that was given back last first.
fn idle(repository: &RepositoryFolder) -> Vec<TreeFolder> {
    let mut idle: Vec<_> = TreeFolder::all(repository)
        .into_iter()
        .filter(TreeFolder::is_ready)
        .filter_map(|folder| folder.idle_since().map(|since| (since, folder)))
        .collect();
    idle.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
    idle.into_iter().map(|(_, folder)| folder).collect()
}

/// Waits until nobody else adds a worktree here; nothing when that takes too long.
fn wait_for_turn(trees: &std::path::Path) -> Result<Option<HeldLock>, StateError> {
    let path = trees.join("adding");
    let end = Instant::now() + TURN;
    loop {
        match HeldLock::try_take(&path).map_err(StateError::io("lock", &path))? {
            Some(turn) => return Ok(Some(turn)),
            None if Instant::now() >= end => return Ok(None),
            None => std::thread::sleep(PAUSE),
        }
    }
}
