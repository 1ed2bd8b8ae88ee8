//! Tracked files of the working tree that have become too large to be read: git hashes each file that it shows as changed,
//! and a terabyte that is nothing but a hole takes it hours.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::diff::parse::Entry;
use crate::diff::patch::{ChangeKind, Content, FilePatch};
use crate::domain::limits::FILE_BYTES;
use crate::git::GitError;
use crate::git::command::LIST;
use crate::git::private::Private;

/// What is asked for the names alone. Files of another size than the index knows are not opened for it.
pub(super) const NAME_ARGUMENTS: [&str; 7] = [
    "--name-only",
    "-z",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=dirty",
    "--no-relative",
];

/// Finds them among the paths that may differ, and lets git take them as the index has them from here on. Returns each as an
/// entry without lines. `named` asks which of some paths do differ.
pub(super) fn set_aside<'a>(
    private: &Private,
    paths: impl Iterator<Item = &'a [u8]>,
    named: impl FnOnce(&[OsString]) -> Result<Vec<u8>, GitError>,
) -> Result<Vec<Entry>, GitError> {
    let mut large = BTreeMap::new();
    for path in paths {
        let found = private
            .work_tree()
            .join(OsStr::from_bytes(path))
            .symlink_metadata();
        let Ok(about) = found.map(|about| (about.is_file(), about.len())) else {
            continue;
        };
        if let (true, bytes @ FILE_BYTES..) = about {
            large.insert(OsStr::from_bytes(path).to_owned(), bytes);
        }
    }
    if large.is_empty() {
        return Ok(Vec::new());
    }
    // One whose times alone changed is no part of the change.
    let asked: Vec<OsString> = large.keys().cloned().collect();
    let different = named(&asked)?;
    let mut entries = Vec::new();
    for path in different.split(|byte| *byte == 0) {
        if let Some(bytes) = large.remove(OsStr::from_bytes(path)) {
            entries.push(entry(path, bytes));
        }
    }
    if !entries.is_empty() {
        private
            .command("update-index")
            .args(["--skip-worktree", "-z", "--stdin"])
            .stdin(different)
            .run_ok(&LIST)?;
    }
    Ok(entries)
}

fn entry(path: &[u8], bytes: u64) -> Entry {
    // Git writes zeros for what it has not hashed.
    let unknown = "0".repeat(40);
    Entry {
        file: FilePatch {
            old_path: path.to_vec(),
            new_path: path.to_vec(),
            kind: ChangeKind::Modified,
            old_mode: None,
            new_mode: None,
            untracked: false,
            content: Content::TooLarge { bytes },
        },
        old_oid: unknown.clone(),
        new_oid: unknown,
    }
}
