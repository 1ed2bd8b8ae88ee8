//! Reviews as files: the same record in every form, at once or later, and what becomes of the file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::run::{Finished, finish};
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, World, check_schema, claim, review_answer};

pub(crate) fn run(world: &World, arguments: &[&str]) -> Finished {
    let mut command = world.home.command(PROGRAM);
    command.current_dir(world.work()).args(arguments);
    finish(command, "")
}

fn code(finished: &Finished) -> i32 {
    finished.status.code().unwrap_or_else(|| panic!("{finished:#?}"))
}

fn world(severity: &str) -> World {
    let claims = [
        claim(severity, "src/lib.rs", 2, "    a - b"),
        claim("low", "gone.rs", 1, "<script>alert(1)</script>"),
    ];
    World::new(Scripted::json(review_answer("fail", &claims))).with_change()
}

fn sarif(file: &Path) -> Value {
    let schema = include_str!("../schemas/sarif-2.1.0.json").replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let log: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(validator.is_valid(&log), "{log:#}");
    log
}

#[test]
fn a_review_in_ci_leaves_a_file_and_an_exit_code() {
    let world = world("high");
    let out = world.work().join("out.sarif");
    let line = [
        "review",
        "--base",
        "HEAD",
        "--fail-on",
        "high",
        "--format",
        "sarif",
        "-o",
        "out.sarif",
    ];
    // Nothing is paid for where the file could not be written.
    fs::write(&out, "mine").unwrap();
    let refused = run(&world, &line);
    assert_eq!(code(&refused), 2, "{refused:#?}");
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    let refused = run(&world, &["review", "-o", "absent/out.sarif"]);
    assert_eq!(code(&refused), 2, "{refused:#?}");
    assert!(world.model.turns().is_empty());
    fs::remove_file(&out).unwrap();

    // As a checkout of a pull request has it: the base is a ref of the remote.
    world.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    world.git(&["checkout", "-qb", "topic"]);
    world.git(&["commit", "-qam", "two"]);
    let line = "review --base origin/main --fail-on high --format sarif -o out.sarif";
    let ended = run(&world, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(code(&ended), 8, "{ended:#?}");
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("2 findings written to "),
        "{}",
        ended.stderr
    );
    let summary = run(&world, &["report", "latest", "--format", "markdown"]);
    let begins = summary
        .stdout
        .starts_with("## Crosscheck: fail\n\nThe whole change was reviewed: 1 hunk of 1 file.");
    assert!(begins, "{}", summary.stdout);
    let run = &sarif(&out)["runs"][0];
    assert_eq!(
        run["results"].as_array().unwrap().len(),
        1,
        "the other is not in the change"
    );
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"],
        json!({"uri": "src/lib.rs", "uriBaseId": "SRCROOT"})
    );
    assert_eq!(place["region"]["startLine"], 2);
    assert_eq!(run["properties"]["scope"], "branch");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_milder_finding_does_not_stop_a_script() {
    let world = world("medium");
    let ended = run(&world, &["review", "--fail-on", "high"]);
    assert_eq!(code(&ended), 0, "{ended:#?}");
    assert!(ended.stdout.contains("Wrong operator"), "{}", ended.stdout);
    let again = run(&world, &["review", "--fail-on", "medium", "--json"]);
    assert_eq!(code(&again), 8, "{again:#?}");
}

