//! One kill point: sets the scene, halts, hits, starts everything again and looks.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crosscheck::sys::lock;
use rustix::process::Signal;
use serde_json::{Map, Value, json};

use crate::audit::{Memory, Moment, audit};
use crate::facts::JobFacts;
use crate::kill::{Case, Scene, Target};
use crate::kill_judge::{Hit, judge};
use crate::ledger;
use crate::parts::Report;
use crate::processes::{Kind, Process, living, signal_all};
use crate::real::RealCodex;
use crate::server::Server;
use crate::world::{PATIENCE, World, let_go, wait_reached, wait_until};

/// Stands in the prompt of the job that a case is about, and in no other.
pub const MAIN: &str = "the main question";
/// Its idempotency key.
const KEY: &str = "the-key";
/// Long enough for an answer that is there already.
const MOMENT: Duration = Duration::from_secs(1);
/// Eight days, after which the next ended job deletes one that was read.
const OLD: &str = "clock each 1 -691200000";

/// Since when an old result has been read.
const TWO_WEEKS: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Characters of an answer that a violation repeats.
const SAID_CHARS: usize = 300;

/// Runs one case, with a real codex or with the scripted peer.
pub fn run(case: Case, codex: Option<&Path>) -> Report {
    let mut world = World::new();
    let real = codex.map(RealCodex::new);
    if let Some(real) = &real {
        real.move_in(&mut world);
    }
    let mut play = Play {
        halt: world.plan(
            "halt",
            &[format!(
                "pause {} {} {}",
                case.spot.point, case.spot.role, case.spot.nth
            )],
        ),
        case,
        report: Report::default(),
        servers: Vec::new(),
        pending: None,
        acknowledged: None,
        memory: Memory::default(),
        real,
    };
    ledger::attempts(&world, starts(case.spot.scene));
    if case.spot.scene == Scene::Parts {
        world.enlarge();
    }
    play.report.count("cases", 1);
    if let Err(wrong) = play.run(&world) {
        play.violation(&wrong);
    }
    play.servers.clear();
    // What a broken rule left must not disturb the next case.
    signal_all(&living(&world.home()), Signal::KILL);
    play.report
}

/// How many starts of the peer one question may pay for: a repair is a second one, and a review of two parts has two looks
/// and a check.
fn starts(scene: Scene) -> u32 {
    match scene {
        Scene::Repair => 2,
        Scene::Parts => 3,
        _ => 1,
    }
}

struct Play {
    case: Case,
    halt: PathBuf,
    report: Report,
    servers: Vec<Server>,
    /// The call that is under way: of which server, and its number.
    pending: Option<(usize, u64)>,
    /// The job that an answer named.
    acknowledged: Option<String>,
    /// What the auditor saw so far.
    memory: Memory,
    /// The codex that is driven, if it is no scripted one.
    real: Option<RealCodex>,
}

impl Play {
    fn violation(&mut self, what: &str) {
        let Case {
            number,
            spot,
            target,
            signal,
        } = self.case;
        let signal = if signal == Signal::KILL { "KILL" } else { "TERM" };
        self.report.violation(
            Some(number),
            format!(
                "{} ({:?}, {}), {signal} to {target:?}: {what}",
                spot.point, spot.scene, spot.role
            ),
        );
    }

