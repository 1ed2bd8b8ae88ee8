//! What is kept back beyond our own rules, because the user or the project says so.
//!
//! It only ever takes more away: our own rules are applied first and whatever is said here.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::domain::globs::{BadGlob, Globs};
use crate::redact::redacted::{Redacted, RedactedFile, RedactedText, redact_counted, redact_file};

/// What stands in place of a value that a configured pattern found.
const MARKER: &str = "[REDACTED:configured]";
/// Bytes of one compiled pattern: a counted repetition of a few letters can ask for any amount.
const COMPILED_BYTES: usize = 256 * 1024;

/// Why a list is none. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFurther {
    /// A glob of files.
    #[error("a glob {0}")]
    Glob(BadGlob),
    /// A pattern.
    #[error("a pattern is no regular expression, or too large a one")]
    Pattern,
    /// More patterns than are taken.
    #[error("there are more patterns than are taken")]
    Many,
}

/// Files and values that are kept back because a configuration says so. Paths are relative to the repository's top.
#[derive(Clone, Debug)]
pub struct Further {
    denied: Globs,
    secret: Globs,
    patterns: Vec<Regex>,
}

impl Further {
    /// Patterns of one file of settings.
    pub const PATTERNS: usize = 50;
    /// Bytes of one of them.
    pub const PATTERN_BYTES: usize = 500;

    /// Compiles lists: globs of files that are never sent, of files that are secrets, and expressions of values.
    pub fn new(denied: &[String], secret: &[String], patterns: &[String]) -> Result<Self, BadFurther> {
        // Two files of settings may say so.
        if patterns.len() > 2 * Self::PATTERNS {
            return Err(BadFurther::Many);
        }
        let compile = |pattern: &String| {
            let built = RegexBuilder::new(pattern)
                .size_limit(COMPILED_BYTES)
                .dfa_size_limit(COMPILED_BYTES)
                .nest_limit(50)
                .build();
            built.map_err(|_| BadFurther::Pattern)
        };
        Ok(Self {
            denied: Globs::anywhere(denied).map_err(|(_, why)| BadFurther::Glob(why))?,
            secret: Globs::anywhere(secret).map_err(|(_, why)| BadFurther::Glob(why))?,
            patterns: patterns.iter().map(compile).collect::<Result<_, _>>()?,
        })
    }

    /// Keeps back nothing more.
    pub fn none() -> Self {
        Self::new(&[], &[], &[]).expect("empty lists compile")
    }

    /// Tells whether a file is never sent.
    pub fn is_denied(&self, path: &[u8]) -> bool {
        self.denied.fit(path)
    }

    /// Tells whether a file is a secret.
    pub fn is_secret(&self, path: &[u8]) -> bool {
        self.secret.fit(path)
    }

    /// As [`redact_counted`], and masks the configured patterns.
    pub fn redact_counted(&self, text: &str) -> RedactedText {
        self.finish(redact_counted(text))
    }

    /// As [`crate::redact::redact_text`], and masks the configured patterns.
    pub fn redact_text(&self, text: &str) -> Redacted<String> {
        self.redact_counted(text).text
    }

    /// As [`redact_file`], and withholds and masks what is configured.
    pub fn redact_file(&self, path: &[u8], text: &str) -> RedactedFile {
        if self.is_secret(path) {
            return RedactedFile::Withheld;
        }
        match redact_file(path, text) {
            RedactedFile::Shown(shown) => RedactedFile::Shown(self.finish(shown)),
            RedactedFile::Withheld => RedactedFile::Withheld,
        }
    }

    fn finish(&self, shown: RedactedText) -> RedactedText {
        if self.patterns.is_empty() {
            return shown;
        }
        let mut count = shown.count;
        let text = shown.text.into_inner();
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
            let (masked, values) = self.mask_line(body);
            count = count.saturating_add(values);
            out.push_str(&masked);
            out.push_str(end);
        }
        RedactedText {
            text: Redacted::new(out),
            count,
        }
    }

    /// Masks the patterns in one line. Lines are looked at one by one, so that no mask can swallow a line's number.
    pub(in crate::redact) fn mask_line<'t>(&self, line: &'t str) -> (Cow<'t, str>, u32) {
        let mut masked = Cow::Borrowed(line);
        let mut count = 0_u32;
        for pattern in &self.patterns {
            let mut found = pattern
                .find_iter(&masked)
                .filter(|found| !found.is_empty())
                .peekable();
            if found.peek().is_none() {
                continue;
            }
            let mut out = String::with_capacity(masked.len());
            let mut at = 0;
            for value in found {
                out.push_str(&masked[at..value.start()]);
                out.push_str(MARKER);
                at = value.end();
                count = count.saturating_add(1);
            }
            out.push_str(&masked[at..]);
            masked = Cow::Owned(out);
        }
        (masked, count)
    }

    /// Tells whether there are patterns at all.
    pub(in crate::redact) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn further(patterns: &[&str]) -> Further {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Further::new(&[], &["*.private".to_owned()], &patterns).unwrap()
    }

    #[test]
    fn configured_values_are_masked_line_by_line() {
        let check = |pattern: &str, text: &str, expected: &str, count: u32| {
            let masked = further(&[pattern]).redact_counted(text);
            assert_eq!(
                (masked.text.as_str(), masked.count),
                (expected, count),
                "{pattern}"
            );
        };
        check(
            "ACME-[0-9]+",
            "a ACME-12 b\nACME-3",
            "a [REDACTED:configured] b\n[REDACTED:configured]",
            2,
        );
        check("x*", "axxb", "a[REDACTED:configured]b", 1);
        check(r"(?s)a.*b", "a\nb\n", "a\nb\n", 0);
        check("none", "a\r\nb", "a\r\nb", 0);
    }

    #[test]
    fn configured_files_are_withheld() {
        let further = further(&[]);
        assert_eq!(further.redact_file(b"a/B.Private", "x"), RedactedFile::Withheld);
        assert!(matches!(further.redact_file(b"a/b", "x"), RedactedFile::Shown(_)));
        assert_eq!(Further::none().redact_text("x").as_str(), "x");
    }

    #[test]
    fn a_pattern_that_asks_for_too_much_is_none() {
        for pattern in ["(", "(?:(?:a{1000}){1000}){1000}", r"[\pL]{5000}"] {
            let built = Further::new(&[], &[], &[pattern.to_owned()]);
            assert_eq!(built.err(), Some(BadFurther::Pattern), "{pattern}");
        }
    }
}