#[test]
fn every_form_is_made_of_the_same_record() {
    let world = world("high");
    let review = world.server().ok("review", &json!({}));
    let id = review["job"]["id"].as_str().unwrap();
    let turns = world.model.turns().len();

    let json = run(&world, &["report", "latest", "--json"]);
    let envelope: Value = serde_json::from_str(&json.stdout).unwrap();
    check_schema(&envelope);
    assert_eq!(envelope["tool"], "review");
    for field in ["findings", "verdict", "coverage", "target", "summary"] {
        assert_eq!(envelope[field], review[field], "{field}");
    }
    let text = run(&world, &["report", id]);
    assert!(text.stdout.contains("src/lib.rs:2"), "{}", text.stdout);
    let markdown = run(&world, &["report", id, "--format", "markdown"]);
    assert!(
        markdown.stdout.contains("### high · Wrong operator"),
        "{}",
        markdown.stdout
    );

    // The file's ending says the form, and a file that is there is somebody's.
    let page = world.work().join("page.html");
    let written = run(&world, &["report", id, "-o", "page.html"]);
    assert_eq!(code(&written), 0, "{written:#?}");
    let html = fs::read_to_string(&page).unwrap();
    assert!(
        html.contains("a - b</ins>") && html.contains("a + b</del>"),
        "the change is in it"
    );
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert"));
    assert_eq!(html.matches("<article ").count(), 2);
    assert_eq!(code(&run(&world, &["report", id, "-o", "page.html"])), 2);
    assert_eq!(
        code(&run(&world, &["report", id, "-o", "page.html", "--force"])),
        0
    );
    let left: Vec<_> = fs::read_dir(world.work())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().starts_with(".writing")),
        "{left:?}"
    );

    // Nobody sits here, so its path is all there is; it goes with the job.
    let opened = run(&world, &["report", id, "--open"]);
    let kept = world.job(id).join("report.html");
    assert_eq!(opened.stdout.trim(), kept.to_str().unwrap(), "{opened:#?}");
    assert_eq!(fs::read_to_string(&kept).unwrap(), html);
    assert_eq!(world.model.turns().len(), turns, "all of it is free");

    // What is gone is said to be gone.
    fs::remove_file(world.job(id).join("change.json")).unwrap();
    let bare = run(&world, &["report", id, "--format", "html"]);
    assert!(
        bare.stdout.contains("does not hold the change"),
        "{}",
        bare.stdout
    );
    assert_eq!(bare.stdout.matches("<article ").count(), 2);
    std::os::unix::fs::symlink("/etc/hostname", world.job(id).join("change.json")).unwrap();
    let linked = run(&world, &["report", id, "--format", "html"]);
    assert!(linked.stdout.contains("cannot be read"), "{}", linked.stdout);
}

#[test]
fn only_an_ended_review_has_a_report() {
    let world = world("high");
    let pending = run(
        &world,
        &["review", "--wait-s", "0", "--format", "html", "-o", "page.html"],
    );
    assert_eq!(code(&pending), 4, "{pending:#?}");
    assert!(
        pending.stderr.contains("no report was written"),
        "{}",
        pending.stderr
    );
    assert!(!world.work().join("page.html").exists());
    assert_eq!(code(&run(&world, &["job", "latest", "--wait-s", "60"])), 0);
    assert_eq!(code(&run(&world, &["report", "latest", "-o", "page.html"])), 0);

    assert_eq!(code(&run(&world, &["report", "nosuchjob"])), 2);
    assert_eq!(code(&run(&world, &["review", "--background", "-o", "x.html"])), 2);
    assert_eq!(code(&run(&world, &["review", "--json", "--format", "html"])), 2);
    assert_eq!(code(&run(&world, &["report", "--open", "--format", "sarif"])), 2);
    let consult = World::new(Scripted::well());
    assert_eq!(
        code(&run(
            &consult,
            &["consult", "why?", "--option", "isolation=clean"]
        )),
        0
    );
    let refused = run(&consult, &["report", "latest"]);
    assert_eq!(code(&refused), 2, "{refused:#?}");
    assert!(
        refused.stderr.contains("only a review has a report"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_review_of_nothing_says_so_in_its_file() {
    let world = World::new(Scripted::well());
    world.git(&["init", "-q"]);
    world.git(&["commit", "-qm", "one", "--allow-empty"]);
    world.write("logo.bin", [0_u8, 1, 2, 255]);
    let ended = run(&world, &["review", "-o", "out.sarif"]);
    assert_eq!(code(&ended), 0, "{ended:#?}");
    let log = sarif(&world.work().join("out.sarif"));
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false, "{log:#}");
    assert_eq!(invocation["toolExecutionNotifications"][0]["level"], "error");
    assert!(world.model.turns().is_empty());
}
