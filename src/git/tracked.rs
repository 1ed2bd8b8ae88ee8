//! The diff of what git tracks.

use crate::diff::largest::LargeFile;
use crate::diff::parse::{Entry, parse_raw_and_patch};
use crate::diff::patch::{ChangeKind, Content, Patch};
use crate::diff::text::shown_path;
use crate::domain::limits;
use crate::git::GitError;
use crate::git::command::{Command, DIFF, LIST};
use crate::git::filtered::correct;
use crate::git::oversized::{self, NAME_ARGUMENTS};
use crate::git::private::{BIG_FILE_BYTES, Private, View};
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

/// What is asked when a diff is too large: lines per file.
const COUNT_ARGUMENTS: [&str; 7] = [
    "--numstat",
    "-z",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=dirty",
    "--no-relative",
];

/// A diff to read.
#[derive(Clone, Copy)]
pub(super) struct Diff<'a> {
    /// Where to run it.
    pub private: &'a Private,
    /// The top of the working tree.
    pub top_level: &'a Path,
    /// The commit or tree before.
    pub from: &'a OsStr,
    /// The other end.
    pub to: End<'a>,
    /// Literal paths to narrow it to.
    pub pathspecs: &'a [OsString],
}

/// What a commit is compared with.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    /// The working tree.
    WorkingTree,
    /// The index.
    Index,
    /// Another commit.
    Commit(&'a OsStr),
}

impl<'a> Diff<'a> {
    /// Reads it.
    pub(super) fn read(self) -> Result<Patch, GitError> {
        let oversized = match self.to {
            End::WorkingTree => oversized::set_aside(self.private, self.command(&NAME_ARGUMENTS))?,
            End::Index | End::Commit(_) => Vec::new(),
        };
        let mut entries = self.read_entries()?;
        if matches!(self.to, End::WorkingTree) {
            let staged = Diff {
                to: End::Index,
                ..self
            };
            entries = correct(self.private, self.top_level, entries, || staged.read_entries())?;
        }
        mark_large_files(self.private, self.top_level, &mut entries)?;
        // What the index has of one of these says nothing about the file that is there now.
        let is_aside = |entry: &Entry| {
            oversized
                .iter()
                .any(|aside| aside.file.new_path == entry.file.new_path)
        };
        entries.retain(|entry| !is_aside(entry));
        entries.extend(oversized);
        Ok(Patch {
            files: entries.into_iter().map(|entry| entry.file).collect(),
        })
    }

    fn read_entries(self) -> Result<Vec<Entry>, GitError> {
        let output = match self.command(&ARGUMENTS).run(&DIFF) {
            Err(GitError::OutputTooLarge { limit, .. }) => {
                let largest = self.read_largest()?;
                return Err(GitError::DiffTooLarge { limit, largest });
            }
            other => other?,
        };
        if !output.is_success() {
            return Err(self.private.explain("diff", &output));
        }
        // A line takes memory beyond its bytes, and ten million empty ones are no large output.
        let lines = output.stdout.split(|byte| *byte == b'\n').count();
        if lines > limits::DIFF_LINES {
            let largest = self.read_largest()?;
            return Err(GitError::DiffTooLong {
                limit: limits::DIFF_LINES,
                largest,
            });
        }
        Ok(parse_raw_and_patch(output.stdout)?)
    }

    /// Asks which files make it large, without its lines.
    fn read_largest(self) -> Result<Vec<LargeFile>, GitError> {
        let output = self.command(&COUNT_ARGUMENTS).run_ok(&DIFF)?;
        let mut files: Vec<LargeFile> = output.split(|&byte| byte == 0).filter_map(read_numstat).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.added + file.removed));
        files.truncate(LARGEST);
        Ok(files)
    }

    fn command(self, arguments: &[&str]) -> Command<'a> {
        let (view, ends) = match self.to {
            End::WorkingTree => (View::WorkingTree, vec![self.from]),
            End::Index => (View::Index, vec![OsStr::new("--cached"), self.from]),
            End::Commit(to) => (View::Commits, vec![self.from, to]),
        };
        self.private
            .diff(view)
            .args(arguments)
            .args(ends)
            .args(["--"])
            .args(self.pathspecs)
    }
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
    let oids: Vec<&str> = asked.iter().map(|(_, oid)| oid.as_str()).collect();
    let question = format!("{}\n", oids.join("\n"));
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
