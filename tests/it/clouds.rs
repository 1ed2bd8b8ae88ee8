//! Tasks that Codex Cloud does, with a stand-in for `codex cloud` alone: the real service cannot be reached in tests.

use std::fs;
use std::path::{Path, PathBuf};

use crosscheck::sys::signal::with_folder;
use serde_json::{Value, json};

use crate::hostile::worker_of;
use crate::support::cloud::Cloud;
use crate::support::home::Home;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::support::tree::contents;
use crate::world::{PROGRAM, Server, World, check_schema, is_alive};

const URL: &str = "https://chatgpt.com/codex/tasks/task_e_1";
/// Changes the second line of `src/a.txt`.
const DIFF: &str = "diff --git a/src/a.txt b/src/a.txt\n--- a/src/a.txt\n+++ b/src/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";
/// Adds a file, and so is larger.
const OTHER: &str = "diff --git a/src/a.txt b/src/a.txt\n--- a/src/a.txt\n+++ b/src/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n\
                     diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+x\n+y\n";
const CONFIG: &str = "[env]\npass = [\"FAKE_KEY\"]\n[runner.cloud]\nenv = \"env_test\"\n";

/// A repository whose branch is pushed, a login, and the stand-in.
fn world() -> (World, Cloud) {
    let model = FakeModel::start(Scripted::well());
    let home = Home::logged_in(&model.origin());
    around(model, home)
}

