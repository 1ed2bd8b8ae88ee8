//! The command line through the library: no peer, no account, private folders.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails is a failed test"
)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crosscheck::cli::{Device, Place, Streams, run_with};
use crosscheck::domain::environment::Environment;
use crosscheck::domain::job::{JobId, WorkspaceHash};
use crosscheck::peer::event::Event;
use crosscheck::state::directory::JobDirectory;
use crosscheck::state::events::EventLog;
use crosscheck::sys::clock::now_ms;
use crosscheck::sys::lock::HeldLock;
use serde_json::{Value, json};

/// Longest time a command may go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// A private home with a project in it.
struct World {
    home: tempfile::TempDir,
}

/// What a command left.
struct Ended {
    code: u8,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("project")).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn place(&self) -> Place {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Place {
            environment: Environment::default()
                .with("HOME", self.home.path())
                .with("PATH", path)
                .with("CROSSCHECK_STATE_DIR", self.path("state"))
                .with("CROSSCHECK_CODEX_BIN", self.path("absent/codex")),
            directory: self.path("project"),
            program: "/bin/false".into(),
            fingerprint: "test".into(),
        }
    }

    fn run(&self, line: &[&str]) -> Ended {
        self.run_reading(line, "")
    }

    fn run_reading(&self, line: &[&str], stdin: &str) -> Ended {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut streams = Streams {
            stdin: Box::new(stdin.as_bytes()),
            stdin_device: Device::Other,
            stdout: Box::new(&mut stdout),
            stdout_device: Device::Other,
            stderr: Box::new(&mut stderr),
            stderr_device: Device::Other,
            width: 80,
            colour: true,
        };
        let code = run_with(words(line), self.place(), &mut streams);
        drop(streams);
        Ended {
            code,
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Runs a command that goes on for a while; `heard` gets each line of its stdout and may change the world.
    fn run_hearing(&self, line: &[&str], heard: impl FnMut(&str)) -> Ended {
        let (mut text, mut stderr) = (Vec::new(), Vec::new());
        let mut streams = Streams {
            stdin: Box::new(io::empty()),
            stdin_device: Device::Other,
            stdout: Box::new(Hearing {
                text: &mut text,
                told: 0,
                heard,
            }),
            stdout_device: Device::Other,
            stderr: Box::new(&mut stderr),
            stderr_device: Device::Other,
            width: 80,
            colour: true,
        };
        // A command that waits for what never comes is ended by the end of its jobs.
        let (over, watchdog) = mpsc::channel::<()>();
        let state = self.path("state");
        let watchdog = thread::spawn(move || {
            if watchdog.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                fs::remove_dir_all(state).unwrap();
            }
        });
        let code = run_with(words(line), self.place(), &mut streams);
        drop(over);
        watchdog.join().unwrap();
        drop(streams);
        Ended {
            code,
            stdout: String::from_utf8(text).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Makes a job that runs, as far as anybody can see from outside.
    fn add_running(&self, random: u64, label: &str) -> Running {
        let id = self.add_job(random, label, &answer());
        let directory = JobDirectory::at(self.path("state").join("jobs").join(id.as_str()));
        let lock = HeldLock::try_take(&directory.lock_path()).unwrap();
        let result = fs::read(directory.result_path()).unwrap();
        fs::remove_file(directory.result_path()).unwrap();
        directory.mark_started(1_795_244_456_000).unwrap();
        Running {
            id,
            log: EventLog::open(&directory.events_path()).unwrap(),
            directory,
            result,
            lock,
        }
    }

    /// Makes a job that ended long ago, as its worker would have left it.
    fn add_job(&self, random: u64, label: &str, result: &Value) -> JobId {
        let root = self.path("project").canonicalize().unwrap();
        let created_ms = 1_795_244_455_000;
        let id = JobId::new(
            created_ms,
            WorkspaceHash::of(root.as_os_str().as_encoded_bytes()),
            random,
        );
        let folder = self.path("state").join("jobs").join(id.as_str());
        fs::create_dir_all(&folder).unwrap();
        let spec = json!({
            "version": 1, "id": id, "kind": "consult", "label": label, "created_ms": created_ms, "workspace": root,
            "workspace_source": "cwd", "directory": root, "tier": "consult", "isolation": "clean",
            "tools": "sandboxed", "web_search": false, "ephemeral": false, "timeout_ms": 1_800_000,
            "expects": {"expects": "consult", "kind": "answer"},
            "peer": {"program": "/opt/codex", "version": "0.169.0", "servers": []}, "request_id": "r", "warnings": [],
            "egress": {"prompt_bytes": 1, "prompt_sha256": "", "files": [], "withheld": [], "masked": 0}});
        write(&folder.join("spec.json"), &spec);
        let mut whole = json!({"version": 1, "state": "succeeded", "ended_ms": created_ms + 42_000,
            "elapsed_ms": 42_000, "commands": [], "warnings": []});
        for (name, value) in result.as_object().unwrap() {
            whole[name] = value.clone();
        }
        write(&folder.join("result.json"), &whole);
        let mut log = EventLog::open(&folder.join("events.jsonl")).unwrap();
        log.append(&Event::TurnStarted).unwrap();
        log.append(&Event::Message {
            text: "Use one lock.".into(),
        })
        .unwrap();
        id
    }
}

/// A job that is not over, in the hands of a test.
struct Running {
    id: JobId,
    directory: JobDirectory,
    log: EventLog,
    result: Vec<u8>,
    lock: Option<HeldLock>,
}

impl Running {
    fn says(&mut self, event: &Event) {
        self.log.append(event).unwrap();
    }

    fn runs(&mut self, command: &str) {
        self.says(&Event::CommandStarted {
            command: command.into(),
        });
    }

    fn ends(&mut self) {
        fs::write(self.directory.result_path(), &self.result).unwrap();
        self.lock = None;
    }
}

/// A stdout that tells each line as soon as it is written.
struct Hearing<'a, F> {
    text: &'a mut Vec<u8>,
    told: usize,
    heard: F,
}

impl<F: FnMut(&str)> Write for Hearing<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        while let Some(end) = self.text[self.told..].iter().position(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(&self.text[self.told..self.told + end]).unwrap();
            self.told += end + 1;
            (self.heard)(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(path: &Path, value: &Value) {
    fs::write(path, serde_json::to_vec(value).unwrap()).unwrap();
}

fn words(line: &[&str]) -> Vec<OsString> {
    std::iter::once("crosscheck")
        .chain(line.iter().copied())
        .map(OsString::from)
        .collect()
}

fn answer() -> Value {
    json!({"answer": {"kind": "consult", "answer": "Use one lock.", "code": [], "questions": [], "assumptions": []},
        "thread": "019a0000-0000-7000-8000-000000000001"})
}

#[test]
fn help_and_version_go_to_stdout_and_mistakes_to_stderr() {
    let world = World::new();
    let help = world.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("Exit codes:"), "{}", help.stdout);
    assert!(!help.stdout.contains('\u{1b}'), "no colour without a terminal");
    assert!(
        !help.stdout.contains("worker"),
        "what a person does not start is not shown"
    );
    let version = world.run(&["--version"]);
    assert_eq!(
        version.stdout,
        format!("crosscheck {}\nplugin interface 1\n", env!("CARGO_PKG_VERSION"))
    );
    let mistake = world.run(&["rewiev"]);
    assert_eq!((mistake.code, mistake.stdout.as_str()), (2, ""));
    assert!(mistake.stderr.contains("review"), "{}", mistake.stderr);
}

#[test]
fn a_missing_peer_is_an_error_and_a_hint_with_exit_code_3() {
    let world = World::new();
    for line in [&["consult", "why?"][..], &["dry-run", "consult", "why?"]] {
        let ended = world.run(line);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (3, ""),
            "{line:?}: {}",
            ended.stderr
        );
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
        assert!(ended.stderr.contains("(peer_not_found)"), "{}", ended.stderr);
        assert!(ended.stderr.contains("\nhint: "), "{}", ended.stderr);
    }
    let ended = world.run_reading(&["consult", "--json"], "why?");
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""));
    let envelope = ended.json();
    assert_eq!(envelope["ok"], false);
    assert_eq!(envelope["tool"], "consult");
    assert_eq!(envelope["error"]["code"], "peer_not_found");
    assert_eq!(envelope["fingerprint"], "test");
}

