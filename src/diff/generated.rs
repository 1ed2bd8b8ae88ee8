//! Which files of a change are vendored or written by a program.
//!
//! Such files make a change large and are seldom what a review is for, so a change that has too many parts with them is
//! reviewed without them. That is a gap which a hostile change would like to hide in, so a file never speaks for itself: a marker
//! counts only on a line that the base has too, and attributes only as the base has them. A name can be chosen by whoever
//! makes the change, which is why every file that is left out is told and a review without it never passes.

use crate::diff::patch::{Content, FilePatch, LineKind};

/// Lines at the beginning of a file, on its old side, in which a marker counts; generators write it first.
const MARKER_LINES: u32 = 10;

/// Folders of code of others, or of what a build or a test tool writes.
const FOLDERS: [&str; 9] = [
    "vendor",
    "node_modules",
    "third_party",
    "third-party",
    "bower_components",
    "dist",
    "Godeps",
    "__snapshots__",
    ".yarn",
];
/// Files by their whole name.
const NAMES: [&str; 21] = [
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "deno.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "Gemfile.lock",
    "composer.lock",
    "go.sum",
    "go.work.sum",
    "flake.lock",
    "mix.lock",
    "Podfile.lock",
    "pubspec.lock",
    "packages.lock.json",
    "gradle.lockfile",
];
/// Files by the end of their name.
const ENDS: [&str; 17] = [
    ".min.js",
    ".min.css",
    ".bundle.js",
    ".js.map",
    ".css.map",
    ".pb.go",
    ".pb.cc",
    ".pb.h",
    "_pb2.py",
    "_pb2_grpc.py",
    "_pb.js",
    "_pb.d.ts",
    ".g.dart",
    ".freezed.dart",
    ".designer.cs",
    ".snap",
    ".pbxproj",
];

/// By what a file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It lies in a folder of such files.
    Folder,
    /// It has such a name.
    Name,
    /// A line at its beginning says so, and said so before the change.
    Marker,
    /// The repository's attributes say so, as they are in the base.
    Attribute,
}

/// What the attributes of the base say about a file: `None` where they say nothing.
pub type Attributes<'a> = &'a dyn Fn(&[u8]) -> Option<bool>;

/// Tells whether a file is generated or vendored, and by what. Attributes that say that it is not are believed: it is
/// shown then.
pub fn rule(file: &FilePatch, attributes: Attributes<'_>) -> Option<Rule> {
    match attributes(&file.new_path) {
        Some(true) => return Some(Rule::Attribute),
        Some(false) => return None,
        None => {}
    }
    // A file that moves in from elsewhere is looked at once more: nobody saw it where it is going to.
    if file.old_path != file.new_path && by_name(&file.old_path).is_none() {
        return None;
    }
    by_name(&file.new_path).or_else(|| is_marked(file).then_some(Rule::Marker))
}

/// Tells whether a caller named a file: itself, or a folder that holds nothing but such files.
pub fn is_asked_for(path: &[u8], asked: &[String]) -> bool {
    asked.iter().any(|asked| {
        let asked = asked.trim_end_matches('/').as_bytes();
        if path == asked {
            return true;
        }
        let is_below = path
            .strip_prefix(asked)
            .is_some_and(|rest| rest.starts_with(b"/"));
        is_below && asked.split(|byte| *byte == b'/').any(is_folder)
    })
}

fn by_name(path: &[u8]) -> Option<Rule> {
    let mut parts = path.rsplit(|byte| *byte == b'/');
    let name = parts.next().unwrap_or_default();
    if parts.any(is_folder) {
        return Some(Rule::Folder);
    }
    let is_named = NAMES.iter().any(|known| name == known.as_bytes())
        || ENDS.iter().any(|end| name.ends_with(end.as_bytes()))
        || is_called_generated(name);
    is_named.then_some(Rule::Name)
}

fn is_folder(name: &[u8]) -> bool {
    FOLDERS.iter().any(|known| name == known.as_bytes())
}

/// Tells whether the last word before the extension is `generated`, as in `schema_generated.go` and `api.generated.ts`.
fn is_called_generated(name: &[u8]) -> bool {
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else {
        return false;
    };
    [&b"_generated"[..], b".generated"]
        .iter()
        .any(|word| name[..dot].ends_with(word) && dot > word.len())
}

