//! The whole way: the real Claude Code with this plugin, our server, the real codex, and back to what Claude is shown.
//!
//! Only the two models are fakes on loopback. The plugin is taken the ways people take it: from a folder, from a
//! marketplace that is a folder, and from a marketplace behind a git URL.

use std::path::Path;

use crosscheck::model::demo::DemoScript;
use serde_json::{Value, json};

use session::{SLASH_COMMANDS, Session};
use support::model::FakeModel;
use support::peers;
use support::scripts::Scripted;
use world::{Way, World};

mod clouds;
mod delegates;
mod gates;
mod killed;
mod lists;
mod live;
mod namesakes;
mod outliving;
mod pages;
mod permissions;
mod session;
mod settings;
mod setups;
mod spending;
#[path = "../support/mod.rs"]
mod support;
mod unbuilt;
mod updating;
mod wakes;
mod world;

/// The files of the demo's defects.
const DEFECTIVE: [&str; 3] = ["shop/catalog.py", "shop/export.py", "shop/orders.py"];

/// Asserts that `/codex:status` reaches the tool and Claude is shown that Codex is ready.
fn check_status(claude: &Path, way: Way) {
    let model = FakeModel::start(DemoScript);
    let world = World::new(&model.base_url(), claude, way);
    let session = Session::run(&world, "/codex:status", "status", &json!({}));
    session.assert_plugin_is_there();
    let shown = session.shown();
    assert_eq!(
        (&shown["ok"], &shown["tool"]),
        (&json!(true), &json!("status")),
        "{shown:#}"
    );
    assert!(
        shown["summary"].as_str().is_some_and(|line| !line.is_empty()),
        "{shown:#}"
    );
    assert!(shown.to_string().contains("0.169.0"), "{shown:#}");
    session.assert_ended_well();
    assert_eq!(model.turns().len(), 0, "status is free");
}

/// Asserts that `/codex:review` reaches codex, and Claude is shown the demo's defects at their lines.
fn check_review(claude: &Path, way: Way) {
    let model = FakeModel::start(DemoScript);
    let world = World::new(&model.base_url(), claude, way);
    let before = world.state_of_the_repository();
    let session = Session::run(&world, "/codex:review", "review", &json!({}));
    session.assert_plugin_is_there();
    let shown = session.shown();
    assert_eq!(
        (&shown["ok"], &shown["tool"]),
        (&json!(true), &json!("review")),
        "{shown:#}"
    );
    assert_eq!(shown["verdict"], "fail", "{shown:#}");
    assert_eq!(shown["review_status"], "completed", "{shown:#}");
    assert_eq!(shown["coverage"]["status"], "complete", "{shown:#}");
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
    assert_eq!(
        shown["meta"]["workspace"],
        world.repository().display().to_string(),
        "{shown:#}"
    );
    let findings = shown["findings"]
        .as_array()
        .unwrap_or_else(|| panic!("{shown:#}"));
    let mut files: Vec<&str> = findings
        .iter()
        .filter_map(|finding| finding["file"].as_str())
        .collect();
    files.sort_unstable();
    assert_eq!(files, DEFECTIVE, "{shown:#}");
    for finding in findings {
        assert_eq!(finding["anchor"], "exact", "{finding:#}");
        assert!(
            world.line_of(finding).contains(first_line(finding)),
            "{finding:#}"
        );
    }
    session.assert_ended_well();
    // Two runs, in each of which the demo's model looks around once: one that looks for defects, and one that checks what was
    // found. Nothing in the repository is different.
    assert_eq!(model.turns().len(), 4);
    assert_eq!(world.state_of_the_repository(), before);
}

fn first_line(finding: &Value) -> &str {
    let evidence = finding["evidence"]
        .as_str()
        .unwrap_or_else(|| panic!("{finding:#}"));
    evidence.lines().next().unwrap_or_default().trim()
}

#[test]
fn status_from_a_folder_with_the_oldest_claude_code() {
    check_status(&peers::claude_197(), Way::PluginDir);
}

#[test]
fn status_from_a_folder_with_the_newest_claude_code() {
    check_status(&peers::claude_newest(), Way::PluginDir);
}

