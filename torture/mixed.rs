//! Many jobs of every kind through one server and the terminal; afterwards nothing is left, and the server is as small
//! as it was after the first of them.

use std::fs;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::census::{self, Kind};
use crate::host::{Answer, Host};
use crate::leftovers;
use crate::parts::{Asked, Length, Report};
use crate::random::Random;
use crate::world::{World, wait_until};

/// Threads that each do one job after the other.
const CLIENTS: u64 = 8;
/// The most that the server may have grown meanwhile, in KiB: an allocator keeps some of what it once needed.
const GROWTH_KIB: u64 = 8 * 1024;

/// What the clients share.
struct Stage<'w> {
    world: &'w World,
    host: Host<'w>,
    next: AtomicU64,
    report: Mutex<Report>,
}

/// Runs the part.
pub(crate) fn run(asked: &Asked) -> Report {
    let (early, all) = match (asked.rounds, asked.length) {
        (Some(jobs), _) => (jobs / 3, jobs),
        (None, Length::Short) => (20, 60),
        (None, Length::Long) => (100, 1000),
    };
    let world = World::new();
    let stage = Stage {
        host: Host::new(&world, "torture", &[("CROSSCHECK_LIMITS_CONCURRENCY", "8")]),
        world: &world,
        next: AtomicU64::new(0),
        report: Mutex::default(),
    };
    stage.until(early, asked.seed);
    let before = Figures::quiet(&stage.host, None);
    stage.until(all, asked.seed);
    let after = Figures::quiet(&stage.host, Some(&before));
    // One more, whose worker sweeps up what killed ones left.
    stage.consult(0, "");
    let crashed = stage.host.crashed();
    drop(stage.host);
    let mut report = stage.report.into_inner().unwrap_or_else(PoisonError::into_inner);
    if crashed > 0 {
        report.violation(None, "the server ended although nobody killed it");
    }
    before.compare(&after, &mut report);
    if !wait_until(|| census::of(&world).is_empty()) {
        report.violation(None, format!("processes are left: {:?}", census::of(&world)));
    }
    report.count(
        "paid starts",
        u64::try_from(census::paid(&world).len()).unwrap_or(0),
    );
    report.count("records kept", u64::try_from(world.jobs().len()).unwrap_or(0));
    for left in leftovers::of(&world) {
        report.violation(None, left);
    }
    report
}

impl Stage<'_> {
    /// Does jobs until so many were begun.
    fn until(&self, jobs: u64, seed: u64) {
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let number = self.next.fetch_add(1, Ordering::Relaxed);
                        if number >= jobs {
                            break;
                        }
                        self.one(number, &mut Random::new(seed, 4000 + number));
                    }
                });
            }
        });
        self.next.store(jobs, Ordering::Relaxed);
    }

    fn one(&self, number: u64, random: &mut Random) {
        self.count("jobs");
        match random.below(100) {
            0..35 => self.consult(number, "steps=1 step_ms=5"),
            35..45 => self.terminal(number),
            45..57 => self.review(number, "steps=1 step_ms=5", "reviews"),
            57..64 => self.review(number, "bad=1", "reviews that needed a repair turn"),
            64..76 => self.cancel(number, "steps=5000 step_ms=20", "cancels"),
            76..80 => self.cancel(
                number,
                "stubborn=1 steps=5000 step_ms=20",
                "cancels of stubborn peers",
            ),
            80..83 => self.deadline(number),
            83..92 => self.lose(number),
            _ => self.forget(number),
        }
    }

    fn count(&self, what: &'static str) {
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(what, 1);
    }

    fn expect(&self, number: u64, envelope: &Value, states: &[&str]) {
        let state = envelope["job"]["state"].as_str().unwrap_or("no state");
        if !states.contains(&state) {
            let said: String = envelope.to_string().chars().take(500).collect();
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            report.violation(None, format!("job {number} should be one of {states:?}: {said}"));
        }
    }

    fn call(&self, tool: &str, arguments: &Value) -> Value {
        match self.host.call(tool, arguments) {
            Answer::Said(envelope) => envelope,
            Answer::Died => json!("the server was gone"),
            Answer::Silent => json!("the server said nothing"),
        }
    }

    fn consult(&self, number: u64, peer: &str) {
        self.count("consults");
        let answer = self.call(
            "consult",
            &json!({"prompt": format!("job {number}\n[[peer {peer}]]")}),
        );
        self.expect(number, &answer, &["succeeded"]);
    }

    fn review(&self, number: u64, peer: &str, counted: &'static str) {
        self.count(counted);
        let answer = self.call(
            "review",
            &json!({"depth": "quick", "focus": format!("job {number} [[peer {peer}]]")}),
        );
        self.expect(number, &answer, &["succeeded"]);
    }

    /// The same through the terminal.
    fn terminal(&self, number: u64) {
        self.count("commands of the terminal");
        let prompt = format!("job {number}\n[[peer steps=1 step_ms=5]]");
        let answer = self.command(&["consult", &prompt, "--json"]);
        self.expect(number, &answer, &["succeeded"]);
    }

    fn command(&self, words: &[&str]) -> Value {
        let done = self
            .world
            .crosscheck(&self.world.path("plans/none"))
            .env("TMPDIR", self.world.path("tmp"))
            .args(words)
            .output()
            .expect("the terminal can be started");
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&done.stderr).into_owned()))
    }

    /// Starts a job in the background and waits until its peer was paid for.
    fn begin(&self, number: u64, peer: &str, timeout_s: u64) -> String {
        let arguments = json!({
            "prompt": format!("job {number}\n[[peer {peer}]]"),
            "background": true,
            "options": {"timeout_s": timeout_s},
        });
        let handle = self.call("consult", &arguments);
        self.expect(number, &handle, &["queued", "running", "succeeded"]);
        let id = handle["job"]["id"].as_str().unwrap_or_default().to_owned();
        wait_until(|| {
            std::thread::sleep(Duration::from_millis(5));
            census::paid(self.world).iter().any(|start| start.paid.job == id)
        });
        id
    }

    fn cancel(&self, number: u64, peer: &str, counted: &'static str) {
        self.count(counted);
        let id = self.begin(number, peer, 600);
        let answer = if number.is_multiple_of(2) {
            self.call("cancel", &json!({"id": id}))
        } else {
            self.command(&["cancel", &id, "--json"])
        };
        self.expect(number, &answer, &["cancelled"]);
        let lives = census::of(self.world)
            .into_iter()
            .any(|process| process.kind == Kind::Peer(id.clone()));
        if lives || answer["leaked"] != json!([]) {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            report.violation(
                None,
                format!("job {number} was cancelled and lives on: {}", answer["leaked"]),
            );
        }
    }

    fn deadline(&self, number: u64) {
        self.count("deadlines");
        let id = self.begin(number, "steps=1 step_ms=50000", 10);
        let answer = self.call("job", &json!({"id": id, "wait_s": 40}));
        self.expect(number, &answer, &["timed_out"]);
    }

    /// Kills a job's worker.
    fn lose(&self, number: u64) {
        self.count("workers killed");
        let id = self.begin(number, "steps=5000 step_ms=20", 600);
        for process in census::of(self.world) {
            if process.kind == Kind::Worker(id.clone()) {
                process.identity.signal(Signal::KILL);
            }
        }
        let answer = self.call("job", &json!({"id": id, "wait_s": 40}));
        self.expect(number, &answer, &["lost"]);
    }

    fn forget(&self, number: u64) {
        self.count("forgets");
        let id = self.begin(number, "steps=1 step_ms=5", 600);
        let answer = self.call("cancel", &json!({"id": id, "forget": true}));
        self.expect(number, &answer, &["succeeded", "cancelled"]);
        if self.world.state().join("jobs").join(&id).exists() {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            report.violation(None, format!("job {number} was forgotten and is still there"));
        }
    }
}

