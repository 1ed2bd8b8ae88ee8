//! A session is told that its job is over: once, without being asked, and no other one.

use std::fs;
use std::path::{Path, PathBuf};

use crosscheck::sys::lock::SharedLock;
use crosscheck::sys::signal::with_folder;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::live::{Live, call};
use crate::outliving::Thinking;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::world::{Way, World};

/// What is promised is two seconds. A machine that builds and runs other tests at once gets more.
const WAKE_MS: u64 = 10_000;

fn both() -> [PathBuf; 2] {
    [peers::claude_197(), peers::claude_newest()]
}

/// A model that thinks until it is let go, and a world with it.
fn world(claude: &Path) -> (Thinking, FakeModel, World) {
    let thinking = Thinking::default();
    let model = FakeModel::start(thinking.clone());
    let world = World::new(&model.base_url(), claude, Way::PluginDir);
    (thinking, model, world)
}

fn question(words: &str) -> String {
    call("consult", &json!({"prompt": words, "background": true}))
}

pub(crate) fn result(world: &World, job: &str) -> Option<Value> {
    let path = world.state().join("jobs").join(job).join("result.json");
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn now_ms() -> u64 {
    crosscheck::sys::clock::now_ms()
}

/// Waits until the job has ended, and the session was told of it without a prompt.
pub(crate) fn assert_woken(world: &World, session: &Live, job: &str) {
    wait_until("the job to end", || result(world, job).is_some());
    wait_until("the session to be told", || session.told(job) > 0);
    let ended = result(world, job)
        .and_then(|result| result["ended_ms"].as_u64())
        .expect("a result says when");
    let late = now_ms().saturating_sub(ended);
    assert!(late < WAKE_MS, "told {late} ms after the end");
    assert_eq!(session.told(job), 1, "{}", session.last());
    let last = session.last();
    assert!(
        last.contains("task-notification") && last.contains("Codex job finished"),
        "{last}"
    );
    assert!(last.contains("mcp__plugin_codex_codex__job (id "), "{last}");
}

/// Processes with the state directory of this world.
pub(crate) fn left(world: &World) -> usize {
    with_folder("CROSSCHECK_STATE_DIR", &world.state()).len()
}

fn check_program(claude: &Path) {
    let (thinking, _model, world) = world(claude);
    let mut session = Live::program(&world, &[]);
    session.prompt(&question("Is it right?"));
    let job = session.job();
    assert_eq!(session.told(&job), 0);
    thinking.let_go();
    assert_woken(&world, &session, &job);
    session.prompt("Anything else?");
    assert_eq!(session.told(&job), 1, "once: {}", session.last());
    session.end();
    wait_until("nobody to be left", || left(&world) == 0);
}

#[test]
fn a_background_job_wakes_an_idle_session_of_the_oldest_claude_code_once() {
    check_program(&peers::claude_197());
}

#[test]
fn a_background_job_wakes_an_idle_session_of_the_newest_claude_code_once() {
    check_program(&peers::claude_newest());
}

fn check_terminal(claude: &Path) {
    let (thinking, _model, world) = world(claude);
    let mut session = Live::terminal(&world);
    session.type_line(&question("Is it rightly so?"), "rightly");
    let job = session.job();
    let answer = session.last();
    assert!(
        answer.contains("The session that started it is told when it is over"),
        "{answer}"
    );
    session.type_line("/clear", "clear");
    thinking.let_go();
    assert_woken(&world, &session, &job);
    wait_until("the person to see it", || session.shows("Codex job finished"));
    session.kill();
    wait_until("nobody to be left", || left(&world) == 0);
}

#[test]
fn a_terminal_of_the_oldest_claude_code_is_woken_after_clear() {
    check_terminal(&peers::claude_197());
}

#[test]
fn a_terminal_of_the_newest_claude_code_is_woken_after_clear() {
    check_terminal(&peers::claude_newest());
}

#[test]
fn of_two_sessions_in_one_repository_only_the_one_that_asked_is_told() {
    for claude in both() {
        let (thinking, _model, world) = world(&claude);
        let mut other = Live::program(&world, &[]);
        other.prompt("Hello.");
        let mut session = Live::program(&world, &[]);
        session.prompt(&question("Is it right?"));
        let job = session.job();
        thinking.let_go();
        assert_woken(&world, &session, &job);
        let before = other.requests();
        other.prompt("Anything new?");
        assert_eq!(
            (other.requests(), other.told(&job)),
            (before + 1, 0),
            "{}",
            other.last()
        );
    }
}

#[test]
fn a_session_is_not_told_of_what_it_has_read() {
    for claude in both() {
        let (thinking, model, world) = world(&claude);
        let mut session = Live::program(&world, &[]);
        // Read by a look at a job that runs in the background and ends while it is waited for, and by the call itself.
        session.prompt(&question("Is it right?"));
        let first = session.job();
        let waiting = world.state().join("jobs").join(&first).join("waiting");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_until("the look to wait", || SharedLock::others_hold(&waiting));
                thinking.let_go();
            });
            session.prompt(&call("job", &json!({"id": first, "wait_s": 60})));
        });
        session.prompt(&call("consult", &json!({"prompt": "Is it right?"})));
        let second = session.job();
        let before = session.requests();
        session.prompt("Anything new?");
        assert_eq!(session.requests(), before + 1, "{}", session.last());
        for job in [&first, &second] {
            assert!(world.state().join("jobs").join(job).join("fetched").exists());
        }
        assert_eq!(session.told(&first), 0, "{}", session.last());
        assert_eq!(model.turns().len(), 2);
    }
}

