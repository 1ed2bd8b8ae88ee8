//! The scripted peer as `codex cloud`: a service that has each task done at once, in files below the home folder.
//!
//! A task that arrived is noted before its address is printed, as a service does that fails while it answers. Like the real
//! one each command leaves an `error.log` where it runs.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use crosscheck::domain::environment::Environment;
use crosscheck::domain::fingerprint::sha256_hex;

/// Where the tasks that arrived are noted, below the home folder.
pub const TASKS: &str = "cloud-tasks";
/// The file that an attempt adds.
pub const ADDED: &str = "from-the-cloud.txt";

/// Is `codex cloud`, with these words behind it.
pub fn main(words: &[&str], environment: &Environment) -> ExitCode {
    let log = fs::OpenOptions::new().create(true).append(true).open("error.log");
    let _ = log.and_then(|mut log| log.write_all(b"startup\n"));
    let Some(home) = environment.path("HOME") else {
        return ExitCode::FAILURE;
    };
    match words {
        ["exec", ..] => submit(&home),
        ["status", ..] => {
            println!("[READY] a task\nweb  •  1m ago\n+1/-0 • 1 file");
            ExitCode::SUCCESS
        }
        ["diff", attempt, ..] => {
            print!("{}", diff(attempt.trim_start_matches("--attempt=")));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("Error: http error: list_tasks failed: 503 Service Unavailable");
            ExitCode::FAILURE
        }
    }
}

/// What one attempt comes to.
fn diff(attempt: &str) -> String {
    format!(
        "diff --git a/{ADDED} b/{ADDED}\nnew file mode 100644\n--- /dev/null\n+++ b/{ADDED}\n@@ -0,0 +1 @@\n+attempt {attempt}\n"
    )
}

fn submit(home: &Path) -> ExitCode {
    let mut prompt = String::new();
    if std::io::stdin().read_to_string(&mut prompt).is_err() || prompt.is_empty() {
        eprintln!("Error: no prompt");
        return ExitCode::FAILURE;
    }
    let name = format!("task_e_{}", std::process::id());
    let (tasks, ledger) = (home.join(TASKS), home.join("ledger/arrived"));
    let hash = format!("prompt {}\n", sha256_hex(prompt.as_bytes()));
    // A name that begins with a dot is a draft.
    let draft = ledger.join(format!(".{name}"));
    let noted = fs::create_dir_all(&tasks)
        .and_then(|()| fs::create_dir_all(&ledger))
        .and_then(|()| fs::write(&draft, hash))
        .and_then(|()| fs::rename(&draft, ledger.join(&name)))
        .and_then(|()| fs::write(tasks.join(&name), prompt));
    if noted.is_err() {
        return ExitCode::FAILURE;
    }
    println!("https://chatgpt.com/codex/tasks/{name}");
    ExitCode::SUCCESS
}