/// What a server takes up while nobody calls it.
struct Figures {
    descriptors: u64,
    threads: u64,
    watches: u64,
    memory_kib: u64,
}

impl Figures {
    /// Looks once the server has come to rest: no watch is left, and no more threads than before live, or than 10 s
    /// later, which is how long the runtime keeps one that has nothing to do.
    fn quiet(host: &Host<'_>, before: Option<&Self>) -> Self {
        let pid = host.pid().unwrap_or(0);
        if before.is_none() {
            std::thread::sleep(Duration::from_secs(11));
        }
        wait_until(|| {
            std::thread::sleep(Duration::from_millis(100));
            let now = Self::of(pid);
            now.watches == 0
                && before.is_none_or(|before| {
                    now.threads <= before.threads && now.descriptors <= before.descriptors
                })
        });
        Self::of(pid)
    }

    fn of(pid: u32) -> Self {
        let entries = |folder: &str| {
            let entries = fs::read_dir(format!("/proc/{pid}/{folder}"));
            u64::try_from(entries.into_iter().flatten().count()).unwrap_or(0)
        };
        let watches = fs::read_dir(format!("/proc/{pid}/fdinfo"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .map(|text| text.lines().filter(|line| line.starts_with("inotify ")).count())
            .sum::<usize>();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Self {
            descriptors: entries("fd"),
            threads: entries("task"),
            watches: u64::try_from(watches).unwrap_or(u64::MAX),
            memory_kib: memory
                .and_then(|text| text.trim().trim_end_matches(" kB").parse().ok())
                .unwrap_or(0),
        }
    }

    fn compare(&self, after: &Self, report: &mut Report) {
        for (what, value) in [
            ("server early: descriptors", self.descriptors),
            ("server early: threads", self.threads),
            ("server early: watches", self.watches),
            ("server early: memory in KiB", self.memory_kib),
            ("server at the end: descriptors", after.descriptors),
            ("server at the end: threads", after.threads),
            ("server at the end: watches", after.watches),
            ("server at the end: memory in KiB", after.memory_kib),
        ] {
            report.count(what, value);
        }
        for (what, before, after, more) in [
            ("descriptors", self.descriptors, after.descriptors, 0),
            ("threads", self.threads, after.threads, 0),
            ("watches", 0, after.watches, 0),
            ("KiB of memory", self.memory_kib, after.memory_kib, GROWTH_KIB),
        ] {
            if after > before + more || (before == 0 && what != "watches") {
                report.violation(None, format!("the server went from {before} to {after} {what}"));
            }
        }
    }
}
