//! codex as the host of a server that asks claude, and calls that come from inside a run.

use serde_json::{Value, json};

use crate::column::{Column, Model};
use crate::support::model::wait_until;
use crate::support::peers;
use crate::support::run::finish;
use crate::world::PROGRAM;

/// Writes the configuration by which codex starts our server, with the variables that it must pass on: it gives a server
/// almost none by itself.
fn register(column: &Column) {
    let home = &column.world.home;
    let file = home.codex_home().join("config.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    let mut variables = vec![
        ("XDG_CONFIG_HOME".to_owned(), home.config().display().to_string()),
        (
            "XDG_STATE_HOME".to_owned(),
            home.xdg_state().display().to_string(),
        ),
        (
            "CROSSCHECK_STATE_DIR".to_owned(),
            home.state().display().to_string(),
        ),
        (
            "CLAUDE_CONFIG_DIR".to_owned(),
            home.claude_config().display().to_string(),
        ),
    ];
    for name in [
        "CROSSCHECK_CLAUDE_BIN",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_MAX_RETRIES",
    ] {
        variables.push((name.to_owned(), home.variable(name).unwrap().to_owned()));
    }
    let table: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name} = \"{value}\""))
        .collect();
    let added = format!(
        "\n[mcp_servers.claude]\ncommand = \"{PROGRAM}\"\nargs = [\"serve\", \"--peer\", \"claude\"]\n\
         env = {{ {} }}\n",
        table.join(", ")
    );
    text.push_str(&added);
    std::fs::write(file, text).unwrap();
}

#[test]
fn codex_asks_claude_and_the_answer_comes_back_through() {
    for program in [peers::claude_197(), peers::claude_newest()] {
        let column =
            Column::claude(program, &Model::Answers(json!({"answer": "CLAUDE-SAYS-YES"}))).with_change();
        register(&column);
        let arguments = json!({"prompt": "Is this right?"})
            .to_string()
            .replace('"', "\\\"");
        let prompt =
            format!("Ask claude. [[fake:tool namespace=mcp__claude name=consult args=\"{arguments}\"]]");
        let mut command = column.world.home.command(peers::codex());
        command.args(["exec", "--json", "-s", "read-only", "--skip-git-repo-check", "-"]);
        let finished = finish(command, &prompt);
        assert!(finished.status.success(), "{finished:#?}");
        let call = finished
            .events()
            .into_iter()
            .find(|event| event["item"]["type"] == "mcp_tool_call" && event["type"] == "item.completed")
            .unwrap_or_else(|| panic!("no call: {finished:#?}"));
        assert_eq!(call["item"]["error"], Value::Null, "{call:#}");
        assert!(call.to_string().contains("CLAUDE-SAYS-YES"), "{call:#}");
        assert!(finished.stdout.contains("claude answered in"), "{finished:#?}");
        assert_eq!(column.world.jobs().len(), 1);
        assert!(column.told().contains("Is this right?"));
    }
}

#[test]
fn a_server_that_cannot_start_does_not_hold_up_codex() {
    let column = Column::claude(peers::claude_197(), &Model::Silence);
    let file = column.world.home.codex_home().join("config.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    let added = format!(
        "\n[mcp_servers.claude]\ncommand = \"{PROGRAM}\"\nargs = [\"serve\", \"--peer\", \"nobody\"]\n"
    );
    text.push_str(&added);
    std::fs::write(file, text).unwrap();
    let mut command = column.world.home.command(peers::codex());
    command.args(["exec", "--json", "-s", "read-only", "--skip-git-repo-check", "-"]);
    let finished = finish(command, "Hello. [[fake:plain text=\"Hi.\"]]");
    assert!(finished.status.success(), "{finished:#?}");
    assert!(finished.stdout.contains("Hi."), "{finished:#?}");
}

#[test]
fn a_call_from_inside_a_run_is_refused_in_both_directions() {
    let columns = [
        Column::codex(&Model::Silence),
        Column::claude(peers::claude_197(), &Model::Silence),
    ];
    for column in columns {
        let mut server = column.server();
        let started = server.ok("consult", &json!({"prompt": "Think.", "background": true}));
        let id = started["job"]["id"].as_str().unwrap().to_owned();
        wait_until("a request", || column.asked() >= 1);
        let log = std::fs::read_to_string(column.world.job(&id).join("events.jsonl")).unwrap();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        let thread = lines.find_map(|line: Value| thread_in(&line)).unwrap();
        let paid = column.asked();
        for peer in ["codex", "claude"] {
            // The variables that a peer gives to what it starts, and ours.
            for (name, value) in [
                ("CODEX_THREAD_ID", thread.as_str()),
                ("CLAUDE_CODE_SESSION_ID", thread.as_str()),
                ("CROSSCHECK_DEPTH", "1"),
            ] {
                let mut command = column.world.home.command(PROGRAM);
                command
                    .env(name, value)
                    .args(["--peer", peer, "consult", "--json", "x"]);
                let finished = finish(command, "");
                assert!(
                    finished.stdout.contains("recursion_refused"),
                    "{name} {peer}: {finished:#?}"
                );
            }
            // And with none of them, as codex starts its servers: the call itself names the thread.
            let mut server = column.world.server_asking(peer);
            let call = server.request(
                "tools/call",
                &json!({"name": "consult", "arguments": {"prompt": "x"}, "_meta": {"threadId": thread}}),
            );
            let envelope = server.envelope(call);
            assert_eq!(
                envelope["error"]["code"], "recursion_refused",
                "{peer}: {envelope:#}"
            );
        }
        assert_eq!(column.asked(), paid);
        server.ok("cancel", &json!({"id": id}));
    }
}

/// Finds a thread in a line of a job's log.
fn thread_in(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => match fields.get("thread").and_then(Value::as_str) {
            Some(thread) if thread.len() == 36 => Some(thread.to_owned()),
            _ => fields.values().find_map(thread_in),
        },
        Value::Array(items) => items.iter().find_map(thread_in),
        _ => None,
    }
}
