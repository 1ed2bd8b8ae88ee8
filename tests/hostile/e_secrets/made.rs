//! Puts secrets together when the tests run: no tracked file holds anything that looks like one.

const LETTERS: &[u8] = b"qW7eR3tY9uI2oP5aS8dF1gH4jK6lZxX0cVvBbNnMmLkJhGfDsAzQwErTyUiOp";

/// Makes a text from a pattern: `|` is left out, so that no pattern looks like what it makes, and `«b36»` stands for 36
/// letters and digits, `«h32»` for hexadecimal digits, `«u16»` for upper-case letters and digits, `«l43»` for lower-case.
pub(crate) fn made(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('«') {
        let (what, behind) = after.split_once('»').unwrap();
        text.push_str(&before.replace('|', ""));
        let length: usize = what[1..].parse().unwrap();
        text.push_str(&match &what[..1] {
            "b" => pick(LETTERS, length),
            "h" => pick(b"3fa9c07e51d8b264", length),
            "u" => pick(b"QX4M7ZT2KRWC5HJ3YVNP6GBD", length),
            "l" => pick(LETTERS, length).to_lowercase(),
            other => panic!("no letters are called {other}"),
        });
        rest = behind;
    }
    text + &rest.replace('|', "")
}

fn pick(letters: &[u8], length: usize) -> String {
    let mut state = 0x2545_f491_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(letters[(state >> 16) as usize % letters.len()])
        })
        .collect()
}

/// Encodes in base64.
pub(crate) fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for position in 0..4 {
            if position <= group.len() {
                encoded.push(char::from(DIGITS[((bits >> (18 - 6 * position)) & 63) as usize]));
            } else {
                encoded.push('=');
            }
        }
    }
    encoded
}
