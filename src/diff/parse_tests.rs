//! Tests of the parser of diffs.

use super::*;
use crate::diff::added::added_file;
use crate::diff::render::render;
use proptest::prelude::*;

const ZERO: &str = "0000000000000000000000000000000000000000";

fn only(entries: Vec<Entry>) -> Entry {
    assert_eq!(entries.len(), 1);
    entries.into_iter().next().unwrap()
}

fn line(kind: LineKind, text: &str) -> Line {
    Line {
        kind,
        text: text.into(),
        no_newline: false,
    }
}

#[test]
fn names_come_from_the_raw_list_and_hunks_from_the_patch() {
    let bytes = format!(
        ":100644 100644 {ZERO} {ZERO} R090\0old\nname\0new \"name\"\0\0diff --git \"a/old\\nname\" \"b/new \\\"name\\\"\"\n\
         similarity index 90%\nrename from \"old\\nname\"\nrename to \"new \\\"name\\\"\"\n\
         --- \"a/old\\nname\"\n+++ \"b/new \\\"name\\\"\"\n@@ -1,2 +1,2 @@ fn f()\n same\n-out\n+in\n\\ No newline at end of file\n"
    );
    let entry = only(parse_raw_and_patch(bytes.as_bytes().to_vec()).unwrap());
    assert_eq!(
        entry.file,
        FilePatch {
            old_path: b"old\nname".to_vec(),
            new_path: b"new \"name\"".to_vec(),
            kind: ChangeKind::Renamed,
            old_mode: Some(0o100_644),
            new_mode: Some(0o100_644),
            untracked: false,
            content: Content::Text(vec![Hunk {
                old_start: 1,
                old_lines: 2,
                new_start: 1,
                new_lines: 2,
                section: "fn f()".into(),
                lines: vec![
                    line(LineKind::Context, "same"),
                    line(LineKind::Removed, "out"),
                    Line {
                        no_newline: true,
                        ..line(LineKind::Added, "in")
                    },
                ],
            }]),
        }
    );
    // The headers alone say the same.
    let patch = &bytes[bytes.find("diff --git").unwrap()..];
    let alone = parse_patch(patch.as_bytes()).unwrap();
    assert_eq!(
        (
            &alone.files[0].old_path,
            &alone.files[0].new_path,
            &alone.files[0].content
        ),
        (&entry.file.old_path, &entry.file.new_path, &entry.file.content)
    );
}

#[test]
fn content_that_looks_like_a_header_is_content() {
    let bytes = format!(
        ":100644 100644 {ZERO} {ZERO} M\0f\0\0diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n \
         diff --git a/x b/x\n--- a/y\n+++ b/y\n @@ -1 +1 @@\n"
    );
    let entry = only(parse_raw_and_patch(bytes.as_bytes().to_vec()).unwrap());
    let Content::Text(hunks) = entry.file.content else {
        panic!("no text")
    };
    assert_eq!(hunks[0].lines[1], line(LineKind::Removed, "-- a/y"));
    assert_eq!(hunks[0].lines[3], line(LineKind::Context, "@@ -1 +1 @@"));
}

#[test]
fn a_file_that_became_a_symlink_is_one_file() {
    let patch = "diff --git a/l b/l\ndeleted file mode 100644\n--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-text\n\
                 diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+target\n\\ No newline at end of file\n";
    let bytes = format!(":100644 120000 {ZERO} {ZERO} T\0l\0\0{patch}");
    let entry = only(parse_raw_and_patch(bytes.as_bytes().to_vec()).unwrap());
    assert_eq!(entry.file.kind, ChangeKind::TypeChanged);
    let alone = parse_patch(patch.as_bytes()).unwrap();
    assert_eq!(alone.files, [entry.file]);
}

#[test]
fn files_without_hunks_say_what_they_hold() {
    let check = |raw: &str, patch: &str, expected: Content| {
        let bytes = format!("{raw}\0f\0\0diff --git a/f b/f\n{patch}");
        let entry = only(parse_raw_and_patch(bytes.as_bytes().to_vec()).unwrap());
        assert_eq!(entry.file.content, expected, "{patch}");
        let alone = parse_patch(format!("diff --git a/f b/f\n{patch}").as_bytes()).unwrap();
        assert_eq!(alone.files[0].content, expected, "{patch}");
    };
    check(
        &format!(":100644 100755 {ZERO} {ZERO} M"),
        "old mode 100644\nnew mode 100755\n",
        Content::Unchanged,
    );
    check(
        &format!(":100644 100644 {ZERO} {ZERO} M"),
        "index 1..2 100644\nBinary files a/f and b/f differ\n",
        Content::Binary,
    );
    check(
        &format!(":100644 100644 {ZERO} {ZERO} M"),
        "index 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ>B\n\nliteral 0\nHcmV?d00001\n\n",
        Content::Binary,
    );
    check(
        &format!(":160000 160000 {ZERO} {ZERO} M"),
        "index 1..2 160000\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n",
        Content::Submodule,
    );
}

