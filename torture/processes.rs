//! The processes that live in a world, found by the home folder in their environment: nobody else's can be meant.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crosscheck::sys::signal::{ProcessIdentity, with_folder};
use rustix::process::Signal;

use crate::world::wait_until;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A server or a terminal.
    Server,
    /// A worker.
    Worker,
    /// A peer that runs a prompt.
    Peer,
    /// Anything that those started: a command of a peer, git.
    Other,
}

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which.
    pub identity: ProcessIdentity,
    /// What it is.
    pub kind: Kind,
    /// Its command line, shortened, for people.
    pub line: String,
}

/// Lists the live processes of the world with this home folder.
pub fn living(home: &Path) -> Vec<Process> {
    with_folder("HOME", home)
        .into_iter()
        .filter(ProcessIdentity::is_alive)
        .filter_map(|identity| {
            let bytes = fs::read(format!("/proc/{}/cmdline", identity.pid)).ok()?;
            let words: Vec<String> = bytes
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            let kind = kind(&words);
            let line: String = words.join(" ").chars().take(100).collect();
            Some(Process { identity, kind, line })
        })
        .collect()
}

fn kind(words: &[String]) -> Kind {
    let program = Path::new(words.first().map_or("", String::as_str)).file_name();
    let command = words.get(1).map_or("", String::as_str);
    match (program.and_then(OsStr::to_str), command) {
        (Some("codex"), "exec") => Kind::Peer,
        (Some("torture"), "worker") => Kind::Worker,
        (Some("torture"), _) => Kind::Server,
        _ => Kind::Other,
    }
}

/// Sends a signal to each and, when it is KILL, waits until none lives.
pub fn signal_all(processes: &[Process], signal: Signal) -> bool {
    for process in processes {
        process.identity.signal(signal);
    }
    signal != Signal::KILL || wait_until(|| !processes.iter().any(|process| process.identity.is_alive()))
}
