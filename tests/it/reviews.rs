//! Reviews through the server, the real git and the real codex.

use std::collections::VecDeque;
use std::fs;
use std::sync::Mutex;

use crosscheck::model::{Reply, Script, Turn};
use serde_json::{Value, json};

use crate::support::scripts::Scripted;
use crate::world::{World, claim, review_answer};

#[test]
fn a_review_points_at_the_true_line() {
    let answer = review_answer("fail", &[claim("high", "src/lib.rs", 2, "    a - b")]);
    let world = World::new(Scripted::json(answer)).with_change();
    let review = world.server().ok("review", &json!({}));
    assert!(
        review["summary"]
            .as_str()
            .unwrap()
            .starts_with("Reviewed the working tree (1 file): fail, 1 finding")
    );
    assert_eq!(review["verdict"], "fail");
    assert_eq!(review["review_status"], "completed");
    let finding = &review["findings"][0];
    assert_eq!(
        (&finding["line"], &finding["anchor"], &finding["basis"]),
        (&json!(2), &json!("exact"), &json!("single"))
    );
    assert_eq!(
        review["coverage"]["hunks"],
        json!({"total": 1, "sent": 1, "omitted": 0})
    );
    assert_eq!(review["score"], 60);
    assert!(
        review["meta"]["repo_root"]
            .as_str()
            .unwrap()
            .ends_with(world.work().to_str().unwrap())
    );
    let prompt = world.model.turns()[0].body.to_string();
    assert!(
        prompt.contains("+2|    a - b") && prompt.contains("-2|    a + b"),
        "{prompt}"
    );
}

#[test]
fn a_wrong_line_is_found_again_by_its_code() {
    let answer = review_answer(
        "fail",
        &[
            claim("high", "b/src/lib.rs", 40, "a - b"),
            claim("low", "gone.rs", 1, "nope"),
        ],
    );
    let world = World::new(Scripted::json(answer)).with_change();
    let review = world.server().ok("review", &json!({}));
    let [moved, off] = review["findings"].as_array().unwrap().as_slice() else {
        panic!("{review:#}")
    };
    assert_eq!(
        (&moved["file"], &moved["line"], &moved["anchor"]),
        (&json!("src/lib.rs"), &json!(2), &json!("moved"))
    );
    assert_eq!(
        (&off["anchor"], &off["basis"]),
        (&json!("off_diff"), &json!("claimed"))
    );
}

#[test]
fn every_scope_reviews_what_it_says() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.write("new file.txt", "fresh\n");
    world.write("staged.txt", "staged\n");
    world.git(&["add", "staged.txt"]);
    let mut server = world.server();
    let mut check = |arguments: Value, scope: &str, files: u64| {
        let review = server.ok("review", &arguments);
        assert_eq!(review["target"]["scope"], scope, "{arguments}");
        assert_eq!(
            review["coverage"]["files"], files,
            "{arguments}: {:#}",
            review["coverage"]
        );
        assert_eq!(review["verdict"], "pass", "{arguments}");
    };
    check(json!({}), "working_tree", 3);
    check(
        json!({"scope": "working_tree", "paths": ["src"]}),
        "working_tree",
        1,
    );
    check(json!({"scope": "staged"}), "staged", 1);
    check(
        json!({"scope": "working_tree", "options": {"untracked": "exclude"}, "paths": ["src"]}),
        "working_tree",
        1,
    );
    check(json!({"snippet": "fn main() {}"}), "snippet", 1);
    world.git(&["commit", "-qam", "two"]);
    check(json!({"commit": "HEAD"}), "commit", 2);
    check(json!({"commit": "HEAD~1"}), "commit", 1);
    check(json!({"commit": "HEAD~1..HEAD"}), "range", 2);
    world.git(&["checkout", "-qb", "topic", "HEAD~1"]);
    world.write("topic.txt", "t\n");
    world.git(&["add", "topic.txt"]);
    world.git(&["commit", "-qm", "topic"]);
    check(json!({"scope": "branch", "base": "main"}), "branch", 1);
    check(json!({"base": "main"}), "branch", 1);
    fs::remove_file(world.work().join("new file.txt")).unwrap();
    check(json!({}), "branch", 1);
}

#[test]
fn untracked_files_that_were_excluded_are_no_pass() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.write("new.txt", "fresh\n");
    let review = world
        .server()
        .ok("review", &json!({"options": {"untracked": "exclude"}}));
    assert_eq!(review["coverage"]["status"], "partial");
    assert_eq!(review["verdict"], "unknown");
    assert!(review["summary"].as_str().unwrap().contains("only 1 of 2 hunks"));
}

