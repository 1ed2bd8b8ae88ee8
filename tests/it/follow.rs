//! Reviews that follow another one, and what a person decided about findings, with the real git and the real codex.

use std::collections::VecDeque;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crosscheck::model::{Reply, Script, Turn};
use serde_json::{Value, json};

use crate::making::job;
use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, Server, World, claim, review_answer};

/// A model that gives one answer after the other.
struct InTurn(Mutex<VecDeque<Value>>);

impl Script for InTurn {
    fn reply(&self, turn: &Turn) -> Reply {
        let next = self.0.lock().unwrap().pop_front().expect("another answer");
        Scripted::json(next).reply(turn)
    }
}

fn in_turn<const N: usize>(answers: [Value; N]) -> World {
    World::new(InTurn(Mutex::new(answers.into())))
}

fn titled(title: &str, severity: &str, file: &str, line: u32, evidence: &str) -> Value {
    let mut claim = claim(severity, file, line, evidence);
    claim["title"] = title.into();
    claim
}

/// Runs a command of the terminal in the project and returns its envelope.
fn terminal(world: &World, words: &[&str]) -> Value {
    let mut command = world.home.command(PROGRAM);
    command.args(words).arg("--json").current_dir(world.work());
    let finished = finish(command, "");
    serde_json::from_str(finished.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

/// A repository with one commit of three files, each of which got a line.
fn with_three(world: World) -> World {
    world.git(&["init", "-q"]);
    for name in ["a", "b", "c"] {
        world.write(&format!("src/{name}.rs"), format!("fn first_of_{name}() {{}}\n"));
    }
    world.git(&["add", "."]);
    world.git(&["commit", "-q", "-m", "one"]);
    for name in ["a", "b", "c"] {
        world.write(
            &format!("src/{name}.rs"),
            format!("fn first_of_{name}() {{}}\nfn broken_of_{name}() {{ unwrap_it() }}\n"),
        );
    }
    world
}

const QUICK: &str = "quick";

/// A model that finds the same each time, confirms it when it is asked first, and refutes it from then on.
struct Doubting {
    found: Value,
    checks: AtomicUsize,
}

impl Script for Doubting {
    fn reply(&self, turn: &Turn) -> Reply {
        let prompt = turn.last_user_text();
        let is_check = turn
            .schema()
            .is_some_and(|schema| schema["properties"].get("verdicts").is_some());
        if !is_check {
            return Reply::text(self.found.to_string());
        }
        let verdict = match self.checks.fetch_add(1, Ordering::SeqCst) {
            0 => "confirmed",
            _ => "refuted",
        };
        let listed = prompt.lines().filter(|line| line.starts_with("{\"id\""));
        let verdicts: Vec<Value> = listed
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|finding| {
                json!({"id": finding["id"], "verdict": verdict, "reason": "The caller checks it.",
                    "command": null, "in_base": false})
            })
            .collect();
        Reply::text(json!({ "verdicts": verdicts }).to_string())
    }
}

#[test]
fn a_finding_that_was_open_and_is_refuted_is_told_with_its_reason_in_every_form() {
    let wrong = claim("high", "src/lib.rs", 2, "    a - b");
    let world = World::new(Doubting {
        found: review_answer("fail", &[wrong]),
        checks: AtomicUsize::new(0),
    })
    .with_change();
    let mut server = world.server();
    let first = server.ok("review", &json!({}));
    let (job, finding) = (&first["job"]["id"], &first["findings"][0]["id"]);
    assert_eq!(first["findings"][0]["basis"], "verified", "{first:#}");

    let second = server.ok("review", &json!({"resume": job, "focus": "correctness"}));
    assert_eq!(second["findings"], json!([]), "{second:#}");
    let since = &second["since"];
    assert_eq!(
        (&since["refuted"][0]["id"], &since["refuted"][0]["reason"]),
        (finding, &json!("The caller checks it.")),
        "{since:#}"
    );
    for other in ["fixed", "open", "new", "unmentioned", "gone"] {
        assert_eq!(since[other], json!([]), "{other}: {since:#}");
    }
    let summary = second["summary"].as_str().unwrap();
    assert!(
        summary.ends_with(&format!("Since {}: 1 refuted.", job.as_str().unwrap())),
        "{summary}"
    );
    let id = second["job"]["id"].as_str().unwrap();
    for (form, said) in [
        ("text", "open before, and refuted:"),
        ("markdown", "Open in the review before, and refuted"),
        ("html", "Open in the review before, and refuted"),
        ("sarif", "Refuted: Wrong operator"),
    ] {
        let mut command = world.home.command(PROGRAM);
        command
            .args(["report", id, "--format", form])
            .current_dir(world.work());
        let told = finish(command, "").stdout;
        assert!(
            told.contains(said) && told.contains("The caller checks it."),
            "{form}: {told}"
        );
    }
    // What does not hold is not followed on.
    let third = server.ok("review", &json!({"options": {"since": id}}));
    assert_eq!(third["since"]["refuted"], json!([]), "{third:#}");
    assert!(third.get("job").is_none(), "{third:#}");
}

#[test]
fn of_a_change_that_was_reviewed_only_what_is_new_is_sent_and_the_rest_is_carried_on() {
    let broken = |name: &str| {
        let file = format!("src/{name}.rs");
        let code = format!("fn broken_of_{name}() {{ unwrap_it() }}");
        titled(&format!("Panics in {name}"), "high", &file, 2, &code)
    };
    let world = with_three(in_turn([
        review_answer("fail", &[broken("a"), broken("b"), broken("c")]),
        review_answer(
            "concerns",
            &[titled(
                "Loses the error",
                "medium",
                "src/a.rs",
                3,
                "fn mended_of_a() { ignore(try_it()) }",
            )],
        ),
    ]));
    let mut server = world.server();
    let first = server.ok("review", &json!({"depth": QUICK}));
    let id = first["job"]["id"].as_str().unwrap();
    world.write(
        "src/a.rs",
        "// moved down\nfn first_of_a() {}\nfn mended_of_a() { ignore(try_it()) }\n",
    );
    world.write(
        "src/b.rs",
        "fn first_of_b() {}\nfn mended_of_b() -> Result<(), Error> { try_it() }\n",
    );

    let second = server.ok("review", &json!({"depth": QUICK, "options": {"since": id}}));
    let since = &second["since"];
    assert_eq!(since["fixed"].as_array().unwrap().len(), 2, "{since:#}");
    assert_eq!(since["open"], json!([first["findings"][2]["id"]]), "{since:#}");
    assert_eq!(since["new"].as_array().unwrap().len(), 1, "{since:#}");
    assert_eq!(
        second["coverage"]["hunks"],
        json!({"total": 3, "sent": 2, "omitted": 0, "reviewed_before": 1})
    );
    assert_eq!(second["coverage"]["status"], "complete");
    assert_eq!(second["verdict"], "fail", "what is carried on counts: {second:#}");
    let summary = second["summary"].as_str().unwrap();
    assert!(
        summary.contains("2 of 3 hunks new") && summary.contains("2 fixed, 1 still open, 1 new"),
        "{summary}"
    );
    let turns = world.model.turns();
    assert_eq!(turns.len(), 2);
    let prompt = turns[1].body.to_string();
    assert!(prompt.contains("fn mended_of_a()"), "{prompt}");
    assert!(!prompt.contains("fn broken_of_c()"), "{prompt}");
    assert!(
        prompt.contains("1 hunk in 1 file were reviewed before"),
        "{prompt}"
    );

    // Nothing changed: the answer is free, there is no run, and what is open is told.
    let next = second["job"]["id"].as_str().unwrap();
    let third = server.ok("review", &json!({"depth": QUICK, "options": {"since": next}}));
    assert!(third.get("job").is_none(), "{third:#}");
    assert_eq!(world.model.turns().len(), 2);
    assert_eq!(third["findings"].as_array().unwrap().len(), 2, "{third:#}");
    assert_eq!(third["verdict"], "fail");
    assert_eq!(
        third["coverage"]["hunks"],
        json!({"total": 3, "sent": 0, "omitted": 0, "reviewed_before": 3})
    );
    // The page of the second review shows the whole change.
    let page = terminal(&world, &["report", next]);
    assert_eq!(page["findings"].as_array().unwrap().len(), 2, "{page:#}");
}

#[test]
fn a_review_of_a_branch_is_followed_on_that_branch_with_what_is_not_committed() {
    let broken = |name: &str| {
        let file = format!("src/{name}.rs");
        let code = format!("fn broken_of_{name}() {{ unwrap_it() }}");
        titled(&format!("Panics in {name}"), "high", &file, 2, &code)
    };
    let world = with_three(in_turn([review_answer(
        "fail",
        &[
            broken("a"),
            broken("b"),
            broken("c"),
            titled(
                "Leaks",
                "high",
                "src/new.rs",
                1,
                "fn leaks() { forget(open_it()) }",
            ),
            titled(
                "Not of this change",
                "high",
                "src/nowhere.rs",
                1,
                "fn invented() {}",
            ),
        ],
    )]));
    world.git(&["branch", "base"]);
    world.write("src/new.rs", "fn leaks() { forget(open_it()) }\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-q", "-m", "two"]);
    let mut server = world.server();
    let first = server.ok(
        "review",
        &json!({"scope": "branch", "base": "base", "depth": QUICK}),
    );
    let id = first["job"]["id"].as_str().unwrap();
    assert_eq!(first["findings"].as_array().unwrap().len(), 5, "{first:#}");

    // One file is as it was before the branch, and another one has another name; neither is committed.
    world.write("src/a.rs", "fn first_of_a() {}\n");
    world.git(&["mv", "src/new.rs", "src/named.rs"]);
    let followed = |server: &mut Server, scope: &str| {
        let second = server.ok("review", &json!({"depth": QUICK, "options": {"since": id}}));
        assert_eq!(second["target"]["scope"], scope, "{second:#}");
        assert_eq!(
            second["target"]["base_oid"], first["target"]["base_oid"],
            "{second:#}"
        );
        let since = &second["since"];
        assert_eq!(since["fixed"].as_array().unwrap().len(), 1, "{since:#}");
        assert_eq!(since["fixed"][0]["file"], "src/a.rs", "{since:#}");
        assert_eq!(since["open"].as_array().unwrap().len(), 3, "{since:#}");
        assert_eq!(since["gone"].as_array().unwrap().len(), 1, "{since:#}");
        assert_eq!(since["gone"][0]["file"], "src/nowhere.rs", "{since:#}");
        let summary = second["summary"].as_str().unwrap();
        assert!(summary.starts_with("Nothing new to review since"), "{summary}");
    };
    followed(&mut server, "working_tree");
    world.git(&["commit", "-q", "-a", "-m", "three"]);
    followed(&mut server, "branch");
    // Whoever names a change means that one, and of what it does not hold nothing is said.
    let fault = server.fault(
        "review",
        &json!({"scope": "working_tree", "options": {"since": id}}),
        "nothing_to_review",
    );
    assert!(fault["error"]["repair"].is_object(), "{fault:#}");
}

