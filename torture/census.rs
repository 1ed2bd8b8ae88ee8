//! The processes of a world, as the machine shows them. Only such may be killed: each is known by its number, its start
//! and the home folder in its environment, which no other world has.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crosscheck::sys::signal::{self, ProcessIdentity};
use serde_json::Value;

use crate::model::{Micros, Paid};
use crate::peer::job_directory;
use crate::world::World;

/// What a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A server or a terminal.
    Door,
    /// The worker of a job.
    Worker(String),
    /// A peer of a job.
    Peer(String),
    /// Anything else: a command of a peer, a git of ours.
    Other,
}

/// A process of a world.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Which.
    pub(crate) identity: ProcessIdentity,
    /// What it is.
    pub(crate) kind: Kind,
}

/// Lists the live processes of a world.
pub(crate) fn of(world: &World) -> Vec<Process> {
    signal::with_folder("HOME", &world.home())
        .into_iter()
        .map(|identity| Process {
            kind: kind(identity.pid),
            identity,
        })
        .collect()
}

fn kind(pid: u32) -> Kind {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&str> = line
        .split(|byte| *byte == 0)
        .filter_map(|word| std::str::from_utf8(word).ok())
        .collect();
    let program = words.first().map(Path::new).and_then(Path::file_name);
    match words.get(1).copied() {
        Some("exec") if program == Some(OsStr::new("codex")) => {
            job_of_peer(pid).map_or(Kind::Other, Kind::Peer)
        }
        Some("worker") => words
            .get(2)
            .map(Path::new)
            .and_then(name)
            .map_or(Kind::Other, Kind::Worker),
        Some("serve" | "consult" | "review" | "cancel" | "job" | "jobs") => Kind::Door,
        _ => Kind::Other,
    }
}

/// A peer's temporary folder lies in its job's directory.
fn job_of_peer(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let folder = environment
        .split(|byte| *byte == 0)
        .find_map(|pair| pair.strip_prefix(b"TMPDIR="))?;
    name(job_directory(Path::new(std::str::from_utf8(folder).ok()?)))
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// Reads the clock by which everything in a history is told.
pub(crate) fn now() -> Micros {
    micros(SystemTime::now())
}

fn micros(time: SystemTime) -> Micros {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A paid start and the process that made it.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The start.
    pub(crate) paid: Paid,
    /// The peer's number, where it noted that.
    pub(crate) pid: Option<u32>,
}

/// Reads the paid starts that the peers noted. The time of a note is the file system's, which is never ahead.
pub(crate) fn paid(world: &World) -> Vec<Start> {
    fs::read_dir(world.ledger().join("paid"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .filter_map(|entry| {
            let note = fs::read_to_string(entry.path()).ok()?;
            Some(Start {
                paid: Paid {
                    job: name(Path::new(&field(&note, "job")?))?,
                    at: micros(entry.metadata().ok()?.modified().ok()?),
                    answer: field(&note, "answer")?,
                },
                pid: field(&note, "pid").and_then(|pid| pid.parse().ok()),
            })
        })
        .collect()
}

/// Reads one fact of a note, which is a line of a name and a value, or a JSON object.
fn field(note: &str, wanted: &str) -> Option<String> {
    if let Ok(note) = serde_json::from_str::<Value>(note) {
        let value = note
            .get(wanted)
            .or_else(|| note.get(format!("{wanted}_sha256")))?;
        return Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    note.lines()
        .find_map(|line| line.strip_prefix(wanted)?.strip_prefix(' '))
        .map(str::to_owned)
}
