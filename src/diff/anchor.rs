//! Checks where findings point: against the diff that the reviewer was shown.
//!
//! A claim is `exact` when its line stands in a hunk on its side and its quoted code is there or nowhere. When the quoted
//! code stands elsewhere in the file's hunks, the finding moves there: to the place with most of the quoted lines, the
//! stated side before the other, the nearest before the farther. Everything else is off the diff.

use crate::diff::evidence::{Hit, Quote, Rows, collapse};
use crate::diff::patch::{Content, Patch};
use crate::diff::text::shown_path;
use crate::domain::finding::{Anchor, Basis, Claim, Finding, Origin};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Characters of a finding's id. 48 bits keep 200 findings apart.
const ID_CHARS: usize = 12;
/// A quote shorter than this does not say in which file it stands.
const TELLING_CHARS: usize = 12;

/// Places claims in a patch (the one that was sent) and gives each its id, in the order of the claims.
///
/// `root` is the repository's top level as text; a claim that names a file below it by its absolute path means that file.
pub fn anchor(patch: &Patch, root: &str, claims: Vec<Claim>) -> Vec<Finding> {
    name_all(locate(patch, root, claims))
}

/// Places claims as [`anchor`] does and gives them no ids yet: those of merged findings are made once they are merged.
pub fn locate(patch: &Patch, root: &str, claims: Vec<Claim>) -> Vec<Located> {
    let mut search = Search::new(patch, root);
    claims.into_iter().map(|claim| search.place(claim)).collect()
}

/// Tells of each claimed path whether lines of that file are in a patch.
pub fn have_lines<'a>(patch: &Patch, root: &str, claimed: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let search = Search::new(patch, root);
    let has_lines =
        |index: usize| matches!(&patch.files[index].content, Content::Text(hunks) if !hunks.is_empty());
    claimed
        .map(|path| search.find_files(path).into_iter().any(has_lines))
        .collect()
}

/// A finding without its id, and what the id is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The finding.
    pub finding: Finding,
    /// The line of code that it is about, else its title.
    pub key: String,
}

struct Search<'a> {
    patch: &'a Patch,
    root: &'a str,
    /// New and old path of each file, as shown.
    paths: Vec<(String, String)>,
    /// The lines of files that were searched already.
    rows: BTreeMap<Vec<usize>, Rows>,
}

impl<'a> Search<'a> {
    fn new(patch: &'a Patch, root: &'a str) -> Self {
        let paths = patch.files.iter();
        let paths = paths.map(|file| (shown_path(&file.new_path), shown_path(&file.old_path)));
        Self {
            patch,
            root,
            paths: paths.collect(),
            rows: BTreeMap::new(),
        }
    }

    fn place(&mut self, claim: Claim) -> Located {
        let quote = Quote::parse(&claim.evidence);
        let mut files = self.find_files(&claim.file);
        let mut hit = self.find(&files, &quote, &claim);
        let mut is_other_file = false;
        if files.is_empty()
            && quote
                .first()
                .is_some_and(|line| line.chars().count() >= TELLING_CHARS)
        {
            // The named file is not in the diff. If one file alone has the quoted code, that one is meant.
            let mut found = (0..self.patch.files.len())
                .filter_map(|index| Some((index, self.find(&[index], &quote, &claim)?)))
                .take(2);
            if let (Some((index, only)), None) = (found.next(), found.next()) {
                files = vec![index];
                hit = Some(only);
                is_other_file = true;
            }
        }
        let file = match files.first() {
            Some(&index) => self.paths[index].0.clone(),
            None => claimed_path(&claim.file, self.root).to_owned(),
        };
        let key = match &hit {
            Some(hit) => hit.text.clone(),
            None => quote
                .first()
                .map_or_else(|| collapse(&claim.title).to_lowercase(), str::to_owned),
        };
        let basis = if hit.is_some() {
            Basis::Single
        } else {
            Basis::Claimed
        };
        let hunk_end = self.rows(&files).hunk_end(claim.side, claim.line);
        let (anchor, side, line, end_line) = match (hit, hunk_end) {
            (Some(hit), Some(end)) if !is_other_file && agrees(&hit, &claim) => {
                let end_line = claim.end_line.filter(|&last| last > claim.line);
                (
                    Anchor::Exact,
                    claim.side,
                    claim.line,
                    end_line.map(|last| last.min(end)),
                )
            }
            (Some(hit), _) => {
                let end_line = (hit.last > hit.first && claim.end_line.is_some()).then_some(hit.last);
                (Anchor::Moved, hit.side, hit.first, end_line)
            }
            (None, Some(end)) => {
                let end_line = claim.end_line.filter(|&last| last > claim.line);
                (
                    Anchor::Exact,
                    claim.side,
                    claim.line,
                    end_line.map(|last| last.min(end)),
                )
            }
            (None, None) => (Anchor::OffDiff, claim.side, claim.line, claim.end_line),
        };
        let finding = Finding {
            id: String::new(),
            severity: claim.severity,
            title: claim.title,
            file,
            line,
            end_line,
            side,
            evidence: claim.evidence,
            risk: claim.risk,
            recommendation: claim.recommendation,
            anchor,
            basis,
            confidence: claim.confidence,
            votes: None,
            looks: None,
            stands_in_base: None,
            check: None,
            origin: Origin::Unknown,
        };
        Located { finding, key }
    }