/// Tells whether the base has a marker among the first lines, as far as the change shows them.
fn is_marked(file: &FilePatch) -> bool {
    let Content::Text(hunks) = &file.content else {
        return false;
    };
    let Some(first) = hunks.first() else {
        return false;
    };
    let mut old = first.old_start;
    for line in &first.lines {
        if old > MARKER_LINES {
            break;
        }
        match line.kind {
            LineKind::Added => continue,
            LineKind::Context if says_generated(&line.text) => return true,
            // What the change takes away says nothing about what it leaves.
            LineKind::Removed | LineKind::Context => {}
        }
        old = old.saturating_add(1);
    }
    false
}

fn says_generated(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    if text.contains("@generated") {
        return true;
    }
    let text = text.to_ascii_lowercase();
    text.contains("generated") && text.contains("do not edit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::added_file;
    use crate::diff::parse::parse_patch;

    fn added(path: &str) -> FilePatch {
        added_file(path.as_bytes(), 0o100_644, b"x\n")
    }

    #[test]
    fn files_are_known_by_their_names() {
        let check = |path: &str, expected: Option<Rule>| {
            assert_eq!(rule(&added(path), &|_| None), expected, "{path}");
        };
        check("Cargo.lock", Some(Rule::Name));
        check("web/package-lock.json", Some(Rule::Name));
        check("api/v1/service.pb.go", Some(Rule::Name));
        check("a/schema_generated.rs", Some(Rule::Name));
        check("a/api.generated.ts", Some(Rule::Name));
        check("site/app.min.js", Some(Rule::Name));
        check("tests/snapshots/a.snap", Some(Rule::Name));
        check("vendor/github.com/x/y.go", Some(Rule::Folder));
        check("web/node_modules/x/index.js", Some(Rule::Folder));
        check("src/__snapshots__/a.txt", Some(Rule::Folder));
        for path in [
            "src/main.rs",
            "vendor",
            "vendors/a.go",
            "src/vendor.rs",
            "distribution/a.js",
            "src/generated.rs",
            "lock",
            "_generated.rs",
            "src/generated/handwritten_why_not.rs",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn a_marker_counts_only_where_the_base_has_it() {
        let check = |lines: &str, expected: Option<Rule>| {
            let patch =
                format!("diff --git a/a.go b/a.go\nindex 1..2 100644\n--- a/a.go\n+++ b/a.go\n{lines}");
            let patch = parse_patch(patch.as_bytes()).unwrap();
            assert_eq!(rule(&patch.files[0], &|_| None), expected, "{lines}");
        };
        let go = "// Code generated by protoc-gen-go. DO NOT EDIT.";
        check(&format!("@@ -1,2 +1,2 @@\n {go}\n-x\n+y\n"), Some(Rule::Marker));
        check("@@ -1,2 +1,2 @@\n # @generated\n-x\n+y\n", Some(Rule::Marker));
        check(&format!("@@ -1,1 +1,2 @@\n+{go}\n-x\n+y\n"), None);
        check(&format!("@@ -1,2 +1,1 @@\n-{go}\n-x\n+y\n"), None);
        check(&format!("@@ -40,2 +40,2 @@\n {go}\n-x\n+y\n"), None);
        check(&format!("@@ -0,0 +1,2 @@\n+{go}\n+y\n"), None);
    }

    #[test]
    fn attributes_say_more_than_names() {
        let generated = added("src/plain.rs");
        assert_eq!(rule(&generated, &|_| Some(true)), Some(Rule::Attribute));
        assert_eq!(rule(&added("vendor/a.go"), &|_| Some(false)), None);
    }

    #[test]
    fn a_file_that_moves_among_generated_ones_is_shown() {
        let mut moved = added("vendor/a.go");
        moved.old_path = b"src/a.go".to_vec();
        assert_eq!(rule(&moved, &|_| None), None);
        moved.old_path = b"vendor/b.go".to_vec();
        assert_eq!(rule(&moved, &|_| None), Some(Rule::Folder));
    }

    #[test]
    fn naming_a_file_or_its_folder_asks_for_it() {
        let check = |path: &str, asked: &[&str], expected: bool| {
            let asked: Vec<String> = asked.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(
                is_asked_for(path.as_bytes(), &asked),
                expected,
                "{path} {asked:?}"
            );
        };
        check("Cargo.lock", &["Cargo.lock"], true);
        check("vendor/a/b.go", &["vendor"], true);
        check("vendor/a/b.go", &["src", "vendor/a/"], true);
        check("web/vendor/a.go", &["web"], false);
        check("web/Cargo.lock", &["web"], false);
        check("vendored/a.go", &["vendor"], false);
        check("Cargo.lock", &[], false);
    }
}
