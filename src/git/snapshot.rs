//! The user's working tree as a tree of ours, byte for byte, without touching anything of the user's.
//!
//! The user's index is copied with its time, the user's git is asked what differs, and only those files are hashed, and
//! the files whose stored form is not their own. Nothing is run inside submodules, and no filter runs.

use crate::git::command::CHECKOUT;
use crate::git::listed::Listed;
use crate::git::private::Private;
use crate::git::raw_diff::GITLINK;
use crate::git::raw_index::RawIndex;
use crate::git::room::Room;
use crate::git::untracked::names;
use crate::git::working_tree::{Found, Others, WorkingTree, look};
use crate::git::{GitError, Head, Oid, Repository, Vault};
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotOf {
    /// The files as they are: staged, unstaged and untracked ones, without the ignored.
    WorkingTree,
    /// A commit. For the one that is checked out, unchanged files have the bytes that they have in the working tree. The
    /// files of any other have the form in which they are stored: ends of lines and the like are not converted.
    Commit(Oid),
}

/// Whether the objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the vault.
    Objects,
    /// Not at all: for a look, which leaves nothing on disk. The ids are those that a kept one would have.
    Nothing,
}

/// A tree with the facts that say what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree, raw bytes.
    pub tree: Oid,
    /// A commit of ours over it, whose parent is `head`; absent when nothing was kept.
    pub commit: Option<Oid>,
    /// The user's commit it counts from; absent where there is none yet.
    pub head: Option<Oid>,
    /// Paths that differ from `head` as git tells it to the user: staged, unstaged, untracked, each once, sorted. A commit
    /// has none.
    pub uncommitted: Vec<Vec<u8>>,
    /// Files in the tree, symlinks included.
    pub files: u64,
    /// What lies in the working tree and is no part of the snapshot, sorted: submodules and repositories inside this one,
    /// tracked paths that are neither file nor link now, folders that cannot be read, names that git refuses, and what is
    /// too large, which stays as it was staged.
    pub left_out: Vec<Vec<u8>>,
}

/// Times that a snapshot is tried while files come and go under it.
const TRIES: u32 = 3;

/// The message of the commit over a snapshot.
const MESSAGE: &str = "The files as they were\n";

/// A snapshot without its commit.
struct Taken {
    tree: Oid,
    uncommitted: Vec<Vec<u8>>,
    files: u64,
    left_out: BTreeSet<Vec<u8>>,
}

/// Files to take into the index, and why.
#[derive(Default)]
struct Work<'a> {
    /// To be read as they are now.
    taken: Vec<&'a [u8]>,
    /// To be read although the index calls them unchanged.
    forgotten: Vec<&'a Listed>,
    /// To be taken out.
    removed: Vec<&'a [u8]>,
    left_out: BTreeSet<Vec<u8>>,
}

impl Vault {
    /// Takes a snapshot. `scratch` is a folder of ours for what is deleted again.
    ///
    /// A file that is written meanwhile is taken in one of its states or between two of them, as with any reader.
    pub fn snapshot(
        &self,
        repository: &Repository,
        of: &SnapshotOf,
        keep: Keep,
        scratch: &Path,
    ) -> Result<Snapshot, GitError> {
        let head = match repository.head() {
            Head::Born { oid, .. } => Some(oid.clone()),
            Head::Unborn { .. } => None,
        };
        let (taken, head) = match of {
            SnapshotOf::WorkingTree => (retried(|| self.take_files(repository, keep, scratch))?, head),
            SnapshotOf::Commit(oid) if Some(oid) == head.as_ref() => {
                (retried(|| self.take_head(repository, oid, keep, scratch))?, head)
            }
            SnapshotOf::Commit(oid) => (self.take_stored(oid)?, Some(oid.clone())),
        };
        let commit = match keep {
            Keep::Objects => {
                let parents: Vec<&Oid> = head.iter().collect();
                Some(self.commit(&taken.tree, &parents, MESSAGE)?)
            }
            Keep::Nothing => None,
        };
        Ok(Snapshot {
            tree: taken.tree,
            commit,
            head,
            uncommitted: taken.uncommitted,
            files: taken.files,
            left_out: taken.left_out.into_iter().collect(),
        })
    }

