//! `.crosscheck/suppressions.toml`: which findings are lived with, why, and until when.
//!
//! ```toml
//! [[suppress]]
//! id = "0123456789ab"
//! reason = "the file is read once at start"
//! expires = 2026-12-31
//!
//! [[suppress]]
//! path = "vendor/**"
//! title = "unchecked division"
//! reason = "not our code; reported upstream"
//! expires = 2026-12-31
//! ```
//!
//! It is read strictly. A text that cannot be read whole suppresses nothing: half of a list of exceptions is not what its
//! writer meant.

use toml::de::{DeTable, DeValue};

use crate::domain::day::Day;
use crate::domain::globs;
use crate::domain::suppression::{DAYS_MAX, REASON_CHARS, Selects, Suppression, WORDS_MIN, is_id};
use crate::standing::text::{line_at, shown};

/// Where the file stands, from the repository's root.
pub const PATH: &str = ".crosscheck/suppressions.toml";
/// Bytes of it. It is written by hand, an entry at a time.
pub const BYTES: u64 = 256 * 1024;
/// Entries of it. Whoever lives with more has a baseline.
pub const ENTRIES: usize = 1000;

/// Keys of an entry.
const KEYS: [&str; 5] = ["id", "path", "title", "reason", "expires"];

/// Says why a text suppresses nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadSuppressions {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, without the value that was rejected.
    pub problem: String,
}

/// Reads the text of the file.
pub fn parse(text: &str) -> Result<Vec<Suppression>, BadSuppressions> {
    let wrong = |at: usize, problem: String| BadSuppressions {
        line: line_at(text, at),
        problem,
    };
    let table = DeTable::parse(text).map_err(|error| {
        // The library's own words may repeat what was written.
        wrong(
            error.span().map_or(0, |span| span.start),
            "this is no TOML".to_owned(),
        )
    })?;
    let mut entries = Vec::new();
    for (name, value) in table.get_ref() {
        let at = name.span().start;
        if name.get_ref() != "suppress" {
            let name = shown(name.get_ref());
            return Err(wrong(
                at,
                format!("`{name}` is no key; the only one is `[[suppress]]`"),
            ));
        }
        let DeValue::Array(items) = value.get_ref() else {
            return Err(wrong(at, "`suppress` is written as `[[suppress]]`".to_owned()));
        };
        if items.len() > ENTRIES {
            return Err(wrong(at, format!("more than {ENTRIES} entries; use a baseline")));
        }
        for item in items {
            let at = item.span().start;
            let DeValue::Table(fields) = item.get_ref() else {
                return Err(wrong(at, "an entry is written as `[[suppress]]`".to_owned()));
            };
            entries.push(entry(fields, at).map_err(|(at, problem)| wrong(at, problem))?);
        }
    }
    Ok(entries)
}

fn entry(fields: &DeTable<'_>, at: usize) -> Result<Suppression, (usize, String)> {
    let mut found: [Option<String>; KEYS.len()] = Default::default();
    for (name, value) in fields {
        let Some(index) = KEYS.iter().position(|key| key == name.get_ref()) else {
            let name_shown = shown(name.get_ref());
            let keys = KEYS.join(", ");
            return Err((
                name.span().start,
                format!("`{name_shown}` is no key of an entry; its keys are {keys}"),
            ));
        };
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) if KEYS[index] == "expires" => date.to_string(),
            _ => return Err((name.span().start, format!("`{}` is a text", KEYS[index]))),
        };
        found[index] = Some(text);
    }
    let [id, path, title, reason, expires] = found;
    let problem = |text: &str| (at, text.to_owned());
    let selects = match (id, path, title) {
        (Some(id), None, None) if is_id(&id) => Selects::Id(id),
        (Some(_), None, None) => {
            return Err(problem(
                "`id` is the id of a finding: 12 hexadecimal digits in lower case",
            ));
        }
        (None, Some(path), Some(title)) => {
            if let Err(error) = globs::check(&path) {
                return Err((at, format!("`path` is no glob: {error}")));
            }
            if title.chars().filter(|c| c.is_alphanumeric()).count() < WORDS_MIN {
                return Err((
                    at,
                    format!("`title` needs at least {WORDS_MIN} letters: fewer fit every finding"),
                ));
            }
            Selects::Words { path, title }
        }
        _ => return Err(problem("an entry has either `id`, or `path` and `title`")),
    };
    let reason = reason.ok_or_else(|| problem("`reason` is missing: say why this is lived with"))?;
    check_reason(&reason).map_err(|text| (at, text))?;
    let expires = expires.ok_or_else(|| problem("`expires` is missing: the last day on which this holds"))?;
    let expires: Day = expires
        .parse()
        .map_err(|error| (at, format!("`expires` is {error}")))?;
    Ok(Suppression {
        selects,
        reason: reason.trim().to_owned(),
        expires,
    })
}

/// Says why a text is no reason.
pub fn check_reason(reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() {
        return Err("`reason` is empty: say why this is lived with".to_owned());
    }
    if reason.chars().count() > REASON_CHARS || reason.chars().any(char::is_control) {
        return Err(format!(
            "`reason` is one line of at most {REASON_CHARS} characters"
        ));
    }
    Ok(())
}

