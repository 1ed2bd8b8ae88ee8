//! What apply would do and has done: the files with what deserves a look, conflicts with their lines, and what to type.

use serde_json::{Map, Value};

use crate::cli::render::delegate::mode_name;
use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::table;
use crate::domain::envelope::Success;

/// Writes what would be done, or was done.
pub(super) fn render(success: &Success, page: &mut Page) {
    let body = &success.body;
    let style = match (
        text(body, "applies"),
        body.get("can_land").and_then(Value::as_bool),
    ) {
        (Some("conflicts"), _) => Style::Red,
        (_, Some(false)) => Style::Yellow,
        (_, Some(true)) => Style::Green,
        (_, None) => Style::Bold,
    };
    page.wrapped(style, &success.summary);
    let files = objects(body, "files");
    let rows: Vec<Vec<String>> = files.iter().map(|file| row(file)).collect();
    if !rows.is_empty() {
        page.blank();
        table(page, &["STATE", "CHANGE", "LINES", "FILE"], &rows);
    }
    if let Some(more) = body.get("more_files").and_then(Value::as_u64) {
        page.line(&format!("... and {more} more"));
    }
    if rows.is_empty() {
        for file in strings(body, "files") {
            page.line(&format!("  {file}"));
        }
    }
    let conflicts = objects(body, "conflicts");
    if !conflicts.is_empty() {
        page.blank();
        page.styled(Style::Red, "conflicts:");
        for conflict in conflicts {
            let lines: Vec<String> = objects(conflict, "hunks")
                .iter()
                .map(|hunk| range(hunk))
                .collect();
            let place = if lines.is_empty() {
                String::new()
            } else {
                format!(" at {}", lines.join(", "))
            };
            let reason = text(conflict, "reason").unwrap_or_default();
            let path = text(conflict, "path").unwrap_or_default();
            page.indented("  ", "-", Style::Plain, &format!("{path}{place}: {reason}"));
        }
    }
    let lists = [
        ("also_changes", "renamed files, changed where they are now:"),
        ("refused", "can never land:"),
        ("outside_scope", "outside of what the task may change:"),
        ("needs_naming", "high-risk, each must be named with --file:"),
        ("failed_checks", "failed checks:"),
    ];
    for (name, label) in lists {
        let items = strings(body, name);
        if !items.is_empty() {
            page.blank();
            page.styled(Style::Yellow, label);
            for item in items {
                page.indented("  ", "-", Style::Plain, item);
            }
        }
    }
}

fn row(file: &Map<String, Value>) -> Vec<String> {
    let number = |name: &str| file.get(name).and_then(Value::as_u64);
    let lines = match (number("added"), number("removed")) {
        (Some(added), Some(removed)) => format!("+{added} -{removed}"),
        _ => "binary".to_owned(),
    };
    let mut name = text(file, "path").unwrap_or_default().to_owned();
    if let Some(from) = text(file, "from") {
        name = format!("{from} -> {name}");
    }
    let mut notes = Vec::new();
    // What everybody expects of a new file is not told.
    let is_plain = |mode: &&str| text(file, "kind") == Some("added") && *mode == "100644";
    let mode = text(file, "mode").filter(|mode| !is_plain(mode));
    notes.extend(mode.map(|mode| mode_name(mode).to_owned()));
    notes.extend(text(file, "risk").map(|risk| format!("high risk: {risk}")));
    notes.extend(text(file, "refused").map(|why| format!("refused: {}", why.replace('_', " "))));
    if file.contains_key("outside_scope") {
        notes.push("outside of the task".to_owned());
    }
    if !notes.is_empty() {
        name = format!("{name}  ({})", notes.join("; "));
    }
    vec![
        text(file, "state").unwrap_or_default().replace('_', " "),
        text(file, "kind").unwrap_or_default().to_owned(),
        lines,
        name,
    ]
}

fn range(hunk: &Map<String, Value>) -> String {
    let number = |name: &str| hunk.get(name).and_then(Value::as_u64).unwrap_or(0);
    match (number("line"), number("end_line")) {
        (first, last) if first == last => format!("line {first}"),
        (first, last) => format!("lines {first}-{last}"),
    }
}

fn objects<'a>(body: &'a Map<String, Value>, name: &str) -> Vec<&'a Map<String, Value>> {
    let items = body.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn strings<'a>(body: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    let items = body.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Says what to type next.
pub(super) fn steps(success: &Success) -> Vec<String> {
    let body = &success.body;
    let id = success
        .job
        .as_ref()
        .map(|job| job.id.as_str())
        .unwrap_or_default();
    match (text(body, "action"), text(body, "applies")) {
        (Some("preview"), _) if body.contains_key("command") => {
            vec![format!(
                "`{}` puts it into your files",
                text(body, "command").unwrap_or_default()
            )]
        }
        (Some("preview"), Some("conflicts")) => vec![
            format!("`crosscheck apply {id} --file FILE` looks at the files that fit"),
            format!("`crosscheck apply {id} --branch` makes a branch to merge by hand"),
        ],
        (Some("preview"), Some("clean")) => {
            vec![format!(
                "`crosscheck apply {id} --file FILE` chooses the files that shall land"
            )]
        }
        (Some("land"), _) | (Some("preview"), Some("already")) => {
            vec![format!("`crosscheck undo {id}` takes it out again")]
        }
        (Some("branch" | "discard"), _) => success.next_steps.clone(),
        (Some("undo"), _) => vec![format!(
            "`crosscheck apply {id}` shows the result, which is still there"
        )],
        _ => Vec::new(),
    }
}
