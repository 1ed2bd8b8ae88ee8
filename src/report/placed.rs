//! Where findings stand in the change that was reviewed.

use std::collections::HashMap;

use crate::diff::patch::{Content, Hunk, Line, LineKind};
use crate::diff::text::shown_path;
use crate::domain::finding::{Anchor, Finding, Side};
use crate::report::review::{Change, ReviewReport};

/// A file of the report: one of the change, or one that only findings name.
pub(super) struct PlacedFile<'a> {
    /// Its path, as findings name it.
    pub(super) path: String,
    /// Its path before, when that is another.
    pub(super) old_path: Option<String>,
    /// Its hunks, as they were sent.
    pub(super) hunks: Vec<PlacedHunk<'a>>,
    /// Findings that no line of the change shows.
    pub(super) loose: Vec<&'a Finding>,
}

impl PlacedFile<'_> {
    /// Counts its findings.
    pub(super) fn findings(&self) -> usize {
        let inner = self.hunks.iter().flat_map(|hunk| &hunk.rows);
        self.loose.len() + inner.map(|row| row.findings.len()).sum::<usize>()
    }
}

/// A hunk with its findings.
pub(super) struct PlacedHunk<'a> {
    pub(super) hunk: &'a Hunk,
    pub(super) rows: Vec<Row<'a>>,
}

/// A line and what was found at it.
pub(super) struct Row<'a> {
    pub(super) line: &'a Line,
    /// Its number: on the old side for a removed line, on the new side for every other.
    pub(super) number: u32,
    pub(super) findings: Vec<&'a Finding>,
}

/// Findings of one file by side and line.
type ByLine<'a> = HashMap<(bool, u32), Vec<&'a Finding>>;

/// Puts each finding below its line. Every finding of the report stands in exactly one place.
pub(super) fn place(report: &ReviewReport) -> Vec<PlacedFile<'_>> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_file: HashMap<&str, Vec<&Finding>> = HashMap::new();
    for finding in report.by_severity() {
        by_file
            .entry(&finding.file)
            .or_insert_with(|| {
                order.push(&finding.file);
                Vec::new()
            })
            .push(finding);
    }
    let mut placed = Vec::new();
    if let Change::Kept(patch) = &report.change {
        for file in &patch.files {
            let path = shown_path(&file.new_path);
            let findings = by_file.remove(path.as_str()).unwrap_or_default();
            let (mut lines, mut loose) = (ByLine::new(), Vec::new());
            for finding in findings {
                if finding.anchor == Anchor::OffDiff {
                    loose.push(finding);
                } else {
                    let key = (finding.side == Side::Old, finding.line);
                    lines.entry(key).or_default().push(finding);
                }
            }
            let hunks = match &file.content {
                Content::Text(hunks) => hunks.iter().map(|hunk| rows(hunk, &mut lines)).collect(),
                _ => Vec::new(),
            };
            let mut left: Vec<&Finding> = lines.into_values().flatten().collect();
            left.sort_by_key(|finding| (finding.severity, finding.line));
            loose.extend(left);
            placed.push(PlacedFile {
                old_path: (file.old_path != file.new_path).then(|| shown_path(&file.old_path)),
                path,
                hunks,
                loose,
            });
        }
    }
    for name in order {
        if let Some(loose) = by_file.remove(name) {
            placed.push(PlacedFile {
                path: name.to_owned(),
                old_path: None,
                hunks: Vec::new(),
                loose,
            });
        }
    }
    placed
}

fn rows<'a>(hunk: &'a Hunk, lines: &mut ByLine<'a>) -> PlacedHunk<'a> {
    let (mut old, mut new) = (hunk.old_start, hunk.new_start);
    let mut rows = Vec::with_capacity(hunk.lines.len());
    for line in &hunk.lines {
        let mut findings = Vec::new();
        if line.kind != LineKind::Removed {
            findings.extend(lines.remove(&(false, new)).unwrap_or_default());
        }
        if line.kind != LineKind::Added {
            findings.extend(lines.remove(&(true, old)).unwrap_or_default());
        }
        rows.push(Row {
            line,
            number: if line.kind == LineKind::Removed { old } else { new },
            findings,
        });
        old = old.saturating_add(u32::from(line.kind != LineKind::Added));
        new = new.saturating_add(u32::from(line.kind != LineKind::Removed));
    }
    PlacedHunk { hunk, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_finding_stands_in_one_place() {
        let report = sample::report();
        let placed = place(&report);
        let total: usize = placed.iter().map(PlacedFile::findings).sum();
        assert_eq!(total, report.answer.findings.len());
        let told: Vec<(&str, usize)> = placed
            .iter()
            .map(|file| (file.path.as_str(), file.findings()))
            .collect();
        assert_eq!(
            told,
            [("src/lock.rs", 3), ("docs/new name.md", 0), ("src/gone.rs", 1)]
        );
        let rows = &placed[0].hunks[0].rows;
        let at: Vec<(u32, usize)> = rows.iter().map(|row| (row.number, row.findings.len())).collect();
        assert_eq!(at, [(10, 0), (11, 1), (11, 1), (12, 1), (13, 0)]);
    }

    #[test]
    fn a_report_without_its_change_still_names_every_finding() {
        let mut report = sample::report();
        report.change = Change::Absent(crate::report::Absence::NotKept);
        let placed = place(&report);
        let total: usize = placed.iter().map(|file| file.loose.len()).sum();
        assert_eq!(total, report.answer.findings.len());
    }

    #[test]
    fn lines_beyond_every_number_do_not_overflow() {
        let mut report = sample::report();
        if let Change::Kept(patch) = &mut report.change
            && let Content::Text(hunks) = &mut patch.files[0].content
        {
            hunks[0].new_start = u32::MAX;
            hunks[0].old_start = u32::MAX;
        }
        let total: usize = place(&report).iter().map(PlacedFile::findings).sum();
        assert_eq!(total, report.answer.findings.len());
    }
}
