//! What of ours lies on the disk for the user's repositories, and what clean does with it.

use serde_json::{Map, Value};

use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::table;
use crate::domain::envelope::Success;

/// Writes what is there and what goes.
pub(super) fn render(success: &Success, page: &mut Page) {
    page.wrapped(Style::Bold, &success.summary);
    page.blank();
    repositories(&success.body, page);
}

/// Writes one table for each repository.
pub(super) fn repositories(body: &Map<String, Value>, page: &mut Page) {
    for repository in objects(body, "repositories") {
        let bytes = repository.get("bytes").and_then(Value::as_u64).unwrap_or(0);
        let name = text(repository, "repository").unwrap_or("of a repository that is not known");
        page.blank();
        page.parts(&[(Style::Bold, name), (Style::Dim, &format!("  {}", spoken(bytes)))]);
        let rows: Vec<Vec<String>> = ["worktrees", "landings"]
            .into_iter()
            .flat_map(|kind| objects(repository, kind))
            .map(|item| {
                vec![
                    format!("  {}", text(item, "what").unwrap_or_default()),
                    text(item, "state").unwrap_or_default().to_owned(),
                    item.get("bytes")
                        .and_then(Value::as_u64)
                        .map_or_else(|| "-".to_owned(), spoken),
                    text(item, "done").unwrap_or_default().to_owned(),
                    text(item, "job").unwrap_or_default().to_owned(),
                ]
            })
            .collect();
        table(page, &["  WHAT", "STATE", "SIZE", "CLEAN", "JOB"], &rows);
    }
    let groups = objects(body, "groups");
    if !groups.is_empty() {
        page.blank();
        let rows: Vec<Vec<String>> = groups
            .into_iter()
            .map(|group| {
                vec![
                    format!("  {}", text(group, "id").unwrap_or_default()),
                    text(group, "done").unwrap_or_default().to_owned(),
                    text(group, "label").unwrap_or_default().to_owned(),
                ]
            })
            .collect();
        table(page, &["  GROUP", "CLEAN", "ABOUT"], &rows);
    }
}

fn objects<'a>(body: &'a Map<String, Value>, name: &str) -> Vec<&'a Map<String, Value>> {
    let items = body.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn spoken(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!(
            "{}.{} GB",
            bytes / 1_000_000_000,
            bytes % 1_000_000_000 / 100_000_000
        ),
        1_000_000.. => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} kB", bytes.div_ceil(1000)),
    }
}
