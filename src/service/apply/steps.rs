//! What landing would write: each changed place as it is and as it will be, or what is in its way.

use std::collections::BTreeSet;
use std::path::Path;

use crate::diff::text::shown_path;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits::PATCH_BYTES;
use crate::git::{Conflict, GitError, Oid, Renames, TreeChange, Vault};
use crate::service::git_fault::git_fault;
use crate::state::landing::{Node, Step, look};

/// Compares what landing would change with what is really there, and reads what it would write.
///
/// A place that is not as the snapshot says is in the way: an ignored file, one that is changing just now, or one that a
/// sparse checkout left out.
pub(super) fn steps(
    vault: &Vault,
    top: &Path,
    present: &Oid,
    tree: &Oid,
) -> Result<(Vec<Step>, Vec<Conflict>), Fault> {
    let fault = |error: GitError| git_fault(&error);
    let changes = vault.changes(present, tree, Renames::Split).map_err(fault)?;
    let entries = || {
        changes
            .iter()
            .flat_map(|change| [&change.old, &change.new])
            .flatten()
    };
    let oids: Vec<&Oid> = entries().map(|entry| &entry.oid).collect();
    let sizes = vault.sizes(&oids).map_err(fault)?;
    let bytes: u64 = sizes.iter().flatten().sum();
    if bytes > PATCH_BYTES as u64 {
        let paths = changes.iter().flat_map(|change| {
            let both = [&change.old, &change.new].into_iter().flatten();
            both.map(|_| change.path.as_slice())
        });
        let largest = paths.zip(&sizes).max_by_key(|(_, size)| **size);
        return Err(too_large(largest.map_or(&b""[..], |(path, _)| path), bytes));
    }
    let mut blobs = if oids.is_empty() {
        Vec::new()
    } else {
        vault.blobs(&oids).map_err(fault)?
    }
    .into_iter();
    let gone: BTreeSet<&[u8]> = changes
        .iter()
        .filter(|change| change.new.is_none())
        .map(|change| change.path.as_slice())
        .collect();
    let (mut steps, mut conflicts) = (Vec::new(), Vec::new());
    for change in &changes {
        let mut next = |mode: u32| Some((mode, blobs.next()?));
        let old = change.old.as_ref().and_then(|entry| next(entry.mode));
        let after = change.new.as_ref().and_then(|entry| next(entry.mode));
        let expected = old.map_or(Node::Absent, |(mode, bytes)| Node::of(mode, &bytes));
        let found = look(top, &change.path).map_err(|error| unreadable(&change.path, &error))?;
        let behind_gone = folders(&change.path).any(|folder| gone.contains(folder));
        let before = match (&expected, found) {
            // The file or link on the way is deleted by the same landing.
            (Node::Absent, _) if behind_gone => Node::Absent,
            // Whether the folder goes is decided where it lands.
            (Node::Absent, Node::Folder) if holds(&changes, &change.path) => Node::Folder,
            (expected, found) if *expected == found => found,
            (expected, found) => {
                conflicts.push(Conflict {
                    path: change.path.clone(),
                    reason: in_the_way(expected, &found).to_owned(),
                    hunks: Vec::new(),
                });
                continue;
            }
        };
        steps.push(Step {
            path: change.path.clone(),
            before,
            after,
        });
    }
    Ok((steps, conflicts))
}

/// Tells whether a change deletes something in this folder.
fn holds(changes: &[TreeChange], folder: &[u8]) -> bool {
    changes
        .iter()
        .any(|change| change.new.is_none() && folders(&change.path).any(|above| above == folder))
}

fn in_the_way(expected: &Node, found: &Node) -> &'static str {
    match (expected, found) {
        (Node::Absent, Node::Folder) => "a folder is in its place",
        (Node::Absent, Node::Other) => "something that is neither a file nor a folder is in its place",
        (Node::Absent, _) => "a file that git ignores is in its place",
        (_, Node::Absent) => "it is not in the working tree, perhaps because of a sparse checkout",
        _ => "it is changing just now",
    }
}

fn too_large(path: &[u8], bytes: u64) -> Fault {
    let message = format!(
        "the files that would change hold {} MB before and after, and {} MB can land at once; the largest is `{}`",
        bytes / 1024 / 1024,
        PATCH_BYTES / 1024 / 1024,
        shown_path(path)
    );
    Fault::new(FaultCode::InputTooLarge, message)
        .field("files")
        .hint("name some of the other files in files, or let action branch commit the result")
}

fn unreadable(path: &[u8], error: &std::io::Error) -> Fault {
    let message = format!("`{}` cannot be looked at: {error}", shown_path(path));
    Fault::new(FaultCode::ApplyConflict, message).hint("make the file readable, or leave it out of files")
}

/// Returns the folders on the way to a path, from the top down.
pub(super) fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    ends.map(|(at, _)| &path[..at])
}
