//! The program: chooses the door and steps aside.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crosscheck::domain::environment::Environment;
use crosscheck::domain::gate::Mode;
use crosscheck::domain::peer::Peer;
use crosscheck::entry;
use crosscheck::service::hook::Host;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os().collect();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    // Server, worker and hooks must be up in milliseconds, so they do not pass through the parser of the command line. What
    // they do not understand of it is left to that parser, which says best what is wrong.
    let words: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    if let Some(peer) = asked_to_serve(&words) {
        return entry::serve(peer, environment, directory, program);
    }
    match words.as_slice() {
        [command, job] if *command == OsStr::new("worker") => {
            entry::worker(&environment, &program, Path::new(job))
        }
        [command] if *command == OsStr::new("follow") => entry::follow(&environment, &program),
        [command, name, flags @ ..] if *command == OsStr::new("hook") => match host_of_hook(flags) {
            Some(host) if *name != OsStr::new("--help") => {
                entry::hook(host, environment, directory, program, name)
            }
            _ => entry::terminal(arguments, environment, directory, program),
        },
        _ => entry::terminal(arguments, environment, directory, program),
    }
}

/// Returns the host that a hook is run for, with what its entry chooses; `None` for flags that are not understood.
fn host_of_hook(flags: &[&OsStr]) -> Option<Host> {
    let flags: Option<Vec<&str>> = flags.iter().map(|word| word.to_str()).collect();
    match flags?.as_slice() {
        [] => Some(Host::ClaudeCode),
        ["--host", "codex", "--gate", mode] => Some(Host::Codex {
            gate: Mode::named(mode)?,
        }),
        _ => None,
    }
}

/// Returns the peer that a server is to ask, if one is to be started.
fn asked_to_serve(words: &[&OsStr]) -> Option<Peer> {
    let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
    match words?.as_slice() {
        ["serve"] => Some(Peer::default()),
        ["serve", "--peer", name] => Peer::parse(name),
        ["serve", flag] => Peer::parse(flag.strip_prefix("--peer=")?),
        _ => None,
    }
}