    fn run(&mut self, world: &World) -> Result<(), String> {
        self.set_scene(world)?;
        let Some((halted, _)) = wait_reached(&self.halt) else {
            let answer = self
                .pending
                .and_then(|(of, call)| self.servers[of].answer(call, MOMENT));
            let said: String = format!("{answer:?}").chars().take(SAID_CHARS).collect();
            return Err(format!("the point was never reached; the call said {said}"));
        };
        if self.case.spot.role == "server" && self.case.spot.scene == Scene::Slow {
            wait_for_first_words(world)?;
        }
        let alive = living(&world.home());
        let victims = self.victims(&alive, halted);
        if victims.is_empty() {
            self.report.count("of them nobody to hit", 1);
            let_go(&self.halt);
            return Ok(());
        }
        let before = main_jobs(world);
        let hit = Hit {
            worker: victims.iter().any(|process| process.kind == Kind::Worker),
            worker_lived: alive.iter().any(|process| process.kind == Kind::Worker),
        };
        if !signal_all(&victims, self.case.signal) {
            return Err("a killed process lives on".to_owned());
        }
        let_go(&self.halt);
        self.hear_survivors(world, &victims)?;
        let mut fresh = world.server(&world.no_plan());
        self.look(world, &mut fresh)?;
        let after = main_jobs(world);
        for wrong in judge(
            self.case,
            hit,
            before.first(),
            after.first(),
            self.acknowledged.as_deref(),
        ) {
            self.violation(&wrong);
        }
        if after.len() > 1 {
            self.violation("the question became two jobs");
        }
        if let Some(job) = after.first() {
            self.count_end(job);
        }
        // A worker that has written the result sweeps up, and lets go of the lock a moment before it is gone.
        if !wait_until(|| !runs(world, Kind::Worker) && !runs(world, Kind::Peer)) {
            self.violation("a worker or a peer runs on although every job is over");
        }
        self.audit(world, &mut fresh, Moment::Meanwhile);
        self.retry(world, &mut fresh, after.first());
        if let Some(job) = after.first() {
            self.resume(&mut fresh, job);
        }
        // A day later a job ends, and its worker sweeps up.
        ledger::age_leftovers(world);
        fresh.call("consult", &json!({"prompt": "the last question", "wait_s": 50}));
        if !wait_until(|| !runs(world, Kind::Worker)) {
            self.violation("the last worker does not end");
        }
        self.audit(world, &mut fresh, Moment::AtTheEnd);
        drop(fresh);
        self.servers.clear();
        if !wait_until(|| living(&world.home()).is_empty()) {
            let left: Vec<String> = living(&world.home())
                .into_iter()
                .map(|process| process.line)
                .collect();
            self.violation(&format!("still runs: {left:?}"));
        }
        Ok(())
    }

    /// Brings about the situation in which the point will be passed.
    fn set_scene(&mut self, world: &World) -> Result<(), String> {
        let none = world.no_plan();
        let (tool, asked) = self.question();
        let armed = |role: &str| {
            if self.case.spot.role == role {
                self.halt.clone()
            } else {
                none.clone()
            }
        };
        match self.case.spot.scene {
            Scene::Consult
            | Scene::Slow
            | Scene::Long
            | Scene::Review
            | Scene::Repair
            | Scene::Parts
            | Scene::Delegate => self.begin(world.server(&self.halt), tool, &asked),
            Scene::DelegateAgain => {
                let mut first = world.server(&none);
                let earlier = json!({"task": "an earlier task [[peer edit=7]]", "wait_s": 50});
                first
                    .call(tool, &earlier)
                    .filter(|answer| answer["ok"] == true)
                    .ok_or("the earlier task did not succeed")?;
                self.servers.push(first);
                if !wait_until(|| !runs(world, Kind::Worker)) {
                    return Err("the earlier worker does not end".to_owned());
                }
                self.begin(world.server(&self.halt), tool, &asked)
            }
            Scene::Cancel | Scene::Stubborn => {
                let mut first = world.server(&armed("worker"));
                let second = armed("server");
                let id = self.start(&mut first, world, tool, asked)?;
                self.servers.push(first);
                self.begin(world.server(&second), "cancel", &json!({"id": id}))
            }
            Scene::Forget => {
                let mut first = world.server(&none);
                let answer = first.call(tool, &asked).ok_or("no answer")?;
                let id = job_id(&answer).ok_or("no job in the answer")?;
                self.servers.push(first);
                self.acknowledge(world, &id);
                ledger::let_be_forgotten(world, &id);
                let request = json!({"id": id, "forget": true});
                self.begin(world.server(&self.halt), "cancel", &request)
            }
            Scene::Reap | Scene::DelegateReap => {
                let mut first = world.server(&none);
                let id = self.start(&mut first, world, tool, asked)?;
                let is_delegate = self.case.spot.scene.is_delegate();
                if is_delegate && !wait_until(|| world.ledger().join("left").join(&id).exists()) {
                    return Err("the peer makes no edits".to_owned());
                }
                self.servers.push(first);
                let workers: Vec<Process> = living(&world.home())
                    .into_iter()
                    .filter(|process| process.kind == Kind::Worker)
                    .collect();
                signal_all(&workers, Signal::KILL);
                // The first thread of a process may be gone before the others, which still hold the lock.
                let lock = world.state().join("jobs").join(&id).join("worker.lock");
                if !wait_until(|| lock::is_held(&lock).is_ok_and(|held| !held)) {
                    return Err("the lock of a killed worker stays held".to_owned());
                }
                self.begin(world.server(&self.halt), "job", &json!({"id": id}))
            }
            Scene::Evict => {
                let mut old = world.server(&world.plan("old", &[OLD.to_owned()]));
                let answer = old
                    .call("consult", &json!({"prompt": "an old question", "wait_s": 50}))
                    .filter(|answer| answer["ok"] == true)
                    .ok_or("the old job did not succeed")?;
                let id = job_id(&answer).ok_or("no job in the old answer")?;
                ledger::acknowledge(world, &id, None);
                ledger::let_be_forgotten(world, &id);
                // Its worker deletes and sweeps after the answer is out.
                if !wait_until(|| !runs(world, Kind::Worker)) {
                    return Err("the old worker does not end".to_owned());
                }
                // It is kept for a week from its first reading on, which is what this file's time says.
                let fetched = world.state().join("jobs").join(&id).join("fetched");
                File::open(&fetched)
                    .and_then(|file| file.set_modified(SystemTime::now() - TWO_WEEKS))
                    .map_err(|error| format!("the old result was not read: {error}"))?;
                self.begin(world.server(&self.halt), tool, &asked)
            }
        }
    }

