//! Tells which hunks of a change an earlier review was shown already.
//!
//! A hunk is the same when its lines are: what it adds, what it takes away, and the unchanged line on either side of that.
//! Its numbers may differ, since lines above it come and go, and so may the name of its file. Each hunk of the earlier change
//! stands for one hunk of the present one, so that a second copy of something that was reviewed is looked at.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest as _, Sha256};

use crate::diff::patch::{ChangeKind, Content, FilePatch, Hunk, LineKind, Patch};
use crate::diff::text::shown_path;

/// The hunks of a change by what they say.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// For each hunk's digest, the files in which it stood.
    hunks: HashMap<[u8; 32], Vec<usize>>,
    /// The old and the new path of each file.
    paths: Vec<[Vec<u8>; 2]>,
}

impl Seen {
    /// Tells whether the change gave a file this name. The lines of such a file may stand under the older one again.
    pub fn has_named(&self, shown: &str) -> bool {
        let mut paths = self.paths.iter();
        paths.any(|[old, new]| old != new && shown_path(new) == shown)
    }

    /// Reads the change that an earlier review was shown.
    pub fn of(patch: &Patch) -> Self {
        let mut seen = Self::default();
        for (index, file) in patch.files.iter().enumerate() {
            seen.paths.push([lossy(&file.old_path), lossy(&file.new_path)]);
            for digest in digests(file) {
                seen.hunks.entry(digest).or_default().push(index);
            }
        }
        seen
    }

    /// Finds the hunks of a change that were seen, each as the index of its file and its own. A file without hunks has one.
    pub fn places(&self, patch: &Patch) -> BTreeSet<(u32, u32)> {
        let mut left = self.hunks.clone();
        let present: BTreeSet<Vec<u8>> = patch.files.iter().map(|file| lossy(&file.new_path)).collect();
        let mut found = BTreeSet::new();
        for (index, file) in patch.files.iter().enumerate() {
            let (old, new) = (lossy(&file.old_path), lossy(&file.new_path));
            for (hunk, digest) in digests(file).into_iter().enumerate() {
                let Some(files) = left.get_mut(&digest) else {
                    continue;
                };
                let is_same_file = |at: &usize| {
                    let [earlier_old, earlier_new] = &self.paths[*at];
                    // A file that git did not know before has no old name to be known by: it was renamed when the earlier
                    // name is gone.
                    let was_renamed = file.kind == ChangeKind::Added && !present.contains(earlier_new);
                    *earlier_new == new || *earlier_old == old || was_renamed
                };
                let Some(at) = files.iter().position(is_same_file) else {
                    continue;
                };
                files.swap_remove(at);
                found.insert((number(index), number(hunk)));
            }
        }
        found
    }
}

/// Returns the files of a change that have a hunk which is not among `places`, in its order.
pub fn files_left(patch: &Patch, places: &[(u32, u32)]) -> Vec<usize> {
    let mut seen: HashMap<u32, usize> = HashMap::new();
    for (file, _) in places {
        *seen.entry(*file).or_default() += 1;
    }
    let hunks = |file: &FilePatch| match &file.content {
        Content::Text(hunks) => hunks.len(),
        _ => 1,
    };
    let files = patch.files.iter().enumerate();
    files
        .filter(|(index, file)| seen.get(&number(*index)).copied().unwrap_or(0) < hunks(file))
        .map(|(index, _)| index)
        .collect()
}

/// Returns the part of a change whose hunks are, or are not, among `places`.
pub fn part(patch: &Patch, (places, wanted): (Vec<(u32, u32)>, bool)) -> Patch {
    let places: BTreeSet<(u32, u32)> = places.into_iter().collect();
    let is_kept = |file: usize, hunk: usize| places.contains(&(number(file), number(hunk))) == wanted;
    let files = patch.files.iter().enumerate().filter_map(|(index, file)| {
        let content = match &file.content {
            Content::Text(hunks) => {
                let kept: Vec<Hunk> = hunks
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| is_kept(index, *at))
                    .map(|(_, hunk)| hunk.clone())
                    .collect();
                (!kept.is_empty()).then_some(Content::Text(kept))
            }
            other => is_kept(index, 0).then(|| other.clone()),
        };
        content.map(|content| FilePatch {
            content,
            old_path: file.old_path.clone(),
            new_path: file.new_path.clone(),
            kind: file.kind,
            old_mode: file.old_mode,
            new_mode: file.new_mode,
            untracked: file.untracked,
        })
    });
    Patch {
        files: files.collect(),
    }
}

