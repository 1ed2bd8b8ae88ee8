//! The lines that a change adds, found anywhere in a prompt that holds a rendered patch.
//!
//! The form is that of [`crate::diff::render`]: `File: path (kind)`, then hunks of numbered lines.

/// One added line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddedLine<'a> {
    /// The file's path.
    pub(super) file: &'a str,
    /// The line's number on the new side, as it is written before the line.
    pub(super) line: u64,
    /// The line without its mark and number.
    pub(super) text: &'a str,
}

/// Returns the added lines of every rendered patch in `prompt`, in their order.
///
/// A line counts only within a hunk below a file's header. A hunk ends at the first line that is no numbered line, so
/// that prose around the patch is never taken for code.
pub(super) fn parse_added(prompt: &str) -> Vec<AddedLine<'_>> {
    let mut added = Vec::new();
    let mut place = Place::Outside;
    for line in prompt.lines() {
        place = match (place, Row::parse(line)) {
            (_, Row::File(file)) => Place::File(file),
            (Place::Hunk(file), Row::Added(line, text)) => {
                added.push(AddedLine { file, line, text });
                Place::Hunk(file)
            }
            (Place::File(file) | Place::Hunk(file), Row::Hunk) | (Place::Hunk(file), Row::Other) => {
                Place::Hunk(file)
            }
            (Place::Outside | Place::File(_) | Place::Hunk(_), _) => Place::Outside,
        };
    }
    added
}

/// Where a line stands.
enum Place<'a> {
    /// Not in a patch.
    Outside,
    /// Below the header of this file.
    File(&'a str),
    /// In a hunk of this file.
    Hunk(&'a str),
}

/// What a line is.
enum Row<'a> {
    /// A file's header.
    File(&'a str),
    /// A hunk's header.
    Hunk,
    /// An added line with its number.
    Added(u64, &'a str),
    /// A removed or an unchanged line, or the note about a missing line end.
    Other,
    /// Nothing of a patch.
    Prose,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Self {
        if let Some(header) = line.strip_prefix("File: ") {
            // The notes behind the path are in brackets; a path may hold some itself.
            return header
                .strip_suffix(')')
                .and_then(|header| header.rsplit_once(" ("))
                .map_or(Self::Prose, |(path, _)| Self::File(path));
        }
        if line.starts_with("@@ -") {
            return Self::Hunk;
        }
        if line.starts_with("\\ ") {
            return Self::Other;
        }
        let numbered = |rest: &'a str| {
            let (number, text) = rest.split_once('|')?;
            Some((number.parse::<u64>().ok()?, text))
        };
        match (line.strip_prefix('+'), line.strip_prefix(['-', ' '])) {
            (Some(rest), _) => numbered(rest).map_or(Self::Prose, |(number, text)| Self::Added(number, text)),
            (None, Some(rest)) => numbered(rest).map_or(Self::Prose, |_| Self::Other),
            (None, None) => Self::Prose,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_added_lines_of_hunks_are_found_with_the_numbers_written_there() {
        let prompt = "+1|prose\nFile: x.py (modified)\n+2|before any hunk\nFile: x.py (modified)\n\
                      @@ -1,2 +1,3 @@ def f():\n 1|one\n-2|two\n+2|zwei\n+3|+4|five\n\\ No newline at end of file\n\
                      @@ -10 +11,2 @@\n 11|ten\n+12|File: y.py (modified)\nprose\n+13|outside\n\
                      File: old (2).py (deleted)\n@@ -1,1 +0,0 @@\n-1|gone\n\
                      File: new (2).py (added, untracked)\n@@ -0,0 +1,1 @@\n+1|new\nnonce DATA>>>\n+2|not code\n";
        let added: Vec<_> = parse_added(prompt)
            .into_iter()
            .map(|line| (line.file, line.line, line.text))
            .collect();
        assert_eq!(
            added,
            [
                ("x.py", 2, "zwei"),
                ("x.py", 3, "+4|five"),
                ("x.py", 12, "File: y.py (modified)"),
                ("new (2).py", 1, "new"),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_prompt_is_read_without_a_panic(prompt in "([-+ @\\\\|]|@@ -1,2 \\+3,4 @@|File: x \\(y\\)|\n|[0-9a-z]){0,60}") {
            let _ = parse_added(&prompt);
        }
    }
}
