//! Reviews of several passes: looks beside each other, votes, the check that refutes, and what stays when something ends.

use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crosscheck::model::{HttpReply, Reply, Turn};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::reports::run;
use crate::support::model::{PATIENCE, wait_until};
use crate::world::{Server, World, claim, is_alive, peers_of, review_answer};

/// What a turn asks for.
enum Asked {
    /// A look at a part, counted from 1.
    Look(usize),
    /// A check of these findings.
    Check(Vec<Value>),
}

fn asked(turn: &Turn) -> Asked {
    let prompt = turn.last_user_text();
    let is_check = turn
        .schema()
        .is_some_and(|schema| schema["properties"].get("verdicts").is_some());
    if is_check {
        let findings = prompt.lines().filter(|line| line.starts_with("{\"id\""));
        return Asked::Check(findings.map(|line| serde_json::from_str(line).unwrap()).collect());
    }
    let part = prompt
        .split("this is part ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    Asked::Look(part.map_or(1, |number| number.parse().unwrap()))
}

fn answer(value: &Value) -> Reply {
    Reply::text(value.to_string())
}

/// Says of each finding what `say` says of it and of its index.
fn each(findings: &[Value], say: impl Fn(usize, &Value) -> Value) -> Reply {
    let verdicts: Vec<Value> = findings
        .iter()
        .enumerate()
        .map(|(at, finding)| {
            let mut verdict = say(at, finding);
            verdict["id"] = finding["id"].clone();
            verdict
        })
        .collect();
    answer(&json!({ "verdicts": verdicts }))
}

/// Says the same of each finding.
fn all(findings: &[Value], verdict: &str) -> Reply {
    each(
        findings,
        |_, _| json!({"verdict": verdict, "reason": "I followed it.", "command": null, "in_base": false}),
    )
}

/// Lets the model's turns wait until a test lets them go on.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        // The model's other connections go on meanwhile.
        tokio::task::block_in_place(|| {
            let open = self.0.0.lock().unwrap();
            drop(
                self.0
                    .1
                    .wait_timeout_while(open, PATIENCE, |open| !*open)
                    .unwrap(),
            );
        });
    }
}

/// A world whose change fits no single prompt: two files, a part each.
fn with_two_parts(world: World) -> World {
    world.git(&["init", "-q"]);
    for word in ["old", "new"] {
        for file in ["one", "two"] {
            let mut text = String::new();
            for line in 0..130 {
                let _ = writeln!(text, "pub fn {word}_{file}_{line}() -> u64 {{ compute({line}) }}");
            }
            world.write(&format!("src/{file}.rs"), text);
        }
        if word == "old" {
            world.git(&["add", "."]);
            world.git(&["commit", "-qm", "one"]);
        }
    }
    limits(&world, "prompt_bytes = 24000\n");
    world
}

fn limits(world: &World, lines: &str) {
    world.configure(&format!("[env]\npass = [\"FAKE_KEY\"]\n[limits]\n{lines}"));
}

fn wrong_sum() -> Value {
    claim("high", "src/lib.rs", 2, "    a - b")
}

/// A look that finds two defects.
fn two_defects() -> Reply {
    let mut other = claim("medium", "src/lib.rs", 5, "pub fn two() -> i32 {");
    other["title"] = json!("Another defect");
    answer(&review_answer("fail", &[wrong_sum(), other]))
}

/// A defect in one of the two parts' files.
fn in_part(part: usize) -> Value {
    let file = ["one", "two"][part - 1];
    let mut claim = claim(
        "high",
        &format!("src/{file}.rs"),
        3,
        &format!("pub fn new_{file}_2() -> u64 {{ compute(2) }}"),
    );
    claim["title"] = json!(format!("compute is wrong in {file}"));
    claim
}

fn full(server: &mut Server, review: &Value) -> Value {
    server.ok("job", &json!({"id": review["job"]["id"], "detail": "full"}))
}

