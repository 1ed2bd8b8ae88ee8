//! Which of the changed files take part: those that were named, or all; never those that are refused.

use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::delegation::{ChangedFile, Delegation, FileChange, Refused};
use crate::domain::fault::Fault;
use crate::domain::globs::Globs;
use crate::domain::hazard::{self, Candidate, Facts, MODE_LINK};
use crate::git::{GitError, Oid, Renames, TreeChange, Vault};
use crate::service::git_fault::git_fault;

/// Names offered when a name is unknown.
const NEAREST: usize = 8;

/// One changed file and whether it takes part.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    /// The change as git tells it.
    pub(super) change: TreeChange,
    /// The change as it is shown.
    pub(super) shown: ChangedFile,
    /// Whether no allowed glob fits it.
    pub(super) is_outside: bool,
    /// Whether the caller chose it, by name or by naming nothing.
    pub(super) is_chosen: bool,
}

impl Selected {
    /// Tells whether it may land at all.
    pub(super) fn can_land(&self) -> bool {
        self.is_chosen && !self.is_outside && self.shown.refused.is_none()
    }

    /// Returns its paths: of a renamed file both.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        let from = self.change.from.as_deref();
        from.into_iter().chain([self.change.path.as_slice()])
    }

    fn has_name(&self, name: &str) -> bool {
        self.paths()
            .any(|path| path == name.as_bytes() || shown_path(path) == name)
    }
}

/// The changed files of a result.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// All of them, sorted by path.
    pub(super) files: Vec<Selected>,
    /// Whether the caller named files.
    pub(super) is_named: bool,
}

impl Selection {
    /// Reads the changed files from the trees themselves and marks the chosen ones. `present` is the tree of the files
    /// as they are now.
    pub(super) fn of(
        vault: &Vault,
        trees: &Trees<'_>,
        delegation: &Delegation,
        names: &[String],
        links: impl Fn(&[u8]) -> Vec<Vec<u8>>,
    ) -> Result<Self, Fault> {
        let fault = |error: GitError| git_fault(&error);
        let changes = vault
            .changes(trees.base, trees.result, Renames::Found)
            .map_err(fault)?;
        let texts = link_texts(vault, &changes).map_err(fault)?;
        let candidates = candidates(&changes, &texts);
        let mut there = vault.paths(trees.result).map_err(fault)?;
        if trees.present != trees.result {
            there.extend(vault.paths(trees.present).map_err(fault)?);
        }
        let links = changes.iter().flat_map(|change| links(&change.path));
        let facts = Facts::of(&candidates, there.iter().map(Vec::as_slice)).with_links(links);
        let refused: Vec<Option<Refused>> = candidates
            .iter()
            .take(changes.len())
            .map(|candidate| hazard::refused(candidate, &facts))
            .collect();
        // A glob that was taken when the job was made fits now too; one that does not allows nothing.
        let globs = Globs::new(&delegation.allowed_paths).ok();
        let mut files: Vec<Selected> = changes
            .into_iter()
            .zip(refused)
            .map(|(change, refused)| {
                let paths = || change.from.iter().chain([&change.path]);
                let risk = paths().find_map(|path| hazard::risk(path));
                let is_outside = paths().any(|path| globs.as_ref().is_none_or(|globs| !globs.fit(path)));
                Selected {
                    shown: ChangedFile {
                        risk,
                        refused,
                        ..shown(&change)
                    },
                    change,
                    is_outside,
                    is_chosen: names.is_empty(),
                }
            })
            .collect();
        for (at, name) in names.iter().enumerate() {
            let mut is_known = false;
            for file in files.iter_mut().filter(|file| file.has_name(name)) {
                file.is_chosen = true;
                is_known = true;
            }
            if !is_known {
                return Err(unknown(at, name, &files));
            }
        }
        Ok(Self {
            files,
            is_named: !names.is_empty(),
        })
    }

    /// Returns the paths that may land.
    pub(super) fn landing_paths(&self) -> Vec<Vec<u8>> {
        let landing = self.files.iter().filter(|file| file.can_land());
        landing
            .flat_map(|file| file.paths().map(<[u8]>::to_vec))
            .collect()
    }

