//! The state of things: facts in two columns, and lists as tables.

use serde_json::{Map, Value};

use crate::cli::render::clean;
use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::{facts, table};
use crate::cli::render::tree;
use crate::domain::count::counted;
use crate::domain::envelope::Success;
use crate::domain::time::rfc3339;

/// Writes what was asked.
pub(super) fn render(success: &Success, page: &mut Page) {
    let body = &success.body;
    let style = match body.get("ready").and_then(Value::as_bool) {
        Some(true) => Style::Green,
        Some(false) => Style::Red,
        None => Style::Bold,
    };
    page.wrapped(style, headline(success));
    page.blank();
    let rows = |name: &str, fields: &[&str]| rows(body, name, fields);
    if body.contains_key("ready") {
        overview(body, success.meta.peer.unwrap_or("peer"), page);
    } else if body.contains_key("errors") {
        let rows = rows("errors", &["code", "exit_code", "meaning"]);
        table(page, &["CODE", "EXIT", "MEANING"], &rows);
    } else if body.contains_key("options") {
        let rows = rows("options", &["name", "type", "default", "meaning"]);
        table(page, &["KEY", "VALUE", "DEFAULT", "MEANING"], &rows);
    } else if body.contains_key("repositories") {
        clean::repositories(body, page);
    } else if body.contains_key("settings") {
        super::config::in_force(body, &rows("settings", &["key", "value", "origin"]), page);
    } else if body.contains_key("models") {
        let rows = rows("models", &["id", "default", "efforts"]);
        table(page, &["MODEL", "DEFAULT", "EFFORTS"], &rows);
    } else if let Some(windows) = body.get("quota").and_then(|quota| quota.get("windows")) {
        for window in windows.as_array().into_iter().flatten() {
            page.line(&self::window(window));
        }
    } else if body.contains_key("gate") {
        gate(body, page);
    } else {
        tree::fields(page, 0, body);
    }
}

/// Writes what the gate is set to, and the entries for Codex in a form that can be pasted.
fn gate(body: &Map<String, Value>, page: &mut Page) {
    let mut shown = body.clone();
    let codex = shown.get_mut("gate").and_then(|gate| gate.get_mut("codex"));
    let entries = codex
        .and_then(Value::as_object_mut)
        .and_then(|codex| codex.remove("entries"));
    tree::fields(page, 0, &shown);
    if let Some(text) = entries.and_then(|entries| serde_json::to_string_pretty(&entries).ok()) {
        page.blank();
        page.line("what Codex's file of hooks says for it:");
        page.block("  ", &text);
    }
}

/// The summary repeats the first fix, which stands below anyway.
fn headline(success: &Success) -> &str {
    let summary = success.summary.as_str();
    success
        .next_steps
        .first()
        .filter(|_| success.body.contains_key("ready"))
        .and_then(|fix| summary.strip_suffix(fix.as_str()))
        .map_or(summary, str::trim_end)
}

fn overview(body: &Map<String, Value>, peer: &'static str, page: &mut Page) {
    let none = Map::new();
    let part = |name: &str| body.get(name).and_then(Value::as_object).unwrap_or(&none);
    let (asked, git, state, config) = (part(peer), part("git"), part("state"), part("config"));
    let free = state.get("free_bytes").and_then(Value::as_u64);
    let active = state.get("active_jobs").and_then(Value::as_u64);
    let changed = config.get("changed").and_then(Value::as_array);
    let changed: Vec<String> = changed
        .into_iter()
        .flatten()
        .map(|row| {
            format!(
                "{} = {} ({})",
                cell(row, "key"),
                cell(row, "value"),
                cell(row, "origin")
            )
        })
        .collect();
    facts(
        page,
        &[
            (peer, Some(program(asked)).filter(|text| !text.is_empty())),
            ("login", text(asked, "login").map(login)),
            ("sandbox", asked.get("sandbox").map(either)),
            ("allowance", asked.get("quota").map(|told| quota(told, peer))),
            (
                "git",
                text(git, "version")
                    .map(|version| format!("{version} at {}", text(git, "path").unwrap_or_default()))
                    .or_else(|| text(git, "error").map(str::to_owned)),
            ),
            (
                "repository",
                git.get("repository").filter(|value| !value.is_null()).map(either),
            ),
            ("state", text(state, "directory").map(str::to_owned)),
            ("free", free.map(bytes_spoken)),
            ("active", active.map(|count| counted(count, "job"))),
            ("kept", kept(state)),
            (
                "settings",
                Some(changed.join("; ")).filter(|text| !text.is_empty()),
            ),
            ("config", text(config, "error").map(str::to_owned)),
        ],
    );
}