#[test]
fn three_looks_vote_and_what_they_agree_on_is_verified() {
    let looks = AtomicUsize::new(0);
    let script = move |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(_) => {
            let mut findings = vec![wrong_sum()];
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                let mut other = claim("low", "src/lib.rs", 2, "    a - b");
                other["title"] = json!("No test covers negative operands");
                other["risk"] = json!("A regression stays untested.");
                findings.push(other);
            }
            answer(&review_answer("fail", &findings))
        }
    };
    let world = World::new(script).with_change();
    let mut server = world.server();
    let review = server.ok("review", &json!({"depth": "deep"}));
    let [first, second] = review["findings"].as_array().unwrap().as_slice() else {
        panic!("{review:#}")
    };
    assert_eq!(
        (&first["votes"], &first["looks"], &first["basis"]),
        (&json!(3), &json!(3), &json!("verified"))
    );
    assert_eq!(
        (&second["votes"], &second["looks"]),
        (&json!(1), &json!(3)),
        "{review:#}"
    );
    assert_eq!(first["check"], "I followed it.");
    assert_eq!(first["stands_in_base"], false);
    let examined = &review["examination"];
    assert_eq!(
        (&examined["depth"], &examined["passes"]),
        (&json!("deep"), &json!(3))
    );
    assert_eq!(examined["verification"]["status"], "completed");
    assert_eq!(examined["verification"]["confirmed"], 2);
    assert_eq!(review["verdict"], "fail");
    let passes = full(&mut server, &review)["result"]["passes"].clone();
    let threads: std::collections::BTreeSet<&str> = passes
        .as_array()
        .unwrap()
        .iter()
        .map(|pass| pass["thread"].as_str().unwrap())
        .collect();
    assert_eq!(
        (passes.as_array().unwrap().len(), threads.len()),
        (4, 4),
        "{passes:#}"
    );
    assert_eq!(
        review["meta"]["thread"], passes[0]["thread"],
        "whoever goes on does so in the first"
    );
    // Each turn of the fake model costs the same, and the job's tokens are the sum.
    let sum: u64 = passes
        .as_array()
        .unwrap()
        .iter()
        .map(|pass| pass["usage"]["input"].as_u64().unwrap())
        .sum();
    assert_eq!(review["meta"]["usage"]["input"], sum, "{passes:#}");
    assert_eq!(peers_of(&world.jobs()[0]).len(), 4);
}

#[test]
fn what_is_refuted_leaves_the_findings_and_is_kept() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => each(&findings, |_, finding| {
            let is_sum = finding["evidence"].as_str().unwrap().contains("a - b");
            let verdict = if is_sum { "refuted" } else { "undecided" };
            json!({"verdict": verdict, "reason": "It is documented so.", "command": null, "in_base": null})
        }),
        Asked::Look(_) => two_defects(),
    };
    let world = World::new(script).with_change();
    let mut server = world.server();
    let review = server.ok("review", &json!({}));
    assert_eq!(review["examination"]["depth"], "standard", "{review:#}");
    let summary = review["summary"].as_str().unwrap();
    assert!(summary.contains("concerns, 1 finding (1 refuted)"), "{summary}");
    assert_eq!(review["findings"][0]["basis"], "single");
    assert!(review.get("refuted").is_none(), "it stays small: {review:#}");
    let full = full(&mut server, &review);
    let refuted = &full["result"]["answer"]["refuted"];
    assert_eq!(refuted[0]["finding"]["evidence"], "    a - b", "{full:#}");
    assert_eq!(refuted[0]["reason"], "It is documented so.");
    // What the check was sent lies beside the job.
    let prompt = fs::read_to_string(world.jobs()[0].join("passes/2.prompt.txt")).unwrap();
    assert!(
        prompt.contains("+2|    a - b") && prompt.contains("try to refute"),
        "{prompt}"
    );
}

#[test]
fn a_check_answers_in_the_language_that_was_asked_for_and_what_it_was_sent_is_accounted_for() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(_) => answer(&review_answer("fail", &[wrong_sum()])),
    };
    let world = World::new(script).with_change();
    let mut server = world.server();
    let review = server.ok("review", &json!({"options": {"language": "Portuguese"}}));
    let prompt = fs::read(world.jobs()[0].join("passes/2.prompt.txt")).unwrap();
    assert!(
        String::from_utf8_lossy(&prompt).contains("Portuguese"),
        "{review:#}"
    );
    let full = full(&mut server, &review);
    let sent = &full["egress"]["verification"][0];
    assert_eq!(sent["pass"], 2, "{full:#}");
    assert_eq!(sent["prompt_bytes"], prompt.len());
    assert_eq!(
        sent["prompt_sha256"],
        crosscheck::domain::fingerprint::sha256_hex(&prompt)
    );
    assert_eq!(sent["files"][0]["path"], "src/lib.rs", "{full:#}");
    assert_eq!(sent["files"].as_array().unwrap().len(), 1, "{full:#}");
}

