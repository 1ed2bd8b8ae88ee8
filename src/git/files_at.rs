//! Single files of a commit, for what must be read from before a change.

use std::collections::BTreeMap;
use std::path::Path;

use crate::git::command::{Command, LIST};
use crate::git::private::Private;
use crate::git::{GitError, Oid, Repository, Vault};

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileAt {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It is larger than asked for.
    TooLarge,
    /// A link, a folder or a submodule stands there.
    NoFile,
    /// Its object is not here, as in a partial clone.
    Missing,
}

/// Bytes of one file that are read at most, whatever was asked for.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Repository {
    /// Reads files of a commit, each named from the repository's root with how many bytes of it are wanted at most. One that
    /// is not there is not in the answer. `scratch` is an existing folder of ours outside of the repository.
    pub fn files_at(
        &self,
        commit: &Oid,
        wanted: &[(String, u64)],
        scratch: &Path,
    ) -> Result<BTreeMap<String, FileAt>, GitError> {
        let private = Private::create(self, scratch)?;
        read(&|name| private.command(name), commit, wanted)
    }
}

impl Vault {
    /// As [`Repository::files_at`], of a commit of ours.
    pub fn files_at(
        &self,
        commit: &Oid,
        wanted: &[(String, u64)],
    ) -> Result<BTreeMap<String, FileAt>, GitError> {
        read(&|name| self.command(name), commit, wanted)
    }
}

fn read<'c>(
    command: &dyn Fn(&'static str) -> Command<'c>,
    commit: &Oid,
    wanted: &[(String, u64)],
) -> Result<BTreeMap<String, FileAt>, GitError> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let listed = command("ls-tree")
        .args(["-z", "-l", "--full-tree", commit.as_str(), "--"])
        .args(wanted.iter().map(|(path, _)| path.as_str()))
        .run_ok(&LIST)?;
    for record in listed
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
    {
        let malformed = || GitError::Output { command: "ls-tree" };
        let text = std::str::from_utf8(record).map_err(|_| malformed())?;
        let (about, path) = text.split_once('\t').ok_or_else(malformed)?;
        let Some((_, limit)) = wanted.iter().find(|(wanted, _)| wanted == path) else {
            continue;
        };
        let mut words = about.split_whitespace();
        let (mode, _, oid, size) = (words.next(), words.next(), words.next(), words.next());
        let file = match (mode, oid, size.and_then(|size| size.parse::<u64>().ok())) {
            (Some("100644" | "100755"), Some(oid), Some(size)) if size <= (*limit).min(BYTES_MAX) => {
                FileAt::Bytes(command("cat-file").args(["blob", oid]).run_ok(&LIST)?)
            }
            (Some("100644" | "100755"), Some(_), Some(_)) => FileAt::TooLarge,
            (Some("100644" | "100755"), Some(_), None) => FileAt::Missing,
            _ => FileAt::NoFile,
        };
        found.insert(path.to_owned(), file);
    }
    Ok(found)
}
