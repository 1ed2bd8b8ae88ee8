//! Files before and after a change, and the unified diff between them as git writes it.
//!
//! The diff is written from the list of edits and not found by comparing, so that it is known for sure which line of
//! which side each edit made.

use std::fmt::Write as _;

/// Lines of context around an edit.
const CONTEXT: usize = 3;

/// Old lines that give way to new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Index of the first old line that goes, or before which something is put.
    pub(crate) at: usize,
    /// How many old lines go.
    pub(crate) gone: usize,
    /// What comes instead.
    pub(crate) come: Vec<String>,
}

/// One file of a change.
#[derive(Clone, Debug)]
pub(crate) struct Edited {
    /// Its path.
    pub(crate) path: String,
    /// Its lines before.
    pub(crate) old: Vec<String>,
    /// In order, at least one old line apart.
    edits: Vec<Edit>,
}

impl Edited {
    /// Takes a file and its edits in any order; those that touch an earlier one are left out.
    pub(crate) fn new(path: impl Into<String>, old: Vec<String>, mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|edit| edit.at);
        let mut kept: Vec<Edit> = Vec::new();
        for edit in edits {
            let same = edit.gone == edit.come.len() && old[edit.at..edit.at + edit.gone] == edit.come[..];
            let clear = kept.last().is_none_or(|before| edit.at > before.at + before.gone);
            if clear && !same && edit.gone + edit.come.len() > 0 {
                kept.push(edit);
            }
        }
        Self {
            path: path.into(),
            old,
            edits: kept,
        }
    }

    /// Returns the lines after the change.
    pub(crate) fn new_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut at = 0;
        for edit in &self.edits {
            lines.extend_from_slice(&self.old[at..edit.at]);
            lines.extend_from_slice(&edit.come);
            at = edit.at + edit.gone;
        }
        lines.extend_from_slice(&self.old[at..]);
        lines
    }

    /// Returns the 1-based numbers of the new lines that the change brought.
    pub(crate) fn added(&self) -> Vec<usize> {
        let mut numbers = Vec::new();
        let mut shift = 0_isize;
        for edit in &self.edits {
            let first = edit.at.checked_add_signed(shift).unwrap() + 1;
            numbers.extend(first..first + edit.come.len());
            shift += edit.come.len().cast_signed() - edit.gone.cast_signed();
        }
        numbers
    }

    /// Writes the diff and returns how many hunks it has.
    pub(crate) fn write(&self, out: &mut String) -> usize {
        if self.edits.is_empty() {
            return 0;
        }
        let path = &self.path;
        let _ = writeln!(out, "diff --git a/{path} b/{path}\nindex 1111111..2222222 100644");
        let _ = writeln!(out, "--- a/{path}\n+++ b/{path}");
        let groups = self.groups();
        let mut shift = 0_isize;
        for group in &groups {
            let (first, last) = (group[0], group[group.len() - 1]);
            let begin = self.edits[first].at.saturating_sub(CONTEXT);
            let end = (self.edits[last].at + self.edits[last].gone + CONTEXT).min(self.old.len());
            let mut body = String::new();
            let (mut at, mut come) = (begin, 0_usize);
            for edit in &self.edits[first..=last] {
                push_all(&mut body, ' ', &self.old[at..edit.at]);
                push_all(&mut body, '-', &self.old[edit.at..edit.at + edit.gone]);
                push_all(&mut body, '+', &edit.come);
                at = edit.at + edit.gone;
                come += edit.come.len();
            }
            push_all(&mut body, ' ', &self.old[at..end]);
            let gone: usize = self.edits[first..=last].iter().map(|edit| edit.gone).sum();
            let (old_count, new_count) = (end - begin, end - begin - gone + come);
            let number = |begin: usize, count: usize| if count == 0 { begin } else { begin + 1 };
            let new_begin = begin.checked_add_signed(shift).unwrap();
            let _ = writeln!(
                out,
                "@@ -{},{old_count} +{},{new_count} @@",
                number(begin, old_count),
                number(new_begin, new_count)
            );
            out.push_str(&body);
            shift += come.cast_signed() - gone.cast_signed();
        }
        groups.len()
    }

    /// Groups edits that stand in one hunk: git joins hunks whose context would touch.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, edit) in self.edits.iter().enumerate() {
            let joins = groups
                .last()
                .and_then(|group| group.last())
                .is_some_and(|&before| {
                    let before = &self.edits[before];
                    edit.at - (before.at + before.gone) <= 2 * CONTEXT
                });
            match groups.last_mut() {
                Some(group) if joins => group.push(index),
                _ => groups.push(vec![index]),
            }
        }
        groups
    }
}

fn push_all(out: &mut String, marker: char, lines: &[String]) {
    for line in lines {
        out.push(marker);
        out.push_str(line);
        out.push('\n');
    }
}

/// Writes the diff of several files, and returns how many hunks it has.
pub(crate) fn diff_of(files: &[Edited]) -> (String, usize) {
    let mut out = String::new();
    let hunks = files.iter().map(|file| file.write(&mut out)).sum();
    (out, hunks)
}
