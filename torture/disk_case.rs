//! One failing operation: the call, the disk healing, the same call again, and what must be true then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crosscheck::domain::fault::FaultCode;
use crosscheck::sys::lock;
use serde_json::Value;

use crate::audit::{Memory, Moment, audit};
use crate::disk::{Act, Series, Spread};
use crate::facts::JobFacts;
use crate::ledger;
use crate::processes::living;
use crate::world::{PATIENCE, World, wait_until};

/// Nothing failed for this long: whoever meets the failure has met it, and the disk may heal.
const QUIET: Duration = Duration::from_millis(60);
/// The idempotency key of the call.
const KEY: &str = "k";

/// What one case showed.
#[derive(Debug)]
pub struct Outcome {
    /// Whether the operation was there to fail.
    pub fired: bool,
    /// What the call said, for the table.
    pub told: &'static str,
    /// Broken rules.
    pub violations: Vec<String>,
}

/// What a command line said.
#[derive(Debug)]
pub struct Said {
    /// The envelope.
    pub envelope: Option<Value>,
    code: Option<i32>,
    stderr: String,
}

/// Lets one operation fail.
pub fn run(world: &World, series: Series, nth: u64) -> Outcome {
    clean(world);
    let count = match series.spread {
        Spread::Once => 1,
        Spread::FromThenOn => 1_000_000,
    };
    let line = format!(
        "fail {} {} {nth} {count} {}",
        series.operation, series.role, series.errno
    );
    let plan = world.plan("fault", &[line]);
    let mut case = Case {
        world,
        plan,
        series,
        violations: Vec::new(),
    };
    let told = match series.act {
        Act::Consult | Act::Review => case.ask(),
        Act::Cancel => case.cancel(),
    };
    let fired = fs::metadata(case.plan.join("fired")).is_ok_and(|about| about.len() > 0);
    case.afterwards();
    Outcome {
        fired,
        told,
        violations: case.violations,
    }
}

/// Asks where locks are refused with ENOLCK: it must be told by name, and nothing may be started.
pub fn without_locks(world: &World) -> Vec<String> {
    let plan = world.plan("no-locks", &["fail lock server 1 1 37".to_owned()]);
    let mut command = world.crosscheck(&plan);
    command.args([
        "consult",
        "a question",
        "--json",
        "--option",
        "isolation=ignore_config",
    ]);
    let said = finish(command, |_| ());
    let error = said
        .envelope
        .as_ref()
        .map(|envelope| envelope["error"].to_string());
    let error = error.unwrap_or_default();
    let words = [
        "state_unavailable",
        "locks do not work in",
        "CROSSCHECK_STATE_DIR",
    ];
    let mut wrong: Vec<String> = words
        .iter()
        .filter(|word| !error.contains(**word))
        .map(|word| format!("a file system without locks is not told with `{word}`: {error}"))
        .collect();
    if !world.jobs().is_empty() {
        wrong.push("a job was made where locks do not work".to_owned());
    }
    wrong
}

struct Case<'a> {
    world: &'a World,
    plan: PathBuf,
    series: Series,
    violations: Vec<String>,
}

