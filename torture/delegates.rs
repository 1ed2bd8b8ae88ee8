//! Delegates at random: consults, reviews, delegates and groups, of which any process is killed at a random instant; then
//! results land and are taken back, of which the server is killed too. What is the user's stays as it was, what a peer left
//! is its job's result, and a landing is all of it or nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Memory, Moment, audit, files};
use crate::facts::JobFacts;
use crate::kill_case::job_id;
use crate::kill_landing::IGNORED;
use crate::ledger;
use crate::parts::{Asked, Length, Report};
use crate::processes::{Kind, living, signal_all};
use crate::random::Random;
use crate::server::Server;
use crate::world::{PATIENCE, World, wait_until};

/// Worlds that live side by side.
const THREADS: u64 = 2;
/// Runs asked for in one world: its store grows, and reading it takes longer.
const RUNS_PER_WORLD: u64 = 50;
/// Runs of the two lengths.
const SHORT: u64 = 24;
const LONG: u64 = 5_000;
/// Exit code of a terminal that was told to end.
const TOLD_TO_END: i32 = 143;
/// Rounds of which the time is taken before anybody is hit.
const CALM: u64 = 2;

/// Runs until so many runs were asked for. A case is a world: its rounds build on each other.
pub fn run(asked: &Asked) -> Report {
    let runs = asked.rounds.unwrap_or(match asked.length {
        Length::Short => SHORT,
        Length::Long => LONG,
    });
    let size = RUNS_PER_WORLD.min(runs.div_ceil(THREADS)).max(1);
    let worlds = runs.div_ceil(size);
    let (next, all) = (AtomicU64::new(0), Mutex::new(new_report()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= worlds {
                        return;
                    }
                    if asked.wants(number) {
                        let runs = size.min(runs - number * size);
                        let report = Life::new(asked.seed, number).run(runs);
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
        "runs",
        "consults",
        "reviews",
        "delegates",
        "groups of 2",
        "cleanings",
        "hits on a server",
        "hits on a worker",
        "hits on a peer",
        "hits on all",
        "nobody to hit",
        "landings",
        "landings of which the server was killed",
        "of them as before",
        "of them as landed",
        "undone",
        "jobs",
        "jobs succeeded",
        "jobs failed",
        "jobs cancelled",
        "jobs lost",
        "lost with a result",
        "results compared",
        "audits of what is the user's",
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
    /// How long a landing takes when nobody is hit.
    landing: Duration,
    /// The hash of everything the user has.
    before: String,
    /// The results that landed once.
    tried: BTreeSet<PathBuf>,
}

/// One call.
struct Question {
    tool: &'static str,
    arguments: Value,
    runs: u64,
    call: Option<u64>,
    /// The key, of a call that is one job.
    key: Option<String>,
}

impl Life {
    fn new(seed: u64, number: u64) -> Self {
        let world = World::new();
        Self {
            number,
            random: Random::new(seed, 0xDE1E ^ number),
            memory: Memory::default(),
            report: Report::default(),
            server: None,
            typical: Duration::from_millis(500),
            landing: Duration::from_millis(500),
            before: files::everything(&world.workspace()),
            tried: BTreeSet::new(),
            world,
        }
    }

    fn run(mut self, runs: u64) -> Report {
        let (mut done, mut round) = (0, 0);
        while done < runs {
            match self.round(round) {
                Ok(runs) => done += runs,
                Err(wrong) => {
                    self.violation(&format!("round {round}: {wrong}"));
                    break;
                }
            }
            round += 1;
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

    /// Asks one or two things, hits somebody, asks again, and lands something. Returns how many runs were asked for.
    fn round(&mut self, round: u64) -> Result<u64, String> {
        let begun = Instant::now();
        let count = 1 + self.random.below(2);
        let mut questions: Vec<Question> = (0..count).map(|number| self.ask(round, number)).collect();
        let is_cleaned = self.random.below(4) == 0;
        let cleaning = is_cleaned.then(|| self.clean());
        if round >= CALM {
            self.sleep();
            self.hit();
        }
        if let Some(cleaning) = cleaning {
            Self::hear_clean(cleaning)?;
        }
        for question in &mut questions {
            self.hear(question)?;
        }
        if round < CALM {
            self.typical = begun.elapsed();
        }
        for question in &questions {
            self.repeat(question)?;
        }
        self.is_quiet()?;
        self.audit(&format!("round {round}"), Moment::Meanwhile)?;
        if self.random.below(3) == 0 {
            self.land()?;
            self.audit(&format!("round {round}, landed"), Moment::Meanwhile)?;
        }
        Ok(questions.iter().map(|question| question.runs).sum())
    }

    fn ask(&mut self, round: u64, number: u64) -> Question {
        let key = format!("{}-{round}-{number}", self.number);
        let options = json!({"idempotency_key": key});
        let (steps, step_ms) = (self.random.below(4), self.random.below(20));
        let (edit, edit_at, edit_ms) = (
            1 + self.random.below(300),
            self.random.below(3),
            self.random.below(15),
        );
        let pace = format!("steps={steps} step_ms={step_ms}");
        let edits = format!("{pace} edit={edit} edit_at={edit_at} edit_ms={edit_ms}");
        let checks = if self.random.below(2) == 0 {
            json!(["test -e made/deep/latin-1", "echo built > built-by-the-check"])
        } else {
            json!([])
        };
        let (tool, arguments, runs, name) = match self.random.below(8) {
            0 => (
                "consult",
                json!({"prompt": format!("question {key} [[peer {pace}]]"), "options": options}),
                1,
                "consults",
            ),
            1 => (
                "review",
                json!({"scope": "working_tree", "focus": format!("question {key} [[peer {pace}]]"), "options": options}),
                1,
                "reviews",
            ),
            2 => (
                "delegate",
                json!({"task": format!("task {key} [[peer {edits}]]"), "attempts": 2, "checks": checks, "options": options}),
                2,
                "groups of 2",
            ),
            _ => (
                "delegate",
                json!({"task": format!("task {key} [[peer {edits}]]"), "checks": checks, "options": options}),
                1,
                "delegates",
            ),
        };
        self.report.count("runs", runs);
        self.report.count(name, 1);
        let mut question = Question {
            tool,
            arguments,
            runs,
            call: None,
            key: (runs == 1).then_some(key),
        };
        let asked = question.waiting();
        question.call = self.server().begin(tool, &asked);
        question
    }

    /// Clears away what is idle, as a person in a terminal does who does not know that something runs.
    fn clean(&mut self) -> Child {
        self.report.count("cleanings", 1);
        self.world
            .crosscheck(&self.world.no_plan())
            .args(["clean", "--yes", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a terminal can be started")
    }

    /// Hears whether it was cleaned, unless somebody was hit.
    fn hear_clean(cleaning: Child) -> Result<(), String> {
        let output = cleaning
            .wait_with_output()
            .map_err(|error| format!("a terminal: {error}"))?;
        let Some(code) = output.status.code() else {
            return Ok(());
        };
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        // One that was told to end says so.
        let is_told = told["ok"] == true || told["error"]["code"].is_string() || code == TOLD_TO_END;
        is_told
            .then_some(())
            .ok_or_else(|| format!("a cleaning ended with {code} and said {told}"))
    }

    /// Lets a random part of a usual round pass.
    fn sleep(&mut self) {
        let typical = u64::try_from(self.typical.as_micros()).unwrap_or(u64::MAX);
        let at = self.random.below(typical.max(1));
        std::thread::sleep(Duration::from_micros(at));
    }

    /// Hits somebody, if there is somebody.
    fn hit(&mut self) {
        let signal = *self.random.one_of(&[Signal::KILL, Signal::KILL, Signal::TERM]);
        let target = self.random.below(4);
        let alive = living(&self.world.home());
        let (name, kind) = match target {
            0 => ("hits on a server", Some(Kind::Server)),
            1 => ("hits on a worker", Some(Kind::Worker)),
            2 => ("hits on a peer", Some(Kind::Peer)),
            _ => ("hits on all", None),
        };
        let mut victims: Vec<_> = alive
            .into_iter()
            .filter(|process| kind.is_none_or(|kind| process.kind == kind))
            .collect();
        if victims.is_empty() {
            return self.report.count("nobody to hit", 1);
        }
        if kind.is_some() {
            victims = vec![self.random.one_of(&victims).clone()];
        }
        self.report.count(name, 1);
        signal_all(&victims, signal);
        let is_hit = |server: &&mut Server| victims.iter().any(|victim| victim.identity.pid == server.pid());
        if let Some(server) = self.server.as_mut().filter(is_hit)
            && !server.ends_within(PATIENCE)
        {
            self.violation("a server that was told to end runs on");
        }
    }

    /// Takes the answer of a call, if there is still somebody to give it.
    fn hear(&mut self, question: &mut Question) -> Result<(), String> {
        let Some(call) = question.call.take() else {
            return Ok(());
        };
        let lives = self.server.as_mut().is_some_and(Server::is_alive);
        let server = self.server.as_mut().filter(|_| lives);
        let told = server.map(|server| server.answer(call, PATIENCE));
        let answer = told
            .map(|answer| answer.ok_or("a living server did not answer"))
            .transpose()?;
        if let (Some(id), Some(key)) = (answer.as_ref().and_then(job_id), &question.key) {
            ledger::acknowledge(&self.world, &id, Some(key));
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
        let Some(key) = &question.key else {
            return Ok(());
        };
        ledger::acknowledge(&self.world, &id, Some(key));
        let facts = JobFacts::read(&self.world.state().join("jobs").join(&id));
        let told = answer["job"]["state"].as_str();
        if facts.state() != told {
            return Err(format!("{id} is told as {told:?} and is {:?}", facts.state()));
        }
        Ok(())
    }

    /// Lands a result that did not land before, sometimes with a kill, and takes it back.
    fn land(&mut self) -> Result<(), String> {
        let with_work = |path: &PathBuf| {
            let facts = JobFacts::read(path);
            facts
                .result
                .is_some_and(|result| result["work"]["diffstat"]["files"].as_u64() > Some(0))
        };
        let found = self
            .world
            .jobs()
            .into_iter()
            .find(|path| !self.tried.contains(path) && with_work(path));
        let Some(path) = found else { return Ok(()) };
        self.tried.insert(path.clone());
        let id = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(token) = self.token(&id)? else {
            return Ok(());
        };
        let left = std::fs::read_to_string(self.world.ledger().join("left").join(&id)).ok();
        self.report.count("landings", 1);
        let asked = json!({"id": id, "action": "land", "token": token, "accept_failed_checks": true});
        let begun = Instant::now();
        let call = self.server().begin("apply", &asked).ok_or("the server is gone")?;
        let is_hit = self.random.below(2) == 0;
        if is_hit {
            self.report.count("landings of which the server was killed", 1);
            let within = u64::try_from(self.landing.as_micros()).unwrap_or(u64::MAX);
            let at = self.random.below(within.max(1));
            std::thread::sleep(Duration::from_micros(at));
            self.server().kill();
        } else {
            let told = self
                .server()
                .answer(call, PATIENCE)
                .ok_or("a landing is not answered")?;
            if told["ok"] != true {
                return Err(format!(
                    "it does not land after {} ms: {told}",
                    begun.elapsed().as_millis()
                ));
            }
            // A little longer than the last one took, so that some are hit when all is over.
            self.landing = begun.elapsed() + begun.elapsed() / 8;
        }
        // Somebody looks, and what was left half-way is taken back.
        let looked = self.token(&id);
        let is_before = files::everything(&self.world.workspace()) == self.before;
        let content = files::content_without(&self.world.workspace(), &IGNORED);
        if !is_before && left.as_ref().is_some_and(|left| !left.contains(&content)) {
            return Err(format!(
                "the landing of {id} is neither as before nor what the peer left"
            ));
        }
        looked.map_err(|wrong| format!("as before: {is_before}: {wrong}"))?;
        if is_hit {
            let name = if is_before {
                "of them as before"
            } else {
                "of them as landed"
            };
            self.report.count(name, 1);
        }
        let undone = self
            .server()
            .call("apply", &json!({"id": id, "action": "undo"}))
            .ok_or("an undo is not answered")?;
        if (undone["ok"] == true) == is_before {
            return Err(format!("as before: {is_before}, and the undo says {undone}"));
        }
        self.report.count("undone", u64::from(!is_before));
        (files::everything(&self.world.workspace()) == self.before)
            .then_some(())
            .ok_or_else(|| format!("after the undo of {id} the files are not as before"))
    }

    /// Looks at what landing would do; `None` when it cannot land.
    fn token(&mut self, id: &str) -> Result<Option<String>, String> {
        let asked = json!({"tool": "apply", "arguments": {"id": id, "action": "preview"}});
        let told = self
            .server()
            .call("dry_run", &asked)
            .ok_or("a preview is not answered")?;
        if told["ok"] != true {
            return Err(format!("the result of {id} has no preview: {told}"));
        }
        Ok(told["token"].as_str().map(str::to_owned))
    }

    /// Returns a server that lives.
    fn server(&mut self) -> &mut Server {
        if self.server.as_mut().is_none_or(|server| !server.is_alive()) {
            self.server = Some(self.world.server(&self.world.no_plan()));
        }
        self.server.as_mut().expect("it was just started")
    }

    fn is_quiet(&self) -> Result<(), String> {
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
        self.report.count(
            "audits of what is the user's",
            u64::from(audited.counts.untouched > 0),
        );
        if matches!(moment(SystemTime::now()), Moment::AtTheEnd(_)) {
            self.report
                .count("results compared", audited.counts.results as u64);
        }
        Ok(())
    }

    /// Lets a day pass, ends one more job, whose worker sweeps up, and looks at what is left.
    fn end(&mut self) -> Result<(), String> {
        ledger::age_leftovers(&self.world);
        self.server()
            .call("consult", &json!({"prompt": "the last question", "wait_s": 50}))
            .ok_or("the last call is not answered")?;
        self.is_quiet()?;
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
            let has_work = job
                .result
                .as_ref()
                .is_some_and(|result| result["work"].is_object());
            if job.state() == Some("lost") && has_work {
                self.report.count("lost with a result", 1);
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
