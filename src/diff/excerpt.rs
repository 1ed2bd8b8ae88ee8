//! The lines around some places of a change, as a change of their own.

use std::collections::BTreeMap;

use crate::diff::bytes::Bytes;
use crate::diff::patch::{Content, FilePatch, Hunk, LineKind, Patch};
use crate::diff::text::shown_path;
use crate::domain::finding::{Finding, Side};

/// Lines kept before and behind a place.
const AROUND: usize = 30;
/// Lines kept of one finding's range.
const RANGE_LINES: u32 = 60;

/// Cuts out of a change what these findings point at, with the lines around. The numbers of the lines stay true. A finding
/// that points nowhere into the change adds nothing.
pub fn excerpt(patch: &Patch, findings: &[&Finding]) -> Patch {
    let mut wanted: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.line > 0) {
        wanted.entry(&finding.file).or_default().push(finding);
    }
    let files = patch.files.iter().filter_map(|file| {
        let findings = wanted.get(shown_path(&file.new_path).as_str())?;
        let Content::Text(hunks) = &file.content else {
            return None;
        };
        let kept: Vec<Hunk> = hunks.iter().flat_map(|hunk| cut_out(hunk, findings)).collect();
        (!kept.is_empty()).then(|| FilePatch {
            content: Content::Text(kept),
            old_path: file.old_path.clone(),
            new_path: file.new_path.clone(),
            ..*file
        })
    });
    Patch {
        files: files.collect(),
    }
}

/// Returns the pieces of a hunk around the findings, those that touch as one.
fn cut_out(hunk: &Hunk, findings: &[&Finding]) -> Vec<Hunk> {
    let mut kept = vec![false; hunk.lines.len()];
    let (mut old, mut new) = (hunk.old_start, hunk.new_start);
    for (at, line) in hunk.lines.iter().enumerate() {
        let has_old = line.kind != LineKind::Added;
        let has_new = line.kind != LineKind::Removed;
        let is_meant = |finding: &&Finding| {
            let number = match finding.side {
                Side::Old => has_old.then_some(old),
                Side::New => has_new.then_some(new),
            };
            let last = finding.end_line.unwrap_or(finding.line).max(finding.line);
            let last = last.min(finding.line.saturating_add(RANGE_LINES));
            number.is_some_and(|number| (finding.line..=last).contains(&number))
        };
        if findings.iter().any(is_meant) {
            let end = (at + AROUND + 1).min(kept.len());
            kept[at.saturating_sub(AROUND)..end].fill(true);
        }
        old = old.saturating_add(u32::from(has_old));
        new = new.saturating_add(u32::from(has_new));
    }
    pieces(hunk, &kept)
}

fn pieces(hunk: &Hunk, kept: &[bool]) -> Vec<Hunk> {
    let mut pieces: Vec<Hunk> = Vec::new();
    let (mut old, mut new) = (hunk.old_start, hunk.new_start);
    let mut is_open = false;
    for (line, is_kept) in hunk.lines.iter().zip(kept) {
        let has_old = u32::from(line.kind != LineKind::Added);
        let has_new = u32::from(line.kind != LineKind::Removed);
        if *is_kept {
            if !is_open {
                pieces.push(Hunk {
                    old_start: old,
                    old_lines: 0,
                    new_start: new,
                    new_lines: 0,
                    section: Bytes::default(),
                    lines: Vec::new(),
                });
            }
            if let Some(piece) = pieces.last_mut() {
                piece.old_lines += has_old;
                piece.new_lines += has_new;
                piece.lines.push(line.clone());
            }
        }
        is_open = *is_kept;
        old = old.saturating_add(has_old);
        new = new.saturating_add(has_new);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::anchor::anchor;
    use crate::diff::parse::parse_patch;
    use crate::diff::render::render;
    use crate::domain::finding::{Claim, Severity};

    fn patch(lines: usize) -> Patch {
        let body: Vec<String> = (1..=lines)
            .map(|line| format!("+let value{line} = 0;\n"))
            .collect();
        let body = body.concat();
        let text = format!(
            "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1,1 +1,{} @@\n first\n{body}",
            lines + 1
        );
        parse_patch(text.as_bytes()).unwrap()
    }

    fn found(patch: &Patch, line: u32, end_line: Option<u32>) -> Finding {
        let claim = Claim {
            severity: Severity::Low,
            title: "t".into(),
            file: "a.rs".into(),
            line,
            end_line,
            side: Side::New,
            evidence: String::new(),
            risk: String::new(),
            recommendation: String::new(),
            confidence: None,
        };
        anchor(patch, "", vec![claim]).pop().unwrap()
    }

    #[test]
    fn the_lines_around_a_place_keep_their_numbers() {
        let patch = patch(500);
        let one = found(&patch, 100, None);
        let shown = render(&excerpt(&patch, &[&one])).text;
        assert!(shown.contains("+100|let value99 = 0;"), "{shown}");
        assert!(shown.contains("+70|") && shown.contains("+130|"), "{shown}");
        assert!(!shown.contains("+69|") && !shown.contains("+131|"), "{shown}");
        // What touches is one piece, what does not is two.
        let (near, far) = (found(&patch, 150, None), found(&patch, 400, Some(410)));
        let pieces = excerpt(&patch, &[&one, &near, &far]);
        let Content::Text(hunks) = &pieces.files[0].content else {
            panic!("{pieces:?}");
        };
        let starts: Vec<(u32, u32)> = hunks
            .iter()
            .map(|hunk| (hunk.new_start, hunk.new_lines))
            .collect();
        assert_eq!(starts, [(70, 111), (370, 71)]);
    }

    #[test]
    fn a_finding_without_a_place_shows_nothing() {
        let patch = patch(5);
        assert!(excerpt(&patch, &[&found(&patch, 0, None)]).files.is_empty());
        assert!(excerpt(&patch, &[&found(&patch, 900, None)]).files.is_empty());
    }
}
