//! What a peer reports while it runs, whoever the peer is.

use serde::{Deserialize, Serialize};

use crate::domain::time::spoken;
use crate::domain::usage::Usage;

/// Bytes of a command's output that are worth keeping; the end says how it went.
const OUTPUT_TAIL_BYTES: usize = 2048;

/// One thing that happened in a run. It is written to the job's event log as it is, after redaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The peer opened its thread.
    ThreadStarted {
        /// Its id.
        thread: String,
    },
    /// The model was asked.
    TurnStarted,
    /// The model's summary of its thinking.
    Thinking {
        /// The summary.
        text: String,
    },
    /// A command began.
    CommandStarted {
        /// As the peer shows it.
        command: String,
    },
    /// A command ended.
    CommandEnded {
        /// As the peer shows it.
        command: String,
        /// Its exit code; absent when it was declined.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
        /// What it printed; in a log only the end of it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        output: String,
    },
    /// The model changed a file.
    FileChanged {
        /// The file.
        path: String,
        /// add, update or delete.
        kind: String,
    },
    /// The model called a tool of a server.
    ToolCalled {
        /// Server and tool.
        tool: String,
    },
    /// The model searched the web.
    Searched {
        /// For what.
        query: String,
    },
    /// The model said something; the last one of a turn is its answer.
    Message {
        /// What.
        text: String,
    },
    /// The peer tries again by itself.
    Retrying {
        /// Why.
        reason: String,
    },
    /// What is done around the peer's own work; noted by the worker, no peer tells it.
    Stage {
        /// What, as in "running checks".
        what: String,
    },
    /// The machine was asleep; noted by the worker, no peer tells it.
    Suspended {
        /// How long.
        slept_ms: u64,
    },
    /// The peer warns and goes on.
    Warning {
        /// Of what.
        text: String,
    },
    /// The tokens that the run has used so far, not counting what its thread had used before.
    Tokens {
        /// How many.
        used: Usage,
    },
    /// What the run cost, as the peer tells it.
    Cost {
        /// US dollars.
        usd: f64,
    },
    /// The turn is over.
    TurnCompleted {
        /// Tokens of the whole thread so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread_usage: Option<Usage>,
    },
    /// The turn failed.
    TurnFailed {
        /// The peer's words.
        message: String,
    },
    /// Something this version does not know; kept so that nothing is hidden.
    Unknown {
        /// Its type.
        kind: String,
    },
}

/// Bytes kept of the name of an event that is unknown.
const KIND_BYTES: usize = 100;

impl Event {
    /// Makes the event of a kind that nobody here knows; of its name the beginning is kept.
    pub(super) fn unknown(kind: &str) -> Self {
        let mut end = kind.len().min(KIND_BYTES);
        while !kind.is_char_boundary(end) {
            end -= 1;
        }
        Self::Unknown {
            kind: kind[..end].to_owned(),
        }
    }

    /// Says what the peer is doing now, in a few words; `None` when the event does not tell.
    pub fn phase(&self) -> Option<String> {
        Some(match self {
            Self::ThreadStarted { .. } => "starting".to_owned(),
            Self::TurnStarted | Self::Thinking { .. } | Self::CommandEnded { .. } => "thinking".to_owned(),
            Self::CommandStarted { command } => format!("running {}", short(command)),
            Self::FileChanged { path, .. } => format!("editing {}", short(path)),
            Self::ToolCalled { tool } => format!("calling {}", short(tool)),
            Self::Searched { query } => format!("searching the web for {}", short(query)),
            Self::Message { .. } => "answering".to_owned(),
            Self::Retrying { reason } => format!("retrying: {}", short(reason)),
            Self::Stage { what } => what.clone(),
            Self::Suspended { slept_ms } => format!("going on after {} of sleep", spoken(*slept_ms)),
            Self::TurnCompleted { .. } | Self::TurnFailed { .. } => "finishing".to_owned(),
            Self::Warning { .. } | Self::Tokens { .. } | Self::Cost { .. } | Self::Unknown { .. } => {
                return None;
            }
        })
    }

    /// Tells whether the model did something, so that it was reached and is paid for.
    pub fn is_work(&self) -> bool {
        matches!(
            self,
            Self::Thinking { .. }
                | Self::CommandStarted { .. }
                | Self::CommandEnded { .. }
                | Self::FileChanged { .. }
                | Self::ToolCalled { .. }
                | Self::Searched { .. }
                | Self::Message { .. }
        )
    }

    /// Returns how long the machine was asleep according to this event, in milliseconds.
    pub fn slept_ms(&self) -> u64 {
        match self {
            Self::Suspended { slept_ms } => *slept_ms,
            _ => 0,
        }
    }

    /// Applies a change to every text that came from the model or the peer.
    pub fn map_texts(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::ThreadStarted { .. }
            | Self::TurnStarted
            | Self::Tokens { .. }
            | Self::Cost { .. }
            | Self::TurnCompleted { .. }
            | Self::Stage { .. }
            | Self::Suspended { .. } => {}
            Self::Thinking { text } | Self::Message { text } | Self::Warning { text } => change(text),
            Self::CommandStarted { command } => change(command),
            Self::CommandEnded { command, output, .. } => {
                change(command);
                change(output);
            }
            Self::FileChanged { path, .. } => change(path),
            Self::ToolCalled { tool } => change(tool),
            Self::Searched { query } => change(query),
            Self::Retrying { reason } => change(reason),
            Self::TurnFailed { message } => change(message),
            Self::Unknown { kind } => change(kind),
        }
    }
}

impl Event {
    /// Tells whether a lost job is salvaged from it.
    pub fn is_vital(&self) -> bool {
        matches!(
            self,
            Self::Message { .. }
                | Self::TurnFailed { .. }
                | Self::TurnCompleted { .. }
                | Self::Tokens { .. }
                | Self::Cost { .. }
                | Self::ThreadStarted { .. }
        )
    }

    /// Keeps the end of a command's output, which says how it went. To be called on masked texts only: a cut may
    /// leave half a secret, which no rule recognises.
    pub fn keep_end_of_output(&mut self) {
        if let Self::CommandEnded { output, .. } = self {
            let mut start = output.len().saturating_sub(OUTPUT_TAIL_BYTES);
            while !output.is_char_boundary(start) {
                start += 1;
            }
            output.drain(..start);
        }
    }
}

/// Cuts a text to one short line for a progress message.
fn short(text: &str) -> String {
    const CHARS: usize = 60;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() <= CHARS && line.len() == text.trim().len() {
        return line.to_owned();
    }
    format!("{}…", line.chars().take(CHARS).collect::<String>())
}
