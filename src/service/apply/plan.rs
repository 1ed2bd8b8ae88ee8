//! What landing would do to the files as they are now, worked out without changing one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::domain::delegation::{Delegation, Diffstat};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::globs::Globs;
use crate::domain::hazard;
use crate::git::{Conflict, GitError, Keep, Merged, Oid, Renames, SnapshotOf, TreeChange, Vault};
use crate::service::apply::selection::{Selected, Selection, Trees};
use crate::service::apply::steps::{folders, steps};
use crate::service::apply::subject::{Opened, Subject};
use crate::service::git_fault::git_fault;
use crate::state::landing::Step;

/// How a chosen file fits the present files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// The present file is what the peer started from.
    Clean,
    /// The present file has other changes too, and both fit.
    Merged,
    /// They do not fit.
    Conflict,
    /// The present file is what the peer left already.
    Already,
    /// It takes no part.
    Left,
}

impl FileState {
    /// Returns the name in envelopes.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Merged => "merged",
            Self::Conflict => "conflict",
            Self::Already => "already",
            Self::Left => "left_out",
        }
    }
}

/// How the chosen files fit, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// There is nothing to land.
    Nothing,
    /// All of it is in the files already.
    Already,
    /// It fits.
    Clean,
    /// It does not.
    Conflicts,
}

/// Why nothing lands although it would fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Chosen files can never land.
    Refused(Vec<String>),
    /// Chosen files are outside of what the task may change.
    Outside(Vec<String>),
    /// More files are chosen than the task may change.
    TooMany {
        /// The limit.
        limit: u32,
        /// The chosen ones.
        chosen: usize,
    },
    /// Chosen files deserve a look of their own and were not named.
    NeedsNaming(Vec<String>),
}

/// What landing would do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The changed files of the result.
    pub(super) selection: Selection,
    /// How each of them fits, in the same order.
    pub(super) states: Vec<FileState>,
    /// All together.
    pub(super) fit: Fit,
    /// Why it does not land although it would fit.
    pub(super) blocks: Vec<Block>,
    /// What does not fit.
    pub(super) conflicts: Vec<Conflict>,
    /// The size of what would land.
    pub(super) diffstat: Diffstat,
    /// What would be done, path by path.
    pub(super) steps: Vec<Step>,
    /// What the peer started from.
    pub(super) base: Oid,
    /// The result, narrowed to what may land.
    pub(super) result: Oid,
    /// What else the landing writes to: where the user moved a file that the result changes. Sorted; none of them is risky.
    pub(super) elsewhere: Vec<Vec<u8>>,
    /// The conflicts of the choice of files with itself, which are among the conflicts.
    pub(super) displaced: Vec<Conflict>,
}

impl Plan {
    /// Works it out. Blocks; writes into our store and nowhere else.
    pub(super) fn of(subject: &Subject, opened: &Opened, names: &[String]) -> Result<Self, Fault> {
        let fault = |error: GitError| git_fault(&error);
        let Opened {
            repository,
            vault,
            scratch,
        } = opened;
        let work = subject.work().ok_or_else(|| subject.nothing())?;
        let base = oid(&subject.delegation.baseline.tree)?;
        let whole = oid(&work.tree)?;
        let present = vault
            .snapshot(repository, &SnapshotOf::WorkingTree, Keep::Objects, scratch)
            .map_err(fault)?
            .tree;
        let top = repository.top_level();
        let trees = Trees {
            base: &base,
            result: &whole,
            present: &present,
        };
        let links = |path: &[u8]| links_on_the_way(top, path);
        let selection = Selection::of(vault, &trees, &subject.delegation, names, links)?;
        let landing = selection.landing_paths();
        let result = if selection.is_whole() {
            whole.clone()
        } else if landing.is_empty() {
            base.clone()
        } else {
            vault.pick(&base, &whole, &landing).map_err(fault)?
        };
        let wanted = vault.changes(&base, &result, Renames::Split).map_err(fault)?;
        let moved = if present == base {
            Vec::new()
        } else {
            vault.changes(&base, &present, Renames::Split).map_err(fault)?
        };
        let landed = Landed {
            wanted: &wanted,
            moved: &moved,
        };
        let (steps, mut conflicts) = match landed.tree(vault, &base, &present, &result)? {
            Merged::Clean { tree } => steps(vault, top, &present, &tree)?,
            Merged::Conflicts(conflicts) => (Vec::new(), conflicts),
        };
        let elsewhere = elsewhere(&steps, &landing);
        conflicts.extend(
            elsewhere
                .iter()
                .filter_map(|path| unseen(path, &subject.delegation)),
        );
        let displaced = if selection.is_whole() {
            Vec::new()
        } else {
            displaced(&wanted, &landing)
        };
        conflicts.extend(displaced.iter().cloned());
        let states = states(&selection, &landed, &conflicts);
        let fit = if wanted.is_empty() {
            Fit::Nothing
        } else if !conflicts.is_empty() {
            Fit::Conflicts
        } else if steps.is_empty() {
            Fit::Already
        } else {
            Fit::Clean
        };
        Ok(Self {
            blocks: blocks(&selection, subject.delegation.max_files),
            diffstat: diffstat(selection.files.iter().filter(|file| file.can_land())),
            states,
            fit,
            conflicts,
            steps: if fit == Fit::Clean { steps } else { Vec::new() },
            elsewhere: if fit == Fit::Clean { elsewhere } else { Vec::new() },
            displaced,
            base,
            result,
            selection,
        })
    }

