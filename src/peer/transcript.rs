//! What a run amounts to, gathered from its events.

use crate::domain::limits;
use crate::domain::usage::Usage;
use crate::peer::event::Event;

/// Commands remembered one by one; later ones are only counted.
const COMMANDS: usize = 500;
/// Bytes of all commands remembered: one command may be as long as a line of the peer, and the result holds them all.
const COMMAND_BYTES: usize = 1024 * 1024;
/// Warnings remembered.
const WARNINGS: usize = 20;
/// Bytes remembered of a warning, some hundred of which are told.
const WARNING_BYTES: usize = 4096;
/// Reasons remembered for which the peer tried again.
const RETRIES: usize = 20;

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
    /// Tokens of this run as of its last complete response; they may be known before a turn completes.
    pub used: Option<Usage>,
    /// What it cost in US dollars, as the peer told it.
    pub cost_usd: Option<f64>,
    /// What the peer warned of, without repetitions.
    pub warnings: Vec<String>,
    /// Why the peer tried again by itself, without repetitions.
    pub retries: Vec<String>,
    /// How long the machine was asleep meanwhile, in milliseconds.
    pub slept_ms: u64,
    /// Whether the model did anything.
    pub worked: bool,
    /// Commands, the oldest first.
    pub commands: Vec<CommandRun>,
    /// Commands beyond those remembered.
    pub more_commands: u32,
    /// Events of unknown type.
    pub unknown: u32,
    /// Lines that were no event at all.
    pub malformed: u32,
    /// Lines that were longer than is read.
    pub too_long: u32,
    /// Bytes of the last message before it was cut; 0 when it is whole.
    pub cut_from: usize,
}

impl Transcript {
    /// Takes one event.
    pub fn push(&mut self, event: &Event) {
        self.worked |= event.is_work();
        self.slept_ms = self.slept_ms.saturating_add(event.slept_ms());
        match event {
            Event::ThreadStarted { thread } => self.thread = Some(thread.clone()),
            // A repair turn starts: what an earlier turn said is not its answer.
            Event::TurnStarted => self.failure = None,
            Event::Message { text } => {
                self.cut_from = if text.len() > limits::ANSWER_BYTES {
                    text.len()
                } else {
                    0
                };
                // The earlier one is let go first: each may have megabytes.
                self.last_message = None;
                self.last_message = Some(head(text, limits::ANSWER_BYTES).to_owned());
            }
            Event::CommandStarted { .. }
            | Event::Thinking { .. }
            | Event::FileChanged { .. }
            | Event::ToolCalled { .. }
            | Event::Searched { .. }
            | Event::Stage { .. }
            | Event::Suspended { .. } => {}
            Event::Retrying { reason } => remember(&mut self.retries, RETRIES, reason),
            Event::CommandEnded {
                command, exit_code, ..
            } => {
                let bytes: usize = self.commands.iter().map(|run| run.command.len()).sum();
                if self.commands.len() < COMMANDS && bytes + command.len() <= COMMAND_BYTES {
                    self.commands.push(CommandRun {
                        command: command.clone(),
                        exit_code: *exit_code,
                    });
                } else {
                    self.more_commands += 1;
                }
            }
            Event::Warning { text } => remember(&mut self.warnings, WARNINGS, text),
            Event::TurnCompleted { thread_usage } => {
                self.completed_turns += 1;
                self.thread_usage = thread_usage.or(self.thread_usage);
            }
            Event::Tokens { used } => self.used = Some(*used),
            Event::Cost { usd } => self.cost_usd = Some(self.cost_usd.unwrap_or(0.0) + usd),
            Event::TurnFailed { message } => self.failure = Some(message.clone()),
            Event::Unknown { .. } => self.unknown += 1,
        }
    }
}

impl Transcript {
    /// Adds what an earlier run in the same thread had left. `answered` tells whether this run gave the answer; else
    /// that of the earlier one, which was completed and paid for, stays the thing to read.
    pub fn continue_from(&mut self, earlier: Self, answered: bool) {
        self.commands.splice(0..0, earlier.commands);
        self.more_commands += earlier.more_commands;
        let more = self.commands.len().saturating_sub(COMMANDS);
        self.commands.truncate(COMMANDS);
        self.more_commands += u32::try_from(more).unwrap_or(u32::MAX);
        self.slept_ms += earlier.slept_ms;
        self.thread = self.thread.take().or(earlier.thread);
        self.thread_usage = self.thread_usage.or(earlier.thread_usage);
        self.used = self.used.or(earlier.used);
        self.cost_usd = match (self.cost_usd, earlier.cost_usd) {
            (Some(later), Some(before)) => Some(later + before),
            (one, other) => one.or(other),
        };
        self.warnings.splice(0..0, earlier.warnings);
        self.warnings.dedup();
        if !answered {
            self.last_message = earlier.last_message.or(self.last_message.take());
            self.cut_from = earlier.cut_from;
        }
    }
}

impl Transcript {
    /// Adds what a run did beside this one, in a thread of its own: what it said stays out.
    pub fn add_beside(&mut self, other: Self) {
        self.commands.extend(other.commands);
        self.more_commands += other.more_commands;
        let more = self.commands.len().saturating_sub(COMMANDS);
        self.commands.truncate(COMMANDS);
        self.more_commands += u32::try_from(more).unwrap_or(u32::MAX);
        // The machine slept for both at once.
        self.slept_ms = self.slept_ms.max(other.slept_ms);
        self.cost_usd = match (self.cost_usd, other.cost_usd) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        for warning in &other.warnings {
            remember(&mut self.warnings, WARNINGS, warning);
        }
        self.completed_turns += other.completed_turns;
        self.unknown += other.unknown;
        self.malformed += other.malformed;
        self.too_long += other.too_long;
        self.cut_from = self.cut_from.max(other.cut_from);
    }
}

/// Adds a text that is not there yet, while there is room.
fn remember(list: &mut Vec<String>, room: usize, text: &str) {
    let mut text = text.to_owned();
    truncate(&mut text, WARNING_BYTES);
    if list.len() < room && !list.contains(&text) {
        list.push(text);
    }
}

/// Cuts a text at a character border so that it has at most `bytes`.
pub fn truncate(text: &mut String, bytes: usize) {
    text.truncate(head(text, bytes).len());
}

/// Returns the beginning of a text, at most so many bytes of it.
pub fn head(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
