//! The scripted peer: it looks like codex, costs nothing and is up in a millisecond. What it does is written in the
//! prompt as `[[peer KEY=VALUE ...]]`:
//!
//! - `steps=N` and `step_ms=M`: says something first, then so many commands, each this long, before the answer (default
//!   none);
//! - `long=N`: the answer has at least so many bytes (consults only);
//! - `stubborn=1`: ignores INT and TERM, and leaves a grandchild in a session of its own that does too;
//! - `find=1`: the answer has a finding (reviews only); whoever is asked to check findings confirms them all;
//! - `bad=1`: the first answer cannot be read, so that a repair turn follows (reviews only);
//! - `edit=N`: makes the edits of this number in its directory (`peer_edit.rs`), one each `edit_ms=M`; before the commands,
//!   or with `edit_at=1` in the middle of them, or with `edit_at=2` after them (delegates only).
//!
//! Each start that read a prompt is a paid one and is noted in the ledger before the first event is printed. What is in
//! the files of one that edits is noted when its edits are done. As a sandbox it runs the line that it is given.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crosscheck::domain::environment::Environment;
use crosscheck::domain::fingerprint::sha256_hex;
use serde_json::{Value, json};

use crate::{peer_cloud, peer_edit};

/// Is codex, as far as crosscheck looks.
pub fn main(arguments: &[OsString], environment: &Environment) -> ExitCode {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    match words.first() {
        Some(&"--version") => {
            println!("codex-cli 0.169.0");
            ExitCode::SUCCESS
        }
        Some(&"sandbox") => sandbox(arguments),
        Some(&"app-server") => tell_configuration(),
        Some(&"exec") => exec(&words, environment),
        Some(&"cloud") => peer_cloud::main(&words[1..], environment),
        _ => ExitCode::FAILURE,
    }
}

/// Runs what stands behind `--`, where it was started and with what it was given.
fn sandbox(arguments: &[OsString]) -> ExitCode {
    let mut line = arguments.iter().skip_while(|word| *word != "--").skip(1);
    let Some(program) = line.next() else {
        return ExitCode::FAILURE;
    };
    let error = Command::new(program).args(line).exec();
    eprintln!("cannot run it: {error}");
    ExitCode::from(101)
}

/// Answers the question for its configuration, which is empty.
fn tell_configuration() -> ExitCode {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if serde_json::from_str::<Value>(&line).is_ok_and(|asked| asked["id"] == 2) {
            say(&json!({"id": 2, "result": {"config": {}}}));
        }
    }
    ExitCode::SUCCESS
}

fn exec(words: &[&str], environment: &Environment) -> ExitCode {
    let mut prompt = String::new();
    if std::io::stdin().read_to_string(&mut prompt).is_err() || prompt.is_empty() {
        eprintln!("No prompt provided via stdin.");
        return ExitCode::FAILURE;
    }
    let stubborn = number(&prompt, "stubborn") == Some(1);
    if stubborn && !ignores_term() {
        return ignore_signals(words, environment, &prompt);
    }
    let resumed = words
        .iter()
        .position(|word| *word == "resume")
        .and_then(|at| words.get(at + 1));
    let thread = resumed.map_or_else(new_thread, |thread| (*thread).to_owned());
    let structured = words.contains(&"--output-schema");
    let bad = number(&prompt, "bad") == Some(1) && resumed.is_none();
    let answer = answer(&prompt, structured, bad);
    note_paid(environment, &prompt, &answer);
    if stubborn {
        leave_a_stubborn_grandchild();
    }
    say(&json!({"type": "thread.started", "thread_id": thread}));
    say(&json!({"type": "turn.started"}));
    let steps = number(&prompt, "steps").unwrap_or(0);
    if steps > 0 {
        say(
            &json!({"type": "item.completed", "item": {"id": "first", "type": "agent_message", "text": first_words(&prompt)}}),
        );
    }
    let edit_at = match number(&prompt, "edit_at").unwrap_or(0) {
        0 => 0,
        1 => steps / 2,
        _ => steps,
    };
    for step in 0..=steps {
        if step == edit_at {
            edit(&prompt, words, environment);
        }
        if step == steps {
            break;
        }
        let command = format!("step {step}");
        say(
            &json!({"type": "item.started", "item": {"id": step.to_string(), "type": "command_execution", "command": command}}),
        );
        std::thread::sleep(Duration::from_millis(number(&prompt, "step_ms").unwrap_or(1)));
        say(
            &json!({"type": "item.completed", "item": {"id": step.to_string(), "type": "command_execution", "command": command, "aggregated_output": "done\n", "exit_code": 0, "status": "completed"}}),
        );
    }
    say(
        &json!({"type": "item.completed", "item": {"id": "answer", "type": "agent_message", "text": answer}}),
    );
    say(
        &json!({"type": "turn.completed", "usage": {"input_tokens": 100, "cached_input_tokens": 0, "output_tokens": 10}}),
    );
    ExitCode::SUCCESS
}

