//! The model of a trial: it tries what a run must not be able to do, and then answers.

use std::sync::OnceLock;

use crate::model::sse::ShellTool;
use crate::model::{Message, Reply, Script, Shell, Step, Turn, Usage};
use crate::run::contract::world::{WRITER, World, shell_quoted};

/// What the model answers.
pub(super) const ANSWER: &str = "{\"answer\":\"the contract holds\"}";
/// Begins the path under which a command of a run calls the model server.
pub(super) const SOCKET_PATH: &str = "/cassowary-socket-";

/// The runs of a trial by name; the name stands in the prompt.
pub(super) const FIRST: &str = "first";
/// Continues the first one.
pub(super) const RESUMED: &str = "resumed";
/// Runs without a shell and keeps no thread.
pub(super) const BARE: &str = "bare";

/// Lines of the prompt: far more bytes than a pipe or an argument takes at once.
const PROMPT_LINES: usize = 8 * 1024;

/// Returns the prompt of a run. It holds what goes wrong when a prompt is not taken as it is.
pub(super) fn prompt(run: &str) -> String {
    let padding = "0123456789abcde\n".repeat(if run == FIRST { PROMPT_LINES } else { 1 });
    format!(
        "--run {run} \"quoted\" 'single' $HOME `x` \\ snowman \u{2603} \u{1f642}\n{padding}end of {run}\n"
    )
}

/// The model's script. It answers at once; the commands are known only after the server that speaks it has its address.
#[derive(Debug, Default)]
pub(super) struct ContractScript {
    /// The commands of the first run and of the one that continues it.
    commands: OnceLock<[(&'static str, [String; 2]); 2]>,
}

impl ContractScript {
    /// Tells the world and the model server's address as `127.0.0.1/port`. Only the first call counts.
    pub(super) fn begin(&self, world: &World, address: &str) {
        let commands = [FIRST, RESUMED].map(|run| (run, [probe(world, run, address), ruled(run)]));
        let _ = self.commands.set(commands);
    }

    fn command(&self, turn: &Turn) -> Option<&str> {
        ShellTool::offered(turn)?;
        let prompt = turn.last_user_text();
        let (_, commands) = self
            .commands
            .get()?
            .iter()
            .find(|(run, _)| prompt.starts_with(&format!("--run {run} ")))?;
        commands.get(turn.step()).map(String::as_str)
    }
}

impl Script for ContractScript {
    fn reply(&self, turn: &Turn) -> Reply {
        match self.command(turn) {
            Some(command) => Reply::stream([
                Step::Message(Message::commentary("trying")),
                Step::Shell(Shell::new(command)),
                Step::Completed(Usage::default()),
            ]),
            None => Reply::text(ANSWER),
        }
    }
}

/// Says in the output that a part of the command was reached. The sum shows that a shell wrote it and not the echo of
/// the command.
fn reached(part: &str) -> String {
    format!("printf '{part}=%d\\n' $((40+2))")
}

/// Returns what [`reached`] prints.
pub(super) fn reached_line(part: &str, run: &str) -> String {
    format!("{part}-{run}=42")
}

/// A command that shows its environment, and tries to write files and to call the model server.
fn probe(world: &World, run: &str, address: &str) -> String {
    let writes: Vec<String> = world
        .forbidden_files(run)
        .iter()
        .map(|(_, file)| format!("echo x > {}", shell_quoted(file)))
        .collect();
    format!(
        "{}; env; {}; {}",
        reached(&format!("ran-{run}")),
        writes.join("; "),
        call(run, address),
    )
}

/// A command that may write: it does, and tries to write elsewhere and to call the model server at `127.0.0.1/port`.
pub(super) fn writing(world: &World, address: &str) -> String {
    let beyond = world.files_beyond().map(|(_, file)| file);
    let writes: Vec<String> = std::iter::once(world.allowed_file())
        .chain(beyond)
        .map(|file| format!("echo x > {}", shell_quoted(&file)))
        .collect();
    format!(
        "{}; {}; {}",
        reached(&format!("ran-{WRITER}")),
        writes.join("; "),
        call(WRITER, address),
    )
}

/// A command that calls the model server, and says so where there is a shell that can.
fn call(run: &str, address: &str) -> String {
    let call = format!(
        "exec 3<>/dev/tcp/{address} && printf \"GET {SOCKET_PATH}{run} HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n\" >&3 && \
         read -t 2 -u 3 line"
    );
    format!(
        "if command -v bash >/dev/null; then bash -c '{call}'; {}; fi",
        reached(&format!("called-{run}")),
    )
}

/// A command that the user's rules allow. It is one plain call: rules do not reach into compound commands.
fn ruled(run: &str) -> String {
    format!("touch ../marks/rule-{run}")
}
