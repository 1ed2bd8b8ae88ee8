//! One short hash over everything a client may rely on.

use sha2::{Digest, Sha256};

/// Hashes named parts, in the order given, into 16 hexadecimal characters.
///
/// Each part is written with its length, so moving a byte from one part to the next changes the hash.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in parts {
        for text in [name.as_bytes(), bytes] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    hex(&hash.finalize()[..8])
}

/// Hashes bytes into 64 hexadecimal characters.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Hashes bytes that lie in several pieces into 64 hexadecimal characters.
pub fn sha256_hex_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    pieces.into_iter().for_each(|piece| hash.update(piece));
    hex(&hash.finalize())
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_byte_changes_the_fingerprint() {
        let one = fingerprint([("a", b"bc".as_slice()), ("d", b"".as_slice())]);
        let two = fingerprint([("a", b"b".as_slice()), ("d", b"c".as_slice())]);
        assert_ne!(one, two);
        assert_eq!(one.len(), 16);
    }
}
