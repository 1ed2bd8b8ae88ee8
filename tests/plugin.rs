//! The plugin as files: what Claude Code's own validator says of it, and that its texts speak of what exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use support::home::Home;
use support::peers;
use support::run::finish;

mod support;

/// What Claude Code puts before the name of each of our tools: the plugin's name and the server's.
const TOOL_PREFIX: &str = "mcp__plugin_codex_codex__";

/// Tools of Claude Code itself that a command may use unasked. None of them changes anything of the person's: the doctor only
/// looks, and a transfer makes a thread of Codex's. A report is allowed with these words alone, which put a page beside its job:
/// with others it could replace a file.
const HOST_TOOLS: [&str; 7] = [
    "ToolSearch",
    "Read",
    "Grep",
    "AskUserQuestion",
    "Bash(crosscheck doctor:*)",
    "Bash(crosscheck report latest --open)",
    "Bash(crosscheck transfer:*)",
];

/// Lines of the skill that is loaded whole when it is used.
const SKILL_LINES: usize = 60;

/// Characters of the skill's description, which every session carries.
const SKILL_DESCRIPTION_CHARS: usize = 200;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the files below `folder` whose names end in `.md`, sorted.
fn markdown(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file's front matter as pairs, and the rest.
fn front_matter(text: &str) -> (Vec<(&str, &str)>, &str) {
    let rest = text.strip_prefix("---\n").expect("it begins with front matter");
    let (head, body) = rest.split_once("\n---\n").expect("front matter ends");
    let pairs = head.lines().map(|line| {
        let (key, value) = line
            .split_once(':')
            .unwrap_or_else(|| panic!("no key in {line:?}"));
        (key, value.trim())
    });
    (pairs.collect(), body)
}

/// Returns the names of the tools that the server lists.
fn tools() -> BTreeSet<String> {
    let list: Value = serde_json::from_slice(&crosscheck::mcp::contract_bytes(
        crosscheck::domain::peer::Peer::Codex,
    ))
    .expect("the contract is JSON");
    let names = list.as_array().into_iter().flatten();
    names
        .map(|tool| tool["name"].as_str().expect("a tool has a name").to_owned())
        .collect()
}

#[test]
fn both_manifests_pass_the_strict_validators() {
    // Given the folder, 2.1.197 looks at the marketplace only, so each file is named.
    let home = Home::new("http://127.0.0.1:9/v1");
    for claude in [peers::claude_197(), peers::claude_newest()] {
        for manifest in ["plugin.json", "marketplace.json"] {
            let mut command = home.claude_command(&claude, "http://127.0.0.1:9");
            command.args(["plugin", "validate", "--strict"]);
            command.arg(root().join(".claude-plugin").join(manifest));
            let finished = finish(command, "");
            assert!(
                finished.status.success(),
                "{manifest} with {}: {finished:#?}",
                claude.display()
            );
        }
    }
}

/// Beside a marketplace 2.1.197 looks at nothing else, so the plugin's files stand alone here.
#[test]
fn the_plugin_without_its_marketplace_passes_the_strict_validators() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let alone = home.work().join("plugin");
    let mut names = vec![
        PathBuf::from(".claude-plugin/plugin.json"),
        PathBuf::from("hooks/hooks.json"),
    ];
    for path in [markdown("commands"), markdown("skills"), markdown("agents")].concat() {
        names.push(path.strip_prefix(root()).unwrap().to_owned());
    }
    let check = |expected: bool| {
        for claude in [peers::claude_197(), peers::claude_newest()] {
            let mut command = home.claude_command(&claude, "http://127.0.0.1:9");
            command.args(["plugin", "validate", "--strict"]).arg(&alone);
            let finished = finish(command, "");
            assert_eq!(
                finished.status.success(),
                expected,
                "{}: {finished:#?}",
                claude.display()
            );
        }
    };
    for name in &names {
        let copy = alone.join(name);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(name), copy).unwrap();
    }
    check(true);
    // An event that does not exist is noticed: what passes was looked at.
    let wrong = read("hooks/hooks.json").replace("FileChanged", "FileChanges");
    fs::write(alone.join("hooks/hooks.json"), wrong).unwrap();
    check(false);
}

#[test]
fn the_names_that_tools_and_commands_are_built_from_stay() {
    let plugin = json(".claude-plugin/plugin.json");
    let marketplace = json(".claude-plugin/marketplace.json");
    assert_eq!(plugin["name"], "codex");
    assert_eq!(marketplace["name"], "crosscheck");
    assert_eq!(marketplace["plugins"][0]["name"], "codex");
    assert_eq!(marketplace["plugins"][0]["source"], "./");
    let servers = plugin["mcpServers"].as_object().unwrap();
    assert_eq!(servers.keys().collect::<Vec<_>>(), ["codex"]);
    assert_eq!(plugin["version"], env!("CARGO_PKG_VERSION"));
    // Both would also load when somebody opens this folder as a project.
    for name in [".mcp.json", "CLAUDE.md"] {
        assert!(!root().join(name).exists(), "{name}");
    }
}

