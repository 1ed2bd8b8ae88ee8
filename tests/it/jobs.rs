//! Jobs: they outlive calls, servers and hosts, and end when somebody says so.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::model::wait_until;
use crate::support::scripts::Scripted;
use crate::world::{World, is_alive, peers_of};

#[test]
fn a_background_job_outlives_its_server() {
    let world = World::new(Scripted::well()).with_change();
    let mut first = world.server();
    let slow = json!({"prompt": "[[fake:slow ms=1500]]", "background": true});
    let handle = first.ok("consult", &slow);
    assert!(
        matches!(handle["job"]["state"].as_str(), Some("queued" | "running")),
        "{handle:#}"
    );
    assert_eq!(handle["job"]["next"]["tool"], "job");
    let id = handle["job"]["id"].clone();
    first.kill();
    let mut second = world.server();
    let result = second.ok("job", &json!({"id": id, "wait_s": 60}));
    assert_eq!(result["job"]["state"], "succeeded");
    assert!(result["answer"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(world.model.turns().len(), 1);
}

#[test]
fn a_wait_that_ends_first_hands_back_the_running_job() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let handle = server.ok(
        "consult",
        &json!({"prompt": "[[fake:slow ms=2500]]", "wait_s": 1}),
    );
    assert_eq!(handle["job"]["state"], "running");
    assert!(handle["job"]["poll_after_ms"].as_u64().is_some_and(|ms| ms > 0));
    assert!(handle["job"]["deadline_at"].is_string());
    let id = handle["job"]["id"].as_str().unwrap();
    let prefix = &id[..id.len() - 3];
    let result = server.ok("job", &json!({"id": prefix, "wait_s": 60}));
    assert_eq!(result["job"]["id"], id);
    assert_eq!(result["job"]["state"], "succeeded");
}

#[test]
fn cancel_ends_the_run_and_everything_below_it() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let prompt = "[[fake:shell cmd=\"(setsid sleep 987 &) ; sleep 987\" yield_ms=30000]]";
    let handle = server.ok("consult", &json!({"prompt": prompt, "background": true}));
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the command that codex runs", || {
        std::fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains("command_started"))
    });
    let running = server.ok("job", &json!({"id": "latest"}));
    assert!(
        running["job"]["phase"].as_str().unwrap().starts_with("running"),
        "{running:#}"
    );
    let peer = peers_of(&job)[0];
    let below = crosscheck::sys::signal::descendants(u32::try_from(peer).unwrap());
    assert!(!below.is_empty());
    let cancelled = server.ok("cancel", &json!({"id": handle["job"]["id"]}));
    assert_eq!(cancelled["job"]["state"], "cancelled");
    assert_eq!(cancelled["leaked"], json!([]));
    assert!(!is_alive(peer));
    assert!(below.iter().all(|process| !process.is_alive()), "{below:?}");
    let again = server.ok("cancel", &json!({"id": handle["job"]["id"]}));
    assert_eq!(again["ended"], false);
    let go_on = json!({"prompt": "[[fake:plain text=\"On.\"]]", "resume": handle["job"]["id"]});
    assert_eq!(server.ok("consult", &go_on)["answer"], "On.");
}

#[test]
fn forgetting_returns_the_record_first() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let answer = server.ok("consult", &json!({"prompt": "[[fake:plain text=\"Kept?\"]]"}));
    let gone = server.ok("cancel", &json!({"id": answer["job"]["id"], "forget": true}));
    assert_eq!(gone["record"]["result"]["answer"]["answer"], "Kept?");
    assert!(
        gone["warnings"]
            .to_string()
            .contains("codex itself still keeps thread")
    );
    server.fault("job", &json!({"id": answer["job"]["id"]}), "job_not_found");
    assert!(world.jobs().is_empty());
}

#[test]
fn a_host_that_gives_up_a_call_does_not_end_the_job() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "[[fake:slow ms=1500]]"}));
    world.model.wait_for_turns(1);
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "McpError: MCP error -32001: Request timed out"}}));
    let result = server.ok("job", &json!({"id": "latest", "wait_s": 60}));
    assert_eq!(result["job"]["state"], "succeeded");
    assert!(
        !server.answers_within(id, Duration::from_millis(100)),
        "a cancelled request is not answered"
    );
}

#[test]
fn the_person_who_gives_up_their_own_call_ends_the_run() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "[[fake:stall]]"}));
    world.model.wait_for_turns(1);
    let peer = peers_of(&world.jobs()[0])[0];
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "AbortError: user-cancel"}}));
    // Looking does not wait: somebody who waits for the job would keep it alive.
    wait_until("the end of the run", || {
        server.call("job", &json!({"id": "latest"}))["job"]["state"] == "cancelled"
    });
    assert!(!is_alive(peer));
}

