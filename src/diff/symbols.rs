//! The names of what a change touches: of the functions and types around its hunks, and of those whose definitions it adds
//! or removes.
//!
//! They tell the reader of one part what else changed. They are found by looking at words, not by parsing: a name too many
//! does no harm, and no language is left out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::diff::patch::{Content, FilePatch, LineKind, Patch};
use crate::diff::render::Run;
use crate::diff::text::shown_path;

/// Names told of one file.
const NAMES: usize = 20;
/// Longest name, in characters: a longer one is no name that anybody calls.
const NAME_CHARS: usize = 60;
/// Words behind which a name is defined.
const WORDS: [&str; 24] = [
    "fn",
    "def",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
    "function",
    "func",
    "type",
    "const",
    "static",
    "mod",
    "module",
    "namespace",
    "macro_rules!",
    "record",
    "protocol",
    "object",
    "union",
    "sub",
    "defp",
    "fun",
    "impl",
];

/// Returns the names that a file's hunks touch, each once, in order.
pub fn names(file: &FilePatch, first: usize, end: usize) -> Vec<String> {
    let Content::Text(hunks) = &file.content else {
        return Vec::new();
    };
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for hunk in hunks.iter().take(end).skip(first) {
        let changed = hunk.lines.iter().filter(|line| line.kind != LineKind::Context);
        let texts = std::iter::once(&hunk.section).chain(changed.map(|line| &line.text));
        for text in texts {
            if names.len() == NAMES {
                return names;
            }
            if let Some(name) = std::str::from_utf8(text).ok().and_then(defined)
                && seen.insert(name.to_owned())
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Lists the names touched by these runs, a line for each file that has some, until `most_bytes` are reached.
pub fn list(patch: &Patch, runs: &[Run], most_bytes: usize) -> String {
    let mut text = String::new();
    for &(index, first, end) in runs {
        let Some(file) = patch.files.get(index) else {
            continue;
        };
        let names = names(file, first, end);
        if names.is_empty() {
            continue;
        }
        let start = text.len();
        let _ = writeln!(text, "{}: {}", shown_path(&file.new_path), names.join(", "));
        if text.len() > most_bytes {
            text.truncate(start);
            text.push_str("...\n");
            break;
        }
    }
    text
}

/// Returns the name that a line defines.
fn defined(line: &str) -> Option<&str> {
    // Definitions stand at the beginning of a line, behind a few words such as `pub`, `export default` and `async`.
    const WORDS_BEFORE: usize = 6;
    let mut words = line.split_whitespace();
    for _ in 0..WORDS_BEFORE {
        let word = words.next()?;
        // A generic `impl<T>` and `fn(` of a type have no name of their own behind the word.
        if WORDS.contains(&word) {
            // The receiver of a method in Go stands before its name.
            let rest = line[word.as_ptr() as usize - line.as_ptr() as usize + word.len()..].trim_start();
            let rest = match rest.strip_prefix('(') {
                Some(receiver) => receiver.split_once(')')?.1.trim_start(),
                None => rest,
            };
            return name_at(rest);
        }
        if !word.chars().all(|c| c.is_alphanumeric() || "_()".contains(c)) {
            return None;
        }
    }
    None
}

fn name_at(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(text.len());
    let name = &text[..end];
    let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$');
    (starts_well && name.chars().count() <= NAME_CHARS).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::parse::parse_patch;
    use proptest::prelude::*;

    #[test]
    fn definitions_are_found_in_the_usual_languages() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(defined(line), expected, "{line}");
        check("pub(crate) async fn read_all<T>(x: T) {", Some("read_all"));
        check("    def __init__(self):", Some("__init__"));
        check("export default class Page extends React {", Some("Page"));
        check("func (s *Server) Start() error {", Some("Start"));
        check("type Config struct {", Some("Config"));
        check("impl Display for Size {", Some("Display"));
        check("public static function make($x)", Some("function"));
        check("const LIMIT: usize = 3;", Some("LIMIT"));
        check("let x = function() {};", None);
        check("return type;", None);
        check("// a fn in a comment", None);
        check("func (", None);
        check("", None);
    }

    #[test]
    fn names_of_hunks_are_listed_by_file_and_bounded() {
        let patch = parse_patch(
            b"diff --git a/a.rs b/a.rs\nindex 1..2 100644\n--- a/a.rs\n+++ b/a.rs\n\
            @@ -9,2 +9,3 @@ fn around() {\n one\n-fn old() {\n+fn new() {\n+fn new() {\n\
            @@ -20,1 +21,1 @@ struct S\n-x\n+y\n",
        )
        .unwrap();
        assert_eq!(list(&patch, &[(0, 0, 2)], 100), "a.rs: around, old, new, S\n");
        assert_eq!(list(&patch, &[(0, 1, 2)], 100), "a.rs: S\n");
        assert_eq!(list(&patch, &[(0, 0, 2), (9, 0, 1)], 10), "...\n");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,60}|(fn|func|impl) *[(]?\\PC{0,20}") {
            let _ = defined(&line);
        }
    }
}
