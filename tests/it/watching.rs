//! Looking at a run while it goes: what codex does is told as it happens, at no cost to the machine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crosscheck::domain::limits;
use crosscheck::peer::event::Event;
use crosscheck::state::events::EventLog;
use crosscheck::sys::lock::HeldLock;
use serde_json::{Value, json};

use crate::hostile::{in_background, question, world};
use crate::support::model::wait_until;
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, Server, World};

fn ticks_of(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn a_waiting_server_sleeps() {
    let world = world("open; while [ ! -e go ]; do sleep 0.1; done; say");
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let call = json!({"id": handle["job"]["id"], "wait_s": 3});
    let before = ticks_of(&server);
    let begun = Instant::now();
    let told = server.ok("job", &call);
    assert_eq!(told["job"]["state"], "running");
    assert!(
        begun.elapsed() >= Duration::from_secs(3),
        "the server holds the call"
    );
    let used = ticks_of(&server) - before;
    world.write("go", "");
    server.ok("job", &json!({"id": handle["job"]["id"], "wait_s": 20}));
    assert!(used < 30, "a waiting server used {used} ticks of 10 ms in 3 s");
}

/// Calls for the job until it does this, and returns what the job's view says then.
fn until_phase(server: &mut Server, id: &Value, phase: &str) -> Value {
    let mut seen = Value::Null;
    wait_until(phase, || {
        seen = server.call("job", &json!({"id": id}))["job"].clone();
        seen["phase"].as_str().is_some_and(|now| now.starts_with(phase))
    });
    seen
}

#[test]
fn what_codex_does_is_told_while_it_happens() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let mut looker = world.server();
    let prompt = "[[fake:shell cmd=\"sleep 2\" commentary=1 yield_ms=30000]]";
    let call = server.start_call("consult", &json!({"prompt": prompt, "wait_s": 60}));
    let latest = json!("latest");
    wait_until("a job", || !world.jobs().is_empty());
    let running = until_phase(&mut looker, &latest, "running sleep 2");
    assert_eq!(running["state"], "running");
    assert_eq!(server.envelope(call)["job"]["state"], "succeeded");
    let mut told = server.progress();
    // A phase is told again when its tokens grow.
    for text in &mut told {
        let phase = text.split(", ").next().unwrap_or_default();
        *text = phase.to_owned();
    }
    told.dedup();
    let position = |phase: &str| told.iter().position(|text| text == phase);
    for phase in ["thinking", "answering", "running sleep 2"] {
        assert!(position(phase).is_some(), "{phase}: {told:?}");
    }
    assert!(position("thinking") < position("running sleep 2"), "{told:?}");
    assert_eq!(told.iter().filter(|text| *text == "running sleep 2").count(), 1);
}

#[test]
fn a_model_that_is_asked_is_said_to_be_thinking() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let handle = server.ok(
        "consult",
        &json!({"prompt": "[[fake:stall]]", "background": true}),
    );
    until_phase(&mut server, &handle["job"]["id"], "thinking");
    server.ok("cancel", &json!({"id": handle["job"]["id"]}));
}

#[test]
fn a_job_without_a_slot_is_said_to_wait_for_one() {
    let world = world("say");
    world.configure("[limits]\nconcurrency = 1\n");
    let slots = world.home.state().join("slots");
    fs::create_dir_all(&slots).unwrap();
    let held = HeldLock::try_take(&slots.join("0")).unwrap().unwrap();
    let mut server = world.server();
    let call = server.start_call("consult", &question());
    let mut told = Vec::new();
    wait_until("the first progress", || {
        told = server.progress();
        !told.is_empty()
    });
    assert_eq!(told, ["waiting for a free slot"]);
    // Who follows its log is not left before an empty screen either.
    let mut follow = world.home.command(PROGRAM);
    follow
        .arg("logs")
        .arg(world.jobs()[0].file_name().unwrap())
        .arg("-f");
    follow.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut follow = follow.spawn().unwrap();
    let mut stderr = BufReader::new(follow.stderr.take().unwrap()).lines();
    let line = stderr.next().unwrap().unwrap();
    assert!(line.starts_with("queued: "), "{line}");
    drop(held);
    assert_eq!(server.envelope(call)["job"]["state"], "succeeded");
    assert!(follow.wait().unwrap().success());
}

