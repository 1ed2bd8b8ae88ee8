//! Words for a shell: commands that are shown to be copied.

/// Quotes a word for a POSIX shell when it needs it.
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@=,+%^".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quoted_word_is_one_word_to_a_shell(word in "[^\0]{0,20}") {
            let quoted = quoted(&word);
            let unquoted = if quoted.starts_with('\'') {
                quoted[1..quoted.len() - 1].replace("'\\''", "'")
            } else {
                quoted
            };
            prop_assert_eq!(unquoted, word);
        }
    }
}
