//! JSON that nobody wrote a page for, as an indented outline.

use serde_json::{Map, Value};

use crate::cli::render::page::{Page, Style};

/// Writes the fields of an object.
pub(super) fn fields(page: &mut Page, depth: usize, fields: &Map<String, Value>) {
    for (name, value) in fields {
        field(page, depth, name, value);
    }
}

/// Writes one field.
pub(super) fn field(page: &mut Page, depth: usize, name: &str, value: &Value) {
    let indent = "  ".repeat(depth);
    let label = format!("{}:", name.replace('_', " "));
    match value {
        Value::Object(map) => {
            page.parts(&[(Style::Plain, &indent), (Style::Bold, &label)]);
            fields(page, depth + 1, map);
        }
        Value::Array(items) if items.is_empty() => page.indented(&indent, &label, Style::Bold, "none"),
        Value::Array(items) => {
            page.parts(&[(Style::Plain, &indent), (Style::Bold, &label)]);
            for item in items {
                entry(page, depth + 1, item);
            }
        }
        Value::String(text) if text.trim_end().contains('\n') => {
            page.parts(&[(Style::Plain, &indent), (Style::Bold, &label)]);
            page.block(&format!("{indent}  "), text);
        }
        scalar => page.indented(&indent, &label, Style::Bold, &plain(scalar)),
    }
}

fn entry(page: &mut Page, depth: usize, item: &Value) {
    let indent = "  ".repeat(depth);
    match item {
        Value::Object(map) => {
            let row: Vec<String> = map
                .iter()
                .filter(|(_, value)| !value.is_object() && !value.is_array())
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value)))
                .collect();
            page.indented(&indent, "-", Style::Plain, &row.join(", "));
            for (name, value) in map
                .iter()
                .filter(|(_, value)| value.is_object() || value.is_array())
            {
                field(page, depth + 1, name, value);
            }
        }
        Value::String(text) => page.indented(&indent, "-", Style::Plain, text),
        other => page.indented(&indent, "-", Style::Plain, &plain(other)),
    }
}

/// Writes a scalar without the signs of JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}
