//! Which characters nobody sees, and a text in which they are spelled out.
//!
//! One list for everything: what is handed to a model, what a host gets and what a terminal prints. A character that is
//! hidden from a person and read by a model carries orders; one that moves a cursor or turns a line around shows a lie.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Tells whether a character shows nothing, or changes how its neighbours are shown. Line ends and tabs are among them.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, grapheme joiner, Arabic letter mark, fillers, inherent vowels, Mongolian selectors.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero-width characters, marks of direction, separators of lines and paragraphs, embeddings and overrides.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // A braille cell without dots, a filler, selectors of a form (the last, of emoji, shows), byte order mark.
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}'
            // Annotations; controls of shorthand, of hieroglyphs and of music.
            | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{13440}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags and further selectors, which can carry a whole hidden text.
            | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Spells out what is invisible, as `<U+202E>`. Line feeds, tabs and the carriage return of a line end stay.
pub fn make_visible(text: &str) -> Cow<'_, str> {
    // Nearly every text is of printable ASCII, and is looked at once and not copied.
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) || byte == b'\n' || byte == b'\t';
    let Some(first) = text.bytes().position(|byte| !plain(byte)) else {
        return Cow::Borrowed(text);
    };
    let is_hidden = |character: char| character != '\n' && character != '\t' && is_invisible(character);
    if !text[first..].contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    let mut rest = text[first..].chars().peekable();
    while let Some(character) = rest.next() {
        let line_end = character == '\r' && rest.peek() == Some(&'\n');
        if is_hidden(character) && !line_end {
            let _ = write!(out, "<U+{:04X}>", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_nobody_sees_is_written_out() {
        let check = |text: &str, expected: &str| assert_eq!(make_visible(text), expected);
        check("plain\ttext\r\nwith é and 漢字", "plain\ttext\r\nwith é and 漢字");
        check("a\u{202e}b\u{200b}c", "a<U+202E>b<U+200B>c");
        check("\u{1b}[31m\rx", "<U+001B>[31m<U+000D>x");
        check("\u{feff}a\u{e0041}", "<U+FEFF>a<U+E0041>");
        check("\u{85}\u{9b}31m", "<U+0085><U+009B>31m");
        check("❤\u{fe0f} \u{fe01}", "❤\u{fe0f} <U+FE01>");
    }

    proptest! {
        #[test]
        fn nothing_invisible_is_left(text in "(\\PC|\\p{C}|[\u{200b}-\u{202e}\r\n\t]){0,40}") {
            let shown = make_visible(&text);
            prop_assert!(!shown.replace("\r\n", "\n").contains(|c| c != '\n' && c != '\t' && is_invisible(c)));
            let again = make_visible(&shown).into_owned();
            prop_assert_eq!(again, shown);
        }
    }
}
