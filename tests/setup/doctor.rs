//! What the doctor sees of hosts.

use std::fs;

use serde_json::Value;

use crate::files::{config, crosscheck, home, ok};
use crate::support::home::Home;
use crate::world::PROGRAM;

fn check(home: &Home, name: &str, state: &str, says: &str) {
    let finished = crosscheck(home, &["doctor", "--json"]);
    let told: Value = serde_json::from_str(&finished.stdout).unwrap();
    let checks = told["checks"].as_array().unwrap();
    let found = checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {told:#}"));
    assert_eq!(found["state"], state, "{found:#}");
    assert!(found["says"].as_str().unwrap().contains(says), "{found:#}");
    assert_eq!(found["fix"].is_string(), state != "ready", "{found:#}");
}

#[test]
fn a_server_in_codex_is_tried_as_codex_starts_it() {
    const HOST: &str = "host codex";
    let home = home();
    let file = config(&home);
    check(&home, HOST, "ready", "is not in codex");
    ok(&home, &["setup", "--host", "codex"]);
    check(&home, HOST, "ready", "has 8 tools");
    let text = fs::read_to_string(&file).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&file, text.replace(from, to)).unwrap();
    };
    with("\"XDG_STATE_HOME\", ", "");
    check(&home, HOST, "attention", "different jobs");
    with("\"XDG_CACHE_HOME\", ", "");
    check(&home, HOST, "attention", "does without");
    with("tool_timeout_sec = 14460", "tool_timeout_sec = 60");
    check(&home, HOST, "attention", "gives a tool 60 s");
    with(PROGRAM, "/nowhere/crosscheck");
    check(&home, HOST, "broken", "a program that is not there");
    with(PROGRAM, "/bin/cat");
    check(&home, HOST, "broken", "does not answer");
    with("\nargs", "\nenabled = false\nargs");
    check(&home, HOST, "attention", "switched off");
    fs::write(&file, "a =").unwrap();
    check(&home, HOST, "attention", "line 1");
    let broken = format!("{text}\n[mcp_servers.x]\ncommand = \"/nowhere\"\n");
    fs::write(&file, broken).unwrap();
    check(&home, HOST, "ready", "has 8 tools");
    fs::write(&file, "[plugins.\"claude@crosscheck\"]\nenabled = true\n").unwrap();
    check(&home, HOST, "ready", "our plugin");
    assert_eq!(ok(&home, &["setup", "--host", "codex"])["changed"], 0);
}

#[test]
fn a_server_in_claude_code_is_tried_too() {
    const HOST: &str = "host claude";
    let home = home();
    let file = home.claude_config().join(".claude.json");
    let entry = |program: &str| {
        format!("{{\"mcpServers\": {{\"codex\": {{\"command\": \"{program}\", \"args\": [\"serve\"]}}}}}}")
    };
    fs::write(&file, "{}").unwrap();
    check(&home, HOST, "ready", "is not in Claude Code");
    fs::write(&file, entry(PROGRAM)).unwrap();
    check(&home, HOST, "ready", "has 8 tools");
    fs::write(&file, entry("/nowhere/crosscheck")).unwrap();
    check(&home, HOST, "broken", "a program that is not there");
}

#[test]
fn roots_that_admit_nothing_or_everything_are_told() {
    let home = home();
    let file = home.config().join("crosscheck/config.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let roots = |root: &str| fs::write(&file, format!("[policy]\nroots = [\"{root}\"]\n")).unwrap();
    let work = home.work().display().to_string();
    roots(&work);
    check(&home, "roots", "ready", &work);
    fs::write(&file, format!("[policy]\nroots = [\"{work}\", \"/nowhere\"]\n")).unwrap();
    check(&home, "roots", "attention", "cannot be opened");
    fs::write(&file, format!("[policy]\nroots = [\"{work}\", \"/\"]\n")).unwrap();
    check(&home, "roots", "attention", "a system folder");
}