    fn rows(&mut self, files: &[usize]) -> &Rows {
        let patch = self.patch;
        self.rows
            .entry(files.to_vec())
            .or_insert_with(|| Rows::collect(patch, files))
    }

    fn find(&mut self, files: &[usize], quote: &Quote, claim: &Claim) -> Option<Hit> {
        self.rows(files).find(quote, claim.side, lines_of(claim))
    }

    /// Finds the files that a claim means: by its path as given, then without what reviewers add, then whatever the
    /// case, then by the end of the path, as long as that leaves one. A path can be in a patch twice, deleted and
    /// untracked.
    fn find_files(&self, claimed: &str) -> Vec<usize> {
        let path = claimed_path(claimed, self.root);
        let bare = path
            .strip_prefix("a/")
            .or(path.strip_prefix("b/"))
            .unwrap_or(path);
        if bare.is_empty() {
            return Vec::new();
        }
        let matching = |is_match: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let by_new = self.indexes(&|paths| is_match(&paths.0));
            if by_new.is_empty() {
                self.indexes(&|paths| is_match(&paths.1))
            } else {
                by_new
            }
        };
        let end = format!("/{bare}");
        let exact = [path, bare]
            .iter()
            .map(|name| matching(&|known| known == *name))
            .find(|found| !found.is_empty());
        exact.unwrap_or_else(|| {
            [
                matching(&|known| known.to_lowercase() == bare.to_lowercase()),
                matching(&|known| known.ends_with(&end)),
                // A reviewer that works above the repository names a longer path.
                matching(&|known| known.contains('/') && bare.ends_with(&format!("/{known}"))),
            ]
            .into_iter()
            .find(|found| self.is_one_path(found))
            .unwrap_or_default()
        })
    }

    fn indexes(&self, is_match: &dyn Fn(&(String, String)) -> bool) -> Vec<usize> {
        let paths = self.paths.iter().enumerate();
        paths
            .filter(|(_, paths)| is_match(paths))
            .map(|(index, _)| index)
            .collect()
    }

    fn is_one_path(&self, found: &[usize]) -> bool {
        let mut names = found.iter().map(|&index| &self.paths[index].0);
        names
            .next()
            .is_some_and(|first| names.all(|other| other == first))
    }
}

/// Returns a claimed path without quotes, without the repository's own path, and without `./`.
fn claimed_path<'a>(claimed: &'a str, root: &str) -> &'a str {
    let path = claimed.trim().trim_matches(['`', '"', '\'']);
    let below = path
        .strip_prefix(root.trim_end_matches('/'))
        .filter(|_| !root.is_empty());
    let mut path = below.and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    path
}

fn lines_of(claim: &Claim) -> (u32, u32) {
    (claim.line, claim.end_line.unwrap_or(claim.line).max(claim.line))
}

/// Tells whether the quoted code stands where the claim says.
fn agrees(hit: &Hit, claim: &Claim) -> bool {
    let (first, last) = lines_of(claim);
    hit.side == claim.side && hit.first <= last && first <= hit.last
}

/// Gives each finding an id from its file and its code, so that it is the same in the next review although lines moved.
/// Equal ones are numbered down the file.
pub fn name_all(placed: Vec<Located>) -> Vec<Finding> {
    let mut order: Vec<usize> = (0..placed.len()).collect();
    order.sort_by_key(|&index| (placed[index].finding.line, index));
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut ids = vec![String::new(); placed.len()];
    for index in order {
        let Located { finding, key } = &placed[index];
        let ordinal = seen
            .entry((finding.file.clone(), key.clone()))
            .and_modify(|ordinal| *ordinal += 1)
            .or_insert(0);
        ids[index] = id(&finding.file, key, *ordinal);
    }
    placed
        .into_iter()
        .zip(ids)
        .map(|(placed, id)| Finding { id, ..placed.finding })
        .collect()
}

fn id(file: &str, key: &str, ordinal: u32) -> String {
    let digest = Sha256::digest(format!("{file}\0{key}\0{ordinal}"));
    let mut text = String::with_capacity(ID_CHARS);
    for byte in digest.iter().take(ID_CHARS / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
#[path = "anchor_tests.rs"]
mod tests;
