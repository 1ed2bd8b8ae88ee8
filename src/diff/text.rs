//! Bytes of a repository as text that hides nothing.
//!
//! A reviewer must see what a person could overlook: control characters, zero-width and bidirectional marks, and bytes
//! that are no UTF-8. They are spelled out: `<U+200B>`, `<0xFF>`. Tabs stay.

use std::fmt::Write as _;

/// Returns a path as it is shown everywhere: in a prompt, a finding, a list of omissions.
pub fn shown_path(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    push_shown(&mut text, path);
    text
}

/// Appends bytes to a text with everything invisible spelled out.
pub fn push_shown(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        push_visible(out, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "<0x{byte:02X}>");
        }
    }
}

fn push_visible(out: &mut String, text: &str) {
    // Most lines have nothing to spell out, and are copied whole.
    if text
        .bytes()
        .all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte))
    {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        if is_invisible(character) {
            let _ = write!(out, "<U+{:04X}>", u32::from(character));
        } else {
            out.push(character);
        }
    }
}

/// Tells whether a character shows nothing, or changes how its neighbours are shown.
fn is_invisible(character: char) -> bool {
    match character {
        '\t' => false,
        _ if character.is_control() => true,
        // Soft hyphen, Arabic letter mark, zero-width and directional marks, line and paragraph separators, directional
        // embeddings and isolates, invisible operators, byte order mark, interlinear annotations, fillers,
        // and the tags and variation selectors that can carry a whole hidden text.
        '\u{00ad}'
        | '\u{034f}'
        | '\u{061c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0e}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(shown_path(bytes), expected);
        check(b"plain/path.rs", "plain/path.rs");
        check(b"a\tb", "a\tb");
        check(b"a\nb", "a<U+000A>b");
        check(b"a\x0cb\r", "a<U+000C>b<U+000D>");
        check("ü 漢 🦀".as_bytes(), "ü 漢 🦀");
        check("a\u{202e}b\u{200b}".as_bytes(), "a<U+202E>b<U+200B>");
        check("\u{e0041}".as_bytes(), "<U+E0041>");
        check(b"a\xff\xfeb", "a<0xFF><0xFE>b");
    }
}
