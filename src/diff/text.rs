//! Bytes of a repository as text that hides nothing.
//!
//! A reviewer must see what a person could overlook: control characters, zero-width and bidirectional marks, and bytes
//! that are no UTF-8. They are spelled out: `<U+200B>`, `<0xFF>`. Tabs stay.

use std::fmt::Write as _;

use crate::domain::visible::is_invisible;

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
        if character != '\t' && is_invisible(character) {
            let _ = write!(out, "<U+{:04X}>", u32::from(character));
        } else {
            out.push(character);
        }
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
