//! Where changes are, when the scope that was asked for has none.

use crate::git::command::{DIFF, LIST};
use crate::git::private::Private;
use crate::git::untracked::{list_untracked, names};
use crate::git::{GitError, Head, Repository};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Changes of a repository outside an empty scope, all paths counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Files that differ between `HEAD` and the index.
    pub staged: u32,
    /// Files that differ between the index and the working tree.
    pub unstaged: u32,
    /// Files that git does not track and does not ignore.
    pub untracked: u32,
    /// Commits of the branch that its base does not have.
    pub ahead_of_base: Option<Ahead>,
    /// Other worktrees of the repository in which something differs from their `HEAD`, at most
    /// [`OTHER_WORKTREES`] looked at.
    pub worktrees: Vec<OtherWorktree>,
}

/// Other worktrees that are looked at; each costs some ten git processes.
pub const OTHER_WORKTREES: usize = 8;

/// Bytes of a worktree's `gitdir` file, which holds one path.
const GITDIR_BYTES: usize = 8192;

/// A branch that is ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The base's name, such as `origin/main`.
    pub base: String,
    /// The commits.
    pub commits: u32,
}

/// Another worktree with changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherWorktree {
    /// The top of its working tree.
    pub path: PathBuf,
    /// Its branch; nothing when `HEAD` is detached.
    pub branch: Option<String>,
    /// Files that differ from its `HEAD`, untracked ones included.
    pub changed: u32,
}

impl Repository {
    /// Counts changes everywhere but in other repositories.
    pub(super) fn elsewhere(&self, private: &Private, scratch: &Path) -> Result<Elsewhere, GitError> {
        Ok(Elsewhere {
            staged: private.count_changed(&[OsStr::new("--cached"), &self.head_tree()])?,
            unstaged: private.count_changed(&[])?,
            untracked: count(list_untracked(private, &[])?.paths.len()),
            ahead_of_base: self.ahead(private)?,
            worktrees: self.other_worktrees(scratch),
        })
    }

    /// Returns what `HEAD` is compared by: its commit, or the empty tree.
    pub(super) fn head_tree(&self) -> OsString {
        match self.head() {
            Head::Born { oid, .. } => oid.as_str().into(),
            Head::Unborn { .. } => self.object_format().empty_tree().into(),
        }
    }

    fn ahead(&self, private: &Private) -> Result<Option<Ahead>, GitError> {
        let branch = match self.branch(private, None, None) {
            Ok(branch) => branch,
            // Without a base nothing is ahead of it.
            Err(GitError::NoBase { .. } | GitError::NoMergeBase { .. } | GitError::NoCommitYet) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let output = private
            .command("rev-list")
            .args(["--count", &format!("{}..{}", branch.base, branch.head)])
            .run_ok(&LIST)?;
        let commits = String::from_utf8_lossy(&output)
            .trim()
            .parse()
            .map_err(|_| GitError::Output { command: "rev-list" })?;
        Ok((commits > 0).then_some(Ahead {
            base: branch.base_name,
            commits,
        }))
    }

    /// Looks into the other worktrees. One that cannot be read is not listed: it may be gone, or on another machine.
    fn other_worktrees(&self, scratch: &Path) -> Vec<OtherWorktree> {
        let mut tops = Vec::new();
        // The main working tree stands above the common directory, if it is named `.git`.
        if self.common_directory().file_name() == Some(OsStr::new(".git")) {
            tops.extend(self.common_directory().parent().map(Path::to_owned));
        }
        let mut linked: Vec<PathBuf> = fs::read_dir(self.common_directory().join("worktrees"))
            .into_iter()
            .flatten()
            .filter_map(|entry| read_top(&entry.ok()?.path()))
            .collect();
        linked.sort();
        tops.extend(linked);
        tops.retain(|top| top != self.top_level());
        tops.iter()
            .take(OTHER_WORKTREES)
            .filter_map(|top| self.look_into(top, scratch))
            .collect()
    }

    fn look_into(&self, top: &Path, scratch: &Path) -> Option<OtherWorktree> {
        let other = self.git.discover(top).ok()?;
        // The list of worktrees is a repository's word; only one that belongs to it is looked at.
        if other.common_directory() != self.common_directory() || other.top_level() == self.top_level() {
            return None;
        }
        let private = Private::create(&other, scratch).ok()?;
        let tracked = private.count_changed(&[&other.head_tree()]).ok()?;
        let untracked = count(list_untracked(&private, &[]).ok()?.paths.len());
        let changed = tracked.saturating_add(untracked);
        let branch = match other.head() {
            Head::Born { branch, .. } | Head::Unborn { branch } => branch.clone(),
        };
        (changed > 0).then(|| OtherWorktree {
            path: other.top_level().to_owned(),
            branch,
            changed,
        })
    }
}

impl Private {
    /// Counts the files that differ.
    fn count_changed(&self, ends: &[&OsStr]) -> Result<u32, GitError> {
        let output = self
            .command("diff")
            .args(["--name-only", "-z", "--no-ext-diff", "--no-textconv"])
            .args(["--no-renames", "--ignore-submodules=dirty"])
            .args(ends)
            .args(["--"])
            .run(&DIFF)?;
        if output.is_success() {
            Ok(count(names(&output.stdout).len()))
        } else {
            Err(self.explain("diff", &output))
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Reads where a linked worktree lies from its entry in the common directory.
fn read_top(entry: &Path) -> Option<PathBuf> {
    let file = entry.join("gitdir");
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let bytes = fs::read(&file).ok().filter(|bytes| bytes.len() <= GITDIR_BYTES)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    // The path is relative to the entry since git 2.48, when so configured.
    let git_file = entry.join(OsStr::from_bytes(line));
    git_file.parent()?.canonicalize().ok()
}
