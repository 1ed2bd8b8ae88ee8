//! `/codex:review --report`: a review, and the page of it that a person can open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crosscheck::model::demo::DemoScript;
use serde_json::{Value, json};

use crate::session::{Session, full_name, results_of};
use crate::support::messages::{self, Answer, tool_use};
use crate::support::model::FakeModel;
use crate::support::peers;
use crate::world::{Way, World};

/// The line that the command allows, and no other.
const LINE: &str = "crosscheck report latest --open";

/// What a page would need from elsewhere.
const FROM_ELSEWHERE: [&str; 6] = ["src=", "href=\"http", "<link", "@import", "url(", "<iframe"];

/// Reviews, runs the line of the command, and repeats what that printed.
fn next(request: &Value) -> Answer {
    let review = full_name("review");
    if let [result, ..] = results_of(request, "Bash").as_slice() {
        return Answer::text(&messages::flat(&result["content"]));
    }
    if !results_of(request, &review).is_empty() {
        return Answer::Blocks(vec![tool_use("Bash", &json!({"command": LINE}))]);
    }
    if messages::tool_names(request).contains(&review.as_str())
        || !results_of(request, "ToolSearch").is_empty()
    {
        return Answer::Blocks(vec![tool_use(&review, &json!({}))]);
    }
    let query = json!({"query": format!("select:{review}"), "max_results": 1});
    Answer::Blocks(vec![tool_use("ToolSearch", &query)])
}

/// Types `/codex:review --report`; the model is shown the path of a page that is whole and nobody else's.
fn check_page(claude: &Path, way: Way) {
    let model = FakeModel::start(DemoScript);
    let world = World::new(&model.base_url(), claude, way);
    let before = world.state_of_the_repository();
    let session = Session::run_script(&world, "/codex:review --report", "review", next);
    session.assert_plugin_is_there();
    assert!(session.expansion().contains(LINE), "{}", session.expansion());
    let review = session.shown();
    assert_eq!(review["verdict"], "fail", "{review:#}");
    let id = review["job"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{review:#}"));

    // Nobody had to be asked; the path is the last line, whole.
    let told = session.said();
    let page = world.state().join("jobs").join(id).join("report.html");
    assert_eq!(told.trim().lines().last(), page.to_str(), "{told}");
    assert!(told.starts_with("3 findings written to"), "{told}");
    let mode = fs::metadata(&page).map(|about| about.permissions().mode() & 0o777);
    assert_eq!(mode.ok(), Some(0o600), "{told}");
    let html = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert!(html.contains("default-src 'none'"), "nothing may be loaded");
    for needs in FROM_ELSEWHERE {
        assert!(!html.contains(needs), "{needs}");
    }
    for finding in review["findings"]
        .as_array()
        .unwrap_or_else(|| panic!("{review:#}"))
    {
        let file = finding["file"].as_str().unwrap_or_default();
        assert!(html.contains(file), "{file}");
    }
    let findings = review["findings"].as_array().map_or(0, Vec::len);
    assert_eq!(html.matches("<article ").count(), findings);
    // The page is free: as many turns as a review without it.
    assert_eq!(model.turns().len(), 4);
    assert_eq!(world.state_of_the_repository(), before);
}

#[test]
fn the_oldest_claude_code_is_given_the_path_of_a_page() {
    check_page(&peers::claude_197(), Way::PluginDir);
}

#[test]
fn the_newest_claude_code_is_given_the_path_of_a_page() {
    check_page(&peers::claude_newest(), Way::PluginDir);
}

#[test]
fn the_newest_claude_code_from_a_marketplace_is_given_the_path_of_a_page() {
    check_page(&peers::claude_newest(), Way::GitMarketplace);
}
