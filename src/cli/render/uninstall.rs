//! What stays on the machine, and what an uninstall does with it.

use serde_json::Value;

use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::domain::envelope::Success;

/// Writes each thing with what comes or came of it, and below it where it lies.
pub(super) fn render(success: &Success, page: &mut Page) {
    page.wrapped(Style::Bold, &success.summary);
    let things = success.body.get("things").and_then(Value::as_array);
    for thing in things.into_iter().flatten().filter_map(Value::as_object) {
        let word = |name| text(thing, name).unwrap_or_default();
        page.blank();
        page.labelled(&format!("{}:", word("what")), Style::Plain, word("done"));
        page.indented("    ", "", Style::Dim, word("path"));
    }
}
