//! The real codex as the host that was set up.

use std::fs;

use serde_json::{Value, json};

use crate::column::{Column, Model};
use crate::corpus::FILES;
use crate::files::{config, home, ok};
use crate::support::peers;
use crate::support::run::{Finished, finish};
use crate::world::{PROGRAM, World};

fn codex(world: &crate::support::home::Home, arguments: &[&str]) -> Finished {
    let mut command = world.command(peers::codex());
    command.args(arguments);
    finish(command, "")
}

/// Lets codex take a turn.
fn turn(world: &World, prompt: &str) -> Finished {
    let mut command = world.home.command(peers::codex());
    command.args(["exec", "--json", "-s", "read-only", "--skip-git-repo-check", "-"]);
    let finished = finish(command, prompt);
    assert!(finished.status.success(), "{finished:#?}");
    finished
}

/// Returns a prompt with which the model calls a tool of our server.
fn calling(tool: &str, arguments: &Value) -> String {
    let arguments = arguments.to_string().replace('"', "\\\"");
    format!("Ask claude. [[fake:tool namespace=mcp__claude name={tool} args=\"{arguments}\"]]")
}

fn call_of(finished: &Finished) -> Value {
    let mut events = finished.events().into_iter();
    let call =
        events.find(|event| event["item"]["type"] == "mcp_tool_call" && event["type"] == "item.completed");
    call.unwrap_or_else(|| panic!("no call: {finished:#?}"))
}

#[test]
fn codex_reads_the_entry_as_it_is_meant() {
    let home = home();
    ok(&home, &["setup", "--host", "codex"]);
    let told = codex(&home, &["mcp", "get", "claude", "--json"]);
    let server: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:#?}"));
    assert_eq!(server["enabled"], true);
    assert_eq!(server["transport"]["command"], PROGRAM);
    assert_eq!(server["transport"]["args"], json!(["serve", "--peer", "claude"]));
    assert_eq!(server["startup_timeout_sec"], 20.0);
    assert_eq!(server["tool_timeout_sec"], 14460.0);
    let names = server["transport"]["env_vars"].as_array().unwrap();
    for name in [
        "XDG_STATE_HOME",
        "CROSSCHECK_STATE_DIR",
        "ANTHROPIC_API_KEY",
        "https_proxy",
    ] {
        assert!(names.contains(&json!(name)), "{name}");
    }
    assert_eq!(server["transport"]["env"], Value::Null, "no value is written");
    let removed = codex(&home, &["mcp", "remove", "claude"]);
    assert!(removed.status.success(), "{removed:#?}");
    assert_eq!(
        ok(&home, &["uninstall", "--host", "codex", "--yes"])["changed"],
        0
    );
}

#[test]
fn codex_reads_every_file_as_before_and_the_entry_with_it() {
    let home = home();
    let listed = || {
        let told = codex(&home, &["mcp", "list", "--json"]);
        serde_json::from_str::<Vec<Value>>(&told.stdout).ok()
    };
    let mut read = 0;
    for (name, text) in FILES {
        fs::write(config(&home), text).unwrap();
        // Of some it says that they are wrong in what they say, and does not start.
        let Some(before) = listed() else { continue };
        read += 1;
        ok(&home, &["setup", "--host", "codex"]);
        let after = listed().unwrap_or_else(|| panic!("{name}"));
        let (ours, others): (Vec<_>, Vec<_>) =
            after.into_iter().partition(|server| server["name"] == "claude");
        assert_eq!(others, before, "{name}");
        assert_eq!(ours.len(), 1, "{name}");
        assert_eq!(ours[0]["transport"]["command"], PROGRAM, "{name}");
    }
    assert!(read >= 30, "codex read {read} of the files");
}

