//! Kill points of tasks that are done elsewhere: who hands one over, who follows it, who fetches what came of it. Whoever is
//! killed, the service gets a task once, and the job ends as done, or as lost with the advice where to look.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crosscheck::sys::lock;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Memory, Moment, audit, files};
use crate::cloud_judge::{Ended, Places, Seen, judge, leftovers};
use crate::facts::JobFacts;
use crate::kill_case::job_id;
use crate::ledger;
use crate::parts::{Asked, Length, Report, side_by_side};
use crate::peer_cloud::{ADDED, TASKS};
use crate::processes::{Process, living, signal_all};
use crate::server::Server;
use crate::world::{PATIENCE, World, let_go, wait_reached, wait_until};

/// Cases that run side by side. Most of a case is waiting for the time at which a task is asked about.
const THREADS: usize = 4;
/// Time between two looks at a job.
const PAUSE: Duration = Duration::from_millis(200);

/// What the service has when the worker dies at a point, and so what must come of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// Nothing, and the disk says so.
    Nothing,
    /// Nothing, or nobody can tell.
    Perhaps,
    /// The task, and its address is on the disk.
    Task,
}

/// Each step, the role that passes it, for the how manieth time, in how many attempts, and what the service has then.
const SPOTS: &[(&str, &str, u64, usize, Has)] = &[
    ("cloud.followed", "worker", 1, 1, Has::Nothing),
    ("cloud.noted", "worker", 1, 1, Has::Perhaps),
    ("cloud.spawned", "worker", 1, 1, Has::Perhaps),
    ("cloud.printed", "worker", 1, 1, Has::Task),
    ("cloud.kept", "worker", 1, 1, Has::Task),
    ("cloud.fetched", "worker", 1, 1, Has::Task),
    ("cloud.diff_kept", "worker", 1, 1, Has::Task),
    // The one who follows starts a worker; its own steps are those of any start.
    ("start.log_opened", "follower", 1, 1, Has::Task),
    ("start.spawned", "follower", 1, 1, Has::Task),
    // The same where two attempts are one task.
    ("cloud.followed", "worker", 1, 2, Has::Nothing),
    ("cloud.noted", "worker", 1, 2, Has::Perhaps),
    ("cloud.spawned", "worker", 1, 2, Has::Perhaps),
    ("cloud.printed", "worker", 1, 2, Has::Task),
    ("cloud.kept", "worker", 1, 2, Has::Task),
    ("cloud.kept", "worker", 2, 2, Has::Task),
    ("cloud.diff_kept", "worker", 1, 2, Has::Task),
    ("task.collected", "worker", 1, 1, Has::Task),
    ("finish.begun", "worker", 1, 1, Has::Task),
    ("finish.written", "worker", 1, 1, Has::Task),
    ("finish.kept", "worker", 1, 1, Has::Task),
];

/// Spots of the short run.
const SHORT: usize = 9;

/// Whom it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The process that stands at the point.
    Halted,
    /// The one who follows.
    Follower,
    /// The server that was asked.
    Server,
    /// A `codex cloud`.
    Codex,
    /// Everything that runs.
    All,
}

/// Whom, and with what.
const WAYS: [(Target, Signal); 6] = [
    (Target::Halted, Signal::KILL),
    (Target::Halted, Signal::TERM),
    (Target::Follower, Signal::KILL),
    (Target::Server, Signal::KILL),
    (Target::Codex, Signal::KILL),
    (Target::All, Signal::KILL),
];

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its number.
    pub number: u64,
    /// The step at which a process stands.
    pub point: &'static str,
    /// Whose step.
    pub role: &'static str,
    /// For the how manieth time.
    pub nth: u64,
    /// Attempts of the task, each a job.
    pub attempts: usize,
    /// What the service has then.
    pub has: Has,
    /// Whom it hits.
    pub target: Target,
    /// With what.
    pub signal: Signal,
}

impl Case {
    /// Tells whether the point is passed when the service has done the task.
    fn is_late(self) -> bool {
        self.has == Has::Task && !["cloud.printed", "cloud.kept"].contains(&self.point)
    }

    /// Tells whether the end must come although nobody looks at the job.
    fn is_unwatched(self) -> bool {
        let is_killed = matches!(self.target, Target::Halted | Target::All) && self.signal == Signal::KILL;
        is_killed && self.is_late()
    }
}

/// Tells whether a point is passed here.
pub fn knows(point: &str) -> bool {
    SPOTS.iter().any(|(known, ..)| *known == point)
}

