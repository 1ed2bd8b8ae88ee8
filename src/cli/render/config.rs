//! Settings: the rows in force, what a project's file does to them, and the mistakes in files.

use serde_json::{Map, Value};

use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::{facts, table};
use crate::cli::render::tree;
use crate::domain::envelope::Success;

/// Writes the settings in force.
pub(super) fn in_force(body: &Map<String, Value>, rows: &[Vec<String>], page: &mut Page) {
    facts(page, &[("file", text(body, "file").map(str::to_owned))]);
    page.blank();
    table(page, &["SETTING", "VALUE", "FROM"], rows);
    if let Some(project) = body.get("project").and_then(Value::as_object) {
        page.blank();
        self::project(project, page);
    }
    let rows = cells(body.get("no_say"), &["path", "why"]);
    if !rows.is_empty() {
        page.blank();
        table(page, &["OF THE REPOSITORY", "NO SAY HERE"], &rows);
    }
    page.blank();
    if let Some(never) = body.get("never") {
        tree::field(page, 0, "never", never);
    }
}

fn project(project: &Map<String, Value>, page: &mut Page) {
    let narrows = project.get("narrows").and_then(Value::as_array);
    let narrows = narrows.map(|keys| keys.iter().map(tree::plain).collect::<Vec<_>>().join(", "));
    facts(
        page,
        &[
            ("project", text(project, "file").map(str::to_owned)),
            ("sets", narrows.filter(|keys| !keys.is_empty())),
            ("error", text(project, "error").map(str::to_owned)),
        ],
    );
    let rows = cells(project.get("ignored"), &["line", "message"]);
    table(page, &["LINE", "IGNORED"], &rows);
    if let Some(more) = project
        .get("ignored_more")
        .and_then(Value::as_u64)
        .filter(|more| *more > 0)
    {
        page.line(&format!("and {more} more"));
    }
}

/// Writes what a look for mistakes found.
pub(super) fn checked(success: &Success, page: &mut Page) {
    let style = match success.body.get("valid").and_then(Value::as_bool) {
        Some(false) => Style::Red,
        _ => Style::Green,
    };
    page.wrapped(style, &success.summary);
    let files = success.body.get("files").and_then(Value::as_array);
    for file in files.into_iter().flatten().filter_map(Value::as_object) {
        page.blank();
        let name = text(file, "file").unwrap_or("no file");
        let note = match (file.get("exists").and_then(Value::as_bool), text(file, "whose")) {
            (Some(false), _) => "  is not there, which is fine",
            (_, Some("project")) => "  the project's, which can only narrow",
            _ => "  yours",
        };
        page.parts(&[(Style::Bold, name), (Style::Dim, note)]);
        let with_keys = |problem: &Value| {
            let field = |name| problem.get(name).map(tree::plain).unwrap_or_default();
            let valid = problem.get("valid").and_then(Value::as_array);
            let valid = valid.map(|keys| keys.iter().map(tree::plain).collect::<Vec<_>>().join(", "));
            let message = match valid {
                Some(keys) if !keys.is_empty() => format!("{}; the keys here are {keys}", field("message")),
                _ => field("message"),
            };
            let line = problem
                .get("line")
                .and_then(Value::as_u64)
                .filter(|line| *line > 0);
            vec![
                line.map_or_else(|| "-".to_owned(), |line| line.to_string()),
                message,
            ]
        };
        for (name, heading) in [("problems", "MISTAKE"), ("ignored", "IGNORED")] {
            let found = file.get(name).and_then(Value::as_array);
            let rows: Vec<Vec<String>> = found.into_iter().flatten().map(with_keys).collect();
            table(page, &["LINE", heading], &rows);
        }
    }
    let rows = cells(success.body.get("variables"), &["name", "message"]);
    if !rows.is_empty() {
        page.blank();
        table(page, &["VARIABLE", "REMARK"], &rows);
    }
}

fn cells(list: Option<&Value>, fields: &[&str]) -> Vec<Vec<String>> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .map(|item| {
            let cell = |field: &&str| item.get(*field).map(tree::plain).unwrap_or_default();
            fields.iter().map(cell).collect()
        })
        .collect()
}
