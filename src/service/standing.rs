//! What stands before a review begins: which suppressions and which accepted findings are in force.
//!
//! In force is what stands in the base of the change, and what stands in the working tree and was said by the user of this
//! machine (`crosscheck suppress`, `crosscheck baseline write`). Anything else waits until it is in the base, and is told.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::domain::baseline::Accepted;
use crate::domain::day::Day;
use crate::domain::standing::Standing;
use crate::domain::suppression::Suppression;
use crate::service::base_files::BaseFiles;
use crate::service::review_input::ReviewInput;
use crate::standing::suppressions::{Lapsed, holds};
use crate::standing::{baseline, suppressions};
use crate::state::accepted;
use crate::state::store::Store;
use crate::sys::files;

/// Entries of a kind that are named one by one.
const NAMED: usize = 5;

/// Decides what is in force, and says what is not.
pub(super) fn standing(store: &Store, input: &ReviewInput, today: Day) -> (Standing, Vec<String>) {
    let (repo_root, base) = (input.repo_root.as_path(), &input.base);
    if base.common_directory.is_none() {
        // Code that a caller gave is no change of a repository, and nothing was decided about it.
        let nothing = Standing {
            today,
            suppressions: Vec::new(),
            baseline: None,
            fresh_files: None,
        };
        return (nothing, Vec::new());
    }
    let mut warnings = Vec::new();
    if let Some(error) = &base.unread {
        warnings.push(format!(
            "the base of the change cannot be read, so no suppression is in force: {error}"
        ));
    }
    let said = base
        .common_directory
        .as_deref()
        .map(|common| accepted::read(store, common));
    let said = match said {
        Some(Ok(said)) => said,
        Some(Err(error)) => {
            warnings.push(format!("what you suppressed yourself cannot be read: {error}"));
            BTreeSet::new()
        }
        None => BTreeSet::new(),
    };
    let suppressions = in_force(
        Source {
            base,
            repo_root,
            path: suppressions::PATH,
            bytes: suppressions::BYTES,
            said: &said,
        },
        |text| suppressions::parse(text).map_err(|error| error.to_string()),
        Suppression::digest,
        Suppression::name,
        &mut warnings,
    );
    let accepted = in_force(
        Source {
            base,
            repo_root,
            path: baseline::PATH,
            bytes: baseline::BYTES,
            said: &said,
        },
        |text| baseline::parse(text).map_err(|error| error.to_string()),
        Accepted::digest,
        |accepted| accepted.id.clone(),
        &mut warnings,
    );
    let suppressions = alive(suppressions.unwrap_or_default(), today, &mut warnings);
    let standing = Standing {
        today,
        suppressions,
        baseline: accepted,
        fresh_files: None,
    };
    (standing, warnings)
}

/// Where entries come from.
#[derive(Clone, Copy)]
struct Source<'a> {
    base: &'a BaseFiles,
    repo_root: &'a Path,
    path: &'static str,
    bytes: u64,
    said: &'a BTreeSet<String>,
}

/// Returns the entries in force; `None` where no file has any.
fn in_force<T: PartialEq>(
    source: Source<'_>,
    parse: impl Fn(&str) -> Result<Vec<T>, String>,
    digest: impl Fn(&T) -> String,
    name: impl Fn(&T) -> String,
    warnings: &mut Vec<String>,
) -> Option<Vec<T>> {
    let path = source.path;
    let mut read = |which: &str, text: Result<Option<String>, String>| match text
        .map(|text| text.map(|text| parse(&text)))
    {
        Ok(None) => None,
        Ok(Some(Ok(entries))) => Some(entries),
        Ok(Some(Err(error))) | Err(error) => {
            warnings.push(format!("`{path}` of {which} has no effect: {error}"));
            None
        }
    };
    let of_base = source
        .base
        .text(path)
        .map(|text| text.map(str::to_owned))
        .map_err(str::to_owned);
    let present = read_present(source.repo_root, path, source.bytes);
    let is_same = matches!((&of_base, &present), (Ok(base), Ok(present)) if base == present);
    let base = read("the base", of_base);
    let present = if is_same {
        None
    } else {
        read("the working tree", present)
    };
    if base.is_none() && present.is_none() {
        return None;
    }
    let mut entries = base.unwrap_or_default();
    // By their hashes: a baseline has thousands.
    let known: BTreeSet<String> = entries.iter().map(&digest).collect();
    let mut waiting = Vec::new();
    for entry in present.unwrap_or_default() {
        let hash = digest(&entry);
        if known.contains(&hash) {
            continue;
        }
        if source.said.contains(&hash) {
            entries.push(entry);
        } else {
            waiting.push(name(&entry));
        }
    }
    if !waiting.is_empty() {
        let more = waiting.len().saturating_sub(NAMED);
        let count = waiting.len();
        waiting.truncate(NAMED);
        if more > 0 {
            waiting.push(format!("and {more} more"));
        }
        warnings.push(format!(
            "{count} of `{path}`, not in force until in the base of the change: {}",
            waiting.join("; ")
        ));
    }
    Some(entries)
}

/// Keeps the suppressions that hold on a day, and says which do not.
fn alive(entries: Vec<Suppression>, today: Day, warnings: &mut Vec<String>) -> Vec<Suppression> {
    let mut lapsed = Vec::new();
    let alive = entries
        .into_iter()
        .filter(|entry| match holds(entry.expires, today) {
            Ok(()) => true,
            Err(Lapsed::Expired) => {
                lapsed.push(format!("`{}` expired on {}", entry.name(), entry.expires));
                false
            }
            Err(Lapsed::TooFar) => {
                lapsed.push(format!(
                    "`{}` ends on {}, more than a year away",
                    entry.name(),
                    entry.expires
                ));
                false
            }
        });
    let alive: Vec<Suppression> = alive.collect();
    if !lapsed.is_empty() {
        let more = lapsed.len().saturating_sub(NAMED);
        lapsed.truncate(NAMED);
        if more > 0 {
            lapsed.push(format!("and {more} more"));
        }
        warnings.push(format!("suppressions that do not hold: {}", lapsed.join("; ")));
    }
    alive
}

/// Reads a file of the project's folder in the working tree; neither it nor the folder may be a link.
pub(super) fn read_present(repo_root: &Path, path: &str, bytes: u64) -> Result<Option<String>, String> {
    let file = present_path(repo_root, path)?;
    match files::read_bounded(&file, bytes) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| "it is not UTF-8".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err("it is too large".to_owned()),
        Err(_) => Err("it is no regular file that can be read".to_owned()),
    }
}

/// Returns where a file of the project's folder stands, unless the folder is a link.
pub(super) fn present_path(repo_root: &Path, path: &str) -> Result<PathBuf, String> {
    let file = repo_root.join(path);
    let folder = file.parent().unwrap_or(repo_root);
    if folder.symlink_metadata().is_ok_and(|about| !about.is_dir()) {
        return Err("its folder is a link, or no folder".to_owned());
    }
    Ok(file)
}