fn around(model: FakeModel, home: Home) -> (World, Cloud) {
    let cloud = Cloud::new(home.private(), &peers::codex());
    let mut world = World::of(model, home);
    world.home = world.home.with_variable("CROSSCHECK_CODEX_BIN", cloud.program());
    world.configure(CONFIG);
    world.git(&["init", "-q"]);
    world.write("src/a.txt", "one\ntwo\nthree\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    let remote = world.home.private().join("remote.git");
    let remote = remote.to_str().unwrap();
    world.git(&["init", "-q", "--bare", remote]);
    world.git(&["remote", "add", "origin", remote]);
    world.git(&["push", "-q", "-u", "origin", "main"]);
    (world, cloud)
}

fn task(text: &str) -> Value {
    json!({"task": text, "options": {"runner": "cloud"}, "background": true})
}

/// Starts a job and waits until its task was handed over.
fn started(world: &World, server: &mut Server, arguments: &Value) -> String {
    let told = server.ok("delegate", arguments);
    check_schema(&told);
    let id = told["job"]["id"].as_str().unwrap().to_owned();
    handed_over(world, &id);
    id
}

fn handed_over(world: &World, job: &str) {
    let path = world.job(job).join("task.json");
    wait_until("the address of the task", || path.exists());
}

/// Looks at a job until it is over.
fn over(server: &mut Server, id: &str) -> Value {
    let mut last = Value::Null;
    wait_until("the end of the job", || {
        last = server.call("job", &json!({"id": id}));
        !["queued", "running"].contains(&last["job"]["state"].as_str().unwrap_or_default())
    });
    check_schema(&last);
    last
}

/// Looks at a job until it is over, and it is lost. Whoever follows may be giving it its end at this moment.
fn seen_lost(server: &mut Server, id: &str) -> Value {
    let last = over(server, id);
    assert_eq!(last["error"]["code"], "job_lost", "{last:#}");
    last
}

fn is_followed(world: &World) -> bool {
    fs::read_dir(world.home.state().join("following")).is_ok_and(|mut entries| entries.next().is_some())
}

/// Waits until no job is followed and nobody follows.
fn following_ends(world: &World) {
    wait_until("the end of the following", || {
        let lock = fs::File::open(world.home.state().join("follower.lock"));
        !is_followed(world) && lock.map_or(true, |file| file.try_lock().is_ok())
    });
}

/// Nothing of a command's own is anywhere, nobody follows, and the user's files are as they were.
fn nothing_is_left(world: &World, cloud: &Cloud, before: &[(PathBuf, u64)]) {
    assert_eq!(contents(&world.work()), before);
    following_ends(world);
    let state = world.home.state();
    for folder in cloud.folders() {
        assert!(folder.starts_with(state.join("scratch")), "{}", folder.display());
        assert!(!folder.exists(), "{}", folder.display());
    }
    let logs: Vec<_> = contents(world.home.private())
        .into_iter()
        .filter(|(path, _)| path.ends_with("error.log"))
        .collect();
    assert_eq!(logs, []);
    assert!(cloud.calls().iter().all(|call| !call.starts_with("apply")));
}

#[test]
fn a_task_is_handed_over_followed_judged_landed_and_taken_back() {
    let (world, cloud) = world();
    let before = contents(&world.work());
    let mut server = world.server();
    let mut arguments = task("Do it.");
    arguments["checks"] = json!(["grep -q TWO src/a.txt", "test -d src"]);
    arguments["allowed_paths"] = json!(["src/**"]);
    let preview = server.ok("dry_run", &json!({"tool": "delegate", "arguments": arguments}));
    let head = world.git(&["rev-parse", "HEAD"]);
    let shown = &preview["cloud"];
    assert_eq!(
        (
            &shown["branch"],
            &shown["commit"],
            &shown["known_from"],
            &shown["environment"]
        ),
        (
            &json!("main"),
            &json!(head),
            &json!("origin/main"),
            &json!("env_test")
        ),
        "{preview:#}"
    );
    assert!(
        shown["does_not_see"].as_str().unwrap().contains("uncommitted"),
        "{shown:#}"
    );
    assert!(
        shown["leaves_this_machine"].as_str().unwrap().contains("prompt"),
        "{shown:#}"
    );
    assert_eq!(cloud.calls(), Vec::<String>::new(), "a preview asks nobody");
    // The deadline is the service's; what is ours is how long the task is followed.
    assert_eq!(preview["limits"]["timeout_s"], 7 * 24 * 60 * 60, "{preview:#}");

    let id = started(&world, &mut server, &arguments);
    let (words, prompt) = cloud.task(1);
    assert_eq!(words, "--env=env_test --branch=main --attempts=1 -");
    assert!(prompt.contains("Do it.") && !prompt.contains("JSON"), "{prompt}");
    wait_until("the worker's end", || {
        !is_held(&world.job(&id).join("worker.lock"))
    });
    let running = server.ok("job", &json!({"id": id}));
    let job = &running["job"];
    assert_eq!(
        (&job["state"], &job["remote"]["url"]),
        (&json!("running"), &json!(URL)),
        "{running:#}"
    );
    assert!(job["deadline_at"].is_null(), "{job:#}");
    // Nobody here knows what it may do there.
    for name in ["sandbox", "isolation", "tools", "model"] {
        assert!(running["meta"][name].is_null(), "{name}: {running:#}");
        assert!(preview["meta"][name].is_null(), "{name}: {preview:#}");
    }
    // It cannot be ended from here, and where it starts is not known for sure.
    assert!(
        running["next_steps"].to_string().contains("no command that ends"),
        "{running:#}"
    );
    assert!(
        running["warnings"].to_string().contains("may have moved on"),
        "{running:#}"
    );
    // The same call again is the same job.
    assert_eq!(cloud.submitted(), 1);

    cloud.is_done(&[DIFF]);
    let done = over(&mut server, &id);
    assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
    assert_eq!(
        (
            &done["diffstat"]["files"],
            &done["diffstat"]["added"],
            &done["applies"]
        ),
        (&json!(1), &json!(1), &json!("clean")),
        "what the service counts is not believed: {done:#}"
    );
    let codes: Vec<&Value> = done["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["exit_code"])
        .collect();
    assert_eq!(codes, [&json!(0), &json!(0)], "{done:#}");
    assert!(done["diff"].as_str().unwrap().contains("+TWO"), "{done:#}");
    assert!(done["report"].as_str().unwrap().contains(URL), "{done:#}");
    nothing_is_left(&world, &cloud, &before);

    let preview = server.ok("dry_run", &json!({"tool": "apply", "arguments": {"id": id}}));
    server.ok(
        "apply",
        &json!({"id": id, "action": "land", "token": preview["token"]}),
    );
    assert_eq!(
        fs::read_to_string(world.work().join("src/a.txt")).unwrap(),
        "one\nTWO\nthree\n"
    );
    server.ok("apply", &json!({"id": id, "action": "undo"}));
    assert_eq!(contents(&world.work()), before);
    let forgotten = server.ok("cancel", &json!({"id": id, "forget": true}));
    assert!(
        forgotten["record"]["spec"]["expects"]["delegation"]["cloud"].is_object(),
        "{forgotten:#}"
    );
    assert_eq!(cloud.submitted(), 1);
}

/// Ends a process that this test started, as an out-of-memory killer would, and waits until it is gone.
fn kill(pid: u32) {
    let ended = std::process::Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(ended.unwrap().success());
    wait_until("the end of what was killed", || !is_alive(pid.into()));
}

/// Ends the codex of a job, the first that it started.
fn kill_codex_of(job: &Path) {
    let note = fs::read(job.join("peers/1")).unwrap();
    let codex: Value = serde_json::from_slice(&note).unwrap();
    kill(codex["pid"].as_u64().unwrap().try_into().unwrap());
}

/// The worker of a job that has no peer now.
fn fetcher_of(world: &World, id: &str) -> u32 {
    let all = with_folder("CROSSCHECK_STATE_DIR", &world.home.state());
    let is_it = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("\0worker\0") && line.contains(id)
    };
    all.into_iter()
        .map(|process| process.pid)
        .find(|pid| is_it(*pid))
        .unwrap()
}

fn is_held(lock: &Path) -> bool {
    fs::File::open(lock).is_ok_and(|file| file.try_lock().is_err())
}

#[test]
fn one_process_follows_while_nobody_looks() {
    let (world, cloud) = world();
    let before = contents(&world.work());
    let mut server = world.server();
    let one = started(&world, &mut server, &task("One."));
    let two = started(&world, &mut server, &task("Two."));
    server.kill();
    cloud.is_done(&[DIFF]);
    for id in [&one, &two] {
        let result = world.job(id).join("result.json");
        wait_until("the result that nobody asked for", || result.exists());
    }
    nothing_is_left(&world, &cloud, &before);
    // Ten seconds apart at least, so few questions were asked.
    let asked = cloud
        .calls()
        .iter()
        .filter(|call| call.starts_with("status"))
        .count();
    assert!((2..=8).contains(&asked), "{:?}", cloud.calls());
    let told = world.server().ok("job", &json!({"id": one}));
    assert_eq!(told["job"]["state"], "succeeded", "{told:#}");
}

#[test]
fn attempts_are_one_submission_and_a_group_with_a_score_sheet() {
    let (world, cloud) = world();
    let before = contents(&world.work());
    let mut server = world.server();
    let mut arguments = task("Do it.");
    arguments["attempts"] = json!(2);
    arguments["checks"] = json!(["grep -q TWO src/a.txt"]);
    let told = server.ok("delegate", &arguments);
    let group = told["job"]["id"].as_str().unwrap().to_owned();
    wait_until("both attempts to know their task", || {
        world.jobs().len() == 2 && world.jobs().iter().all(|job| job.join("task.json").exists())
    });
    assert_eq!(cloud.submitted(), 1);
    assert_eq!(cloud.task(1).0, "--env=env_test --branch=main --attempts=2 -");
    cloud.is_done(&[OTHER, DIFF]);
    let done = over(&mut server, &group);
    assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
    let attempts = done["tasks"][0]["attempts"].as_array().unwrap();
    let passed: Vec<&Value> = attempts
        .iter()
        .map(|attempt| &attempt["checks"]["passed"])
        .collect();
    assert_eq!(passed, [&json!(0), &json!(1)], "{done:#}");
    assert!(
        done["summary"]
            .as_str()
            .unwrap()
            .contains("attempt 2 of 2 is best"),
        "{done:#}"
    );
    let best = attempts[1]["job"].as_str().unwrap();
    let preview = server.ok("dry_run", &json!({"tool": "apply", "arguments": {"id": best}}));
    assert!(preview["token"].is_string(), "{preview:#}");
    nothing_is_left(&world, &cloud, &before);
    assert!(
        cloud
            .calls()
            .iter()
            .filter(|call| call.starts_with("diff"))
            .all(|call| call.contains("--attempt="))
    );
}

#[test]
fn two_runners_share_one_group_and_its_forecast() {
    let (world, cloud) = world();
    world.configure(&format!("{CONFIG}[limits]\nconcurrency = 2\n"));
    let mut server = world.server();
    let local = "Do it. [[fake:shell cmd=\"sed -i s/two/zwei/ src/a.txt\"]]";
    let told = server.ok(
        "delegate",
        &json!({"tasks": [
            {"id": "here", "task": local},
            {"id": "there", "task": "Do it.", "runner": "cloud"},
        ], "background": true}),
    );
    let group = told["job"]["id"].as_str().unwrap().to_owned();
    assert!(
        told["job"]["deadline_at"].is_null(),
        "the service's is not known: {told:#}"
    );
    wait_until("the task to be handed over", || cloud.submitted() == 1);
    cloud.is_done(&[DIFF]);
    let done = over(&mut server, &group);
    assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
    assert_eq!(done["overlap"][0]["tasks"], json!(["here", "there"]), "{done:#}");
    assert_eq!(done["overlap"][0]["together"], "conflicts", "{done:#}");
    assert_eq!(done["job"]["limits"]["timeout_s"], 7 * 24 * 60 * 60, "{done:#}");
    assert_eq!(done["tasks"].as_array().unwrap().len(), 2);
}

#[test]
fn what_nobody_can_tell_is_lost_and_never_sent_again() {
    let (world, cloud) = world();
    let mut server = world.server();
    cloud.says(
        "exec",
        "",
        "Error: http error: create_task failed: POST https://chatgpt.com/backend-api/wham/tasks failed: 502 Bad Gateway; \
         content-type=text/html; body=<html>canary</html>\n",
        1,
    );
    let mut arguments = task("Do it.");
    arguments["options"]["idempotency_key"] = json!("once");
    arguments.as_object_mut().unwrap().remove("background");
    arguments["wait_s"] = json!(60);
    for _ in 0..2 {
        let lost = server.fault("delegate", &arguments, "job_lost");
        let text = lost.to_string();
        assert!(
            text.contains("codex cloud list") && text.contains("not sent again"),
            "{lost:#}"
        );
        assert!(!text.contains("canary"), "{lost:#}");
        assert_eq!(lost["job"]["state"], "lost");
    }
    assert_eq!(cloud.submitted(), 1, "the same call is the same job");
    following_ends(&world);
}

#[test]
fn an_address_that_a_killed_worker_did_not_live_to_keep_is_found() {
    let (world, cloud) = world();
    let mut server = world.server();
    cloud.hold("exec");
    let told = server.ok("delegate", &task("Do it."));
    let id = told["job"]["id"].as_str().unwrap().to_owned();
    wait_until("codex to have the prompt", || cloud.has_prompt(1));
    let worker = worker_of(&world.job(&id));
    kill(worker);
    wait_until("the worker's death", || {
        !is_held(&world.job(&id).join("worker.lock"))
    });
    cloud.let_go("exec");
    let printed = world.job(&id).join("submit.out");
    wait_until("the address", || {
        fs::read_to_string(&printed).is_ok_and(|text| text.ends_with('\n'))
    });
    cloud.is_done(&[DIFF]);
    let done = over(&mut server, &id);
    assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
    assert_eq!(cloud.submitted(), 1);
}

#[test]
fn a_submission_that_died_half_way_is_lost_with_the_advice_to_look() {
    let (world, cloud) = world();
    let mut server = world.server();
    cloud.hold("exec");
    let mut arguments = task("Do it.");
    arguments["attempts"] = json!(2);
    let told = server.ok("delegate", &arguments);
    let group = told["job"]["id"].as_str().unwrap().to_owned();
    wait_until("codex to have the prompt", || cloud.has_prompt(1));
    let first = world
        .jobs()
        .into_iter()
        .find(|job| job.join("sent").exists())
        .unwrap();
    let worker = worker_of(&first);
    kill(worker);
    wait_until("the worker's death", || !is_held(&first.join("worker.lock")));
    // As long as codex lives it may hand the task over, and nobody says that anything is lost.
    let told = server.ok("job", &json!({"id": group}));
    assert_eq!(told["job"]["state"], "running", "{told:#}");
    kill_codex_of(&first);
    let lost = seen_lost(&mut server, &group);
    assert!(
        lost["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no run of the group"),
        "{lost:#}"
    );
    for job in world.jobs() {
        let id = job.file_name().unwrap().to_str().unwrap().to_owned();
        let lost = seen_lost(&mut server, &id);
        assert!(lost.to_string().contains("codex cloud list"), "{lost:#}");
    }
    assert_eq!(cloud.submitted(), 1);
}

/// Two attempts whose hand-over died half-way, with their server: the one that handed over, and the one that waited for it.
fn half_way(world: &World, cloud: &Cloud) -> (PathBuf, PathBuf) {
    let mut server = world.server();
    cloud.hold("exec");
    let mut arguments = task("Do it.");
    arguments["attempts"] = json!(2);
    server.ok("delegate", &arguments);
    wait_until("codex to have the prompt", || cloud.has_prompt(1));
    server.kill();
    let (lead, waiting): (Vec<PathBuf>, Vec<PathBuf>) = world
        .jobs()
        .into_iter()
        .partition(|job| job.join("sent").exists());
    kill(worker_of(&lead[0]));
    kill_codex_of(&lead[0]);
    wait_until("the worker's death", || !is_held(&lead[0].join("worker.lock")));
    (lead[0].clone(), waiting[0].clone())
}

#[test]
fn an_attempt_whose_sender_is_gone_does_not_say_that_nothing_was_paid() {
    let (world, cloud) = world();
    let (lead, waiting) = half_way(&world, &cloud);
    fs::remove_dir_all(lead).unwrap();
    let id = waiting.file_name().unwrap().to_str().unwrap().to_owned();
    let lost = seen_lost(&mut world.server(), &id);
    let text = lost.to_string();
    assert!(
        text.contains("codex cloud list") && !text.contains("nothing was paid"),
        "{lost:#}"
    );
}

#[test]
fn an_attempt_that_waits_for_its_sender_sends_nothing_itself() {
    let (world, cloud) = world();
    let (lead, waiting) = half_way(&world, &cloud);
    fs::remove_dir_all(lead).unwrap();
    let lock = fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(waiting.join("worker.lock"))
        .unwrap();
    lock.try_lock().unwrap();
    cloud.let_go("exec");
    let mut worker = world.home.command(PROGRAM);
    worker.arg("worker").arg(&waiting).stdin(lock);
    assert!(worker.status().unwrap().success());
    assert_eq!(cloud.submitted(), 1);
    let id = waiting.file_name().unwrap().to_str().unwrap().to_owned();
    let lost = seen_lost(&mut world.server(), &id);
    assert!(lost.to_string().contains("codex cloud list"), "{lost:#}");
}

#[test]
fn a_look_at_many_tasks_waits_for_a_silent_service_once() {
    let (world, cloud) = world();
    let mut server = world.server();
    let tasks: Vec<Value> = (1..=4)
        .map(|number| json!({"id": format!("t{number}"), "task": "Do it.", "runner": "cloud"}))
        .collect();
    let told = server.ok("delegate", &json!({"tasks": tasks, "background": true}));
    let group = told["job"]["id"].as_str().unwrap().to_owned();
    wait_until("all tasks to be handed over", || {
        let jobs = world.jobs();
        jobs.len() == 4 && jobs.iter().all(|job| job.join("task.json").exists())
    });
    cloud.hold("status");
    let mut took = std::time::Duration::ZERO;
    // What was handed over or asked about a moment ago is not asked about.
    wait_until("a look that asks", || {
        let begun = std::time::Instant::now();
        let told = server.ok("job", &json!({"id": group}));
        assert_eq!(told["job"]["state"], "running", "{told:#}");
        took = begun.elapsed();
        took.as_secs() >= 4
    });
    // One question is given eight seconds.
    assert!(took.as_secs() < 16, "{took:?}");
    cloud.let_go("status");
    // Nobody is left behind.
    cloud.is_done(&[DIFF]);
    over(&mut server, &group);
    following_ends(&world);
}

#[test]
fn a_lost_job_that_nobody_looks_at_is_ended_and_followed_no_more() {
    let (world, cloud) = world();
    let mut server = world.server();
    cloud.hold("exec");
    let told = server.ok("delegate", &task("Do it."));
    let job = world.job(told["job"]["id"].as_str().unwrap());
    wait_until("codex to have the prompt", || cloud.has_prompt(1));
    // Whoever looks starts the one who follows.
    server.ok("job", &json!({"id": told["job"]["id"]}));
    wait_until("the one who follows", || {
        is_held(&world.home.state().join("follower.lock"))
    });
    server.kill();
    kill(worker_of(&job));
    kill_codex_of(&job);
    wait_until("the result that nobody asked for", || {
        job.join("result.json").exists()
    });
    following_ends(&world);
}

#[test]
fn what_cannot_be_seen_goes_on_and_is_told_as_unreachable() {
    let (world, cloud) = world();
    let mut server = world.server();
    let id = started(&world, &mut server, &task("Do it."));
    let page = "<!doctype html><title>canary</title>";
    let http = |status: &str| {
        format!(
            "Error: http error: get_task_details failed: GET https://chatgpt.com/backend-api/wham/tasks/task_e_1 failed: {status}; \
             content-type=text/html; body={page}\n"
        )
    };
    for (stdout, stderr, said) in [
        ("", http("404 Not Found").as_str(), "404"),
        (
            "",
            http("401 Unauthorized").as_str(),
            "run `codex login` and choose ChatGPT",
        ),
        ("", http("503 Service Unavailable").as_str(), "503"),
        (page, "", "not understood"),
        ("[REA", "", "not understood"),
    ] {
        cloud.says("status", stdout, stderr, 1);
        wait_until("the look to tell", || {
            let told = server.ok("job", &json!({"id": id}));
            assert_eq!(told["job"]["state"], "running", "{told:#}");
            assert!(!told.to_string().contains("canary"), "{told:#}");
            let why = told["job"]["remote"]["unreachable"]["why"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            why.contains(said) && told["job"]["phase"].as_str().unwrap().starts_with("unreachable")
        });
    }
    // It flaps: done, pending, done.
    cloud.is_done(&[DIFF]);
    cloud.says(
        "diff.1",
        "",
        "Error: No diff available for task task_e_1; it may still be running.\n",
        1,
    );
    cloud.says_next("status", &["[READY] x\n", "[PENDING] x\n"]);
    wait_until("a look at the diff that was not there yet", || {
        server.ok("job", &json!({"id": id}));
        cloud.calls().iter().any(|call| call.starts_with("diff"))
    });
    cloud.is_done(&[DIFF]);
    assert_eq!(over(&mut server, &id)["job"]["state"], "succeeded");
}

#[test]
fn a_worker_that_is_told_to_end_leaves_a_fetched_diff_to_the_next_one() {
    let (world, cloud) = world();
    world.configure(&format!("{CONFIG}[limits]\nconcurrency = 1\n"));
    let mut server = world.server();
    // It holds the only slot, which the checks need.
    let busy = server.ok(
        "delegate",
        &json!({"task": "Do it. [[fake:shell cmd=\"while [ ! -e go ]; do sleep 0.05; done\"]]", "background": true}),
    );
    let busy = busy["job"]["id"].as_str().unwrap().to_owned();
    wait_until("the slot to be taken", || {
        world.job(&busy).join("peers/1").exists()
    });
    let mut arguments = task("Do it.");
    arguments["checks"] = json!(["grep -q TWO src/a.txt"]);
    let id = started(&world, &mut server, &arguments);
    wait_until("the first worker's end", || {
        !is_held(&world.job(&id).join("worker.lock"))
    });
    cloud.is_done(&[DIFF]);
    let diff = world.job(&id).join("remote.diff");
    wait_until("the diff", || {
        server.ok("job", &json!({"id": id}));
        diff.exists()
    });
    // As a machine does that is switched off.
    let worker = fetcher_of(&world, &id);
    let ended = std::process::Command::new("kill")
        .arg(worker.to_string())
        .status();
    assert!(ended.unwrap().success());
    wait_until("the worker's end", || {
        !Path::new(&format!("/proc/{worker}")).exists()
    });
    assert!(
        !world.job(&id).join("result.json").exists(),
        "what was paid for is no refuse"
    );
    server.call("cancel", &json!({"id": busy}));
    let done = over(&mut server, &id);
    assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
    assert_eq!(done["checks"][0]["exit_code"], 0, "{done:#}");
}

#[test]
fn failed_checks_offer_nothing_that_is_refused_there() {
    let (world, cloud) = world();
    let mut server = world.server();
    let mut arguments = task("Do it.");
    arguments["checks"] = json!(["false"]);
    let id = started(&world, &mut server, &arguments);
    cloud.is_done(&[DIFF]);
    let done = over(&mut server, &id);
    assert_eq!(done["checks"][0]["exit_code"], 1, "{done:#}");
    assert!(!done["next_steps"].to_string().contains("resume"), "{done:#}");
    let preview = server.ok("dry_run", &json!({"tool": "apply", "arguments": {"id": id}}));
    let land = json!({"id": id, "action": "land", "token": preview["token"]});
    let refused = server.fault("apply", &land, "checks_failed");
    let text = format!("{preview} {refused}");
    assert!(!text.contains("resume"), "{preview:#} {refused:#}");
    let hint = refused["error"]["repair"]["hint"].as_str().unwrap();
    assert!(hint.contains("repeat the call"), "{hint}");
}

#[test]
fn a_diff_that_does_not_fit_is_kept_as_it_came() {
    let (world, cloud) = world();
    let mut server = world.server();
    let id = started(&world, &mut server, &task("Do it."));
    let cut = &DIFF[..DIFF.len() - 7];
    cloud.is_done(&[cut]);
    let failed = over(&mut server, &id);
    assert_eq!(failed["error"]["code"], "peer_bad_output", "{failed:#}");
    let kept = world.job(&id).join("remote.diff");
    assert_eq!(fs::read_to_string(&kept).unwrap(), cut);
    assert!(
        failed.to_string().contains(kept.to_str().unwrap()) && failed.to_string().contains(URL),
        "{failed:#}"
    );
    following_ends(&world);
    let fetched = cloud
        .calls()
        .iter()
        .filter(|call| call.starts_with("diff"))
        .count();
    assert_eq!(fetched, 3, "it is tried again, and not for ever");
}

#[test]
fn a_codex_that_was_moved_by_an_update_is_found_again() {
    let (mut world, cloud) = world();
    let mut server = world.server();
    let id = started(&world, &mut server, &task("Do it."));
    server.kill();
    let elsewhere = cloud.program().with_file_name("codex-of-tomorrow");
    fs::rename(cloud.program(), &elsewhere).unwrap();
    world.home = world.home.with_variable("CROSSCHECK_CODEX_BIN", elsewhere);
    cloud.is_done(&[DIFF]);
    let done = over(&mut world.server(), &id);
    assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
    assert_eq!(cloud.submitted(), 1);
}

#[test]
fn a_cancel_says_what_it_could_do() {
    let (world, cloud) = world();
    let before = contents(&world.work());
    let mut server = world.server();
    let id = started(&world, &mut server, &task("Do it."));
    let ended = server.ok("cancel", &json!({"id": id}));
    assert_eq!(ended["job"]["state"], "cancelled", "{ended:#}");
    let summary = ended["summary"].as_str().unwrap();
    assert!(
        summary.contains("goes on at") && summary.contains(URL),
        "{summary}"
    );
    let again = server.fault("job", &json!({"id": id}), "cancelled");
    assert!(
        again["error"]["message"].as_str().unwrap().contains("goes on at"),
        "{again:#}"
    );
    nothing_is_left(&world, &cloud, &before);
}

#[test]
fn an_error_there_is_a_failure_here() {
    let (world, cloud) = world();
    let mut server = world.server();
    let id = started(&world, &mut server, &task("Do it."));
    cloud.says(
        "diff.1",
        "",
        "Error: No diff available for task task_e_1; it may still be running.\n",
        1,
    );
    cloud.says("status", "[ERROR] Do it\nweb  •  1m ago\n", "", 1);
    let failed = over(&mut server, &id);
    assert_eq!(failed["error"]["code"], "peer_failed", "{failed:#}");
    assert!(
        failed["error"]["message"].as_str().unwrap().contains(URL),
        "{failed:#}"
    );
}

#[test]
fn what_the_service_would_not_see_is_refused() {
    let (world, cloud) = world();
    let mut server = world.server();
    world.write("src/a.txt", "one\nchanged\nthree\n");
    let refused = server.fault("delegate", &task("Do it."), "dirty_workspace");
    assert_eq!(refused["error"]["allowed"], json!(["committed"]), "{refused:#}");
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("src/a.txt"),
        "{refused:#}"
    );
    let mut committed = task("Do it.");
    committed["dirty"] = json!("committed");
    let preview = server.ok("dry_run", &json!({"tool": "delegate", "arguments": committed}));
    assert_eq!(preview["baseline"]["uncommitted"]["count"], 0, "{preview:#}");
    world.git(&["commit", "-qam", "two"]);
    let refused = server.fault("delegate", &committed, "dirty_workspace");
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("origin/main"),
        "{refused:#}"
    );
    // The remote branch is ahead: its tip counts.
    world.git(&["push", "-q"]);
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let preview = server.ok("dry_run", &json!({"tool": "delegate", "arguments": committed}));
    assert!(
        preview["warnings"]
            .to_string()
            .contains("has commits that are not checked out"),
        "{preview:#}"
    );
    world.git(&["checkout", "-q", "--detach"]);
    server.fault("delegate", &committed, "dirty_workspace");
    for (name, value) in [
        ("model", json!("m")),
        ("base", json!("HEAD")),
        ("effort", json!("low")),
    ] {
        let mut more = committed.clone();
        more[name] = value;
        server.fault("delegate", &more, "invalid_arguments");
    }
    let mut more = committed.clone();
    more["options"]["timeout_s"] = json!(60);
    server.fault("delegate", &more, "invalid_arguments");
    assert_eq!(cloud.calls(), Vec::<String>::new());
    assert_eq!(world.jobs().len(), 0);
}

