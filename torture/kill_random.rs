//! Random kills: nothing is halted, and somebody is killed or told to end at a random instant. Then the calls are
//! repeated as a caller does who heard nothing, and the disk is audited.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Memory, Moment, audit};
use crate::facts::JobFacts;
use crate::kill_case::job_id;
use crate::ledger;
use crate::parts::{Asked, Length, Report};
use crate::processes::{Kind, living, signal_all};
use crate::random::Random;
use crate::server::Server;
use crate::world::{PATIENCE, World, wait_until};

/// Worlds that live side by side.
const THREADS: u64 = 2;
/// Rounds in one world: its store grows, and reading it takes longer.
const ROUNDS_PER_WORLD: u64 = 50;
/// Rounds of the two lengths.
const SHORT: u64 = 60;
const LONG: u64 = 10_000;

/// Runs the rounds. A case is a world: its rounds build on each other.
pub fn run(asked: &Asked) -> Report {
    let rounds = asked.rounds.unwrap_or(match asked.length {
        Length::Short => SHORT,
        Length::Long => LONG,
    });
    // A short run has a world for each thread.
    let size = ROUNDS_PER_WORLD.min(rounds.div_ceil(THREADS)).max(1);
    let worlds = rounds.div_ceil(size);
    let next = AtomicU64::new(0);
    let all = Mutex::new(new_report());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= worlds {
                        return;
                    }
                    if asked.wants(number) {
                        let rounds = size.min(rounds - number * size);
                        let report = Life::new(asked.seed, number).run(rounds);
                        all.lock().expect("no world panics").merge(report);
                    }
                }
            });
        }
    });
    all.into_inner().expect("no world panics")
}

/// Returns a report whose counts stand in a readable order.
fn new_report() -> Report {
    let mut report = Report::default();
    for name in [
        "rounds",
        "calls",
        "cancels",
        "hits on a server",
        "hits on a worker",
        "hits on a peer",
        "hits on all",
        "of them by KILL",
        "of them by TERM",
        "nobody to hit",
        "servers started",
        "heard before the retry",
        "jobs",
        "jobs succeeded",
        "jobs failed",
        "jobs cancelled",
        "jobs lost",
        "lost with partial",
    ] {
        report.count(name, 0);
    }
    report
}

/// One world and what is known of it.
struct Life {
    number: u64,
    world: World,
    random: Random,
    memory: Memory,
    report: Report,
    server: Option<Server>,
    /// How long a round takes when nobody is hit; instants are chosen within it.
    typical: Duration,
}

/// One question and how it is asked.
struct Question {
    key: String,
    tool: &'static str,
    arguments: Value,
    heard: Heard,
}

/// How an answer will come.
enum Heard {
    /// From the server, by this call.
    Call(u64),
    /// From a terminal.
    Terminal(Child),
    /// Not at all.
    Nothing,
}

impl Life {
    fn new(seed: u64, number: u64) -> Self {
        let world = World::new();
        // A first answer that cannot be read is asked for again.
        ledger::attempts(&world, 2);
        Self {
            number,
            world,
            random: Random::new(seed, number),
            memory: Memory::default(),
            report: Report::default(),
            server: None,
            typical: Duration::from_millis(100),
        }
    }

    fn run(mut self, rounds: u64) -> Report {
        for round in 0..rounds {
            if let Err(wrong) = self.round(round) {
                self.violation(&format!("round {round}: {wrong}"));
                break;
            }
        }
        if let Err(wrong) = self.end() {
            self.violation(&wrong);
        }
        self.server = None;
        signal_all(&living(&self.world.home()), Signal::KILL);
        self.report
    }

    fn violation(&mut self, what: &str) {
        let number = self.number;
        self.report
            .violation(Some(number), format!("world {number}, {what}"));
    }

