//! What fits an envelope: measuring a body, and cutting what is too long in it.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::domain::limits;
use crate::peer::transcript::truncate;
use crate::service::shown;

/// Bytes of an envelope that are not the answer: job, meta, steps and warnings.
const AROUND_BYTES: usize = 6 * 1024;
/// Bytes of a body that fits.
pub(super) const ROOM: usize = limits::INLINE_BYTES - AROUND_BYTES;

/// Cuts what is left when the main part was cut already and the rest is still too long: long texts first, then lists.
pub(super) fn shorten_lists(body: &mut Map<String, Value>, room: usize) {
    for (bytes, items) in [(2000, 50), (500, 20), (200, 5)] {
        if json_bytes(body) <= room {
            return;
        }
        for name in [
            "overview",
            "questions",
            "assumptions",
            "report",
            "coverage",
            "findings",
        ] {
            if let Some(value) = body.get_mut(name) {
                cut(value, bytes, items);
            }
        }
    }
}

/// Cuts each text and each list of a value.
pub(super) fn cut(value: &mut Value, bytes: usize, items: usize) {
    match value {
        Value::String(text) if text.len() > bytes => {
            truncate(text, bytes);
            text.push('…');
        }
        Value::Array(list) => {
            list.truncate(items);
            for item in list {
                cut(item, bytes, items);
            }
        }
        Value::Object(map) => map.values_mut().for_each(|item| cut(item, bytes, items)),
        _ => {}
    }
}

/// Says which file holds what an envelope has no room for.
pub(super) fn truncated(whole: usize, file: &Path) -> Value {
    json!({"whole": whole, "file": file.display().to_string()})
}

/// Measures a body as it is sent.
pub(super) fn json_bytes(body: &Map<String, Value>) -> usize {
    shown::json_bytes(body)
}
