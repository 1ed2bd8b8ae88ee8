//! How random a value looks.

/// Returns the Shannon entropy of a text in bits per byte; 0 for an empty one.
#[expect(
    clippy::cast_precision_loss,
    reason = "values are far shorter than 2^52 bytes"
)]
pub(super) fn bits_per_byte(text: &str) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f64 / total;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_grows_with_the_letters_used() {
        let check = |text: &str, expected: f64| {
            assert!(
                (bits_per_byte(text) - expected).abs() < 1e-9,
                "{text}: {}",
                bits_per_byte(text)
            );
        };
        check("", 0.0);
        check("aaaa", 0.0);
        check("abab", 1.0);
        check("abcd", 2.0);
        check("0123456789abcdef", 4.0);
    }
}
