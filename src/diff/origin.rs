//! Whether the change brought a defect, or it stood there before: told by the lines that a finding is about.
//!
//! A line that stands on both sides was there before, and so was an added line whose text the change takes away elsewhere,
//! as when code moves. One line that the change really adds or removes makes a finding the change's own: what it breaks
//! often shows at a line that it did not touch, so only a finding about nothing but old lines is called old.

use std::collections::{HashMap, HashSet};

use crate::diff::evidence::collapse;
use crate::diff::patch::{Content, Hunk, LineKind, Patch};
use crate::diff::text::shown_path;
use crate::domain::finding::{Anchor, Finding, Origin, Side};

/// Letters and digits of a line that say which code it is: `return;` and `}` move from everywhere to everywhere.
const TELLING: usize = 12;
/// Lines above and below a finding's own that are looked at when it has no range: a change next to the line may be what
/// breaks it.
const NEAR: u32 = 1;

/// Says of each finding where it comes from. `patch` is the change as it was sent.
pub fn judge(patch: &Patch, findings: &mut [Finding]) {
    if findings.is_empty() {
        return;
    }
    let removed = removed_lines(patch);
    let mut by_path: HashMap<String, Vec<&Hunk>> = HashMap::new();
    for file in &patch.files {
        if let Content::Text(hunks) = &file.content {
            by_path
                .entry(shown_path(&file.new_path))
                .or_default()
                .extend(hunks);
        }
    }
    for finding in findings {
        let hunks = by_path.get(&finding.file).map_or(&[][..], Vec::as_slice);
        // The verifier may know better that something is new. That it is old is for the lines to say: nobody talks an added
        // line out of a verdict.
        finding.origin = match finding.stands_in_base {
            Some(false) => Origin::Introduced,
            _ => origin(finding, hunks, &removed),
        };
    }
}

fn origin(finding: &Finding, hunks: &[&Hunk], removed: &HashSet<String>) -> Origin {
    if finding.anchor == Anchor::OffDiff || finding.line == 0 {
        return Origin::Unknown;
    }
    let last = finding.end_line.unwrap_or(finding.line).max(finding.line);
    let near = if finding.end_line.is_some() { 0 } else { NEAR };
    let own = finding.line..=last;
    let around = finding.line.saturating_sub(near)..=last.saturating_add(near);
    let mut seen = false;
    for hunk in hunks {
        let (mut old, mut new) = (hunk.old_start, hunk.new_start);
        let (first, lines) = match finding.side {
            Side::New => (new, hunk.new_lines),
            Side::Old => (old, hunk.old_lines),
        };
        if *around.start() > first.saturating_add(lines) || *around.end() < first {
            continue;
        }
        for line in &hunk.lines {
            let number = match finding.side {
                Side::New => new,
                Side::Old => old,
            };
            let stands_here = match (line.kind, finding.side) {
                (LineKind::Added, Side::Old) | (LineKind::Removed, Side::New) => false,
                _ => own.contains(&number),
            };
            let is_changed = match line.kind {
                LineKind::Context => false,
                LineKind::Added => !removed.contains(&telling(&line.text)),
                // What goes is part of what a line beside it is now.
                LineKind::Removed => true,
            };
            if is_changed && around.contains(&number) {
                let is_moved_away = line.kind == LineKind::Removed && is_added(hunks, &line.text);
                if !is_moved_away {
                    return Origin::Introduced;
                }
            }
            seen |= stands_here;
            old = old.saturating_add(u32::from(line.kind != LineKind::Added));
            new = new.saturating_add(u32::from(line.kind != LineKind::Removed));
        }
    }
    if seen {
        Origin::PreExisting
    } else {
        Origin::Unknown
    }
}

/// Tells whether a removed line comes back in the same file.
fn is_added(hunks: &[&Hunk], text: &[u8]) -> bool {
    let text = telling(text);
    let mut lines = hunks.iter().flat_map(|hunk| &hunk.lines);
    !text.is_empty() && lines.any(|line| line.kind == LineKind::Added && telling(&line.text) == text)
}

/// The lines that the change takes away and that say which code they are.
fn removed_lines(patch: &Patch) -> HashSet<String> {
    let mut removed = HashSet::new();
    for file in &patch.files {
        let Content::Text(hunks) = &file.content else {
            continue;
        };
        let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
        let gone = lines.filter(|line| line.kind == LineKind::Removed);
        removed.extend(
            gone.map(|line| telling(&line.text))
                .filter(|text| !text.is_empty()),
        );
    }
    removed
}

