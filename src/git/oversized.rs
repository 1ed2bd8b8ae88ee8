//! Tracked files of the working tree that have become too large to be read: git hashes each file that it shows as changed,
//! and a terabyte that is nothing but a hole takes it hours.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::diff::parse::Entry;
use crate::diff::patch::{ChangeKind, Content, FilePatch};
use crate::domain::limits::FILE_BYTES;
use crate::git::GitError;
use crate::git::command::{Command, LIST};
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

/// Finds them among the names that `named` prints, and lets git take them as the index has them from here on. Returns each
/// as an entry without lines.
pub(super) fn set_aside(private: &Private, named: Command<'_>) -> Result<Vec<Entry>, GitError> {
    let named = named.run_ok(&LIST)?;
    let mut entries = Vec::new();
    let mut paths = Vec::new();
    for path in named.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let found = private
            .work_tree()
            .join(OsStr::from_bytes(path))
            .symlink_metadata();
        let Ok(about) = found.map(|about| (about.is_file(), about.len())) else {
            continue;
        };
        if let (true, bytes @ FILE_BYTES..) = about {
            paths.extend_from_slice(path);
            paths.push(0);
            entries.push(entry(path, bytes));
        }
    }
    if !entries.is_empty() {
        private
            .command("update-index")
            .args(["--skip-worktree", "-z", "--stdin"])
            .stdin(paths)
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
