//! What a worktree holds, made into a result that lasts: a commit and a ref of ours, a patch, and a list for people.
//!
//! Everything is read through an index of ours and nothing is run. It is done whatever the end of the run.

use crate::diff::text::shown_path;
use crate::domain::delegation::{ChangedFile, Delegation, Diffstat, FileChange, Work};
use crate::domain::fingerprint::sha256_hex;
use crate::domain::hazard::{self, Candidate, Facts, MODE_LINK};
use crate::domain::job::JobId;
use crate::domain::limits;
use crate::git::{Collected, GitError, Oid, Renames, TreeChange, Vault};
use crate::run::delegate::worktree::{self, Note, Prepared};
use crate::run::delegate::{live, reuse, scope};
use crate::state::directory::JobDirectory;
use crate::state::landing::LandError;
use crate::state::record::{Expects, Spec};
use crate::state::trees::{self, HeldTree};
use crate::sys::{files, seam};

/// Why the result of a run could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Git failed.
    #[error("the worktree could not be read: {0}")]
    Git(#[from] GitError),
    /// The change of a run in place could not be recorded, so it cannot be undone.
    #[error("the change cannot be undone, since it could not be recorded: {0}")]
    Landing(#[from] LandError),
}

/// What was collected.
#[derive(Debug)]
pub(super) struct Kept {
    /// It, without setup, checks and commands.
    pub(super) work: Work,
    /// What the caller should know.
    pub(super) warnings: Vec<String>,
}

/// Makes a tree that was read into a result: commit, ref, pack, patch file and list. Blocks.
pub(super) fn keep(
    vault: &Vault,
    directory: &JobDirectory,
    job: &JobId,
    delegation: &Delegation,
    collected: &Collected,
) -> Result<Kept, CollectError> {
    let mut warnings = Vec::new();
    let base = worktree::oid(&delegation.baseline.commit)?;
    let base_tree = worktree::oid(&delegation.baseline.tree)?;
    let commit = vault.commit(&collected.tree, &[&base], &format!("result of job {job}"))?;
    seam::point("collect.committed");
    vault.set_ref(&format!("refs/jobs/{job}/result"), &commit)?;
    seam::point("collect.kept");
    vault.keep_change(&base, &commit)?;
    seam::point("collect.packed");
    let (diff_bytes, diff_sha256) = match vault.patch(&base_tree, &collected.tree, &[]) {
        Ok(patch) => {
            // The commit and its ref hold all of it, so a full disk does not cost the result.
            if let Err(error) = files::write_atomic(&directory.patch_path(), &patch) {
                warnings.push(format!(
                    "the patch could not be kept as a file, the result itself is kept: {error}"
                ));
            }
            (patch.len() as u64, sha256_hex(&patch))
        }
        Err(GitError::DiffTooLarge { limit, .. }) => {
            warnings.push(format!(
                "the patch is larger than {} MB and is not kept as a file; the result itself is kept whole",
                limit / 1024 / 1024
            ));
            (0, String::new())
        }
        Err(error) => return Err(error.into()),
    };
    seam::point("collect.patched");
    let changes = vault.changes(&base_tree, &collected.tree, Renames::Found)?;
    let hazards = Hazards::of(vault, &base_tree, &collected.tree, &changes)?;
    let listed = changes
        .iter()
        .take(limits::CHANGED_LISTED)
        .map(|change| changed_file(change, &hazards))
        .collect();
    let more = changes.len().saturating_sub(limits::CHANGED_LISTED);
    // A peer can leave as many pipes as it likes.
    let unlisted = collected.left_out.len().saturating_sub(limits::CHANGED_LISTED);
    if unlisted > 0 {
        warnings.push(format!(
            "{unlisted} more paths are no part of the result and are not listed"
        ));
    }
    let work = Work {
        commit: commit.as_str().to_owned(),
        tree: collected.tree.as_str().to_owned(),
        diff_bytes,
        diff_sha256,
        changed: listed,
        more_changed: u32::try_from(more).unwrap_or(u32::MAX),
        diffstat: diffstat(&changes),
        setup: None,
        checks: Vec::new(),
        scope: scope::of_paths(delegation, &changes),
        left_out: collected
            .left_out
            .iter()
            .take(limits::CHANGED_LISTED)
            .map(|path| shown_path(path))
            .collect(),
    };
    Ok(Kept { work, warnings })
}

/// Collects what a killed worker left of a delegate job; `None` when it had no worktree yet, or somebody else has it now.
/// Blocks.
///
/// Which git it used is noted in the job's directory, so whoever looks at the job first can do it.
pub fn collect_left(
    directory: &JobDirectory,
    spec: &Spec,
) -> Result<Option<(Work, Vec<String>)>, CollectError> {
    let Expects::Delegate { delegation } = &spec.expects else {
        return Ok(None);
    };
    let Some(note) = Note::read(directory) else {
        return Ok(None);
    };
    let (folder, vault) = note.open(directory, delegation)?;
    if let Some(commit) = vault.read_ref(&format!("refs/jobs/{}/result", spec.id))? {
        // The worker came that far itself. Since then checks may have written into the worktree, or others have it.
        let collected = Collected {
            tree: vault.tree_of(&commit)?,
            left_out: Vec::new(),
        };
        let kept = keep(&vault, directory, &spec.id, delegation, &collected)?;
        if let Some(held) = (!note.is_live())
            .then(|| trees::left_by(&folder, &spec.id))
            .flatten()
        {
            held.give_back();
        }
        return Ok(Some((kept.work, kept.warnings)));
    }
    let kept = if note.is_live() {
        let collected = live::read(&vault, &note.git()?, delegation, directory)?;
        let mut kept = keep(&vault, directory, &spec.id, delegation, &collected)?;
        if let Err(error) = live::adopt(&folder, &vault, delegation, &spec.id, &collected.tree) {
            kept.warnings.push(error.to_string());
        }
        kept
    } else {
        let Some(held) = trees::left_by(&folder, &spec.id) else {
            return Ok(None);
        };
        let collected = read(&vault, &held, delegation)?;
        let kept = keep(&vault, directory, &spec.id, delegation, &collected)?;
        held.give_back();
        kept
    };
    Ok(Some((kept.work, kept.warnings)))
}

/// Reads a worktree of ours without what is linked into it. Blocks.
pub(super) fn read(vault: &Vault, held: &HeldTree, delegation: &Delegation) -> Result<Collected, GitError> {
    let baseline = &delegation.baseline;
    let start = baseline.start.as_ref().unwrap_or(&baseline.commit);
    vault.collect(&held.path(), &worktree::oid(start)?, &links_in(delegation, held))
}

/// Finds what was linked into a worktree for a job, or for the one that it goes on from: relative to its top.
pub fn links_in(delegation: &Delegation, held: &HeldTree) -> Vec<Vec<u8>> {
    let baseline = &delegation.baseline;
    reuse::links_in(
        &baseline.top_level,
        &baseline.prefix,
        &held.path(),
        &delegation.reuse,
        &held.linked(),
    )
}

/// Lists the files that differ from what the worktree was made of. Blocks.
pub(super) fn changed_since_start(
    prepared: &Prepared,
    delegation: &Delegation,
    directory: &JobDirectory,
) -> Result<Vec<String>, GitError> {
    let collected = prepared.read(delegation, directory)?;
    let baseline = &delegation.baseline;
    let start = match &baseline.start {
        Some(start) => prepared.vault().tree_of(&worktree::oid(start)?)?,
        None => worktree::oid(&baseline.tree)?,
    };
    let changes = prepared
        .vault()
        .changes(&start, &collected.tree, Renames::Split)?;
    Ok(changes.iter().map(|change| shown_path(&change.path)).collect())
}

/// What the changed paths of a result run into.
struct Hazards {
    facts: Facts,
    /// The text of each new link, in the order of the changes.
    links: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Hazards {
    fn of(vault: &Vault, base: &Oid, tree: &Oid, changes: &[TreeChange]) -> Result<Self, GitError> {
        let new_links: Vec<(&TreeChange, &Oid)> = changes
            .iter()
            .filter_map(|change| {
                let new = change.new.as_ref().filter(|new| new.mode == MODE_LINK)?;
                Some((change, &new.oid))
            })
            .collect();
        let oids: Vec<&Oid> = new_links.iter().map(|(_, oid)| *oid).collect();
        let texts = if oids.is_empty() {
            Vec::new()
        } else {
            vault.blobs(&oids)?
        };
        let links = new_links.iter().map(|(change, _)| change.path.clone()).zip(texts);
        let mut hazards = Self {
            facts: Facts::default(),
            links: links.collect(),
        };
        if !changes.is_empty() {
            let (before, after) = (vault.paths(base)?, vault.paths(tree)?);
            let all = before.iter().chain(&after).map(Vec::as_slice);
            let candidates: Vec<Candidate<'_>> =
                changes.iter().map(|change| hazards.candidate(change)).collect();
            let facts = Facts::of(&candidates, all);
            drop(candidates);
            hazards.facts = facts;
        }
        Ok(hazards)
    }

    fn candidate<'a>(&'a self, change: &'a TreeChange) -> Candidate<'a> {
        let link = self.links.iter().find(|(path, _)| *path == change.path);
        Candidate {
            path: &change.path,
            // Of a renamed file nothing was at the new path.
            old_mode: change
                .old
                .as_ref()
                .filter(|_| change.from.is_none())
                .map(|old| old.mode),
            new_mode: change.new.as_ref().map(|new| new.mode),
            link: link.map(|(_, text)| text.as_slice()),
        }
    }
}

fn changed_file(change: &TreeChange, hazards: &Hazards) -> ChangedFile {
    let (old, new) = (
        change.old.as_ref().map(|old| old.mode),
        change.new.as_ref().map(|new| new.mode),
    );
    let risk = hazard::risk(&change.path).or_else(|| change.from.as_deref().and_then(hazard::risk));
    ChangedFile {
        path: shown_path(&change.path),
        from: change.from.as_deref().map(shown_path),
        kind: kind(change),
        mode: new.filter(|_| old != new).map(|mode| format!("{mode:06o}")),
        risk,
        refused: hazard::refused(&hazards.candidate(change), &hazards.facts),
    }
}

/// The bits of a mode that say whether it is a file, a link or a repository.
const MODE_TYPE: u32 = 0o170_000;

fn kind(change: &TreeChange) -> FileChange {
    match (&change.old, &change.new) {
        (None, _) => FileChange::Added,
        (Some(_), None) => FileChange::Deleted,
        (Some(_), Some(_)) if change.from.is_some() => FileChange::Renamed,
        (Some(old), Some(new)) if old.mode & MODE_TYPE != new.mode & MODE_TYPE => FileChange::Type,
        (Some(old), Some(new)) if old.oid == new.oid => FileChange::Mode,
        (Some(_), Some(_)) => FileChange::Modified,
    }
}

fn diffstat(changes: &[TreeChange]) -> Diffstat {
    let mut stat = Diffstat::default();
    for change in changes {
        stat.files += 1;
        match change.lines {
            Some((added, removed)) => {
                stat.added += added;
                stat.removed += removed;
            }
            None => stat.binary += 1,
        }
    }
    stat
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::TreeEntry;

    #[test]
    fn every_kind_of_change_is_named() {
        let entry = |mode: u32, digit: &str| TreeEntry {
            mode,
            oid: worktree::oid(&digit.repeat(40)).unwrap(),
        };
        let check =
            |from: Option<&[u8]>, old: Option<TreeEntry>, new: Option<TreeEntry>, expected: FileChange| {
                let change = TreeChange {
                    path: b"a".to_vec(),
                    from: from.map(<[u8]>::to_vec),
                    old,
                    new,
                    lines: Some((2, 1)),
                };
                assert_eq!(kind(&change), expected);
            };
        let file = || Some(entry(0o100_644, "1"));
        check(None, None, file(), FileChange::Added);
        check(None, file(), None, FileChange::Deleted);
        check(None, file(), Some(entry(0o100_644, "2")), FileChange::Modified);
        check(None, file(), Some(entry(0o100_755, "2")), FileChange::Modified);
        check(None, file(), Some(entry(0o100_755, "1")), FileChange::Mode);
        check(None, file(), Some(entry(0o120_000, "2")), FileChange::Type);
        check(None, Some(entry(0o160_000, "1")), file(), FileChange::Type);
        check(Some(b"b"), file(), file(), FileChange::Renamed);
    }
}
