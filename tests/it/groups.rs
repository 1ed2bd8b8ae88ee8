//! Several tasks and attempts in one call, with the real codex and the real git.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::model::wait_until;
use crate::support::run::{Finished, finish};
use crate::support::scripts::Scripted;
use crate::support::tree::contents;
use crate::world::{PROGRAM, Server, World, check_schema};

/// Seconds that a call waits; runs of four take some.
const WAIT_S: u64 = 120;

fn world() -> World {
    let world = World::new(Scripted::well());
    world.git(&["init", "-q"]);
    world.write("shared.txt", "one\ntwo\nthree\n");
    world.write("src/a.txt", "a\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    world.write("src/a.txt", "a, not committed\n");
    world
}

/// A task that makes codex run a command.
fn shell(command: &str) -> String {
    let quoted = command.replace('\\', "\\\\").replace('"', "\\\"");
    format!("Do it. [[fake:shell cmd=\"{quoted}\"]]")
}

fn tasks(tasks: &[(&str, &str)]) -> Value {
    tasks
        .iter()
        .map(|(id, command)| json!({"id": id, "task": shell(command)}))
        .collect()
}

fn jobs_of(envelope: &Value) -> Vec<String> {
    let tasks = envelope["tasks"]
        .as_array()
        .unwrap_or_else(|| panic!("{envelope:#}"));
    let attempts = tasks.iter().flat_map(|task| task["attempts"].as_array().unwrap());
    attempts
        .map(|attempt| attempt["job"].as_str().unwrap().to_owned())
        .collect()
}

fn terminal(world: &World, arguments: &[&str]) -> Finished {
    let mut command = world.home.command(PROGRAM);
    command.args(arguments).current_dir(world.work());
    finish(command, "")
}

fn terminal_json(world: &World, arguments: &[&str]) -> Value {
    let finished = terminal(world, &[arguments, &["--json"]].concat());
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

fn records(world: &World, folder: &str) -> usize {
    let path = world.home.state().join(folder);
    fs::read_dir(path).map_or(0, |entries| entries.flatten().count())
}

/// What has no meaning for all of a group names its members.
fn members_are_named(world: &World, server: &mut Server, group: &str, jobs: &[String]) {
    let beginning = &group[..group.len() - 2];
    for name in [group, beginning, "latest"] {
        let refused = server.fault(
            "apply",
            &json!({"id": name, "action": "land"}),
            "invalid_arguments",
        );
        let error = &refused["error"];
        assert_eq!(error["allowed"], json!(jobs), "{error:#}");
        let message = error["message"].as_str().unwrap();
        for part in [
            "task upper, attempt 1: succeeded, 1 file, 0 of 1 checks passed, best of its task",
            "task alone, attempt 1: succeeded, 1 file, 1 of 1 checks passed, best of its task",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let repair = &error["repair"];
        assert_eq!(repair["tool"], "dry_run", "{repair:#}");
        server.ok("dry_run", &repair["arguments"]);
        let log = terminal(world, &["logs", name]);
        assert!(
            !log.status.success() && jobs.iter().all(|job| log.stderr.contains(job)),
            "{log:?}"
        );
        let refused = server.fault(
            "delegate",
            &json!({"task": "Go on.", "resume": name}),
            "invalid_arguments",
        );
        assert_eq!(refused["error"]["allowed"], json!(jobs));
    }
}

/// What is taken back is one landing; that nothing landed is not answered with something to land.
fn nothing_is_taken_back(server: &mut Server, group: &str, jobs: &[String]) {
    for (name, part, allowed) in [
        ("latest", "nothing that landed is in the files", Value::Null),
        (group, "taken back one by one", json!(jobs)),
    ] {
        let refused = server.fault(
            "apply",
            &json!({"id": name, "action": "undo"}),
            "invalid_arguments",
        );
        let error = &refused["error"];
        assert!(error["message"].as_str().unwrap().contains(part), "{error:#}");
        assert_eq!(error["allowed"], allowed, "{error:#}");
        let repair = &error["repair"];
        assert_eq!(repair["tool"], "job", "{repair:#}");
        server.ok("job", &repair["arguments"]);
    }
}

/// Whoever lands one run of a group is told what the others are about to do to the same files.
fn others_are_forecast(server: &mut Server, jobs: &[String]) {
    for (at, other) in [(0, Some("double")), (1, Some("upper")), (2, None)] {
        let preview = server.ok(
            "dry_run",
            &json!({"tool": "apply", "arguments": {"id": jobs[at]}}),
        );
        let warnings = preview["warnings"].to_string();
        match other {
            Some(other) => assert!(
                warnings.contains(&format!("task {other} (job "))
                    && warnings.contains("the same files: shared.txt")
                    && warnings.contains("they conflict in shared.txt"),
                "{warnings}"
            ),
            None => assert!(!warnings.contains("the same group"), "{warnings}"),
        }
    }
}

/// A group's worktrees go, and nobody else's.
fn cleaned_as_one(world: &World, server: &mut Server, name: &str, jobs: &[String]) {
    let another = server.ok("delegate", &json!({"task": shell("true"), "wait_s": WAIT_S}));
    let another = another["job"]["id"].as_str().unwrap();
    let plan = terminal_json(world, &["clean", name]);
    let trees = |told: &Value| -> Vec<String> {
        let trees = told["repositories"][0]["worktrees"].as_array();
        let trees = trees.into_iter().flatten();
        trees
            .map(|tree| tree["job"].as_str().unwrap().to_owned())
            .collect()
    };
    let planned = trees(&plan);
    assert!(
        !planned.is_empty() && planned.iter().all(|job| jobs.contains(job)),
        "{plan:#}"
    );
    let summary = plan["summary"].as_str().unwrap();
    assert!(
        summary.ends_with(" can go. Nothing was removed yet.") && !summary.contains("0 "),
        "{plan:#}"
    );
    assert_eq!(
        plan["repositories"][0]["worktrees"][0]["done"], "goes",
        "{plan:#}"
    );
    let cleaned = terminal_json(world, &["clean", name, "--yes"]);
    assert_eq!(trees(&cleaned), Vec::<String>::new(), "{cleaned:#}");
    let rest = server.ok("status", &json!({"topic": "worktrees"}));
    assert_eq!(trees(&rest), [another], "{rest:#}");
}

#[test]
fn two_tasks_run_as_one_group_and_their_conflict_is_forecast() {
    let world = world();
    let before = contents(&world.work());
    let mut server = world.server();
    let arguments = json!({
        "tasks": tasks(&[
            ("upper", "sed -i s/two/TWO/ shared.txt"),
            ("double", "sed -i 's/two/two two/' shared.txt"),
            ("alone", "echo b > src/b.txt"),
        ]),
        "checks": ["test -e src/b.txt"],
        "wait_s": WAIT_S,
        "options": {"idempotency_key": "once"},
    });
    let told = server.ok("delegate", &arguments);
    check_schema(&told);
    assert_eq!(told["job"]["state"], "succeeded", "{told:#}");
    let group = told["job"]["id"].as_str().unwrap().to_owned();
    let jobs = jobs_of(&told);
    assert_eq!(
        (jobs.len(), records(&world, "jobs"), records(&world, "groups")),
        (3, 3, 1)
    );
    assert!(!jobs.contains(&group), "a group has an id of its own");

    let sheet: Vec<Value> = told["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| {
            json!([
                task["id"],
                task["attempts"][0]["checks"]["passed"],
                task["attempts"][0]["applies"]
            ])
        })
        .collect();
    assert_eq!(
        sheet,
        [
            json!(["upper", 0, "clean"]),
            json!(["double", 0, "clean"]),
            json!(["alone", 1, "clean"])
        ]
    );
    let overlap = told["overlap"].as_array().unwrap();
    assert_eq!(overlap.len(), 1, "{told:#}");
    assert_eq!(overlap[0]["tasks"], json!(["upper", "double"]));
    assert_eq!(overlap[0]["files"], json!(["shared.txt"]));
    assert_eq!(overlap[0]["together"], "conflicts", "{told:#}");
    for step in told["next_steps"].as_array().unwrap() {
        let step = step.as_str().unwrap();
        assert!(!step.contains("\"land\""), "no step lands unseen: {step}");
    }

    // The same call is the same group; so are its id, the beginning of it and `latest`. A member has an id of its own.
    for (tool, arguments) in [
        ("delegate", arguments.clone()),
        ("job", json!({"id": group})),
        ("job", json!({"id": "latest"})),
    ] {
        let again = server.ok(tool, &arguments);
        assert_eq!(again["job"]["id"], group.as_str(), "{again:#}");
        assert_eq!(jobs_of(&again), jobs);
    }
    assert_eq!(records(&world, "jobs"), 3);
    let member = server.ok("job", &json!({"id": jobs[2]}));
    assert_eq!(member["changed"][0]["path"], "src/b.txt", "{member:#}");
    assert_eq!(member["checks"][0]["exit_code"], 0);
    let diff = server.ok("job", &json!({"id": jobs[2], "detail": "diff"}));
    assert!(diff["diff"].as_str().unwrap().contains("+b"), "{diff:#}");
    server.fault(
        "job",
        &json!({"id": group, "detail": "diff"}),
        "invalid_arguments",
    );
    let whole = server.ok("job", &json!({"id": group, "detail": "full"}));
    assert_eq!(whole["runs"].as_array().unwrap().len(), 3, "{whole:#}");

    // The list tells the group before its members, which name it.
    let list = server.ok("job", &json!({}));
    let rows = list["jobs"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{list:#}");
    assert_eq!((&rows[0]["id"], &rows[0]["runs"]), (&json!(group), &json!(3)));
    assert!(
        rows[1..].iter().all(|row| row["group"] == group.as_str()),
        "{list:#}"
    );

    members_are_named(&world, &mut server, &group, &jobs);
    nothing_is_taken_back(&mut server, &group, &jobs);

    others_are_forecast(&mut server, &jobs);

    // Another call with the same key is a mistake.
    let mut other = arguments;
    other["attempts"] = json!(2);
    server.fault("delegate", &other, "idempotency_conflict");
    assert_eq!(
        contents(&world.work()),
        before,
        "nothing of the user's was touched"
    );

    let beginning = &group[..group.len() - 2];
    cleaned_as_one(&world, &mut server, beginning, &jobs);

    let forgotten = server.ok("cancel", &json!({"id": beginning, "forget": true}));
    assert!(forgotten["record"]["runs"].is_array(), "{forgotten:#}");
    assert_eq!((records(&world, "jobs"), records(&world, "groups")), (1, 0));
}

#[test]
fn equal_attempts_tie_and_the_tie_is_stated() {
    let world = world();
    let told = world.server().ok(
        "delegate",
        &json!({"task": shell("echo b > src/b.txt"), "attempts": 2, "wait_s": WAIT_S}),
    );
    let jobs = jobs_of(&told);
    assert_eq!(jobs.len(), 2);
    assert_eq!(told["tasks"][0]["tie"], json!(jobs), "{told:#}");
    assert_eq!(told["overlap"], json!([]));
    assert!(
        told["summary"].as_str().unwrap().contains("attempts 1 and 2 tie"),
        "{told:#}"
    );
}

#[test]
fn a_group_is_ended_as_one() {
    let world = world();
    let mut server = world.server();
    let started = server.ok(
        "delegate",
        &json!({
            "tasks": tasks(&[("one", "echo x > started; sleep 600"), ("two", "echo x > started; sleep 600")]),
            "background": true,
        }),
    );
    let group = started["job"]["id"].as_str().unwrap().to_owned();
    let jobs = jobs_of(&started);
    for job in &jobs {
        let path = world.job(job).join("events.jsonl");
        wait_until("the command of a run", || {
            fs::read_to_string(&path).is_ok_and(|text| text.contains("sleep 600"))
        });
    }
    let ended = server.ok("cancel", &json!({"id": group}));
    assert_eq!(
        (&ended["ended"], &ended["leaked"]),
        (&json!(true), &json!([])),
        "{ended:#}"
    );
    assert!(
        jobs.iter().all(|job| world.job(job).join("result.json").exists()),
        "every run has its result"
    );
    server.fault("job", &json!({"id": group}), "cancelled");
}

#[test]
fn a_preview_makes_neither_a_job_nor_a_change() {
    let world = world();
    let before = contents(&world.work());
    let told = world.server().ok(
        "dry_run",
        &json!({"tool": "delegate", "arguments": {
            "tasks": tasks(&[("one", "true"), ("two", "true")]), "attempts": 2,
            "allowed_paths": ["src/**", "none/*"], "checks": ["make test"], "files": ["src/a.txt"],
        }}),
    );
    check_schema(&told);
    assert_eq!(
        (&told["runs"], &told["touches_workspace"]),
        (&json!(4), &json!(false)),
        "{told:#}"
    );
    let baseline = &told["baseline"];
    assert_eq!(
        baseline["uncommitted"],
        json!({"count": 1, "first": ["src/a.txt"]})
    );
    assert_eq!(baseline["files"], 2);
    assert!(told["warnings"].to_string().contains("none/*"), "{told:#}");
    assert!(!told["warnings"].to_string().contains("src/**"), "{told:#}");
    assert_eq!((records(&world, "jobs"), records(&world, "groups")), (0, 0));
    assert_eq!(contents(&world.work()), before);
    assert!(!Path::new(&world.home.state()).join("keys").exists());
}

#[test]
fn what_cannot_start_is_refused_with_a_way_on() {
    let world = world();
    let mut server = world.server();
    let task = shell("true");
    let dirty = server.fault(
        "delegate",
        &json!({"task": task, "dirty": "ask"}),
        "dirty_workspace",
    );
    assert_eq!(dirty["error"]["allowed"], json!(["snapshot", "committed"]));
    let ready = &dirty["error"]["repair"]["arguments"];
    assert_eq!(
        (&ready["task"], &ready["dirty"]),
        (&json!(task), &json!("snapshot"))
    );
    assert!(dirty["error"]["message"].as_str().unwrap().contains("src/a.txt"));
    server.fault(
        "delegate",
        &json!({"task": task, "base": "no-such"}),
        "invalid_revision",
    );
    server.fault(
        "delegate",
        &json!({"task": task, "options": {"network": true}}),
        "policy_denied",
    );
    server.fault(
        "delegate",
        &json!({"task": task, "options": {"in_place": true}}),
        "policy_denied",
    );
    server.fault(
        "delegate",
        &json!({"task": task, "files": ["absent"]}),
        "invalid_arguments",
    );
    assert_eq!(records(&world, "jobs"), 0);

    let empty = World::new(Scripted::well());
    server = empty.server();
    server.fault("delegate", &json!({"task": task}), "not_a_git_repository");
    empty.git(&["init", "-q"]);
    server.fault(
        "delegate",
        &json!({"task": task, "dirty": "committed"}),
        "no_commit_yet",
    );
}
