//! What a run amounts to, gathered from its events.

use crate::domain::envelope::Usage;
use crate::domain::limits;
use crate::peer::event::Event;

/// Commands remembered one by one; later ones are only counted.
const COMMANDS: usize = 500;
/// Warnings remembered.
const WARNINGS: usize = 20;

/// One command of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRun {
    /// As the peer shows it.
    pub command: String,
    /// Its exit code; absent when it never ended or was declined.
    pub exit_code: Option<i64>,
}

/// The state of a run after the events so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The peer's thread.
    pub thread: Option<String>,
    /// Turns that completed.
    pub completed_turns: u32,
    /// The peer's words when a turn failed.
    pub failure: Option<String>,
    /// The last thing the model said.
    pub last_message: Option<String>,
    /// Tokens of the whole thread, as of the last completed turn.
    pub thread_usage: Option<Usage>,
    /// What the peer warned of, without repetitions.
    pub warnings: Vec<String>,
    /// The last reason for a retry.
    pub last_retry: Option<String>,
    /// Commands, the oldest first.
    pub commands: Vec<CommandRun>,
    /// Commands beyond those remembered.
    pub more_commands: u32,
    /// Events of unknown type.
    pub unknown: u32,
    /// Lines that were no event at all.
    pub malformed: u32,
}

impl Transcript {
    /// Takes one event.
    pub fn push(&mut self, event: &Event) {
        match event {
            Event::ThreadStarted { thread } => self.thread = Some(thread.clone()),
            // A repair turn starts: what an earlier turn said is not its answer.
            Event::TurnStarted => self.failure = None,
            Event::Message { text } => {
                let mut text = text.clone();
                truncate(&mut text, limits::ANSWER_BYTES);
                self.last_message = Some(text);
            }
            Event::CommandStarted { .. }
            | Event::Thinking { .. }
            | Event::FileChanged { .. }
            | Event::ToolCalled { .. }
            | Event::Searched { .. } => {}
            Event::CommandEnded {
                command, exit_code, ..
            } => {
                if self.commands.len() < COMMANDS {
                    self.commands.push(CommandRun {
                        command: command.clone(),
                        exit_code: *exit_code,
                    });
                } else {
                    self.more_commands += 1;
                }
            }
            Event::Retrying { reason } => self.last_retry = Some(reason.clone()),
            Event::Warning { text } => {
                if self.warnings.len() < WARNINGS && !self.warnings.contains(text) {
                    self.warnings.push(text.clone());
                }
            }
            Event::TurnCompleted { thread_usage } => {
                self.completed_turns += 1;
                self.thread_usage = thread_usage.or(self.thread_usage);
            }
            Event::TurnFailed { message } => self.failure = Some(message.clone()),
            Event::Unknown { .. } => self.unknown += 1,
        }
    }

    /// Forgets the answer before another turn is asked for in the same thread.
    pub fn next_turn(&mut self) {
        self.last_message = None;
        self.failure = None;
    }
}

/// Cuts a text at a character border so that it has at most `bytes`.
pub fn truncate(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let mut end = bytes;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}
