//! The real Claude Code, told with its own commands.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::files::{crosscheck, home, ok};
use crate::support::home::Home;
use crate::support::peers;
use crate::world::PROGRAM;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn homes() -> [Home; 2] {
    [peers::claude_197(), peers::claude_newest()].map(|program| {
        home()
            .with_variable("CROSSCHECK_CLAUDE_BIN", program)
            // Nothing of it reaches a network.
            .with_variable("HTTPS_PROXY", "http://127.0.0.1:9")
            .with_variable("HTTP_PROXY", "http://127.0.0.1:9")
    })
}

#[test]
fn claude_code_takes_our_server_once_and_gives_it_back() {
    for home in homes() {
        for (scope, file) in [
            ("user", home.claude_config().join(".claude.json")),
            ("project", home.work().join(".mcp.json")),
        ] {
            let set_up = ["setup", "--host", "claude", "--scope", scope];
            let looked = ok(&home, &[&set_up[..], &["--dry-run"]].concat());
            let told = looked["steps"][0]["commands"][0].as_str().unwrap();
            assert!(
                told.starts_with(&format!("claude mcp add --scope {scope} codex -- ")),
                "{told}"
            );
            assert!(!file.exists());
            ok(&home, &set_up);
            let entry = &read(&file)["mcpServers"]["codex"];
            assert_eq!(
                (&entry["command"], &entry["args"]),
                (&json!(PROGRAM), &json!(["serve"]))
            );
            assert_eq!(ok(&home, &set_up)["changed"], 0);
            let remove = ["uninstall", "--host", "claude", "--scope", scope, "--yes"];
            ok(&home, &remove);
            assert_eq!(read(&file)["mcpServers"]["codex"], Value::Null);
            assert_eq!(ok(&home, &remove)["changed"], 0);
            fs::remove_file(&file).unwrap();
        }
    }
}

#[test]
fn somebody_elses_server_stays_unless_the_person_says_so() {
    for home in homes() {
        let file = home.work().join(".mcp.json");
        let foreign =
            json!({"mcpServers": {"codex": {"command": "codex", "args": ["x"]}, "other": {"command": "y"}}});
        fs::write(&file, foreign.to_string()).unwrap();
        let set_up = ["setup", "--host", "claude", "--scope", "project"];
        let refused = crosscheck(&home, &set_up);
        assert_eq!(refused.status.code(), Some(7), "{refused:#?}");
        let refused = crosscheck(
            &home,
            &["uninstall", "--host", "claude", "--scope", "project", "--yes"],
        );
        assert_eq!(refused.status.code(), Some(7), "{refused:#?}");
        assert_eq!(read(&file), foreign);
        ok(&home, &[&set_up[..], &["--force"]].concat());
        assert_eq!(read(&file)["mcpServers"]["codex"]["command"], PROGRAM);
        assert_eq!(read(&file)["mcpServers"]["other"], foreign["mcpServers"]["other"]);
    }
}

#[test]
fn where_claude_code_is_not_the_command_is_told() {
    let finished = crosscheck(&home(), &["setup", "--host", "claude"]);
    assert_eq!(finished.status.code(), Some(3), "{finished:#?}");
    let said = finished.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("claude mcp add --scope user codex -- "), "{said}");
}

#[test]
fn where_the_plugin_is_known_it_is_the_plugin_that_is_installed() {
    let home = home();
    let plugins = home.claude_config().join("plugins");
    fs::create_dir_all(&plugins).unwrap();
    fs::write(plugins.join("known_marketplaces.json"), "{\"crosscheck\": {}}").unwrap();
    let looked = ok(&home, &["setup", "--host", "claude", "--dry-run"]);
    let told = &looked["steps"][0]["commands"];
    assert_eq!(
        told,
        &json!(["claude plugin install --scope user codex@crosscheck"])
    );
    let installed = json!({"version": 2, "plugins": {"codex@crosscheck": [{"scope": "user"}]}});
    fs::write(plugins.join("installed_plugins.json"), installed.to_string()).unwrap();
    assert_eq!(ok(&home, &["setup", "--host", "claude"])["changed"], 0);
    let looked = ok(&home, &["uninstall", "--host", "claude"]);
    let told = &looked["steps"][0]["commands"];
    assert_eq!(
        told,
        &json!(["claude plugin uninstall --scope user codex@crosscheck"])
    );
}
