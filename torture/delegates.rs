//! Delegates at random: consults, reviews, delegates and groups, of which any process is killed at a random instant; then
//! results land and are taken back, of which the server is killed too. What is the user's stays as it was, what a peer left
//! is its job's result, and a landing is all of it or nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Counts, Moment, files};
use crate::facts::JobFacts;
use crate::kill_case::job_id;
use crate::landing_play::IGNORED;
use crate::life::{Life, side_by_side, waiting};
use crate::parts::{Asked, Length, Report};
use crate::random::Random;
use crate::world::PATIENCE;

/// Runs of the two lengths.
const SHORT: u64 = 24;
const LONG: u64 = 5_000;
/// Exit code of a terminal that was told to end.
const TOLD_TO_END: i32 = 143;
/// Rounds of which the time is taken before anybody is hit.
const CALM: u64 = 2;
/// What is counted, in a readable order.
const COUNTS: [&str; 24] = [
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
];

/// Runs until so many runs were asked for.
pub fn run(asked: &Asked) -> Report {
    let runs = asked.rounds.unwrap_or(match asked.length {
        Length::Short => SHORT,
        Length::Long => LONG,
    });
    side_by_side(asked, runs, &COUNTS, |number, runs| {
        let random = Random::new(asked.seed, 0xDE1E ^ number);
        let life = Life::new(number, random, Duration::from_millis(500));
        Delegating {
            landing: Duration::from_millis(500),
            before: files::everything(&life.world.workspace()),
            tried: BTreeSet::new(),
            life,
        }
        .run(runs)
    })
}

/// A world in which results land.
struct Delegating {
    life: Life,
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

impl Delegating {
    fn run(mut self, runs: u64) -> Report {
        let (mut done, mut round) = (0, 0);
        while done < runs {
            match self.round(round) {
                Ok(runs) => done += runs,
                Err(wrong) => {
                    self.life.violation(&format!("round {round}: {wrong}"));
                    break;
                }
            }
            round += 1;
        }
        if let Err(wrong) = self.end() {
            self.life.violation(&wrong);
        }
        self.life.over()
    }

    /// Asks one or two things, hits somebody, asks again, and lands something. Returns how many runs were asked for.
    fn round(&mut self, round: u64) -> Result<u64, String> {
        let begun = Instant::now();
        let count = 1 + self.life.random.below(2);
        let mut questions: Vec<Question> = (0..count).map(|number| self.ask(round, number)).collect();
        let is_cleaned = self.life.random.below(4) == 0;
        let cleaning = is_cleaned.then(|| self.clean());
        if round >= CALM {
            self.life.hit(&[Signal::KILL, Signal::KILL, Signal::TERM]);
        }
        if let Some(cleaning) = cleaning {
            Self::hear_clean(cleaning)?;
        }
        for question in &mut questions {
            self.hear(question)?;
        }
        if round < CALM {
            self.life.typical = begun.elapsed();
        }
        for question in &questions {
            self.life
                .repeat(question.tool, &question.arguments, question.key.as_deref())?;
        }
        self.life.is_quiet()?;
        self.audit(&format!("round {round}"), Moment::Meanwhile)?;
        if self.life.random.below(3) == 0 {
            self.land()?;
            self.audit(&format!("round {round}, landed"), Moment::Meanwhile)?;
        }
        Ok(questions.iter().map(|question| question.runs).sum())
    }

