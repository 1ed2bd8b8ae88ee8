//! Tests of the anchors: places that a reviewer named, found again in the change.

use super::*;
use crate::diff::parse::parse_patch;
use crate::diff::patch::{Content, LineKind};
use crate::domain::finding::{Severity, Side};
use proptest::prelude::*;

const PATCH: &str = "\
diff --git a/src/main.rs b/src/main.rs
index 1..2 100644
--- a/src/main.rs
+++ b/src/main.rs
@@ -10,4 +10,5 @@ fn main() {
     let name = read()?;
-    print(name);
+    let name = name.trim();
+    println!(\"{name}\");
     Ok(())
 }
@@ -50,3 +51,3 @@ fn other() {
     begin()?;
-    let unused = name;
+    let used = name.len();
     Ok(())
diff --git a/lib/old.py b/lib/new.py
similarity index 90%
rename from lib/old.py
rename to lib/new.py
index 1..2 100644
--- a/lib/old.py
+++ b/lib/new.py
@@ -1,2 +1,2 @@
 import os
-import sys
+import subprocess
";

fn claim(file: &str, side: Side, line: u32, evidence: &str) -> Claim {
    Claim {
        severity: Severity::High,
        title: "a title".to_owned(),
        file: file.to_owned(),
        line,
        end_line: None,
        side,
        evidence: evidence.to_owned(),
        risk: String::new(),
        recommendation: String::new(),
        confidence: None,
    }
}

fn place(claim: Claim) -> Finding {
    let patch = parse_patch(PATCH.as_bytes()).unwrap();
    anchor(&patch, "/home/me/project", vec![claim]).pop().unwrap()
}

#[test]
fn a_claim_is_put_where_its_code_stands() {
    use Anchor::{Exact, Moved, OffDiff};
    use Basis::{Claimed, Single};
    use Side::{New, Old};
    let check = |side, line, evidence: &str, expected: (Anchor, Basis, Side, u32)| {
        let found = place(claim("src/main.rs", side, line, evidence));
        assert_eq!(
            (found.anchor, found.basis, found.side, found.line),
            expected,
            "{line} {evidence}"
        );
    };
    check(New, 11, "let name = name.trim();", (Exact, Single, New, 11));
    check(
        New,
        11,
        "+11|    let name = name.trim();",
        (Exact, Single, New, 11),
    );
    check(New, 11, "let  name =\tname.trim();", (Exact, Single, New, 11));
    // Any line of a quote may be the one that is meant.
    check(
        New,
        12,
        "let name = name.trim();\nprintln!(\"{name}\");",
        (Exact, Single, New, 12),
    );
    check(New, 14, "let name = name.trim();", (Moved, Single, New, 11));
    check(New, 400, "name.trim();", (Moved, Single, New, 11));
    check(New, 0, "let used = name.len();", (Moved, Single, New, 52));
    // The stated side has it not.
    check(New, 11, "print(name);", (Moved, Single, Old, 11));
    check(Old, 52, "let used = name.len();", (Moved, Single, New, 52));
    // A line of context is on both sides; the stated one is kept.
    check(Old, 13, "Ok(())", (Moved, Single, Old, 12));
    check(New, 53, "Ok(())", (Exact, Single, New, 53));
    check(New, 50, "Ok(())", (Moved, Single, New, 53));
    // Nothing is known against the line.
    check(New, 12, "", (Exact, Claimed, New, 12));
    check(New, 12, "code that is nowhere", (Exact, Claimed, New, 12));
    check(New, 30, "code that is nowhere", (OffDiff, Claimed, New, 30));
    check(New, 0, "", (OffDiff, Claimed, New, 0));
}

#[test]
fn a_file_is_known_by_the_names_that_reviewers_give_it() {
    let check = |file: &str, expected: &str, anchor: Anchor| {
        let found = place(claim(file, Side::New, 2, "import subprocess"));
        assert_eq!((found.file.as_str(), found.anchor), (expected, anchor), "{file}");
    };
    for name in [
        "lib/new.py",
        "./lib/new.py",
        "a/lib/new.py",
        "b/lib/new.py",
        "/home/me/project/lib/new.py",
        "`lib/new.py`",
        "Lib/New.py",
        "new.py",
        "lib/old.py",
        "project/lib/new.py",
    ] {
        check(name, "lib/new.py", Anchor::Exact);
    }
    check("somewhere/else.py", "lib/new.py", Anchor::Moved);
    let elsewhere = place(claim("else.py", Side::New, 2, "nothing like that"));
    assert_eq!(
        (elsewhere.file.as_str(), elsewhere.anchor),
        ("else.py", Anchor::OffDiff)
    );
}

#[test]
fn a_range_ends_with_its_hunk() {
    let ranged = |line, end, evidence: &str| {
        let found = place(Claim {
            end_line: Some(end),
            ..claim("src/main.rs", Side::New, line, evidence)
        });
        (found.anchor, found.line, found.end_line)
    };
    assert_eq!(
        ranged(11, 12, "println!(\"{name}\");"),
        (Anchor::Exact, 11, Some(12))
    );
    assert_eq!(ranged(11, 900, ""), (Anchor::Exact, 11, Some(14)));
    assert_eq!(ranged(11, 11, ""), (Anchor::Exact, 11, None));
}

#[test]
fn ids_follow_the_code_and_not_its_line() {
    let ids = |patch: &str| -> Vec<String> {
        let patch = parse_patch(patch.as_bytes()).unwrap();
        let claims = vec![
            claim("src/main.rs", Side::New, 1, "let used = name.len();"),
            claim("src/main.rs", Side::New, 1, "let used = name.len();"),
            claim("src/main.rs", Side::New, 1, "let name = name.trim();"),
            claim("src/main.rs", Side::New, 900, ""),
        ];
        anchor(&patch, "", claims)
            .into_iter()
            .map(|found| found.id)
            .collect()
    };
    let first = ids(PATCH);
    let moved = ids(&PATCH
        .replace("+51,3", "+951,3")
        .replace("@@ -10,4 +10,5", "@@ -110,4 +110,5"));
    assert_eq!(first, moved);
    let mut unique = first.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), first.len());
    assert!(
        first
            .iter()
            .all(|id| id.len() == ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    );
}

/// Makes a patch whose lines are all different.
fn patch_of(kinds: &[LineKind], start: u32) -> Patch {
    let mut text = String::new();
    for (at, kind) in kinds.iter().enumerate() {
        let marker = match kind {
            LineKind::Context => ' ',
            LineKind::Added => '+',
            LineKind::Removed => '-',
        };
        let _ = writeln!(text, "{marker}\tstatement_number_{at}_end(x);");
    }
    let count = |without| kinds.iter().filter(|&&kind| kind != without).count();
    let header = format!(
        "@@ -{start},{} +{start},{} @@\n",
        count(LineKind::Added),
        count(LineKind::Removed)
    );
    parse_patch(format!("diff --git a/f b/f\n--- a/f\n+++ b/f\n{header}{text}").as_bytes()).unwrap()
}

proptest! {
    #[test]
    fn a_shifted_claim_comes_back_to_its_line(
        kinds in prop::collection::vec(
            prop_oneof![Just(LineKind::Context), Just(LineKind::Added), Just(LineKind::Removed)],
            1..30,
        ),
        start in 1_u32..5000,
        pick in any::<prop::sample::Index>(),
        shift in -60_i64..60,
        claims_old in any::<bool>(),
    ) {
        let patch = patch_of(&kinds, start);
        let at = pick.index(kinds.len());
        let before = |without| u32::try_from(kinds[..at].iter().filter(|&&kind| kind != without).count()).unwrap();
        let true_new = start + before(LineKind::Removed);
        let true_old = start + before(LineKind::Added);
        let stated = if claims_old { Side::Old } else { Side::New };
        let side = match kinds[at] {
            LineKind::Context => stated,
            LineKind::Added => Side::New,
            LineKind::Removed => Side::Old,
        };
        let line = if side == Side::New { true_new } else { true_old };
        let shifted = u32::try_from((i64::from(line) + shift).max(0)).unwrap();
        let evidence = format!("  statement_number_{at}_end(x);");
        let found = anchor(&patch, "", vec![claim("f", stated, shifted, &evidence)]).pop().unwrap();
        let anchor = if shifted == line && side == stated { Anchor::Exact } else { Anchor::Moved };
        prop_assert_eq!((found.line, found.side, found.anchor, found.basis), (line, side, anchor, Basis::Single));
    }

    #[test]
    fn any_claim_is_placed_inside_the_diff_or_off_it(
        file in "[a-z./]{0,12}",
        line in any::<u32>(),
        end_line in any::<Option<u32>>(),
        evidence in "[ -~\n]{0,40}",
    ) {
        let patch = parse_patch(PATCH.as_bytes()).unwrap();
        let found = anchor(&patch, "/r", vec![Claim { end_line, ..claim(&file, Side::New, line, &evidence) }]);
        let found = &found[0];
        if found.anchor != Anchor::OffDiff {
            let index = patch.files.iter().position(|known| shown_path(&known.new_path) == found.file).unwrap();
            let is_text = matches!(patch.files[index].content, Content::Text(_));
            prop_assert!(is_text && Rows::collect(&patch, &[index]).hunk_end(found.side, found.line).is_some());
        }
    }
}
