//! The contract check: each thing that is relied on, and what came of trying it.

use serde_json::Value;

use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::table;
use crate::domain::envelope::Success;

/// Writes the checks.
pub(super) fn render(success: &Success, page: &mut Page) {
    let style = match success.body.get("passed").and_then(Value::as_bool) {
        Some(false) => Style::Red,
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
            let outcome = text(check, "outcome").unwrap_or_default().replace('_', " ");
            let guarantee = text(check, "guarantee").unwrap_or_default();
            let words = match text(check, "seen").or(text(check, "why")) {
                Some(why) => format!("{guarantee} ({why})"),
                None => guarantee.to_owned(),
            };
            vec![outcome, text(check, "name").unwrap_or_default().to_owned(), words]
        })
        .collect();
    table(page, &["OUTCOME", "CHECK", "WHAT IT GUARANTEES"], &rows);
}