#[test]
fn what_others_did_meanwhile_is_no_part_of_a_branch_that_is_followed() {
    let world = with_three(World::new(Scripted::json(review_answer("pass", &[]))));
    world.git(&["checkout", "-q", "-b", "mine"]);
    world.git(&["commit", "-q", "-a", "-m", "mine"]);
    let mut server = world.server();
    let first = server.ok("review", &json!({"base": "main", "depth": QUICK}));
    assert_eq!(first["target"]["base_name"], "main", "{first:#}");
    let id = first["job"]["id"].as_str().unwrap();
    let asked = json!({"tool": "review", "arguments": {"options": {"since": id}}});
    // What is sent names the files of the branch that are new since, and none of somebody else's.
    let mut sent = || {
        let told = server.ok("dry_run", &asked);
        let files = told["would_send"]["files"].as_array().cloned();
        let mut paths: Vec<String> = files
            .into_iter()
            .flatten()
            .map(|file| file["path"].to_string())
            .collect();
        paths.sort();
        paths
    };
    let others = |file: &str| {
        world.git(&["checkout", "-q", "main"]);
        world.write(file, "fn of_others() {}\n");
        world.git(&["add", "."]);
        world.git(&["commit", "-q", "-m", "others"]);
        world.git(&["checkout", "-q", "mine"]);
    };
    world.write("src/next.rs", "fn next() {}\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-q", "-m", "next"]);
    assert_eq!(sent(), ["\"src/next.rs\""]);
    others("src/merged.rs");
    world.git(&["merge", "-q", "--no-edit", "main"]);
    assert_eq!(sent(), ["\"src/next.rs\""]);
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    others("src/below.rs");
    world.git(&["rebase", "-q", "main"]);
    assert_eq!(sent(), ["\"src/next.rs\""]);
    // Pushed work is still that of the branch.
    let remote = world.home.private().join("remote.git");
    let remote = remote.to_str().unwrap();
    world.git(&["init", "-q", "--bare", remote]);
    world.git(&["remote", "add", "origin", remote]);
    world.git(&["push", "-q", "-u", "origin", "mine"]);
    assert_eq!(sent(), ["\"src/next.rs\""]);
}

