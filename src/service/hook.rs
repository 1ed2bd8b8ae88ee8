//! What the plugin's hooks do inside a host: they let a session be told of its jobs and tell it, say who may start paid
//! work, and review what a turn changed where the person wants that.
//!
//! A hook may never disturb the session that it serves: what it cannot read, does not know or is not meant for comes out as
//! nothing, with the reason in the log. It starts no paid work and is done in milliseconds, with two exceptions:
//! [`Event::Watch`] ends with its host, with its job, or as soon as the host is known to watch by itself, and
//! [`Event::Stop`] is the gate.
//!
//! Seen with Claude Code 2.1.197 and 2.1.329, which give a hook one JSON object on standard input, take one from standard
//! output, and begin a turn with what a hook with `asyncRewake` leaves on standard error when it ends with code 2.

pub(super) mod gate;
mod input;
mod permission;
mod telling;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::environment::Environment;
use crate::domain::gate::Mode;
use crate::domain::job::JobId;
use crate::domain::peer::Peer;
use crate::domain::request::StateFilter;
use crate::domain::wake::Standing;
use crate::domain::wake::text;
use crate::service::context::Service;
use crate::service::elsewhere;
use crate::service::hook::input::Input;
use crate::service::hook::telling::Telling;
use crate::service::namesake;
use crate::service::plugin_settings;
use crate::service::workspace::Workspace;
use crate::state::gates;
use crate::state::notice;
use crate::state::sessions::{self, Session};
use crate::state::store::Store;
use crate::state::typed;
use crate::sys::signal::ProcessIdentity;
use crate::sys::watch::DirectoryWatch;

/// Bytes read of what a host says. The largest is the answer of a tool, which hosts bound to half a million characters.
pub const INPUT_BYTES: u64 = 8 * 1024 * 1024;
/// How long a call that waits for a job may take to read it before its end counts as unread.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a job's end is left to those who wait for it: a server marks a result as read within milliseconds.
const SETTLE: Duration = Duration::from_millis(300);
/// The variable by which Claude Code says how it runs. In a run for one prompt a hook with `asyncRewake` keeps the turn from
/// ending. Seen with 2.1.197 and 2.1.329.
pub(super) const ENTRYPOINT: &str = "CLAUDE_CODE_ENTRYPOINT";
/// Its value where a person sits before it.
pub(super) const INTERACTIVE: &str = "cli";
/// Its value where a program does.
const HEADLESS: &str = "sdk-cli";
/// How Claude Code hands the plugin's setting `notify` to hooks.
const NOTIFY_OPTION: &str = "CLAUDE_PLUGIN_OPTION_NOTIFY";

/// Which program runs a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Claude Code, with the settings of the plugin in its environment.
    ClaudeCode,
    /// Codex, which has none: the entry in its file of hooks, which the person has trusted, says what is wanted.
    Codex {
        /// What the gate does.
        gate: Mode,
    },
}

impl Host {
    /// Returns the peer that its turns are reviewed by, and the environment in which a hook of its is run.
    #[must_use]
    pub fn adopt(self, environment: Environment) -> (Peer, Environment) {
        match self {
            Self::ClaudeCode => (Peer::Codex, plugin_settings::adopt(environment)),
            Self::Codex { gate } => {
                let bare = plugin_settings::without(environment);
                (Peer::Claude, bare.with(gate::OPTION, gate.as_str()))
            }
        }
    }

    /// Tells whether it runs this hook. Codex has no use for those that wake a session, which it cannot be.
    pub fn runs(self, event: Event) -> bool {
        match self {
            Self::ClaudeCode => true,
            Self::Codex { .. } => matches!(event, Event::Prompt | Event::Stop),
        }
    }
}

/// Which hook is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A conversation begins in a process: at its start, after `/clear`, or resumed.
    SessionStart,
    /// The watched file has changed.
    Wake,
    /// A paid tool has answered.
    Watch,
    /// The person has written something.
    Prompt,
    /// A conversation ends in a process.
    SessionEnd,
    /// The person has typed the command that lists jobs.
    Jobs,
    /// A turn is about to end.
    Stop,
    /// A paid tool is about to be called.
    Permission,
    /// The person has typed the command that hands the conversation over.
    Transfer,
}

impl Event {
    /// Finds the hook of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "session-start" => Some(Self::SessionStart),
            "wake" => Some(Self::Wake),
            "watch" => Some(Self::Watch),
            "prompt" => Some(Self::Prompt),
            "session-end" => Some(Self::SessionEnd),
            "jobs" => Some(Self::Jobs),
            "stop" => Some(Self::Stop),
            "permission" => Some(Self::Permission),
            "transfer" => Some(Self::Transfer),
            _ => None,
        }
    }
}

/// What a hook says to its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// One JSON object for standard output.
    Output(Value),
    /// The words that begin a turn, for standard error.
    Wake(String),
}