/// Cuts a kept change into what was shown and, from this file on, what had been reviewed before.
pub fn split_kept(patch: &Patch, fresh_files: Option<u32>) -> (Patch, Patch) {
    let all = patch.files.len();
    let at = fresh_files.map_or(all, |files| usize::try_from(files).unwrap_or(all).min(all));
    let (fresh, before) = patch.files.split_at(at);
    let of = |files: &[FilePatch]| Patch {
        files: files.to_vec(),
    };
    (of(fresh), of(before))
}

/// Puts a kept change together again for people: each file once, its hunks in their order.
pub fn rejoined(patch: Patch) -> Patch {
    let mut places: HashMap<(Vec<u8>, Vec<u8>), usize> = HashMap::new();
    let mut files: Vec<FilePatch> = Vec::new();
    for file in patch.files {
        let ends = (file.old_path.clone(), file.new_path.clone());
        let first = places.get(&ends).and_then(|at| files.get_mut(*at));
        match (first, file.content) {
            (
                Some(FilePatch {
                    content: Content::Text(hunks),
                    ..
                }),
                Content::Text(more),
            ) => {
                hunks.extend(more);
                hunks.sort_by_key(|hunk| (hunk.new_start, hunk.old_start));
            }
            (_, content) => {
                places.insert(ends, files.len());
                files.push(FilePatch { content, ..file });
            }
        }
    }
    Patch { files }
}

/// What each hunk of a file says. A file whose content is not shown has none: it was never seen.
fn digests(file: &FilePatch) -> Vec<[u8; 32]> {
    match &file.content {
        Content::Text(hunks) => hunks.iter().map(|hunk| digest(file, hunk)).collect(),
        // Without a mode it may be a file that was only named.
        Content::Unchanged if file.new_mode.is_some() || file.old_mode.is_some() => {
            let mut hasher = modes(file);
            hasher.update(lossy(&file.old_path));
            hasher.update(b"\0");
            hasher.update(lossy(&file.new_path));
            vec![hasher.finalize().into()]
        }
        _ => Vec::new(),
    }
}

/// Begins a digest with what happens to the file itself: another mode is another change.
fn modes(file: &FilePatch) -> Sha256 {
    let mut hasher = Sha256::new();
    if file.old_mode != file.new_mode {
        hasher.update(format!("{:?} {:?}\0", file.old_mode, file.new_mode));
    }
    hasher
}

fn digest(file: &FilePatch, hunk: &Hunk) -> [u8; 32] {
    let is_changed = |at: usize| {
        hunk.lines
            .get(at)
            .is_some_and(|line| line.kind != LineKind::Context)
    };
    let mut hasher = modes(file);
    for (at, line) in hunk.lines.iter().enumerate() {
        let is_beside = at.checked_sub(1).is_some_and(is_changed) || is_changed(at + 1);
        let mark: &[u8] = match line.kind {
            LineKind::Context if !is_beside => continue,
            LineKind::Context => b" ",
            LineKind::Added => b"+",
            LineKind::Removed => b"-",
        };
        hasher.update(mark);
        // As a change is kept on disk: what is no Unicode was shown so.
        hasher.update(lossy(&line.text));
        hasher.update(b"\n");
    }
    hasher.finalize().into()
}

