//! Lines and texts of the files that people write.

use crate::diff::text::shown_path;
use crate::redact::redact_text;

/// Characters of a key or a name that are repeated to whoever reads what is wrong.
const SHOWN_CHARS: usize = 60;

/// Returns the line, from 1, on which a byte of a text stands.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count().max(1)
}

/// Returns what somebody wrote as it may be shown to others: short, visible, and with no secret in it.
pub(super) fn shown(text: &str) -> String {
    let shown = redact_text(&shown_path(text.as_bytes())).into_inner();
    if shown.chars().count() <= SHOWN_CHARS {
        return shown;
    }
    let cut: String = shown.chars().take(SHOWN_CHARS).collect();
    format!("{cut}…")
}
