//! What a landing does beyond the files it names: which folders go and come, and where new content waits.
//!
//! Looks at the working tree and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;
use std::path::PathBuf;

use crate::state::landing::Node;
use crate::state::landing::journal::{Made, Removed};
use crate::state::landing::node::look_below;
use crate::sys::confined::{Kind, Modified, Top, Way};

/// Where new content comes from.
#[derive(Clone, Debug)]
pub(super) enum Content<'a> {
    /// From memory.
    Bytes(&'a [u8]),
    /// From a file of ours.
    Kept(PathBuf),
}

/// One path to change.
#[derive(Clone, Debug)]
pub(super) struct Target<'a> {
    /// Its path.
    pub path: &'a [u8],
    /// What must be there.
    pub before: Node,
    /// What shall be there: nothing, a file or a link.
    pub after: Node,
    /// The bytes of the file or link; absent when nothing shall be there.
    pub content: Option<Content<'a>>,
    /// Permission bits to give to a file; without them those that git would.
    pub mode: Option<u32>,
    /// A time of change to give to it.
    pub modified: Option<Modified>,
}

/// What happens to folders. The default is what git does.
#[derive(Clone, Debug, Default)]
pub(super) struct Folders {
    /// Those that may go when they become empty; without a list, any.
    pub removable: Option<BTreeSet<Vec<u8>>>,
    /// Permission bits of those that may have to come.
    pub modes: BTreeMap<Vec<u8>, u32>,
}

/// The rest of what a landing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Where the content of each target waits, in the order of the targets.
    pub temporaries: Vec<Vec<u8>>,
    /// Folders that go, deepest first.
    pub removed: Vec<Removed>,
    /// Folders that come, outermost first.
    pub made: Vec<Made>,
}

/// Looks at every target and returns the paths that are not what they must be.
pub(super) fn changed(top: &Top, targets: &[Target<'_>]) -> io::Result<Vec<Vec<u8>>> {
    let deleted = deleted(targets);
    let mut changed = Vec::new();
    for target in targets {
        // What lies behind a file or link that this landing deletes is not there yet.
        let is_behind = ancestors(target.path).any(|folder| deleted.contains(folder));
        let is_possible = match target.before {
            Node::Other => false,
            Node::Folder => target.after != Node::Absent,
            Node::Absent | Node::File { .. } | Node::Link { .. } => true,
        };
        let is_same = if is_behind && target.before == Node::Absent {
            true
        } else {
            let now = look_below(top, target.path)?;
            // Git knows no folders: where a file is to be and a folder is, the plan says whether it goes.
            let is_folder =
                now == Node::Folder && target.before == Node::Absent && target.after != Node::Absent;
            is_folder || (is_possible && now == target.before)
        };
        if !is_same {
            changed.push(target.path.to_vec());
        }
    }
    Ok(changed)
}

/// Decides about folders and places. Paths that stand in each other's way are the error side of the answer: a file where a
/// folder is needed, or a folder with other files where a file is.
pub(super) fn plan(
    top: &Top,
    targets: &[Target<'_>],
    folders: &Folders,
    token: &str,
) -> io::Result<Result<Plan, Vec<Vec<u8>>>> {
    let deleted = deleted(targets);
    let wanted: BTreeSet<&[u8]> = targets
        .iter()
        .filter(|target| target.after != Node::Absent)
        .map(|target| target.path)
        .collect();
    let mut kinds = Kinds {
        top,
        seen: BTreeMap::new(),
    };
    let removed = emptied(top, &deleted, &wanted, folders)?;
    let gone: BTreeSet<&[u8]> = removed.iter().map(|folder| folder.path.as_slice()).collect();
    let mut blocked = Vec::new();
    let mut made = BTreeSet::new();
    let mut temporaries = Vec::with_capacity(targets.len());
    for (number, target) in targets.iter().enumerate() {
        let needs_room = matches!(target.before, Node::Absent | Node::Folder) && target.after != Node::Absent;
        if needs_room && kinds.of(target.path)? == Some(Kind::Folder) && !gone.contains(target.path) {
            blocked.push(target.path.to_vec());
        }
        if target.after != Node::Absent {
            for folder in ancestors(target.path) {
                let is_free = !wanted.contains(folder)
                    && match kinds.of(folder)? {
                        Some(Kind::Folder) => continue,
                        None => true,
                        Some(_) => deleted.contains(folder),
                    };
                if is_free {
                    made.insert(folder.to_vec());
                } else {
                    blocked.push(target.path.to_vec());
                }
            }
        }
        let name = format!(".crosscheck-{token}-{number}");
        let mut at = Vec::new();
        for folder in ancestors(target.path) {
            if kinds.of(folder)? != Some(Kind::Folder) || gone.contains(folder) {
                break;
            }
            at = [folder, b"/"].concat();
        }
        at.extend(name.as_bytes());
        temporaries.push(at);
    }
    if !blocked.is_empty() {
        blocked.dedup();
        return Ok(Err(blocked));
    }
    Ok(Ok(Plan {
        temporaries,
        removed,
        // A folder sorts before what is in it.
        made: made
            .into_iter()
            .map(|path| Made {
                mode: folders.modes.get(&path).copied(),
                path,
            })
            .collect(),
    }))
}

fn deleted<'a>(targets: &[Target<'a>]) -> BTreeSet<&'a [u8]> {
    targets
        .iter()
        .filter(|target| target.after == Node::Absent && target.before != Node::Absent)
        .map(|target| target.path)
        .collect()
}