    /// Returns the call that the case is about.
    fn question(&self) -> (&'static str, Value) {
        let options = json!({"idempotency_key": KEY});
        // A peer that is hit must be busy then; one that is not should come to its end.
        let slow = if self.case.target == Target::Server {
            "steps=2 step_ms=40"
        } else {
            "steps=1 step_ms=60000"
        };
        let marker = match self.case.spot.scene {
            Scene::Slow => slow,
            Scene::Cancel | Scene::Reap => "steps=1 step_ms=60000",
            Scene::DelegateReap => "edit=1 steps=1 step_ms=60000",
            Scene::Delegate | Scene::DelegateAgain => "edit=1 steps=0",
            Scene::Stubborn => "stubborn=1 steps=1 step_ms=60000",
            Scene::Long => "long=60000",
            Scene::Review => "steps=1 step_ms=5",
            Scene::Repair => "bad=1",
            Scene::Parts => "find=1",
            Scene::Consult | Scene::Forget | Scene::Evict => "steps=0",
        };
        let text = format!("{MAIN} [[peer {marker}]]");
        match self.case.spot.scene {
            Scene::Review | Scene::Repair => (
                "review",
                json!({"scope": "working_tree", "depth": "quick", "focus": text, "wait_s": 50, "options": options}),
            ),
            Scene::Parts => (
                "review",
                json!({"scope": "working_tree", "depth": "standard", "focus": text, "wait_s": 50, "options": options}),
            ),
            scene if scene.is_delegate() => (
                "delegate",
                json!({"task": text, "checks": ["echo built > built-by-the-check"], "wait_s": 50, "options": options}),
            ),
            _ => (
                "consult",
                json!({"prompt": text, "wait_s": 50, "options": options}),
            ),
        }
    }

    /// Starts a slow job in the background and waits until its peer has said something.
    fn start(
        &mut self,
        server: &mut Server,
        world: &World,
        tool: &str,
        mut asked: Value,
    ) -> Result<String, String> {
        if let Some(asked) = asked.as_object_mut() {
            asked.remove("wait_s");
            asked.insert("background".to_owned(), true.into());
        }
        let answer = server.call(tool, &asked).ok_or("no answer to the start")?;
        let id = job_id(&answer).ok_or("no job in the answer to the start")?;
        self.acknowledge(world, &id);
        wait_for_first_words(world)?;
        Ok(id)
    }

    fn acknowledge(&mut self, world: &World, id: &str) {
        self.acknowledged = Some(id.to_owned());
        ledger::acknowledge(world, id, Some(KEY));
    }