#[test]
fn only_the_users_own_configuration_names_an_environment() {
    let (world, cloud) = world();
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n");
    world.write(
        ".crosscheck/config.toml",
        "[runner.cloud]\nenv = \"env_of_the_project\"\n",
    );
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "settings"]);
    world.git(&["push", "-q"]);
    let mut server = world.server();
    let refused = server.fault("delegate", &task("Do it."), "config_invalid");
    assert!(refused.to_string().contains("[runner.cloud] env"), "{refused:#}");
    assert!(!refused.to_string().contains("env_of_the_project"), "{refused:#}");
    assert_eq!(cloud.calls(), Vec::<String>::new());
}

#[test]
fn without_a_login_one_sentence_says_what_is_missing() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let (world, cloud) = around(model, home);
    let mut server = world.server();
    let refused = server.fault("delegate", &task("Do it."), "peer_not_authenticated");
    let error = &refused["error"];
    assert_eq!(
        error["message"], "codex is not signed in, and Codex Cloud needs a ChatGPT login",
        "{error:#}"
    );
    assert_eq!(error["repair"]["hint"], "run `codex login` and choose ChatGPT");
    let told = server.ok("status", &json!({"topic": "runners"}));
    check_schema(&told);
    assert_eq!(told["runners"][1]["usable"], false, "{told:#}");
    assert!(
        told["summary"]
            .as_str()
            .unwrap()
            .contains("not signed in with ChatGPT"),
        "{told:#}"
    );
    assert_eq!(cloud.calls(), Vec::<String>::new());
    assert_eq!(world.jobs().len(), 0);
    // All that is missing is told at once, and what to do about each, in a terminal too.
    world.configure("[env]\npass = [\"FAKE_KEY\"]\n");
    let mut command = world.home.command(PROGRAM);
    command.args(["status", "--topic", "runners"]);
    let shown = finish(command, "");
    assert!(
        shown.stdout.contains("[runner.cloud] env is not set"),
        "{shown:#?}"
    );
    assert!(
        shown.stderr.contains("codex login") && shown.stderr.contains("codex cloud"),
        "{shown:#?}"
    );
}