impl Said {
    fn context(event: &str, text: String, watched: Option<PathBuf>) -> Self {
        let mut output = json!({"hookEventName": event});
        if let Some(path) = watched {
            output["watchPaths"] = json!([path]);
        }
        if !text.is_empty() {
            output["additionalContext"] = text.into();
        }
        Self::Output(json!({"hookSpecificOutput": output}))
    }

    /// Answers a command in the place of a model, which is not asked then.
    pub fn instead(text: &str) -> Self {
        Self::Output(json!({"decision": "block", "reason": text}))
    }

    /// Tells the person something, and the model nothing.
    fn notice(text: &str) -> Self {
        Self::Output(json!({"systemMessage": text}))
    }

    /// Says at a prompt what is for the model and what is for the person.
    fn at_prompt(context: String, notice: Option<String>) -> Self {
        if context.is_empty() {
            return notice.map_or(Self::Nothing, |notice| Self::notice(&notice));
        }
        let mut said = Self::context("UserPromptSubmit", context, None);
        if let (Self::Output(output), Some(notice)) = (&mut said, notice) {
            output["systemMessage"] = notice.into();
        }
        said
    }

    fn wake(text: String) -> Self {
        if text.is_empty() {
            Self::Nothing
        } else {
            Self::Wake(text)
        }
    }
}

/// Runs one hook for the host whose process is `host`, with what it said on standard input.
pub async fn run(service: &Service, event: Event, host: &ProcessIdentity, input: &[u8]) -> Said {
    let input = match Input::parse(input) {
        Ok(input) => input,
        Err(error) => {
            tracing::warn!(?event, %error, "what the host said cannot be read");
            return Said::Nothing;
        }
    };
    let store = service.store();
    if event == Event::Permission {
        return permission::answer(service.environment(), store.as_ref().ok(), &input);
    }
    let store = match store {
        Ok(store) => store,
        Err(fault) => {
            tracing::warn!(?event, %fault, "there is no state directory");
            return Said::Nothing;
        }
    };
    // After a restart of the machine nobody follows what is done elsewhere.
    if matches!(event, Event::SessionStart | Event::Prompt) {
        elsewhere::see_to_all(service);
    }
    match event {
        Event::SessionStart => session_start(service, store, host, &input).await,
        Event::Stop => gate::stop(service, &store, host, &input).await,
        Event::Prompt => prompt(service, store, host, &input).await,
        _ => told(service, event, store, host, &input).await,
    }
}

/// The person has written something: what is a command of ours is noted, and what was missed is told.
async fn prompt(service: &Service, store: Store, host: &ProcessIdentity, input: &Input) -> Said {
    permission::note(service.environment(), &store, input);
    let gate = gate::prompt(service, &store, host, input).await;
    let mut texts: Vec<String> = gate.context.into_iter().collect();
    // A session that began before the plugin or its program was there is known from its first prompt on.
    let session =
        sessions::of_process(&store, host).or_else(|| Some(register(service, &store, host, input)?.0));
    if let Some(session) = session {
        let telling = Telling { store, session };
        texts.push(text::ended(&telling.own(Duration::ZERO).await));
    }
    texts.retain(|text| !text.is_empty());
    Said::at_prompt(texts.join("\n"), gate.notice)
}

/// Runs a hook of a session that wants to be told of its jobs.
async fn told(service: &Service, event: Event, store: Store, host: &ProcessIdentity, input: &Input) -> Said {
    // No record: it was never made, since nobody wants to be told, or the session is over.
    let Some(session) = sessions::of_process(&store, host) else {
        tracing::debug!(?event, "this session is not told anything");
        return Said::Nothing;
    };
    let telling = Telling { store, session };
    match event {
        Event::Wake => wake(&telling, input).await,
        Event::Watch => watch(service, &telling, input).await,
        Event::SessionEnd => {
            session_end(&telling, input);
            Said::Nothing
        }
        // Run for any session, and the list of jobs by the terminal.
        Event::SessionStart
        | Event::Stop
        | Event::Prompt
        | Event::Permission
        | Event::Jobs
        | Event::Transfer => Said::Nothing,
    }
}

/// Returns the name of the jobs that the command asks for, where a list answers it: it stands alone or names a state.
/// Everything else, such as an id, is for the model.
pub fn listed(input: &[u8]) -> Option<&'static str> {
    let input = Input::parse(input).ok()?;
    let words = match input.command_arguments()?.trim() {
        "" => "all",
        words => words,
    };
    StateFilter::names().into_iter().find(|name| *name == words)
}

/// Returns the transcript of the conversation that the command is typed in, and whether it is only told what would be handed
/// over. Other words than those are for the model.
pub fn handed_over(input: &[u8]) -> Option<(PathBuf, bool)> {
    let input = Input::parse(input).ok()?;
    let dry_run = match input.command_arguments()?.trim() {
        "" => false,
        "dry-run" | "dry run" | "--dry-run" => true,
        _ => return None,
    };
    Some((input.transcript()?, dry_run))
}

