//! Every way in which codex or its model can fail, as the caller sees it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::model::FakeModel;
use crate::support::scripts::Scripted;
use crate::world::World;

#[test]
fn every_failure_is_classified() {
    let check = |behaviour: &str, code: &str, retryable: bool| {
        let world = World::new(Scripted::fixed(behaviour)).with_change();
        let mut server = world.server();
        let fault = server.fault("consult", &json!({"prompt": "x"}), code);
        assert_eq!(fault["error"]["retryable"], retryable, "{behaviour}: {fault:#}");
        assert_eq!(
            fault["error"]["retry_after_ms"],
            Value::Null,
            "{behaviour}: nobody told a time"
        );
        assert_eq!(fault["job"]["state"], "failed", "{behaviour}");
        let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
        assert_eq!(full["result"]["fault"]["code"], code, "{behaviour}");
        assert!(!full.to_string().contains("sk-test-0123"), "{behaviour}");
    };
    check("unauthorized", "peer_not_authenticated", false);
    check("rate_limit", "peer_rate_limited", true);
    check("quota", "peer_usage_limit", true);
    check("http status=500", "peer_overloaded", true);
    check("failed code=server_is_overloaded", "peer_overloaded", true);
    check("failed", "peer_overloaded", true);
    check("context", "peer_context_exceeded", false);
    check("incomplete", "peer_bad_output", false);
    check("disconnect", "peer_network", true);
    check("no_completed", "peer_network", true);
    check("garbage", "peer_network", true);
    check("model_not_found", "peer_model_unavailable", false);
    check("model_unsupported", "peer_model_unavailable", false);
    check("bad_schema", "peer_contract_changed", false);
    check("empty", "peer_refused", false);
    check("refusal", "peer_refused", false);
}

#[test]
fn a_partial_answer_is_kept() {
    let world = World::new(Scripted::fixed("incomplete")).with_change();
    let mut server = world.server();
    let fault = server.fault("consult", &json!({"prompt": "x"}), "peer_bad_output");
    assert!(
        fault["error"]["repair"]["hint"]
            .as_str()
            .unwrap()
            .contains("detail=full")
    );
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["partial"], "Half an answ");
}

#[test]
fn a_usage_limit_tells_the_reset_time_that_codex_knows() {
    let mut quota = crosscheck::model::Quota::default();
    quota.primary.used_percent = 100;
    quota.primary.resets_in_s = 5400;
    let script = Scripted::fixed("usage_limit resets_in=5400").with_quota(quota);
    let model = FakeModel::start(script);
    let home = Home::logged_in(&model.origin());
    let world = World::of(model, home).with_change();
    let mut server = world.server();
    let fault = server.fault("consult", &json!({"prompt": "x"}), "peer_usage_limit");
    let after_ms = fault["error"]["retry_after_ms"]
        .as_u64()
        .unwrap_or_else(|| panic!("{fault:#}"));
    assert!((5_000_000..=5_400_000).contains(&after_ms), "{after_ms}");
    let quota = server.ok("status", &json!({"topic": "quota"}));
    assert_eq!(quota["quota"]["windows"][0]["used_percent"], 100);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let resets_at = quota["quota"]["windows"][0]["resets_at"].as_u64().unwrap();
    assert!(resets_at > now + 5000 && resets_at < now + 5500);
}

#[test]
fn no_network_is_said_within_bounds() {
    let world = World::new(Scripted::well()).with_change();
    let config = world.home.codex_home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // Port 9 of loopback: nobody listens there.
    let text = text.replace(&world.model.base_url(), "http://127.0.0.1:9/v1");
    std::fs::write(&config, text).unwrap();
    let fault = world
        .server()
        .fault("consult", &json!({"prompt": "x"}), "peer_network");
    assert_eq!(fault["error"]["retryable"], true);
}

#[test]
fn a_stalled_model_ends_at_the_deadline_and_can_be_resumed() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let stall = json!({"prompt": "[[fake:stall]]", "options": {"timeout_s": 10}});
    let fault = server.fault("consult", &stall, "timed_out");
    assert_eq!(fault["job"]["state"], "timed_out");
    assert_eq!(fault["error"]["repair"]["tool"], "consult");
    let again = json!({"prompt": "[[fake:plain text=\"Now.\"]]", "resume": fault["job"]["id"]});
    assert_eq!(server.ok("consult", &again)["answer"], "Now.");
}

#[test]
fn a_server_that_sends_no_header_ends_at_the_deadline() {
    let world = World::new(Scripted::well()).with_change();
    let stall = json!({"prompt": "[[fake:stall before=1]]", "options": {"timeout_s": 10}});
    world.server().fault("consult", &stall, "timed_out");
}

#[test]
fn a_killed_codex_is_no_silence() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "[[fake:stall]]"}));
    world.model.wait_for_turns(1);
    let peer = crate::world::peers_of(&world.jobs()[0])[0];
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &peer.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let envelope = server.envelope(id);
    assert_eq!(envelope["error"]["code"], "peer_failed", "{envelope:#}");
}

#[test]
fn a_command_that_codex_runs_is_seen_and_kept() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let answer = server.ok(
        "consult",
        &json!({"prompt": "[[fake:shell cmd=\"cat src/lib.rs\"]]"}),
    );
    assert!(
        server
            .progress()
            .iter()
            .any(|phase| phase.contains("cat src/lib.rs")),
        "{:?}",
        server.progress()
    );
    let full = server.ok("job", &json!({"id": answer["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["commands"][0]["exit_code"], 0, "{full:#}");
}

#[test]
fn a_codex_that_is_missing_old_or_no_codex_is_named() {
    let missing = World::new(Scripted::well()).with_change();
    let home = missing.home.private().join("absent");
    let check = |program: &std::path::Path, code: &str| {
        let mut command = missing.home.command(crate::world::PROGRAM);
        command
            .env("CROSSCHECK_CODEX_BIN", program)
            .args(["consult", "x", "--json"]);
        let finished = crate::support::run::finish(command, "");
        let envelope: Value =
            serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:#?}"));
        assert_eq!(envelope["error"]["code"], code, "{envelope:#}");
        assert_eq!(finished.status.code(), Some(3));
    };
    check(&home, "peer_not_found");
    let script = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = missing.home.private().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    check(
        &script("old", "#!/bin/sh\necho codex-cli 0.20.0\n"),
        "peer_version_unsupported",
    );
    check(&script("other", "#!/bin/sh\necho hello\n"), "peer_not_found");
    assert!(missing.jobs().is_empty(), "nothing was paid, so nothing is kept");
}

#[test]
fn a_broken_configuration_of_codex_is_named() {
    let world = World::new(Scripted::well()).with_change();
    std::fs::write(world.home.codex_home().join("config.toml"), "model = [broken").unwrap();
    world
        .server()
        .fault("consult", &json!({"prompt": "x"}), "peer_config_rejected");
    assert!(world.model.turns().is_empty());
}
