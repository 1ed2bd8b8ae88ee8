//! A finding that a person has decided to live with, for a while and for a stated reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::day::Day;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fingerprint::sha256_hex;
use crate::domain::globs::Globs;

/// Characters of the words that a title must hold at least: shorter ones stand in every other title.
pub const WORDS_MIN: usize = 4;
/// Days that a suppression may hold. What nobody looked at for a year is nobody's decision any more.
pub const DAYS_MAX: u32 = 366;
/// Days that one holds when nobody says how long.
pub const DAYS_DEFAULT: u32 = 90;
/// Hexadecimal digits of a finding's id.
pub const ID_CHARS: usize = 12;
/// Characters of a reason.
pub const REASON_CHARS: usize = 500;

/// Which findings a suppression is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selects {
    /// The finding with this id. An id stands for a file and a line of code, so it fits no other code.
    Id(String),
    /// Findings in these files whose title holds these words. Never a critical one.
    Words {
        /// A glob over the paths from the repository's root.
        path: String,
        /// Words of the title, in this order, whatever their case.
        title: String,
    },
}

/// An entry of `.crosscheck/suppressions.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// What it is about.
    pub selects: Selects,
    /// Why; not blank.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Day,
}

/// Where the word stands that a finding is lived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressedBy {
    /// An entry of the file of suppressions.
    File,
    /// A comment on the line or above it.
    Inline,
}

/// A finding that was found and is lived with. It does not count for the verdict.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Suppressed {
    /// The finding, whole.
    pub finding: Finding,
    /// Where it is said.
    pub by: SuppressedBy,
    /// Why.
    pub reason: String,
    /// The last day on which that holds, as `2026-12-31`.
    #[schemars(with = "String")]
    pub expires: Day,
}

impl Suppression {
    /// Returns a hash of all that it says. Two entries with the same hash decide the same.
    pub fn digest(&self) -> String {
        let selects = match &self.selects {
            Selects::Id(id) => format!("id\0{id}"),
            Selects::Words { path, title } => format!("words\0{path}\0{title}"),
        };
        sha256_hex(format!("suppression\0{selects}\0{}\0{}", self.reason, self.expires).as_bytes())
    }

    /// Tells whether it is about a finding. The day is not looked at.
    pub fn fits(&self, finding: &Finding) -> bool {
        match &self.selects {
            Selects::Id(id) => *id == finding.id,
            Selects::Words { path, title } => {
                // A critical finding is only ever set aside by its own id: words fit what nobody has seen yet.
                finding.severity != Severity::Critical
                    && holds_words(&finding.title, title)
                    && Globs::new(std::slice::from_ref(path))
                        .is_ok_and(|globs| globs.fit(finding.file.as_bytes()))
            }
        }
    }

    /// Tells how it is called among people: its id, or its path and words.
    pub fn name(&self) -> String {
        match &self.selects {
            Selects::Id(id) => id.clone(),
            Selects::Words { path, title } => format!("{path}: {title}"),
        }
    }
}

/// Tells whether a text can be a finding's id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Tells whether words stand in a title one behind the other, whatever their case and what stands between them but letters
/// and digits.
pub fn holds_words(title: &str, words: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (title, words) = (split(title), split(words));
    !words.is_empty() && title.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_found_as_words() {
        let check = |title: &str, words: &str, expected: bool| {
            assert_eq!(holds_words(title, words), expected, "{title:?} {words:?}");
        };
        check("SQL injection in the search", "sql injection", true);
        check("SQL-injection", "sql injection", true);
        check("Unchecked division", "check", false);
        check("an injection of SQL", "sql injection", false);
        check("anything", "", false);
        check("anything", "--", false);
    }

    proptest! {
        #[test]
        fn what_fits_by_words_is_never_critical(title in "[a-z ]{0,30}", words in "[a-z ]{1,10}") {
            let finding: Finding = serde_json::from_value(serde_json::json!({"id": "0123456789ab", "severity": "critical",
                "title": title, "file": "a.rs", "line": 1, "side": "new", "evidence": "", "risk": "",
                "recommendation": "", "anchor": "exact", "basis": "claimed"})).unwrap();
            let suppression = Suppression {
                selects: Selects::Words { path: "**".to_owned(), title: words },
                reason: "r".to_owned(),
                expires: Day::of_ms(0),
            };
            prop_assert!(!suppression.fits(&finding));
            let mild = Finding { severity: Severity::High, ..finding };
            prop_assert_eq!(suppression.fits(&mild), holds_words(&mild.title, match &suppression.selects {
                Selects::Words { title, .. } => title,
                Selects::Id(_) => "",
            }));
        }
    }
}