    fn begin(&mut self, mut server: Server, tool: &str, arguments: &Value) -> Result<(), String> {
        let call = server.begin(tool, arguments).ok_or("the server is gone")?;
        self.servers.push(server);
        self.pending = Some((self.servers.len() - 1, call));
        Ok(())
    }

    fn victims(&self, alive: &[Process], halted: u32) -> Vec<Process> {
        let is_hit = |process: &Process| match self.case.target {
            Target::Server if self.case.spot.role == "server" => process.identity.pid == halted,
            Target::Server => process.kind == Kind::Server,
            Target::Worker => process.kind == Kind::Worker,
            Target::Peer => process.kind == Kind::Peer,
            Target::All => true,
        };
        alive.iter().filter(|process| is_hit(process)).cloned().collect()
    }

    /// Hears the servers that were not hit out, and sees that the others end.
    fn hear_survivors(&mut self, world: &World, victims: &[Process]) -> Result<(), String> {
        for number in 0..self.servers.len() {
            let server = &mut self.servers[number];
            let is_hit = victims.iter().any(|victim| victim.identity.pid == server.pid());
            if is_hit && !server.ends_within(PATIENCE) {
                return Err("a server that was told to end runs on".to_owned());
            }
            if let Some((_, call)) = self.pending.filter(|(of, _)| *of == number && !is_hit) {
                let answer = server
                    .answer(call, PATIENCE)
                    .ok_or("a server that was not hit did not answer")?;
                if let Some(id) = job_id(&answer) {
                    self.acknowledge(world, &id);
                }
            }
        }
        Ok(())
    }

    /// Looks at everything with a server that knows nothing of it, until nothing is open.
    fn look(&mut self, world: &World, fresh: &mut Server) -> Result<(), String> {
        let list = fresh.call("job", &json!({})).ok_or("the list does not come")?;
        if list["ok"] != true {
            return Err(format!("the list cannot be told: {list}"));
        }
        let main = main_jobs(world);
        let latest = fresh
            .call("job", &json!({"id": "latest"}))
            .ok_or("latest does not come")?;
        let found = job_id(&latest);
        if found.is_none() && !world.jobs().is_empty() {
            return Err(format!("latest finds nothing: {latest}"));
        }
        for job in &main {
            let request = match self.case.spot.scene {
                Scene::Cancel | Scene::Stubborn => ("cancel", json!({"id": job.id})),
                Scene::Forget => ("cancel", json!({"id": job.id, "forget": true})),
                _ => ("job", json!({"id": job.id, "wait_s": 50})),
            };
            let told = fresh
                .call(request.0, &request.1)
                .ok_or("a look is not answered")?;
            if job_id(&told).as_deref() != Some(job.id.as_str()) {
                return Err(format!("{} is not told: {told}", job.id));
            }
        }
        let open = || -> Vec<String> {
            let jobs = world.jobs();
            let facts = jobs.iter().map(|path| JobFacts::read(path));
            facts
                .filter(|job| job.result_bytes.is_none())
                .map(|job| job.id)
                .collect()
        };
        // The old job of an eviction is looked at by the list.
        fresh.call("job", &json!({}));
        if wait_until(|| open().is_empty()) {
            Ok(())
        } else {
            Err(format!("after a look there is no result of {:?}", open()))
        }
    }

    /// Repeats the call as a caller does who heard nothing: it must find the same job, and pay once.
    fn retry(&mut self, world: &World, fresh: &mut Server, job: Option<&JobFacts>) {
        if self.case.spot.scene == Scene::Forget {
            return;
        }
        let (tool, asked) = self.question();
        let Some(answer) = fresh.call(tool, &asked) else {
            return self.violation("the repeated call is not answered");
        };
        let same = job.is_some_and(|job| job_id(&answer).as_deref() == Some(job.id.as_str()));
        let cost_nothing =
            job.is_none_or(|job| job.state() == Some("lost") && !job.started && job.peers == 0);
        if !same && !cost_nothing {
            self.violation(&format!("the repeated call found another job: {answer}"));
        }
        if !same && cost_nothing && answer["ok"] != true {
            self.violation(&format!("the repeated call did not succeed: {answer}"));
        }
        self.note_paid(world);
        let paid = paid_of_main(world);
        if paid > u64::from(starts(self.case.spot.scene)) {
            self.violation(&format!("one question was paid {paid} times"));
        }
        self.report.count("peers paid", paid);
    }