fn kept(state: &Map<String, Value>) -> Option<String> {
    let bytes = bytes_spoken(state.get("job_bytes")?.as_u64()?);
    let unread = state.get("unread_results")?.as_u64()?;
    Some(format!("{bytes} of jobs, {} unread", counted(unread, "result")))
}

fn bytes_spoken(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{} GB", bytes / 1_000_000_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn program(asked: &Map<String, Value>) -> String {
    if asked.get("found").and_then(Value::as_bool) == Some(false) {
        return text(asked, "error").unwrap_or("not found").to_owned();
    }
    let Some(version) = text(asked, "version") else {
        return String::new();
    };
    let range = text(asked, "range").unwrap_or_default();
    let support = match text(asked, "supported") {
        Some("yes") => format!("tested: {range}"),
        Some("no") => format!("too old: {range} is needed"),
        _ => format!("not tested: {range} is"),
    };
    format!(
        "{version} ({support}) at {}",
        text(asked, "path").unwrap_or_default()
    )
}

fn login(login: &str) -> String {
    match login {
        "chat_gpt" => "with a ChatGPT account",
        "claude_ai" => "with a Claude account",
        "api_key" => "with an API key",
        "logged_out" => "logged out",
        _ => "cannot be told",
    }
    .to_owned()
}

/// Writes a fact that is a text, or an object of one word and the reason behind it.
fn either(value: &Value) -> String {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(word, why)| format!("{word}: {}", tree::plain(why)))
            .collect::<Vec<_>>()
            .join(", "),
        other => tree::plain(other),
    }
}

fn quota(quota: &Value, peer: &str) -> String {
    let windows = quota.get("windows").and_then(Value::as_array);
    match windows {
        Some(windows) if !windows.is_empty() => windows.iter().map(window).collect::<Vec<_>>().join("; "),
        Some(_) => format!("{peer} tells none"),
        None => either(quota),
    }
}

fn window(window: &Value) -> String {
    let number = |name: &str| window.get(name).and_then(Value::as_u64);
    let length = match number("minutes") {
        Some(minutes) if minutes >= 2880 => format!(" of {} days", minutes / 1440),
        Some(minutes) if minutes >= 120 => format!(" of {} hours", minutes / 60),
        Some(minutes) => format!(" of {minutes} minutes"),
        None => String::new(),
    };
    let resets = number("resets_at").map_or_else(String::new, |at| {
        format!(", new at {}", rfc3339(at.saturating_mul(1000)))
    });
    format!("{} % used{length}{resets}", number("used_percent").unwrap_or(0))
}

fn rows(body: &Map<String, Value>, name: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let rows = body.get(name).and_then(Value::as_array);
    rows.into_iter()
        .flatten()
        .map(|row| fields.iter().map(|field| cell(row, field)).collect())
        .collect()
}

fn cell(row: &Value, field: &str) -> String {
    match row.get(field) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(tree::plain).collect::<Vec<_>>().join(", "),
        Some(value) => tree::plain(value),
    }
}

/// What is said to people: the fixes of the overview, the switch of the gate, the way of a route, what a runner needs. What
/// other topics suggest is about tool calls.
pub(super) fn steps(success: &Success) -> Vec<String> {
    if ["ready", "gate", "route", "runners"]
        .iter()
        .any(|name| success.body.contains_key(*name))
    {
        success.next_steps.clone()
    } else {
        Vec::new()
    }
}
