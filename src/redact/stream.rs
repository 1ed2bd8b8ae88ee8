//! Secrets of a text that arrives in pieces and is written down as it comes.

use crate::redact::scan::Redactor;

/// Bytes of a line that are held back until what follows them is known. Most secrets are shorter; what no blank divides is
/// held back as a whole.
const HELD: usize = 4 * 1024;
/// Bytes of a line at which a part of it is let go.
const FULL: usize = 32 * 1024;
/// Bytes held back at most. What is longer and has no blank is no message, and is left out.
const MOST: usize = 256 * 1024;

/// What stands for a line of a private key.
const KEY_LINE: &str = "[private key withheld]\n";
/// What stands for a word that is too long to be held back.
const TOO_LONG: &str = "[a word of more than 256 kB left out]";

/// Masks a stream of text. A piece may end anywhere, also in the middle of a secret or of a character.
#[derive(Debug, Default)]
pub struct Stream {
    /// The beginning of a character whose rest has not come.
    partial: Vec<u8>,
    held: String,
    /// Bytes held back when nothing of them could be let go.
    looked_at: usize,
    /// Inside a private key in PEM form, whose lines are no secrets to a look at single lines.
    inside_key: bool,
    /// Inside a word that is left out.
    inside_word: bool,
}

impl Stream {
    /// Takes a piece and returns what may be shown by now.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.decode(bytes);
        let mut shown = String::new();
        if bytes.contains(&b'\n')
            && let Some(end) = self.held.rfind('\n')
        {
            shown = self.release(end + 1);
            self.looked_at = 0;
        }
        // A word without an end is not looked at again for every byte of it.
        if self.held.len() >= FULL + self.looked_at {
            let cut = self.cut();
            self.looked_at = if cut == 0 { self.held.len() } else { 0 };
            shown.push_str(&self.release(cut));
        }
        if self.held.len() >= MOST {
            self.held.clear();
            self.inside_word = true;
            self.looked_at = 0;
            shown.push_str(TOO_LONG);
        }
        shown
    }

    /// Returns what is still held back as it would be shown at the end, and keeps it.
    pub fn rest(&self) -> String {
        let mut rest = Self {
            partial: Vec::new(),
            held: self.held.clone(),
            ..*self
        };
        if !self.partial.is_empty() {
            rest.held.push(char::REPLACEMENT_CHARACTER);
        }
        rest.release(rest.held.len())
    }

    fn decode(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.take(chunk.valid());
            let broken = chunk.invalid();
            if broken.is_empty() {
                continue;
            }
            let may_go_on = chunks.peek().is_none()
                && std::str::from_utf8(broken).is_err_and(|error| error.error_len().is_none());
            if may_go_on {
                self.partial = broken.to_vec();
            } else {
                self.take("\u{fffd}");
            }
        }
    }

    fn take(&mut self, text: &str) {
        let mut text = text;
        if self.inside_word {
            let Some(end) = text.find(char::is_whitespace) else {
                return;
            };
            self.inside_word = false;
            text = &text[end..];
        }
        self.held.push_str(text);
    }

    /// Says up to where a long line may be let go: not within a word, not within what a rule finds, and far enough from
    /// its end that a rule can find what began before.
    fn cut(&self) -> usize {
        let mut cut = self.held.len() - HELD;
        while !self.held.is_char_boundary(cut) {
            cut -= 1;
        }
        cut = self.held[..cut].rfind(char::is_whitespace).map_or(0, |blank| {
            blank + self.held[blank..].chars().next().map_or(1, char::len_utf8)
        });
        for place in Redactor::shared().places(&self.held) {
            if place.start < cut && cut < place.end {
                cut = place.start;
            }
        }
        // A name and its value may lie on both sides of a blank: the words before the cut stay with what follows it.
        let words = self.held[..cut].trim_end().rfind(char::is_whitespace);
        words.map_or(0, |blank| blank).min(cut)
    }

    fn release(&mut self, end: usize) -> String {
        let rest = self.held.split_off(end);
        let part = std::mem::replace(&mut self.held, rest);
        let mut text = String::with_capacity(part.len());
        for line in part.split_inclusive('\n') {
            if self.belongs_to_key(line) {
                text.push_str(KEY_LINE);
            } else {
                text.push_str(line);
            }
        }
        match Redactor::shared().mask_found(&text) {
            Some(masked) => masked.text,
            None => text,
        }
    }

    fn belongs_to_key(&mut self, line: &str) -> bool {
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
            self.inside_key = true;
        }
        let belongs = self.inside_key;
        if line.contains("-----END") {
            self.inside_key = false;
        }
        belongs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redact::rules::examples::body;

    fn token() -> String {
        ["gh", "p_", &body(36)].concat()
    }

    fn masked(text: &[u8], piece: usize) -> String {
        let mut stream = Stream::default();
        let shown: String = text.chunks(piece).map(|piece| stream.push(piece)).collect();
        shown + &stream.rest()
    }

    #[test]
    fn a_secret_that_lies_across_two_pieces_of_a_line_is_masked() {
        for before in [
            0,
            10,
            FULL - 60,
            FULL - 20,
            FULL - HELD - 20,
            2 * FULL - 30,
            70_000,
        ] {
            let filler = "word ".repeat(before / 5) + &"x".repeat(before % 5);
            let line = format!("{filler} {} {}", token(), "more ".repeat(4000));
            let shown = masked(line.as_bytes(), 16 * 1024);
            assert!(!shown.contains(&body(36)[..12]), "{before}");
            assert_eq!(
                shown,
                line.replace(&token(), "[REDACTED:github-token]"),
                "{before}"
            );
        }
    }

    #[test]
    fn the_lines_of_a_private_key_are_withheld_however_they_come() {
        let border = |word: &str| ["-----", word, " RSA ", "PRIVATE", " KEY-----\n"].concat();
        let key = [
            border("BEGIN"),
            body(64),
            "\n".into(),
            body(64),
            "\n".into(),
            border("END"),
        ]
        .concat();
        for piece in [1, 7, 64, 1000] {
            let shown = masked(format!("a\n{key}b\n").as_bytes(), piece);
            assert_eq!(shown, format!("a\n{}b\n", KEY_LINE.repeat(4)), "{piece}");
        }
    }

    #[test]
    fn a_word_without_an_end_takes_no_memory_and_is_told() {
        let mut stream = Stream::default();
        let mut shown = String::new();
        for _ in 0..100 {
            shown.push_str(&stream.push(&[b'x'; 16 * 1024]));
            assert!(stream.held.len() <= MOST + 16 * 1024);
        }
        shown.push_str(&stream.push(b" end\n"));
        assert_eq!(shown, format!("{TOO_LONG} end\n"));
    }

    #[test]
    fn what_is_held_back_is_told_at_the_end() {
        let mut stream = Stream::default();
        assert_eq!(stream.push(b"no line end \xe2\x82"), "");
        assert_eq!(stream.rest(), "no line end \u{fffd}");
        assert_eq!(stream.push(b"\xac"), "");
        assert_eq!(stream.rest(), "no line end \u{20ac}");
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(
            words in proptest::collection::vec(
                prop_oneof![Just(token()), "[a-z ]{0,12}", Just("\n".to_owned()), "\\PC{0,4}", Just("wide ".repeat(2000))],
                0..24,
            ),
            piece in 1_usize..40_000,
        ) {
            let text = words.join(" ");
            let shown = masked(text.as_bytes(), piece);
            prop_assert!(!shown.contains(&token()));
            prop_assert_eq!(shown, text.replace(&token(), "[REDACTED:github-token]"));
        }
    }
}
