//! Random kills: nothing is halted, and somebody is killed or told to end at a random instant. Then the calls are
//! repeated as a caller does who heard nothing, and the disk is audited.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::Moment;
use crate::facts::JobFacts;
use crate::kill_case::job_id;
use crate::ledger;
use crate::life::{Life, side_by_side, waiting};
use crate::parts::{Asked, Length, Report};
use crate::random::Random;

/// Rounds of the two lengths.
const SHORT: u64 = 60;
const LONG: u64 = 10_000;
/// Rounds of which the time is taken before anybody is hit.
const CALM: u64 = 2;
/// What is counted, in a readable order.
const COUNTS: [&str; 18] = [
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
];

/// Runs the rounds.
pub fn run(asked: &Asked) -> Report {
    let rounds = asked.rounds.unwrap_or(match asked.length {
        Length::Short => SHORT,
        Length::Long => LONG,
    });
    side_by_side(asked, rounds, &COUNTS, |number, rounds| {
        let life = Life::new(
            number,
            Random::new(asked.seed, number),
            Duration::from_millis(100),
        );
        // A first answer that cannot be read is asked for again.
        ledger::attempts(&life.world, 2);
        Killing { life }.run(rounds)
    })
}

/// A world whose callers ask again until they are told.
struct Killing {
    life: Life,
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

impl Killing {
    fn run(mut self, rounds: u64) -> Report {
        for round in 0..rounds {
            if let Err(wrong) = self.round(round) {
                self.life.violation(&format!("round {round}: {wrong}"));
                break;
            }
        }
        match self.life.end() {
            Ok((_, jobs)) => {
                let with_partial =
                    |job: &&_| JobFacts::state(job) == Some("lost") && job.said("partial").is_some();
                let count = jobs.iter().filter(with_partial).count();
                self.life.report.count("lost with partial", count as u64);
            }
            Err(wrong) => self.life.violation(&wrong),
        }
        self.life.over()
    }

    fn round(&mut self, round: u64) -> Result<(), String> {
        self.life.report.count("rounds", 1);
        let begun = Instant::now();
        let count = 1 + self.life.random.below(3);
        let mut questions = Vec::new();
        for number in 0..count {
            questions.push(self.ask(round, number));
        }
        if round >= CALM
            && let Some(signal) = self.life.hit(&[Signal::KILL, Signal::TERM])
        {
            let name = if signal == Signal::KILL {
                "of them by KILL"
            } else {
                "of them by TERM"
            };
            self.life.report.count(name, 1);
        }
        for question in &mut questions {
            self.hear(question)?;
        }
        if round < CALM {
            self.life.typical = begun.elapsed();
        }
        for question in &questions {
            self.life
                .repeat(question.tool, &question.arguments, Some(&question.key))?;
        }
        self.life.is_quiet()?;
        self.life.audit(&format!("round {round}"), Moment::Meanwhile)?;
        Ok(())
    }

    /// Asks something through one of the doors.
    fn ask(&mut self, round: u64, number: u64) -> Question {
        let key = format!("{}-{round}-{number}", self.life.number);
        let (steps, step_ms) = (self.life.random.below(4), self.life.random.below(6));
        let bad = u64::from(self.life.random.below(10) == 0);
        let text = format!("question {key} [[peer steps={steps} step_ms={step_ms} bad={bad}]]");
        let is_review = self.life.random.below(4) == 0;
        let options = json!({"idempotency_key": key});
        let (tool, arguments) = if is_review {
            (
                "review",
                json!({"scope": "working_tree", "depth": "quick", "focus": text, "options": options}),
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
        match self.life.random.below(4) {
            // As a person in a terminal.
            0 => question.heard = Heard::Terminal(self.terminal(&question, &text)),
            // In the background, and sometimes it is cancelled at once.
            1 => {
                let mut asked = question.arguments.clone();
                asked["background"] = true.into();
                let answer = self.life.server().call(tool, &asked);
                if let Some(id) = answer.as_ref().and_then(job_id) {
                    ledger::acknowledge(&self.life.world, &id, Some(&question.key));
                    if self.life.random.below(2) == 0 {
                        let call = self.life.server().begin("cancel", &json!({"id": id}));
                        question.heard = call.map_or(Heard::Nothing, Heard::Call);
                        self.life.report.count("cancels", 1);
                    }
                }
            }
            _ => {
                let asked = waiting(&question.arguments);
                let call = self.life.server().begin(tool, &asked);
                question.heard = call.map_or(Heard::Nothing, Heard::Call);
            }
        }
        self.life.report.count("calls", 1);
        question
    }

    fn terminal(&self, question: &Question, text: &str) -> Child {
        let mut command = self.life.world.crosscheck(&self.life.world.no_plan());
        command.arg(question.tool);
        if question.tool == "review" {
            command.args(["--scope", "working_tree", "--depth", "quick", "--focus", text]);
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
            Heard::Call(call) => self.life.hear(call)?,
        };
        if let Some(answer) = answer.filter(|answer| job_id(answer).is_some()) {
            self.life.acknowledge(&answer, &question.key)?;
            self.life.report.count("heard before the retry", 1);
        }
        Ok(())
    }
}
