//! The stop gate of Codex: its hooks are run by the real codex, and claude reviews what its turn changed.

use std::fs;

use serde_json::{Value, json};

use crate::column::{Column, Model, said};
use crate::support::messages::Answer;
use crate::support::peers;
use crate::support::run::{Finished, finish};
use crate::world::{PROGRAM, claim, review_answer};

/// The turn that writes a file which the gate looks at.
const WRITES: &str = "Make a.py. [[fake:patch file=a.py text=\"total = a - b\"]]";

/// Finds fault with the file once, and with nothing afterwards.
fn reviewer(failing: bool) -> Column {
    Column::claude_with(peers::claude_197(), false, move |request| {
        if failing {
            return Answer::error(529, "overloaded_error", "Overloaded");
        }
        let found = request.to_string().contains("a - b");
        let findings: Vec<Value> = found
            .then(|| claim("high", "a.py", 1, "a - b"))
            .into_iter()
            .collect();
        said(
            request,
            &review_answer(if found { "fail" } else { "pass" }, &findings),
        )
    })
}

/// Puts the entries that we print into codex's file of hooks.
fn add_hooks(column: &Column, mode: &str) {
    let mut command = column.world.home.command(PROGRAM);
    command
        .args(["gate", "--json", "--workspace"])
        .arg(column.world.work());
    let told: Value = serde_json::from_str(&finish(command, "").stdout).unwrap();
    let entries = told["gate"]["codex"]["entries"].to_string();
    let file = column.world.home.codex_home().join("hooks.json");
    fs::write(file, entries.replace("--gate hard", &format!("--gate {mode}"))).unwrap();
}

fn turn(column: &Column, prompt: &str, trusted: bool) -> Finished {
    let mut command = column.world.home.command(peers::codex());
    command.current_dir(column.world.work());
    command.args(["exec", "--json", "-s", "workspace-write", "--skip-git-repo-check"]);
    if trusted {
        command.arg("--dangerously-bypass-hook-trust");
    }
    command.arg("-");
    let finished = finish(command, prompt);
    assert!(finished.status.success(), "{finished:#?}");
    finished
}

/// Returns what codex's own model was told in its requests.
fn told(column: &Column) -> Vec<String> {
    let turns = column.world.model.turns();
    turns.iter().map(|turn| turn.body.to_string()).collect()
}

#[test]
fn a_gate_of_codex_sends_findings_back_and_lets_go() {
    let column = reviewer(false).with_change();
    add_hooks(&column, "hard");
    turn(&column, WRITES, true);
    let told = told(&column);
    let last = told.last().unwrap();
    assert!(
        last.contains("Claude reviewed what changed and found 1 problem") && last.contains("a.py:1"),
        "{last}"
    );
    // The turn that was kept going ends: nothing changed since.
    assert_eq!(column.world.jobs().len(), 1);
    let mut command = column.world.home.command(PROGRAM);
    command
        .args(["gate", "--json", "--workspace"])
        .arg(column.world.work());
    let gate: Value = serde_json::from_str(&finish(command, "").stdout).unwrap();
    assert_eq!(
        (
            &gate["gate"]["codex"]["mode"],
            &gate["gate"]["last"]["verdict"],
            &gate["gate"]["last"]["peer"]
        ),
        (&json!("hard"), &json!("block"), &json!("claude")),
        "{gate:#}"
    );
}

#[test]
fn a_gate_of_codex_that_cannot_look_or_is_not_trusted_blocks_nothing() {
    let check = |column: Column, mode: &str, trusted: bool, jobs: usize| {
        let column = column.with_change();
        add_hooks(&column, mode);
        let finished = turn(&column, WRITES, trusted);
        assert!(finished.stdout.contains("turn.completed"), "{finished:#?}");
        assert!(
            told(&column).iter().all(|told| !told.contains("stop gate")),
            "{mode} {trusted}"
        );
        assert_eq!(column.world.jobs().len(), jobs, "{mode} {trusted}");
    };
    check(reviewer(true), "hard", true, 1);
    check(reviewer(false), "off", true, 0);
    check(reviewer(false), "hard", false, 0);
    let missing = Column::claude("/nowhere/claude".into(), &Model::Silence);
    check(missing, "hard", true, 0);
}
