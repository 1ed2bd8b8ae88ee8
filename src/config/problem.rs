//! What is wrong with a file of settings, and where.

use serde::Serialize;

use crate::diff::text::shown_path;
use crate::redact::redact_text;

/// Problems told of one file; whoever made more has to look at the whole of it anyway.
pub(super) const TOLD: usize = 50;
/// Characters of a key that are repeated. Ours are shorter; a longer one may be something else.
const KEY_CHARS: usize = 60;

/// One mistake in a file, without the value that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The key, where it is known; control characters are spelled out and secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong, as a sentence without its period.
    pub message: String,
    /// The keys that would have been right in this place, or nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub valid: Vec<&'static str>,
}

/// Returns a key as it may be shown: it was written by whoever wrote the file.
pub(super) fn shown_key(key: &str) -> String {
    let shown = redact_text(&shown_path(key.as_bytes())).into_inner();
    if shown.chars().count() <= KEY_CHARS {
        return shown;
    }
    let cut: String = shown.chars().take(KEY_CHARS).collect();
    format!("{cut}…")
}