#[test]
fn every_command_says_what_it_takes_and_uses_only_tools_that_exist() {
    let tools = tools();
    let mut names = Vec::new();
    for path in markdown("commands") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let (head, body) = front_matter(&text);
        let value = |key: &str| {
            head.iter()
                .find(|(known, _)| *known == key)
                .map(|(_, value)| *value)
        };
        // A `name` replaces the whole name in the menu of 2.1.197: `/review` instead of `/codex:review`.
        assert_eq!(value("name"), None, "{name}");
        for key in ["description", "argument-hint", "allowed-tools"] {
            assert!(value(key).is_some_and(|value| !value.is_empty()), "{name}: {key}");
        }
        // The model has the tools; listing the commands to it as well would cost every session.
        assert_eq!(value("disable-model-invocation"), Some("true"), "{name}");
        let description = value("description").unwrap();
        assert!(
            description.contains("Free") || description.contains("Paid"),
            "{name}"
        );
        let allowed: Vec<&str> = value("allowed-tools").unwrap().split(", ").collect();
        for tool in &allowed {
            match tool.strip_prefix(TOOL_PREFIX) {
                Some(ours) => assert!(tools.contains(ours), "{name}: {tool}"),
                None => assert!(HOST_TOOLS.contains(tool), "{name}: {tool}"),
            }
        }
        // A deferred tool can only be loaded by its full name.
        let own = format!("{TOOL_PREFIX}{}", tool_of(&name));
        assert!(allowed.contains(&own.as_str()), "{name}");
        assert!(body.contains(&format!("\"select:{own}\"")), "{name}");
        // Arguments stand alone between two marks, and never in a command line.
        assert_eq!(body.matches("$ARGUMENTS").count(), 1, "{name}");
        assert!(body.contains(">\n$ARGUMENTS\n</"), "{name}");
        assert!(!body.contains("!`"), "{name}");
        names.push(name);
    }
    assert_eq!(
        names,
        [
            "apply",
            "cancel",
            "consult",
            "delegate-async",
            "delegate",
            "dry-run",
            "jobs",
            "result",
            "review",
            "setup",
            "status",
            "transfer"
        ]
    );
}

fn tool_of(command: &str) -> &str {
    match command {
        "jobs" | "result" => "job",
        // What they run is no tool; this one says why when it is not there.
        "setup" | "transfer" => "status",
        "delegate-async" => "delegate",
        // It begins with the preview, which alone is allowed unasked.
        "apply" | "dry-run" => "dry_run",
        same => same,
    }
}

/// What changes files is allowed to no command: Claude Code asks the person, whatever the text made of the model.
#[test]
fn no_command_may_change_files_unasked() {
    let own = format!("{TOOL_PREFIX}apply");
    for path in markdown("commands") {
        let text = fs::read_to_string(&path).unwrap();
        let (head, _) = front_matter(&text);
        let allowed = head.iter().find(|(key, _)| *key == "allowed-tools").unwrap().1;
        assert!(!allowed.split(", ").any(|tool| tool == own), "{}", path.display());
    }
}

#[test]
fn a_diff_is_shown_before_it_lands() {
    let text = read("commands/apply.md");
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}"));
    let previewed = place(&format!("{TOOL_PREFIX}dry_run` with `tool: \"apply\"` first"));
    let shown = place("Show the preview and stop");
    let landed = place("Only when the person answers that it shall land");
    assert!(previewed < shown && shown < landed);
    assert!(text[landed..].contains("`token` of that preview"));
    // The other texts know nothing of landing: they send the person to this command.
    for name in ["delegate", "delegate-async", "result"] {
        let text = read(&format!("commands/{name}.md"));
        assert!(!text.contains("\"land\""), "{name}");
        assert!(
            name == "delegate-async" || text.contains("`/codex:apply ID`"),
            "{name}"
        );
    }
}

#[test]
fn a_task_in_the_background_is_not_waited_for() {
    let text = read("commands/delegate-async.md");
    assert!(text.contains("`background: true`"));
    assert!(text.contains("Only when the person asks you to wait"));
    assert!(text.contains("`/codex:result ID`"));
}

