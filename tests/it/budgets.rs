//! Tokens: what a run has used is told while it runs, and a budget ends it.

use std::process::Command;

use serde_json::{Value, json};

use crate::hostile;
use crate::support::model::wait_until;
use crate::support::scripts::Scripted;
use crate::world::{Server, World, is_alive, peers_of};

/// Calls a tool until its job says how many tokens it has used so far, and returns the envelope.
fn until_tokens_are_told(server: &mut Server, id: &Value) -> Value {
    let mut told = Value::Null;
    wait_until("the tokens so far", || {
        told = server.ok("job", &json!({"id": id}));
        told["job"]["usage"].is_object()
    });
    told
}

fn total(usage: &Value) -> u64 {
    usage["input"].as_u64().unwrap() + usage["output"].as_u64().unwrap()
}

/// Lets a scripted codex note in its record that its thread has used `input` tokens and one more.
fn counted(input: u64) -> String {
    let count = json!({"type": "event_msg", "payload": {"type": "token_count",
        "info": {"total_token_usage": {"input_tokens": input, "output_tokens": 1}}}});
    format!(
        "d=\"$CODEX_HOME/sessions/2026/11/21\"; mkdir -p \"$d\"; echo '{count}' \
         >\"$d/rollout-2026-11-21T08-00-00-019a0000-0000-7000-8000-000000000000.jsonl\""
    )
}

#[test]
fn a_run_over_its_budget_is_ended_and_keeps_what_it_had() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    // Each response costs 430 tokens, so the third one is the overrun.
    let prompt =
        "[[fake:shell n=50 commentary=1 input=400 cmd=\"sleep 0.1; setsid sleep 987 & wait\" yield_ms=1000]]";
    let call = json!({"prompt": prompt, "options": {"budget_tokens": 1000}});
    let fault = server.fault("consult", &call, "budget_exceeded");
    assert_eq!(fault["job"]["state"], "failed");
    assert_eq!(fault["job"]["limits"]["budget_tokens"], 1000);
    assert_eq!(total(&fault["meta"]["usage"]), 1290, "{fault:#}");
    let message = fault["error"]["message"].as_str().unwrap();
    assert!(message.contains("1290") && message.contains("1000"), "{message}");
    assert_eq!(world.model.turns().len(), 3, "nothing more was paid");
    let job = world.job(fault["job"]["id"].as_str().unwrap());
    assert!(peers_of(&job).iter().all(|peer| !is_alive(*peer)));
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["partial"], "Running a command.");
    assert_eq!(full["result"]["leaked"], json!([]));
    let left = crosscheck::sys::signal::with_folder("TMPDIR", &job.join("tmp"));
    assert!(left.iter().all(|process| !process.is_alive()), "{left:?}");

    let repair = &fault["error"]["repair"];
    assert_eq!(repair["tool"], "consult");
    assert_eq!(repair["arguments"]["options"]["budget_tokens"], 2000);
    let mut again = repair["arguments"].clone();
    again["prompt"] = "[[fake:plain text=\"On.\"]]".into();
    let answer = server.ok("consult", &again);
    assert_eq!(answer["answer"], "On.");
    assert_eq!(
        total(&answer["meta"]["usage"]),
        150,
        "a budget is that of one run"
    );
}

#[test]
fn a_run_within_its_budget_is_left_alone() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call = json!({"prompt": "[[fake:shell n=2 cmd=\"echo hi\"]]",
        "options": {"budget_tokens": 1000, "timeout_s": 600}});
    let answer = server.ok("consult", &call);
    assert_eq!(total(&answer["meta"]["usage"]), 450);
    assert_eq!(
        answer["job"]["limits"],
        json!({"timeout_s": 600, "budget_tokens": 1000})
    );
    assert_eq!(answer["warnings"], json!([]), "{answer:#}");
}

#[test]
fn tokens_so_far_are_told_while_a_command_runs() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call = json!({"prompt": "[[fake:shell n=2 cmd=\"sleep 987\" yield_ms=30000]]", "background": true});
    let id = server.ok("consult", &call)["job"]["id"].clone();
    let running = until_tokens_are_told(&mut server, &id);
    assert_eq!(
        running["job"]["usage"],
        json!({"input": 120, "cached": 20, "output": 30})
    );
    assert_eq!(running["job"]["state"], "running");
    assert!(
        running["summary"].as_str().unwrap().contains("150 tokens"),
        "{running:#}"
    );
    let listed = server.ok("job", &json!({"state": "active"}));
    assert_eq!(listed["jobs"][0]["usage"], running["job"]["usage"]);
    let waited = server.ok("job", &json!({"id": id, "wait_s": 1}));
    assert_eq!(waited["job"]["state"], "running");
    let told = server.progress();
    assert!(
        told.iter().any(|text| text.contains(", 150 tokens so far")),
        "{told:?}"
    );

    // The worker dies, and what it had counted is not lost with it.
    let worker = hostile::worker_of(&world.job(id.as_str().unwrap()));
    let killed = Command::new("kill")
        .args(["-KILL", &worker.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let fault = server.fault("job", &json!({"id": id, "wait_s": 30}), "job_lost");
    assert_eq!(fault["meta"]["usage"], running["job"]["usage"], "{fault:#}");
    // The next run in the thread counts from there.
    let answer = server.ok("consult", &json!({"prompt": "[[fake:plain]]", "resume": id}));
    assert_eq!(total(&answer["meta"]["usage"]), 150, "{answer:#}");
}

#[test]
fn an_overrun_that_comes_with_the_answer_costs_no_answer() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let call =
        json!({"prompt": "[[fake:plain text=\"Paid for.\" input=5000]]", "options": {"budget_tokens": 1000}});
    let answer = server.ok("consult", &call);
    assert_eq!(answer["answer"], "Paid for.");
    assert_eq!(total(&answer["meta"]["usage"]), 5030);
    let warnings = answer["warnings"].to_string();
    assert!(
        warnings.contains("its budget of 1000 tokens by 4030"),
        "{warnings}"
    );
}

