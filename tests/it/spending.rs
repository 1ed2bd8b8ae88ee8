//! A paid call that nothing holds below what the user lets pass unasked.

use serde_json::{Value, json};

use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, Server, World};

const UNASKED: &str = "[env]\npass = [\"FAKE_KEY\"]\n[limits]\nask_above_tokens = 50000\n";

fn world() -> World {
    let world = World::new(Scripted::well()).with_change();
    world.configure(UNASKED);
    world
}

/// Answers the question of a call that is under way, and returns its words.
fn reply(server: &mut Server, action: &str) -> String {
    let question = server.question();
    server
        .send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": action, "content": {}}}));
    question["params"]["message"].as_str().unwrap().to_owned()
}

fn check_refused(world: &World, envelope: &Value, why: &str) {
    let error = &envelope["error"];
    assert_eq!(error["code"], "policy_denied", "{envelope:#}");
    assert_eq!(error["field"], "options.budget_tokens");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("nothing was started and nothing was paid"),
        "{message}"
    );
    assert!(message.contains(why) && message.contains("50000"), "{message}");
    let hint = error["repair"]["hint"].as_str().unwrap();
    assert!(hint.contains("options.budget_tokens of at most"), "{hint}");
    assert!(
        world.jobs().is_empty() && world.model.turns().is_empty(),
        "nothing was paid"
    );
}

#[test]
fn the_person_is_asked_and_only_a_yes_pays() {
    let world = world();
    let mut server = world.server_that_may_ask();
    let call = json!({"prompt": "Is it sound?", "options": {"idempotency_key": "k"}});
    for action in ["decline", "cancel"] {
        let id = server.start_call("consult", &call);
        let words = reply(&mut server, action);
        for part in ["consult", "any number of tokens", "Is it sound?", "50000"] {
            assert!(words.contains(part), "{words}");
        }
        check_refused(&world, &server.envelope(id), "did not agree");
    }
    let id = server.start_call("consult", &call);
    reply(&mut server, "accept");
    let paid = server.envelope(id);
    assert_eq!(paid["ok"], true, "{paid:#}");
    // What is paid for already is told again without a question.
    let again = server.ok("consult", &call);
    assert_eq!(again["job"]["id"], paid["job"]["id"]);
    assert_eq!(world.jobs().len(), 1);
}

#[test]
fn a_host_of_the_newer_protocol_is_asked_by_an_answer() {
    let world = world();
    let mut server = world.modern_server_that_may_ask();
    let call = json!({"scope": "working_tree"});
    for action in ["decline", "accept"] {
        let id = server.start_call("review", &call);
        let question = server.answer(id)["result"].clone();
        assert_eq!(question["resultType"], "input_required", "{question}");
        assert!(world.jobs().is_empty(), "nothing is started before the answer");
        let brought = json!({"requestState": question["requestState"],
            "inputResponses": {"approval": {"action": action}}});
        let id = server.start_call_with("review", &call, &brought);
        let envelope = server.envelope(id);
        if action == "accept" {
            assert_eq!(envelope["ok"], true, "{envelope:#}");
        } else {
            check_refused(&world, &envelope, "did not agree");
        }
    }
}

#[test]
fn a_budget_within_it_passes_unasked_and_covers_all_runs() {
    let world = world();
    let mut server = world.server_that_may_ask();
    server.ok(
        "consult",
        &json!({"prompt": "x", "options": {"budget_tokens": 50000}}),
    );
    // Two attempts may use twice as much.
    let id = server.start_call(
        "delegate",
        &json!({"task": "Mend it.", "attempts": 2, "options": {"budget_tokens": 30000}}),
    );
    let words = reply(&mut server, "decline");
    assert!(
        words.contains("its 2 runs together may use 60000 tokens"),
        "{words}"
    );
    let refused = server.envelope(id);
    assert_eq!(refused["error"]["code"], "policy_denied", "{refused:#}");
    let hint = refused["error"]["repair"]["hint"].as_str().unwrap();
    assert!(hint.contains("at most 25000"), "{hint}");
    assert_eq!(world.jobs().len(), 1, "only the consult ran");
}

#[test]
fn where_nobody_can_be_asked_the_refusal_says_what_to_do() {
    let world = world();
    let mut server = world.server();
    let shown = server.ok(
        "dry_run",
        &json!({"tool": "consult", "arguments": {"prompt": "x"}}),
    );
    let warnings = shown["warnings"].to_string();
    assert!(warnings.contains("ask_above_tokens"), "{shown:#}");
    let refused = server.fault("consult", &json!({"prompt": "x"}), "policy_denied");
    check_refused(&world, &refused, "this host cannot ask");
    // A script is nobody who agreed.
    let mut script = world.home.command(PROGRAM);
    script.args(["consult", "x", "--json"]).current_dir(world.work());
    let ended = finish(script, "");
    check_refused(
        &world,
        &serde_json::from_str(&ended.stdout).unwrap(),
        "cannot ask",
    );
    let mut script = world.home.command(PROGRAM);
    script
        .args(["consult", "x", "--json", "--option", "budget_tokens=50000"])
        .current_dir(world.work());
    let ended = finish(script, "");
    assert!(ended.status.success(), "{ended:#?}");
}