    fn take_files(&self, repository: &Repository, keep: Keep, scratch: &Path) -> Result<Taken, GitError> {
        let private = Private::create(repository, scratch)?;
        let raw = RawIndex::create(&private, repository, self, keep)?;
        let found = WorkingTree::read(repository, &private, &raw, Others::Listed)?;
        let work = plan(&private, &found)?;
        raw.forget(&work.forgotten, &work.removed)?;
        raw.take(&work.taken)
            .map_err(|error| name_unreadable(private.work_tree(), &work.taken, error))?;
        let mut left_out = work.left_out;
        left_out.extend(found.closed.iter().cloned());
        let is_changed = !(work.taken.is_empty() && work.removed.is_empty());
        let relisted = if is_changed { Some(raw.list()?) } else { None };
        if let Some(entries) = &relisted {
            // Git leaves out, without an error, names such as `git~1` that are dangerous on other systems.
            let listed: BTreeSet<&[u8]> = entries.iter().map(|entry| entry.path.as_slice()).collect();
            let refused = work.taken.iter().filter(|path| !listed.contains(**path));
            for path in refused {
                if look(private.work_tree(), path)? != Found::Nothing {
                    left_out.insert(path.to_vec());
                }
            }
        }
        let entries = relisted.as_ref().unwrap_or(&found.entries);
        let (files, gitlinks) = count(entries.iter().map(|entry| (entry.mode, entry.path.as_slice())));
        left_out.extend(gitlinks);
        Ok(Taken {
            tree: raw.write_tree()?,
            uncommitted: found.uncommitted(&private)?,
            files,
            left_out,
        })
    }

    /// Takes the commit that is checked out, with the bytes that its unchanged files have in the working tree.
    fn take_head(
        &self,
        repository: &Repository,
        head: &Oid,
        keep: Keep,
        scratch: &Path,
    ) -> Result<Taken, GitError> {
        let private = Private::create(repository, scratch)?;
        let raw = RawIndex::create(&private, repository, self, keep)?;
        let found = WorkingTree::read(repository, &private, &raw, Others::Ignored)?;
        let differing: BTreeSet<&[u8]> = found
            .changed
            .iter()
            .chain(&found.staged)
            .map(|record| record.path.as_slice())
            .collect();
        let unchanged = found.entries.iter().filter(|entry| {
            !entry.is_unmerged
                && !entry.is_skipped
                && !entry.is_assumed
                && !differing.contains(entry.path.as_slice())
        });
        let converted = found.conversions.list(&private, unchanged)?;
        if converted.is_empty() {
            return self.take_stored(head);
        }
        raw.become_commit(head)?;
        raw.forget(&converted, &[])?;
        let paths: Vec<&[u8]> = converted.iter().map(|entry| entry.path.as_slice()).collect();
        // A file that is gone by now would leave the commit; as it is stored it stays.
        let mut present = Vec::with_capacity(paths.len());
        for path in paths {
            if look(private.work_tree(), path)? == Found::File {
                present.push(path);
            }
        }
        raw.take(&present)
            .map_err(|error| name_unreadable(private.work_tree(), &present, error))?;
        let entries = raw.list()?;
        let (files, gitlinks) = count(entries.iter().map(|entry| (entry.mode, entry.path.as_slice())));
        Ok(Taken {
            tree: raw.write_tree()?,
            uncommitted: Vec::new(),
            files,
            left_out: gitlinks,
        })
    }

    /// Takes a commit as it is stored.
    fn take_stored(&self, commit: &Oid) -> Result<Taken, GitError> {
        let tree = self.tree_of(commit)?;
        let output = self
            .command("ls-tree")
            .args(["-r", "-z", "--full-tree", tree.as_str()])
            .run(&CHECKOUT)?;
        self.expect("ls-tree", &output)?;
        let broken = || GitError::Output { command: "ls-tree" };
        let mut entries = Vec::new();
        for record in names(&output.stdout) {
            let tab = record.iter().position(|&byte| byte == b'\t');
            let mode = record.get(..6).and_then(|mode| std::str::from_utf8(mode).ok());
            let mode = mode.and_then(|mode| u32::from_str_radix(mode, 8).ok());
            entries.push((mode.ok_or_else(broken)?, &record[tab.ok_or_else(broken)? + 1..]));
        }
        let (files, left_out) = count(entries.into_iter());
        Ok(Taken {
            tree,
            uncommitted: Vec::new(),
            files,
            left_out,
        })
    }
}

