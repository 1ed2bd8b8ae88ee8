//! The end of a run that somebody asks for: what ends, what is told about it, and what is never lost by it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hostile::{in_background, pid_in, question, worker_of, world};
use crate::support::model::wait_until;
use crate::support::run::finish;
use crate::world::{PROGRAM, World, is_alive, peers_of};

/// Ignores what can be ignored, and so do its grandchildren, each in a session of its own.
const STUBBORN: &str = "open; trap '' INT TERM HUP; for n in 1 2; do setsid sh -c 'trap \"\" INT TERM HUP; \
    (setsid sh -c \"trap \\\"\\\" INT TERM HUP; echo \\$\\$ > $0.inner; while :; do sleep 1; done\" &); \
    echo $$ > \"$0\"; while :; do sleep 1; done' \"$PWD/pid$n\" & done; while :; do sleep 1; done";

/// A machine under load needs longer than the 6 s that an end may take.
const END: Duration = Duration::from_secs(15);

fn below(world: &World) -> Vec<u64> {
    ["pid1", "pid2", "pid1.inner", "pid2.inner"]
        .iter()
        .map(|name| pid_in(&world.work().join(name)))
        .collect()
}

fn signal(child: &std::process::Child, name: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

fn terminal(world: &World, words: &[&str]) -> (Option<i32>, Value) {
    let mut command = world.home.command(PROGRAM);
    command.args(words).arg("--json");
    let finished = finish(command, "");
    let envelope = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {finished:#?}"));
    (finished.status.code(), envelope)
}

#[test]
fn a_cancel_from_the_terminal_leaves_no_process() {
    let world = world(STUBBORN);
    let handle = world.server().ok("consult", &in_background());
    let mut all = below(&world);
    let id = handle["job"]["id"].as_str().unwrap();
    all.extend(peers_of(&world.job(id)));
    let begun = Instant::now();
    let (code, cancelled) = terminal(&world, &["cancel", id]);
    let alive: Vec<&u64> = all.iter().filter(|pid| is_alive(**pid)).collect();
    assert_eq!(alive, Vec::<&u64>::new(), "{cancelled:#}");
    assert!(begun.elapsed() < END, "{:?}", begun.elapsed());
    assert_eq!((code, &cancelled["job"]["state"]), (Some(0), &json!("cancelled")));
    assert_eq!(
        (&cancelled["ended"], &cancelled["leaked"]),
        (&json!(true), &json!([]))
    );
    let held = crosscheck::sys::lock::is_held(&world.job(id).join("worker.lock")).unwrap();
    assert!(!held, "the worker is gone too");
}

#[test]
fn ctrl_c_in_the_foreground_leaves_no_process() {
    let world = world(STUBBORN);
    let mut command = world.home.command(PROGRAM);
    command.args(["consult", "x", "--option", "isolation=ignore_config"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let all = below(&world);
    let begun = Instant::now();
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < END, "{:?}", begun.elapsed());
    assert!(all.iter().all(|pid| !is_alive(*pid)), "{all:?}");
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_wish_is_on_disk() {
    // One that ends by itself when it is interrupted may be quicker than the second signal.
    let world = world(STUBBORN);
    let mut command = world.home.command(PROGRAM);
    command.args(["consult", "x", "--option", "isolation=ignore_config"]);
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let all = below(&world);
    signal(&child, "-INT");
    signal(&child, "-INT");
    // Two signals of one kind may arrive as one, which is then followed by a real second one.
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() && begun.elapsed() < END {
        signal(&child, "-INT");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let job = &world.jobs()[0];
    assert!(job.join("cancel").exists(), "the wish is on disk");
    assert!(
        !job.join("result.json").exists(),
        "it left before the end of the run"
    );
    wait_until("the end of the run", || all.iter().all(|pid| !is_alive(*pid)));
}

#[test]
fn a_queued_job_is_cancelled_without_a_peer() {
    let world = world("say");
    world.configure("[limits]\nconcurrency = 1\n");
    let slots = world.home.state().join("slots");
    fs::create_dir_all(&slots).unwrap();
    let _held = crosscheck::sys::lock::HeldLock::try_take(&slots.join("0"))
        .unwrap()
        .unwrap();
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    assert_eq!(handle["job"]["state"], "queued");
    let gone = server.ok("cancel", &json!({"id": handle["job"]["id"]}));
    assert_eq!(
        (&gone["job"]["state"], &gone["ended"]),
        (&json!("cancelled"), &json!(true))
    );
    assert!(gone["meta"]["thread"].is_null());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    assert!(!job.join("started").exists() && peers_of(&job).is_empty());
    let told = server.fault("job", &json!({"id": handle["job"]["id"]}), "cancelled");
    let hint = told["error"]["repair"]["hint"].as_str().unwrap();
    assert!(hint.contains("repeat the call"), "there is no thread: {hint}");
}

#[test]
fn two_cancels_at_once_tell_the_same() {
    let world = world(STUBBORN);
    let (mut one, mut two) = (world.server(), world.server());
    let handle = one.ok("consult", &in_background());
    let all = below(&world);
    let call = json!({"id": handle["job"]["id"]});
    let (first, second) = (one.start_call("cancel", &call), two.start_call("cancel", &call));
    for told in [one.envelope(first), two.envelope(second)] {
        assert_eq!(
            (&told["ended"], &told["leaked"]),
            (&json!(true), &json!([])),
            "{told:#}"
        );
        assert!(all.iter().all(|pid| !is_alive(*pid)));
    }
}

#[test]
fn a_cancel_of_a_lost_or_ended_job_says_what_became_of_it() {
    let world = world("say");
    let mut server = world.server();
    let answer = server.ok("consult", &question());
    let call = json!({"id": answer["job"]["id"]});
    let told = server.ok("cancel", &call);
    assert_eq!(told["ended"], false);
    assert!(
        told["summary"]
            .as_str()
            .unwrap()
            .contains("over already (succeeded)"),
        "{told:#}"
    );
    let job = world.job(answer["job"]["id"].as_str().unwrap());
    wait_until("the worker's end", || {
        !crosscheck::sys::lock::is_held(&job.join("worker.lock")).unwrap()
    });
    fs::remove_file(job.join("result.json")).unwrap();
    let told = server.ok("cancel", &call);
    assert_eq!(
        (&told["ended"], &told["job"]["state"]),
        (&json!(false), &json!("lost"))
    );
    assert!(
        told["summary"].as_str().unwrap().contains("over already (lost)"),
        "{told:#}"
    );
    let fault = server.fault("job", &call, "job_lost");
    assert_eq!(
        fault["error"]["repair"]["arguments"]["resume"],
        answer["job"]["id"]
    );
    assert!(
        fault["error"]["repair"]["hint"]
            .as_str()
            .unwrap()
            .contains("what it had said")
    );
}

#[test]
fn forgetting_a_damaged_job_ends_what_its_killed_worker_left() {
    let world = world(STUBBORN);
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let mut all = below(&world);
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    all.extend(peers_of(&job));
    let worker = worker_of(&job);
    assert!(
        Command::new("kill")
            .args(["-KILL", &worker.to_string()])
            .status()
            .unwrap()
            .success()
    );
    wait_until("the worker's end", || {
        !crosscheck::sys::lock::is_held(&job.join("worker.lock")).unwrap()
    });
    fs::write(job.join("spec.json"), "{\"version\":1,").unwrap();
    server.ok("cancel", &json!({"id": handle["job"]["id"], "forget": true}));
    let alive: Vec<&u64> = all.iter().filter(|pid| is_alive(**pid)).collect();
    assert_eq!(alive, Vec::<&u64>::new());
    assert!(!job.exists());
}

#[test]
fn forgetting_a_job_that_somebody_waits_for_is_told_to_both() {
    let world = world("open; while :; do sleep 0.1; done");
    let (mut waiter, mut other) = (world.server(), world.server());
    let handle = other.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the peer", || !peers_of(&job).is_empty());
    let waiting = waiter.start_call("job", &json!({"id": handle["job"]["id"], "wait_s": 60}));
    wait_until("the wait", || job.join("waiting").exists());
    let gone = other.ok("cancel", &json!({"id": handle["job"]["id"], "forget": true}));
    assert_eq!(
        (&gone["ended"], &gone["record"]["result"]["state"]),
        (&json!(true), &json!("cancelled"))
    );
    assert!(!job.exists());
    let told = waiter.envelope(waiting);
    let code = told["error"]["code"].as_str().unwrap();
    // It may have seen the end before the record was gone.
    assert!(["job_not_found", "cancelled"].contains(&code), "{told:#}");
    other.fault("cancel", &json!({"id": handle["job"]["id"]}), "job_not_found");
}

#[test]
fn a_record_that_is_too_long_is_not_deleted_unread() {
    let world = world(
        "open; printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"'; \
         head -c 90000 /dev/zero | tr '\\0' x; printf '\"}}\\n'; \
         echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}'",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the answer", || job.join("result.json").exists());
    let forget = json!({"id": handle["job"]["id"], "forget": true});
    let refused = server.fault("cancel", &forget, "invalid_arguments");
    assert_eq!(refused["job"]["state"], "succeeded");
    let repair = &refused["error"]["repair"];
    assert_eq!(repair["tool"], "job");
    assert!(job.join("result.json").exists(), "nothing was deleted");
    let full = server.ok("job", &repair["arguments"]);
    let file = full["files"]["result"].as_str().unwrap();
    let kept: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(kept["answer"]["answer"].as_str().unwrap().len(), 90_000);
    let gone = server.ok("cancel", &forget);
    assert!(gone.to_string().len() <= 42 * 1024);
    assert!(
        gone["left_out"].to_string().contains("result.answer"),
        "{}",
        gone["left_out"]
    );
    assert!(!job.exists());
}