/// Kills at every step.
pub fn run(asked: &Asked) -> Report {
    let mut cases = Vec::new();
    for (point, role, nth, attempts, has) in SPOTS {
        for (target, signal) in WAYS {
            cases.push(Case {
                number: cases.len() as u64,
                point,
                role,
                nth: *nth,
                attempts: *attempts,
                has: *has,
                target,
                signal,
            });
        }
    }
    if asked.length == Length::Short && asked.case.is_none() {
        cases.truncate(SHORT * WAYS.len());
        // What a kill does is what matters; a server is told of the hand-over at once, and codex is there at one step only.
        cases.retain(|case| {
            matches!(case.target, Target::Halted | Target::All) && case.signal == Signal::KILL
                || case.target == Target::Follower && case.is_late()
                || case.target == Target::Codex && case.point == "cloud.spawned"
        });
    }
    cases.retain(|case| asked.wants(case.number));
    let mut report = Report::default();
    for name in [
        "cases",
        "of them nobody to hit",
        "of them nobody looked at",
        "jobs succeeded",
        "jobs lost",
        "jobs cancelled",
        "tasks at the service",
        "tasks audited",
    ] {
        report.count(name, 0);
    }
    report.merge(side_by_side(&cases, THREADS, |_: &mut Option<()>, case| {
        one(case)
    }));
    report
}

/// Plays one case in a world of its own.
fn one(case: Case) -> Report {
    let mut play = Play {
        case,
        report: Report::default(),
    };
    let world = World::new();
    if let Err(wrong) = play.run(&world) {
        play.violation(&wrong);
    }
    // What a broken rule left must not disturb the next case.
    signal_all(&living(&world.home()), Signal::KILL);
    play.report
}

struct Play {
    case: Case,
    report: Report,
}

impl Play {
    fn violation(&mut self, what: &str) {
        let Case {
            number,
            point,
            role,
            attempts,
            target,
            signal,
            ..
        } = self.case;
        let signal = if signal == Signal::KILL { "KILL" } else { "TERM" };
        self.report.violation(
            Some(number),
            format!("{point} ({role}, {attempts} attempts), {signal} to {target:?}: {what}"),
        );
    }

    fn run(&mut self, world: &World) -> Result<(), String> {
        self.report.count("cases", 1);
        push(world);
        let before = files::everything(&world.workspace());
        let Case { point, role, nth, .. } = self.case;
        let halt = world.plan("halt", &[format!("pause {point} {role} {nth}")]);
        let mut server = world.server(&halt);
        let asked = self.question();
        let answer = server
            .call("delegate", &asked)
            .ok_or("the call is not answered")?;
        let Some(acknowledged) = job_id(&answer) else {
            return Err(format!("no job in the answer: {answer}"));
        };
        // A group has no record of its own.
        if self.case.attempts == 1 {
            ledger::acknowledge(world, &acknowledged, None);
        }
        // Somebody who looks brings it about sooner; what the one who follows does of itself is waited for.
        if self.case.is_late() && self.case.role == "worker" {
            let look = || drop(server.call("job", &json!({"id": acknowledged})));
            look_until(|| halt.join("reached").exists(), look);
        }
        let (halted, _) = wait_reached(&halt)
            .ok_or_else(|| format!("the point was never reached; the call said {answer}"))?;
        let alive = living(&world.home());
        let victims = self.victims(&alive, halted, server.pid());
        if victims.is_empty() {
            self.report.count("of them nobody to hit", 1);
        }
        if !signal_all(&victims, self.case.signal) {
            return Err("a killed process lives on".to_owned());
        }
        let_go(&halt);
        server.kill();

        let mut fresh = world.server(&world.no_plan());
        if self.case.is_unwatched() {
            self.report.count("of them nobody looked at", 1);
            ends_alone(world, &mut fresh)?;
        }
        let mut told = Vec::new();
        let ended: Vec<Ended> = look(world, &mut fresh, &mut told)?
            .into_iter()
            .map(|job| Ended {
                patch: fs::read_to_string(world.state().join("jobs").join(&job.id).join("result.patch")).ok(),
                job,
            })
            .collect();
        self.count_ends(&ended);
        let tasks_at_first = tasks(world);
        let again = fresh
            .call("delegate", &asked)
            .ok_or("the repeated call is not answered")?;
        look(world, &mut fresh, &mut told)?;
        self.report.count("tasks at the service", tasks(world) as u64);
        drop(fresh);
        let _ = wait_until(|| living(&world.home()).is_empty());
        let running = living(&world.home()).into_iter().map(|process| process.line);
        let places = Places {
            state: &world.state(),
            home: &world.home(),
            workspace: &world.workspace(),
        };
        let seen = Seen {
            acknowledged,
            repeated: job_id(&again),
            told,
            later: jobs(world),
            ended,
            tasks: tasks_at_first,
            tasks_later: tasks(world),
            running: running.collect(),
            is_untouched: files::everything(&world.workspace()) == before,
            left: leftovers(places, self.case.signal),
        };
        for wrong in judge(self.case, &seen) {
            self.violation(&wrong);
        }
        // What a killed process left is judged above.
        let moment = Moment::Meanwhile(SystemTime::now());
        let audited = audit(&world.state(), &world.ledger(), &mut Memory::default(), moment);
        self.report.count("tasks audited", audited.counts.tasks as u64);
        for wrong in audited.violations {
            self.violation(&wrong.to_string());
        }
        Ok(())
    }

    fn question(&self) -> Value {
        json!({
            "task": "a task for the cloud",
            "attempts": self.case.attempts,
            "checks": [format!("test -s {ADDED}")],
            "background": true,
            "options": {"runner": "cloud", "idempotency_key": "the-key"},
        })
    }

