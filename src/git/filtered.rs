//! Files that a filter of the user's keeps in another form in the working tree than in the store.
//!
//! No filter runs here. What the store has is shown as it is stored, a pointer of Git LFS or an encrypted file. What only
//! the working tree has cannot be brought into the stored form, with one exception: the pointer that Git LFS would store
//! follows from the file's bytes.

use crate::diff::bytes::Bytes;
use crate::diff::parse::Entry;
use crate::diff::patch::{ChangeKind, Content, Hunk, Line, LineKind};
use crate::git::GitError;
use crate::git::command::LIST;
use crate::git::private::Private;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The first line of every pointer of Git LFS.
const VERSION: &str = "version https://git-lfs.github.com/spec/v1";
/// Pointers are smaller than this, by their specification.
const POINTER_BYTES: u64 = 1024;
/// Bytes of one file that are hashed to know its pointer: some seconds of work.
const HASHED_BYTES: u64 = 1024 * 1024 * 1024;

/// What is stored instead of a large file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointer {
    oid: String,
    size: u64,
}

/// Corrects a diff against the working tree for filtered files. `staged` reads the diff between the same commit and the
/// index.
///
/// Git takes the bytes of a file that is like its index entry from the working tree, to save the decompression. For a
/// filtered file those are not the stored bytes, so its entry is replaced by that of the staged diff. The user's own git
/// knows the filter and does not take them.
pub(super) fn correct(
    private: &Private,
    top_level: &Path,
    entries: Vec<Entry>,
    staged: impl FnOnce() -> Result<Vec<Entry>, GitError>,
) -> Result<Vec<Entry>, GitError> {
    let filtered = list_filtered(private, &entries)?;
    if filtered.is_empty() {
        return Ok(entries);
    }
    let is_stored = |entry: &Entry| !is_zero(&entry.new_oid);
    let is_filtered = |entry: &Entry| filtered.contains(&entry.file.new_path);
    let mut stored = if entries.iter().any(|entry| is_filtered(entry) && is_stored(entry)) {
        staged()?
    } else {
        Vec::new()
    };
    let mut corrected = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if !is_filtered(&entry) {
            corrected.push(entry);
        } else if is_stored(&entry) {
            let same = stored
                .iter()
                .position(|other| other.file.new_path == entry.file.new_path);
            corrected.push(same.map_or(entry, |at| stored.swap_remove(at)));
        } else if let Some(old) = read_pointer(private, &entry.old_oid)? {
            let path = top_level.join(OsStr::from_bytes(&entry.file.new_path));
            match hash(&path) {
                Some(new) if new == old && entry.file.kind == ChangeKind::Modified => {
                    // Only its times changed, and perhaps its mode.
                    if entry.file.old_mode != entry.file.new_mode {
                        entry.file.content = Content::Unchanged;
                        corrected.push(entry);
                    }
                }
                Some(new) => {
                    entry.file.content = Content::Text(vec![hunk(&old, &new)]);
                    corrected.push(entry);
                }
                None => corrected.push(entry),
            }
        } else {
            corrected.push(entry);
        }
    }
    Ok(corrected)
}

/// Tells whether a file's bytes are those for which a pointer is stored: its owner's git, which knows the filter, calls it
/// unchanged.
pub(super) fn is_pointed_to(private: &Private, pointer: &str, file: &Path) -> Result<bool, GitError> {
    let stored = read_pointer(private, pointer)?;
    Ok(stored.is_some() && stored == hash(file))
}