#[test]
fn after_a_set_up_codex_asks_claude_and_both_have_the_same_jobs() {
    for program in [peers::claude_197(), peers::claude_newest()] {
        let column =
            Column::claude(program, &Model::Answers(json!({"answer": "CLAUDE-SAYS-YES"}))).with_change();
        let world = &column.world;
        ok(&world.home, &["setup", "--host", "codex"]);
        let call = call_of(&turn(
            world,
            &calling("consult", &json!({"prompt": "Is this right?"})),
        ));
        assert_eq!(call["item"]["error"], Value::Null, "{call:#}");
        assert!(call.to_string().contains("CLAUDE-SAYS-YES"), "{call:#}");
        assert!(column.told().contains("Is this right?"));
        // What codex started is what the terminal knows, and the other way round.
        let jobs = ok(&world.home, &["jobs", "--state", "all"]);
        assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs:#}");
        let id = jobs["jobs"][0]["id"].clone();
        let told = call_of(&turn(world, &calling("job", &json!({"id": id}))));
        assert!(told.to_string().contains("CLAUDE-SAYS-YES"), "{told:#}");
        let here = ok(&world.home, &["--peer", "claude", "consult", "From here?"]);
        let there = call_of(&turn(world, &calling("job", &json!({"id": here["job"]["id"]}))));
        assert_eq!(there["item"]["error"], Value::Null, "{there:#}");
        assert_eq!(world.jobs().len(), 2);
    }
}

#[test]
fn a_server_that_went_away_does_not_hold_up_codex() {
    let column = Column::claude(peers::claude_197(), &Model::Silence);
    let world = &column.world;
    ok(&world.home, &["setup", "--host", "codex"]);
    let file = config(&world.home);
    let text = fs::read_to_string(&file).unwrap();
    for program in ["/nowhere/crosscheck", "/bin/false", "/bin/cat"] {
        fs::write(&file, text.replace(PROGRAM, program)).unwrap();
        let finished = turn(world, "Hello. [[fake:plain text=\"Hi.\"]]");
        assert!(finished.stdout.contains("Hi."), "{program} {finished:#?}");
    }
}

#[test]
fn the_file_of_a_project_counts_once_it_is_trusted() {
    let column = Column::claude(
        peers::claude_197(),
        &Model::Answers(json!({"answer": "CLAUDE-SAYS-YES"})),
    )
    .with_change();
    let world = &column.world;
    ok(&world.home, &["setup", "--host", "codex", "--scope", "project"]);
    let prompt = calling("consult", &json!({"prompt": "Is this right?"}));
    let untrusted = turn(world, &prompt);
    assert!(!untrusted.stdout.contains("CLAUDE-SAYS-YES"), "{untrusted:#?}");
    let mut text = fs::read_to_string(config(&world.home)).unwrap();
    let project = world.work().display().to_string();
    text.extend(["[projects.\"", &project, "\"]\ntrust_level = \"trusted\"\n"]);
    fs::write(config(&world.home), text).unwrap();
    assert!(
        call_of(&turn(world, &prompt))
            .to_string()
            .contains("CLAUDE-SAYS-YES")
    );
}

#[test]
fn codex_asks_before_what_writes_and_a_person_lands_it_in_the_terminal() {
    let column = Column::claude(peers::claude_newest(), &Model::Writes("new.txt", "here")).with_change();
    let world = &column.world;
    ok(&world.home, &["setup", "--host", "codex"]);
    let task = json!({"task": "Make new.txt."});
    // In a run without a person nobody can be asked.
    let call = call_of(&turn(world, &calling("delegate", &task)));
    let said = call["item"]["error"]["message"].as_str().unwrap_or_default();
    assert!(said.contains("requires approval"), "{call:#}");
    assert_eq!(column.asked(), 0);
    // Who says in codex's own configuration that it is not asked about is not, and a set-up leaves that as it is.
    let file = config(&world.home);
    let text = fs::read_to_string(&file).unwrap();
    let agreed = "[mcp_servers.claude.tools.delegate]\napproval_mode = \"approve\"\n";
    fs::write(&file, format!("{text}\n{agreed}")).unwrap();
    assert_eq!(ok(&world.home, &["setup", "--host", "codex"])["changed"], 0);
    let call = call_of(&turn(world, &calling("delegate", &task)));
    assert_eq!(call["item"]["error"], Value::Null, "{call:#}");
    assert!(!world.work().join("new.txt").exists());
    let jobs = ok(&world.home, &["jobs", "--state", "all"]);
    let id = jobs["jobs"][0]["id"].as_str().unwrap();
    ok(&world.home, &["apply", id, "--land", "--yes"]);
    let text = fs::read_to_string(world.work().join("new.txt")).unwrap();
    assert_eq!(text.trim_end(), "here");
    // What was added to our entry goes with it: alone it would be no server.
    ok(&world.home, &["uninstall", "--host", "codex", "--yes"]);
    assert!(!fs::read_to_string(&file).unwrap().contains("mcp_servers"));
}
