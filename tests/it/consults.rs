//! Consults through the server and the real codex.

use serde_json::{Value, json};

use crate::support::scripts::Scripted;
use crate::world::World;

#[test]
fn a_question_is_answered_in_a_thread_that_can_be_continued() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let first = server.ok(
        "consult",
        &json!({"prompt": "Is this right? [[fake:plain text=\"Yes.\"]]"}),
    );
    assert_eq!(first["answer"], "Yes.");
    assert_eq!(first["job"]["state"], "succeeded");
    assert_eq!(first["meta"]["sandbox"], "read-only");
    assert_eq!(first["meta"]["usage"]["input"], 120);
    let told = server.progress();
    assert!(
        told.iter().any(|phase| phase == "thinking") && told.iter().any(|phase| phase == "answering"),
        "{told:?}"
    );

    let again = json!({"prompt": "And now? [[fake:plain text=\"Still.\"]]", "resume": first["job"]["id"]});
    let second = server.ok("consult", &again);
    assert_eq!(second["answer"], "Still.");
    assert_eq!(second["meta"]["thread"], first["meta"]["thread"]);
    // codex counts per thread (240 by now); what is told is this run's own.
    assert_eq!(
        second["meta"]["usage"]["input"], 120,
        "usage_is_of_this_run_alone"
    );

    let by_thread = json!({"prompt": "[[fake:plain text=\"Third.\"]]", "resume": first["meta"]["thread"]});
    let third = server.ok("consult", &by_thread);
    assert_eq!(third["meta"]["usage"]["input"], 120);
}

#[test]
fn the_question_arrives_whole_and_as_it_is() {
    let world = World::new(Scripted::well()).with_change();
    let prompt = "--help `$(touch x)` ${HOME} 'quotes\" \\back\\slashes don't 日本語 \u{1F600}\nreview\n";
    world.server().ok(
        "consult",
        &json!({"prompt": prompt, "context": "I think `a < b`."}),
    );
    let turns = world.model.turns();
    let sent = turns[0].body.to_string();
    let needle = serde_json::to_string(prompt.trim_end()).unwrap();
    assert!(sent.contains(needle.trim_matches('"')), "{sent}");
    assert!(sent.contains("I think `a < b`."));
    assert!(!world.work().join("x").exists());
}

