//! What a trial left to judge by. Plain data: everything was read before the world ended.

use crate::domain::usage::Usage;
use crate::model::turn::is_tool_output;
use crate::model::{RecordedRequest, Turn};
use crate::peer::account::{Login, Model};
use crate::peer::transcript::Transcript;
use crate::sys::process::Ended;

/// One run of `codex exec`.
#[derive(Debug)]
pub(super) struct RunSeen {
    /// The run's name.
    pub(super) run: &'static str,
    /// How it ended; `Err` says why it did not.
    pub(super) ended: Result<Ended, String>,
    /// What it reported.
    pub(super) transcript: Transcript,
    /// The type of its first event.
    pub(super) first_event: String,
    /// The last line of its standard error.
    pub(super) stderr: String,
    /// What it wrote as its last message.
    pub(super) last_message: String,
    /// What it asked the model, in order.
    pub(super) turns: Vec<Turn>,
}

impl RunSeen {
    /// Tells whether the run ended well.
    pub(super) fn succeeded(&self) -> bool {
        self.ended == Ok(Ended::Exited(0)) && self.transcript.completed_turns == 1
    }

    /// Returns the first request for an answer.
    pub(super) fn first_turn(&self) -> Option<&Turn> {
        self.turns.first()
    }

    /// Returns what all commands of the thread printed so far, as the model was told.
    pub(super) fn outputs(&self) -> String {
        let items = self.turns.last().map_or(&[][..], Turn::items);
        items
            .iter()
            .filter(|item| is_tool_output(item))
            .map(|item| item.get("output").map(ToString::to_string).unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Returns everything that the model was told in this run.
    pub(super) fn told(&self) -> String {
        self.turns
            .iter()
            .map(|turn| turn.body().to_string())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Says in a line how the run ended.
    pub(super) fn ending(&self) -> String {
        let how = match &self.ended {
            Ok(Ended::Exited(code)) => format!("exit code {code}"),
            Ok(Ended::Signaled(signal)) => format!("signal {signal}"),
            Err(why) => why.clone(),
        };
        let said = self.transcript.failure.as_deref().unwrap_or(&self.stderr);
        format!("{how}: {said}")
    }
}

/// Whether commands can run in the sandbox here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SandboxSeen {
    /// They can.
    Works,
    /// They cannot, for a reason of this machine, in codex's words.
    BrokenHere(String),
    /// The question itself was not understood.
    NotUnderstood(String),
}

/// What a command did in the sandbox that lets it write.
#[derive(Debug)]
pub(super) struct WriterSeen {
    /// How it ended, in a line.
    pub(super) ending: String,
    /// What it printed.
    pub(super) output: String,
    /// Whether the file that it may write is there.
    pub(super) wrote: bool,
    /// The places where it wrote and must not.
    pub(super) beyond: Vec<&'static str>,
}

/// Everything that was seen.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The sandbox.
    pub(super) sandbox: SandboxSeen,
    /// The names of the configured servers.
    pub(super) servers: Result<Vec<String>, String>,
    /// The models.
    pub(super) models: Result<Vec<Model>, String>,
    /// The login.
    pub(super) login: Login,
    /// The first run.
    pub(super) first: RunSeen,
    /// The run that continued it; absent when there was nothing to continue.
    pub(super) resumed: Option<RunSeen>,
    /// The run without a shell that keeps no thread; absent when the first one failed.
    pub(super) bare: Option<RunSeen>,
    /// The command that may write; absent where the sandbox does not work.
    pub(super) writer: Option<WriterSeen>,
    /// The tokens of the first thread in codex's own record, after the first run.
    pub(super) recorded_usage: Option<Usage>,
    /// Whether codex kept a record of the bare run.
    pub(super) bare_recorded: bool,
    /// The names of the marks that appeared.
    pub(super) marks: Vec<String>,
    /// The places where commands wrote, with the run that did.
    pub(super) written: Vec<(&'static str, &'static str)>,
    /// Every request that reached the model server.
    pub(super) requests: Vec<RecordedRequest>,
    /// The key that no command may see.
    pub(super) key: String,
}
