//! The program: chooses the door and steps aside.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crosscheck::domain::environment::Environment;
use crosscheck::entry;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os().collect();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    // Server, worker and hooks must be up in milliseconds, so they do not pass through the parser of the command line.
    match arguments
        .iter()
        .map(OsString::as_os_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [command] if *command == OsStr::new("serve") => entry::serve(environment, directory, program),
        [command, job] if *command == OsStr::new("worker") => entry::worker(&environment, Path::new(job)),
        [command, name] if *command == OsStr::new("hook") && *name != OsStr::new("--help") => {
            entry::hook(environment, directory, program, name)
        }
        _ => entry::terminal(arguments, environment, directory, program),
    }
}