    fn round(&mut self, round: u64) -> Result<(), String> {
        self.report.count("rounds", 1);
        let begun = Instant::now();
        let count = 1 + self.random.below(3);
        let mut questions = Vec::new();
        for number in 0..count {
            questions.push(self.ask(round, number));
        }
        // The first rounds measure how long one takes.
        if round >= 2 {
            let typical = u64::try_from(self.typical.as_micros()).unwrap_or(u64::MAX);
            let at = self.random.below(typical.max(1));
            std::thread::sleep(Duration::from_micros(at));
            self.hit();
        }
        for question in &mut questions {
            self.hear(question)?;
        }
        if round < 2 {
            self.typical = begun.elapsed();
        }
        for question in &questions {
            self.repeat(question)?;
        }
        if !wait_until(|| self.at_work().is_empty()) {
            return Err(format!("still runs: {:?}", self.at_work()));
        }
        self.audit(&format!("round {round}"), Moment::Meanwhile)
    }

    /// Asks something through one of the doors.
    fn ask(&mut self, round: u64, number: u64) -> Question {
        let key = format!("{}-{round}-{number}", self.number);
        let (steps, step_ms) = (self.random.below(4), self.random.below(6));
        let bad = u64::from(self.random.below(10) == 0);
        let text = format!("question {key} [[peer steps={steps} step_ms={step_ms} bad={bad}]]");
        let is_review = self.random.below(4) == 0;
        let options = json!({"idempotency_key": key});
        let (tool, arguments) = if is_review {
            (
                "review",
                json!({"scope": "working_tree", "focus": text, "options": options}),
            )
        } else {
            ("consult", json!({"prompt": text, "options": options}))
        };
        let mut question = Question {
            key,
            tool,
            arguments,
            heard: Heard::Nothing,
        };
        match self.random.below(4) {
            // As a person in a terminal.
            0 => question.heard = Heard::Terminal(self.terminal(&question, &text)),
            // In the background, and sometimes it is cancelled at once.
            1 => {
                let mut asked = question.arguments.clone();
                asked["background"] = true.into();
                let answer = self.server().call(tool, &asked);
                if let Some(id) = answer.as_ref().and_then(job_id) {
                    ledger::acknowledge(&self.world, &id, Some(&question.key));
                    if self.random.below(2) == 0 {
                        let call = self.server().begin("cancel", &json!({"id": id}));
                        question.heard = call.map_or(Heard::Nothing, Heard::Call);
                        self.report.count("cancels", 1);
                    }
                }
            }
            _ => {
                let asked = question.waiting();
                let call = self.server().begin(tool, &asked);
                question.heard = call.map_or(Heard::Nothing, Heard::Call);
            }
        }
        self.report.count("calls", 1);
        question
    }

    fn terminal(&self, question: &Question, text: &str) -> Child {
        let mut command = self.world.crosscheck(&self.world.no_plan());
        command.arg(question.tool);
        if question.tool == "review" {
            command.args(["--scope", "working_tree", "--focus", text]);
        } else {
            command.arg(text);
        }
        let key = format!("idempotency_key={}", question.key);
        command
            .args(["--json", "--option", &key])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a terminal can be started")
    }

    /// Hits somebody, if there is somebody.
    fn hit(&mut self) {
        let signal = *self.random.one_of(&[Signal::KILL, Signal::TERM]);
        let target = self.random.below(4);
        let alive = living(&self.world.home());
        let of = |kind: Kind| -> Vec<_> {
            alive
                .iter()
                .filter(|process| process.kind == kind)
                .cloned()
                .collect()
        };
        let (name, mut victims) = match target {
            0 => ("hits on a server", of(Kind::Server)),
            1 => ("hits on a worker", of(Kind::Worker)),
            2 => ("hits on a peer", of(Kind::Peer)),
            _ => ("hits on all", alive.clone()),
        };
        if victims.is_empty() {
            return self.report.count("nobody to hit", 1);
        }
        if target < 3 {
            victims = vec![self.random.one_of(&victims).clone()];
        }
        self.report.count(name, 1);
        self.report.count(
            if signal == Signal::KILL {
                "of them by KILL"
            } else {
                "of them by TERM"
            },
            1,
        );
        signal_all(&victims, signal);
        let is_hit = |server: &&mut Server| victims.iter().any(|victim| victim.identity.pid == server.pid());
        // A server that was told to end answers what it can first. Its parent is asked whether it is gone: the first
        // thread of a process may end before the others.
        if let Some(server) = self.server.as_mut().filter(is_hit)
            && !server.ends_within(PATIENCE)
        {
            self.violation("a server that was told to end runs on");
        }
    }