    fn victims(&self, alive: &[Process], halted: u32, server: u32) -> Vec<Process> {
        let is_hit = |process: &Process| {
            let is = |word: &str| process.line.contains(word);
            match self.case.target {
                Target::Halted => process.identity.pid == halted,
                Target::Follower => is("torture follow"),
                Target::Server => process.identity.pid == server,
                Target::Codex => is("codex cloud"),
                Target::All => true,
            }
        };
        alive.iter().filter(|process| is_hit(process)).cloned().collect()
    }

    fn count_ends(&mut self, ended: &[Ended]) {
        for Ended { job, .. } in ended {
            self.report.count(
                match job.state() {
                    Some("succeeded") => "jobs succeeded",
                    Some("lost") => "jobs lost",
                    Some("cancelled") => "jobs cancelled",
                    _ => "jobs with another end",
                },
                1,
            );
        }
    }
}

/// Waits until each job has its end, while somebody sees the list and looks at none of them.
fn ends_alone(world: &World, fresh: &mut Server) -> Result<(), String> {
    // The threads of a killed process hold its locks for some milliseconds more, and the list is seen only once.
    let lock = world.state().join("follower.lock");
    let follows = || {
        living(&world.home())
            .iter()
            .any(|one| one.line.contains("torture follow"))
    };
    if !wait_until(|| follows() || matches!(lock::is_held(&lock), Ok(false))) {
        return Err("nobody follows, and the lock of who does is held".to_owned());
    }
    fresh.call("job", &json!({})).ok_or("the list is not answered")?;
    let is_over = || jobs(world).iter().all(|job| job.result_bytes.is_some());
    if wait_until(is_over) {
        Ok(())
    } else {
        let open = world
            .jobs()
            .into_iter()
            .filter(|job| !job.join("result.json").exists());
        let logs: Vec<String> = open.map(|job| state_of(world, &job)).collect();
        let runs: Vec<String> = living(&world.home())
            .into_iter()
            .map(|process| process.line)
            .collect();
        let what = logs.join("; ");
        Err(format!(
            "a job that nobody looked at has no end: {what}; what runs: {runs:?}"
        ))
    }
}

/// Says of a job what is known that has no end.
fn state_of(world: &World, job: &Path) -> String {
    let name = job.file_name().unwrap_or_default();
    let is_followed = world.state().join("following").join(name).exists();
    let log = fs::read_to_string(job.join("worker.log")).unwrap_or_default();
    let last: Vec<&str> = log.lines().rev().take(3).collect();
    let seen = fs::read_to_string(job.join("seen.json")).unwrap_or_default();
    format!(
        "{} (followed: {is_followed}, seen: {seen}) {last:?}",
        name.display()
    )
}

/// Looks until nothing is open, as a person would.
fn look(
    world: &World,
    fresh: &mut Server,
    told: &mut Vec<(String, String)>,
) -> Result<Vec<JobFacts>, String> {
    let begun = Instant::now();
    loop {
        for job in jobs(world) {
            let answer = fresh
                .call("job", &json!({"id": job.id}))
                .ok_or("a look is not answered")?;
            if let Some(state) = answer["job"]["state"].as_str() {
                told.push((job.id, state.to_owned()));
            }
        }
        let seen = jobs(world);
        if !seen.is_empty() && seen.iter().all(|job| job.result_bytes.is_some()) {
            return Ok(seen);
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("a job of {} has no end", seen.len()));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Looks until something is so, for no longer than anything is waited for.
fn look_until(is_so: impl Fn() -> bool, mut look: impl FnMut()) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < PATIENCE {
        look();
        std::thread::sleep(PAUSE);
    }
}

/// Makes the workspace a repository whose only branch is pushed, and sets an environment.
fn push(world: &World) {
    let workspace = world.workspace();
    let settings = world.home().join(".config/crosscheck");
    fs::remove_dir_all(&workspace)
        .and_then(|()| fs::create_dir(&workspace))
        .and_then(|()| fs::write(workspace.join("a.txt"), "one\n"))
        .and_then(|()| fs::create_dir_all(&settings))
        .and_then(|()| fs::write(settings.join("config.toml"), "[runner.cloud]\nenv = \"e\"\n"))
        .expect("a world is writable");
    let remote = world.path("remote.git");
    let remote = remote.to_str().expect("the harness's paths are UTF-8");
    for words in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["commit", "-qm", "one"],
        &["init", "-q", "--bare", remote],
        &["remote", "add", "origin", remote],
        &["push", "-q", "-u", "origin", "main"],
    ] {
        let ran = Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=n@example.invalid"])
            .args(words)
            .current_dir(&workspace)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", world.home())
            .status();
        assert!(ran.is_ok_and(|status| status.success()), "{words:?}");
    }
    ledger::untouched(world);
}

fn jobs(world: &World) -> Vec<JobFacts> {
    world.jobs().iter().map(|path| JobFacts::read(path)).collect()
}

/// Counts the tasks that arrived.
fn tasks(world: &World) -> usize {
    fs::read_dir(world.home().join(TASKS)).map_or(0, Iterator::count)
}
