//! A thread of codex's that Claude Code goes on with: the real codex makes it, and the real claude resumes what we wrote.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::column::{Column, Model};
use crate::support::peers;
use crate::support::run::{Finished, finish};
use crate::world::PROGRAM;

/// Runs a command of ours in the project and returns its envelope.
fn run(column: &Column, arguments: &[&str]) -> Value {
    let mut command = column.world.home.command(PROGRAM);
    command
        .current_dir(column.world.work())
        .args(arguments)
        .arg("--json");
    let finished = finish(command, "");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

/// Holds a conversation with codex in the project, and returns its thread.
fn converse(column: &Column, prompt: &str) -> String {
    let mut command = column.world.home.command(peers::codex());
    command.current_dir(column.world.work()).args([
        "exec",
        "--json",
        "-s",
        "read-only",
        "--skip-git-repo-check",
        "-",
    ]);
    let finished = finish(command, prompt);
    finished.event("thread.started")["thread_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Returns the sessions that Claude Code has.
fn sessions(column: &Column) -> Vec<PathBuf> {
    let projects = column.world.home.claude_config().join("projects");
    let folders = fs::read_dir(projects).into_iter().flatten().flatten();
    folders
        .flat_map(|folder| fs::read_dir(folder.path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect()
}

fn resume(column: &Column, program: &PathBuf, session: &str) -> Finished {
    let mut command = column.world.home.command(program);
    command
        .current_dir(column.world.work())
        .args(["-p", "--output-format", "json", "--resume", session]);
    finish(command, "Which word?")
}

#[test]
fn a_thread_of_codex_goes_on_in_claude() {
    let secret = format!("{}_{}", "ghp", "wX3kQ9vB2nM7pL4sT8rY1dF6hJ5gC0zAeUiO");
    for program in [peers::claude_197(), peers::claude_newest()] {
        let column =
            Column::claude(program.clone(), &Model::Answers(json!({"answer": "Heron."}))).with_change();
        let prompt = format!(
            "Remember the word heron, and my key {secret}. [[fake:plain text=\"The word is heron.\"]]"
        );
        let thread = converse(&column, &prompt);
        let record = fs::read_dir(column.world.home.codex_home().join("sessions"))
            .unwrap()
            .count();

        let previewed = run(&column, &["transfer", "--to", "claude", "--dry-run"]);
        assert_eq!(
            (&previewed["messages"], &previewed["masked"]),
            (&json!(2), &json!(1)),
            "{previewed:#}"
        );
        assert!(sessions(&column).is_empty(), "a preview writes nothing");

        let told = run(&column, &["transfer", "--to", "claude", "--thread", &thread]);
        let session = told["session"].as_str().unwrap_or_else(|| panic!("{told:#}"));
        assert_eq!(told["resume_command"], format!("claude --resume {session}"));
        assert_eq!(column.asked(), 0, "it is free");
        assert_eq!(sessions(&column).len(), 1);
        let again = run(&column, &["transfer", "--to", "claude"]);
        assert_ne!(again["session"], told["session"], "each call makes a new one");
        assert_eq!(sessions(&column).len(), 2);

        let finished = resume(&column, &program, session);
        assert!(finished.status.success(), "{finished:#?}");
        let sent = column.told();
        assert!(
            sent.contains("Remember the word heron")
                && sent.contains("The word is heron.")
                && sent.contains("Which word?"),
            "{sent}"
        );
        assert!(sent.contains("held with Codex"), "{sent}");
        assert!(
            !sent.contains(&secret) && !sent.contains("<environment_context>"),
            "{sent}"
        );
        let request = column.messages.as_ref().unwrap().requests().remove(0);
        let messages = request["messages"].as_array().unwrap().iter();
        let roles: Vec<&str> = messages
            .map(|message| message["role"].as_str().unwrap())
            .filter(|role| *role != "system")
            .collect();
        assert_eq!(roles, ["user", "assistant", "user"], "{request:#}");

        // A run of ours goes on with it too, and codex's own record is as it was.
        let mut server = column.server();
        let other = again["session"].clone();
        let answer = server.ok("consult", &json!({"prompt": "Which word?", "resume": other}));
        assert_eq!(answer["answer"], "Heron.", "{answer:#}");
        let last = column
            .messages
            .as_ref()
            .unwrap()
            .requests()
            .pop()
            .unwrap()
            .to_string();
        assert!(last.contains("Remember the word heron"), "{last}");
        let kept = fs::read_dir(column.world.home.codex_home().join("sessions"))
            .unwrap()
            .count();
        assert_eq!(kept, record);
    }
}

#[test]
fn what_is_no_thread_of_codexs_is_refused() {
    let column = Column::claude(peers::claude_197(), &Model::Silence).with_change();
    let check = |arguments: &[&str], field: &str| {
        let told = run(&column, &[&["transfer", "--to", "claude"], arguments].concat());
        assert_eq!(told["error"]["field"], field, "{told:#}");
    };
    check(&[], "thread");
    check(&["--thread", "01a20096-4990-7872-a436-7879f3d3da81"], "thread");
    check(&["--thread", "../x"], "thread");
    check(&["--transcript", "/dev/null"], "transcript");
    let told = run(
        &column,
        &["transfer", "--thread", "01a20096-4990-7872-a436-7879f3d3da81"],
    );
    assert_eq!(
        told["error"]["field"], "thread",
        "only claude is handed a thread of codex's: {told:#}"
    );
    assert!(sessions(&column).is_empty());
}
