//! What a paid call would send and run.

use serde_json::{Map, Value};

use crate::cli::next_call::quoted;
use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::review;
use crate::cli::render::table::{facts, table};
use crate::domain::count::counted;
use crate::domain::coverage::Coverage;
use crate::domain::envelope::Success;

/// Writes the preview.
pub(super) fn render(success: &Success, page: &mut Page) {
    let none = Map::new();
    let part = |name: &str| success.body.get(name).and_then(Value::as_object).unwrap_or(&none);
    let (send, run) = (part("would_send"), part("would_run"));
    page.wrapped(Style::Bold, &success.summary);
    page.blank();
    let number = |name: &str| send.get(name).and_then(Value::as_u64);
    facts(
        page,
        &[
            (
                "prompt",
                number("prompt_bytes")
                    .zip(number("about_tokens"))
                    .map(|(bytes, tokens)| format!("{bytes} bytes, about {tokens} tokens")),
            ),
            (
                "masked",
                number("masked")
                    .filter(|count| *count > 0)
                    .map(|count| counted(count, "value")),
            ),
            ("withheld", list(send, "withheld")),
            ("directory", text(run, "directory").map(str::to_owned)),
            (
                "not started",
                list(run, "servers_switched_off").map(|names| format!("MCP servers {names}")),
            ),
            ("review", passes(part("plan"))),
            ("plan", text(&success.body, "plan_hash").map(str::to_owned)),
            ("creates", list(&success.body, "creates")),
        ],
    );
    delegate(success, page);
    let files = send.get("files").and_then(Value::as_array);
    let rows: Vec<Vec<String>> = files
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(|file| {
            let bytes = file.get("bytes").map(ToString::to_string).unwrap_or_default();
            vec![
                format!("{bytes:>8}"),
                text(file, "path").unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        page.blank();
        table(page, &["   BYTES", "FILE"], &rows);
        if let Some(more) = number("files_more") {
            page.line(&format!("and {} more", counted(more, "file")));
        }
    }
    let coverage = success.body.get("coverage").cloned();
    if let Some(coverage) = coverage.and_then(|value| serde_json::from_value::<Coverage>(value).ok()) {
        review::coverage(&coverage, page);
    }
    // Where nothing is started here there are no arguments, and the program alone would be no command.
    let arguments = run.get("arguments").and_then(Value::as_array);
    if let (Some(program), Some(arguments)) = (text(run, "program"), arguments) {
        page.blank();
        let mut words = vec![quoted(program)];
        words.extend(arguments.iter().filter_map(Value::as_str).map(quoted));
        page.block("", &words.join(" "));
    }
}

/// How a review would be made.
fn passes(plan: &Map<String, Value>) -> Option<String> {
    let number = |name: &str| plan.get(name).and_then(Value::as_u64);
    let verifier = match text(plan, "verifier")? {
        "none" => "no verifier",
        _ => "and a verifier when there are findings",
    };
    Some(format!(
        "{}: {} x {} = {}, {verifier}",
        text(plan, "depth")?,
        counted(number("parts")?, "part"),
        counted(number("looks")?, "look"),
        counted(number("passes")?, "run"),
    ))
}

/// What a delegate starts from, and its tasks; nothing of another call.
fn delegate(success: &Success, page: &mut Page) {
    let object = |name: &str| success.body.get(name).and_then(Value::as_object);
    let number = |fields: &Map<String, Value>, name: &str| fields.get(name).and_then(Value::as_u64);
    let (Some(baseline), Some(disk)) = (object("baseline"), object("disk")) else {
        return;
    };
    let uncommitted = baseline.get("uncommitted").and_then(Value::as_object);
    facts(
        page,
        &[
            ("starts from", text(baseline, "head").map(str::to_owned)),
            ("uncommitted", uncommitted.and_then(|files| list(files, "first"))),
            ("left alone", list(baseline, "left_out")),
            (
                "disk",
                number(disk, "bytes_of_a_worktree")
                    .zip(number(disk, "new_worktrees_at_most"))
                    .map(|(bytes, new)| match new {
                        0 => "no new worktree".to_owned(),
                        1 => format!("{bytes} bytes for a new worktree"),
                        _ => format!("{bytes} bytes for each of {}", counted(new, "new worktree")),
                    }),
            ),
        ],
    );
    if let Some(cloud) = object("cloud") {
        page.blank();
        let said = |name: &str| text(cloud, name).map(str::to_owned);
        let words = list_of(cloud, "arguments", " ");
        facts(
            page,
            &[
                ("command", words.map(|words| format!("codex {words}"))),
                ("sees", said("sees")),
                ("never sees", said("does_not_see")),
                ("leaves here", said("leaves_this_machine")),
                ("checks run", said("checks_run")),
            ],
        );
    }
    let tasks = success.body.get("tasks").and_then(Value::as_array);
    for task in tasks.into_iter().flatten().filter_map(Value::as_object) {
        page.blank();
        let label = text(task, "label").unwrap_or_default();
        page.styled(Style::Bold, label);
        let sent = task.get("would_send").and_then(Value::as_object);
        facts(
            page,
            &[
                (
                    "prompt",
                    sent.and_then(|sent| number(sent, "prompt_bytes").zip(number(sent, "about_tokens")))
                        .map(|(bytes, tokens)| format!("{bytes} bytes, about {tokens} tokens")),
                ),
                (
                    "attempts",
                    number(task, "attempts")
                        .filter(|count| *count > 1)
                        .map(|count| count.to_string()),
                ),
                ("may change", list(task, "allowed_paths")),
                ("checks", list(task, "checks")),
                ("setup", text(task, "setup").map(str::to_owned)),
                ("links", list(task, "reuse")),
                ("withheld", sent.and_then(|sent| list(sent, "withheld"))),
            ],
        );
    }
}

fn list(fields: &Map<String, Value>, name: &str) -> Option<String> {
    list_of(fields, name, ", ")
}

fn list_of(fields: &Map<String, Value>, name: &str, between: &str) -> Option<String> {
    let items = fields.get(name).and_then(Value::as_array)?;
    let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
    (!words.is_empty()).then(|| words.join(between))
}

/// Says what runs it.
pub(super) fn steps(success: &Success) -> Vec<String> {
    match text(&success.body, "tool") {
        Some(tool) => vec![format!(
            "`crosscheck {tool}` with the same flags runs it; that costs tokens of your account"
        )],
        None => Vec::new(),
    }
}
