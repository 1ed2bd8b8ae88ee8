//! Group I: what a codex may print, leave and do. The answer that was given is told, what is none has a typed end, and
//! neither the worker nor the server grows.
//!
//! One server, one codex that is another one for each case, and all cases as jobs beside each other. The memory of each
//! worker is looked at until it is gone.

mod table;
mod watcher;

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::codex;
use crate::support::model::wait_until;
use crate::world::World;
use table::{Outcome, SAYINGS};
pub(crate) use watcher::Watcher;

const FORBIDDEN: &str =
    "an answer is lost, an end has no type, or the memory of a process of ours goes over 64 MB";

/// Memory that a worker or the server may have used at its worst, in kB.
pub(crate) const MOST_KB: u64 = 64_000;

/// The cases of this group.
pub(crate) fn cases() -> Vec<Case> {
    numbered('I', 1, FORBIDDEN, SAYINGS.iter().map(|(what, _, _)| what))
}

/// A world whose codex does what the case says whose id stands in the prompt.
fn world() -> World {
    let cases = cases();
    let mut script = String::from("case \"$(cat \"$PWD/prompt\" | tr -c 'A-Z0-9' ' ')\" in\n");
    for (case, (_, body, _)) in cases.iter().zip(SAYINGS) {
        let body = body.replace("CASE", &case.id);
        let _ = writeln!(script, "*{}*)\n{body}\n;;", case.id);
    }
    script.push_str("esac\n");
    let world = codex::world(&script);
    world.configure("[limits]\nconcurrency = 4\n");
    world
}

#[test]
fn whatever_a_codex_prints_has_its_outcome_and_costs_no_memory() {
    let cases = cases();
    let mut findings = Findings::default();
    let world = world();
    let mut server = world.server();
    let watcher = Watcher::over(&world.home.state());
    // Each has a folder of its own, since the prompt is kept in it.
    let mut jobs = Vec::new();
    for case in &cases {
        let folder = world.work().join(&case.id);
        fs::create_dir(&folder).unwrap();
        let call = json!({"prompt": format!("case {}.", case.id), "workspace": folder, "background": true,
            "options": {"isolation": "ignore_config", "timeout_s": 600}});
        jobs.push(server.ok("consult", &call)["job"]["id"].clone());
    }
    for ((case, (_, _, expected)), id) in cases.iter().zip(SAYINGS).zip(jobs) {
        let envelope = server.call("job", &json!({"id": id, "wait_s": 120}));
        let mut wrong = Vec::new();
        let told = match expected {
            Outcome::Says(text) => {
                envelope["ok"] == true
                    && envelope["answer"]
                        .as_str()
                        .is_some_and(|answer| answer.contains(text))
            }
            Outcome::Fails(code) => envelope["error"]["code"] == *code,
        };
        if !told {
            wrong.push(format!("expected {expected:?}, told {}", short(&envelope)));
        }
        if envelope.to_string().len() > 48 * 1024 {
            wrong.push(format!("the envelope has {} bytes", envelope.to_string().len()));
        }
        // The worker goes a moment after its result is there.
        let job = id.as_str().unwrap();
        wait_until("the end of the worker", || !watcher.lives(job));
        match watcher.most_kb(job) {
            Some(kb) if kb > MOST_KB => wrong.push(format!("its worker used {kb} kB")),
            Some(_) => {}
            None => wrong.push("its worker was never looked at".to_owned()),
        }
        println!(
            "{} {:>6} kB {}",
            case.id,
            watcher.most_kb(job).unwrap_or(0),
            case.what
        );
        findings.note(case, wrong);
    }
    let most = watcher::most_kb_of(server.pid()).unwrap();
    println!("the server {most} kB");
    assert!(most < MOST_KB, "the server used {most} kB");
    findings.assert_none(SAYINGS.len());
}

fn short(envelope: &Value) -> String {
    envelope.to_string().chars().take(400).collect()
}

/// The full size, of events that are all read: `CROSSCHECK_FLOOD_MB=1800 cargo test --release --test hostile flood --
/// --nocapture`. Any other run has a flood of lines that are passed over, a little beyond the bound.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment how long it is to be"
)]
fn a_flood_beyond_the_bound_is_ended_and_told() {
    let (megabytes, line) = match std::env::var("CROSSCHECK_FLOOD_MB") {
        Ok(megabytes) => (megabytes, 9_000),
        Err(_) => ("560".to_owned(), 14_000_000),
    };
    let world = codex::world(&format!(
        "open; say | sed -n 3p; head -c {line} /dev/zero | tr '\\0' x > \"$CODEX_HOME/x\"; \
         {{ printf '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"reasoning\",\"text\":\"'; cat \"$CODEX_HOME/x\"; \
         printf '\"}}}}\\n'; }} > \"$CODEX_HOME/line\"; \
         for i in 1 2 3 4 5 6 7 8 9; do cat \"$CODEX_HOME/line\"; done > \"$CODEX_HOME/lines\"; \
         while :; do cat \"$CODEX_HOME/lines\"; done | head -c {megabytes}000000; echo; say"
    ));
    let mut server = world.server();
    let watcher = Watcher::over(&world.home.state());
    let fault = server.fault("consult", &codex::question(), "peer_failed");
    assert!(
        fault["error"]["message"]
            .as_str()
            .unwrap()
            .contains("more than is read"),
        "{fault:#}"
    );
    let id = fault["job"]["id"].as_str().unwrap();
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    assert_eq!(
        full["result"]["partial"], "Paid for.",
        "what was said before is kept"
    );
    let kept: u64 = fs::read_dir(world.job(id))
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|about| about.len())
        .sum();
    wait_until("the end of the worker", || !watcher.lives(id));
    let worker = watcher.most_kb(id).unwrap();
    let own = watcher::most_kb_of(server.pid()).unwrap();
    println!("{megabytes} MB: the worker used {worker} kB, the server {own} kB, {kept} bytes are kept");
    assert!(
        worker < MOST_KB && own < MOST_KB,
        "the worker used {worker} kB, the server {own} kB"
    );
    assert!(kept < 24_000_000, "{kept} bytes are kept");
}

/// The negative control: the memory of a process that takes some is seen, and an outcome that is another one is told.
#[test]
fn the_watch_sees_memory_that_is_taken() {
    let mut child = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            "x=$(head -c 80000000 /dev/zero | tr '\\0' x); echo ready; read y",
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the memory", || {
        watcher::most_kb_of(child.id()).is_some_and(|kb| kb > MOST_KB)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let world = codex::world("exit 3");
    let envelope = world.server().call("consult", &codex::question());
    assert_eq!(envelope["ok"], false);
}
