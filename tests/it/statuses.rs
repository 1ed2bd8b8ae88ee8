//! `status` and the server's start.

use serde_json::{Value, json};

use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::world::World;

#[test]
fn starting_the_server_touches_nothing() {
    let world = World::new(Scripted::well());
    let mut server = world.server();
    let id = server.request("tools/list", &json!({}));
    assert_eq!(server.answer(id)["result"]["tools"].as_array().unwrap().len(), 8);
    let children = crosscheck::sys::signal::descendants(server.pid());
    assert!(children.is_empty(), "{children:?}");
    assert!(!world.home.state().exists());
    assert_eq!(server.close(), Some(0));
}

#[test]
fn the_doctor_finds_everything_in_order_and_asks_no_model() {
    let world = World::new(Scripted::well()).with_change();
    let mut command = world.home.command(env!("CARGO_BIN_EXE_crosscheck"));
    command.current_dir(world.work()).args(["doctor", "--json"]);
    let finished = finish(command, "");
    let told: Value = serde_json::from_str(&finished.stdout).unwrap();
    let checks = told["checks"].as_array().unwrap();
    let state = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name);
        check.map_or_else(
            || panic!("{name}: {told:#}"),
            |check| check["state"].as_str().unwrap(),
        )
    };
    for name in [
        "program",
        "server",
        "codex",
        "contract",
        "git",
        "state",
        "config",
        "leftovers",
    ] {
        assert_eq!(state(name), "ready", "{name}: {told:#}");
    }
    // The test's codex has a provider of its own and no account.
    assert_eq!(
        (state("login"), &told["state"]),
        ("attention", &json!("attention")),
        "{told:#}"
    );
    assert_eq!(finished.status.code(), Some(0));
    assert!(world.model.turns().is_empty());
}

#[test]
fn the_overview_is_small_and_says_what_matters() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let status = server.ok("status", &json!({}));
    assert_eq!(status["ready"], true, "{status:#}");
    assert_eq!(status["codex"]["version"], "0.169.0");
    assert_eq!(status["codex"]["supported"], "yes");
    assert_eq!(status["codex"]["login"], "logged_out");
    assert_eq!(status["codex"]["quota"]["unknown"], "codex is not logged in");
    assert_eq!(status["git"]["repository"], world.work().to_str().unwrap());
    assert!(
        status.to_string().len() < 2_500,
        "{} bytes",
        status.to_string().len()
    );
    assert!(world.model.turns().is_empty());
}

#[test]
fn the_topics_tell_models_options_errors_and_policy() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let models = server.ok("status", &json!({"topic": "models"}));
    assert_eq!(models["known"], true, "{models:#}");
    assert!(
        models["models"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == "gpt-5.5")
    );
    let options = server.ok("status", &json!({"topic": "options"}));
    assert!(
        options["options"]
            .as_array()
            .unwrap()
            .iter()
            .any(|option| option["name"] == "timeout_s")
    );
    let errors = server.ok("status", &json!({"topic": "errors"}));
    assert!(errors["errors"].as_array().unwrap().len() > 40);
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nconcurrency = 2\n");
    let policy = server.ok("status", &json!({"topic": "policy"}));
    let row = policy["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["key"] == "limits.concurrency")
        .unwrap();
    assert_eq!(
        row,
        &json!({"key": "limits.concurrency", "value": 2, "origin": "file"})
    );
    let quota = server.ok("status", &json!({"topic": "quota"}));
    assert_eq!(quota["known"], false);
}

#[test]
fn a_configuration_that_is_wrong_is_named_and_stops_only_what_needs_it() {
    let world = World::new(Scripted::well()).with_change();
    world.configure("[limits]\nconcurrency = 99\n");
    let mut server = world.server();
    let status = server.ok("status", &json!({}));
    assert_eq!(status["ready"], false);
    assert!(status["summary"].as_str().unwrap().contains("limits.concurrency"));
    server.fault("consult", &json!({"prompt": "x"}), "config_invalid");
    server.ok("status", &json!({"topic": "errors"}));
}

#[test]
#[should_panic(expected = "not valid under any of the schemas")]
fn the_check_of_envelopes_can_fail() {
    let world = World::new(Scripted::well());
    let mut envelope = world.server().ok("status", &json!({"topic": "options"}));
    envelope.as_object_mut().unwrap().remove("fingerprint");
    crate::world::check_schema(&envelope);
}

#[test]
fn a_setting_that_would_not_hold_is_named() {
    let world = World::new(Scripted::well()).with_change();
    for (name, value) in [
        ("CROSSCHECK_CONFIG", "/absent/config.toml"),
        ("CROSSCHECK_CONFIG", "relative.toml"),
        ("CROSSCHECK_STATE_DIR", "relative"),
        ("CROSSCHECK_CODEX_BIN", "codex"),
    ] {
        let mut command = world.home.command(crate::world::PROGRAM);
        command.env(name, value).args(["consult", "x", "--json"]);
        let finished = finish(command, "");
        let envelope: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(
            envelope["error"]["code"], "config_invalid",
            "{name}={value}: {envelope:#}"
        );
    }
}

#[test]
fn a_script_learns_from_status_whether_everything_is_ready() {
    let world = World::new(Scripted::well()).with_change();
    let run = |set: &[(&str, &str)], arguments: &[&str]| {
        let mut command = world.home.command(crate::world::PROGRAM);
        command.envs(set.iter().copied()).arg("status").args(arguments);
        finish(command, "").status.code()
    };
    assert_eq!(run(&[], &[]), Some(0));
    assert_eq!(run(&[("CROSSCHECK_CODEX_BIN", "/absent/codex")], &[]), Some(3));
    assert_eq!(run(&[], &["--workspace", "/absent/folder"]), Some(2));
}
