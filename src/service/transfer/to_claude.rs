//! Hands a thread of codex's over to claude, as a session that a person goes on with.
//!
//! Free, and nothing leaves the machine: a new file is put beside Claude Code's own records of this project, which it takes
//! for one of them. Nothing of codex's or of Claude Code's is changed, and no file that exists is ever written.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::request::ThreadId;
use crate::domain::time::rfc3339;
use crate::peer::claude::session;
use crate::peer::codex::{rollout, spoken};
use crate::run::program::Program;
use crate::service::claude::ClaudeFolder;
use crate::service::context::Service;
use crate::service::reply::{Outcome, Reply};
use crate::service::transfer::{TRANSCRIPT_BYTES, Wanted, facts, masked, quoted, random_uuid};
use crate::service::workspace::Workspace;
use crate::sys::{clock, files};

/// Records looked at for the newest one about a folder, the newest first; each costs one look at its first line.
const RECORDS: usize = 2000;
/// Bytes of a record's first line, which holds codex's instructions.
const HEAD_BYTES: u64 = 1024 * 1024;

pub(super) async fn run(
    service: &Service,
    wanted: &Wanted,
    config: &Config,
    workspace: &Workspace,
) -> Outcome {
    let file = match &wanted.transcript {
        Some(file) => file.clone(),
        None => find(service, wanted.thread.as_ref(), &workspace.root)?,
    };
    let bytes = files::read_bounded_linked(&file, TRANSCRIPT_BYTES).map_err(|error| {
        Fault::argument(
            "transcript",
            format!("the record of the thread cannot be read: {error}"),
        )
        .hint("name the thread with --thread: `codex resume` lists them")
    })?;
    let (conversation, hidden) = masked(spoken::conversation(&bytes), config, workspace)?;
    if conversation.messages.is_empty() {
        return Err(Fault::argument("transcript", "nothing was said in that thread yet").into());
    }
    let (mut body, what, meta) = facts(&file, &conversation, hidden, workspace);
    if wanted.dry_run {
        return Ok(Reply {
            summary: format!(
                "It would hand over {what}. Free: nothing is sent to a model before you resume the session and write something."
            ),
            body,
            next_steps: vec!["`crosscheck transfer --to claude` hands it over".to_owned()],
            meta,
            ..Reply::default()
        });
    }
    let store = service.store()?;
    let program = Program::find(Peer::Claude, config, service.environment(), &store).await?;
    let session = ThreadId::try_from(random_uuid()?)
        .map_err(|error| Fault::new(FaultCode::Internal, error.to_string()))?;
    let folder = ClaudeFolder::of(service.environment())
        .ok_or_else(|| Fault::new(FaultCode::StateUnavailable, "there is no home folder"))?
        .conversations(&workspace.root);
    let text = session::record(
        &conversation,
        &session,
        &workspace.root.display().to_string(),
        &program.version.to_string(),
        &rfc3339(clock::now_ms()),
    );
    let target = folder.join(format!("{}.jsonl", session.as_str()));
    files::create_private_dir(&folder)
        .and_then(|()| files::create_new(&target, text.as_bytes()))
        .map_err(|error| {
            // Half of a session would be offered to the person by name.
            if error.kind() != std::io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(&target);
            }
            let message = format!("the session cannot be written to `{}`: {error}", target.display());
            Fault::new(FaultCode::StateUnavailable, message)
        })?;
    let command = format!("claude --resume {}", session.as_str());
    body.insert("session".to_owned(), session.as_str().into());
    body.insert("file".to_owned(), target.display().to_string().into());
    body.insert("resume_command".to_owned(), command.clone().into());
    Ok(Reply {
        summary: format!("Handed over {what}. Nothing was spent; going on in Claude Code is paid as usual."),
        body,
        next_steps: vec![
            format!("cd {} && {command}", quoted(&workspace.root)),
            format!(
                "or go on from here, paid: crosscheck --peer claude consult --resume {} TEXT",
                session.as_str()
            ),
        ],
        meta: Meta {
            thread: Some(session.as_str().to_owned()),
            peer_version: Some(program.version.to_string()),
            ..meta
        },
        ..Reply::default()
    })
}

/// Finds the record of a thread, or the newest one about a folder.
fn find(service: &Service, thread: Option<&ThreadId>, directory: &Path) -> Result<PathBuf, Fault> {
    let environment = service.environment();
    let home = environment
        .path("CODEX_HOME")
        .or_else(|| environment.path("HOME").map(|home| home.join(".codex")));
    let mut records = Vec::new();
    if let Some(home) = home {
        for day in ["sessions", "archived_sessions"] {
            collect(&home.join(day), 3, &mut records);
        }
    }
    // The names begin with the time.
    records.sort_unstable_by(|a: &PathBuf, b| b.file_name().cmp(&a.file_name()));
    let found = match thread {
        Some(thread) => records.into_iter().find(|file| {
            let name = file.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| rollout::is_record_of(name, thread.as_str()))
        }),
        None => records
            .into_iter()
            .take(RECORDS)
            .find(|file| is_about(file, directory)),
    };
    found.ok_or_else(|| {
        let message = match thread {
            Some(_) => "codex keeps no record of that thread".to_owned(),
            None => format!("codex keeps no thread about `{}`", directory.display()),
        };
        Fault::new(FaultCode::InvalidArguments, message)
            .field("thread")
            .hint("name the thread with --thread, or its record with --transcript")
    })
}

/// Collects the records in a folder and in those below it, which are named after years, months and days.
fn collect(folder: &Path, depth: usize, records: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, records);
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "jsonl") {
            records.push(path);
        }
    }
}

fn is_about(file: &Path, directory: &Path) -> bool {
    let mut line = Vec::new();
    let read = files::open_regular(file)
        .and_then(|file| BufReader::new(file.take(HEAD_BYTES)).read_until(b'\n', &mut line));
    read.is_ok() && spoken::about(&line).is_some_and(|(_, about)| Path::new(&about) == directory)
}
