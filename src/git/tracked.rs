//! The diff of what git tracks.

use crate::diff::largest::LargeFile;
use crate::diff::parse::{Entry, parse_raw_and_patch};
use crate::diff::patch::{ChangeKind, Content, Patch};
use crate::diff::text::shown_path;
use crate::domain::limits;
use crate::git::GitError;
use crate::git::command::{CHECKOUT, Command, DIFF, LIST};
use crate::git::divided::divide;
use crate::git::filtered::correct;
use crate::git::oversized::{self, NAME_ARGUMENTS};
use crate::git::private::{BIG_FILE_BYTES, Private, View};
use crate::git::raw_diff::{RAW_ARGUMENTS, RawRecord, parse_raw};
use crate::git::threads::joined;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::scope;

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

/// What a list is asked for besides, as everything else here is.
const MORE_ARGUMENTS: [&str; 2] = ["--ignore-submodules=dirty", "--no-relative"];

/// Bytes of an index, some thousand files, from which on a diff without the working tree may be worth a list.
const INDEX_BYTES: u64 = 128 * 1024;

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

/// What was read.
#[derive(Default)]
struct Read {
    entries: Vec<Entry>,
    /// Bytes of git's output.
    bytes: usize,
    /// Lines of it.
    lines: usize,
}

impl Read {
    /// Adds what a git wrote. What is beyond the limits is only counted.
    fn add(&mut self, output: Vec<u8>) -> Result<(), GitError> {
        self.bytes += output.len();
        self.lines += memchr::memchr_iter(b'\n', &output).count();
        if self.lines <= limits::DIFF_LINES && self.bytes <= limits::DIFF_BYTES {
            self.entries.append(&mut parse_raw_and_patch(output)?);
        }
        Ok(())
    }

    /// Returns the files in git's order.
    fn into_entries(mut self) -> Vec<Entry> {
        self.entries
            .sort_by(|one, other| one.file.new_path.cmp(&other.file.new_path));
        self.entries
    }
}

impl<'a> Diff<'a> {
    /// Reads it.
    pub(super) fn read(self) -> Result<Patch, GitError> {
        let (mut oversized, mut shares) = (Vec::new(), Vec::new());
        if self.is_listed_first() {
            let listed = self.list()?;
            if matches!(self.to, End::WorkingTree) {
                let paths = listed.iter().map(|record| record.path.as_slice());
                let named = |paths: &[OsString]| {
                    let narrowed = Diff {
                        pathspecs: paths,
                        ..self
                    };
                    narrowed.command(&NAME_ARGUMENTS).run_ok(&LIST)
                };
                oversized = oversized::set_aside(self.private, paths, named)?;
            }
            // The caller's own paths cannot be narrowed by others.
            if self.pathspecs.is_empty() {
                shares = divide(&listed);
            }
        }
        let mut entries = self.read_entries(&shares)?;
        if matches!(self.to, End::WorkingTree) {
            let staged = Diff {
                to: End::Index,
                ..self
            };
            entries = correct(self.private, self.top_level, entries, || staged.read_entries(&[]))?;
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

    /// Tells whether what differs is worth a list of its own, before anything is read.
    fn is_listed_first(self) -> bool {
        match self.to {
            End::WorkingTree => true,
            End::Index | End::Commit(_) => self.private.index_bytes >= INDEX_BYTES,
        }
    }

    /// Lists what may differ. No file of the working tree is opened for it, so one whose times alone changed is there too.
    fn list(self) -> Result<Vec<RawRecord>, GitError> {
        let command = match self.to {
            End::WorkingTree => self
                .private
                .command("diff-index")
                .args(RAW_ARGUMENTS)
                .args(MORE_ARGUMENTS)
                .args([self.from, OsStr::new("--")])
                .args(self.pathspecs),
            End::Index | End::Commit(_) => self.command(&[&RAW_ARGUMENTS[..], &MORE_ARGUMENTS].concat()),
        };
        let output = command.run(&CHECKOUT)?;
        if !output.is_success() {
            return Err(self.private.explain("diff", &output));
        }
        Ok(parse_raw(&output.stdout, "diff")?.0)
    }

    /// Reads the files of all shares at once, or in one go where there are fewer than two.
    fn read_entries(self, shares: &[Vec<OsString>]) -> Result<Vec<Entry>, GitError> {
        let shares: Vec<&[OsString]> = match shares {
            [_, _, ..] => shares.iter().map(Vec::as_slice).collect(),
            _ => vec![self.pathspecs],
        };
        let found = scope(|threads| {
            let run = |pathspecs| threads.spawn(move || Diff { pathspecs, ..self }.run());
            let runs: Vec<_> = shares.into_iter().map(run).collect();
            let mut found = Read::default();
            for run in runs {
                // Read here, one after the other: what a thread frees stays with that thread, and a diff is large.
                found.add(joined(run)?)?;
            }
            Ok(found)
        });
        let limit = limits::DIFF_BYTES;
        match found {
            Err(GitError::OutputTooLarge { .. }) => Err(GitError::DiffTooLarge {
                limit,
                largest: self.read_largest()?,
            }),
            Ok(found) if found.bytes > limit => Err(GitError::DiffTooLarge {
                limit,
                largest: self.read_largest()?,
            }),
            // A line takes memory beyond its bytes, and ten million empty ones are no large output.
            Ok(found) if found.lines > limits::DIFF_LINES => Err(GitError::DiffTooLong {
                limit: limits::DIFF_LINES,
                largest: self.read_largest()?,
            }),
            Ok(found) => Ok(found.into_entries()),
            Err(error) => Err(error),
        }
    }

    fn run(self) -> Result<Vec<u8>, GitError> {
        let output = self.command(&ARGUMENTS).run(&DIFF)?;
        if output.is_success() {
            Ok(output.stdout)
        } else {
            Err(self.private.explain("diff", &output))
        }
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
