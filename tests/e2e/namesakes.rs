//! Another plugin named `codex` beside ours, in both orders.

use std::path::Path;

use serde_json::json;

use crate::session::Session;
use crate::support::messages::Answer;
use crate::support::peers;
use crate::world::{Way, World};

const LINE: &str = "`/plugin disable codex@other`";

fn check(claude: &Path, other_is_first: bool) {
    let world = World::new("http://127.0.0.1:9/v1", claude, Way::GitMarketplace);
    let other = world.make_namesake();
    world.manage(&[
        "marketplace",
        "add",
        other.to_str().expect("the tests' paths are UTF-8"),
    ]);
    if other_is_first {
        world.manage(&["uninstall", "codex@crosscheck"]);
        world.manage(&["install", "codex@other"]);
        world.manage(&["install", "codex@crosscheck"]);
    } else {
        world.manage(&["install", "codex@other"]);
    }
    let first = Session::run_script(&world, "/codex:review", "review", |_| Answer::text("Told.")).expansion();
    // This is why it has to be told: nobody else says whose command it is.
    assert_eq!(
        first.contains("The words of the other plugin."),
        other_is_first,
        "{first}"
    );
    assert!(first.contains(LINE), "{first}");
    let second = Session::run(&world, "/codex:status", "status", &json!({}));
    assert!(!second.expansion().contains(LINE), "{}", second.expansion());
    let status = second.shown();
    assert!(status["next_steps"].to_string().contains(LINE), "{status:#}");
}

#[test]
fn a_plugin_of_the_same_name_is_told_once_when_ours_is_the_first() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        check(&claude, false);
    }
}

#[test]
fn a_plugin_of_the_same_name_is_told_once_when_ours_is_the_second() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        check(&claude, true);
    }
}