#[test]
fn status_tells_the_environments_and_why_one_cannot_be_used() {
    let (world, cloud) = world();
    let mut server = world.server();
    let list = r#"{"tasks":[{"id":"task_e_9","url":"u","title":"t","status":"ready","updated_at":"x","environment_id":"env_test",
        "environment_label":"web","summary":{"files_changed":-3},"is_review":false,"attempt_total":1}],"cursor":null}"#;
    cloud.says("list", list, "", 0);
    let told = server.ok("status", &json!({"topic": "runners"}));
    let cloud_row = &told["runners"][1];
    assert_eq!(cloud_row["usable"], true, "{told:#}");
    assert_eq!(
        cloud_row["environments"],
        json!([{"id": "env_test", "label": "web"}])
    );
    assert_eq!(cloud_row["branch"]["name"], "main");
    cloud.says(
        "list",
        "",
        "Error: environment 'env_test' not found; run `codex cloud` to list available environments\n",
        1,
    );
    let told = server.ok("status", &json!({"topic": "runners"}));
    assert_eq!(told["runners"][1]["usable"], false, "{told:#}");
    assert!(
        told["next_steps"].to_string().contains("[runner.cloud] env"),
        "{told:#}"
    );
}

/// The real program, with a home of its own and no network: its help names what it is started with, and it writes its log
/// where it runs.
#[test]
fn the_real_program_knows_what_it_is_started_with() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    for program in [peers::codex_oldest(), peers::codex()] {
        real(&home, &program);
    }
}

