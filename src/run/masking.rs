//! Secrets are masked in what a peer said, after it was read: masking its JSON itself could break it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::answer::{CodeBlock, ConsultAnswer};
use crate::redact::Redactor;

/// Masks the secrets in every text of a value.
///
/// It is done after parsing: masking the peer's JSON itself could break it.
pub fn masked<T: Serialize + DeserializeOwned>(value: T) -> T {
    let Ok(mut tree) = serde_json::to_value(&value) else {
        return value;
    };
    if !mask_tree(&mut tree) {
        return value;
    }
    serde_json::from_value(tree).unwrap_or(value)
}

/// As [`masked`], without a copy of what may have megabytes.
pub(in crate::run) fn masked_consult(mut answer: ConsultAnswer) -> ConsultAnswer {
    let text = std::mem::take(&mut answer.answer);
    let code = std::mem::take(&mut answer.code);
    let mut answer = masked(answer);
    answer.answer = masked_text(text);
    let code = code.into_iter().map(|block| CodeBlock {
        language: masked_text(block.language),
        path: block.path.map(masked_text),
        text: masked_text(block.text),
    });
    answer.code = code.collect();
    answer
}

fn mask_tree(tree: &mut Value) -> bool {
    match tree {
        Value::String(text) => match Redactor::shared().mask_found(text) {
            Some(found) => {
                *text = found.text;
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |any, item| mask_tree(item) | any),
        Value::Object(fields) => fields
            .values_mut()
            .fold(false, |any, field| mask_tree(field) | any),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Masks the secrets of one text that nobody else needs.
pub(in crate::run) fn masked_text(text: String) -> String {
    match Redactor::shared().mask_found(&text) {
        Some(masked) => masked.text,
        None => text,
    }
}

/// Masks the secrets of one text.
pub fn mask(text: &str) -> String {
    Redactor::shared().mask(text).text
}
