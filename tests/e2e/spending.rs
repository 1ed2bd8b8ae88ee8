//! A paid call that a person is to be asked about, in the real Claude Code where no person is.

use std::path::Path;

use serde_json::json;

use crate::live::{Live, call};
use crate::session::Session;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

/// Our configuration: the fake provider's key, and the limit.
const ASKING: &str = "[env]\npass = [\"FAKE_KEY\"]\n[limits]\nask_above_tokens = 50000\n";

/// Both versions declare that they can ask, each in its own protocol, and cancel the question by themselves in a headless
/// session. Seen with 2.1.197 and 2.1.329.
fn check_nobody_agrees(claude: &Path) {
    let model = FakeModel::start(Scripted::well());
    let world = World::new(&model.base_url(), claude, Way::PluginDir);
    world.configure_ourselves(ASKING);
    let unbound = json!({"prompt": "Is it sound?"});
    let shown = Session::run(&world, "/codex:consult Is it sound?", "consult", &unbound).shown_failure();
    assert_eq!(shown["error"]["code"], "policy_denied", "{shown:#}");
    let message = shown["error"]["message"]
        .as_str()
        .expect("a failure has a message");
    assert!(
        message.contains("the person who was asked did not agree"),
        "{message}"
    );
    assert_eq!(model.turns().len(), 0, "nothing was paid");

    let bound = json!({"prompt": "Is it sound?", "options": {"budget_tokens": 50000}});
    let shown = Session::run(&world, "/codex:consult Is it sound?", "consult", &bound).shown();
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
}

#[test]
fn the_oldest_claude_code_spends_nothing_above_the_limit_without_a_person() {
    check_nobody_agrees(&peers::claude_197());
}

#[test]
fn the_newest_claude_code_spends_nothing_above_the_limit_without_a_person() {
    check_nobody_agrees(&peers::claude_newest());
}

#[test]
fn a_person_agrees_in_the_dialog_of_the_newest_claude_code() {
    let model = FakeModel::start(Scripted::well());
    let world = World::new(&model.base_url(), &peers::claude_newest(), Way::PluginDir);
    world.configure_ourselves(ASKING);
    let mut live = Live::terminal(&world);
    live.type_line(&call("consult", &json!({"prompt": "Is it sound?"})), "sound?");
    wait_until("the question", || {
        live.shows("may use any number of tokens") && live.shows("Esc to cancel")
    });
    assert_eq!(model.turns().len(), 0, "nothing is paid before the answer");
    // Yes is chosen already.
    live.press_until("\r", "the answer", |_| model.turns().len() == 1);
    wait_until("the end of the call", || live.last().contains("succeeded"));
}
