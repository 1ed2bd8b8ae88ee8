//! Tasks that Codex Cloud does, in the real Claude Code: handed over, followed while it is closed, told once, landed and cleared away.
//!
//! The service cannot be reached in tests, so `codex cloud` alone is a stand-in.

use std::fs;
use std::path::{Path, PathBuf};

use crosscheck::sys::signal::with_folder;
use serde_json::{Value, json};

use crate::live::{Live, call};
use crate::session::Session;
use crate::support::cloud::Cloud;
use crate::support::home::Home;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::wakes::{assert_woken, left, result};
use crate::world::World;

/// The tasks of one call.
const TASKS: usize = 5;
/// The attempts of each of them.
const ATTEMPTS: usize = 2;
/// The refs of a job in our private store: what it starts from, and what came of it.
const REFS: usize = 2;

/// A world with a login, a pushed branch and the stand-in.
fn world(claude: &Path) -> (FakeModel, Cloud, World) {
    let model = FakeModel::start(Scripted::well());
    let home = Home::logged_in(&model.origin());
    let cloud = Cloud::new(home.private(), &peers::codex());
    let world = World::with_cloud(home, claude, &cloud.program());
    (model, cloud, world)
}

/// A diff that adds a file with one line.
fn adds(path: &str, line: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"
    )
}

fn jobs(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.state().join("jobs"));
    let names = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    names
        .map(|name| name.into_string().expect("an id is plain"))
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// The sub-commands of those of our processes that live in this world.
fn alive(world: &World) -> Vec<String> {
    let all = with_folder("CROSSCHECK_STATE_DIR", &world.state());
    let command = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = line.split(|byte| *byte == 0).nth(1).unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    };
    all.iter().map(|process| command(process.pid)).collect()
}

/// Files that a job should not leave when nobody knows it any more: its record, a worktree, a scratch folder, a log of codex's.
fn remains(world: &World) -> Vec<PathBuf> {
    let state = world.state();
    let is_left = |path: &PathBuf| {
        let ours = path.strip_prefix(&state).unwrap_or(Path::new(""));
        let is_below = |name: &str| ours.starts_with(name);
        ["following", "scratch", "jobs", "groups"]
            .into_iter()
            .any(is_below)
            || is_below("repos") && ours.iter().any(|name| name == "trees")
            || path.ends_with("error.log")
    };
    let files = world.files().into_iter().map(|(path, _)| path);
    files.filter(is_left).collect()
}

/// The refs in our private store of the repository.
fn refs(world: &World) -> Vec<String> {
    let folders = fs::read_dir(world.state().join("repos"));
    let vaults = folders
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("git"));
    let told = vaults.map(|vault| world.git(&vault, &["--git-dir=.", "for-each-ref", "--format=%(refname)"]));
    told.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_task_in_the_cloud_wakes_the_idle_session_that_asked_once() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let (model, cloud, world) = world(&claude);
        let before = world.state_of_the_repository();
        let mut session = Live::program(&world, &[]);
        let input = json!({"task": "Greet.", "options": {"runner": "cloud"}, "background": true});
        session.prompt(&call("delegate", &input));
        let job = session.job();
        wait_until("the task to be handed over", || cloud.has_prompt(1));
        assert_eq!(session.told(&job), 0, "{}", session.last());
        cloud.is_done(&[&adds("greeting.txt", "hello")]);
        assert_woken(&world, &session, &job);
        let last = session.last();
        assert!(
            last.contains("Nothing was applied") && last.contains("mcp__plugin_codex_codex__dry_run"),
            "{last}"
        );
        session.prompt("Anything else?");
        assert_eq!(session.told(&job), 1, "once: {}", session.last());
        session.end();
        wait_until("nobody to be left", || left(&world) == 0);
        assert_eq!(world.state_of_the_repository(), before);
        assert_eq!(
            (cloud.submitted(), model.turns().len()),
            (1, 0),
            "nothing ran here"
        );
    }
}

/// Hands all tasks over in a session that ends then, and returns the group and the conversation's name.
fn handed_over(world: &World, cloud: &Cloud) -> (String, String) {
    let mut session = Live::program(world, &[]);
    let tasks: Vec<Value> = (1..=TASKS)
        .map(|number| json!({"id": format!("t{number}"), "task": format!("Write number {number}."), "runner": "cloud"}))
        .collect();
    session.prompt(&call(
        "delegate",
        &json!({"tasks": tasks, "attempts": ATTEMPTS, "background": true}),
    ));
    let (group, name) = (session.job(), session.name());
    wait_until("all tasks to have an address", || {
        let jobs = jobs(world);
        let has_one = |job: &String| world.state().join("jobs").join(job).join("task.json").exists();
        jobs.len() == TASKS * ATTEMPTS && jobs.iter().all(has_one)
    });
    assert_eq!(cloud.submitted(), TASKS, "one submission makes both attempts");
    session.end();
    wait_until("only the one who follows to be left", || {
        alive(world) == ["follow"]
    });
    (group, name)
}