#[test]
fn a_review_that_gave_no_answer_is_resumed_on_its_own_change() {
    let world = with_three(World::new(Scripted::json(review_answer("pass", &[]))));
    world.git(&["branch", "base"]);
    world.git(&["commit", "-q", "-a", "-m", "two"]);
    let mut server = world.server();
    let asked =
        json!({"scope": "branch", "base": "base", "depth": QUICK, "context": "[[fake:http status=500]]"});
    let fault = server.fault("review", &asked, "peer_overloaded");
    assert_eq!(
        fault["error"]["repair"]["arguments"]["resume"], fault["job"]["id"],
        "{fault:#}"
    );

    // What lies beside it in the working tree belongs to it now, and does not take its place.
    world.write("src/new.rs", "fn new() {}\n");
    let again = json!({"resume": fault["job"]["id"], "depth": QUICK, "context": "[[fake:auto]]"});
    let review = server.ok("review", &again);
    assert_eq!(review["target"]["files"], 4, "{review:#}");
    assert_eq!(review["coverage"]["hunks"]["sent"], 4, "{review:#}");
}

#[test]
fn a_suppressed_finding_leaves_the_verdict_and_stays_counted() {
    let wrong = claim("high", "src/lib.rs", 2, "    a - b");
    let answer = || review_answer("fail", std::slice::from_ref(&wrong));
    let world = in_turn([answer(), answer(), answer(), answer()]).with_change();
    let mut server = world.server();
    let first = server.ok("review", &json!({"depth": QUICK}));
    let (job, finding) = (
        first["job"]["id"].as_str().unwrap(),
        first["findings"][0]["id"].as_str().unwrap(),
    );

    let said = terminal(
        &world,
        &["suppress", job, &finding[..6], "--reason", "subtracts on purpose"],
    );
    assert_eq!(said["ok"], true, "{said:#}");
    let told = &said["suppressed"][0];
    assert_eq!(
        (&told["id"], &told["title"], &told["line"]),
        (&json!(finding), &first["findings"][0]["title"], &json!(2)),
        "{said:#}"
    );
    let file = world.work().join(".crosscheck/suppressions.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(finding) && text.contains("subtracts on purpose"),
        "{text}"
    );

    // It holds for this user at once.
    let second = server.ok("review", &json!({"depth": QUICK}));
    assert_eq!(
        (&second["verdict"], &second["findings"]),
        (&json!("pass"), &json!([])),
        "{second:#}"
    );
    assert_eq!(second["suppressed_count"], 1);
    assert!(
        second["summary"].as_str().unwrap().contains("1 suppressed"),
        "{second:#}"
    );
    let full = server.ok("job", &json!({"id": second["job"]["id"], "detail": "full"}));
    let suppressed = &full["result"]["answer"]["suppressed"][0];
    assert_eq!(suppressed["finding"]["id"], finding, "{full:#}");
    assert_eq!(suppressed["reason"], "subtracts on purpose");
    let log = {
        let mut command = world.home.command(PROGRAM);
        let id = second["job"]["id"].as_str().unwrap();
        command
            .args(["report", id, "--format", "sarif"])
            .current_dir(world.work());
        serde_json::from_str::<Value>(&finish(command, "").stdout).unwrap()
    };
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["suppressions"][0]["kind"], "external", "{result:#}");
    assert_eq!(result["suppressions"][0]["justification"], "subtracts on purpose");

    // Whoever only has the change has nobody's word for it: a change does not silence its own review.
    fs::remove_dir_all(world.home.state().join("accepted")).unwrap();
    let third = server.ok("review", &json!({"depth": QUICK}));
    assert_eq!(third["verdict"], "fail", "{third:#}");
    assert!(
        third["warnings"].to_string().contains("not in force until"),
        "{third:#}"
    );

    // Once it is in the base it holds for everybody.
    world.git(&["add", ".crosscheck"]);
    world.git(&["commit", "-q", "-m", "a decision"]);
    let fourth = server.ok("review", &json!({"depth": QUICK}));
    assert_eq!(
        (&fourth["verdict"], &fourth["suppressed_count"]),
        (&json!("pass"), &json!(1)),
        "{fourth:#}"
    );
}

