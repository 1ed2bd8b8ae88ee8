//! Before there is a program, the person learns in Claude Code what is going on, and the same session goes on with it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::live::{Live, call};
use crate::outliving::Thinking;
use crate::session::{Session, full_name, results_of};
use crate::support::messages::{self, Answer, tool_use};
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::wakes::assert_woken;
use crate::world::{Way, World};

/// Stands for cargo: waits until it may build, two minutes at most, and takes the program of these tests as what it built.
fn cargo(allowed: &Path) -> String {
    format!(
        "#!/bin/sh\nlooks=0\n\
         while ! [ -e '{}' ]; do looks=$((looks + 1)); [ $looks -lt 2400 ] || exit 1; sleep 0.05; done\n\
         while [ $# -gt 1 ]; do [ \"$1\" = --target-dir ] && target=$2; shift; done\n\
         mkdir -p \"$target/release\" && cp '{}' \"$target/release/crosscheck\"\n",
        allowed.display(),
        env!("CARGO_BIN_EXE_crosscheck")
    )
}

/// Whether the model is offered a tool, at once or on demand: by a line of its own. That an agent of ours would use it is
/// no offer.
fn is_offered(request: &Value, tool: &str) -> bool {
    let name = full_name(tool);
    let at_once = request["tools"].as_array().into_iter().flatten();
    let mut texts = request["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|message| messages::flat(&message["content"]))
        .chain([messages::flat(&request["system"])]);
    at_once.into_iter().any(|tool| tool["name"] == name.as_str())
        || texts.any(|text| text.lines().any(|line| line.trim() == name))
}

/// A world without the program, and the file that lets its cargo build.
fn world_with_cargo(claude: &Path) -> (World, PathBuf) {
    world_with_model("http://127.0.0.1:9/v1", claude)
}

/// The same with a codex whose model is at this address.
fn world_with_model(base_url: &str, claude: &Path) -> (World, PathBuf) {
    let world = World::without_program(base_url, claude, Way::PluginDir);
    let allowed = world.home_folder().join("may-build");
    world.put_cargo(&cargo(&allowed));
    (world, allowed)
}

fn check(claude: &Path) {
    let (world, allowed) = world_with_cargo(claude);
    let tool = full_name("status");
    let program = world.installed_program();
    let session = Session::run_script(
        &world,
        "/codex:status",
        "status",
        move |request| match results_of(request, &tool).len() {
            0 => {
                assert!(!is_offered(request, "consult"), "nothing is there to consult");
                Answer::Blocks(vec![tool_use(&tool, &json!({}))])
            }
            1 => {
                fs::write(&allowed, "").expect("a private directory is writable");
                wait_until("the program", || program.exists());
                Answer::Blocks(vec![tool_use(&tool, &json!({}))])
            }
            2 if !is_offered(request, "consult") => Answer::Blocks(vec![tool_use(&tool, &json!({}))]),
            _ => {
                assert!(
                    is_offered(request, "consult"),
                    "the tools appear in the same session"
                );
                Answer::text("Told.")
            }
        },
    );
    let shown = session.all_shown();
    assert!(shown[0].contains("being installed"), "{shown:#?}");
    assert!(shown[1].contains("0.169.0"), "{shown:#?}");
    session.assert_ended_well();
}

#[test]
fn the_oldest_claude_code_tells_what_goes_on_and_the_session_goes_on_with_the_program() {
    check(&peers::claude_197());
}

#[test]
fn the_newest_claude_code_tells_what_goes_on_and_the_session_goes_on_with_the_program() {
    check(&peers::claude_newest());
}

#[test]
fn the_session_that_saw_the_program_come_is_told_of_its_job() {
    let thinking = Thinking::default();
    let model = FakeModel::start(thinking.clone());
    let (world, allowed) = world_with_model(&model.base_url(), &peers::claude_newest());
    // When it begins no hook of ours can say a word.
    let mut session = Live::terminal(&world);
    fs::write(&allowed, "").expect("a private directory is writable");
    wait_until("the program", || world.installed_program().exists());
    while !session.last().contains("0.169.0") {
        let before = session.requests();
        session.type_line(&call("status", &json!({})), "status");
        wait_until("an answer", || session.requests() > before + 1);
    }
    let question = json!({"prompt": "Is it rightly so?", "background": true});
    session.type_line(&call("consult", &question), "rightly");
    let job = session.job();
    thinking.let_go();
    assert_woken(&world, &session, &job);
    session.kill();
}

#[test]
fn a_set_up_beforehand_leaves_nothing_to_install() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let (world, allowed) = world_with_cargo(&claude);
        fs::write(allowed, "").expect("a private directory is writable");
        let done = world.set_up();
        assert!(done.status.success(), "{done:#?}");
        assert!(world.installed_program().exists(), "{done:#?}");
    }
}