    /// Continues a job that has a thread and no answer.
    fn resume(&mut self, fresh: &mut Server, job: &JobFacts) {
        let (Some(thread), true) = (job.said("thread"), job.state() != Some("succeeded")) else {
            return;
        };
        let (tool, _) = self.question();
        let has_work = job
            .result
            .as_ref()
            .is_some_and(|result| result["work"].is_object());
        if tool == "delegate" && !has_work {
            return;
        }
        let mut asked = Map::new();
        asked.insert("resume".to_owned(), job.id.clone().into());
        asked.insert("wait_s".to_owned(), 50.into());
        match tool {
            "consult" => drop(asked.insert("prompt".to_owned(), "Go on.".into())),
            "delegate" => drop(asked.insert("task".to_owned(), "Go on.".into())),
            _ => {}
        }
        match fresh.call(tool, &Value::Object(asked)) {
            Some(answer) if answer["ok"] == true && answer["meta"]["thread"] == thread => {
                self.report.count("resumed", 1);
            }
            other => self.violation(&format!("it cannot be resumed: {other:?}")),
        }
    }

    fn note_paid(&self, world: &World) {
        if let Some(real) = &self.real {
            real.note_paid(world);
        }
    }

    /// Has the disk judged.
    fn audit(&mut self, world: &World, fresh: &mut Server, moment: fn(SystemTime) -> Moment) {
        match fresh.call("job", &json!({"limit": 100})) {
            Some(list) => ledger::listed(world, &list),
            None => self.violation("the list does not come"),
        }
        self.note_paid(world);
        let audited = audit(
            &world.state(),
            &world.ledger(),
            &mut self.memory,
            moment(SystemTime::now()),
        );
        if matches!(moment(SystemTime::now()), Moment::AtTheEnd(_)) {
            self.report
                .count("results compared", audited.counts.results as u64);
        }
        for wrong in audited.violations {
            self.violation(&wrong.to_string());
        }
    }

    fn count_end(&mut self, job: &JobFacts) {
        let name = match job.state() {
            Some("succeeded") => "jobs succeeded",
            Some("failed") => "jobs failed",
            Some("cancelled") => "jobs cancelled",
            Some("lost") => "jobs lost",
            _ => "jobs with another end",
        };
        self.report.count(name, 1);
        if job.state() == Some("lost") && job.said("partial").is_some() {
            self.report.count("lost with partial", 1);
        }
    }
}

fn runs(world: &World, kind: Kind) -> bool {
    living(&world.home()).iter().any(|process| process.kind == kind)
}

fn wait_for_first_words(world: &World) -> Result<(), String> {
    wait_until(|| main_jobs(world).iter().any(|job| job.message.is_some()))
        .then_some(())
        .ok_or_else(|| "the peer says nothing".to_owned())
}

/// Returns the job that an envelope tells.
pub fn job_id(envelope: &Value) -> Option<String> {
    envelope["job"]["id"].as_str().map(str::to_owned)
}

/// Reads the jobs that the main question became.
fn main_jobs(world: &World) -> Vec<JobFacts> {
    let is_main = |path: &PathBuf| {
        std::fs::read_to_string(path.join("prompt.txt")).is_ok_and(|prompt| prompt.contains(MAIN))
    };
    let jobs = world.jobs().into_iter().filter(is_main);
    jobs.map(|path| JobFacts::read(&path)).collect()
}

/// Counts how often the main question was paid for, whatever became of the record of it.
fn paid_of_main(world: &World) -> u64 {
    let jobs: Vec<String> = main_jobs(world).into_iter().map(|job| job.id).collect();
    let notes = std::fs::read_dir(world.ledger().join("paid"))
        .into_iter()
        .flatten()
        .flatten();
    let of_main = |note: &String| {
        let job = note
            .lines()
            .find_map(|line| line.strip_prefix("job "))
            .unwrap_or_default();
        jobs.iter().any(|id| PathBuf::from(job).ends_with(id))
    };
    notes
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .filter(of_main)
        .count() as u64
}