/// Why an entry does not hold on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapsed {
    /// Its last day is over.
    Expired,
    /// Its last day is further away than anybody may decide.
    TooFar,
}

/// Says whether an entry holds on a day.
pub fn holds(expires: Day, today: Day) -> Result<(), Lapsed> {
    if expires < today {
        Err(Lapsed::Expired)
    } else if today.until(expires) > DAYS_MAX {
        Err(Lapsed::TooFar)
    } else {
        Ok(())
    }
}

/// Returns the text of the file with one more entry. What stands in it stays byte for byte.
pub fn appended(text: &str, entry: &Suppression) -> String {
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    out.push_str("[[suppress]]\n");
    match &entry.selects {
        Selects::Id(id) => out.push_str(&format_line("id", &quoted(id))),
        Selects::Words { path, title } => {
            out.push_str(&format_line("path", &quoted(path)));
            out.push_str(&format_line("title", &quoted(title)));
        }
    }
    out.push_str(&format_line("reason", &quoted(&entry.reason)));
    out.push_str(&format_line("expires", &entry.expires.to_string()));
    out
}

fn format_line(key: &str, value: &str) -> String {
    format!("{key} = {value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "[[suppress]]\nid = \"0123456789ab\"\nreason = \"known\"\nexpires = 2026-12-31\n";

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let check = |text: &str, expected: Result<usize, (usize, &str)>| {
            let read = parse(text).map(|entries| entries.len());
            match (read, expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{text}"),
                (Err(error), Err((line, words))) => {
                    assert_eq!(error.line, line, "{error} {text}");
                    assert!(error.problem.contains(words), "{error} {text}");
                }
                (read, expected) => panic!("{read:?} instead of {expected:?} of {text}"),
            }
        };
        check("", Ok(0));
        check(ID, Ok(1));
        check(&ID.replace("2026-12-31", "\"2026-12-31\""), Ok(1));
        check(&format!("{ID}\n{}", ID.replace("ab", "cd")), Ok(2));
        check(
            &ID.replace(
                "id = \"0123456789ab\"",
                "path = \"src/**\"\ntitle = \"sql injection\"",
            ),
            Ok(1),
        );
        check(&format!("{ID}\nnonsense"), Err((6, "no TOML")));
        check(
            &format!("{ID}rules = 1\n"),
            Err((5, "`rules` is no key of an entry")),
        );
        check("[other]\nx = 1\n", Err((1, "`other` is no key")));
        check("suppress = 1\n", Err((1, "[[suppress]]")));
        check(&ID.replace("0123456789ab", "0123"), Err((1, "12 hexadecimal")));
        check(&ID.replace("id =", "path ="), Err((1, "either `id`")));
        check(
            &ID.replace("id = \"0123456789ab\"", "path = \"**\"\ntitle = \"a\""),
            Err((1, "at least 4")),
        );
        check(&ID.replace("known", " "), Err((1, "`reason` is empty")));
        check(
            &ID.replace("reason = \"known\"\n", ""),
            Err((1, "`reason` is missing")),
        );
        check(
            &ID.replace("expires = 2026-12-31\n", ""),
            Err((1, "`expires` is missing")),
        );
        check(&ID.replace("2026-12-31", "\"soon\""), Err((1, "not a date")));
        check(
            &ID.replace("2026-12-31", "2026-12-31T10:00:00Z"),
            Err((1, "not a date")),
        );
        check(&ID.replace("2026-12-31", "7"), Err((4, "`expires` is a text")));
    }

    #[test]
    fn an_entry_holds_for_a_year_at_most() {
        let today: Day = "2026-11-22".parse().unwrap();
        let check = |expires: &str, expected| {
            assert_eq!(holds(expires.parse().unwrap(), today), expected, "{expires}");
        };
        check("2026-11-21", Err(Lapsed::Expired));
        check("2026-11-22", Ok(()));
        check("2027-11-23", Ok(()));
        check("2027-11-24", Err(Lapsed::TooFar));
        check("9999-12-31", Err(Lapsed::TooFar));
    }

    fn any_entry() -> impl Strategy<Value = Suppression> {
        let selects = prop_oneof![
            "[0-9a-f]{12}".prop_map(Selects::Id),
            ("[a-z]{1,5}(/\\*\\*)?", "[a-z\"\\\\é]{0,5}word [a-z' ]{0,9}")
                .prop_map(|(path, title)| Selects::Words { path, title }),
        ];
        (selects, "[^\\p{C}\\p{Z}]{1,30}", 0_u64..40_000).prop_map(|(selects, reason, day)| Suppression {
            selects,
            reason,
            expires: Day::of_ms(day * 86_400_000),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(entries in prop::collection::vec(any_entry(), 0..5)) {
            let text = entries.iter().fold("# by hand".to_owned(), |text, entry| appended(&text, entry));
            prop_assert_eq!(parse(&text).unwrap(), entries);
            prop_assert!(text.starts_with("# by hand"));
        }

        #[test]
        fn no_text_panics(text in "(\\[\\[suppress\\]\\]\n|id = \"|expires = |\\PC|\n|=|\"){0,20}") {
            let _ = parse(&text);
        }
    }
}