#[test]
fn a_change_whose_findings_are_all_refuted_passes_and_is_not_sure() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "refuted"),
        Asked::Look(_) => answer(&review_answer("fail", &[wrong_sum()])),
    };
    let world = World::new(script).with_change();
    let review = world.server().ok("review", &json!({}));
    assert_eq!(
        (&review["verdict"], &review["confidence"]),
        (&json!("pass"), &json!("medium")),
        "{review:#}"
    );
}

#[test]
fn a_check_without_an_answer_leaves_the_findings_as_they_are() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(_) => Reply::Http(HttpReply::error(400, "no such thing", &[])),
        Asked::Look(_) => answer(&review_answer("fail", &[wrong_sum()])),
    };
    let world = World::new(script).with_change();
    let review = world.server().ok("review", &json!({}));
    assert_eq!(review["findings"][0]["basis"], "single", "{review:#}");
    assert_eq!(review["examination"]["verification"]["status"], "failed");
    assert!(
        review["warnings"].to_string().contains("were not verified"),
        "{review:#}"
    );
    assert_eq!(review["verdict"], "fail");
}

#[test]
fn a_failure_is_reproduced_only_where_the_command_was_seen() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) if turn.step() == 0 => {
            drop(findings);
            Reply::stream([
                crosscheck::model::Step::Shell(crosscheck::model::Shell::new("echo three minus two is one")),
                crosscheck::model::Step::Completed(crosscheck::model::Usage::default()),
            ])
        }
        Asked::Check(findings) => {
            let commands = ["echo three minus two is one", "echo something else"];
            each(
                &findings,
                |at, _| json!({"verdict": "confirmed", "reason": "Seen.", "command": commands[at], "in_base": null}),
            )
        }
        Asked::Look(_) => two_defects(),
    };
    let world = World::new(script).with_change();
    let review = world.server().ok("review", &json!({}));
    let bases: Vec<&Value> = review["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["basis"])
        .collect();
    assert_eq!(bases, [&json!("reproduced"), &json!("verified")], "{review:#}");
}

#[test]
fn parts_run_beside_each_other_and_come_to_one_review() {
    // Each look waits until the other one is asked too, so they must run at once.
    let begun = Arc::new(AtomicUsize::new(0));
    let gate = Gate::default();
    let script = move |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(part) => {
            if begun.fetch_add(1, Ordering::SeqCst) == 1 {
                gate.open();
            }
            gate.pass();
            answer(&review_answer("concerns", &[in_part(part)]))
        }
    };
    let world = with_two_parts(World::new(script));
    let mut server = world.server();
    let review = server.ok("review", &json!({}));
    assert_eq!(review["examination"]["parts"], 2, "{review:#}");
    let files: Vec<&Value> = review["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["file"])
        .collect();
    assert_eq!(files, [&json!("src/one.rs"), &json!("src/two.rs")], "{review:#}");
    assert_eq!(review["coverage"]["status"], "complete");
    assert!(review["overview"].as_str().unwrap().contains("Part 2 of 2:"));
    let log = server.ok(
        "job",
        &json!({"id": review["job"]["id"], "detail": "log", "tail": 200}),
    );
    for pass in [1, 2, 3] {
        assert!(
            log["events"]
                .as_array()
                .unwrap()
                .iter()
                .any(|event| event["pass"] == pass),
            "{log:#}"
        );
    }
}

#[test]
fn a_part_that_nobody_examined_is_not_covered_and_never_passes() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(1) => answer(&review_answer("pass", &[])),
        Asked::Look(_) => Reply::Http(HttpReply::error(400, "the model is unwell", &[])),
    };
    let world = with_two_parts(World::new(script));
    let review = world.server().ok("review", &json!({}));
    assert_eq!(review["coverage"]["status"], "partial", "{review:#}");
    assert_eq!(
        review["coverage"]["omitted"],
        json!([{"path": "src/two.rs", "reason": "not_examined"}])
    );
    let hunks = &review["coverage"]["hunks"];
    assert_eq!(
        hunks["sent"].as_u64().unwrap() + hunks["omitted"].as_u64().unwrap(),
        hunks["total"].as_u64().unwrap()
    );
    assert_eq!(review["verdict"], "unknown");
    assert!(
        review["summary"].as_str().unwrap().contains("only "),
        "{review:#}"
    );
    assert!(
        review["warnings"].to_string().contains("part 2, look 1"),
        "{review:#}"
    );
    assert_eq!(review["examination"]["failed"], 1);
}

