//! One job and many.

use serde_json::{Map, Value};

use crate::cli::next_call::{peer_of, program};
use crate::cli::render::event::event_line;
use crate::cli::render::page::{Page, Style, cut};
use crate::cli::render::table::{facts, table};
use crate::cli::render::tree;
use crate::domain::envelope::Success;
use crate::domain::job::{JobId, JobKind};
use crate::domain::peer::Peer;
use crate::domain::time::spoken;
use crate::domain::usage::Usage;
use crate::peer::event::Event;

/// Columns of a list of jobs before its last one: id, kind, state with its mark, age.
const BEFORE_LABEL: usize = 28 + 2 + 7 + 2 + 10 + 2 + 7 + 2;

/// Writes a job as it stands, with the details that were asked for.
pub(super) fn render(success: &Success, page: &mut Page) {
    let body = &success.body;
    if let Some(Value::String(diff)) = body.get("diff") {
        page.block("", diff);
        super::truncated(body, page);
        return;
    }
    page.wrapped(Style::Bold, &success.summary);
    if let Some(job) = &success.job {
        facts(
            page,
            &[
                ("job", Some(job.id.to_string())),
                ("about", Some(job.label.clone())),
                ("state", Some(job.state.as_str().replace('_', " "))),
                ("doing", job.phase.clone()),
                ("at", job.remote.as_ref().and_then(|remote| remote.url.clone())),
                ("so far", job.state.is_active().then(|| spoken(job.elapsed_ms))),
                (
                    "tokens",
                    job.usage.map(|usage| format!("{} so far", usage.spoken())),
                ),
                (
                    "budget",
                    job.limits.budget_tokens.map(|budget| format!("{budget} tokens")),
                ),
                ("deadline", job.deadline_at.clone()),
                ("kept until", job.expires_at.clone()),
            ],
        );
    }
    for (name, value) in body {
        match (name.as_str(), value) {
            ("events", Value::Array(rows)) => events(rows, page),
            ("stderr", Value::String(text)) if text.trim().is_empty() => {}
            ("legend" | "diff_bytes" | "truncated", _) => {}
            _ => {
                page.blank();
                tree::field(page, 0, name, value);
            }
        }
    }
}

fn events(rows: &[Value], page: &mut Page) {
    if rows.is_empty() {
        return;
    }
    page.blank();
    for row in rows {
        let at = row
            .get("at")
            .and_then(Value::as_str)
            .and_then(millis)
            .unwrap_or(0);
        if let Ok(event) = serde_json::from_value::<Event>(row.clone()) {
            let pass = row.get("pass").and_then(Value::as_u64);
            let pass = pass.and_then(|pass| u32::try_from(pass).ok());
            event_line(page, at, pass, &event);
        }
    }
}

/// Reads the time of day of an instant in UTC; the date is not shown.
fn millis(at: &str) -> Option<u64> {
    let mut parts = at.get(11..19)?.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000)
}

/// Says how to go on with a running job.
pub(super) fn steps(success: &Success) -> Vec<String> {
    match &success.job {
        Some(job) if job.state.is_active() => vec![
            format!("`crosscheck job {} --wait-s 600` waits for the result", job.id),
            format!("`crosscheck logs {} -f` shows what it does", job.id),
            if job.remote.as_ref().is_some_and(|remote| remote.url.is_some()) {
                format!(
                    "`crosscheck cancel {}` follows it no more; the task itself goes on",
                    job.id
                )
            } else {
                format!("`crosscheck cancel {}` ends it", job.id)
            },
        ],
        _ => Vec::new(),
    }
}

/// Writes a list of jobs as a table.
pub(super) fn list(success: &Success, now_ms: u64, page: &mut Page) {
    let rows = success.body.get("jobs").and_then(Value::as_array);
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        page.line(&success.summary);
        return;
    }
    let room = page.width().saturating_sub(BEFORE_LABEL).max(12);
    let lines: Vec<Vec<String>> = rows.iter().map(|row| line(row, now_ms, room)).collect();
    table(page, &["ID", "KIND", "STATE", "AGE", "ABOUT"], &lines);
    if rows.iter().any(is_unread) {
        page.line("* nobody has read the result yet");
    }
}

fn line(row: &Value, now_ms: u64, room: usize) -> Vec<String> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let age = text("id")
        .parse::<JobId>()
        .map(|id| age(now_ms.saturating_sub(id.created_ms())))
        .unwrap_or_default();
    let mark = if is_unread(row) { "*" } else { "" };
    let usage = row.get("usage").cloned();
    let usage = usage.and_then(|usage| serde_json::from_value::<Usage>(usage).ok());
    let about = match text("code") {
        code if code.is_empty() || code == text("state") => match usage {
            Some(usage) => format!("{} tokens: {}", usage.spoken(), text("label")),
            None => text("label").to_owned(),
        },
        code => format!("{code}: {}", text("label")),
    };
    vec![
        text("id").to_owned(),
        text("kind").to_owned(),
        format!("{}{mark}", text("state").replace('_', " ")),
        age,
        cut(&about, room),
    ]
}

fn is_unread(row: &Value) -> bool {
    let active = row
        .get("state")
        .and_then(Value::as_str)
        .is_some_and(|state| matches!(state, "queued" | "running"));
    !active && row.get("fetched").and_then(Value::as_bool) == Some(false)
}

/// Writes an age in one unit: a list is skimmed.
fn age(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Says how to look at one of a list.
pub(super) fn steps_after_list(success: &Success, asked: Peer) -> Vec<String> {
    let rows = success.body.get("jobs").and_then(Value::as_array);
    if rows.is_some_and(|rows| !rows.is_empty()) {
        vec!["`crosscheck job ID` shows one; the beginning of an id is enough".to_owned()]
    } else {
        let program = program(asked);
        vec![format!(
            "`{program} review` or `{program} consult \"...\"` starts one"
        )]
    }
}

/// Writes how a job was ended.
pub(super) fn cancelled(success: &Success, page: &mut Page) {
    page.wrapped(Style::Bold, &success.summary);
    let leaked = success.body.get("leaked").and_then(Value::as_array);
    if let Some(leaked) = leaked.filter(|leaked| !leaked.is_empty()) {
        let numbers: Vec<String> = leaked.iter().map(tree::plain).collect();
        page.labelled(
            "still running:",
            Style::Red,
            &format!("process {}", numbers.join(", ")),
        );
    }
    if let Some(record) = success.body.get("record") {
        page.blank();
        let text = serde_json::to_string_pretty(record).unwrap_or_default();
        page.block("", &text);
    }
    if let Some(left_out) = success.body.get("left_out").and_then(Value::as_array) {
        let names: Vec<String> = left_out.iter().map(tree::plain).collect();
        page.labelled(
            "left out:",
            Style::Yellow,
            &format!("{}, which were read before", names.join(", ")),
        );
    }
}

/// Says how to continue an ended job.
pub(super) fn steps_after_cancel(success: &Success) -> Vec<String> {
    let forgotten = success.body.contains_key("record");
    let program = program(peer_of(&success.meta, Peer::default()));
    match &success.job {
        Some(job) if success.meta.thread.is_some() && !forgotten => vec![match job.kind {
            JobKind::Consult => format!("`{program} consult --resume {} \"Go on.\"` continues it", job.id),
            JobKind::Review => format!("`{program} review --resume {}` continues it", job.id),
            JobKind::Delegate => {
                format!("`{program} delegate --resume {} \"Go on.\"` continues it", job.id)
            }
        }],
        _ => Vec::new(),
    }
}

/// Returns a field as text.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}
