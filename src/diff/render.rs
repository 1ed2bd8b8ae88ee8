//! A patch as text for a prompt.
//!
//! Every content line carries the number that a reviewer should cite, so nobody has to count from a hunk's header:
//!
//! ```text
//! File: src/main.rs (modified)
//! @@ -10,3 +10,3 @@ fn main() {
//!  10|    let name = read()?;
//! -11|    print(name);
//! +11|    println!("{name}");
//!  12|    Ok(())
//! ```
//!
//! The first column is the marker of a unified diff. The number behind it counts on the old side for `-` and on the new
//! side for everything else. Everything invisible is spelled out (see [`crate::diff::text`]). When all lines of a hunk end
//! in a carriage return, the header says `(CRLF)` once and the lines do not repeat it.

use crate::diff::patch::{ChangeKind, Content, FilePatch, Hunk, LineKind, Patch};
use crate::diff::text::{push_shown, shown_path};
use std::fmt::Write as _;

/// How to read the rendered form, for whoever reads it.
pub const LEGEND: &str = "Each line of the change begins with `+` (added), `-` (removed) or a space (unchanged), then its line \
number and a bar. The number of a removed line counts in the old file (side old), every other number in the new file (side new).";

/// The place of a hunk in a patch. A file without hunks is its own hunk 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HunkPlace {
    /// Index into [`Patch::files`].
    pub file: usize,
    /// Index into the file's hunks.
    pub hunk: usize,
}

/// A rendered patch, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// The hunks whose content is in the text, in order. A file whose content cannot be shown is named in the text and
    /// not listed here; one of which only the name or mode changed is.
    pub hunks: Vec<HunkPlace>,
}

/// Renders a whole patch.
pub fn render(patch: &Patch) -> Rendered {
    render_parts(patch, usize::MAX).pop().unwrap_or_default()
}

/// Renders a patch as pieces of at most `max_bytes`, cut between files and hunks; a hunk that is larger by itself is cut
/// between lines and its place stands in each of its pieces. A file's header is repeated in each piece. A single line
/// beyond `max_bytes` is a piece of its own and longer.
pub fn render_parts(patch: &Patch, max_bytes: usize) -> Vec<Rendered> {
    let mut pieces = Pieces {
        max_bytes,
        done: Vec::new(),
        current: Rendered::default(),
        open_file: None,
    };
    for (index, file) in patch.files.iter().enumerate() {
        let header = file_header(file);
        match &file.content {
            Content::Text(hunks) => {
                for (at, hunk) in hunks.iter().enumerate() {
                    let place = HunkPlace {
                        file: index,
                        hunk: at,
                    };
                    pieces.push_hunk(place, &header, hunk);
                }
            }
            content => {
                let place = HunkPlace { file: index, hunk: 0 };
                let place = matches!(content, Content::Unchanged).then_some(place);
                pieces.push_block(index, place, &header, "");
            }
        }
    }
    pieces.finish()
}

/// Consecutive hunks of one file: its index, the first hunk, and the first one behind them. A file without hunks is shown by
/// its header, whatever the hunks.
pub type Run = (usize, usize, usize);

/// Renders runs of hunks in the order given, each under the header of its file; neighbours of one file share theirs.
pub fn render_runs(patch: &Patch, runs: &[Run]) -> String {
    let mut pieces = Pieces {
        max_bytes: usize::MAX,
        done: Vec::new(),
        current: Rendered::default(),
        open_file: None,
    };
    for &(index, first, end) in runs {
        let Some(file) = patch.files.get(index) else {
            continue;
        };
        let header = file_header(file);
        match &file.content {
            Content::Text(hunks) => {
                for (at, hunk) in hunks.iter().enumerate().take(end).skip(first) {
                    let place = HunkPlace {
                        file: index,
                        hunk: at,
                    };
                    pieces.push_hunk(place, &header, hunk);
                }
            }
            _ => pieces.push_block(index, None, &header, ""),
        }
    }
    pieces.current.text
}

/// The pieces so far.
struct Pieces {
    max_bytes: usize,
    done: Vec<Rendered>,
    current: Rendered,
    /// The file whose header stands in the current piece.
    open_file: Option<usize>,
}

