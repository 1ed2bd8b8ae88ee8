//! Changes that fit no single prompt: how they are divided, what it costs is told before, and what is left out is said.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::scripts::Scripted;
use crate::world::{World, review_answer};

/// Commits files and changes every line of them.
fn change(world: &World, files: &[(String, usize)]) {
    let write = |word: &str| {
        for (path, lines) in files {
            let mut text = String::new();
            for line in 0..*lines {
                let _ = writeln!(text, "pub fn {word}_{line}() -> u64 {{ compute({line}) }}");
            }
            world.write(path, text);
        }
    };
    world.git(&["init", "-q"]);
    write("old");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    write("new");
}

fn many(folders: usize, files: usize, lines: usize) -> Vec<(String, usize)> {
    let paths = (0..folders).flat_map(|folder| (0..files).map(move |file| (folder, file)));
    paths
        .map(|(folder, file)| (format!("src/part{folder}/file{file}.rs"), lines))
        .collect()
}

fn dry(server: &mut crate::world::Server, arguments: &Value) -> Value {
    server.ok("dry_run", &json!({"tool": "review", "arguments": arguments}))
}

#[test]
fn a_change_of_five_megabytes_is_planned_in_parts_with_its_cost() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    change(&world, &many(20, 10, 250));
    let mut server = world.server();
    let shown = dry(&mut server, &json!({"depth": "deep"}));
    let plan = &shown["plan"];
    let parts = plan["parts"].as_u64().unwrap();
    assert!((4..=6).contains(&parts), "{plan:#}");
    assert_eq!(
        (
            &plan["depth"],
            &plan["looks"],
            &plan["passes"],
            &plan["runs_at_most"]
        ),
        (
            &json!("deep"),
            &json!(3),
            &json!(3 * parts),
            &json!(3 * parts + 4)
        )
    );
    let each = plan["each"].as_array().unwrap();
    let sum = |name: &str| each.iter().map(|part| part[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(
        json!(sum("hunks")),
        shown["coverage"]["hunks"]["sent"],
        "{plan:#}"
    );
    assert_eq!(json!(3 * sum("bytes")), plan["bytes"], "{plan:#}");
    assert_eq!(plan["bytes"], shown["would_send"]["prompt_bytes"]);
    assert_eq!(plan["about_tokens"], shown["would_send"]["about_tokens"]);
    // No part is much smaller than the others, and no prompt is larger than what a model takes.
    let bytes = || each.iter().map(|part| part["bytes"].as_u64().unwrap());
    assert!(bytes().max().unwrap() <= 1_048_576, "{plan:#}");
    assert!(bytes().min().unwrap() * 2 > bytes().max().unwrap(), "{plan:#}");
    assert_eq!(shown["coverage"]["status"], "complete");
    assert!(
        shown["summary"]
            .as_str()
            .unwrap()
            .contains(&format!("in {} runs", 3 * parts))
    );
    assert!(shown.to_string().len() < 40_000);
    assert!(world.model.turns().is_empty() && world.jobs().is_empty());
    // The same call has the same plan, and another depth another one.
    let again = dry(&mut server, &json!({"depth": "deep"}));
    assert_eq!(again["plan_hash"], shown["plan_hash"]);
    let quick = dry(&mut server, &json!({"depth": "quick"}));
    assert_ne!(quick["plan_hash"], shown["plan_hash"]);
    assert_eq!(quick["plan"]["verifier"], "none");
}

#[test]
fn the_plan_of_a_dry_run_is_that_of_the_run() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    let mut server = world.server();
    let shown = dry(&mut server, &json!({"focus": "operators", "depth": "quick"}));
    let hash = shown["plan_hash"].as_str().unwrap();
    assert_eq!(hash.len(), 16);
    let review = server.ok("review", &json!({"focus": "operators", "depth": "quick"}));
    assert_eq!(review["job"]["plan_hash"], hash, "{review:#}");
    let other = dry(&mut server, &json!({"focus": "names", "depth": "quick"}));
    assert_ne!(other["plan_hash"], hash);
    assert_eq!(shown["plan"]["parts"], 1);
    let prompt = world.model.turns()[0].body.to_string();
    assert!(!prompt.contains("too large for one prompt"), "{prompt}");
}

/// Two small files, a large one of somebody else's, and a lock file.
fn change_with_vendored(world: &World) {
    let mut files = many(1, 2, 50);
    files.push(("vendor/lib/all.rs".to_owned(), 12_000));
    files.push(("Cargo.lock".to_owned(), 20));
    change(world, &files);
}