/// Tells whether the person wants to be told. A configuration that cannot be read is told elsewhere and changes nothing.
fn is_wanted(service: &Service) -> bool {
    let refused =
        |text: &str| ["false", "0", "off", "no"].contains(&text.trim().to_ascii_lowercase().as_str());
    let by_plugin = service.environment().text(NOTIFY_OPTION).is_some_and(refused);
    !by_plugin && service.config().map_or(true, |config| config.notify.value)
}

async fn session_start(service: &Service, store: Store, host: &ProcessIdentity, input: &Input) -> Said {
    gates::sweep(&store);
    typed::sweep(&store);
    let other = namesake::first_note(service.environment(), &store);
    // A model is the only one who can tell it to the person: what a hook says, nobody else sees.
    let other = other.map(|note| format!("Tell the person in one sentence, and go on: {note}."));
    let alone = |text: Option<String>| match text {
        Some(text) => Said::context("SessionStart", text, None),
        None => Said::Nothing,
    };
    let Some((session, watched)) = register(service, &store, host, input) else {
        return alone(other);
    };
    let telling = Telling { store, session };
    // What lies there is for a person: a program would take it from them.
    let workspace = match service.environment().text(ENTRYPOINT) {
        Some(HEADLESS) => None,
        _ => workspace(service),
    };
    let left = telling.left_behind(workspace.as_ref().map(Workspace::hash)).await;
    sessions::sweep(&telling.store);
    let texts = [
        text::ended(&left.own),
        text::lies_there(&left.orphans),
        other.unwrap_or_default(),
    ];
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    Said::context("SessionStart", texts.join("\n"), Some(watched))
}

/// Lets a session be told of its jobs where the person wants it, and returns it with the file to watch.
fn register(
    service: &Service,
    store: &Store,
    host: &ProcessIdentity,
    input: &Input,
) -> Option<(Session, PathBuf)> {
    if !is_wanted(service) {
        sessions::forget(store, host);
        return None;
    }
    let Some(name) = input.session() else {
        tracing::warn!("the host does not say which conversation goes on");
        return None;
    };
    let session = Session::new(host.clone(), name);
    match sessions::register(store, &session) {
        Ok(watched) => Some((session, watched)),
        Err(error) => {
            tracing::warn!(%error, "this session is not told anything");
            None
        }
    }
}

fn workspace(service: &Service) -> Option<Workspace> {
    let config = service.config().ok()?;
    Workspace::resolve(service, None, &config).ok()
}

/// The host saw its file change, and every other file that somebody has it watch.
async fn wake(telling: &Telling, input: &Input) -> Said {
    let process = &telling.session.process;
    let own = sessions::wake_file(&telling.store, process);
    if input.is_unlinked() || input.file_name() != own.file_name() {
        return Said::Nothing;
    }
    sessions::hear(&telling.store, process);
    Said::wake(text::ended(&telling.own(PATIENCE).await))
}

/// Waits for a job where the host was not heard to watch its file since the job was started.
async fn watch(service: &Service, telling: &Telling, input: &Input) -> Said {
    if service.environment().text(ENTRYPOINT) != Some(INTERACTIVE) {
        return Said::Nothing;
    }
    let Some(id) = input.job() else {
        return Said::Nothing;
    };
    let Telling { store, session } = telling;
    let mut changes = DirectoryWatch::start(&sessions::folder(store));
    for job in notice::subject(store, &id)
        .map(|subject| subject.jobs)
        .unwrap_or_default()
    {
        changes.add(job.path());
    }
    loop {
        let standing = notice::standing(store, &id);
        if !standing.is_open() || is_heard(store, session, &id) || !session.process.is_alive() {
            return Said::Nothing;
        }
        if standing != Standing::Running {
            break;
        }
        // After each change, and once a second without one: a host that was killed changes nothing.
        changes.changed().await;
    }
    tokio::time::sleep(SETTLE).await;
    Said::wake(text::ended(&telling.own(PATIENCE).await))
}

/// Tells whether the host answered to the line that said that this job was started.
fn is_heard(store: &Store, session: &Session, id: &JobId) -> bool {
    sessions::heard_since(store, &session.process, id.created_ms())
}

/// Forgets a session that is over and has nothing to be told any more. What is still open is told when it is taken up again.
fn session_end(telling: &Telling, input: &Input) {
    let Telling { store, session } = telling;
    // After these the process goes on with another conversation, or may have begun it already.
    let goes_on = input.goes_on() || input.session().is_some_and(|name| name != session.name);
    if !goes_on && !sessions::has_open(store, &session.process) {
        sessions::forget(store, &session.process);
    }
}
