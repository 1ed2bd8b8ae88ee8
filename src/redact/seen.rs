//! A text without the characters that nobody sees.

use std::ops::Range;

use crate::domain::visible::is_invisible;

/// What is seen of a text, with the way back to where it stands.
#[derive(Debug)]
pub(super) struct Seen {
    text: String,
    /// Where each run of seen characters begins: here, and in the text it was taken from.
    runs: Vec<(usize, usize)>,
}

impl Seen {
    /// Takes out what shows nothing; `None` when everything is seen, as in nearly every text.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text.is_ascii() || !text.chars().any(is_hidden) {
            return None;
        }
        let mut seen = Self {
            text: String::with_capacity(text.len()),
            runs: vec![(0, 0)],
        };
        for (at, character) in text.char_indices() {
            if is_hidden(character) {
                let next = (seen.text.len(), at + character.len_utf8());
                seen.runs.push(next);
            } else {
                seen.text.push(character);
            }
        }
        Some(seen)
    }

    /// Returns what is seen.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns where a range of it stands, with what is hidden in it; nothing when nothing is.
    pub(super) fn place(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let run = |at: usize| self.runs.partition_point(|(start, _)| *start <= at) - 1;
        let (first, last) = (run(range.start), run(range.end.checked_sub(1)?));
        let place = |run: usize, at: usize| self.runs[run].1 + (at - self.runs[run].0);
        (first != last).then(|| place(first, range.start)..place(last, range.end))
    }
}

/// Control characters are no part of this: lines end with some, and a rule sees them.
fn is_hidden(character: char) -> bool {
    !character.is_ascii() && !character.is_control() && is_invisible(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::rules::examples::body;
    use crate::redact::scan::Redactor;

    #[test]
    fn a_secret_that_is_divided_by_what_nobody_sees_is_masked_whole() {
        for hidden in ["\u{200b}", "\u{ad}", "\u{feff}\u{2060}", "\u{e0041}", "\u{202e}"] {
            let token = ["gh", hidden, "p_", &body(20), hidden, &body(16)].concat();
            let text = format!("é a{hidden}b {token} c{hidden}");
            let masked = Redactor::shared().mask(&text).text;
            assert_eq!(masked, format!("é a{hidden}b [REDACTED:github-token] c{hidden}"));
            assert_eq!(Redactor::shared().mask(&masked).count, 0);
        }
    }

    #[test]
    fn a_text_in_which_nothing_hides_is_not_looked_at_twice() {
        assert!(Seen::of("plain").is_none());
        assert!(Seen::of("ü 漢字 🦀 a\r\n\u{1b}").is_none());
        assert!(Seen::of("a\u{200b}").is_some());
    }
}