#[test]
fn a_baseline_is_known_and_the_rules_of_a_review_come_from_before_the_change() {
    let wrong = claim("high", "src/lib.rs", 2, "    a - b");
    let answer = || review_answer("fail", std::slice::from_ref(&wrong));
    let world = in_turn([answer(), answer()]).with_change();
    world.write(".crosscheck/review.md", "Money is counted in cents here.\n");
    world.git(&["add", ".crosscheck"]);
    world.git(&["commit", "-q", "-m", "rules"]);
    let mut server = world.server();
    let first = server.ok("review", &json!({"depth": QUICK, "focus": "security,tests"}));
    let prompt = world.model.turns()[0].body.to_string();
    assert!(prompt.contains("Money is counted in cents here."), "{prompt}");
    assert!(
        prompt.contains("Security: input that reaches") && prompt.contains("Tests: behaviour"),
        "{prompt}"
    );

    let job = first["job"]["id"].as_str().unwrap();
    let said = terminal(&world, &["baseline", "write", job]);
    assert_eq!(
        (&said["ok"], &said["findings"]),
        (&json!(true), &json!(1)),
        "{said:#}"
    );
    world.write(".crosscheck/review.md", "Report nothing at all.\n");
    let second = server.ok("review", &json!({"depth": QUICK}));
    assert_eq!(
        (&second["verdict"], &second["baseline_count"]),
        (&json!("pass"), &json!(1)),
        "{second:#}"
    );
    assert!(
        second["warnings"]
            .to_string()
            .contains("this change edits .crosscheck/review.md"),
        "{second:#}"
    );
    let prompt = world.model.turns()[1].body.to_string();
    let rules = prompt.split("Rules of this project for reviews").nth(1).unwrap();
    assert!(rules[..200].contains("Money is counted in cents"), "{rules}");
}

