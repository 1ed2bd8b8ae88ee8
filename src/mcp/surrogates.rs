//! Repairs half emoji: escapes of lone surrogates, which JavaScript writes and JSON for UTF-8 cannot hold.
//!
//! A host that cuts a text in the middle of an emoji sends such a half. Refusing the line would lose the whole call.

/// Replaces each escape of a lone surrogate by that of U+FFFD; `None` when there is none.
///
/// Works on the bytes of a line of JSON and keeps its length. Pairs stay as they are.
pub(super) fn repair(line: &[u8]) -> Option<Vec<u8>> {
    let mut repaired: Option<Vec<u8>> = None;
    let mut at = 0;
    while at + 1 < line.len() {
        if line[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(line, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(line, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                repaired.get_or_insert_with(|| line.to_vec())[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            // Any other escape: step over its second character, which may be a backslash itself.
            _ => at += 2,
        }
    }
    repaired
}

/// Reads the escape `\uXXXX` at a place.
fn unit(line: &[u8], at: usize) -> Option<u16> {
    let escape = line.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_halves_are_replaced() {
        let check = |line: &str, expected: Option<&str>| {
            let repaired = repair(line.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(repaired.as_deref(), expected, "{line}");
        };
        check(r#""\ud800""#, Some(r#""\ufffd""#));
        check(r#""\uDC00 x""#, Some(r#""\ufffd x""#));
        check(r#""\ud83d\ude00""#, None);
        check(r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#));
        check(r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#));
        check(r#""\\ud800""#, None);
        check(r#""\\\ud800""#, Some(r#""\\\ufffd""#));
        check(r#""\u00e4\n""#, None);
        check(r#""\ud8"#, None);
        check("\\", None);
    }

    proptest! {
        #[test]
        fn every_utf_16_text_can_be_read_after_the_repair(units in any::<Vec<u16>>()) {
            use std::fmt::Write;
            let mut line = String::from("\"");
            for unit in &units {
                let _ = write!(line, "\\u{unit:04x}");
            }
            line.push('"');
            let repaired = repair(line.as_bytes()).unwrap_or(line.into_bytes());
            let read: String = serde_json::from_slice(&repaired).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }

        #[test]
        fn no_bytes_make_it_panic_or_change_the_length(line in any::<Vec<u8>>()) {
            if let Some(repaired) = repair(&line) {
                prop_assert_eq!(repaired.len(), line.len());
            }
        }
    }
}
