//! What the user's git would say of a working tree, asked once and from all sides, and what is really there.

use crate::git::command::CHECKOUT;
use crate::git::converted::Conversions;
use crate::git::filtered::is_pointed_to;
use crate::git::listed::Listed;
use crate::git::private::Private;
use crate::git::raw_diff::{RAW_ARGUMENTS, RawRecord, parse_raw};
use crate::git::raw_index::RawIndex;
use crate::git::threads::joined;
use crate::git::untracked::names;
use crate::git::{GitError, Repository};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::scope;

/// Whether files that are not in the index are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// They are.
    Listed,
    /// They take no part.
    Ignored,
}

/// A working tree as the user's git sees it, without the filters that only the user's git knows.
pub(super) struct WorkingTree {
    /// The index.
    pub entries: Vec<Listed>,
    /// What differs between the index and the files.
    pub changed: Vec<RawRecord>,
    /// What differs between `HEAD` and the index.
    pub staged: Vec<RawRecord>,
    /// Files that git neither tracks nor ignores.
    pub untracked: Vec<Vec<u8>>,
    /// Repositories inside this one that are no submodules of it, and folders that cannot be read.
    pub closed: Vec<Vec<u8>>,
    /// What attributes do to files.
    pub conversions: Conversions,
}

impl WorkingTree {
    /// Asks; the questions run side by side, because each of them looks at every file or at every entry.
    pub(super) fn read(
        repository: &Repository,
        private: &Private,
        raw: &RawIndex<'_>,
        others: Others,
    ) -> Result<Self, GitError> {
        let head = repository.head_tree();
        scope(|threads| {
            // `diff` and not `diff-files`: it opens files whose times alone differ and calls them unchanged.
            let changed = threads.spawn(|| compare(private, "diff", &["--ignore-submodules=all"], None));
            let untracked = threads.spawn(|| list_others(private, others));
            let staged = threads.spawn(|| {
                let arguments = ["--cached", "--ignore-submodules=dirty"];
                compare(private, "diff-index", &arguments, Some(&head))
            });
            let entries = raw.list()?;
            let conversions = Conversions::read(private, &entries)?;
            let OtherFiles { untracked, closed } = joined(untracked)?;
            Ok(Self {
                entries,
                changed: joined(changed)?,
                staged: joined(staged)?,
                untracked,
                closed,
                conversions,
            })
        })
    }

    /// Lists the paths that differ from `HEAD` as the user's git tells it, each once, sorted.
    pub(super) fn uncommitted(&self, private: &Private) -> Result<Vec<Vec<u8>>, GitError> {
        let mut paths: BTreeSet<&[u8]> = BTreeSet::new();
        for record in &self.changed {
            if !self.is_clean_to_its_filter(private, record)? {
                paths.insert(&record.path);
            }
        }
        paths.extend(self.staged.iter().map(|record| record.path.as_slice()));
        paths.extend(self.untracked.iter().map(Vec::as_slice));
        Ok(paths.into_iter().map(<[u8]>::to_vec).collect())
    }

    fn is_clean_to_its_filter(&self, private: &Private, record: &RawRecord) -> Result<bool, GitError> {
        let Some(oid) = &record.old_oid else {
            return Ok(false);
        };
        if record.old_mode != record.new_mode || !self.conversions.is_filtered(&record.path) {
            return Ok(false);
        }
        let file = private.work_tree().join(OsStr::from_bytes(&record.path));
        is_pointed_to(private, oid.as_str(), &file)
    }
}

fn compare(
    private: &Private,
    name: &'static str,
    arguments: &[&str],
    with: Option<&OsString>,
) -> Result<Vec<RawRecord>, GitError> {
    let output = private
        .command(name)
        .args(RAW_ARGUMENTS)
        .args(arguments)
        .args(with)
        .args(["--"])
        .run(&CHECKOUT)?;
    if !output.is_success() {
        return Err(private.explain(name, &output));
    }
    Ok(parse_raw(&output.stdout, name)?.0)
}

