//! One world in which random things happen, and what is known of it: what every part needs that hits anybody at a random
//! instant and audits what is left. What is asked, and what else has to hold, is the part's own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Counts, Memory, Moment, audit};
use crate::facts::JobFacts;
use crate::kill_case::job_id;
use crate::ledger;
use crate::parts::{Asked, Report};
use crate::processes::{Kind, living, signal_all};
use crate::random::Random;
use crate::server::Server;
use crate::world::{PATIENCE, World, wait_until};

/// Worlds that live side by side.
const THREADS: u64 = 2;
/// Rounds in one world: its store grows, and reading it takes longer.
const ROUNDS_PER_WORLD: u64 = 50;

/// Shares the rounds among worlds, each with its number and its share, and adds up what they report. `names` are the
/// counts in a readable order. A case is a world: its rounds build on each other.
pub fn side_by_side(
    asked: &Asked,
    rounds: u64,
    names: &[&'static str],
    run: impl Fn(u64, u64) -> Report + Sync,
) -> Report {
    // A short run has a world for each thread.
    let size = ROUNDS_PER_WORLD.min(rounds.div_ceil(THREADS)).max(1);
    let worlds = rounds.div_ceil(size);
    let mut all = Report::default();
    for name in names {
        all.count(name, 0);
    }
    let (next, all) = (AtomicU64::new(0), Mutex::new(all));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= worlds {
                        return;
                    }
                    if asked.wants(number) {
                        let report = run(number, size.min(rounds - number * size));
                        all.lock().expect("no world panics").merge(report);
                    }
                }
            });
        }
    });
    all.into_inner().expect("no world panics")
}

/// One world and what is known of it.
pub struct Life {
    pub number: u64,
    pub world: World,
    pub random: Random,
    pub report: Report,
    memory: Memory,
    server: Option<Server>,
    /// How long a round takes when nobody is hit; instants are chosen within it.
    pub typical: Duration,
}

impl Life {
    /// Begins one whose first rounds are taken to last so long.
    pub fn new(number: u64, random: Random, typical: Duration) -> Self {
        Self {
            number,
            world: World::new(),
            random,
            report: Report::default(),
            memory: Memory::default(),
            server: None,
            typical,
        }
    }

    /// Ends everything that still runs and tells what was found.
    pub fn over(mut self) -> Report {
        self.server = None;
        signal_all(&living(&self.world.home()), Signal::KILL);
        self.report
    }

    pub fn violation(&mut self, what: &str) {
        let number = self.number;
        self.report
            .violation(Some(number), format!("world {number}, {what}"));
    }

    /// Lets a random part of a time pass.
    pub fn sleep_within(&mut self, time: Duration) {
        let longest = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let at = self.random.below(longest.max(1));
        std::thread::sleep(Duration::from_micros(at));
    }

    /// Hits somebody with one of the signals at a random part of a usual round, if there is somebody. Returns the signal.
    pub fn hit(&mut self, signals: &[Signal]) -> Option<Signal> {
        self.sleep_within(self.typical);
        let signal = *self.random.one_of(signals);
        let (name, kind) = match self.random.below(4) {
            0 => ("hits on a server", Some(Kind::Server)),
            1 => ("hits on a worker", Some(Kind::Worker)),
            2 => ("hits on a peer", Some(Kind::Peer)),
            _ => ("hits on all", None),
        };
        let mut victims: Vec<_> = living(&self.world.home())
            .into_iter()
            .filter(|process| kind.is_none_or(|kind| process.kind == kind))
            .collect();
        if victims.is_empty() {
            self.report.count("nobody to hit", 1);
            return None;
        }
        if kind.is_some() {
            victims = vec![self.random.one_of(&victims).clone()];
        }
        self.report.count(name, 1);
        signal_all(&victims, signal);
        let is_hit = |server: &&mut Server| victims.iter().any(|victim| victim.identity.pid == server.pid());
        // A server that was told to end answers what it can first. Its parent is asked whether it is gone: the first
        // thread of a process may end before the others.
        if let Some(server) = self.server.as_mut().filter(is_hit)
            && !server.ends_within(PATIENCE)
        {
            self.violation("a server that was told to end runs on");
        }
        Some(signal)
    }