/// Takes the conversation up again: it is told of the group once, and of no job of it.
fn assert_told_once(world: &World, group: &str, name: &str) {
    let mut resumed = Live::program(world, &["--resume", name]);
    resumed.prompt("Where were we?");
    assert_eq!(resumed.told(group), 1, "{}", resumed.last());
    assert!(
        resumed.last().contains("10 of 10 runs with a result"),
        "{}",
        resumed.last()
    );
    resumed.prompt(&call("job", &json!({"id": group})));
    resumed.prompt("Anything else?");
    assert_eq!(resumed.told(group), 1, "{}", resumed.last());
    for job in jobs(world) {
        assert_eq!(resumed.told(&job), 0, "{}", resumed.last());
    }
    resumed.end();
}

/// Previews both attempts of a task in sessions that are told nothing, and returns their jobs and the file that both add.
fn previewed(world: &World, group: &str) -> (Vec<String>, PathBuf) {
    // A third session, which is told nothing, looks at the two attempts of a task.
    let look = json!({"id": group});
    let session = Session::run(world, &format!("/codex:result {group}"), "job", &look);
    let shown = session.shown();
    session.assert_ended_well();
    assert!(!session.expansion().contains(&format!("Codex group {group} ")));
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
    assert_eq!(shown["tasks"].as_array().map(Vec::len), Some(TASKS), "{shown:#}");
    let attempts: Vec<String> = shown["tasks"][2]["attempts"]
        .as_array()
        .expect("a task has attempts")
        .iter()
        .map(|attempt| attempt["job"].as_str().expect("an attempt is a job").to_owned())
        .collect();
    assert_eq!(attempts.len(), ATTEMPTS, "{shown:#}");
    let mut landed = PathBuf::new();
    for job in &attempts {
        let preview = json!({"tool": "apply", "arguments": {"id": job}});
        let session = Session::run(world, &format!("/codex:apply {job}"), "dry_run", &preview);
        let shown = session.shown();
        session.assert_ended_well();
        assert_eq!(
            (&shown["applies"], &shown["can_land"]),
            (&json!("clean"), &json!(true)),
            "{shown:#}"
        );
        landed = world
            .repository()
            .join(shown["files"][0]["path"].as_str().expect("one file is in it"));
    }
    (attempts, landed)
}

#[test]
fn five_tasks_in_the_cloud_outlive_the_session_and_are_told_once_landed_and_cleared_away() {
    let (model, cloud, world) = world(&peers::claude_newest());
    let before = world.state_of_the_repository();
    let (group, name) = handed_over(&world, &cloud);
    for number in 1..=TASKS {
        for attempt in 1..=ATTEMPTS {
            let diff = adds(&format!("number-{number}.txt"), &format!("attempt {attempt}"));
            cloud.says(&format!("diff.task_e_{number}.{attempt}"), &diff, "", 0);
        }
    }
    cloud.is_done(&[]);
    wait_until("all results", || {
        jobs(&world).iter().all(|job| result(&world, job).is_some())
    });
    wait_until("nobody to be left", || left(&world) == 0);

    assert_told_once(&world, &group, &name);
    let (attempts, landed) = previewed(&world, &group);
    assert_eq!(
        world.state_of_the_repository(),
        before,
        "a preview changes nothing"
    );

    world.terminal(&["apply", &attempts[1], "--land", "--yes"]);
    assert_eq!(fs::read(&landed).expect("it landed"), b"attempt 2\n");
    world.terminal(&["undo", &attempts[1]]);
    assert_eq!(world.state_of_the_repository(), before);
    assert_eq!(
        refs(&world).len(),
        TASKS * ATTEMPTS * REFS,
        "what came of each is kept until then"
    );
    for job in jobs(&world) {
        world.terminal(&["cancel", &job, "--forget"]);
    }
    world.terminal(&["clean", "--yes"]);
    assert_eq!(alive(&world), Vec::<String>::new());
    assert_eq!(remains(&world), Vec::<PathBuf>::new());
    assert_eq!(refs(&world), Vec::<String>::new());
    assert_eq!(world.state_of_the_repository(), before);
    assert_eq!(
        (cloud.submitted(), model.turns().len()),
        (TASKS, 0),
        "nothing was sent twice, and nothing ran here"
    );
    for folder in cloud.folders() {
        assert!(
            folder.starts_with(world.state()) && !folder.exists(),
            "{}",
            folder.display()
        );
    }
}

#[test]
fn without_a_login_claude_is_told_in_one_sentence_what_is_missing() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let cloud = Cloud::new(home.private(), &peers::codex());
    let world = World::with_cloud(home, &peers::claude_newest(), &cloud.program());
    let input = json!({"task": "Greet.", "options": {"runner": "cloud"}});
    let session = Session::run(&world, "/codex:delegate Greet.", "delegate", &input);
    let shown = session.shown_failure();
    session.assert_ended_well();
    assert_eq!(
        (
            &shown["error"]["code"],
            &shown["error"]["message"],
            &shown["error"]["repair"]["hint"]
        ),
        (
            &json!("peer_not_authenticated"),
            &json!("codex is not signed in, and Codex Cloud needs a ChatGPT login"),
            &json!("run `codex login` and choose ChatGPT")
        ),
        "{shown:#}"
    );
    assert_eq!(cloud.calls(), Vec::<String>::new());
    assert_eq!(jobs(&world), Vec::<String>::new());
}