/// Returns a line's words, or nothing where they do not say which code it is. Nothing is never among the removed lines.
fn telling(text: &[u8]) -> String {
    let text = collapse(&String::from_utf8_lossy(text));
    if text.chars().filter(|c| c.is_alphanumeric()).count() >= TELLING {
        text
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::anchor::anchor;
    use crate::diff::parse::parse_patch;
    use crate::domain::finding::{Claim, Severity};
    use proptest::prelude::*;

    const PATCH: &str = "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1,9 +1,9 @@\n let untouched_above = read();\n \
        let second = 2;\n let third = 3;\n-let dropped_check = verify(input)?;\n let fifth = 5;\n let sixth = 6;\n \
        let seventh = 7;\n+let brand_new = unwrap_all(input);\n let eighth = 8;\n let ninth = 9;\n\
        @@ -40,3 +40,3 @@\n let before_moved = 1;\n+let moved_statement = total / count;\n let x = 1;\n-}\n\
        diff --git a/b.rs b/b.rs\n--- a/b.rs\n+++ b/b.rs\n@@ -1,2 +1,1 @@\n let stays_here = 0;\n-let moved_statement = total / count;\n";

    fn found(file: &str, line: u32, end_line: Option<u32>, side: Side, evidence: &str) -> Finding {
        let patch = parse_patch(PATCH.as_bytes()).unwrap();
        let claim = Claim {
            severity: Severity::High,
            title: "t".to_owned(),
            file: file.to_owned(),
            line,
            end_line,
            side,
            evidence: evidence.to_owned(),
            risk: String::new(),
            recommendation: String::new(),
            confidence: None,
        };
        let mut findings = anchor(&patch, "", vec![claim]);
        judge(&patch, &mut findings);
        findings.remove(0)
    }

    #[test]
    fn only_what_stood_there_before_is_old() {
        let check =
            |file: &str, line: u32, end: Option<u32>, side: Side, evidence: &str, expected: Origin| {
                let finding = found(file, line, end, side, evidence);
                assert_eq!(finding.origin, expected, "{finding:?}");
            };
        let (new, old) = (Origin::Introduced, Origin::PreExisting);
        check("a.rs", 1, None, Side::New, "let untouched_above = read();", old);
        check(
            "a.rs",
            7,
            None,
            Side::New,
            "let brand_new = unwrap_all(input);",
            new,
        );
        // The line below the dropped check, and the range around the new line, are the change's own.
        check("a.rs", 4, None, Side::New, "let fifth = 5;", new);
        check("a.rs", 6, Some(8), Side::New, "let seventh = 7;", new);
        check("a.rs", 9, None, Side::New, "let ninth = 9;", old);
        check(
            "a.rs",
            4,
            None,
            Side::Old,
            "let dropped_check = verify(input)?;",
            new,
        );
        check(
            "a.rs",
            41,
            None,
            Side::New,
            "let moved_statement = total / count;",
            old,
        );
        check(
            "b.rs",
            2,
            None,
            Side::Old,
            "let moved_statement = total / count;",
            new,
        );
        // Nobody can tell of what stands nowhere in the change.
        check(
            "c.rs",
            3,
            None,
            Side::New,
            "nothing_of_this_stands_here();",
            Origin::Unknown,
        );
    }

    proptest! {
        #[test]
        fn an_added_line_that_nothing_takes_away_is_never_old(
            above in prop::collection::vec("[a-c]{14}", 0..5),
            added in "[d-f]{14}",
            below in prop::collection::vec("[a-c]{14}", 0..5),
        ) {
            let context = |lines: &[String]| lines.iter().flat_map(|line| [" ", line, "\n"]).collect::<String>();
            let count = above.len() + below.len();
            let text = format!("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,{count} +1,{} @@\n{}+{added}\n{}", count + 1,
                context(&above), context(&below));
            let patch = parse_patch(text.as_bytes()).unwrap();
            let claims = (1..=u32::try_from(count).unwrap() + 1).map(|line| Claim {
                severity: Severity::High, title: "t".to_owned(), file: "a".to_owned(), line, end_line: None,
                side: Side::New, evidence: String::new(), risk: String::new(), recommendation: String::new(), confidence: None,
            });
            let mut findings = anchor(&patch, "", claims.collect());
            judge(&patch, &mut findings);
            let at = u32::try_from(above.len()).unwrap() + 1;
            for finding in findings {
                let is_near = finding.line.abs_diff(at) <= NEAR;
                prop_assert_eq!(finding.origin == Origin::Introduced, is_near, "{:?}", finding);
            }
        }
    }
}