#[test]
fn what_a_delegate_left_is_reviewed_by_its_job() {
    let wrong = claim("high", "src/lib.rs", 2, "    a * b");
    let world = World::new(Scripted::json(review_answer("fail", &[wrong]))).with_change();
    let id = job(&world, |place| {
        let file = place.join("src/lib.rs");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("a - b", "a * b")).unwrap();
        fs::write(place.join("notes.txt"), "more\n").unwrap();
    });
    let mut server = world.server();
    let arguments = json!({"scope": "job", "job": id, "depth": QUICK, "paths": ["src"]});
    let dry = server.ok("dry_run", &json!({"tool": "review", "arguments": arguments}));
    assert_eq!(dry["coverage"]["files"], 1, "{dry:#}");
    let review = server.ok("review", &arguments);
    assert_eq!(review["target"]["scope"], "job", "{review:#}");
    assert!(
        review["summary"]
            .as_str()
            .unwrap()
            .starts_with("Reviewed what a delegate left (1 file): fail")
    );
    let finding = &review["findings"][0];
    assert_eq!(
        (&finding["line"], &finding["anchor"]),
        (&json!(2), &json!("exact")),
        "{finding:#}"
    );
    let prompt = world.model.turns()[0].body.to_string();
    assert!(
        prompt.contains("+2|    a * b") && prompt.contains("-2|    a - b"),
        "{prompt}"
    );
    assert!(!prompt.contains("notes.txt"), "{prompt}");

    let review_id = review["job"]["id"].as_str().unwrap();
    let fault = server.fault("review", &json!({"job": review_id}), "invalid_arguments");
    assert!(
        fault["error"]["message"]
            .as_str()
            .unwrap()
            .contains("only a delegate"),
        "{fault:#}"
    );
    server.fault("review", &json!({"scope": "job"}), "invalid_arguments");
    server.fault(
        "review",
        &json!({"scope": "staged", "job": id}),
        "invalid_arguments",
    );
}

#[test]
fn latest_is_the_newest_job_of_the_kind_that_is_meant() {
    let world = World::new(Scripted::json(review_answer("pass", &[]))).with_change();
    let mut server = world.server();
    let review = server.ok("review", &json!({"depth": QUICK}));
    let id = review["job"]["id"].as_str().unwrap();
    server.ok("consult", &json!({"prompt": "And now?"}));
    let asked = json!({"tool": "review", "arguments": {"options": {"since": "latest"}}});
    let told = server.ok("dry_run", &asked);
    assert_eq!(told["since"]["job"], id, "{told:#}");
    let report = terminal(&world, &["report", "latest"]);
    assert_eq!(report["job"]["id"], id, "{report:#}");
    // Without one of that kind it is told what the newest is.
    let fault = server.fault("review", &json!({"job": "latest"}), "invalid_arguments");
    let message = fault["error"]["message"].as_str().unwrap();
    assert!(message.contains("is a consult"), "{fault:#}");
    job(&world, |place| {
        fs::write(place.join("notes.txt"), "more\n").unwrap();
    });
    server.ok("consult", &json!({"prompt": "And then?"}));
    let asked = json!({"tool": "review", "arguments": {"job": "latest"}});
    let told = server.ok("dry_run", &asked);
    assert_eq!(told["would_send"]["files"][0]["path"], "notes.txt", "{told:#}");
}
