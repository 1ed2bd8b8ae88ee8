//! A conversation of Claude Code's that codex goes on with.

use std::fs;

use serde_json::{Value, json};

use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::world::World;

/// Runs a command in the project and returns its envelope.
fn run(world: &World, arguments: &[&str]) -> Value {
    let mut command = world.home.command(env!("CARGO_BIN_EXE_crosscheck"));
    command.current_dir(world.work()).args(arguments).arg("--json");
    let finished = finish(command, "");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

#[test]
fn a_conversation_is_handed_over_and_goes_on_in_codex() {
    let world = World::new(Scripted::well()).with_change();
    let secret = format!("{}_{}", "ghp", "wX3kQ9vB2nM7pL4sT8rY1dF6hJ5gC0zAeUiO");
    let line =
        |who: &str, text: &str| json!({"type": who, "message": {"role": who, "content": text}}).to_string();
    let tool = json!({"type": "user", "message": {"content": [{"type": "tool_result", "content": "the words of a tool"}]}});
    let lines = [
        line("user", &format!("Remember the word heron, and my key {secret}.")),
        tool.to_string(),
        line("assistant", "The word is heron."),
    ];
    let file = world.home.private().join("conversation.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let file = file.to_str().unwrap();

    let previewed = run(&world, &["transfer", "--dry-run", "--transcript", file]);
    assert_eq!(
        (&previewed["messages"], &previewed["masked"]),
        (&json!(2), &json!(1)),
        "{previewed:#}"
    );
    assert!(!world.home.codex_home().join("sessions").exists());

    let told = run(&world, &["transfer", "--transcript", file]);
    let thread = told["thread"].as_str().unwrap_or_else(|| panic!("{told:#}"));
    assert_eq!(told["resume_command"], format!("codex resume {thread}"));
    assert!(world.model.turns().is_empty(), "it is free");
    let left = fs::read_dir(world.home.state().join("transfers"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "the copy is deleted");

    let mut server = world.server();
    let asked = json!({"prompt": "Which word? [[fake:plain text=\"Heron.\"]]", "resume": thread});
    let answer = server.ok("consult", &asked);
    assert_eq!(
        (&answer["answer"], &answer["meta"]["thread"]),
        (&json!("Heron."), &json!(thread)),
        "{answer:#}"
    );
    let sent = world.model.turns()[0].body.to_string();
    assert!(
        sent.contains("Remember the word heron") && sent.contains("The word is heron."),
        "{sent}"
    );
    assert!(
        !sent.contains(&secret) && !sent.contains("the words of a tool"),
        "{sent}"
    );

    // The same once more is another thread: nothing of the first one is changed.
    let again = run(&world, &["transfer", "--transcript", file]);
    assert_ne!(again["thread"], json!(thread));
}

#[test]
fn a_file_that_is_no_conversation_is_refused() {
    let world = World::new(Scripted::well()).with_change();
    world.write("notes.jsonl", "not a conversation\n");
    let told = run(&world, &["transfer", "--transcript", "notes.jsonl"]);
    assert_eq!(told["error"]["code"], "invalid_arguments", "{told:#}");
    let told = run(&world, &["transfer", "--transcript", "absent.jsonl"]);
    assert_eq!(told["error"]["field"], "transcript", "{told:#}");
    let told = run(&world, &["transfer"]);
    assert!(
        told["error"]["repair"]["hint"]
            .as_str()
            .unwrap()
            .contains("/codex:transfer"),
        "{told:#}"
    );
}