#[test]
fn one_of_three_looks_may_fail() {
    let looks = AtomicUsize::new(0);
    let script = move |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "undecided"),
        Asked::Look(_) if looks.fetch_add(1, Ordering::SeqCst) == 1 => {
            Reply::Http(HttpReply::error(400, "the model is unwell", &[]))
        }
        Asked::Look(_) => answer(&review_answer("fail", &[wrong_sum()])),
    };
    let world = World::new(script).with_change();
    limits(&world, "concurrency = 1\n");
    let review = world.server().ok("review", &json!({"depth": "deep"}));
    let finding = &review["findings"][0];
    assert_eq!(
        (&finding["votes"], &finding["looks"], &finding["basis"]),
        (&json!(2), &json!(2), &json!("agreed"))
    );
    assert_eq!(
        review["coverage"]["status"], "complete",
        "the part was looked at: {review:#}"
    );
    assert!(
        review["warnings"]
            .to_string()
            .contains("1 of 3 passes gave no answer"),
        "{review:#}"
    );
}

#[test]
fn where_every_pass_fails_the_job_does() {
    let script = |_: &Turn| Reply::Http(HttpReply::error(400, "the model is unwell", &[]));
    let world = World::new(script).with_change();
    let mut server = world.server();
    let fault = server.call("review", &json!({"depth": "deep"}));
    assert_eq!(fault["ok"], false, "{fault:#}");
    assert_eq!(fault["job"]["state"], "failed");
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["passes"].as_array().unwrap().len(), 3, "{full:#}");
}

#[test]
fn a_reviewer_that_says_nothing_has_not_reviewed() {
    let mut silent = review_answer("pass", &[]);
    silent["summary"] = json!("");
    silent["score"] = json!(null);
    let world = World::new(move |_: &Turn| answer(&silent)).with_change();
    let review = world.server().ok("review", &json!({}));
    assert_eq!(
        (&review["review_status"], &review["verdict"]),
        (&json!("not_run"), &json!("unknown"))
    );
    assert_eq!(review["coverage"]["status"], "none", "{review:#}");
    assert!(
        review["summary"].as_str().unwrap().contains("not run"),
        "{review:#}"
    );
}

#[test]
fn two_deep_reviews_share_two_slots_and_both_end() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(_) => answer(&review_answer("fail", &[wrong_sum()])),
    };
    let world = World::new(script).with_change();
    limits(&world, "concurrency = 2\n");
    let (mut one, mut two) = (world.server(), world.server());
    let first = one.start_call("review", &json!({"depth": "deep", "focus": "a"}));
    let second = two.start_call("review", &json!({"depth": "deep", "focus": "b"}));
    for review in [one.envelope(first), two.envelope(second)] {
        assert_eq!(review["findings"][0]["votes"], 3, "{review:#}");
    }
    for slot in fs::read_dir(world.home.state().join("slots")).unwrap().flatten() {
        let held = fs::read_to_string(slot.path()).unwrap();
        assert!(held.trim().is_empty(), "every slot was given back: {held}");
    }
}

/// A world in which the first part is answered and the second one waits, with the number of its worker and its job.
fn halfway(gate: Gate) -> (World, Server, u64, u32, std::path::PathBuf) {
    let script = move |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(1) => answer(&review_answer("concerns", &[in_part(1)])),
        Asked::Look(_) => {
            gate.pass();
            answer(&review_answer("concerns", &[in_part(2)]))
        }
    };
    let world = with_two_parts(World::new(script));
    let mut server = world.server();
    let call = server.start_call("review", &json!({}));
    wait_until("the first pass to be over", || {
        let jobs = world.jobs();
        jobs.first()
            .is_some_and(|job| job.join("passes/1.json").exists() && peers_of(job).len() == 2)
    });
    let job = world.jobs()[0].clone();
    let worker = worker_of(&job);
    (world, server, call, worker, job)
}