#[test]
fn ctrl_c_ends_a_run_in_the_foreground_also_when_pressed_twice() {
    for presses in [1, 2] {
        let world = World::new(Scripted::well()).with_change();
        let mut command = world.home.command(crate::world::PROGRAM);
        command
            .args(["consult", "[[fake:stall]]"])
            .stdin(std::process::Stdio::null());
        let mut terminal = command.spawn().unwrap();
        world.model.wait_for_turns(1);
        let peer = peers_of(&world.jobs()[0])[0];
        for _ in 0..presses {
            let pid = terminal.id().to_string();
            assert!(
                std::process::Command::new("kill")
                    .args(["-INT", &pid])
                    .status()
                    .unwrap()
                    .success()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(terminal.wait().unwrap().code(), Some(130), "{presses} presses");
        wait_until("the end of codex", || !is_alive(peer));
        let fault = world
            .server()
            .fault("job", &json!({"id": "latest", "wait_s": 30}), "cancelled");
        assert_eq!(fault["job"]["state"], "cancelled");
    }
}

#[test]
fn jobs_of_a_sub_folder_are_jobs_of_its_repository() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let inner = world.work().join("src").display().to_string();
    let answer = server.ok("consult", &json!({"prompt": "x", "workspace": inner}));
    let list = server.ok("job", &json!({}));
    assert_eq!(list["jobs"][0]["id"], answer["job"]["id"]);
    let latest = server.ok("job", &json!({"id": "latest"}));
    assert_eq!(latest["job"]["id"], answer["job"]["id"]);
}

#[test]
fn a_result_that_nobody_heard_counts_as_unread() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "[[fake:slow ms=1500]]"}));
    world.model.wait_for_turns(1);
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "timed out"}}));
    let row = |server: &mut crate::world::Server| server.ok("job", &json!({}))["jobs"][0].clone();
    wait_until("the end of the run", || row(&mut server)["state"] == "succeeded");
    assert_eq!(row(&mut server)["fetched"], false);
    server.ok("job", &json!({"id": "latest"}));
    assert_eq!(row(&mut server)["fetched"], true);
}

#[test]
fn a_job_that_somebody_else_waits_for_goes_on() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "[[fake:slow ms=3000]]"}));
    world.model.wait_for_turns(1);
    let other = server.start_call("job", &json!({"id": "latest", "wait_s": 60}));
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "AbortError: user-cancel"}}));
    assert_eq!(server.envelope(other)["job"]["state"], "succeeded");
}

#[test]
fn a_host_that_closes_while_it_says_cancelled_leaves_the_job_alone() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "[[fake:slow ms=2500]]"}));
    world.model.wait_for_turns(1);
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "AbortError: user-cancel"}}));
    assert_eq!(server.close(), Some(0));
    let result = world.server().ok("job", &json!({"id": "latest", "wait_s": 60}));
    assert_eq!(result["job"]["state"], "succeeded");
}

#[test]
fn a_signal_ends_the_server_and_not_the_job() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let world = World::new(Scripted::well()).with_change();
        let mut server = world.server();
        server.start_call("consult", &json!({"prompt": "[[fake:slow ms=1500]]"}));
        world.model.wait_for_turns(1);
        let sent = std::process::Command::new("kill")
            .args([signal, &server.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        assert_eq!(server.close(), Some(0), "{signal}");
        let result = world.server().ok("job", &json!({"id": "latest", "wait_s": 60}));
        assert_eq!(result["job"]["state"], "succeeded", "{signal}");
    }
}

#[test]
fn a_job_whose_worker_was_killed_is_lost_and_keeps_what_it_had() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let prompt = "[[fake:shell cmd=\"sleep 987\" commentary=1 yield_ms=30000]]";
    let handle = server.ok("consult", &json!({"prompt": prompt, "background": true}));
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the command that codex runs", || {
        std::fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains("command_started"))
    });
    let peer = peers_of(&job)[0];
    let worker = std::fs::read_to_string(format!("/proc/{peer}/stat")).unwrap();
    let worker: u32 = worker
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        std::process::Command::new("kill")
            .args(["-KILL", &worker.to_string()])
            .status()
            .unwrap()
            .success()
    );
    let fault = server.fault(
        "job",
        &json!({"id": handle["job"]["id"], "wait_s": 30}),
        "job_lost",
    );
    assert_eq!(fault["job"]["state"], "lost");
    assert!(!is_alive(peer), "the orphaned peer was ended");
    let full = server.ok("job", &json!({"id": handle["job"]["id"], "detail": "full"}));
    assert!(full["meta"]["thread"].is_string(), "{full:#}");
    let go_on = json!({"prompt": "[[fake:plain text=\"On.\"]]", "resume": handle["job"]["id"]});
    assert_eq!(server.ok("consult", &go_on)["answer"], "On.");
}