    /// Returns a server that lives.
    pub fn server(&mut self) -> &mut Server {
        if self.server.as_mut().is_none_or(|server| !server.is_alive()) {
            self.server = Some(self.world.server(&self.world.no_plan()));
            self.report.count("servers started", 1);
        }
        self.server.as_mut().expect("it was just started")
    }

    /// Takes the answer of a call of the server's; none when the server is gone, and nobody is left to give it.
    pub fn hear(&mut self, call: u64) -> Result<Option<Value>, String> {
        let lives = self.server.as_mut().is_some_and(Server::is_alive);
        let server = self.server.as_mut().filter(|_| lives);
        let told = server.map(|server| server.answer(call, PATIENCE));
        told.map(|answer| answer.ok_or_else(|| "a living server did not answer".to_owned()))
            .transpose()
    }

    /// Writes down that the caller of a key was told its job.
    pub fn acknowledge(&self, answer: &Value, key: &str) -> Result<String, String> {
        let id = job_id(answer).ok_or_else(|| format!("a repeated call tells no job: {answer}"))?;
        ledger::acknowledge(&self.world, &id, Some(key));
        Ok(id)
    }

    /// Repeats a call: whatever happened, it comes to an end that is told. A call with a key is one job, told as it is.
    pub fn repeat(&mut self, tool: &str, arguments: &Value, key: Option<&str>) -> Result<(), String> {
        let answer = self
            .server()
            .call(tool, &waiting(arguments))
            .ok_or("a repeated call is not answered")?;
        let Some(key) = key else {
            return job_id(&answer)
                .map(drop)
                .ok_or_else(|| format!("a repeated call tells no job: {answer}"));
        };
        let id = self.acknowledge(&answer, key)?;
        let facts = JobFacts::read(&self.world.state().join("jobs").join(&id));
        let told = answer["job"]["state"].as_str();
        if facts.state() != told {
            return Err(format!("{id} is told as {told:?} and is {:?}", facts.state()));
        }
        Ok(())
    }

    /// Waits until nobody but servers is at work.
    pub fn is_quiet(&self) -> Result<(), String> {
        let at_work = || -> Vec<String> {
            living(&self.world.home())
                .into_iter()
                .filter(|process| process.kind != Kind::Server)
                .map(|process| process.line)
                .collect()
        };
        wait_until(|| at_work().is_empty())
            .then_some(())
            .ok_or_else(|| format!("still runs: {:?}", at_work()))
    }

    /// Lets the auditor look, after the server told its list.
    pub fn audit(&mut self, when: &str, moment: fn(SystemTime) -> Moment) -> Result<Counts, String> {
        let list = self
            .server()
            .call("job", &json!({"limit": 1000}))
            .ok_or("the list is not told")?;
        ledger::listed(&self.world, &list);
        let audited = audit(
            &self.world.state(),
            &self.world.ledger(),
            &mut self.memory,
            moment(SystemTime::now()),
        );
        for wrong in audited.violations {
            self.violation(&format!("{when}: {wrong}"));
        }
        Ok(audited.counts)
    }

    /// Lets a day pass, ends one more job, whose worker sweeps up, and looks at what is left. Returns what was counted, and the jobs.
    pub fn end(&mut self) -> Result<(Counts, Vec<JobFacts>), String> {
        ledger::age_leftovers(&self.world);
        self.server()
            .call("consult", &json!({"prompt": "the last question", "wait_s": 50}))
            .ok_or("the last call is not answered")?;
        self.is_quiet()?;
        let counts = self.audit("at the end", Moment::AtTheEnd)?;
        let jobs: Vec<JobFacts> = self
            .world
            .jobs()
            .iter()
            .map(|path| JobFacts::read(path))
            .collect();
        for job in &jobs {
            let name = match job.state() {
                Some("succeeded") => "jobs succeeded",
                Some("failed") => "jobs failed",
                Some("cancelled") => "jobs cancelled",
                Some("lost") => "jobs lost",
                _ => "jobs with another end",
            };
            self.report.count("jobs", 1);
            self.report.count(name, 1);
        }
        Ok((counts, jobs))
    }
}

/// The arguments of a call that waits for its end.
pub fn waiting(arguments: &Value) -> Value {
    let mut asked = arguments.clone();
    asked["wait_s"] = 50.into();
    asked
}