impl Case<'_> {
    fn wrong(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Asks, with the failure and without.
    fn ask(&mut self) -> &'static str {
        let said = self.under_the_fault(self.question(&self.plan));
        self.heal();
        let told = self.check(&said);
        let named = job_of(&said);
        if let Some(id) = &named {
            ledger::acknowledge(self.world, id, Some(KEY));
        } else {
            self.wait_for_workers();
            if !self.paid().is_empty() {
                self.wrong("a call that named no job paid for one");
            }
        }
        // The same call once more, as a person or a host does that was told of a failure.
        let again = finish(self.question(&self.world.no_plan()), |_| ());
        self.check(&again);
        if let Some(id) = job_of(&again) {
            ledger::acknowledge(self.world, &id, Some(KEY));
        }
        let paid = self.paid();
        if paid.len() > 1 {
            self.wrong(format!("{} starts were paid for", paid.len()));
        }
        for job in &paid {
            self.is_kept(job);
        }
        told
    }

    /// Cancels a job that runs.
    fn cancel(&mut self) -> &'static str {
        let server = self.series.role == "server";
        let calm = self.world.no_plan();
        let under = if server { &calm } else { &self.plan };
        let mut submit = self.world.crosscheck(under);
        submit.args(["consult", "[[peer steps=3000 step_ms=10]] slow", "--background"]);
        submit.args(["--json", "--option", "isolation=ignore_config"]);
        let begun = finish(submit, |_| ());
        self.check(&begun);
        let Some(id) = job_of(&begun) else {
            self.wrong(format!("the job to be cancelled was not started: {begun:?}"));
            return "not started";
        };
        ledger::acknowledge(self.world, &id, None);
        let job = self.world.state().join("jobs").join(&id);
        let events = job.join("events.jsonl");
        wait_until(|| {
            !held(&job)
                || fs::metadata(&events).is_ok_and(|about| about.len() > 500)
                || self.fired_and_quiet()
        });
        let mut cancel = self.world.crosscheck(if server { &self.plan } else { &calm });
        cancel.args(["cancel", &id, "--json"]);
        let said = self.under_the_fault(cancel);
        self.heal();
        let told = self.check(&said);
        if told == "succeeded" && held(&job) && !job.join("result.json").exists() {
            self.wrong("cancel said that the job is over, and its lock is held");
        }
        let mut again = self.world.crosscheck(&calm);
        again.args(["cancel", &id, "--json"]);
        let again = finish(again, |_| ());
        if self.check(&again) != "succeeded" {
            self.wrong(format!(
                "it cannot be cancelled once the disk is well again: {again:?}"
            ));
        }
        told
    }

    /// Whatever happened: nothing runs, a new call works, and the auditor is content.
    fn afterwards(&mut self) {
        let world = self.world;
        let calm = world.no_plan();
        self.wait_for_workers();
        for job in world.jobs() {
            let log = fs::read_to_string(job.join("worker.log")).unwrap_or_default();
            if log.contains("panicked") {
                self.wrong(format!("the worker panicked: {log}"));
            }
        }
        ledger::age_leftovers(world);
        let mut new = world.crosscheck(&calm);
        new.args([
            "consult",
            "afterwards",
            "--json",
            "--option",
            "isolation=ignore_config",
        ]);
        let new = finish(new, |_| ());
        if self.check(&new) != "succeeded" {
            self.wrong(format!(
                "a new consult fails once the disk is well again: {new:?}"
            ));
        }
        self.wait_for_workers();
        let mut list = world.crosscheck(&calm);
        list.args(["jobs", "--json"]);
        match finish(list, |_| ()).envelope {
            Some(list) => ledger::listed(world, &list),
            None => self.wrong("the list of jobs is no envelope"),
        }
        let moment = Moment::AtTheEnd(SystemTime::now());
        let report = audit(&world.state(), &world.ledger(), &mut Memory::default(), moment);
        for violation in report.violations {
            self.wrong(violation.to_string());
        }
    }

    fn wait_for_workers(&mut self) {
        let home = self.world.home();
        // A worker lets go of its lock a moment before it is gone.
        let is_quiet = || self.world.jobs().iter().all(|job| !held(job)) && living(&home).is_empty();
        if !wait_until(is_quiet) {
            self.wrong("a worker does not end");
        }
    }

    fn question(&self, plan: &Path) -> Command {
        let mut command = self.world.crosscheck(plan);
        match self.series.act {
            Act::Review => command.args(["review", "--depth", "quick"]),
            Act::Consult | Act::Cancel => command.args(["consult", "a question"]),
        };
        command.args(["--json", "--option", "isolation=ignore_config", "--option"]);
        command.arg(format!("idempotency_key={KEY}"));
        command
    }

    /// Runs a command and lets the disk heal once the failure was met.
    fn under_the_fault(&self, command: Command) -> Said {
        finish(command, |_| {
            if self.series.spread == Spread::FromThenOn && self.fired_and_quiet() {
                self.heal();
            }
        })
    }

    fn fired_and_quiet(&self) -> bool {
        fs::metadata(self.plan.join("fired"))
            .and_then(|about| about.modified())
            .is_ok_and(|last| last.elapsed().is_ok_and(|since| since >= QUIET))
    }

    fn heal(&self) {
        fs::write(self.plan.join("healed"), "").expect("the plan's folder is there");
    }

    /// Checks that a call said something true in form, and returns what, for the table.
    fn check(&mut self, said: &Said) -> &'static str {
        if said.stderr.contains("panicked") {
            self.wrong(format!("it panicked: {}", said.stderr));
        }
        let Some(envelope) = &said.envelope else {
            self.wrong(format!("no envelope: {said:?}"));
            return "said nothing";
        };
        if envelope["ok"] == true {
            if said.code != Some(0) {
                self.wrong(format!("it succeeded with exit code {:?}", said.code));
            }
            return "succeeded";
        }
        let code = envelope["error"]["code"].as_str().unwrap_or_default();
        let known = FaultCode::ALL.iter().find(|known| known.as_str() == code);
        if known.is_none_or(|known| Some(i32::from(known.exit_code())) != said.code) {
            self.wrong(format!(
                "`{code}` with exit code {:?}: {}",
                said.code, said.stderr
            ));
        }
        for words in [
            &envelope["error"]["message"],
            &envelope["error"]["repair"]["hint"],
        ] {
            if words.as_str().unwrap_or_default().is_empty() {
                self.wrong(format!("a fault without words: {envelope}"));
            }
        }
        match code {
            "disk_full" => "disk_full",
            "state_unavailable" => "state_unavailable",
            "peer_failed" | "peer_not_found" => "peer fault",
            "job_lost" => "job_lost",
            "internal" => "internal",
            "cancelled" => "cancelled",
            _ => "another fault",
        }
    }

    /// The jobs that were paid for, one entry for each start.
    fn paid(&self) -> Vec<PathBuf> {
        fs::read_dir(self.world.ledger().join("paid"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .filter_map(|text| {
                Some(PathBuf::from(
                    text.lines().find_map(|line| line.strip_prefix("job "))?,
                ))
            })
            .collect()
    }

    /// A paid answer is the result, or at least what the result keeps of it.
    fn is_kept(&mut self, job: &Path) {
        let facts = JobFacts::read(job);
        let prompt = facts.prompt.clone().unwrap_or_default();
        let kept = facts
            .result
            .as_ref()
            .is_some_and(|result| result.to_string().contains(&format!("answer {prompt}")));
        if facts.state() != Some("succeeded") && !kept {
            let fault = facts.result.as_ref().map(|result| result["fault"].to_string());
            self.wrong(format!(
                "a paid answer is not kept: {:?} {fault:?}",
                facts.state()
            ));
        }
    }
}

/// Empties the world of jobs and notes.
pub fn clean(world: &World) {
    let _ = fs::remove_dir_all(world.state());
    let _ = fs::remove_dir_all(world.ledger());
    fs::create_dir_all(world.ledger()).expect("folders of the world can be made");
    ledger::untouched(world);
}

/// Runs a command to its end, which is waited for within [`PATIENCE`]; `meanwhile` is called all the time.
pub fn finish(mut command: Command, meanwhile: impl Fn(&mut Child)) -> Said {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program can be started");
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let begun = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status.code();
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        meanwhile(&mut child);
        std::thread::sleep(Duration::from_millis(1));
    };
    let text = |reader: std::thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Said {
        envelope: serde_json::from_str(&text(out)).ok(),
        code,
        stderr: text(err),
    }
}

fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_string(&mut text);
        }
        text
    })
}

/// Returns the job that an envelope names, in itself or in the call that it says helps.
pub fn job_of(said: &Said) -> Option<String> {
    let envelope = said.envelope.as_ref()?;
    let repair = &envelope["error"]["repair"]["arguments"]["id"];
    let id = envelope["job"]["id"].as_str().or(repair.as_str());
    Some(id?.to_owned())
}

/// Tells whether a job's worker lives.
pub fn held(job: &Path) -> bool {
    lock::is_held(&job.join("worker.lock")).unwrap_or(false)
}