/// Finds the process that owns a job.
fn worker_of(job: &std::path::Path) -> u32 {
    let is_worker = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.contains(&b"worker".as_slice()) && words.contains(&job.as_os_str().as_encoded_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(is_worker).expect("the job has a worker")
}

/// What the one pass of two that ended had found is told as a review of a part, with its place, and passes nothing.
fn assert_is_merged(ended: &Value, full: &Value) {
    let hint = ended["error"]["repair"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("1 finding") && hint.contains("partial_review"),
        "{ended:#}"
    );
    let result = &full["result"];
    let partial = result["partial"].as_str().unwrap();
    assert!(partial.contains("compute is wrong in one"), "{partial}");
    let review = &result["partial_review"];
    let finding = &review["findings"][0];
    assert_eq!(
        (&finding["title"], &finding["anchor"], &finding["line"]),
        (&json!("compute is wrong in one"), &json!("exact"), &json!(3)),
        "{full:#}"
    );
    assert_eq!(
        (&review["coverage"]["status"], &review["confidence"]),
        (&json!("partial"), &json!("low")),
        "{review:#}"
    );
    assert_ne!(review["verdict"], "pass", "{review:#}");
    assert_eq!(review["examination"]["failed"], 1, "{review:#}");
}

#[test]
fn what_a_finished_pass_said_outlives_its_worker() {
    let gate = Gate::default();
    let (world, mut server, call, worker, job) = halfway(gate.clone());
    kill_process(
        Pid::from_raw(i32::try_from(worker).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    gate.open();
    let lost = server.envelope(call);
    assert_eq!(lost["error"]["code"], "job_lost", "{lost:#}");
    let full = server.ok("job", &json!({"id": lost["job"]["id"], "detail": "full"}));
    assert_is_merged(&lost, &full);
    assert_eq!(full["result"]["passes"][0]["state"], "succeeded", "{full:#}");
    assert!(
        full["warnings"]
            .to_string()
            .contains("1 of the review's passes had ended"),
        "{full:#}"
    );
    wait_until("the peers to be gone", || {
        peers_of(&job).into_iter().all(|pid| !is_alive(pid))
    });
    drop(world);
}

#[test]
fn a_cancelled_review_keeps_what_its_passes_said() {
    let gate = Gate::default();
    let (world, mut server, call, _, job) = halfway(gate.clone());
    let id = job.file_name().unwrap().to_str().unwrap().to_owned();
    let cancel = server.start_call("cancel", &json!({"id": id}));
    server.envelope(cancel);
    gate.open();
    let cancelled = server.envelope(call);
    assert_eq!(cancelled["job"]["state"], "cancelled", "{cancelled:#}");
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    assert_is_merged(&cancelled, &full);
    assert_eq!(full["result"]["passes"].as_array().unwrap().len(), 2, "{full:#}");
    // It has a report too, which claims no more.
    let markdown = run(&world, &["report", &id, "--format", "markdown"]);
    let text = &markdown.stdout;
    assert!(
        text.contains("compute is wrong in one") && text.contains("ended early (cancelled)"),
        "{markdown:#?}"
    );
    let told = run(&world, &["report", &id, "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_ne!(told["verdict"], "pass", "{told:#}");
}

#[test]
fn a_budget_is_for_all_passes_together() {
    let script = |turn: &Turn| match asked(turn) {
        Asked::Check(findings) => all(&findings, "confirmed"),
        Asked::Look(_) => Reply::stream([
            crosscheck::model::Step::Message(crosscheck::model::Message::new(
                review_answer("fail", &[wrong_sum()]).to_string(),
            )),
            crosscheck::model::Step::Completed(crosscheck::model::Usage {
                input: 3000,
                ..crosscheck::model::Usage::default()
            }),
        ]),
    };
    let world = World::new(script).with_change();
    limits(&world, "concurrency = 1\n");
    let review = world.server().ok(
        "review",
        &json!({"depth": "deep", "options": {"budget_tokens": 5000}}),
    );
    // The second look goes over it and is complete; the third is not begun, nor is the check.
    assert!(
        review["warnings"]
            .to_string()
            .contains("1 of 3 passes were not begun"),
        "{review:#}"
    );
    assert_eq!(review["findings"][0]["votes"], 2, "{review:#}");
    assert_eq!(review["examination"]["verification"]["status"], "failed");
    assert_eq!(world.model.turns().len(), 2);
}
