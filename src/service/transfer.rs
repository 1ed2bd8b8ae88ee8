//! Hands a conversation over, as one that a person goes on with: of Claude Code's to codex, and the other way round
//! (`to_claude`).
//!
//! Free, and nothing leaves the machine: codex writes the conversation down as its own. It is sent to a model when somebody
//! resumes that thread and writes something. The transcript is only read; a private copy with secrets masked is what codex
//! sees, and it is deleted afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::envelope::{Envelope, Meta};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::request::ThreadId;
use crate::domain::time::rfc3339;
use crate::peer::codex::import;
use crate::peer::conversation::Conversation;
use crate::run::import::hand_over;
use crate::run::program::Program;
use crate::service::call::Call;
use crate::service::claude::ClaudeFolder;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::project::Project;
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;
use crate::sys::clock::{self, Stopwatch};
use crate::sys::files;

mod to_claude;

/// The name of this use case in envelopes.
const NAME: &str = "transfer";
/// Bytes of a transcript. A long day's is some tens of megabytes, nearly all of it what tools returned.
const TRANSCRIPT_BYTES: u64 = 256 * 1024 * 1024;

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Who goes on with it.
    pub to: Peer,
    /// The thread of codex's that claude goes on with; the newest one about the folder when absent.
    pub thread: Option<ThreadId>,
    /// The transcript; the newest one of the folder when absent.
    pub transcript: Option<PathBuf>,
    /// The folder that the conversation is about; that of the call when absent.
    pub workspace: Option<PathBuf>,
    /// Whether it is only told what would be handed over.
    pub dry_run: bool,
}

/// Hands a conversation over, and wraps what came of it.
pub async fn call(service: &Service, wanted: &Wanted, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service, wanted).await;
    service.wrap(NAME, outcome, call, watch)
}

async fn run(service: &Service, wanted: &Wanted) -> Outcome {
    let config = service.config()?;
    let workspace = Workspace::resolve(service, wanted.workspace.as_deref(), &config)?;
    if wanted.to == Peer::Claude {
        return to_claude::run(service, wanted, &config, &workspace).await;
    }
    let file = match &wanted.transcript {
        Some(file) => file.clone(),
        None => newest(service, &workspace.root)?,
    };
    let bytes = files::read_bounded_linked(&file, TRANSCRIPT_BYTES).map_err(|error| {
        Fault::argument("transcript", format!("the transcript cannot be read: {error}"))
            .hint("name the file with --transcript: Claude Code keeps it below `projects/` of its folder")
    })?;
    let (conversation, masked) = masked(Conversation::parse(&bytes), &config, &workspace)?;
    if conversation.messages.is_empty() {
        return Err(Fault::argument("transcript", "nothing was said in that conversation yet").into());
    }
    let (facts, what, meta) = facts(&file, &conversation, masked, &workspace);
    if wanted.dry_run {
        return Ok(Reply {
            summary: format!(
                "It would hand over {what}. Free: nothing is sent to a model before you resume the thread and write something."
            ),
            body: facts,
            next_steps: vec!["`crosscheck transfer` hands it over".to_owned()],
            meta,
            ..Reply::default()
        });
    }
    let store = service.store()?;
    let program = Program::find(Peer::Codex, &config, service.environment(), &store).await?;
    let home = Copied::make(&store.folder("transfers").map_err(Fault::from)?)?;
    let session = home.session.clone();
    let copy = import::place(&home.folder, &session);
    let text = conversation.transcript(
        &session,
        &workspace.root.display().to_string(),
        &rfc3339(clock::now_ms()),
    );
    home.write(&copy, &text)?;
    let environment = service.environment();
    let thread = hand_over(
        &program,
        &config,
        environment,
        (&home.folder, &copy),
        &workspace.root,
    )
    .await?;
    let command = format!("codex resume {}", thread.as_str());
    let mut body = facts;
    body.insert("thread".to_owned(), thread.as_str().into());
    body.insert("resume_command".to_owned(), command.clone().into());
    Ok(Reply {
        summary: format!("Handed over {what}. Nothing was spent; going on in Codex is paid as usual."),
        body,
        next_steps: vec![
            format!("cd {} && {command}", quoted(&workspace.root)),
            format!(
                "or go on from here, paid: /codex:consult resume {} ...",
                thread.as_str()
            ),
        ],
        meta: Meta {
            thread: Some(thread.as_str().to_owned()),
            peer_version: Some(program.version.to_string()),
            ..meta
        },
        ..Reply::default()
    })
}

