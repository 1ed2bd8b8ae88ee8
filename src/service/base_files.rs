//! The files by which a project decides about its own reviews, as they were before the change.
//!
//! A change must not decide how it is reviewed. What counts is what its base says; of what it brings itself, only what the
//! user of this machine has said too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diff::patch::Patch;
use crate::domain::peer::Peer;
use crate::git::{Change, FileAt, GitError, Oid, Repository};
use crate::standing::{baseline, suppressions};

/// The project's rules for its reviews.
pub(super) const REVIEW_RULES: &str = ".crosscheck/review.md";
/// Bytes read of a file with rules or guidance; what is passed on is less.
pub(super) const GUIDANCE_BYTES: u64 = 256 * 1024;

/// Files of the base of a change.
#[derive(Clone, Debug, Default)]
pub(super) struct BaseFiles {
    files: BTreeMap<String, FileAt>,
    /// The git directory that all working trees of the repository share.
    pub(super) common_directory: Option<PathBuf>,
    /// Why the base could not be read, in words.
    pub(super) unread: Option<String>,
    /// Of the files asked for, those that the change touches.
    touched: Vec<String>,
}

impl BaseFiles {
    /// Reads them from the base of a change; a change that starts from nothing has none.
    pub(super) fn read(repository: &Repository, change: &Change, directory: &Path, scratch: &Path) -> Self {
        let names = wanted(repository.top_level(), directory);
        let read = |base: &Oid| repository.files_at(base, &names, scratch);
        Self::of(
            change.base.as_ref().map(read),
            &change.patch,
            &names,
            repository.common_directory(),
        )
    }

    /// Takes what was read of a base.
    pub(super) fn of(
        read: Option<Result<BTreeMap<String, FileAt>, GitError>>,
        patch: &Patch,
        names: &[(String, u64)],
        common_directory: &Path,
    ) -> Self {
        let (files, unread) = match read {
            None => (BTreeMap::new(), None),
            Some(Ok(files)) => (files, None),
            Some(Err(error)) => (BTreeMap::new(), Some(error.to_string())),
        };
        let is_touched = |name: &str| {
            let mut ends = patch
                .files
                .iter()
                .flat_map(|file| [&file.old_path, &file.new_path]);
            ends.any(|path| path == name.as_bytes())
        };
        let touched = names
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| is_touched(name));
        Self {
            files,
            common_directory: Some(common_directory.to_owned()),
            unread,
            touched: touched.collect(),
        }
    }

    /// Returns a file's text; an error in words where one stands there and cannot be read.
    pub(super) fn text(&self, path: &str) -> Result<Option<&str>, &'static str> {
        match self.files.get(path) {
            None => Ok(None),
            Some(FileAt::Bytes(bytes)) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| "it is not UTF-8"),
            Some(FileAt::TooLarge) => Err("it is too large"),
            Some(FileAt::NoFile) => Err("it is no regular file"),
            Some(FileAt::Missing) => Err("its object is not in this clone"),
        }
    }

    /// Tells whether the change touches a file.
    pub(super) fn is_touched(&self, path: &str) -> bool {
        self.touched.iter().any(|touched| touched == path)
    }
}

/// Returns the files that are asked for, with their bounds: the project's own, and the guidance of its top and of the folder
/// that the call is made from.
pub(super) fn wanted(top_level: &Path, directory: &Path) -> Vec<(String, u64)> {
    let mut names = vec![
        (suppressions::PATH.to_owned(), suppressions::BYTES),
        (baseline::PATH.to_owned(), baseline::BYTES),
        (REVIEW_RULES.to_owned(), GUIDANCE_BYTES),
    ];
    let below = directory.strip_prefix(top_level).ok().and_then(Path::to_str);
    for folder in ["", below.unwrap_or_default()] {
        for name in Peer::ALL.into_iter().flat_map(Peer::guidance) {
            let path = match folder {
                "" => (*name).to_owned(),
                folder => format!("{folder}/{name}"),
            };
            if !names.iter().any(|(known, _)| *known == path) {
                names.push((path, GUIDANCE_BYTES));
            }
        }
    }
    names
}