fn lossy(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).into_owned().into_bytes()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::count::{hunks, total_hunks};
    use crate::diff::parse::parse_patch;
    use crate::diff::sent::SentPatch;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn patch(text: &str) -> Patch {
        parse_patch(text.as_bytes()).unwrap()
    }

    /// A file with one hunk at a line.
    fn file(old: &str, new: &str, at: u32, lines: &str) -> String {
        let count = |marks: [char; 2]| lines.lines().filter(|line| line.starts_with(marks)).count();
        let renamed = if old == new {
            String::new()
        } else {
            format!("similarity index 90%\nrename from {old}\nrename to {new}\n")
        };
        format!(
            "diff --git a/{old} b/{new}\n{renamed}--- a/{old}\n+++ b/{new}\n@@ -{at},{} +{at},{} @@\n{lines}",
            count([' ', '-']),
            count([' ', '+'])
        )
    }

    #[test]
    fn the_same_lines_are_seen_wherever_they_stand_now() {
        let hunk = " one\n-two\n+zwei\n three\n";
        let seen = Seen::of(&patch(&file("a", "a", 10, hunk)));
        let check = |text: String, expected: usize| {
            assert_eq!(seen.places(&patch(&text)).len(), expected, "{text}");
        };
        check(file("a", "a", 10, hunk), 1);
        check(file("a", "a", 99, hunk), 1);
        check(file("a", "z", 10, hunk), 1);
        check(file("b", "b", 10, hunk), 0);
        check(file("a", "a", 10, " one\n-two\n+drei\n three\n"), 0);
        check(file("a", "a", 10, " eins\n-two\n+zwei\n three\n"), 0);
        check(file("a", "a", 10, " far away\n one\n-two\n+zwei\n three\n"), 1);
        // Another mode is another change, and a file that was only named was never looked at.
        check(
            file("a", "a", 10, hunk).replace("\n---", "\nold mode 100644\nnew mode 100755\n---"),
            0,
        );
        check(
            "diff --git a/a b/a\nBinary files a/a and b/a differ\n".to_owned(),
            0,
        );
        // A second copy was not looked at.
        check(
            format!("{}@@ -30,3 +30,3 @@\n{hunk}", file("a", "a", 10, hunk)),
            1,
        );
    }

    #[test]
    fn a_new_file_under_another_name_is_seen_when_the_first_is_gone() {
        let added = |name: &str| {
            patch(&format!(
                "diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,1 @@\n+line\n"
            ))
        };
        let seen = Seen::of(&added("first"));
        assert_eq!(seen.places(&added("second")).len(), 1);
        let mut both = added("first");
        both.files.extend(added("second").files);
        assert_eq!(seen.places(&both), BTreeSet::from([(0, 0)]));
    }

    fn any_change() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
        prop::collection::vec((0_u8..4, prop::collection::vec(0_u8..4, 1..4)), 0..6)
    }

    fn change(files: &[(u8, Vec<u8>)]) -> Patch {
        let mut text = String::new();
        for (at, (name, hunks)) in files.iter().enumerate() {
            let name = format!("{name}-{at}");
            for (index, word) in hunks.iter().enumerate() {
                let body = format!("+line {word}\n context\n");
                if index == 0 {
                    text.push_str(&file(&name, &name, 1, &body));
                } else {
                    let _ = write!(text, "@@ -{0},1 +{0},2 @@\n{body}", index * 10);
                }
            }
        }
        patch(&text)
    }

    proptest! {
        #[test]
        fn every_hunk_is_fresh_or_was_seen_and_never_both(then in any_change(), now in any_change()) {
            let (then, now) = (change(&then), change(&now));
            // Read back from disk, as it is.
            let kept: SentPatch = serde_json::from_str(&serde_json::to_string(&SentPatch::from(&then)).unwrap()).unwrap();
            let places: Vec<(u32, u32)> = Seen::of(&Patch::from(kept)).places(&now).into_iter().collect();
            let fresh = part(&now, (places.clone(), false));
            let before = part(&now, (places.clone(), true));
            prop_assert_eq!(total_hunks(&fresh) + total_hunks(&before), total_hunks(&now));
            prop_assert_eq!(total_hunks(&before) as usize, places.len());
            prop_assert_eq!(files_left(&now, &places).len(), fresh.files.len());
            prop_assert!(total_hunks(&before) <= total_hunks(&then));
            prop_assert!(fresh.files.iter().chain(&before.files).all(|file| hunks(file) > 0));
            let mut joined = fresh.clone();
            joined.files.extend(before.files.iter().cloned());
            let mut whole = rejoined(joined).files;
            whole.sort_by(|a, b| a.new_path.cmp(&b.new_path));
            let mut expected = now.files.clone();
            expected.sort_by(|a, b| a.new_path.cmp(&b.new_path));
            prop_assert_eq!(whole, expected);
            let again = Seen::of(&now).places(&now);
            prop_assert_eq!(again.len(), total_hunks(&now) as usize);
        }
    }
}