/// Every hook is a program of ours in exec form: a shell form would put arguments of a host into a command line.
#[test]
fn every_hook_is_ours_and_bounded() {
    let hooks = json("hooks/hooks.json");
    let mut events = Vec::new();
    for (event, groups) in hooks["hooks"].as_object().unwrap() {
        events.push(event.as_str());
        for handler in groups
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["hooks"].as_array().unwrap())
        {
            assert_eq!(
                (&handler["type"], &handler["command"]),
                (&"command".into(), &"sh".into()),
                "{handler}"
            );
            let arguments: Vec<&str> = handler["args"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(arguments[0], "${CLAUDE_PLUGIN_ROOT}/bin/crosscheck", "{handler}");
            // The set-up of `claude --init-only` is the launcher's own.
            let is_known = match arguments[1..] {
                ["install"] => event == "Setup",
                ["hook", name] => crosscheck::service::hook::Event::of(name).is_some(),
                _ => false,
            };
            assert!(is_known, "{handler}");
            assert!(
                handler["timeout"].as_u64().is_some_and(|seconds| seconds > 0),
                "{handler}"
            );
        }
    }
    assert_eq!(
        events,
        [
            "Setup",
            "SessionStart",
            "FileChanged",
            "PostToolUse",
            "PreToolUse",
            "Stop",
            "UserPromptSubmit",
            "UserPromptExpansion",
            "SessionEnd"
        ]
    );
    // With a matcher 2.1.197 compares names of files, and the watched file has the name of a process.
    assert_eq!(hooks["hooks"]["FileChanged"][0].get("matcher"), None);
    for event in ["PostToolUse", "PreToolUse"] {
        let paid = Regex::new(hooks["hooks"][event][0]["matcher"].as_str().unwrap()).unwrap();
        for tool in tools() {
            let is_paid = ["consult", "review", "delegate"].contains(&tool.as_str());
            assert_eq!(
                paid.is_match(&format!("{TOOL_PREFIX}{tool}")),
                is_paid,
                "{event} {tool}"
            );
        }
    }
}

#[test]
fn every_tool_that_a_text_names_exists() {
    let tools = tools();
    let named = Regex::new(&format!("{TOOL_PREFIX}([a-z_]+)")).unwrap();
    for path in [markdown("commands"), markdown("skills"), markdown("agents")].concat() {
        let text = fs::read_to_string(&path).unwrap();
        for found in named.captures_iter(&text) {
            assert!(tools.contains(&found[1]), "{}: {}", path.display(), &found[0]);
        }
    }
}

#[test]
fn the_skill_is_small_and_its_references_exist() {
    let text = read("skills/collaborating-with-codex/SKILL.md");
    assert!(text.lines().count() <= SKILL_LINES);
    let (head, body) = front_matter(&text);
    assert_eq!(
        head.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        ["description"]
    );
    assert!(head[0].1.chars().count() <= SKILL_DESCRIPTION_CHARS);
    for tool in tools() {
        assert!(body.contains(&format!("| `{tool}` |")), "{tool}");
    }
}

/// The agent has our tools and what it needs to check them, and nothing that changes or lands anything.
#[test]
fn the_agent_can_change_nothing() {
    let text = read("agents/codex-runner.md");
    let (head, _) = front_matter(&text);
    let value = |key: &str| {
        head.iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| *value)
    };
    assert_eq!(value("name"), Some("codex-runner"));
    let tools = tools();
    for tool in value("tools").unwrap().split(", ") {
        match tool.strip_prefix(TOOL_PREFIX) {
            Some(ours) => assert!(
                tools.contains(ours) && ours != "apply" && ours != "cancel",
                "{tool}"
            ),
            None => assert!(["ToolSearch", "Read", "Grep"].contains(&tool), "{tool}"),
        }
    }
}

/// What the workflow makes is what the installer asks for, name by name.
#[test]
fn a_release_has_what_the_installer_asks_for() {
    let installer = read("launcher/install.sh");
    let workflow = read(".github/workflows/release.yml");
    let all = |pattern: &str, text: &str| -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let asked = all(r"\) echo ([a-z0-9_-]+) ;;", &installer);
    let built = all(r"target: ([a-z0-9_-]+),", &workflow);
    assert_eq!(asked.len(), 4);
    assert_eq!(asked, built);
    for target in &built {
        assert!(
            read("docs/releases.md").contains(&format!("| `{target}` |")),
            "{target}"
        );
    }
    assert!(installer.contains("asset=$name-$version-$(platform)"));
    assert!(workflow.contains("\"assets/crosscheck-${TAG#v}-$TARGET\""));
    assert!(workflow.contains("sha256sum -- \"crosscheck-${TAG#v}-\"* >SHA256SUMS"));
    // An action without an exact version is whatever somebody makes of it tomorrow.
    let actions = all(r"uses: \S+@(\S+)", &workflow);
    let exact = Regex::new(r"^v\d+\.\d+\.\d+$").unwrap();
    assert!(
        !actions.is_empty() && actions.iter().all(|version| exact.is_match(version)),
        "{actions:?}"
    );
}

#[test]
fn every_file_names_the_same_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(json(".claude-plugin/plugin.json")["version"], version);
    let launcher = read("bin/crosscheck");
    assert!(
        launcher.lines().any(|line| line == format!("version={version}")),
        "bin/crosscheck"
    );
    let interface = launcher.lines().find_map(|line| line.strip_prefix("interface="));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_crosscheck"));
    command.arg("--version");
    let told = finish(command, "");
    let expected = format!(
        "crosscheck {version}\nplugin interface {}\n",
        interface.expect("the launcher has one")
    );
    assert_eq!(told.stdout, expected);
}