    /// Tells whether it can land as it is.
    pub(super) fn can_land(&self) -> bool {
        self.fit == Fit::Clean && self.blocks.is_empty()
    }

    /// Returns the chosen files that can land at all and need no word of their own, as the preview lists them.
    pub(super) fn harmless(&self) -> Vec<&str> {
        self.selection
            .files
            .iter()
            .filter(|file| file.can_land() && file.shown.risk.is_none())
            .map(|file| file.shown.path.as_str())
            .collect()
    }

    /// Returns the chosen files that deserve a look of their own.
    pub(super) fn risky(&self) -> Vec<&Selected> {
        let files = self.selection.files.iter();
        files
            .filter(|file| file.can_land() && file.shown.risk.is_some())
            .collect()
    }

    /// Returns the files that would land.
    pub(super) fn landing(&self) -> Vec<&Selected> {
        self.selection
            .files
            .iter()
            .filter(|file| file.can_land())
            .collect()
    }
}

/// Reads an object id of a record.
pub(super) fn oid(text: &str) -> Result<Oid, Fault> {
    Oid::parse(text).ok_or_else(|| {
        Fault::new(
            FaultCode::StateUnavailable,
            "the job's record holds no valid object id",
        )
    })
}

/// What changed since the peer began: in its worktree, and in the user's files.
struct Landed<'a> {
    wanted: &'a [TreeChange],
    moved: &'a [TreeChange],
}

impl Landed<'_> {
    /// Makes the tree that landing leaves behind. Where nobody else touched a place, it is the peer's to the byte; only
    /// where both did, git merges.
    fn tree(&self, vault: &Vault, base: &Oid, present: &Oid, result: &Oid) -> Result<Merged, Fault> {
        let fault = |error: GitError| git_fault(&error);
        let clean = |tree: &Oid| Ok(Merged::Clean { tree: tree.clone() });
        if self.moved.is_empty() {
            return clean(result);
        }
        if self.wanted.is_empty() {
            return clean(present);
        }
        if self.both_touched() {
            return vault.merge(base, present, result).map_err(fault);
        }
        let paths: Vec<Vec<u8>> = self.wanted.iter().map(|change| change.path.clone()).collect();
        let tree = vault.pick(present, result, &paths).map_err(fault)?;
        Ok(Merged::Clean { tree })
    }

    /// Tells whether some place was changed on both sides: the same path, or one that is a folder of the other.
    fn both_touched(&self) -> bool {
        let places = |changes: &[TreeChange]| -> BTreeSet<Vec<u8>> {
            changes.iter().map(|change| change.path.clone()).collect()
        };
        let (wanted, moved) = (places(self.wanted), places(self.moved));
        let inside = |paths: &BTreeSet<Vec<u8>>, others: &BTreeSet<Vec<u8>>| {
            paths.iter().any(|path| {
                let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
                ends.map(|(at, _)| &path[..at])
                    .chain([path.as_slice()])
                    .any(|place| others.contains(place))
            })
        };
        inside(&wanted, &moved) || inside(&moved, &wanted)
    }
}

/// Says how one path of the result fits.
fn state_of(
    path: &[u8],
    wanted: &BTreeMap<&[u8], &TreeChange>,
    moved: &BTreeMap<&[u8], &TreeChange>,
) -> FileState {
    match (wanted.get(path), moved.get(path)) {
        (None, _) => FileState::Left,
        (Some(_), None) => FileState::Clean,
        (Some(wanted), Some(moved)) if wanted.new == moved.new => FileState::Already,
        (Some(_), Some(_)) => FileState::Merged,
    }
}

