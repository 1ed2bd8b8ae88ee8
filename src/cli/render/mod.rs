//! Envelopes as people read them. Pure: an envelope and a width come in, two texts go out.
//!
//! Everything that is printed passes [`page::Page`], which spells out control characters: a model's words or a file's name
//! must not move the cursor, change colours or hide text.

mod apply;
mod clean;
mod config;
mod consult;
mod contract;
mod delegate;
mod doctor;
mod dry_run;
pub(super) mod event;
mod fault;
mod job;
pub(super) mod page;
mod review;
mod setup;
mod spoken;
mod status;
mod table;
mod tree;
mod uninstall;
pub(super) mod watch;

use serde_json::{Map, Value};

use crate::cli::render::page::{Page, Style};
use crate::domain::answer::ConsultAnswer;
use crate::domain::envelope::{Envelope, Success};
use crate::domain::peer::Peer;
use crate::domain::review_answer::ReviewAnswer;

/// How the two streams look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Columns of a line.
    pub(super) width: usize,
    /// Whether stdout gets colour.
    pub(super) colour_stdout: bool,
    /// Whether stderr gets colour.
    pub(super) colour_stderr: bool,
    /// Now, in milliseconds since 1970.
    pub(super) now_ms: u64,
    /// Whom the command was to ask.
    pub(super) asked: Peer,
}

/// A rendered envelope.
#[derive(Debug)]
pub(super) struct Rendered {
    /// Data.
    pub(super) stdout: Page,
    /// Warnings, hints and what to do next.
    pub(super) stderr: Page,
}

/// Renders an envelope for people.
pub(super) fn render(envelope: &Envelope, look: Look) -> Rendered {
    let mut rendered = Rendered {
        stdout: Page::new(look.width, look.colour_stdout),
        stderr: Page::new(look.width, look.colour_stderr),
    };
    match envelope {
        Envelope::Success(success) => self::success(success, look, &mut rendered),
        Envelope::Failure(failure) => fault::render(failure, look.asked, &mut rendered.stderr),
    }
    rendered
}

fn success(success: &Success, look: Look, rendered: &mut Rendered) {
    let Rendered { stdout, stderr } = rendered;
    for warning in &success.warnings {
        stderr.labelled("warning:", Style::Yellow, warning);
    }
    let body = &success.body;
    let steps = match success.tool {
        "status" => {
            status::render(success, stdout);
            status::steps(success)
        }
        "apply" | "dry_run" if body.contains_key("action") => {
            apply::render(success, stdout);
            apply::steps(success)
        }
        "clean" => {
            clean::render(success, stdout);
            success.next_steps.clone()
        }
        "dry_run" => {
            dry_run::render(success, stdout);
            dry_run::steps(success)
        }
        "config" if body.contains_key("files") => {
            config::checked(success, stdout);
            success.next_steps.clone()
        }
        "contract" if body.contains_key("checks") => {
            contract::render(success, stdout);
            success.next_steps.clone()
        }
        "setup" | "uninstall" if body.contains_key("steps") => {
            setup::render(success, stdout);
            success.next_steps.clone()
        }
        "setup" | "print-config" => {
            setup::entries(success, stdout);
            success.next_steps.clone()
        }
        "doctor" => {
            doctor::render(success, stdout);
            success.next_steps.clone()
        }
        "uninstall" => {
            uninstall::render(success, stdout);
            success.next_steps.clone()
        }
        "cancel" => {
            job::cancelled(success, stdout);
            job::steps_after_cancel(success)
        }
        "job" if body.contains_key("jobs") => {
            job::list(success, look.now_ms, stdout);
            job::steps_after_list(success, look.asked)
        }
        _ if body.contains_key("verdict") => match answer::<ReviewAnswer>(body) {
            Some(answer) => {
                review::render(success, &answer, stdout);
                review::steps(success, &answer)
            }
            None => anything(success, stdout),
        },
        _ if body.contains_key("answer") => match answer::<ConsultAnswer>(body) {
            Some(answer) => {
                consult::render(success, &answer, stdout, stderr);
                consult::steps(success)
            }
            None => anything(success, stdout),
        },
        "job" | "delegate" if body.contains_key("changed") => {
            delegate::render(success, stdout, stderr);
            delegate::steps(success)
        }
        "job" | "delegate" if body.contains_key("tasks") => {
            delegate::group(success, stdout);
            delegate::steps_of_group(success)
        }
        "job" | "consult" | "review" | "delegate" => {
            job::render(success, stdout);
            job::steps(success)
        }
        _ => anything(success, stdout),
    };
    for (at, step) in steps.iter().enumerate() {
        // Not wrapped: a command that is broken over two lines cannot be copied.
        let label = if at == 0 { "next: " } else { "      " };
        stderr.parts(&[(Style::Bold, label), (Style::Plain, step)]);
    }
}

/// Renders what this file knows nothing particular of: its summary and its fields.
fn anything(success: &Success, page: &mut Page) -> Vec<String> {
    page.wrapped(Style::Bold, &success.summary);
    tree::fields(page, 0, &success.body);
    success.next_steps.clone()
}

fn answer<T: serde::de::DeserializeOwned>(body: &Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(body.clone())).ok()
}

/// Says which file holds what an envelope has no room for.
fn truncated(body: &Map<String, Value>, page: &mut Page) {
    let file = body
        .get("truncated")
        .and_then(|truncated| truncated.get("file"))
        .and_then(Value::as_str);
    if let Some(file) = file {
        page.blank();
        page.labelled("shortened:", Style::Yellow, &format!("all of it is in {file}"));
    }
}

#[cfg(test)]
mod tests;