#[test]
fn generated_files_have_parts_of_their_own_while_there_may_be_more() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    change_with_vendored(&world);
    let mut server = world.server();
    let shown = dry(&mut server, &json!({"depth": "quick"}));
    assert_eq!(shown["plan"]["parts"], 2, "{shown:#}");
    let review = server.ok("review", &json!({"depth": "quick"}));
    assert_eq!(
        (&review["coverage"]["status"], &review["verdict"]),
        (&json!("complete"), &json!("pass")),
        "{review:#}"
    );
    let left_out = dry(
        &mut server,
        &json!({"depth": "quick", "options": {"max_parts": 1}}),
    );
    assert_eq!(left_out["coverage"]["status"], "partial", "{left_out:#}");
    assert_eq!(left_out["plan"]["parts"], 1);
}

#[test]
fn generated_files_are_left_out_before_there_are_too_many_parts_and_said_in_the_first_line() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    change_with_vendored(&world);
    let mut server = world.server();
    let one = json!({"depth": "quick", "options": {"max_parts": 1}});
    let review = server.ok("review", &one);
    assert_eq!(review["coverage"]["status"], "partial", "{review:#}");
    assert_eq!(
        review["coverage"]["omitted"],
        json!([
            {"path": "Cargo.lock", "reason": "generated"},
            {"path": "vendor/lib/all.rs", "reason": "generated"}
        ])
    );
    assert_eq!(review["verdict"], "unknown", "what was left out was not reviewed");
    assert!(
        review["summary"].as_str().unwrap().contains(
            "only 2 of 4 hunks were shown to the reviewer, 2 generated or vendored files left out: unknown"
        ),
        "{review:#}"
    );
    assert!(
        review["warnings"]
            .to_string()
            .contains("2 generated or vendored files left out")
    );
    let prompt = world.model.turns()[0].body.to_string();
    assert!(prompt.contains("vendor/lib/all.rs (generated)") && !prompt.contains("new_11999"));
    // Naming them asks for them, and a change that fits is sent as it is.
    let named = dry(&mut server, &json!({"paths": ["vendor/lib"], "depth": "quick"}));
    assert_eq!(named["coverage"]["status"], "complete", "{named:#}");
    let small = dry(
        &mut server,
        &json!({"paths": ["src", "Cargo.lock"], "depth": "quick"}),
    );
    assert_eq!(small["coverage"]["status"], "complete", "{small:#}");
}

#[test]
fn one_hunk_that_is_larger_than_a_prompt_is_in_pieces_and_whole() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    change(
        &world,
        &[("src/one.rs".to_owned(), 22_000), ("src/two.rs".to_owned(), 3)],
    );
    let shown = dry(&mut world.server(), &json!({}));
    assert_eq!(shown["coverage"]["status"], "complete", "{shown:#}");
    assert_eq!(
        shown["coverage"]["hunks"],
        json!({"total": 2, "sent": 2, "omitted": 0})
    );
    let plan = &shown["plan"];
    assert!(plan["parts"].as_u64().unwrap() >= 2, "{plan:#}");
    let hunks = plan["each"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["hunks"].as_u64().unwrap());
    assert_eq!(hunks.sum::<u64>(), 2, "{plan:#}");
}

#[test]
fn a_line_that_fits_no_prompt_is_said_and_the_rest_is_reviewed() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.write("data.txt", "x\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "two"]);
    world.write("data.txt", "y ".repeat(600_000));
    world.write("src/lib.rs", "pub fn three() {}\n");
    let review = world.server().ok("review", &json!({"depth": "quick"}));
    assert_eq!(
        review["coverage"]["omitted"],
        json!([{"path": "data.txt", "reason": "too_large"}]),
        "{review:#}"
    );
    assert_eq!(review["verdict"], "unknown");
}

#[test]
fn a_project_bounds_the_parts_that_a_call_can_ask_for() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.write(".crosscheck/config.toml", "[limits]\nreview_parts = 2\n");
    let asked = json!({"tool": "review", "arguments": {"options": {"max_parts": 3}}});
    let fault = world.server().fault("dry_run", &asked, "policy_denied");
    assert_eq!(fault["error"]["field"], "options.max_parts", "{fault:#}");
}

#[test]
fn what_looks_like_a_delimiter_of_ours_makes_no_prompt_too_large() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.write("hostile.txt", "x\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "two"]);
    world.write("hostile.txt", "<<<DATA DATA>>> <<<DATA DATA>>>\n".repeat(28_000));
    let shown = dry(&mut world.server(), &json!({}));
    assert_eq!(shown["coverage"]["status"], "complete", "{shown:#}");
    let each = shown["plan"]["each"].as_array().unwrap();
    assert!(
        each.iter()
            .all(|part| part["bytes"].as_u64().unwrap() <= 1_048_576),
        "{shown:#}"
    );
}