#[test]
fn one_key_is_one_job() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call = |prompt: &str| json!({"prompt": prompt, "options": {"idempotency_key": "k1"}});
    let first = server.ok("consult", &call("x"));
    let again = server.ok("consult", &call("x"));
    assert_eq!(first["job"]["id"], again["job"]["id"]);
    server.fault("consult", &call("y"), "idempotency_conflict");
    assert_eq!(world.model.turns().len(), 1);
}

#[test]
fn many_calls_with_one_key_wait_together() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call = json!({"prompt": "[[fake:slow ms=2500]]", "options": {"idempotency_key": "k1"}});
    let first = server.start_call("consult", &call);
    world.model.wait_for_turns(1);
    let more: Vec<u64> = (0..4).map(|_| server.start_call("consult", &call)).collect();
    // None of them may hold up the server while it waits.
    let status = server.start_call("status", &json!({"topic": "options"}));
    assert!(
        server.answers_within(status, Duration::from_secs(2)),
        "the server is held up"
    );
    let id = server.envelope(first)["job"]["id"].clone();
    for other in more {
        assert_eq!(server.envelope(other)["job"]["id"], id);
    }
    assert_eq!(world.model.turns().len(), 1);
}

#[test]
fn a_hosts_retry_is_not_paid_twice() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call = |server: &mut crate::world::Server| {
        let id = server.request(
            "tools/call",
            &json!({"name": "consult", "arguments": {"prompt": "x"},
            "_meta": {"claudecode/toolUseId": "toolu_1"}}),
        );
        server.envelope(id)["job"]["id"].clone()
    };
    assert_eq!(call(&mut server), call(&mut server));
    assert_eq!(world.model.turns().len(), 1);
}

#[test]
fn more_jobs_than_slots_wait_visibly() {
    let world = World::new(Scripted::well()).with_change();
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nconcurrency = 1\n");
    let mut server = world.server();
    let first = server.ok(
        "consult",
        &json!({"prompt": "[[fake:slow ms=2500]]", "background": true}),
    );
    world.model.wait_for_turns(1);
    let second = server.ok(
        "consult",
        &json!({"prompt": "[[fake:plain text=\"2\"]]", "background": true}),
    );
    let queued = server.ok("job", &json!({"id": second["job"]["id"]}));
    assert_eq!(queued["job"]["state"], "queued");
    wait_until("the word for it", || {
        let told = server.ok("job", &json!({"id": second["job"]["id"]}));
        told["job"]["phase"] == "waiting for a free slot" || told["job"]["state"] != "queued"
    });
    let list = server.ok("job", &json!({"state": "active"}));
    assert_eq!(list["jobs"].as_array().unwrap().len(), 2);
    let done = server.ok("job", &json!({"id": second["job"]["id"], "wait_s": 60}));
    assert_eq!(done["answer"], "2");
    assert_eq!(
        server.ok("job", &json!({"id": first["job"]["id"]}))["job"]["state"],
        "succeeded"
    );
    let cancelled = server.ok(
        "consult",
        &json!({"prompt": "[[fake:stall]]", "background": true}),
    );
    let waiting = server.ok("consult", &json!({"prompt": "x", "background": true}));
    let gone = server.ok("cancel", &json!({"id": waiting["job"]["id"]}));
    assert_eq!(gone["job"]["state"], "cancelled");
    server.ok("cancel", &json!({"id": cancelled["job"]["id"]}));
}

#[test]
fn a_list_is_of_the_workspace_and_survives_a_damaged_record() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let first = server.ok("consult", &json!({"prompt": "one"}));
    let second = server.ok("consult", &json!({"prompt": "two"}));
    let spec = world.job(first["job"]["id"].as_str().unwrap()).join("spec.json");
    std::fs::write(&spec, "{\"version\":1,").unwrap();
    let list = server.ok("job", &json!({}));
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(list["jobs"][0]["id"], second["job"]["id"]);
    let warning = list["warnings"].to_string();
    assert!(warning.contains("1 job records cannot be read"), "{warning}");
    let hidden = first["job"]["id"].as_str().unwrap();
    assert!(warning.contains(hidden), "it can be asked for: {warning}");
    std::fs::write(&spec, "{\"version\":99}").unwrap();
    server.fault("job", &json!({"id": first["job"]["id"]}), "state_unavailable");
    let other = server.ok(
        "job",
        &json!({"workspace": world.home.private().display().to_string()}),
    );
    assert_eq!(other["jobs"], Value::Array(Vec::new()));
}

#[test]
fn nothing_is_left_when_everything_is_over() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    for prompt in ["one", "[[fake:shell cmd=\"ls\"]]", "[[fake:http status=500]]"] {
        server.call("consult", &json!({"prompt": prompt}));
    }
    for job in world.jobs() {
        wait_until("the worker's end", || {
            !crosscheck::sys::lock::is_held(&job.join("worker.lock")).unwrap()
        });
        assert!(!job.join("tmp").exists());
        assert!(peers_of(&job).iter().all(|peer| !is_alive(*peer)));
    }
}