#[test]
fn an_overrun_that_is_seen_before_the_answer_waits_for_it() {
    let world = hostile::world(&format!("open; {}; sleep 0.2; say", counted(7000)));
    let mut server = world.server();
    let call = json!({"prompt": "x", "options": {"isolation": "ignore_config", "budget_tokens": 1000}});
    let answer = server.ok("consult", &call);
    assert_eq!(answer["answer"], "Paid for.");
    assert_eq!(total(&answer["meta"]["usage"]), 7001, "{answer:#}");
}

#[test]
fn a_repair_is_paid_from_the_same_budget() {
    let world = World::new(Scripted::fixed("badjson input=5000")).with_change();
    let mut server = world.server();
    let call = json!({"prompt": "plan", "kind": "review_plan", "options": {"budget_tokens": 1000}});
    let fault = server.fault("consult", &call, "budget_exceeded");
    assert_eq!(world.model.turns().len(), 1, "{fault:#}");
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert!(
        full["result"]["partial"].as_str().unwrap().starts_with("Sure!"),
        "{full:#}"
    );
}

#[test]
fn a_resumed_run_is_charged_with_its_own_tokens_only() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let first = server.ok("consult", &json!({"prompt": "[[fake:plain input=900]]"}));
    // 930 of before and 600 of this run would be too many; 600 are not.
    let call = json!({"prompt": "[[fake:shell n=3 cmd=\"echo hi\"]]", "resume": first["meta"]["thread"],
        "options": {"budget_tokens": 1000}});
    let answer = server.ok("consult", &call);
    assert_eq!(total(&answer["meta"]["usage"]), 600, "{answer:#}");
    assert_eq!(answer["warnings"], json!([]));
}

#[test]
fn a_codex_that_keeps_no_record_is_counted_at_its_end() {
    let world = hostile::world("say");
    let mut server = world.server();
    let mut call = json!({"prompt": "x", "options": {"isolation": "ignore_config"}});
    let answer = server.ok("consult", &call);
    assert_eq!(total(&answer["meta"]["usage"]), 15);
    assert_eq!(answer["warnings"], json!([]), "{answer:#}");
    call["options"]["budget_tokens"] = 1000.into();
    let answer = server.ok("consult", &call);
    assert!(
        answer["warnings"].to_string().contains("told no tokens"),
        "{answer:#}"
    );

    // Its end is early enough to keep a repair from making it worse.
    let done = r#"{"type":"turn.completed","usage":{"input_tokens":5000,"output_tokens":5}}"#;
    let world = hostile::world(&format!("say | sed '$d'; echo '{done}'"));
    let mut server = world.server();
    call["kind"] = "review_plan".into();
    let fault = server.fault("consult", &call, "budget_exceeded");
    assert_eq!(total(&fault["meta"]["usage"]), 5005, "{fault:#}");
    assert_eq!(peers_of(&world.jobs()[0]).len(), 1);
}

#[test]
fn a_silent_codex_that_ignores_signals_is_ended_for_its_tokens() {
    let world = hostile::world(&format!(
        "open; trap '' INT TERM; sleep 1.5; {}; while :; do sleep 1; done",
        counted(7000)
    ));
    let mut server = world.server();
    let call = json!({"prompt": "x", "options": {"isolation": "ignore_config", "budget_tokens": 1000}});
    let fault = server.fault("consult", &call, "budget_exceeded");
    assert_eq!(total(&fault["meta"]["usage"]), 7001);
    let job = world.job(fault["job"]["id"].as_str().unwrap());
    assert!(peers_of(&job).iter().all(|peer| !is_alive(*peer)));
}

#[test]
fn limits_are_the_users_and_a_call_may_only_ask_for_less() {
    let world = World::new(Scripted::well()).with_change();
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\ntimeout_s = 60\nbudget_tokens = 5000\n");
    let mut server = world.server();
    let plan = |options: Value| json!({"tool": "consult", "arguments": {"prompt": "x", "options": options}});
    let shown = server.ok("dry_run", &plan(json!({})));
    assert_eq!(shown["limits"], json!({"timeout_s": 60, "budget_tokens": 5000}));
    assert!(
        shown["summary"].as_str().unwrap().contains("5000 tokens"),
        "{shown:#}"
    );
    let shown = server.ok("dry_run", &plan(json!({"timeout_s": 30, "budget_tokens": 2000})));
    assert_eq!(shown["limits"], json!({"timeout_s": 30, "budget_tokens": 2000}));
    for (field, options) in [
        ("options.timeout_s", json!({"timeout_s": 61})),
        ("options.budget_tokens", json!({"budget_tokens": 5001})),
    ] {
        let fault = server.fault("dry_run", &plan(options.clone()), "policy_denied");
        assert_eq!(fault["error"]["field"], field);
        let fault = server.fault(
            "consult",
            &json!({"prompt": "x", "options": options}),
            "policy_denied",
        );
        assert_eq!(fault["error"]["field"], field);
    }
    let ephemeral = json!({"prompt": "x", "options": {"ephemeral": true}});
    let fault = server.fault("consult", &ephemeral, "invalid_arguments");
    assert_eq!(fault["error"]["field"], "options.ephemeral");
    assert_eq!(world.model.turns().len(), 0);
}