/// Makes the edits that the prompt asks for, and notes what is in the files then.
fn edit(prompt: &str, words: &[&str], environment: &Environment) {
    let Some(wanted) = number(prompt, "edit") else {
        return;
    };
    let directory = words.iter().position(|word| *word == "-C");
    let top = directory.and_then(|at| words.get(at + 1)).unwrap_or(&".");
    let pause = Duration::from_millis(number(prompt, "edit_ms").unwrap_or(0));
    if let Err(error) = peer_edit::edit(Path::new(top), wanted, pause) {
        eprintln!("cannot edit: {error}");
        return;
    }
    let (Some(home), Some(tmp)) = (environment.path("HOME"), environment.path("TMPDIR")) else {
        return;
    };
    let Some(job) = job_directory(&tmp).file_name() else {
        return;
    };
    let note = format!("sha256 {}\n", peer_edit::left(Path::new(top)));
    note_in(&home.join("ledger/left"), &job.to_string_lossy(), &note);
}

/// Writes a note at once: nobody reads half of one.
fn note_in(folder: &Path, name: &str, note: &str) {
    let _ = std::fs::create_dir_all(folder);
    let draft = folder.join(format!(".{}-{}", std::process::id(), new_thread()));
    let _ = std::fs::write(&draft, note).and_then(|()| std::fs::rename(&draft, folder.join(name)));
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a peer that nobody listens to ends where it stands"
)]
fn say(event: &Value) {
    let mut out = std::io::stdout();
    // The reader may be dead; a codex that cannot print ends.
    if writeln!(out, "{event}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Returns the answer to a prompt: text that depends on every byte of it, so that answers cannot be mistaken for
/// each other.
fn answer(prompt: &str, structured: bool, bad: bool) -> String {
    let text = format!("answer {}", sha256_hex(prompt.as_bytes()));
    let more = number(prompt, "long")
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(0);
    match (structured, bad) {
        (false, _) => format!("{text}{}", "\nmore of it".repeat(more.div_ceil(11))),
        (true, true) => "no JSON at all".to_owned(),
        (true, false) if is_check(prompt) => checked(prompt),
        (true, false) => {
            let found = number(prompt, "find") == Some(1);
            let (verdict, findings) = if found {
                ("fail", json!([finding()]))
            } else {
                ("pass", json!([]))
            };
            json!({"summary": text, "verdict": verdict, "confidence": "high", "score": 90, "findings": findings, "questions": [], "assumptions": []})
                .to_string()
        }
    }
}

/// A defect at a line of the large change.
fn finding() -> Value {
    json!({"severity": "high", "title": "It says nothing", "file": "large-1.txt", "line": 8, "end_line": null, "side": "new",
        "evidence": "line 7 of large-1.txt says nothing of note", "risk": "Nobody learns anything.",
        "recommendation": "Say something.", "confidence": "high"})
}

/// Tells whether a prompt asks to refute findings, which stand in it one a line.
fn is_check(prompt: &str) -> bool {
    findings_of(prompt).next().is_some()
}

fn findings_of(prompt: &str) -> impl Iterator<Item = Value> {
    let lines = prompt.lines().filter(|line| line.starts_with("{\"id\""));
    lines.filter_map(|line| serde_json::from_str(line).ok())
}

/// Confirms each finding. The reason depends on every byte of the prompt, like any other answer.
fn checked(prompt: &str) -> String {
    let reason = format!("answer {}", sha256_hex(prompt.as_bytes()));
    let verdicts: Vec<Value> = findings_of(prompt)
        .map(|finding| {
            json!({"id": finding["id"], "verdict": "confirmed", "reason": reason, "command": null, "in_base": false})
        })
        .collect();
    json!({ "verdicts": verdicts }).to_string()
}

/// Returns what is said before the first command.
fn first_words(prompt: &str) -> String {
    format!("first words {}", sha256_hex(prompt.as_bytes()))
}

/// Reads a number behind a key of the marker in the prompt.
fn number(prompt: &str, key: &str) -> Option<u64> {
    let marker = prompt.split("[[peer ").nth(1)?.split("]]").next()?;
    marker
        .split_whitespace()
        .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?
        .parse()
        .ok()
}

fn new_thread() -> String {
    let random = sha256_hex(format!("{} {:?}", std::process::id(), std::time::SystemTime::now()).as_bytes());
    format!(
        "{}-{}-7{}-8{}-{}",
        &random[..8],
        &random[8..12],
        &random[12..15],
        &random[15..18],
        &random[18..30]
    )
}

/// Returns the directory of the job that a peer's temporary folder lies in: a pass of a review has one of its own in the job's.
pub(crate) fn job_directory(tmp: &Path) -> &Path {
    let of_job = tmp.ancestors().find(|path| path.ends_with("tmp"));
    of_job.and_then(Path::parent).unwrap_or(tmp)
}

/// Notes for the auditor that this start was paid for: the job, the prompt and the answer that it will give.
fn note_paid(environment: &Environment, prompt: &str, answer: &str) {
    let (Some(home), Some(tmp)) = (environment.path("HOME"), environment.path("TMPDIR")) else {
        return;
    };
    let note = format!(
        "job {}\nprompt {}\nanswer {}\n",
        job_directory(&tmp).display(),
        sha256_hex(prompt.as_bytes()),
        sha256_hex(answer.as_bytes())
    );
    note_in(&home.join("ledger/paid"), &new_thread(), &note);
}

/// Tells whether this process ignores TERM.
fn ignores_term() -> bool {
    const TERM_BIT: u64 = 1 << 14;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & TERM_BIT != 0))
}

/// Becomes this same program again with INT and TERM ignored: what a shell ignores, its successor inherits. The process
/// stays the same one, and its prompt is handed on as a file.
fn ignore_signals(words: &[&str], environment: &Environment, prompt: &str) -> ExitCode {
    let (Some(tmp), Ok(own)) = (environment.path("TMPDIR"), std::env::current_exe()) else {
        return ExitCode::FAILURE;
    };
    let path = tmp.join("prompt");
    let Ok(input) = std::fs::write(&path, prompt).and_then(|()| std::fs::File::open(&path)) else {
        return ExitCode::FAILURE;
    };
    let error = Command::new("/bin/sh")
        .args(["-c", "trap '' INT TERM; exec \"$0\" \"$@\""])
        .arg(own)
        .args(words)
        .stdin(Stdio::from(input))
        .exec();
    eprintln!("cannot become stubborn: {error}");
    ExitCode::FAILURE
}

/// Leaves a process in a session of its own; it ignores what this one ignores.
fn leave_a_stubborn_grandchild() {
    let _ = Command::new("setsid")
        .args(["sh", "-c", "while :; do sleep 1; done"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}