    /// Takes the answer of a call, if there is still somebody to give it.
    fn hear(&mut self, question: &mut Question) -> Result<(), String> {
        let answer = match std::mem::replace(&mut question.heard, Heard::Nothing) {
            Heard::Nothing => None,
            Heard::Terminal(child) => {
                let output = child
                    .wait_with_output()
                    .map_err(|error| format!("a terminal: {error}"))?;
                serde_json::from_slice::<Value>(&output.stdout).ok()
            }
            Heard::Call(call) => {
                let lives = self.server.as_mut().is_some_and(Server::is_alive);
                let server = self.server.as_mut().filter(|_| lives);
                let told = server.map(|server| server.answer(call, PATIENCE));
                told.map(|answer| answer.ok_or("a living server did not answer"))
                    .transpose()?
            }
        };
        if let Some(id) = answer.as_ref().and_then(job_id) {
            ledger::acknowledge(&self.world, &id, Some(&question.key));
            self.report.count("heard before the retry", 1);
        }
        Ok(())
    }

    /// Repeats a call: whatever happened, it comes to an end that is told.
    fn repeat(&mut self, question: &Question) -> Result<(), String> {
        let asked = question.waiting();
        let answer = self
            .server()
            .call(question.tool, &asked)
            .ok_or("a repeated call is not answered")?;
        let id = job_id(&answer).ok_or_else(|| format!("a repeated call tells no job: {answer}"))?;
        ledger::acknowledge(&self.world, &id, Some(&question.key));
        let facts = JobFacts::read(&self.world.state().join("jobs").join(&id));
        let told = answer["job"]["state"].as_str();
        if facts.state() != told {
            return Err(format!("{id} is told as {told:?} and is {:?}", facts.state()));
        }
        Ok(())
    }

    /// Returns a server that lives.
    fn server(&mut self) -> &mut Server {
        if self.server.as_mut().is_none_or(|server| !server.is_alive()) {
            self.server = Some(self.world.server(&self.world.no_plan()));
            self.report.count("servers started", 1);
        }
        self.server.as_mut().expect("it was just started")
    }

    fn at_work(&self) -> Vec<String> {
        living(&self.world.home())
            .into_iter()
            .filter(|process| process.kind != Kind::Server)
            .map(|process| process.line)
            .collect()
    }

    fn audit(&mut self, when: &str, moment: fn(SystemTime) -> Moment) -> Result<(), String> {
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
        Ok(())
    }

    /// Lets a day pass, ends one more job, whose worker sweeps up, and looks at what is left.
    fn end(&mut self) -> Result<(), String> {
        ledger::age_leftovers(&self.world);
        self.server()
            .call("consult", &json!({"prompt": "the last question", "wait_s": 50}))
            .ok_or("the last call is not answered")?;
        if !wait_until(|| self.at_work().is_empty()) {
            return Err(format!("at the end still runs: {:?}", self.at_work()));
        }
        self.audit("at the end", Moment::AtTheEnd)?;
        for path in self.world.jobs() {
            let job = JobFacts::read(&path);
            let name = match job.state() {
                Some("succeeded") => "jobs succeeded",
                Some("failed") => "jobs failed",
                Some("cancelled") => "jobs cancelled",
                Some("lost") => "jobs lost",
                _ => "jobs with another end",
            };
            self.report.count("jobs", 1);
            self.report.count(name, 1);
            if job.state() == Some("lost") && job.said("partial").is_some() {
                self.report.count("lost with partial", 1);
            }
        }
        Ok(())
    }
}

impl Question {
    /// The call that waits.
    fn waiting(&self) -> Value {
        let mut asked = self.arguments.clone();
        asked["wait_s"] = 50.into();
        asked
    }
}