#[test]
fn review_from_a_folder_with_the_oldest_claude_code() {
    check_review(&peers::claude_197(), Way::PluginDir);
}

#[test]
fn review_from_a_folder_with_the_newest_claude_code() {
    check_review(&peers::claude_newest(), Way::PluginDir);
}

#[test]
fn status_from_a_folder_marketplace_with_the_oldest_claude_code() {
    check_status(&peers::claude_197(), Way::FolderMarketplace);
}

#[test]
fn review_from_a_folder_marketplace_with_the_newest_claude_code() {
    check_review(&peers::claude_newest(), Way::FolderMarketplace);
}

#[test]
fn review_from_a_git_marketplace_with_the_oldest_claude_code() {
    check_review(&peers::claude_197(), Way::GitMarketplace);
}

#[test]
fn status_from_a_git_marketplace_with_the_newest_claude_code() {
    check_status(&peers::claude_newest(), Way::GitMarketplace);
}

#[test]
fn the_newest_claude_code_loads_a_deferred_tool_by_the_name_in_the_command() {
    let model = FakeModel::start(DemoScript);
    let world = World::new(&model.base_url(), &peers::claude_newest(), Way::PluginDir);
    let session = Session::run(
        &world,
        "/codex:dry-run staged",
        "dry_run",
        &json!({"tool": "review", "arguments": {}}),
    );
    assert!(session.tool_was_deferred());
    let shown = session.shown();
    assert_eq!(
        (&shown["ok"], &shown["tool"]),
        (&json!(true), &json!("dry_run")),
        "{shown:#}"
    );
    session.assert_ended_well();
    assert_eq!(model.turns().len(), 0, "a dry run is free");
}

#[test]
fn what_a_person_typed_reaches_the_model_between_the_marks() {
    let model = FakeModel::start(Scripted::well());
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let world = World::new(&model.base_url(), &claude, Way::PluginDir);
        let question = "Is `a && b` \"safe\" -- or $HOME?";
        let session = Session::run(
            &world,
            &format!("/codex:consult {question}"),
            "consult",
            &json!({ "prompt": question }),
        );
        session.assert_plugin_is_there();
        assert!(
            session
                .expansion()
                .contains(&format!("<question>\n{question}\n</question>")),
            "{}",
            session.expansion()
        );
        let shown = session.shown();
        assert_eq!(
            (&shown["ok"], &shown["tool"]),
            (&json!(true), &json!("consult")),
            "{shown:#}"
        );
        assert!(
            shown["answer"].as_str().is_some_and(|answer| !answer.is_empty()),
            "{shown:#}"
        );
        session.assert_ended_well();
    }
    assert_eq!(model.turns().len(), 2);
}

#[test]
fn a_failure_reaches_the_model_with_its_repair() {
    let model = FakeModel::start(Scripted::fixed("unauthorized"));
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let world = World::new(&model.base_url(), &claude, Way::PluginDir);
        let session = Session::run(&world, "/codex:review", "review", &json!({}));
        let shown = session.shown_failure();
        assert_eq!(
            (&shown["ok"], &shown["tool"]),
            (&json!(false), &json!("review")),
            "{shown:#}"
        );
        assert_eq!(shown["error"]["code"], "peer_not_authenticated", "{shown:#}");
        assert!(
            shown["error"]["repair"]["hint"]
                .as_str()
                .is_some_and(|hint| hint.contains("codex login")),
            "{shown:#}"
        );
        session.assert_ended_well();
    }
}

#[test]
fn a_marketplace_gives_away_no_more_than_what_is_tracked() {
    let world = World::new(
        "http://127.0.0.1:9/v1",
        &peers::claude_newest(),
        Way::GitMarketplace,
    );
    let installed = world.installed_at();
    for name in ["target", "node_modules", ".git"] {
        assert!(!installed.join(name).exists(), "{name}");
    }
    for command in SLASH_COMMANDS {
        let file = format!("commands/{}.md", command.trim_start_matches("codex:"));
        assert!(installed.join(&file).is_file(), "{file}");
    }
}
