//! The proof that a value went through redaction.

use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::redact::files;
use crate::redact::scan::Redactor;

/// A value in which secrets are masked.
///
/// It can only be made by this module tree, so a function that asks for `Redacted<T>` cannot be handed a raw value by
/// mistake. It can be read from disk only by redacting again, which changes nothing: masking is idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Declares a value redacted; only for code of this module tree that has just done it.
    pub(in crate::redact) fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Returns the value, and gives up the proof.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Derives another redacted value from this one.
    ///
    /// `derive` is a plain function, not a closure: it can capture nothing, so its result can hold nothing but what is
    /// in the redacted value and in the program itself.
    pub fn derive<U>(&self, derive: fn(&T) -> U) -> Redacted<U> {
        Redacted(derive(&self.0))
    }

    /// Derives another redacted value with an argument that holds numbers only, such as a range of hunks.
    pub fn derive_with<A: Plain, U>(&self, argument: A, derive: fn(&T, A) -> U) -> Redacted<U> {
        Redacted(derive(&self.0, argument))
    }
}

impl<T> Redacted<Vec<T>> {
    /// Splits a redacted list into redacted items.
    pub fn into_items(self) -> Vec<Redacted<T>> {
        self.0.into_iter().map(Redacted).collect()
    }
}

impl Redacted<String> {
    /// Words of the program itself, which need no redaction.
    pub fn literal(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Joins redacted texts, putting words of the program between them.
    pub fn join<'a>(parts: impl IntoIterator<Item = &'a Self>, between: &'static str) -> Self {
        let parts: Vec<&str> = parts.into_iter().map(Self::as_str).collect();
        Self(parts.join(between))
    }
}

impl<T: Serialize> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// An argument that cannot carry text into a redacted value.
pub trait Plain: sealed::Sealed {}

impl<A: sealed::Sealed> Plain for A {}

mod sealed {
    use super::Range;

    pub trait Sealed {}
    impl Sealed for bool {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
    impl Sealed for usize {}
    impl<A: Sealed> Sealed for Range<A> {}
    impl<A: Sealed> Sealed for Option<A> {}
    impl<A: Sealed, B: Sealed> Sealed for (A, B) {}
    impl<A: Sealed, B: Sealed, C: Sealed> Sealed for (A, B, C) {}
    impl<A: Sealed> Sealed for &[A] {}
    impl<T: Sealed> Sealed for Vec<T> {}
}

/// A redacted text with the account of what was masked in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedText {
    /// The text.
    pub text: Redacted<String>,
    /// How many values were masked.
    pub count: u32,
}

/// A file as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedactedFile {
    /// With its secrets masked.
    Shown(RedactedText),
    /// Not at all: its name or a private key in it says that it is a secret.
    Withheld,
}

/// Masks the secrets of a text.
pub fn redact_text(text: &str) -> Redacted<String> {
    redact_counted(text).text
}

/// Masks the secrets of a text and counts them.
pub fn redact_counted(text: &str) -> RedactedText {
    let masked = Redactor::shared().mask(text);
    RedactedText {
        text: Redacted::new(masked.text),
        count: masked.count,
    }
}

/// Masks the secrets of a file, or withholds it whole. `path` is relative to the workspace.
pub fn redact_file(path: &[u8], text: &str) -> RedactedFile {
    if files::is_secret_path(path) || files::begins_as_secret(text) {
        return RedactedFile::Withheld;
    }
    let masked = Redactor::shared().mask(text);
    if masked.rules.contains(files::PRIVATE_KEY_RULE) {
        return RedactedFile::Withheld;
    }
    RedactedFile::Shown(RedactedText {
        text: Redacted::new(masked.text),
        count: masked.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::rules::examples::body;

    #[test]
    fn a_derived_value_comes_from_the_redacted_one() {
        let text = redact_text("one\ntwo");
        let lines = text.derive(|t| t.lines().map(str::to_owned).collect::<Vec<_>>());
        let items = lines.into_items();
        assert_eq!(items[1].as_str(), "two");
        let cut = text.derive_with(0..3_usize, |t, range| t[range].to_owned());
        assert_eq!(Redacted::join([&cut, &items[1]], "-").as_str(), "one-two");
    }

    #[test]
    fn a_file_is_masked_or_withheld() {
        let token = ["gh", "p_", &body(36)].concat();
        let key = ["-----BEGIN ", "PRIVATE", " KEY-----\n", &body(64), "\n"].concat();
        let shown = RedactedText {
            text: Redacted::literal("a [REDACTED:github-token]"),
            count: 1,
        };
        let check = |path: &str, text: &str, expected| {
            assert_eq!(redact_file(path.as_bytes(), text), expected, "{path}");
        };
        check("a.md", &format!("a {token}"), RedactedFile::Shown(shown));
        check("a.md", &key, RedactedFile::Withheld);
        check("a/.env", "A=1", RedactedFile::Withheld);
    }

    #[test]
    fn a_redacted_value_is_written_as_it_is() {
        let json = serde_json::to_string(&Redacted::literal("plain")).unwrap();
        assert_eq!(json, "\"plain\"");
    }
}