#[test]
fn a_secret_file_is_withheld_and_a_token_is_masked() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    let token = format!("ghp_{}", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6");
    world.write(".env", "CANARY_IN_ENV=1\n");
    world.write("client.py", format!("TOKEN = '{token}'\nuse(TOKEN)\n"));
    let review = world.server().ok("review", &json!({}));
    let sent = world.model.turns()[0].body.to_string();
    assert!(!sent.contains("CANARY_IN_ENV") && !sent.contains(&token) && sent.contains("use(TOKEN)"));
    assert_eq!(review["coverage"]["redaction"]["withheld"], json!([".env"]));
    assert_eq!(review["coverage"]["redaction"]["masked"], json!(["client.py"]));
    assert_eq!(
        review["coverage"]["omitted"],
        json!([{"path": ".env", "reason": "secret"}])
    );
    assert_eq!(review["verdict"], "unknown", "what was withheld was not reviewed");
    for job in world.jobs() {
        for file in ["prompt.txt", "change.json", "events.jsonl", "result.json"] {
            let text = fs::read_to_string(job.join(file)).unwrap();
            assert!(
                !text.contains(&token) && !text.contains("CANARY_IN_ENV"),
                "{file}"
            );
        }
    }
}

#[test]
fn a_change_of_which_nothing_can_be_shown_is_not_run_and_not_paid() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    world.git(&["init", "-q"]);
    world.git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    world.write("picture.bin", [0u8, 159, 146, 150, 0, 1]);
    world.write(".env", "A=1\n");
    let review = world.server().ok("review", &json!({}));
    assert_eq!(
        (&review["review_status"], &review["verdict"]),
        (&json!("not_run"), &json!("unknown"))
    );
    assert_eq!(
        review["coverage"]["hunks"],
        json!({"total": 2, "sent": 0, "omitted": 2})
    );
    assert!(world.model.turns().is_empty() && world.jobs().is_empty());
}

#[test]
fn an_empty_change_says_where_changes_are() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let fault = server.fault("review", &json!({"scope": "staged"}), "nothing_to_review");
    assert!(fault["error"]["message"].as_str().unwrap().contains("not run"));
    assert_eq!(fault["error"]["repair"]["tool"], "review");
    assert_eq!(fault["error"]["repair"]["arguments"]["scope"], "working_tree");
    let fault = server.fault(
        "review",
        &json!({"paths": ["src", "nope.rs"], "scope": "staged"}),
        "nothing_to_review",
    );
    assert!(
        fault["error"]["message"]
            .as_str()
            .unwrap()
            .ends_with("`paths[1]` does not exist here"),
        "{fault:#}"
    );
    world.git(&["checkout", "-q", "--", "."]);
    server.fault("review", &json!({"scope": "working_tree"}), "nothing_to_review");
    assert!(world.model.turns().is_empty());
}

#[test]
fn subdirectories_and_linked_worktrees_are_fine() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    let mut server = world.server();
    let inner = world.work().join("src");
    let review = server.ok(
        "review",
        &json!({"workspace": inner.to_str().unwrap(), "paths": ["lib.rs"]}),
    );
    assert_eq!(review["coverage"]["files"], 1);
    let linked = world.home.private().join("linked");
    world.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "-b", "side"]);
    fs::write(linked.join("side.txt"), "s\n").unwrap();
    let review = server.ok("review", &json!({"workspace": linked.to_str().unwrap()}));
    assert_eq!(
        (&review["target"]["scope"], &review["coverage"]["files"]),
        (&json!("working_tree"), &json!(1))
    );
    let porcelain = world.git(&["worktree", "list"]);
    assert_eq!(
        porcelain.lines().count(),
        2,
        "no worktree of ours is registered: {porcelain}"
    );
}

#[test]
fn odd_content_is_reviewed() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    world.git(&["init", "-q"]);
    world.write("crlf.txt", "one\r\ntwo\r\n");
    world.write("latin.txt", b"caf\xe9\n");
    world.write("bare.txt", "no newline");
    world.write("deep/a b \"q\".txt", "x\n");
    let mut server = world.server();
    let review = server.ok("review", &json!({"scope": "working_tree"}));
    assert_eq!(
        review["coverage"]["status"], "complete",
        "an unborn HEAD is compared with nothing: {review:#}"
    );
    assert_eq!(review["coverage"]["files"], 4);
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    world.write("crlf.txt", "one\r\n2\r\n");
    world.write("latin.txt", b"caf\xe8\n");
    let review = server.ok("review", &json!({}));
    assert_eq!(review["coverage"]["files"], 2);
    assert_eq!(review["verdict"], "pass");
}

#[test]
fn a_file_of_a_hundred_megabytes_is_listed_and_not_read() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    let big = fs::File::create(world.work().join("big.log")).unwrap();
    big.set_len(100 * 1024 * 1024).unwrap();
    let review = world.server().ok("review", &json!({}));
    let omitted = review["coverage"]["omitted"].to_string();
    assert!(omitted.contains("big.log"), "{omitted}");
    assert_eq!(review["verdict"], "unknown");
}