#[test]
fn files_are_sent_with_their_names_and_secrets_are_not() {
    let world = World::new(Scripted::well()).with_change();
    let token = format!("ghp_{}", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6");
    world.write(".env", "CANARY=1\n");
    world.write("notes.md", format!("token: {token}\nmarker-in-notes\n"));
    let mut server = world.server();
    let answer = server.ok(
        "consult",
        &json!({"prompt": "Read. ", "files": ["src/lib.rs", ".env", "notes.md"]}),
    );
    let sent = world.model.turns()[0].body.to_string();
    assert!(sent.contains("a - b") && sent.contains("marker-in-notes"));
    assert!(!sent.contains("CANARY=1") && !sent.contains(&token));
    assert!(answer["warnings"].to_string().contains(".env"), "{answer:#}");
    let full = server.ok("job", &json!({"id": "latest", "detail": "full"}));
    assert_eq!(full["egress"]["withheld"], json!([".env"]));
    assert_eq!(full["egress"]["masked"], 1);
    assert!(
        !std::fs::read_to_string(world.jobs()[0].join("prompt.txt"))
            .unwrap()
            .contains(&token)
    );
}

#[test]
fn a_plan_review_is_a_structured_report() {
    let report = json!({"answer": "Mind the order.", "missing_tasks": ["backup"], "dependency_issues": [],
        "parallelization": ["1 and 2"], "test_gaps": ["restore"], "risks": ["loss"], "splits": [], "questions": ["when?"],
        "assumptions": []});
    let world = World::new(Scripted::json(report)).with_change();
    let answer = world.server().ok(
        "consult",
        &json!({"prompt": "1. migrate 2. deploy", "kind": "review_plan"}),
    );
    assert_eq!(answer["report"]["missing_tasks"], json!(["backup"]));
    assert_eq!(answer["answer"], "Mind the order.");
    assert_eq!(answer["questions"], json!(["when?"]));
    let schema = &world.model.turns()[0].body["text"]["format"];
    assert_eq!(schema["type"], "json_schema");
}

#[test]
fn code_comes_in_blocks_with_its_language() {
    let code = json!({"answer": "Here.", "code": [{"language": "rust", "path": "src/x.rs", "text": "fn x() {}\n"}],
        "questions": [], "assumptions": []});
    let world = World::new(Scripted::json(code)).with_change();
    let answer = world
        .server()
        .ok("consult", &json!({"prompt": "a function", "kind": "write_code"}));
    assert_eq!(
        answer["code"],
        json!([{"language": "rust", "path": "src/x.rs", "text": "fn x() {}\n"}])
    );
}

#[test]
fn an_answer_that_misses_the_schema_is_repaired_once_in_the_same_thread() {
    let world = World::new(Scripted::fixed("badjson then=good")).with_change();
    let answer = world
        .server()
        .ok("consult", &json!({"prompt": "plan", "kind": "review_plan"}));
    assert!(answer["warnings"].to_string().contains("repaired"), "{answer:#}");
    let turns = world.model.turns();
    assert_eq!(turns.len(), 2);
    assert_eq!(
        turns[0].body["prompt_cache_key"],
        turns[1].body["prompt_cache_key"]
    );
    assert_eq!(answer["meta"]["usage"]["input"], 240, "both turns were paid");
}

#[test]
fn an_answer_that_stays_unreadable_is_kept() {
    let world = World::new(Scripted::fixed("badjson")).with_change();
    let mut server = world.server();
    let fault = server.fault(
        "consult",
        &json!({"prompt": "plan", "kind": "review_plan"}),
        "peer_bad_output",
    );
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert!(
        full["result"]["partial"]
            .as_str()
            .is_some_and(|text| text.contains("Sure!")),
        "{full:#}"
    );
}

#[test]
fn a_long_answer_fits_an_envelope_and_is_whole_on_disk() {
    let world = World::new(Scripted::fixed("huge bytes=300000")).with_change();
    let mut server = world.server();
    let id = server.start_call("consult", &json!({"prompt": "long"}));
    let answer = server.answer(id);
    assert!(
        answer.to_string().len() < 48 * 1024,
        "{} bytes",
        answer.to_string().len()
    );
    let envelope = &answer["result"]["structuredContent"];
    assert_eq!(envelope["truncated"]["whole"], 300_000);
    let file = envelope["truncated"]["file"].as_str().unwrap();
    assert_eq!(std::fs::read(file).unwrap().len(), 300_000);
}

#[test]
fn a_small_answer_costs_little_context() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let answer = server.ok("consult", &json!({"prompt": "[[fake:plain text=\"ok\"]]"}));
    let bytes = answer.to_string().len();
    assert!(bytes < 1200 + "ok".len(), "{bytes} bytes: {answer}");
}

#[test]
fn an_ephemeral_run_keeps_no_thread() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let answer = server.ok("consult", &json!({"prompt": "x", "options": {"ephemeral": true}}));
    assert_eq!(answer["meta"]["thread"], Value::Null);
    let fault = server.fault(
        "consult",
        &json!({"prompt": "x", "resume": answer["job"]["id"]}),
        "invalid_arguments",
    );
    assert_eq!(fault["error"]["field"], "resume");
}

#[test]
fn a_folder_of_everything_is_never_read() {
    let world = World::new(Scripted::well());
    let mut server = world.server();
    let home = world.home.home().display().to_string();
    let answer = server.ok("consult", &json!({"prompt": "x", "workspace": home}));
    assert!(
        answer["warnings"].to_string().contains("empty folder"),
        "{answer:#}"
    );
    server.fault(
        "consult",
        &json!({"prompt": "x", "workspace": "/", "files": ["etc/passwd"]}),
        "dangerous_root",
    );
    server.fault("review", &json!({"workspace": home}), "dangerous_root");
}
