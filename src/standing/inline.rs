//! A comment that says that a finding is lived with: `crosscheck: allow WORD until=2026-12-31 reason=why`.
//!
//! WORD is the id of a finding, or words of its title joined by `-`. The reason goes to the end of the line.

use crate::domain::day::Day;
use crate::domain::finding::{Finding, Severity};
use crate::domain::suppression::{REASON_CHARS, WORDS_MIN, holds_words, is_id};

/// What every such comment holds.
const MARK: &str = "crosscheck: allow ";

/// What a comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    word: String,
    pub(super) until: Day,
    pub(super) reason: String,
}

/// Reads a line. `None` where it holds no such comment, and an error in words where it holds one that says nothing.
pub(super) fn read(line: &str) -> Option<Result<Allowance, &'static str>> {
    let (_, rest) = line.split_once(MARK)?;
    Some(parse(rest))
}

fn parse(rest: &str) -> Result<Allowance, &'static str> {
    let (word, rest) = rest
        .trim_start()
        .split_once(' ')
        .ok_or("it needs until= and reason=")?;
    if word.chars().filter(|c| c.is_alphanumeric()).count() < WORDS_MIN {
        return Err("its word is too short: it would fit every finding");
    }
    let rest = rest
        .trim_start()
        .strip_prefix("until=")
        .ok_or("until= is missing behind its word")?;
    let (until, rest) = rest.split_once(' ').ok_or("reason= is missing")?;
    let until = until
        .parse()
        .map_err(|_| "its until= is no date as in 2026-12-31")?;
    let reason = rest
        .trim_start()
        .strip_prefix("reason=")
        .ok_or("reason= is missing behind its date")?;
    // The end of a comment is not part of what it says.
    let reason = ["*/", "-->", "#}", "%>"]
        .iter()
        .fold(reason.trim(), |text, end| text.trim_end_matches(end).trim_end());
    if reason.is_empty() || reason.chars().count() > REASON_CHARS {
        return Err("its reason is empty or too long");
    }
    Ok(Allowance {
        word: word.to_owned(),
        until,
        reason: reason.to_owned(),
    })
}

impl Allowance {
    /// Tells whether it is about a finding. The day is not looked at.
    pub(super) fn fits(&self, finding: &Finding) -> bool {
        if is_id(&self.word) {
            return self.word == finding.id;
        }
        finding.severity != Severity::Critical && holds_words(&finding.title, &self.word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_read_or_told_what_it_lacks() {
        let check = |line: &str, expected: Option<Result<(&str, &str), &str>>| {
            let read = read(line);
            match (&read, expected) {
                (None, None) => {}
                (Some(Ok(found)), Some(Ok((word, reason)))) => {
                    assert_eq!(
                        (found.word.as_str(), found.reason.as_str()),
                        (word, reason),
                        "{line}"
                    );
                }
                (Some(Err(error)), Some(Err(words))) => assert!(error.contains(words), "{error} {line}"),
                _ => panic!("{read:?} of {line}"),
            }
        };
        check("let a = 1;", None);
        check(
            "// crosscheck: allow unchecked-division until=2026-12-31 reason=never zero here",
            Some(Ok(("unchecked-division", "never zero here"))),
        );
        check(
            "/* crosscheck: allow 0123456789ab until=2026-12-31 reason=known */",
            Some(Ok(("0123456789ab", "known"))),
        );
        check(
            "<!-- crosscheck: allow script until=2026-12-31 reason=ours -->",
            Some(Ok(("script", "ours"))),
        );
        check("# crosscheck: allow", None);
        check("# crosscheck: allow everything", Some(Err("until= and reason=")));
        check(
            "# crosscheck: allow all until=2026-12-31 reason=x",
            Some(Err("too short")),
        );
        check(
            "# crosscheck: allow words until=never reason=x",
            Some(Err("no date")),
        );
        check(
            "# crosscheck: allow words until=2026-12-31 reason=",
            Some(Err("empty")),
        );
        check(
            "# crosscheck: allow words until=2026-12-31",
            Some(Err("reason= is missing")),
        );
        check(
            "# crosscheck: allow words reason=x",
            Some(Err("until= is missing")),
        );
    }
}