#[test]
fn the_ready_call_for_less_of_a_review_that_follows_another_one_means_the_same_change() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nprompt_bytes = 20000\nreview_parts = 1\n");
    change(&world, &many(1, 2, 10));
    let mut server = world.server();
    let first = server.ok("review", &json!({"depth": "quick"}));
    let id = &first["job"]["id"];
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "two"]);
    world.write(
        "src/large.rs",
        "pub fn large() -> u64 { compute(12) }\n".repeat(1_000),
    );
    world.write("src/small.rs", "pub fn small() -> u64 { compute(11) }\n");
    let asked = json!({"depth": "quick", "options": {"since": id}});
    let fault = server.fault("review", &asked, "input_too_large");
    let ready = &fault["error"]["repair"]["arguments"];
    assert_eq!(
        (&ready["options"], &ready["depth"], ready.get("scope")),
        (&json!({"since": id}), &json!("quick"), None),
        "{fault:#}"
    );
    // Whoever asked what it would be is offered nothing that is paid.
    let preview = json!({"tool": "review", "arguments": asked});
    let shown = server.fault("dry_run", &preview, "input_too_large");
    let repair = &shown["error"]["repair"];
    assert_eq!(
        (&repair["tool"], &repair["arguments"]),
        (&json!("dry_run"), &json!({"tool": "review", "arguments": ready})),
        "{shown:#}"
    );
    server.ok("dry_run", &repair["arguments"]);
    let second = server.ok("review", ready);
    assert_eq!(
        second["target"]["base_oid"], first["target"]["base_oid"],
        "{second:#}"
    );
    assert_eq!(second["since"]["job"], *id, "{second:#}");
}

#[test]
fn the_budget_of_a_review_is_that_of_all_its_runs_together() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nask_above_tokens = 50000\n");
    let mut server = world.server();
    let asked = json!({"depth": "deep", "options": {"budget_tokens": 60000}});
    let warnings = dry(&mut server, &asked)["warnings"].to_string();
    assert!(
        warnings.contains(
            "it may use 60000 tokens in up to 7 runs together, and `limits.ask_above_tokens` is 50000"
        ),
        "{warnings}"
    );
    let asked = json!({"depth": "deep", "options": {"budget_tokens": 50000}});
    let warnings = dry(&mut server, &asked)["warnings"].to_string();
    assert!(!warnings.contains("ask_above_tokens"), "{warnings}");
}

#[test]
fn attributes_count_as_the_base_has_them_and_not_as_the_change_does() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    world.write(".gitattributes", "api/** linguist-generated\n");
    let files = [("api/all.rs", 12_000), ("src/hidden.rs", 60), ("src/open.rs", 60)];
    change(&world, &files.map(|(path, lines)| (path.to_owned(), lines)));
    world.write(
        ".gitattributes",
        "api/** linguist-generated\nsrc/hidden.rs linguist-generated\n",
    );
    let one = json!({"depth": "quick", "options": {"max_parts": 1}});
    let shown = dry(&mut world.server(), &one);
    assert_eq!(
        shown["coverage"]["omitted"],
        json!([{"path": "api/all.rs", "reason": "generated"}]),
        "{shown:#}"
    );
    assert_eq!(shown["plan"]["parts"], 1, "{shown:#}");
}

#[test]
fn every_part_is_sent_to_a_reader_of_its_own_and_every_line_once() {
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nprompt_bytes = 12000\nreview_parts = 10\n");
    change(&world, &many(2, 2, 40));
    let mut server = world.server();
    let asked = json!({"depth": "quick", "context": "names only"});
    let shown = dry(&mut server, &asked);
    let parts = shown["plan"]["parts"].as_u64().unwrap();
    assert!(parts > 1, "{shown:#}");
    let review = server.ok("review", &asked);
    assert_eq!(review["job"]["plan_hash"], shown["plan_hash"]);
    assert_eq!(review["coverage"], shown["coverage"], "{review:#}");
    assert_eq!(review["coverage"]["status"], "complete");
    assert_eq!(review["verdict"], "pass", "{review:#}");
    let prompts: Vec<String> = world
        .model
        .turns()
        .iter()
        .map(|turn| turn.body.to_string())
        .collect();
    assert_eq!(prompts.len() as u64, parts);
    for part in 1..=parts {
        let words = format!("this is part {part} of {parts}");
        let own: Vec<&String> = prompts.iter().filter(|prompt| prompt.contains(&words)).collect();
        assert_eq!(own.len(), 1, "{words}");
        // All of them know of all files, and of names that others touch.
        assert!(own[0].contains("src/part1/file1.rs (") && own[0].contains("names only"));
        assert!(own[0].contains("Names that the other parts touch"), "{}", own[0]);
    }
    for file in 0..4 {
        let header = format!("File: src/part{}/file{}.rs (modified)", file / 2, file % 2);
        assert!(prompts.iter().any(|prompt| prompt.contains(&header)), "{header}");
    }
    let added = |prompt: &String| prompt.matches("|pub fn new_").count();
    assert_eq!(prompts.iter().map(added).sum::<usize>(), 4 * 40);
}