#[test]
fn mistakes_found_after_parsing_are_envelopes_too() {
    let world = World::new();
    let ended = world.run(&["consult", "why?", "--option", "timeuot_s=5", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
    let envelope = ended.json();
    assert_eq!(envelope["error"]["code"], "invalid_arguments");
    assert_eq!(envelope["error"]["field"], "options.timeuot_s");
    let ended = world.run_reading(&["consult"], "");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("`prompt` is empty"), "{}", ended.stderr);
    let ended = world.run(&["review", "--workspace", "absent"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("invalid_workspace"), "{}", ended.stderr);
}

#[test]
fn looking_at_nothing_makes_nothing() {
    let world = World::new();
    let jobs = world.run(&["jobs"]);
    assert_eq!(jobs.code, 0, "{}", jobs.stderr);
    assert_eq!(jobs.stdout, "0 jobs of this workspace, 0 of them active.\n");
    assert_eq!(world.run(&["jobs", "--json"]).json()["jobs"], json!([]));
    for line in [
        &["job"][..],
        &["job", "01m"],
        &["cancel", "latest"],
        &["logs"],
        &["logs", "01m", "-f"],
    ] {
        let ended = world.run(line);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{line:?}");
        assert!(
            ended.stderr.contains("job_not_found"),
            "{line:?}: {}",
            ended.stderr
        );
    }
    assert!(!world.path("state").exists(), "a look made the state folder");
}

#[test]
fn the_state_of_things_is_told_without_a_peer() {
    let world = World::new();
    let ended = world.run(&["status"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("Not ready, because of codex"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.starts_with("next: "), "{}", ended.stderr);
    assert_eq!(world.run(&["status", "--json"]).json()["ready"], false);
    for topic in ["options", "errors", "policy"] {
        let ended = world.run(&["status", "--topic", topic]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{topic}");
        assert!(
            ended.stdout.lines().all(|line| line.chars().count() <= 80),
            "{topic}: {}",
            ended.stdout
        );
    }
}

#[test]
fn a_finished_job_is_read_from_the_terminal() {
    let world = World::new();
    let id = world.add_job(1, "a question", &answer());
    let jobs = world.run(&["jobs"]);
    assert!(jobs.stdout.contains(id.as_str()), "{}", jobs.stdout);
    assert!(jobs.stdout.contains("succeeded*"), "{}", jobs.stdout);
    let job = world.run(&["job"]);
    assert_eq!((job.code, job.stdout.as_str()), (0, "Use one lock.\n"));
    assert!(job.stderr.contains("codex 0.169.0, 42 s"), "{}", job.stderr);
    assert!(
        !world.run(&["jobs"]).stdout.contains('*'),
        "it was read meanwhile"
    );
    assert_eq!(
        world.run(&["job", &id.as_str()[..12], "--json"]).json()["answer"],
        "Use one lock."
    );
    let cancel = world.run(&["cancel", "latest"]);
    assert_eq!(cancel.code, 0);
    assert!(cancel.stdout.contains("was over already"), "{}", cancel.stdout);
}

#[test]
fn a_failed_job_exits_with_the_code_of_its_fault() {
    let world = World::new();
    let fault = json!({"code": "timed_out", "message": "the run reached its deadline", "repair": {"hint": "resume it"}});
    world.add_job(1, "a question", &json!({"state": "timed_out", "fault": fault}));
    let job = world.run(&["job"]);
    assert_eq!((job.code, job.stdout.as_str()), (4, ""));
    assert!(job.stderr.contains("timed_out"), "{}", job.stderr);
    assert!(job.stderr.contains("try: crosscheck job "), "{}", job.stderr);
}

#[test]
fn a_log_is_lines_and_following_ends_with_the_job() {
    let world = World::new();
    world.add_job(1, "a question", &answer());
    let log = world.run(&["logs"]);
    assert_eq!(log.code, 0, "{}", log.stderr);
    assert_eq!(log.stdout.lines().count(), 2);
    assert!(
        log.stdout.ends_with("said      Use one lock.\n"),
        "{}",
        log.stdout
    );
    let followed = world.run(&["logs", "-f", "--tail", "1"]);
    assert_eq!((followed.code, followed.stdout.lines().count()), (0, 1));
    assert!(followed.stderr.starts_with("succeeded; "), "{}", followed.stderr);
}

#[test]
fn following_shows_what_comes_and_ends_when_the_job_does() {
    let world = World::new();
    let id = world.add_job(1, "a question", &answer());
    let folder = world.path("state").join("jobs").join(id.as_str());
    let result = folder.join("result.json");
    let later = fs::read(&result).unwrap();
    fs::remove_file(&result).unwrap();
    fs::write(folder.join("started"), "1795244455000").unwrap();
    let lock = fs::File::create(folder.join("worker.lock")).unwrap();
    lock.try_lock().unwrap();
    thread::scope(|scope| {
        let followed = scope.spawn(|| world.run(&["logs", "-f"]));
        let mut log = EventLog::open(&folder.join("events.jsonl")).unwrap();
        log.append(&Event::Thinking {
            text: "once more".into(),
        })
        .unwrap();
        let draft = folder.join("draft");
        fs::write(&draft, &later).unwrap();
        fs::rename(&draft, &result).unwrap();
        drop(lock);
        let followed = followed.join().unwrap();
        assert_eq!(followed.code, 0, "{}", followed.stderr);
        assert!(followed.stdout.contains("once more"), "{}", followed.stdout);
        assert!(followed.stderr.starts_with("succeeded; "), "{}", followed.stderr);
    });
}

#[test]
fn a_script_can_stop_at_the_verdict() {
    let world = World::new();
    // Without a peer there is no verdict, and the reason for that comes first.
    let ended = world.run(&["review", "--snippet", "-", "--fail-on", "fail"]);
    assert_eq!(ended.code, 2, "an empty snippet: {}", ended.stderr);
    let ended = world.run_reading(&["review", "--snippet", "-", "--fail-on", "fail"], "x = 1\n");
    assert_eq!(ended.code, 3, "{}", ended.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error_message() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let world = World::new();
    let mut stderr = Vec::new();
    let mut streams = Streams {
        stdin: Box::new(io::empty()),
        stdin_device: Device::Other,
        stdout: Box::new(Closed),
        stdout_device: Device::Other,
        stderr: Box::new(&mut stderr),
        stderr_device: Device::Other,
        width: 80,
        colour: false,
    };
    let code = run_with(
        words(&["status", "--topic", "errors"]),
        world.place(),
        &mut streams,
    );
    drop(streams);
    assert_eq!((code, stderr), (141, Vec::new()));
}

#[test]
fn a_watch_tells_each_change_once_and_ends_with_the_last_job() {
    let world = World::new();
    world.add_job(1, "over long ago", &answer());
    let mut jobs = [
        world.add_running(2, "first \u{1b}[2J"),
        world.add_running(3, "second"),
    ];
    let mut late = None;
    let mut lines = 0;
    let ended = world.run_hearing(&["jobs", "--watch"], |_| {
        lines += 1;
        match lines {
            2 => jobs[0].runs("cargo test"),
            3 => jobs[0].ends(),
            4 => late = Some(world.add_running(4, "late")),
            5 => jobs[1].ends(),
            6 => late.as_mut().unwrap().ends(),
            _ => {}
        }
    });
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let told: Vec<&str> = ended
        .stdout
        .lines()
        .map(|line| line.split_once("  consult  ").unwrap().1)
        .collect();
    assert_eq!(
        told,
        [
            "running    answering: first <U+001B>[2J",
            "running    answering: second",
            "running    running cargo test: first <U+001B>[2J",
            "succeeded  first <U+001B>[2J",
            "running    answering: late",
            "succeeded  second",
            "succeeded  late",
        ]
    );
    assert!(ended.stderr.contains("nothing is queued or running any more"));
    assert!(!ended.stderr.contains('\u{1b}'));
}

#[test]
fn a_watch_as_data_is_one_object_per_change() {
    let world = World::new();
    let mut job = world.add_running(1, "x");
    let id = job.id.clone();
    let mut lines = 0;
    let ended = world.run_hearing(&["jobs", "--watch", "--json"], |_| {
        lines += 1;
        if lines == 1 {
            job.ends();
        }
    });
    let told: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told.len(), 2, "{}", ended.stdout);
    let [running, over] = &told[..] else { panic!() };
    assert_eq!(
        (&running["id"], &running["state"]),
        (&json!(id), &json!("running"))
    );
    assert_eq!(
        (&running["phase"], &over["state"]),
        (&json!("answering"), &json!("succeeded"))
    );
}

#[test]
fn a_watch_without_a_job_ends_at_once_and_says_so() {
    let world = World::new();
    world.add_job(1, "over", &answer());
    for line in [
        &["jobs", "--watch"][..],
        &["jobs", "--watch", "--json"],
        &["jobs", "-w", "--all"],
    ] {
        let ended = world.run(line);
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
        assert!(
            ended.stderr.contains("nothing is queued or running"),
            "{}",
            ended.stderr
        );
    }
    for line in [&["jobs", "--all"][..], &["jobs", "--watch", "--state", "active"]] {
        assert_eq!(world.run(line).code, 2, "{line:?}");
    }
}

#[test]
fn a_watch_is_of_this_project_unless_all_are_asked_for() {
    let world = World::new();
    let mut job = world.add_running(1, "x");
    let elsewhere = world.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let there = elsewhere.to_str().unwrap();
    let ended = world.run(&["jobs", "--watch", "--workspace", there]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    let ended = world.run_hearing(&["jobs", "--watch", "--all"], |_| job.ends());
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
}

#[test]
fn a_followed_log_is_told_once_whatever_happens_to_it() {
    let world = World::new();
    let mut job = world.add_running(1, "x");
    let log = job.directory.events_path();
    fs::remove_file(&log).unwrap();
    let said = |text: &str| Event::Message { text: text.into() };
    job.log = EventLog::open(&log).unwrap();
    job.says(&said("one"));
    job.says(&said("two"));
    let mut lines = 0;
    let ended = world.run_hearing(&["logs", "-f", "--tail", "1"], |_| {
        lines += 1;
        match lines {
            1 => job.says(&said("three")),
            // As if somebody had cut it: what is left was told already.
            2 => {
                let file = fs::File::options().write(true).open(&log).unwrap();
                file.set_len(10).unwrap();
                job.log = EventLog::open(&log).unwrap();
                job.says(&said("torn"));
                // What is new is told from what was told before by its time.
                let before = now_ms();
                while now_ms() == before {
                    thread::yield_now();
                }
                job.says(&said("four"));
            }
            3 => job.ends(),
            _ => {}
        }
    });
    let told: Vec<&str> = ended
        .stdout
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(
        (ended.code, told),
        (0, vec!["two", "three", "four"]),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("succeeded"));
}

#[test]
fn the_doctor_says_what_is_broken_and_ends_with_its_code() {
    // Neither codex nor a server that answers is there.
    let world = World::new();
    let ended = world.run(&["doctor", "--json"]);
    let told = ended.json();
    assert_eq!(ended.code, 7, "{told:#}");
    assert_eq!(
        (&told["ready"], &told["state"]),
        (&json!(false), &json!("broken"))
    );
    assert_eq!(told["blocked_by"], json!(["server", "codex"]), "{told:#}");
    assert!(
        told["next_steps"][1]
            .as_str()
            .unwrap()
            .contains("CROSSCHECK_CODEX_BIN"),
        "{told:#}"
    );
    let human = world.run(&["doctor"]);
    assert!(
        human.stdout.starts_with("Broken: server, codex."),
        "{}",
        human.stdout
    );
    assert!(human.stderr.contains("next: "), "{}", human.stderr);
}

#[test]
fn an_uninstall_removes_what_is_ours_and_keeps_what_was_paid_for() {
    let world = World::new();
    let data = world.path(".claude/plugins/data/codex-crosscheck");
    let other = world.path(".claude/plugins/data/other-market/bin/1/tool");
    for file in [
        data.join("bin/0.1.0-1/crosscheck"),
        data.join("install/log"),
        data.join("notes"),
        other.clone(),
    ] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
    let link = world.path(".local/bin/crosscheck");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(data.join("bin/0.1.0-1/crosscheck"), &link).unwrap();
    let job = world.path("state/jobs/some-job/result.json");
    fs::create_dir_all(job.parent().unwrap()).unwrap();
    fs::write(&job, "{}").unwrap();

    let looked = world.run(&["uninstall", "--json"]);
    assert_eq!(looked.code, 0);
    assert_eq!(
        looked.json()["summary"],
        "3 things would be removed; nothing was."
    );
    assert!(data.join("bin").exists() && link.is_symlink());

    let removed = world.run(&["uninstall", "--yes", "--json"]).json();
    assert_eq!(removed["summary"], "3 things removed.", "{removed:#}");
    assert!(!data.join("bin").exists() && !data.join("install").exists() && !link.is_symlink());
    assert!(data.join("notes").exists() && other.exists() && job.exists());

    // A folder with something else in it is not emptied, whatever was said.
    fs::write(world.path("state/mine.txt"), "x").unwrap();
    world.run(&["uninstall", "--yes", "--with-results"]);
    assert!(job.exists());
    fs::remove_file(world.path("state/mine.txt")).unwrap();
    assert_eq!(world.run(&["uninstall", "--with-results"]).code, 2);
    let all = world
        .run(&["uninstall", "--yes", "--with-results", "--json"])
        .json();
    assert!(!world.path("state").exists(), "{all:#}");
}