/// What is not in the index.
#[derive(Default)]
struct OtherFiles {
    untracked: Vec<Vec<u8>>,
    closed: Vec<Vec<u8>>,
}

/// Lists untracked files, and what lies there and is closed to us.
fn list_others(private: &Private, others: Others) -> Result<OtherFiles, GitError> {
    if others == Others::Ignored {
        return Ok(OtherFiles::default());
    }
    let output = private
        .command("ls-files")
        .args(["--others", "--exclude-standard", "-z"])
        .run(&CHECKOUT)?;
    if !output.is_success() {
        return Err(private.explain("ls-files", &output));
    }
    let mut untracked = Vec::new();
    let mut closed = unreadable_folders(&output.stderr);
    for name in names(&output.stdout) {
        // Git ends the name of a repository inside this one with a slash and does not look into it.
        match name.strip_suffix(b"/") {
            Some(nested) => closed.push(nested.to_vec()),
            None => untracked.push(name.to_vec()),
        }
    }
    Ok(OtherFiles { untracked, closed })
}

/// Reads git's warnings about folders; git goes on without them. The words are those of git 2.39.5 and 2.47.3.
fn unreadable_folders(stderr: &[u8]) -> Vec<Vec<u8>> {
    const BEFORE: &[u8] = b"warning: could not open directory '";
    let lines = stderr.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| {
            let rest = line.strip_prefix(BEFORE)?;
            let end = rest.windows(3).rposition(|words| words == b"': ")?;
            Some(rest[..end].strip_suffix(b"/").unwrap_or(&rest[..end]).to_vec())
        })
        .collect()
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A regular file.
    File,
    /// A symlink.
    Link,
    /// A folder.
    Folder,
    /// Something that must not be opened: a FIFO, a socket, a device.
    Special,
    /// Nothing, or something beyond a symlink, which is another place.
    Nothing,
}

/// Looks at a path below `top` without following a symlink on the way.
pub(super) fn look(top: &Path, path: &[u8]) -> Result<Found, GitError> {
    let mut place = top.to_owned();
    let mut parts = path.split(|&byte| byte == b'/').peekable();
    while let Some(part) = parts.next() {
        place.push(OsStr::from_bytes(part));
        let found = match place.symlink_metadata() {
            Ok(found) => found.file_type(),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Found::Nothing);
            }
            Err(error) => return Err(GitError::file("read", place)(error)),
        };
        if parts.peek().is_some() {
            if !found.is_dir() {
                return Ok(Found::Nothing);
            }
        } else if found.is_file() {
            return Ok(Found::File);
        } else if found.is_symlink() {
            return Ok(Found::Link);
        } else if found.is_dir() {
            return Ok(Found::Folder);
        } else {
            return Ok(Found::Special);
        }
    }
    Ok(Found::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_git_cannot_open_is_known_by_its_warning() {
        let check = |text: &str, expected: &[&str]| {
            let found = unreadable_folders(text.as_bytes());
            let expected: Vec<Vec<u8>> = expected.iter().map(|name| name.as_bytes().to_vec()).collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            "warning: could not open directory 'a/it's/': Permission denied\nwarning: else\n",
            &["a/it's"],
        );
        check("warning: could not open directory 'a", &[]);
        check("", &[]);
    }

    #[test]
    fn nothing_is_found_beyond_a_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir(top.join("d")).unwrap();
        std::fs::write(top.join("d/f"), "f").unwrap();
        std::os::unix::fs::symlink("d", top.join("l")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(top.join("s")).unwrap();
        let check = |path: &str, expected: Found| {
            assert_eq!(look(top, path.as_bytes()).unwrap(), expected, "{path}");
        };
        check("d/f", Found::File);
        check("l", Found::Link);
        check("l/f", Found::Nothing);
        check("d", Found::Folder);
        check("s", Found::Special);
        check("d/f/g", Found::Nothing);
        check("absent/f", Found::Nothing);
    }
}
