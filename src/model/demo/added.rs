//! The lines that a unified diff adds, found anywhere in a prompt.

/// One added line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddedLine<'a> {
    /// The file's path on the new side.
    pub(super) file: &'a str,
    /// The line's number on the new side, from 1.
    pub(super) line: u64,
    /// The line without its mark.
    pub(super) text: &'a str,
}

/// Returns the added lines of every diff in `prompt`, in their order.
///
/// Whatever stands around a diff is skipped: a hunk ends when its header's counts are used up, so that code which
/// looks like a header, and prose which looks like code, are not mistaken for one another.
pub(super) fn parse_added(prompt: &str) -> Vec<AddedLine<'_>> {
    let mut added = Vec::new();
    let mut file = None;
    let mut hunk = Hunk::default();
    for line in prompt.lines() {
        if hunk.old_left == 0 && hunk.new_left == 0 {
            if let Some(path) = line.strip_prefix("+++ ") {
                file = new_side(path);
            } else if let Some(header) = line.strip_prefix("@@ -") {
                hunk = Hunk::parse(header).unwrap_or_default();
            }
            continue;
        }
        match line.as_bytes().first() {
            Some(b'+') => {
                if let Some(file) = file {
                    added.push(AddedLine {
                        file,
                        line: hunk.line,
                        text: &line[1..],
                    });
                }
                hunk.take(0, 1);
            }
            Some(b'-') => hunk.take(1, 0),
            // "No newline at end of file" is about the line before.
            Some(b'\\') => {}
            // An empty line is context whose mark was stripped together with other spaces at line ends.
            Some(b' ') | None => hunk.take(1, 1),
            // The diff was cut: what follows is not part of it.
            Some(_) => hunk = Hunk::default(),
        }
    }
    added
}

/// What is left of a hunk.
#[derive(Debug, Default)]
struct Hunk {
    line: u64,
    old_left: u64,
    new_left: u64,
}

impl Hunk {
    /// Parses a header after its `@@ -`, such as `1,4 +1,6 @@ def page`.
    fn parse(header: &str) -> Option<Self> {
        let (ranges, _) = header.split_once(" @@")?;
        let (old, new) = ranges.split_once(" +")?;
        let count = |range: &str| match range.split_once(',') {
            Some((_, count)) => count.parse().ok(),
            None => Some(1),
        };
        let line = new.split(',').next()?.parse().ok()?;
        Some(Self {
            line,
            old_left: count(old)?,
            new_left: count(new)?,
        })
    }

    fn take(&mut self, old: u64, new: u64) {
        self.old_left = self.old_left.saturating_sub(old);
        self.new_left = self.new_left.saturating_sub(new);
        self.line = self.line.saturating_add(new);
    }
}

/// Returns the path of a `+++` line; nothing for a deleted file.
fn new_side(path: &str) -> Option<&str> {
    let path = path.trim_end();
    (path != "/dev/null").then(|| path.strip_prefix("b/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn added_lines_carry_their_file_and_number() {
        let prompt = "Review this.\n+ not a diff\n@@ nor this @@\n```diff\ndiff --git a/x.py b/x.py\n--- a/x.py\n\
                      +++ b/x.py\n@@ -1,3 +1,4 @@ def f\n one\n-two\n+zwei\n+++ b/y.py\n three\n\
                      @@ -10 +11,2 @@\n ten\n+eleven\n\\ No newline at end of file\n```\n+ outside\n\
                      --- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n\
                      --- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+new\n";
        let added: Vec<_> = parse_added(prompt)
            .into_iter()
            .map(|line| (line.file, line.line, line.text))
            .collect();
        assert_eq!(
            added,
            [
                ("x.py", 2, "zwei"),
                ("x.py", 3, "++ b/y.py"),
                ("x.py", 12, "eleven"),
                ("new.py", 1, "new")
            ]
        );
    }

    proptest! {
        #[test]
        fn any_prompt_is_read_without_a_panic(prompt in "([-+ @\\\\]|@@ -1,2 \\+3,4 @@|\\+\\+\\+ b/x|\n|[0-9a-z]){0,60}") {
            let _ = parse_added(&prompt);
        }
    }
}