    fn ask(&mut self, round: u64, number: u64) -> Question {
        let key = format!("{}-{round}-{number}", self.life.number);
        let options = json!({"idempotency_key": key});
        let (steps, step_ms) = (self.life.random.below(4), self.life.random.below(20));
        let (edit, edit_at, edit_ms) = (
            1 + self.life.random.below(300),
            self.life.random.below(3),
            self.life.random.below(15),
        );
        let pace = format!("steps={steps} step_ms={step_ms}");
        let edits = format!("{pace} edit={edit} edit_at={edit_at} edit_ms={edit_ms}");
        let checks = if self.life.random.below(2) == 0 {
            json!(["test -e made/deep/latin-1", "echo built > built-by-the-check"])
        } else {
            json!([])
        };
        let (tool, arguments, runs, name) = match self.life.random.below(8) {
            0 => (
                "consult",
                json!({"prompt": format!("question {key} [[peer {pace}]]"), "options": options}),
                1,
                "consults",
            ),
            1 => (
                "review",
                json!({"scope": "working_tree", "depth": "quick", "focus": format!("question {key} [[peer {pace}]]"), "options": options}),
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
        self.life.report.count("runs", runs);
        self.life.report.count(name, 1);
        let mut question = Question {
            tool,
            arguments,
            runs,
            call: None,
            key: (runs == 1).then_some(key),
        };
        let asked = waiting(&question.arguments);
        question.call = self.life.server().begin(tool, &asked);
        question
    }

    /// Clears away what is idle, as a person in a terminal does who does not know that something runs.
    fn clean(&mut self) -> Child {
        self.life.report.count("cleanings", 1);
        self.life
            .world
            .crosscheck(&self.life.world.no_plan())
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

    /// Takes the answer of a call, if there is still somebody to give it.
    fn hear(&mut self, question: &mut Question) -> Result<(), String> {
        let Some(call) = question.call.take() else {
            return Ok(());
        };
        let answer = self.life.hear(call)?;
        if let (Some(answer), Some(key)) = (answer.filter(|answer| job_id(answer).is_some()), &question.key) {
            self.life.acknowledge(&answer, key)?;
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
            .life
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
        let left = std::fs::read_to_string(self.life.world.ledger().join("left").join(&id)).ok();
        self.life.report.count("landings", 1);
        let asked = json!({"id": id, "action": "land", "token": token, "accept_failed_checks": true});
        let begun = Instant::now();
        let call = self
            .life
            .server()
            .begin("apply", &asked)
            .ok_or("the server is gone")?;
        let is_hit = self.life.random.below(2) == 0;
        if is_hit {
            self.life
                .report
                .count("landings of which the server was killed", 1);
            self.life.sleep_within(self.landing);
            self.life.server().kill();
        } else {
            let told = self
                .life
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
        let is_before = files::everything(&self.life.world.workspace()) == self.before;
        let content = files::content_without(&self.life.world.workspace(), &IGNORED);
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
            self.life.report.count(name, 1);
        }
        let undone = self
            .life
            .server()
            .call("apply", &json!({"id": id, "action": "undo"}))
            .ok_or("an undo is not answered")?;
        if (undone["ok"] == true) == is_before {
            return Err(format!("as before: {is_before}, and the undo says {undone}"));
        }
        self.life.report.count("undone", u64::from(!is_before));
        (files::everything(&self.life.world.workspace()) == self.before)
            .then_some(())
            .ok_or_else(|| format!("after the undo of {id} the files are not as before"))
    }

    /// Looks at what landing would do; `None` when it cannot land.
    fn token(&mut self, id: &str) -> Result<Option<String>, String> {
        let asked = json!({"tool": "apply", "arguments": {"id": id, "action": "preview"}});
        let told = self
            .life
            .server()
            .call("dry_run", &asked)
            .ok_or("a preview is not answered")?;
        if told["ok"] != true {
            return Err(format!("the result of {id} has no preview: {told}"));
        }
        Ok(told["token"].as_str().map(str::to_owned))
    }

    fn audit(&mut self, when: &str, moment: fn(SystemTime) -> Moment) -> Result<(), String> {
        let counts = self.life.audit(when, moment)?;
        self.count_untouched(&counts);
        Ok(())
    }

    fn count_untouched(&mut self, counts: &Counts) {
        self.life
            .report
            .count("audits of what is the user's", u64::from(counts.untouched > 0));
    }

    fn end(&mut self) -> Result<(), String> {
        let (counts, jobs) = self.life.end()?;
        self.count_untouched(&counts);
        self.life.report.count("results compared", counts.results as u64);
        let with_work = |job: &&JobFacts| {
            let result = job.result.as_ref();
            job.state() == Some("lost") && result.is_some_and(|result| result["work"].is_object())
        };
        let count = jobs.iter().filter(with_work).count();
        self.life.report.count("lost with a result", count as u64);
        Ok(())
    }
}