impl Pieces {
    fn push_hunk(&mut self, place: HunkPlace, header: &str, hunk: &Hunk) {
        let has_crlf = has_crlf(hunk);
        let mut block = hunk_header(hunk, has_crlf);
        let opening = block.len();
        let mut old = hunk.old_start;
        let mut new = hunk.new_start;
        for line in &hunk.lines {
            let start = block.len();
            let (marker, number) = match line.kind {
                LineKind::Context => (' ', new),
                LineKind::Added => ('+', new),
                LineKind::Removed => ('-', old),
            };
            let _ = write!(block, "{marker}{number}|");
            let text = &line.text[..line.text.len() - usize::from(has_crlf)];
            push_shown(&mut block, text);
            block.push('\n');
            if line.no_newline {
                block.push_str(NO_NEWLINE);
            }
            // A hunk beyond the limit goes out in pieces of whole lines; each says by its numbers where it stands.
            if start > opening && header.len() + block.len() > self.max_bytes {
                let rest = block.split_off(start);
                self.push_block(place.file, Some(place), header, &block);
                block = format!("{}{rest}", continued_header(old, new));
            }
            old = old.saturating_add(u32::from(line.kind != LineKind::Added));
            new = new.saturating_add(u32::from(line.kind != LineKind::Removed));
        }
        self.push_block(place.file, Some(place), header, &block);
    }

    fn push_block(&mut self, file: usize, place: Option<HunkPlace>, header: &str, block: &str) {
        let mut needs_header = self.open_file != Some(file);
        let added = block.len() + if needs_header { header.len() } else { 0 };
        if !self.current.text.is_empty() && self.current.text.len() + added > self.max_bytes {
            self.done.push(std::mem::take(&mut self.current));
            needs_header = true;
        }
        if needs_header {
            self.current.text.push_str(header);
        }
        self.open_file = Some(file);
        self.current.text.push_str(block);
        if let Some(place) = place
            && self.current.hunks.last() != Some(&place)
        {
            self.current.hunks.push(place);
        }
    }

