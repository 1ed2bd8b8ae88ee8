//! The diff of what git tracks.

use crate::diff::largest::LargeFile;
use crate::diff::parse::{Entry, parse_raw_and_patch};
use crate::diff::patch::{ChangeKind, Content, Patch};
use crate::diff::text::shown_path;
use crate::git::GitError;
use crate::git::command::{DIFF, LIST};
use crate::git::private::{BIG_FILE_BYTES, Private};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Files named when a diff is too large.
const LARGEST: usize = 20;

/// What every diff is asked for. The raw list and the patch come from one run, so they agree.
const ARGUMENTS: [&str; 14] = [
    "--raw",
    "-z",
    "-p",
    "--full-index",
    "--no-abbrev",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=dirty",
    "--submodule=short",
    "--find-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--no-relative",
];

/// Reads the diff between two ends, which are `git diff`'s own: a commit against the working tree, `--cached` and a
/// commit against the index, or two commits.
pub(super) fn read_diff(
    private: &Private,
    top_level: &Path,
    ends: &[&OsStr],
    pathspecs: &[OsString],
) -> Result<Patch, GitError> {
    let output = private
        .command("diff")
        .args(ARGUMENTS)
        .args(ends)
        .args(["--"])
        .args(pathspecs)
        .run(&DIFF);
    let output = match output {
        Err(GitError::OutputTooLarge { limit, .. }) => {
            let largest = read_largest(private, ends, pathspecs)?;
            return Err(GitError::DiffTooLarge { limit, largest });
        }
        other => other?,
    };
    if !output.is_success() {
        return Err(private.explain("diff", &output));
    }
    let mut entries = parse_raw_and_patch(&output.stdout)?;
    drop(output);
    mark_large_files(private, top_level, &mut entries)?;
    Ok(Patch {
        files: entries.into_iter().map(|entry| entry.file).collect(),
    })
}

/// Tells files that are too large for a diff from those that are no text: git calls both binary.
fn mark_large_files(private: &Private, top_level: &Path, entries: &mut [Entry]) -> Result<(), GitError> {
    let mut asked = Vec::new();
    for (index, entry) in entries.iter_mut().enumerate() {
        if entry.file.content != Content::Binary {
            continue;
        }
        let oid = if entry.file.kind == ChangeKind::Deleted {
            &entry.old_oid
        } else {
            &entry.new_oid
        };
        if oid.bytes().any(|digit| digit != b'0') {
            asked.push((index, oid.clone()));
            continue;
        }
        // The new side is in the working tree, and git has not hashed it.
        let path = top_level.join(OsStr::from_bytes(&entry.file.new_path));
        if let Ok(found) = path.symlink_metadata() {
            mark(entry, found.len());
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let question: String = asked.iter().map(|(_, oid)| format!("{oid}\n")).collect();
    let answer = private
        .command("cat-file")
        .args(["--batch-check=%(objectsize)"])
        .stdin(question.into_bytes())
        .run_ok(&LIST)?;
    let answer = String::from_utf8_lossy(&answer);
    for ((index, _), line) in asked.iter().zip(answer.lines()) {
        // A file of the working tree that git hashed for the diff is not in the store, and its line is no number.
        let size = line.parse().ok().or_else(|| {
            let path = top_level.join(OsStr::from_bytes(&entries[*index].file.new_path));
            path.symlink_metadata().ok().map(|found| found.len())
        });
        if let Some(size) = size {
            mark(&mut entries[*index], size);
        }
    }
    Ok(())
}

fn mark(entry: &mut Entry, bytes: u64) {
    if bytes > BIG_FILE_BYTES {
        entry.file.content = Content::TooLarge { bytes };
    }
}

/// Asks which files make a diff large, without its lines.
fn read_largest(
    private: &Private,
    ends: &[&OsStr],
    pathspecs: &[OsString],
) -> Result<Vec<LargeFile>, GitError> {
    let output = private
        .command("diff")
        .args([
            "--numstat",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
        ])
        .args(["--ignore-submodules=dirty", "--no-relative"])
        .args(ends)
        .args(["--"])
        .args(pathspecs)
        .run_ok(&DIFF)?;
    let mut files: Vec<LargeFile> = output.split(|&byte| byte == 0).filter_map(read_numstat).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.added + file.removed));
    files.truncate(LARGEST);
    Ok(files)
}

/// Reads `added<TAB>removed<TAB>path`; a binary file has `-` for both and no lines.
fn read_numstat(record: &[u8]) -> Option<LargeFile> {
    let mut fields = record.splitn(3, |&byte| byte == b'\t');
    let mut number = || {
        let field = std::str::from_utf8(fields.next()?).ok()?;
        Some(field.parse().unwrap_or(0))
    };
    let (added, removed) = (number()?, number()?);
    Some(LargeFile {
        path: shown_path(fields.next()?),
        bytes: 0,
        added,
        removed,
    })
}
