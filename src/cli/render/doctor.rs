//! What the doctor found: a line for each thing, and what is to be done.

use serde_json::Value;

use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::table;
use crate::domain::envelope::Success;

/// Writes the findings.
pub(super) fn render(success: &Success, page: &mut Page) {
    let style = match text(&success.body, "state") {
        Some("broken") => Style::Red,
        Some("attention") => Style::Yellow,
        _ => Style::Green,
    };
    page.wrapped(style, &success.summary);
    page.blank();
    let checks = success.body.get("checks").and_then(Value::as_array);
    let rows: Vec<Vec<String>> = checks
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(|check| {
            ["state", "name", "says"]
                .map(|name| text(check, name).unwrap_or_default().to_owned())
                .to_vec()
        })
        .collect();
    table(page, &["STATE", "CHECK", "WHAT WAS SEEN"], &rows);
}