#[test]
fn a_task_is_told_with_the_way_to_its_preview() {
    let (thinking, _model, world) = world(&peers::claude_newest());
    let mut session = Live::program(&world, &[]);
    session.prompt(&call("delegate", &json!({"task": "Do it.", "background": true})));
    let job = session.job();
    thinking.let_go();
    assert_woken(&world, &session, &job);
    let last = session.last();
    assert!(
        last.contains("Nothing was applied") && last.contains("mcp__plugin_codex_codex__dry_run"),
        "{last}"
    );
}

#[test]
fn several_attempts_are_told_once_when_the_last_one_is_over() {
    let (thinking, model, world) = world(&peers::claude_newest());
    let mut session = Live::program(&world, &[]);
    session.prompt(&call(
        "delegate",
        &json!({"task": "Do it.", "attempts": 2, "background": true}),
    ));
    let group = session.job();
    // The model thinks about one at a time.
    model.wait_for_turns(1);
    thinking.let_go();
    wait_until("the session to be told", || session.told(&group) > 0);
    assert!(
        session.last().contains("2 of 2 runs with a result"),
        "{}",
        session.last()
    );
    let jobs = fs::read_dir(world.state().join("jobs")).expect("there are jobs");
    let jobs: Vec<String> = jobs
        .flatten()
        .map(|job| job.file_name().into_string().expect("an id is plain"))
        .collect();
    assert_eq!(jobs.len(), 2);
    session.prompt("Anything else?");
    assert_eq!(session.told(&group), 1, "{}", session.last());
    for job in &jobs {
        assert_eq!(session.told(job), 0, "{}", session.last());
    }
}

#[test]
fn a_job_whose_worker_was_killed_is_told_as_lost() {
    for claude in both() {
        let (_thinking, model, world) = world(&claude);
        let mut session = Live::program(&world, &[]);
        session.prompt(&question("Is it right?"));
        let job = session.job();
        model.wait_for_turns(1);
        for worker in workers(&world) {
            worker.signal(Signal::KILL);
        }
        assert_woken(&world, &session, &job);
        assert_eq!(result(&world, &job).expect("it has one")["state"], "lost");
    }
}

fn runs(pid: u32, program: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == program)
}

/// The processes that own the jobs of a world.
fn workers(world: &World) -> Vec<crosscheck::sys::signal::ProcessIdentity> {
    let all = with_folder("CROSSCHECK_STATE_DIR", &world.state());
    let is_worker = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"worker")
    };
    all.into_iter().filter(|process| is_worker(process.pid)).collect()
}

#[test]
fn a_conversation_that_is_taken_up_again_is_told_what_ended_meanwhile() {
    for claude in both() {
        let (thinking, _model, world) = world(&claude);
        let mut session = Live::program(&world, &[]);
        session.prompt(&question("Is it right?"));
        let (job, name) = (session.job(), session.name());
        session.end();
        thinking.let_go();
        wait_until("the job to end", || result(&world, &job).is_some());
        let mut resumed = Live::program(&world, &["--resume", &name]);
        resumed.prompt("Where were we?");
        assert_eq!(resumed.told(&job), 1, "{}", resumed.last());
    }
}

#[test]
fn who_does_not_want_to_be_told_is_not() {
    for claude in both() {
        let thinking = Thinking::default();
        let model = FakeModel::start(thinking.clone());
        let world = World::new(&model.base_url(), &claude, Way::FolderMarketplace);
        world.configure("notify=false");
        let mut session = Live::program(&world, &[]);
        session.prompt(&question("Is it right?"));
        let job = session.job();
        thinking.let_go();
        wait_until("the job to end", || result(&world, &job).is_some());
        session.prompt("Anything new?");
        assert_eq!(session.told(&job), 0, "{}", session.last());
        assert!(!world.state().join("sessions").exists());
    }
}

#[test]
fn nothing_outlives_a_killed_host_but_the_job() {
    for claude in both() {
        let (thinking, model, world) = world(&claude);
        let mut session = Live::terminal(&world);
        session.type_line(&question("Is it rightly so?"), "rightly");
        model.wait_for_turns(1);
        let host = with_folder("CROSSCHECK_STATE_DIR", &world.state());
        let host = host.into_iter().find(|process| runs(process.pid, &claude));
        host.expect("Claude Code runs").signal(Signal::KILL);
        wait_until("the job to be alone", || {
            let all = with_folder("CROSSCHECK_STATE_DIR", &world.state());
            let program = Path::new(env!("CARGO_BIN_EXE_crosscheck"));
            let ours = all.iter().filter(|process| runs(process.pid, program)).count();
            ours == workers(&world).len()
        });
        assert_eq!(workers(&world).len(), 1, "the job goes on");
        thinking.let_go();
        wait_until("nobody to be left", || left(&world) == 0);
    }
}