/// Finds the folders that hold nothing but what is deleted, deepest first.
fn emptied(
    top: &Top,
    deleted: &BTreeSet<&[u8]>,
    wanted: &BTreeSet<&[u8]>,
    folders: &Folders,
) -> io::Result<Vec<Removed>> {
    let mut candidates: Vec<&[u8]> = deleted.iter().flat_map(|path| ancestors(path)).collect();
    candidates.sort_unstable();
    candidates.dedup();
    // A folder sorts before what is in it, so from the end the inner ones come first.
    candidates.reverse();
    let mut gone: BTreeSet<&[u8]> = BTreeSet::new();
    let mut removed = Vec::new();
    for folder in candidates {
        if folders
            .removable
            .as_ref()
            .is_some_and(|only| !only.contains(folder))
        {
            continue;
        }
        let inside = [folder, b"/"].concat();
        let is_needed = wanted
            .range::<[u8], _>((Bound::Included(inside.as_slice()), Bound::Unbounded))
            .next()
            .is_some_and(|path| path.starts_with(&inside));
        let Way::Reached(place) = top.way(folder)? else {
            continue;
        };
        let Some(about) = place.about()?.filter(|about| about.kind == Kind::Folder) else {
            continue;
        };
        let goes = |name: &[u8]| {
            let path = [inside.as_slice(), name].concat();
            deleted.contains(path.as_slice()) || gone.contains(path.as_slice())
        };
        if !is_needed && place.holds_only(goes)? {
            gone.insert(folder);
            removed.push(Removed {
                path: folder.to_vec(),
                mode: about.mode,
            });
        }
    }
    Ok(removed)
}

/// What is at the paths of folders, asked once for each.
struct Kinds<'a> {
    top: &'a Top,
    seen: BTreeMap<Vec<u8>, Option<Kind>>,
}

impl Kinds<'_> {
    fn of(&mut self, folder: &[u8]) -> io::Result<Option<Kind>> {
        if let Some(kind) = self.seen.get(folder) {
            return Ok(*kind);
        }
        let kind = match self.top.way(folder)? {
            Way::Reached(place) => place.about()?.map(|about| about.kind),
            // Behind a link that is not deleted here nothing may be made. One that is deleted is met on the way.
            Way::Missing | Way::Blocked => None,
        };
        self.seen.insert(folder.to_vec(), kind);
        Ok(kind)
    }
}

/// The folders on the way to a path, outermost first, without the top.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(move |(at, _)| &path[..at])
}
