//! Reads base64 leniently: what surrounds it in a file is passed over, and a last group may be cut.

/// Most letters that are decoded. A private key of the largest kind has 22,000.
const LETTERS: usize = 64 * 1024;

/// Decodes the standard and the address-safe alphabet, mixed too. Anything else is passed over.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut bits) = (0_u32, 0_u32);
    for value in text.bytes().filter_map(value).take(LETTERS) {
        group = (group << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((group >> bits) & 0xff).unwrap_or_default());
        }
    }
    bytes
}

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Tells whether a byte belongs to base64.
pub(super) fn is_letter(byte: u8) -> bool {
    value(byte).is_some()
}

/// Encodes with the standard alphabet.
#[cfg(test)]
pub(in crate::redact) fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            if at <= group.len() {
                text.push(char::from(ALPHABET[(number >> (18 - 6 * at)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_between_the_letters_is_passed_over() {
        let check = |text: &str, expected: &[u8]| assert_eq!(decode(text), expected, "{text}");
        check("", b"");
        check("YQ==", b"a");
        check("YWJj", b"abc");
        check("YW\n  Jj", b"abc");
        check("_-8", &[0xff, 0xef]);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(decode(&encode(&bytes)), bytes);
        }
    }
}