/// Tries again while files come and go: git gives up when one vanishes, or a folder becomes a link, between its looks at it.
fn retried(take: impl Fn() -> Result<Taken, GitError>) -> Result<Taken, GitError> {
    let mut tries = 1;
    loop {
        match take() {
            Err(GitError::Failed { .. }) if tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

/// Decides what to read. Everything that git calls changed is looked at again, because only what is there now counts.
fn plan<'a>(private: &Private, found: &'a WorkingTree) -> Result<Work<'a>, GitError> {
    let top = private.work_tree();
    let mut work = Work::default();
    let changed: BTreeSet<&[u8]> = found
        .changed
        .iter()
        .map(|record| record.path.as_slice())
        .collect();
    let assumed = found
        .entries
        .iter()
        .filter(|entry| entry.is_assumed && !entry.is_skipped && !entry.is_gitlink());
    let unchanged = found.entries.iter().filter(|entry| {
        !entry.is_unmerged
            && !entry.is_skipped
            && !entry.is_assumed
            && !changed.contains(entry.path.as_slice())
    });
    let unvouched: Vec<&Listed> = assumed
        .chain(found.conversions.list(private, unchanged)?)
        .collect();
    let mut tracked = changed;
    tracked.extend(unvouched.iter().map(|entry| entry.path.as_slice()));
    let mut room = Room::below(top);
    for &path in &tracked {
        match look(top, path)? {
            // It stays as it was staged.
            Found::File if !room.take(path) => {
                work.left_out.insert(path.to_vec());
            }
            Found::File | Found::Link => work.taken.push(path),
            Found::Folder | Found::Nothing => work.removed.push(path),
            Found::Special => {
                work.removed.push(path);
                work.left_out.insert(path.to_vec());
            }
        }
    }
    let taken: BTreeSet<&[u8]> = work.taken.iter().copied().collect();
    work.forgotten = unvouched;
    work.forgotten
        .retain(|entry| taken.contains(entry.path.as_slice()));
    // A repository of its own that took the place of a tracked file.
    let nested = found.changed.iter().filter(|record| record.new_mode == GITLINK);
    work.left_out.extend(nested.map(|record| record.path.clone()));
    for path in &found.untracked {
        match look(top, path)? {
            Found::File if !room.take(path) => {
                work.left_out.insert(path.clone());
            }
            Found::File | Found::Link => work.taken.push(path),
            Found::Folder | Found::Nothing => {}
            Found::Special => {
                work.left_out.insert(path.clone());
            }
        }
    }
    Ok(work)
}

/// Counts files, and lists what is none of this repository's.
fn count<'a>(entries: impl Iterator<Item = (u32, &'a [u8])>) -> (u64, BTreeSet<Vec<u8>>) {
    let mut files = 0;
    let mut gitlinks = BTreeSet::new();
    for (mode, path) in entries {
        if mode == GITLINK {
            gitlinks.insert(path.to_vec());
        } else {
            files += 1;
        }
    }
    (files, gitlinks)
}

/// Makes the error name the file that may not be read, if that is why.
fn name_unreadable(top: &Path, paths: &[&[u8]], error: GitError) -> GitError {
    if !matches!(error, GitError::Failed { .. }) {
        return error;
    }
    // Not blocking, in case one of them is a FIFO by now.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    for path in paths {
        let file = top.join(OsStr::from_bytes(path));
        if let Err(why @ (rustix::io::Errno::ACCESS | rustix::io::Errno::PERM)) =
            rustix::fs::open(&file, flags, Mode::empty())
        {
            return GitError::file("read", file)(why.into());
        }
    }
    error
}