/// Asks which changed files have a filter by their attributes.
fn list_filtered(private: &Private, entries: &[Entry]) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let mut question = Vec::new();
    for entry in entries {
        if entry
            .file
            .new_mode
            .is_some_and(|mode| mode & 0o170_000 == 0o100_000)
        {
            question.extend(&entry.file.new_path);
            question.push(0);
        }
    }
    if question.is_empty() {
        return Ok(BTreeSet::new());
    }
    let answer = private
        .command("check-attr")
        .args(["-z", "--stdin", "filter"])
        .stdin(question)
        .run_ok(&LIST)?;
    let fields: Vec<&[u8]> = answer.split(|&byte| byte == 0).collect();
    let filtered = fields.chunks_exact(3).filter_map(|fields| match fields {
        [_, _, b"unspecified" | b"unset"] => None,
        [path, _, _] => Some(path.to_vec()),
        _ => None,
    });
    Ok(filtered.collect())
}

/// Reads an object if it is a pointer.
fn read_pointer(private: &Private, oid: &str) -> Result<Option<Pointer>, GitError> {
    if is_zero(oid) {
        return Ok(None);
    }
    let check = private
        .command("cat-file")
        .args(["--batch-check=%(objecttype) %(objectsize)"])
        .stdin(format!("{oid}\n").into_bytes())
        .run_ok(&LIST)?;
    let size = String::from_utf8_lossy(&check)
        .trim()
        .strip_prefix("blob ")
        .and_then(|size| size.parse::<u64>().ok());
    if size.is_none_or(|size| size >= POINTER_BYTES) {
        return Ok(None);
    }
    let bytes = private.command("cat-file").args(["blob", oid]).run_ok(&LIST)?;
    Ok(parse_pointer(&bytes))
}

fn parse_pointer(bytes: &[u8]) -> Option<Pointer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let oid = lines.next()?.strip_prefix("oid sha256:")?.to_owned();
    let size = lines.next()?.strip_prefix("size ")?.parse().ok()?;
    Some(Pointer { oid, size })
}

/// Returns the pointer of a file's bytes; none when the file is a pointer already, too large, or cannot be read.
fn hash(path: &Path) -> Option<Pointer> {
    let found = path.symlink_metadata().ok()?;
    if !found.is_file() || found.len() > HASHED_BYTES {
        return None;
    }
    let mut file = File::open(path).ok()?.take(HASHED_BYTES);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            break;
        }
        if size == 0 && buffer[..read].starts_with(VERSION.as_bytes()) {
            return None;
        }
        digest.update(&buffer[..read]);
        size += read as u64;
    }
    let mut oid = String::with_capacity(64);
    for byte in digest.finalize() {
        let _ = write!(oid, "{byte:02x}");
    }
    Some(Pointer { oid, size })
}

fn hunk(old: &Pointer, new: &Pointer) -> Hunk {
    let line = |kind, text: String| Line {
        kind,
        text: text.into(),
        no_newline: false,
    };
    let (old_size, new_size) = (format!("size {}", old.size), format!("size {}", new.size));
    let mut lines = vec![
        line(LineKind::Context, VERSION.to_owned()),
        line(LineKind::Removed, format!("oid sha256:{}", old.oid)),
    ];
    let added = line(LineKind::Added, format!("oid sha256:{}", new.oid));
    if old.size == new.size {
        lines.extend([added, line(LineKind::Context, old_size)]);
    } else {
        lines.extend([
            line(LineKind::Removed, old_size),
            added,
            line(LineKind::Added, new_size),
        ]);
    }
    Hunk {
        old_start: 1,
        old_lines: 3,
        new_start: 1,
        new_lines: 3,
        section: Bytes::default(),
        lines,
    }
}

fn is_zero(oid: &str) -> bool {
    oid.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pointer_is_a_pointer() {
        let check = |text: &str, expected: Option<(&str, u64)>| {
            let expected = expected.map(|(oid, size)| Pointer {
                oid: oid.to_owned(),
                size,
            });
            assert_eq!(parse_pointer(text.as_bytes()), expected, "{text}");
        };
        check(
            "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n",
            Some(("ab", 12)),
        );
        check(
            "version https://git-lfs.github.com/spec/v1\noid md5:ab\nsize 12\n",
            None,
        );
        check("a file\n", None);
        check("", None);
    }
}
