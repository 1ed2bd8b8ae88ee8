//! What a file of git attributes says about generated and vendored files.
//!
//! Only the words by which forges leave such files out of their own views are read: `linguist-generated` and
//! `linguist-vendored`. A file of the base is read, never one that the change under review may have written.

use crate::domain::globs::Globs;

/// Lines that are followed; a file with more of them about generated files is not written by people.
const LINES: usize = 200;

/// The lines of one file that speak of generated files, in its order.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<(Globs, bool)>);

impl Attributes {
    /// Reads the file at the top of a repository. What cannot be read as a pattern says nothing.
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let pattern = words
                .next()
                .filter(|word| !word.starts_with(['#', '"', '[', '!']))?;
            let says = words.filter_map(said).next_back()?;
            // A `/` at the beginning ties a pattern to the top, as any other `/` in it does.
            let globs = match pattern.strip_prefix('/') {
                Some(tied) => Globs::new(&[tied.to_owned()]),
                None => Globs::anywhere(&[pattern.to_owned()]),
            };
            Some((globs.ok()?, says))
        });
        Self(lines.take(LINES).collect())
    }

    /// Tells whether a file is generated; `None` where nothing is said of it. The last line that fits decides.
    pub fn of(&self, path: &[u8]) -> Option<bool> {
        let last = self.0.iter().rev().find(|(globs, _)| globs.fit(path));
        last.map(|(_, says)| *says)
    }
}

/// Returns what one word says; `None` where it is about something else.
fn said(word: &str) -> Option<bool> {
    const NAMES: [&str; 2] = ["linguist-generated", "linguist-vendored"];
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, value.eq_ignore_ascii_case("true")),
        None => (word.trim_start_matches(['-', '!']), !word.starts_with(['-', '!'])),
    };
    NAMES.contains(&name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_line_that_fits_decides() {
        let text = b"# linguist-generated\n*.api linguist-generated\n/gen/** linguist-generated=true -text\n\
            gen/own.rs -linguist-generated\nthird/** linguist-vendored=false\n*.txt text\nbad[ linguist-generated\n";
        let attributes = Attributes::parse(text);
        let check = |path: &str, expected: Option<bool>| {
            assert_eq!(attributes.of(path.as_bytes()), expected, "{path}");
        };
        check("a/b.api", Some(true));
        check("gen/x/y.rs", Some(true));
        check("src/gen/x.rs", None);
        check("gen/own.rs", Some(false));
        check("third/a.c", Some(false));
        check("a.txt", None);
        check("src/a.rs", None);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "([*a-z/\\[\\]{}!\\\\ =-]|linguist-generated|\n){0,60}") {
            let _ = Attributes::parse(text.as_bytes()).of(b"a/b.c");
        }
    }
}