/// Lists where a landing writes that is none of the chosen files: a merge follows a file that the user renamed.
fn elsewhere(steps: &[Step], chosen: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let chosen: BTreeSet<&[u8]> = chosen.iter().map(Vec::as_slice).collect();
    let others = steps.iter().filter(|step| !chosen.contains(step.path.as_slice()));
    others.map(|step| step.path.clone()).collect()
}

/// The conflicts of files that were not chosen and that go all the same, because a chosen one is in a folder of their name or
/// is such a folder.
fn displaced(wanted: &[TreeChange], chosen: &[Vec<u8>]) -> Vec<Conflict> {
    let chosen: BTreeSet<&[u8]> = chosen.iter().map(Vec::as_slice).collect();
    let others = wanted
        .iter()
        .filter(|change| !chosen.contains(change.path.as_slice()));
    others
        .map(|change| Conflict {
            path: change.path.clone(),
            reason: "a chosen file takes its place, and it was not chosen itself".to_owned(),
            hunks: Vec::new(),
        })
        .collect()
}

/// The conflict of a place that nobody chose and that the task may not change, or only by its name.
fn unseen(path: &[u8], delegation: &Delegation) -> Option<Conflict> {
    let is_allowed = Globs::new(&delegation.allowed_paths).is_ok_and(|globs| globs.fit(path));
    let reason = match hazard::risk(path) {
        Some(_) => "a file was renamed to it that the result changes, and it is high-risk",
        None if !is_allowed => {
            "a file was renamed to it that the result changes, and it is outside of allowed_paths"
        }
        None => return None,
    };
    Some(Conflict {
        path: path.to_vec(),
        reason: reason.to_owned(),
        hunks: Vec::new(),
    })
}

/// Returns the links on the way to a path, in the files as they are. Ignored ones are in no snapshot.
fn links_on_the_way(top: &Path, path: &[u8]) -> Vec<Vec<u8>> {
    folders(path)
        .filter(|folder| {
            let place = top.join(std::ffi::OsStr::from_bytes(folder));
            fs::symlink_metadata(place).is_ok_and(|about| about.is_symlink())
        })
        .map(<[u8]>::to_vec)
        .collect()
}

fn by_path(changes: &[TreeChange]) -> BTreeMap<&[u8], &TreeChange> {
    changes
        .iter()
        .map(|change| (change.path.as_slice(), change))
        .collect()
}

fn states(selection: &Selection, landed: &Landed<'_>, conflicts: &[Conflict]) -> Vec<FileState> {
    let wanted = by_path(landed.wanted);
    let moved = by_path(landed.moved);
    let in_conflict: BTreeSet<&[u8]> = conflicts
        .iter()
        .map(|conflict| conflict.path.as_slice())
        .collect();
    let state = |file: &Selected| {
        if !file.can_land() {
            FileState::Left
        } else if file.paths().any(|path| in_conflict.contains(path)) {
            FileState::Conflict
        } else {
            state_of(&file.change.path, &wanted, &moved)
        }
    };
    selection.files.iter().map(state).collect()
}

fn blocks(selection: &Selection, max_files: Option<u32>) -> Vec<Block> {
    let chosen = || selection.files.iter().filter(|file| file.is_chosen);
    let names = |files: Vec<&Selected>| -> Vec<String> {
        files.into_iter().map(|file| file.shown.path.clone()).collect()
    };
    let refused = names(chosen().filter(|file| file.shown.refused.is_some()).collect());
    let outside = names(chosen().filter(|file| file.is_outside).collect());
    let risky = chosen().filter(|file| file.can_land() && file.shown.risk.is_some());
    let unnamed = names(risky.filter(|_| !selection.is_named).collect());
    let count = chosen().count();
    let too_many = max_files.filter(|limit| count > usize::try_from(*limit).unwrap_or(usize::MAX));
    let lists = [
        (refused, Block::Refused as fn(Vec<String>) -> Block),
        (outside, Block::Outside),
        (unnamed, Block::NeedsNaming),
    ];
    lists
        .into_iter()
        .filter(|(files, _)| !files.is_empty())
        .map(|(files, block)| block(files))
        .chain(too_many.map(|limit| Block::TooMany { limit, chosen: count }))
        .collect()
}

fn diffstat<'a>(files: impl Iterator<Item = &'a Selected>) -> Diffstat {
    files.fold(Diffstat::default(), |mut size, file| {
        size.files += 1;
        match file.change.lines {
            Some((added, removed)) => {
                size.added += added;
                size.removed += removed;
            }
            None => size.binary += 1,
        }
        size
    })
}