/// Returns what is told of a conversation, in fields and in words.
fn facts(
    file: &Path,
    conversation: &Conversation,
    masked: u32,
    workspace: &Workspace,
) -> (Map<String, Value>, String, Meta) {
    let facts = object(json!({
        "transcript": file.display().to_string(),
        "messages": conversation.messages.len(),
        "left_out": conversation.left_out,
        "bytes": conversation.bytes(),
        "masked": masked,
        "directory": workspace.root.display().to_string(),
    }));
    let what = format!(
        "{} of {} bytes, {} masked",
        counted(conversation.messages.len(), "message"),
        conversation.bytes(),
        counted(usize::try_from(masked).unwrap_or(usize::MAX), "value"),
    );
    let meta = Meta {
        workspace: Some(workspace.root.display().to_string()),
        workspace_source: Some(workspace.source),
        ..Meta::default()
    };
    (facts, what, meta)
}

/// Masks secrets, those of the user's and the project's own rules too, and counts them.
fn masked(whole: Conversation, users: &Config, workspace: &Workspace) -> Result<(Conversation, u32), Fault> {
    let further = match Project::find(workspace)? {
        Some(project) => project.narrow(users).0.further()?,
        None => users.further()?,
    };
    let mut count = 0;
    let mut conversation = whole;
    for message in &mut conversation.messages {
        let redacted = further.redact_counted(&message.text);
        count += redacted.count;
        message.text = redacted.text.into_inner();
    }
    // Only afterwards: half of a secret is not known as one.
    Ok((conversation.bounded(), count))
}

/// Finds the conversation of this folder that was written to last.
fn newest(service: &Service, directory: &Path) -> Result<PathBuf, Fault> {
    let missing = |message: String| {
        Fault::new(FaultCode::InvalidArguments, message)
            .field("transcript")
            .hint("type /codex:transfer in the conversation, or name its file with --transcript")
    };
    let folder = ClaudeFolder::of(service.environment())
        .ok_or_else(|| missing("there is no home folder".to_owned()))?
        .conversations(directory);
    let entries = fs::read_dir(&folder).map_err(|_| {
        missing(format!(
            "Claude Code keeps no conversation about `{}`",
            directory.display()
        ))
    })?;
    let age = |path: &PathBuf| {
        fs::metadata(path)
            .and_then(|about| about.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .max_by_key(age)
        .ok_or_else(|| {
            missing(format!(
                "there is no conversation about `{}`",
                directory.display()
            ))
        })
}

/// A private home folder with one conversation in it, deleted when it is dropped.
struct Copied {
    folder: PathBuf,
    session: String,
}

impl Copied {
    fn make(parent: &Path) -> Result<Self, Fault> {
        let session = random_uuid()?;
        let folder = parent.join(&session);
        files::create_private_dir(&folder).map_err(|error| internal(&error.to_string()))?;
        Ok(Self { folder, session })
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Fault> {
        let parent = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent)
            .and_then(|()| files::create_new(path, text.as_bytes()))
            .map_err(|error| internal(&error.to_string()))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, "the copy of a conversation could not be deleted");
        }
    }
}

/// Returns a name for a conversation, in the form of a UUID of version 4.
fn random_uuid() -> Result<String, Fault> {
    let random = || getrandom::u64().map_err(|error| internal(&error.to_string()));
    let (high, low) = (random()?, random()?);
    Ok(format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    ))
}

fn internal(why: &str) -> Fault {
    Fault::new(
        FaultCode::StateUnavailable,
        format!("the copy of the conversation cannot be written: {why}"),
    )
}

/// Quotes a folder for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