    /// Tells whether everything of the result may land.
    pub(super) fn is_whole(&self) -> bool {
        self.files.iter().all(Selected::can_land)
    }
}

/// The trees that a selection looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trees<'a> {
    /// What the peer started from.
    pub(super) base: &'a Oid,
    /// What it left.
    pub(super) result: &'a Oid,
    /// The files as they are now.
    pub(super) present: &'a Oid,
}

/// Reads the texts of the links that a change makes, by the place of the change.
fn link_texts(vault: &Vault, changes: &[TreeChange]) -> Result<Vec<Option<Vec<u8>>>, GitError> {
    let link = |change: &TreeChange| {
        let entry = change.new.as_ref()?;
        (entry.mode == MODE_LINK).then(|| entry.oid.clone())
    };
    let oids: Vec<Oid> = changes.iter().filter_map(link).collect();
    let wanted: Vec<&Oid> = oids.iter().collect();
    let mut texts = if wanted.is_empty() {
        Vec::new().into_iter()
    } else {
        vault.blobs(&wanted)?.into_iter()
    };
    Ok(changes
        .iter()
        .map(|change| link(change).and_then(|_| texts.next()))
        .collect())
}

/// One candidate for each change, in their order, and behind them the earlier paths of renamed files, which are deleted.
fn candidates<'a>(changes: &'a [TreeChange], texts: &'a [Option<Vec<u8>>]) -> Vec<Candidate<'a>> {
    let later = changes.iter().zip(texts).map(|(change, text)| {
        let old = change.old.as_ref().filter(|_| change.from.is_none());
        Candidate {
            path: &change.path,
            old_mode: old.map(|entry| entry.mode),
            new_mode: change.new.as_ref().map(|entry| entry.mode),
            link: text.as_deref(),
        }
    });
    let earlier = changes.iter().filter_map(|change| {
        Some(Candidate {
            path: change.from.as_deref()?,
            old_mode: change.old.as_ref().map(|entry| entry.mode),
            new_mode: None,
            link: None,
        })
    });
    later.chain(earlier).collect()
}

/// Tells a change in the words of the envelope.
fn shown(change: &TreeChange) -> ChangedFile {
    const TYPE: u32 = 0o170_000;
    let modes = (change.old.as_ref(), change.new.as_ref());
    let kind = match modes {
        _ if change.from.is_some() => FileChange::Renamed,
        (None, _) => FileChange::Added,
        (_, None) => FileChange::Deleted,
        (Some(old), Some(new)) if old.mode & TYPE != new.mode & TYPE => FileChange::Type,
        (Some(old), Some(new)) if old.oid == new.oid => FileChange::Mode,
        _ => FileChange::Modified,
    };
    let mode = match modes {
        (None, Some(new)) if new.mode != 0o100_644 => Some(new.mode),
        (Some(old), Some(new)) if old.mode != new.mode => Some(new.mode),
        _ => None,
    };
    ChangedFile {
        path: shown_path(&change.path),
        from: change.from.as_deref().map(shown_path),
        kind,
        mode: mode.map(|mode| format!("{mode:06o}")),
        risk: None,
        refused: None,
    }
}

/// Refuses a name that no changed file has. The name itself is not repeated; the nearest ones are told.
fn unknown(at: usize, name: &str, files: &[Selected]) -> Fault {
    let alike = |path: &str| {
        let end = path
            .bytes()
            .rev()
            .zip(name.bytes().rev())
            .take_while(|(a, b)| a == b);
        let begin = path.bytes().zip(name.bytes()).take_while(|(a, b)| a == b);
        end.count() + begin.count()
    };
    let mut nearest: Vec<&str> = files.iter().map(|file| file.shown.path.as_str()).collect();
    nearest.sort_by_key(|path| std::cmp::Reverse(alike(path)));
    nearest.truncate(NEAREST);
    let message = format!(
        "file {} of those chosen is none of the {} of the result",
        at + 1,
        counted(files.len(), "changed file")
    );
    Fault::argument(format!("files[{at}]"), message)
        .allowing(nearest)
        .hint("name the files as the preview lists them")
}