#[test]
fn a_change_that_fits_no_prompt_is_refused_with_a_call_that_works() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nreview_parts = 1\n");
    let line = "let value = compute(value, 12345);\n";
    world.write("small.rs", line.repeat(10));
    world.write("large.rs", "x\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "two"]);
    world.write("small.rs", line.repeat(20));
    world.write("large.rs", line.repeat(40_000));
    let mut server = world.server();
    let fault = server.fault("review", &json!({"scope": "working_tree"}), "input_too_large");
    assert!(
        fault["error"]["repair"]["hint"]
            .as_str()
            .unwrap()
            .contains("large.rs"),
        "{fault:#}"
    );
    assert!(world.model.turns().is_empty());
    let needs = &fault["error"]["needs"];
    assert_eq!(
        (&needs["parts"], &needs["unasked"]),
        (&json!(2), &json!(1)),
        "{fault:#}"
    );
    let whole = &fault["error"]["repair"]["also"][0];
    assert_eq!(
        (&whole["tool"], &whole["arguments"]["options"]),
        (&json!("review"), &json!({"max_parts": 2}))
    );
    let planned = server.ok(
        "dry_run",
        &json!({"tool": "review", "arguments": whole["arguments"]}),
    );
    assert_eq!(planned["plan"]["parts"], 2, "{planned:#}");
    let narrower = fault["error"]["repair"]["arguments"].clone();
    let review = server.ok("review", &narrower);
    assert_eq!(review["target"]["paths"], json!(["small.rs"]));
}

#[test]
fn a_dry_run_is_the_review_without_the_price() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    let mut server = world.server();
    let dry = server.ok(
        "dry_run",
        &json!({"tool": "review", "arguments": {"focus": "operators"}}),
    );
    assert!(world.model.turns().is_empty() && world.jobs().is_empty());
    let review = server.ok("review", &json!({"focus": "operators"}));
    assert_eq!(dry["coverage"], review["coverage"]);
    assert_eq!(dry["target"], review["target"]);
    let full = server.ok("job", &json!({"id": review["job"]["id"], "detail": "full"}));
    assert_eq!(dry["would_send"]["prompt_bytes"], full["egress"]["prompt_bytes"]);
    let arguments = dry["would_run"]["arguments"].to_string();
    assert!(arguments.contains("read-only") && arguments.contains("--ignore-rules"));
    let diff = server.ok("job", &json!({"id": review["job"]["id"], "detail": "diff"}));
    assert!(diff["diff"].as_str().unwrap().contains("+2|    a - b"));
}

#[test]
fn a_review_leaves_no_trace_in_the_repository() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.write("new.txt", "fresh\n");
    let before = world.git(&["status", "--porcelain=v2", "--branch"]);
    let index = fs::read(world.work().join(".git/index")).unwrap();
    world.server().ok("review", &json!({}));
    assert_eq!(world.git(&["status", "--porcelain=v2", "--branch"]), before);
    assert_eq!(fs::read(world.work().join(".git/index")).unwrap(), index);
    let scratch = world.home.state().join("scratch");
    assert_eq!(
        fs::read_dir(scratch).unwrap().count(),
        0,
        "the private git directory is gone"
    );
}

/// A model that gives one answer after the other.
struct InTurn(Mutex<VecDeque<Value>>);

impl Script for InTurn {
    fn reply(&self, turn: &Turn) -> Reply {
        let next = self.0.lock().unwrap().pop_front().expect("another answer");
        Scripted::json(next).reply(turn)
    }
}

#[test]
fn a_review_that_goes_on_says_what_became_of_each_finding() {
    let wrong = claim("high", "src/lib.rs", 2, "    a - b");
    let other = claim("medium", "src/new.rs", 1, "pub fn half(a: i32) -> i32 { a / 3 }");
    let later = claim("low", "src/lib.rs", 3, "    a.wrapping_add(b)");
    let answers = [
        review_answer("fail", &[wrong, other.clone()]),
        review_answer("concerns", &[later.clone(), other]),
    ];
    let world = World::new(InTurn(Mutex::new(answers.into()))).with_change();
    world.write("src/new.rs", "pub fn half(a: i32) -> i32 { a / 3 }\n");
    let mut server = world.server();
    // One look each: the model of this test answers looks alone.
    let first = server.ok("review", &json!({"depth": "quick"}));
    assert!(first.get("since").is_none(), "{first:#}");

    let text = fs::read_to_string(world.work().join("src/lib.rs")).unwrap();
    world.write(
        "src/lib.rs",
        text.replace("    a - b", "    // twos' complement\n    a.wrapping_add(b)"),
    );
    let second = server.ok("review", &json!({"resume": first["job"]["id"], "depth": "quick"}));
    let since = &second["since"];
    assert_eq!(since["job"], first["job"]["id"], "{second:#}");
    assert_eq!(since["fixed"][0]["evidence"], "    a - b", "{since:#}");
    assert_eq!(since["open"], json!([first["findings"][1]["id"]]), "{since:#}");
    assert_eq!(since["new"].as_array().unwrap().len(), 1, "{since:#}");
    let summary = second["summary"].as_str().unwrap();
    assert!(summary.contains("1 fixed, 1 still open, 1 new"), "{summary}");

    // Nothing was changed since: nobody is asked again, and what was open is still open.
    let third = server.ok("review", &json!({"resume": second["job"]["id"]}));
    assert!(third.get("job").is_none(), "{third:#}");
    let since = &third["since"];
    assert_eq!(since["open"].as_array().unwrap().len(), 2, "{since:#}");
    assert_eq!(third["findings"].as_array().unwrap().len(), 2, "{third:#}");
}
