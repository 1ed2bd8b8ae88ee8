//! Texts that are written for callers of tools, in the words of the terminal.

/// Returns the text with a tool's parameters as the flags and commands that mean the same here.
pub(super) fn in_terminal_words(text: &str) -> String {
    let text = worded(text, "options.", |key| format!("--option {key}"));
    worded(&text, "call status with topic=", |topic| {
        format!("run `crosscheck status --topic {topic}`")
    })
}

/// Replaces a lead and the word right after it. A lead without a word, or inside of another word, stays as it is.
fn worded(text: &str, lead: &str, replace: impl Fn(&str) -> String) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(lead) {
        let (before, found) = rest.split_at(at);
        let after = &found[lead.len()..];
        let end = after
            .find(|letter: char| !letter.is_ascii_lowercase() && letter != '_')
            .unwrap_or(after.len());
        words.push_str(before);
        if end == 0 || before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            words.push_str(lead);
            rest = after;
        } else {
            words.push_str(&replace(&after[..end]));
            rest = &after[end..];
        }
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use super::in_terminal_words;

    #[test]
    fn parameters_are_told_as_flags() {
        let check = |text: &str, expected: &str| assert_eq!(in_terminal_words(text), expected);
        check(
            "with a larger options.timeout_s, or without",
            "with a larger --option timeout_s, or without",
        );
        check("`options.network` needs it", "`--option network` needs it");
        check(
            "call status with topic=models and repeat",
            "run `crosscheck status --topic models` and repeat",
        );
        check("the options. Adoptions.x stay", "the options. Adoptions.x stay");
        check("", "");
    }
}
