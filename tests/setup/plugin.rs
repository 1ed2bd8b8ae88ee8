//! Our plugin for codex, installed by the real codex from a clone of this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::column::{Column, Model};
use crate::support::peers;
use crate::support::run::{Finished, finish};
use crate::world::PROGRAM;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(tail: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join(tail)).unwrap()).unwrap()
}

/// Makes a repository of every file that this one tracks or is about to.
fn clone_into(folder: &Path) {
    let git = |at: &Path, arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(at)
            .args(["-c", "user.name=a", "-c", "user.email=a@example.invalid"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for file in git(
        &root(),
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    )
    .lines()
    {
        let (from, to) = (root().join(file), folder.join(file));
        // What the plugin runs and reads; sources are many, and none of them is looked at here.
        let first = file.split('/').next().unwrap();
        if !["src", "tests", "torture", "benches", "docs"].contains(&first) && from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    git(folder, &["init", "-q"]);
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-qm", "all"]);
}

fn codex(column: &Column, arguments: &[&str], input: &str) -> Finished {
    let mut command = column.world.home.command(peers::codex());
    command.args(arguments);
    let finished = finish(command, input);
    assert!(finished.status.success(), "{arguments:?} {finished:#?}");
    finished
}

#[test]
fn codex_installs_the_plugin_and_asks_claude_through_it() {
    let mut column = Column::claude(
        peers::claude_newest(),
        &Model::Answers(json!({"answer": "CLAUDE-SAYS-YES"})),
    )
    .with_change();
    let home = column.world.home;
    // codex looks for plugins of its own on the network when plugins are on.
    column.world.home = home
        .with_variable("CROSSCHECK_BIN", PROGRAM)
        .with_variable("HTTPS_PROXY", "http://127.0.0.1:9")
        .with_variable("HTTP_PROXY", "http://127.0.0.1:9")
        .with_variable("NO_PROXY", "127.0.0.1");
    let home = &column.world.home;
    let file = home.codex_home().join("config.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("plugins = false", "plugins = true\nremote_plugin = false"),
    )
    .unwrap();
    let marketplace = home.private().join("marketplace");
    clone_into(&marketplace);
    let source = marketplace.to_str().unwrap();
    codex(&column, &["plugin", "marketplace", "add", source], "");
    codex(&column, &["plugin", "add", "claude@crosscheck"], "");

    let told = codex(&column, &["mcp", "list", "--json"], "");
    let servers: Vec<Value> = serde_json::from_str(&told.stdout).unwrap();
    let names: Vec<&Value> = servers.iter().map(|server| &server["name"]).collect();
    assert_eq!(names, ["claude"], "{servers:#?}");
    assert_eq!(servers[0]["tool_timeout_sec"], 14460.0);

    let arguments = json!({"prompt": "Is this right?"})
        .to_string()
        .replace('"', "\\\"");
    let prompt = format!("Ask claude. [[fake:tool namespace=mcp__claude name=consult args=\"{arguments}\"]]");
    let exec = ["exec", "--json", "-s", "read-only", "--skip-git-repo-check", "-"];
    let finished = codex(&column, &exec, &prompt);
    let call = finished
        .events()
        .into_iter()
        .find(|event| event["item"]["type"] == "mcp_tool_call" && event["type"] == "item.completed")
        .unwrap_or_else(|| panic!("no call: {finished:#?}"));
    assert!(call.to_string().contains("CLAUDE-SAYS-YES"), "{call:#}");
    // The server works in the project, not in the folder of the plugin.
    let work = column.world.work().display().to_string();
    assert!(
        call.to_string().contains(&format!("\"workspace\":\"{work}\"")),
        "{call:#}"
    );

    let turns = column.world.model.turns();
    let said = turns[0].body.to_string();
    assert!(said.contains("asking-claude"), "{said}");
    // What the same repository holds for Claude Code is not for codex.
    assert!(!said.contains("collaborating-with-codex"), "{said}");
    assert!(
        !home.state().join("sessions").exists(),
        "a hook for Claude Code ran"
    );

    codex(&column, &["plugin", "remove", "claude@crosscheck"], "");
    let told = codex(&column, &["mcp", "list", "--json"], "");
    assert_eq!(serde_json::from_str::<Value>(&told.stdout).unwrap(), json!([]));
}

#[test]
fn the_plugin_tells_codex_what_a_set_up_does() {
    let plugin = read(".codex-plugin/plugin.json");
    let marketplace = read(".agents/plugins/marketplace.json");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(plugin["version"], version);
    assert_eq!(plugin["name"], marketplace["plugins"][0]["name"]);
    assert_eq!(
        read(".claude-plugin/marketplace.json")["name"],
        marketplace["name"]
    );
    let server = &read("codex/mcp.json")["mcpServers"]["claude"];
    let script = server["args"][1].as_str().unwrap();
    let place = format!("/plugins/cache/crosscheck/claude/{version}/bin/crosscheck\" serve --peer claude");
    assert!(script.ends_with(&place), "{script}");

    let home = crate::files::home();
    let printed = crate::files::ok(&home, &["print-config", "--host", "codex"]);
    let text = printed["entries"][0]["text"].as_str().unwrap();
    let set_up: toml::Table = toml::from_str(text).unwrap();
    let set_up = &set_up["mcp_servers"]["claude"];
    for key in ["startup_timeout_sec", "tool_timeout_sec"] {
        assert_eq!(server[key].as_i64(), set_up[key].as_integer(), "{key}");
    }
    let names = server["env_vars"].as_array().unwrap();
    for name in set_up["env_vars"].as_array().unwrap() {
        assert!(names.contains(&json!(name.as_str().unwrap())), "{name}");
    }
}
