//! One event of a job as a line: when, what, and the words that belong to it.

use crate::cli::render::page::{Page, Style, cut, one_line};
use crate::domain::time::{rfc3339, spoken};
use crate::peer::event::Event;

/// Columns of the word that says what happened.
const WORD: usize = 9;
/// Lines kept of what a command printed; `job ID --detail full` names the file with all of it.
const OUTPUT_LINES: usize = 5;

/// Writes an event.
pub(crate) fn event_line(page: &mut Page, at_ms: u64, pass: Option<u32>, event: &Event) {
    let at = rfc3339(at_ms);
    let time = at.get(11..19).unwrap_or_default();
    let (word, text, style) = words(event);
    // Passes of a review run beside each other, so each line says whose it is.
    let pass = pass.map_or_else(String::new, |pass| format!("[{pass}] "));
    let indent = " ".repeat(time.len() + WORD + 3 + pass.len());
    let head = format!("{time}  {pass}{word:<WORD$} ");
    if matches!(event, Event::Message { .. }) && text.contains('\n') {
        page.parts(&[(Style::Dim, &head)]);
        page.block(&indent, &text);
        return;
    }
    let room = page.width().saturating_sub(head.len()).max(20);
    page.parts(&[(Style::Dim, &head), (style, &cut(&one_line(&text), room))]);
    if let Event::CommandEnded { output, .. } = event {
        let lines: Vec<&str> = output.trim_end().lines().collect();
        for line in &lines[lines.len().saturating_sub(OUTPUT_LINES)..] {
            page.parts(&[(Style::Plain, &indent), (Style::Dim, &cut(&one_line(line), room))]);
        }
    }
}

fn words(event: &Event) -> (&'static str, String, Style) {
    let plain = |word, text: &str| (word, text.to_owned(), Style::Plain);
    match event {
        Event::ThreadStarted { thread } => plain("thread", thread),
        Event::TurnStarted => plain("asked", "the model"),
        Event::Thinking { text } => plain("thinking", text),
        Event::CommandStarted { command } => plain("running", command),
        Event::CommandEnded {
            command, exit_code, ..
        } => match exit_code {
            Some(0) => plain("ran", command),
            Some(code) => ("ran", format!("{command} (exit {code})"), Style::Yellow),
            None => ("declined", command.clone(), Style::Yellow),
        },
        Event::FileChanged { path, kind } => ("changed", format!("{path} ({kind})"), Style::Plain),
        Event::ToolCalled { tool } => plain("called", tool),
        Event::Searched { query } => plain("searched", query),
        Event::Message { text } => plain("said", text),
        Event::Retrying { reason } => ("retrying", reason.clone(), Style::Yellow),
        Event::Stage { what } => ("now", what.clone(), Style::Dim),
        Event::Suspended { slept_ms } => (
            "asleep",
            format!("the machine, for {}", spoken(*slept_ms)),
            Style::Yellow,
        ),
        Event::Warning { text } => ("warning", text.clone(), Style::Yellow),
        Event::Tokens { used } => ("tokens", format!("{} so far", used.spoken()), Style::Dim),
        Event::Cost { usd } => ("cost", format!("{usd:.4} US dollars"), Style::Dim),
        Event::TurnCompleted { thread_usage } => (
            "done",
            thread_usage.map_or_else(String::new, |usage| {
                format!("{} tokens in, {} out in this thread", usage.input, usage.output)
            }),
            Style::Green,
        ),
        Event::TurnFailed { message } => ("failed", message.clone(), Style::Red),
        Event::Unknown { kind } => ("other", kind.clone(), Style::Dim),
    }
}