#[test]
fn an_unmerged_path_has_no_section() {
    let unmerged = format!(":000000 000000 {ZERO} {ZERO} U\0f\0");
    let entry = only(parse_raw_and_patch(format!("{unmerged}\0* Unmerged path f\n").into_bytes()).unwrap());
    assert_eq!(entry.file.content, Content::Unreadable);
}

#[test]
fn what_git_does_not_write_is_an_error() {
    let check = |bytes: &str, expected: ParseError| {
        assert_eq!(
            parse_raw_and_patch(bytes.as_bytes().to_vec()),
            Err(expected),
            "{bytes}"
        );
    };
    check("x", ParseError::RawRecord { record: 0 });
    check(":100644 1", ParseError::RawRecord { record: 0 });
    check(
        "\0diff --git a/f b/f\n",
        ParseError::SectionCount { listed: 0, found: 1 },
    );
    check(
        "\0diff --git a/f b/f\n@@ -1,2 +1 @@\n a\n",
        ParseError::Hunk { offset: 19 },
    );
    check(
        "\0diff --git a/f b/f\n@@ -1 +1 @@\n!\n",
        ParseError::Hunk { offset: 19 },
    );
}

/// Writes a patch of one file as git does, without its modes.
fn write(hunks: &[Hunk]) -> Vec<u8> {
    let mut out = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n".to_vec();
    for hunk in hunks {
        out.extend(
            format!(
                "@@ -{},{} +{},{} @@",
                hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines
            )
            .into_bytes(),
        );
        if !hunk.section.is_empty() {
            out.push(b' ');
            out.extend(&*hunk.section);
        }
        out.push(b'\n');
        for line in &hunk.lines {
            out.push(match line.kind {
                LineKind::Context => b' ',
                LineKind::Added => b'+',
                LineKind::Removed => b'-',
            });
            out.extend(&*line.text);
            out.push(b'\n');
            if line.no_newline {
                out.extend(b"\\ No newline at end of file\n");
            }
        }
    }
    out
}

prop_compose! {
    fn any_line()(
        kind in prop_oneof![Just(LineKind::Context), Just(LineKind::Added), Just(LineKind::Removed)],
        text in prop::collection::vec(any::<u8>().prop_filter("no line feed", |&byte| byte != b'\n'), 0..12),
        no_newline in prop::bool::weighted(0.1),
    ) -> Line {
        Line { kind, text: text.into(), no_newline }
    }
}

prop_compose! {
    fn any_hunk()(
        old_start in 1_u32..1000,
        new_start in 1_u32..1000,
        section in "[a-z(){} ]{0,8}[a-z]",
        lines in prop::collection::vec(any_line(), 1..12),
    ) -> Hunk {
        let count = |without| u32::try_from(lines.iter().filter(|line| line.kind != without).count()).unwrap();
        Hunk {
            old_start,
            old_lines: count(LineKind::Added),
            new_start,
            new_lines: count(LineKind::Removed),
            section: section.trim_start().into(),
            lines,
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_patch(&bytes);
        let _ = parse_raw_and_patch(bytes.clone());
    }

    #[test]
    fn bytes_that_resemble_a_patch_are_read_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "diff --git ", "a/f b/f", "\n", "@@ ", "-1,2 ", "+1 ", "@@", "@@ -4294967295,4294967295 +1 @@\n", "\0",
                ":100644 100644 0 0 M\0f\0", "--- ", "+++ ", "\"\\", "rename from x", " ", "+", "-", "\\", "+x\n", " x\n",
            ]),
            0..40,
        )
    ) {
        let text = words.concat();
        if let Ok(patch) = parse_patch(text.as_bytes()) {
            let _ = render(&patch);
        }
        let _ = parse_raw_and_patch(text.as_bytes().to_vec());
    }

    #[test]
    fn hunks_are_read_back_as_they_were_written(hunks in prop::collection::vec(any_hunk(), 1..4)) {
        let patch = parse_patch(&write(&hunks)).unwrap();
        prop_assert_eq!(&patch.files[0].content, &Content::Text(hunks));
    }

    #[test]
    fn an_added_file_reads_like_gits_patch_of_it(text in "[a-c\r\n]{1,20}") {
        let file = added_file(b"f", 0o100_644, text.as_bytes());
        let Content::Text(hunks) = &file.content else { panic!("no text") };
        let again = parse_patch(&write(hunks)).unwrap();
        prop_assert_eq!(&again.files[0].content, &file.content);
    }
}