#[test]
fn a_late_look_tells_what_happens_now() {
    let world = world(
        "open; echo '{\"type\":\"item.started\",\"item\":{\"type\":\"command_execution\",\"command\":\"ls\"}}'; \
         echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"file_change\",\"changes\":[{\"path\":\"a.rs\",\"kind\":\"update\"}]}}'; \
         while [ ! -e go ]; do sleep 0.1; done; say",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let id = &handle["job"]["id"];
    until_phase(&mut server, id, "editing a.rs");
    let waiting = server.start_call("job", &json!({"id": id, "wait_s": 60}));
    let mut told = Vec::new();
    wait_until("the first progress", || {
        told = server.progress();
        !told.is_empty()
    });
    assert_eq!(told, ["editing a.rs"]);
    world.write("go", "");
    assert_eq!(server.envelope(waiting)["answer"], "Paid for.");
}

#[test]
fn a_log_of_any_size_is_a_small_answer() {
    let world = world("say");
    let mut server = world.server();
    let answer = server.ok("consult", &question());
    let job = world.job(answer["job"]["id"].as_str().unwrap());
    let mut log = EventLog::open(&job.join("events.jsonl")).unwrap();
    let text = "\"\u{1}".repeat(limits::ANSWER_BYTES / 8);
    for _ in 0..5 {
        log.append(&Event::Message { text: text.clone() }).unwrap();
    }
    let bytes = fs::metadata(job.join("events.jsonl")).unwrap().len();
    assert!(bytes > limits::EVENT_LOG_BYTES, "{bytes}");
    let before = ticks_of(&server);
    for detail in ["log", "full"] {
        let call = json!({"id": answer["job"]["id"], "detail": detail, "tail": 1000});
        let told = server.ok("job", &call);
        assert!(told.to_string().len() <= limits::INLINE_BYTES, "{detail}");
        let listed = told["events"].as_array().unwrap().len();
        // Each control character is spelled out in eight bytes, so fewer of these events fit than of ordinary ones.
        assert!(listed > 3, "{detail}: {listed}");
    }
    // Its own time, not the clock's: other tests run beside this one. Unoptimised it needs less than 2 s.
    let used = ticks_of(&server) - before;
    assert!(used < 1000, "two looks used {used} ticks of 10 ms");
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 60_000, "the server used {peak} kB");
}

#[test]
fn a_call_in_flight_outlives_its_server_and_is_found_again() {
    let world = World::new(Scripted::well()).with_change();
    let mut first = world.server();
    first.start_call(
        "consult",
        &json!({"prompt": "[[fake:slow ms=2500]]", "wait_s": 60}),
    );
    world.model.wait_for_turns(1);
    first.kill();
    let mut second = world.server();
    let row = second.ok("job", &json!({}))["jobs"][0].clone();
    assert_eq!(row["state"], "running", "{row:#}");
    let latest = second.ok("job", &json!({"id": "latest", "wait_s": 60}));
    assert_eq!(
        (&latest["job"]["id"], &latest["job"]["state"]),
        (&row["id"], &json!("succeeded"))
    );
    assert_eq!(world.model.turns().len(), 1);
}

#[test]
fn failed_and_timed_out_jobs_go_on_in_their_thread() {
    for (prompt, code) in [
        ("[[fake:failed]]", "peer_failed"),
        ("[[fake:stall]]", "timed_out"),
    ] {
        let world = World::new(Scripted::well()).with_change();
        let mut server = world.server();
        let call = json!({"prompt": prompt, "options": {"timeout_s": 10}});
        let ended = server.call("consult", &call);
        assert_eq!(ended["ok"], false, "{ended:#}");
        if code == "timed_out" {
            assert_eq!(ended["error"]["code"], code);
            assert_eq!(
                ended["error"]["repair"]["arguments"]["resume"],
                ended["job"]["id"]
            );
        }
        let go_on = json!({"prompt": "[[fake:plain text=\"On.\"]]", "resume": ended["job"]["id"]});
        let on = server.ok("consult", &go_on);
        assert_eq!(on["answer"], "On.", "{code}");
        assert_eq!(on["meta"]["thread"], ended["meta"]["thread"], "{code}");
    }
}

// Under a read-only sandbox codex reports no file change at all: the refusal is only in the tool's answer. Seen with
// codex-cli 0.169.0; so "editing" is never told of a run that cannot edit.
#[test]
fn an_edit_that_the_sandbox_refuses_is_not_told_as_one() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call = json!({"prompt": "[[fake:patch file=new.txt]]", "wait_s": 60});
    let answer = server.ok("consult", &call);
    assert!(
        answer["answer"].as_str().unwrap().contains("read-only"),
        "{answer:#}"
    );
    let told = server.progress();
    assert!(told.iter().all(|text| !text.starts_with("editing")), "{told:?}");
    assert!(!world.work().join("new.txt").exists());
}
