//! What an edit changes, as lines for people. Pure.

use crate::redact::Redactor;

/// Lines shown of one edit; an entry has some fifty.
const LINES: usize = 400;

/// Returns the lines that go, with `-`, and those that come, with `+`. Values of others that look like secrets are masked.
pub(super) fn lines(old: &[u8], new: &[u8]) -> Vec<String> {
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let pairs = old.iter().zip(&new);
    let same_first = pairs.take_while(|(a, b)| a == b).count();
    let pairs = old[same_first..].iter().rev().zip(new[same_first..].iter().rev());
    let same_last = pairs.take_while(|(a, b)| a == b).count();
    let gone = &old[same_first..old.len() - same_last];
    let come = &new[same_first..new.len() - same_last];
    let marked = |mark: char, lines: &[&str]| -> Vec<String> {
        let text = Redactor::shared().mask(&lines.join("\n")).text;
        let lines = text.lines().map(|line| format!("{mark}{line}"));
        lines.collect()
    };
    let mut all = marked('-', gone);
    all.extend(marked('+', come));
    if all.len() > LINES {
        let more = all.len() - LINES;
        all.truncate(LINES);
        all.push(format!("... and {more} more lines"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_shown_and_no_secret() {
        let check = |old: &str, new: &str, expected: &[&str]| {
            assert_eq!(lines(old.as_bytes(), new.as_bytes()), expected, "{old} {new}");
        };
        check("a\nb\n", "a\nb\nc\n", &["+c"]);
        check("a\nb\nc", "a\nc", &["-b"]);
        check("a\nb\n", "a\nx\ny\n", &["-b", "+x", "+y"]);
        check("a", "a", &[]);
        check("", "a\n", &["+a"]);
        let token = format!("ghp_{}", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6");
        let shown = lines(format!("KEY = \"{token}\"\n").as_bytes(), b"");
        assert!(!shown.join("").contains(&token), "{shown:?}");
    }
}
