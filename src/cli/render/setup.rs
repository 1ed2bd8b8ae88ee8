//! What a set-up did, and what a host is told.

use serde_json::{Map, Value};

use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::domain::envelope::Success;

/// Writes the steps.
pub(super) fn render(success: &Success, page: &mut Page) {
    page.wrapped(Style::Bold, &success.summary);
    for step in objects(&success.body, "steps") {
        let lines = texts(step, "change");
        if !lines.is_empty() {
            page.blank();
            page.line(text(step, "file").unwrap_or_default());
        }
        for line in lines {
            let style = if line.starts_with('-') {
                Style::Red
            } else {
                Style::Green
            };
            page.styled(style, line);
        }
        if let Some(kept) = text(step, "kept") {
            page.blank();
            page.line(&format!("kept as it was: {kept}"));
        }
        let verb = match text(step, "state") {
            Some("done") => "ran:",
            _ => "would run:",
        };
        for command in texts(step, "commands") {
            page.line(&format!("{verb} {command}"));
        }
    }
}

/// Writes what hosts are told, so that it can be copied.
pub(super) fn entries(success: &Success, page: &mut Page) {
    for entry in objects(&success.body, "entries") {
        page.blank();
        let file = text(entry, "file").unwrap_or_default();
        if let Some(command) = text(entry, "command") {
            page.line("# Claude Code: run this");
            page.line(command);
            page.blank();
            page.line(&format!("# or put this into {file} of a project"));
        } else {
            page.line(&format!("# Codex: put this into {file}"));
        }
        for line in text(entry, "text").unwrap_or_default().lines() {
            page.line(line);
        }
    }
}

fn objects<'a>(body: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    let items = body.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object)
}

fn texts<'a>(step: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    let items = step.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).collect()
}