    fn finish(mut self) -> Vec<Rendered> {
        if !self.current.text.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

/// What stands below a last line without a line feed.
pub(super) const NO_NEWLINE: &str = "\\ No newline at end of file\n";

/// Tells whether all lines of a hunk end in a carriage return.
pub(super) fn has_crlf(hunk: &Hunk) -> bool {
    !hunk.lines.is_empty() && hunk.lines.iter().all(|line| line.text.ends_with(b"\r"))
}

/// Returns `File: path (modified)` with everything else that is known without the content.
pub(super) fn file_header(file: &FilePatch) -> String {
    let mut notes: Vec<String> = Vec::new();
    notes.push(
        match file.kind {
            ChangeKind::Added if file.untracked => "added, untracked",
            ChangeKind::Added => "added",
            ChangeKind::Deleted => "deleted",
            ChangeKind::Modified => "modified",
            ChangeKind::Renamed => "renamed",
            ChangeKind::Copied => "copied",
            ChangeKind::TypeChanged => "type changed",
        }
        .to_owned(),
    );
    if matches!(file.kind, ChangeKind::Renamed | ChangeKind::Copied) {
        notes.push(format!("from {}", shown_path(&file.old_path)));
    }
    match (file.old_mode, file.new_mode) {
        (Some(old), Some(new)) if old != new => notes.push(format!("mode {old:o} to {new:o}")),
        (None, Some(new)) if new != REGULAR => notes.push(format!("mode {new:o}")),
        _ => {}
    }
    match file.content {
        Content::Text(_) => {}
        Content::Unchanged if file.kind == ChangeKind::Added || file.kind == ChangeKind::Deleted => {
            notes.push("empty".to_owned());
        }
        Content::Unchanged => notes.push("content unchanged".to_owned()),
        Content::Binary => notes.push("binary, not shown".to_owned()),
        Content::Submodule => notes.push("submodule pointer, not shown".to_owned()),
        Content::TooLarge { bytes } => notes.push(format!("{bytes} bytes, too large to show")),
        Content::Generated => notes.push("generated, not shown".to_owned()),
        Content::Special => notes.push("not a regular file, not shown".to_owned()),
        Content::Unreadable => notes.push("not readable".to_owned()),
    }
    format!("File: {} ({})\n", shown_path(&file.new_path), notes.join(", "))
}

/// The mode that needs no mention.
const REGULAR: u32 = 0o100_644;

pub(super) fn hunk_header(hunk: &Hunk, has_crlf: bool) -> String {
    let mut header = format!(
        "@@ -{},{} +{},{} @@",
        hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines
    );
    if has_crlf {
        header.push_str(" (CRLF)");
    }
    let section = hunk.section.strip_suffix(b"\r").unwrap_or(&hunk.section);
    if !section.is_empty() {
        header.push(' ');
        push_shown(&mut header, section);
    }
    header.push('\n');
    header
}

fn continued_header(old: u32, new: u32) -> String {
    format!("@@ -{old} +{new} @@ (continued)\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::{added_file, untracked_file};
    use crate::diff::parse::parse_patch;
    use proptest::prelude::*;

    const PATCH: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n\
        @@ -9,3 +9,4 @@ fn f() {\n one\n-two\n+zwei\n+drei\u{200b}\n three\n";

    fn patch() -> Patch {
        parse_patch(PATCH.as_bytes()).unwrap()
    }

    #[test]
    fn every_line_carries_its_number_on_its_side() {
        assert_eq!(
            render(&patch()).text,
            "File: src/a.rs (modified)\n@@ -9,3 +9,4 @@ fn f() {\n 9|one\n-10|two\n+10|zwei\n+11|drei<U+200B>\n 12|three\n"
        );
    }

    #[test]
    fn carriage_returns_are_said_once_unless_they_differ() {
        let render_of = |text: &[u8]| {
            render(&Patch {
                files: vec![added_file(b"f", 0o100_644, text)],
            })
            .text
        };
        assert_eq!(
            render_of(b"a\r\nb\r\n"),
            "File: f (added, untracked)\n@@ -0,0 +1,2 @@ (CRLF)\n+1|a\n+2|b\n"
        );
        assert_eq!(
            render_of(b"a\r\nb"),
            "File: f (added, untracked)\n@@ -0,0 +1,2 @@\n+1|a<U+000D>\n+2|b\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn files_without_lines_are_named_with_the_reason() {
        let check = |content: Content, expected: &str, hunks: usize| {
            let rendered = render(&Patch {
                files: vec![untracked_file(b"a\nb", Some(0o100_755), content)],
            });
            assert_eq!(
                rendered.text,
                format!("File: a<U+000A>b (added, untracked, mode 100755, {expected})\n")
            );
            assert_eq!(rendered.hunks.len(), hunks);
        };
        check(Content::Binary, "binary, not shown", 0);
        check(Content::Special, "not a regular file, not shown", 0);
        check(Content::TooLarge { bytes: 12 }, "12 bytes, too large to show", 0);
        check(Content::Unchanged, "empty", 1);
    }

    #[test]
    fn a_large_hunk_is_cut_between_lines_and_keeps_its_numbers() {
        let parts = render_parts(&patch(), 62);
        let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "File: src/a.rs (modified)\n@@ -9,3 +9,4 @@ fn f() {\n 9|one\n",
                "File: src/a.rs (modified)\n@@ -10 +10 @@ (continued)\n-10|two\n",
                "File: src/a.rs (modified)\n@@ -11 +10 @@ (continued)\n+10|zwei\n",
                "File: src/a.rs (modified)\n@@ -11 +11 @@ (continued)\n+11|drei<U+200B>\n",
                "File: src/a.rs (modified)\n@@ -11 +12 @@ (continued)\n 12|three\n",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_lost_whatever_the_limit(
            files in prop::collection::vec("[a-z \r\n]{1,60}", 1..5),
            max_bytes in 1_usize..300,
        ) {
            let patch = Patch {
                files: files
                    .iter()
                    .enumerate()
                    .map(|(at, text)| added_file(format!("f{at}").as_bytes(), 0o100_644, text.as_bytes()))
                    .collect(),
            };
            let contents = |text: &str| -> Vec<String> {
                text.lines().filter(|line| line.starts_with('+')).map(str::to_owned).collect()
            };
            let whole = render(&patch);
            let parts = render_parts(&patch, max_bytes);
            let joined: Vec<String> = parts.iter().flat_map(|part| contents(&part.text)).collect();
            prop_assert_eq!(contents(&whole.text), joined);
            let mut hunks: Vec<HunkPlace> = parts.iter().flat_map(|part| part.hunks.clone()).collect();
            hunks.dedup();
            prop_assert_eq!(&whole.hunks, &hunks);
            let lines: usize = patch.files.iter().map(|file| match &file.content {
                Content::Text(hunks) => hunks.iter().map(|hunk| hunk.lines.len()).sum(),
                _ => 0,
            }).sum();
            prop_assert_eq!(contents(&whole.text).len(), lines);
            for part in &parts {
                let rows = part.text.lines().filter(|line| line.starts_with('+')).count();
                prop_assert!(part.text.len() <= max_bytes || rows <= 1, "{}", part.text);
            }
        }
    }
}