fn real(home: &Home, program: &Path) {
    let log = home.work().join("error.log");
    let _ = fs::remove_file(&log);
    let run = |words: &[&str]| {
        let mut command = home.command(program);
        // Whatever it believes about networks, it reaches none.
        command
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("https_proxy", "http://127.0.0.1:9");
        command.args(words).current_dir(home.work());
        finish(command, "Do it.")
    };
    for (verb, flags) in [
        ("exec", &["--env <", "--branch <", "--attempts <", "[QUERY]"][..]),
        ("status", &["<TASK_ID>"]),
        ("diff", &["--attempt <", "<TASK_ID>"]),
        ("list", &["--json", "--limit <", "--env <", "--cursor <"]),
    ] {
        let help = run(&["cloud", verb, "--help"]);
        assert!(help.status.success(), "{help:?}");
        for flag in flags {
            assert!(help.stdout.contains(flag), "{verb} {flag}: {}", help.stdout);
        }
    }
    for words in [
        &["cloud", "exec", "--env=e", "--branch=b", "--attempts=2", "-"][..],
        &["cloud", "status", "--", "task_e_1"],
        &["cloud", "diff", "--attempt=1", "--", "task_e_1"],
        &["cloud", "list", "--json", "--limit=20", "--env=e", "--cursor=c"],
    ] {
        let refused = run(words);
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {refused:?}");
        assert!(refused.stderr.contains("Not signed in"), "{words:?}: {refused:?}");
        assert_eq!(refused.stdout, "");
    }
    assert!(log.exists(), "so it is run where that harms nobody");
    // It has no command that ends a task, so a cancel cannot.
    let help = run(&["cloud", "--help"]);
    assert!(!help.stdout.contains("cancel"), "{}", help.stdout);
}
