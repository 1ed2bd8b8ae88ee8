//! Breaks things on purpose and audits the disk afterwards. One program with three faces:
//!
//! - started by a person, it runs the parts of the harness and prints their counts;
//! - started with `CROSSCHECK_TORTURE_PLAN`, it is crosscheck itself (server, terminal or worker), armed with a plan of
//!   faults. No program called crosscheck is ever built with the seam in it;
//! - started under the name `codex`, it is the scripted peer.

#![expect(
    unreachable_pub,
    reason = "a program has no outside, and `pub` says which of a file is for the others"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tables and the peer's events are its output"
)]

mod audit;
mod census;
mod clients;
mod clock;
mod cloud_judge;
mod damaged;
mod delegates;
mod disk;
mod disk_case;
mod facts;
mod full;
mod host;
mod keys;
mod kill;
mod kill_case;
mod kill_clouds;
mod kill_judge;
mod kill_landing;
mod kill_random;
mod landing_play;
mod ledger;
mod leftovers;
mod life;
mod mixed;
mod model;
mod mutate;
mod parts;
mod peer;
mod peer_cloud;
mod peer_edit;
mod processes;
mod queue;
mod random;
mod real;
mod repository;
mod sampler;
mod server;
mod world;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crosscheck::domain::environment::Environment;
use crosscheck::domain::peer::Peer;
use crosscheck::entry;
use crosscheck::run::follow::FOLLOW_COMMAND;
use crosscheck::sys::seam;

/// Names the folder of the plan; its presence makes this program crosscheck.
pub const PLAN_VARIABLE: &str = "CROSSCHECK_TORTURE_PLAN";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let environment: Environment = std::env::vars_os().collect();
    let called_as = arguments.first().map(Path::new).and_then(Path::file_name);
    if called_as == Some(OsStr::new("codex")) {
        return peer::main(&arguments[1..], &environment);
    }
    let rest: Vec<OsString> = arguments.into_iter().skip(1).collect();
    match environment.path(PLAN_VARIABLE) {
        Some(plan) => crosscheck(&plan, rest, environment),
        None => parts::main(&rest),
    }
}

/// Is crosscheck, armed with a plan.
fn crosscheck(plan: &Path, arguments: Vec<OsString>, environment: Environment) -> ExitCode {
    let command = arguments.first().map(OsString::as_os_str);
    let role = match command.and_then(OsStr::to_str) {
        Some("worker") => "worker",
        Some(FOLLOW_COMMAND) => "follower",
        _ => "server",
    };
    if let Err(error) = seam::arm(plan, role) {
        eprintln!("torture: cannot arm: {error}");
        return ExitCode::from(125);
    }
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    match (command, arguments.get(1)) {
        (Some(command), None) if command == OsStr::new("serve") => {
            entry::serve(Peer::Codex, environment, directory, program)
        }
        (Some(command), Some(job)) if command == OsStr::new("worker") => {
            entry::worker(&environment, &program, Path::new(job))
        }
        (Some(command), None) if command == OsStr::new(FOLLOW_COMMAND) => {
            entry::follow(&environment, &program)
        }
        _ => entry::terminal(arguments, environment, directory, program),
    }
}
