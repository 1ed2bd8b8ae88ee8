//! A failure: one line saying what is wrong, one saying what to do.

use crate::cli::next_call::{peer_of, terminal_command};
use crate::cli::render::page::{Page, Style};
use crate::cli::render::spoken::in_terminal_words;
use crate::domain::envelope::Failure;
use crate::domain::peer::Peer;

/// Writes a failure.
pub(super) fn render(failure: &Failure, asked: Peer, page: &mut Page) {
    let peer = peer_of(&failure.meta, asked);
    let error = &failure.error;
    let message = format!("{} ({})", in_terminal_words(&error.message), error.code);
    page.labelled("error:", Style::Red, &message);
    if let Some(allowed) = &error.allowed {
        page.labelled("allowed:", Style::Bold, &allowed.join(", "));
    }
    if let Some(ms) = error.retry_after_ms {
        let text = format!("in {}", crate::domain::time::spoken(ms));
        page.labelled("again:", Style::Bold, &text);
    }
    page.labelled("hint:", Style::Bold, &in_terminal_words(&error.repair.hint));
    let command = error.repair.tool.as_deref().and_then(|tool| {
        let none = serde_json::Map::new();
        terminal_command(tool, error.repair.arguments.as_ref().unwrap_or(&none), peer)
    });
    if let Some(command) = command {
        page.parts(&[(Style::Bold, "try: "), (Style::Plain, &command)]);
    }
    for call in &error.repair.also {
        if let Some(command) = terminal_command(&call.tool, &call.arguments, peer) {
            page.parts(&[(Style::Bold, "or:  "), (Style::Plain, &command)]);
        }
    }
    if let Some(job) = &failure.job {
        let text = format!("{} ({}, {})", job.id, job.kind.as_str(), job.state.as_str());
        page.parts(&[(Style::Bold, "job: "), (Style::Plain, &text)]);
    }
}
