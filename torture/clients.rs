//! 8 servers and 32 clients on one store while servers, workers and peers are killed; what all of them were told is
//! checked against the sequential model.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crosscheck::domain::fingerprint::sha256_hex;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Memory, Moment, audit};
use crate::census::{self, Kind, now};
use crate::host::{Answer, Host};
use crate::ledger;
use crate::model::{self, Asked, History, Operation, Sight, State, Told};
use crate::parts::{self, Length, Report};
use crate::random::Random;
use crate::sampler;
use crate::world::{World, wait_until};

/// Servers, each held by a host of its own.
const SERVERS: usize = 8;
/// Clients; four share a server.
const CLIENTS: usize = 32;
/// Slots, as configured below.
const SLOTS: usize = 3;
/// How long it goes on.
const SHORT: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_secs(300);
/// A key is of interest for so long; all clients that come in that time with a key come with the same one.
const KEY_TIME: Duration = Duration::from_millis(700);
/// The most processes that are killed.
const KILLS: u64 = 3000;
/// Jobs that clients choose from: the last ones that anybody heard of.
const RECENT: usize = 25;

/// What all clients share.
struct Stage<'w> {
    hosts: Vec<Host<'w>>,
    began: Instant,
    stop: AtomicBool,
    operations: Mutex<Vec<Operation>>,
    recent: Mutex<Vec<String>>,
    silent: AtomicU64,
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

/// Runs the part, with a new store every [`SHORT`]: of more jobs than are kept the oldest that were read may be gone.
pub(crate) fn run(asked: &parts::Asked) -> Report {
    let time = match (asked.rounds, asked.length) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, Length::Short) => SHORT,
        (None, Length::Long) => LONG,
    };
    let mut report = Report::default();
    let mut most = 0;
    let mut left = time;
    for store in 0.. {
        let now = left.min(SHORT);
        let (found, peers) = run_store(asked.seed + 10_000 * store, now);
        report.count("stores", 1);
        report.merge(found);
        most = most.max(peers);
        left -= now;
        if left.is_zero() {
            break;
        }
    }
    report.count("most peers at once", most);
    report
}

/// Runs all clients on one store for so long. Returns what was found, and the most peers at once.
fn run_store(seed: u64, time: Duration) -> (Report, u64) {
    let world = World::new();
    let settings = &[("CROSSCHECK_LIMITS_CONCURRENCY", "3")];
    let stage = Stage {
        hosts: (0..SERVERS)
            .map(|_| Host::new(&world, "torture", settings))
            .collect(),
        began: Instant::now(),
        stop: AtomicBool::new(false),
        operations: Mutex::default(),
        recent: Mutex::default(),
        silent: AtomicU64::new(0),
    };
    let mut report = Report::default();
    let sampling = AtomicBool::new(false);
    let samples = std::thread::scope(|scope| {
        let samples = scope.spawn(|| sampler::run(&world, &sampling));
        let killer = scope.spawn(|| kill(&world, &stage, Random::new(seed, 1000)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let random = Random::new(seed, u64::try_from(client).expect("there are few"));
                let stage = &stage;
                scope.spawn(move || {
                    Client {
                        stage,
                        number: client,
                        random,
                        calls: 0,
                    }
                    .run();
                })
            })
            .collect();
        std::thread::sleep(time);
        stage.stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("a client does not panic");
        }
        report.merge(killer.join().expect("the killer does not panic"));
        if !settle(&stage) {
            report.violation(None, "jobs were still active a minute after the last call");
        }
        sampling.store(true, Ordering::Relaxed);
        samples.join().expect("the sampler does not panic")
    });
    sweep_up(&world, &stage);
    let crashed: u64 = stage.hosts.iter().map(Host::crashed).sum();
    drop(stage.hosts);
    if !wait_until(|| census::of(&world).is_empty()) {
        report.violation(None, format!("processes are left: {:?}", census::of(&world)));
    }
    let starts = census::paid(&world);
    let history = History {
        concurrency: SLOTS,
        kept: crosscheck::domain::limits::RETENTION_JOBS,
        operations: stage
            .operations
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        alive: sampler::alive(&samples, &starts),
        paid: starts.into_iter().map(|start| start.paid).collect(),
    };
    count(&history, &mut report);
    report.count(
        "looks at all processes",
        u64::try_from(samples.len()).unwrap_or(0),
    );
    let most = sampler::most(&history.alive);
    for (times, what) in [
        (crashed, "servers ended although nobody killed them"),
        (
            stage.silent.into_inner(),
            "calls were never answered by a living server",
        ),
    ] {
        if times > 0 {
            report.violation(None, format!("{times} {what}"));
        }
    }
    for broken in model::violations(&history) {
        report.violation(None, broken);
    }
    promise(&world, &history);
    let moment = Moment::AtTheEnd(SystemTime::now());
    let audited = audit(&world.state(), &world.ledger(), &mut Memory::default(), moment);
    report.count(
        "jobs audited on the disk",
        u64::try_from(audited.counts.jobs).unwrap_or(0),
    );
    for wrong in audited.violations {
        report.violation(None, wrong.to_string());
    }
    (report, most)
}

/// Lets one more job sweep up what killed servers left, and notes what a list says, where one holds all jobs.
fn sweep_up(world: &World, stage: &Stage<'_>) {
    ledger::age_leftovers(world);
    stage.hosts[0].call("consult", &json!({"prompt": "sweep up", "wait_s": 60}));
    if let Answer::Said(list) = stage.hosts[0].call("job", &json!({"limit": 1000}))
        && matches!(told(&list), Told::Jobs { whole: true, .. })
    {
        ledger::listed(world, &list);
    }
}

/// Tells the auditor what was acknowledged and what may be gone.
fn promise(world: &World, history: &History) {
    for operation in &history.operations {
        match (&operation.asked, &operation.told) {
            (Asked::Submit { .. }, Told::Job(sight)) => ledger::acknowledge(world, &sight.job, None),
            (Asked::Forget(job), _) => ledger::let_be_forgotten(world, job),
            _ => {}
        }
    }
}

fn count(history: &History, report: &mut Report) {
    for operation in &history.operations {
        report.count("operations", 1);
        report.count(
            match &operation.asked {
                Asked::Submit { key: None, .. } => "consults without a key",
                Asked::Submit { key: Some(_), .. } => "consults with a key",
                Asked::Look(_) => "looks at a job",
                Asked::List { .. } => "lists",
                Asked::Cancel(_) => "cancels",
                Asked::Forget(_) => "forgets",
                Asked::DryRun => "dry runs",
            },
            1,
        );
        if operation.told == Told::Nothing {
            report.count("calls whose server was killed", 1);
        }
    }
    let mut jobs: Vec<(&str, &'static str)> = Vec::new();
    for operation in &history.operations {
        let sights = match &operation.told {
            Told::Job(sight) => std::slice::from_ref(sight),
            Told::Jobs { rows, .. } => rows,
            _ => &[],
        };
        jobs.extend(sights.iter().filter_map(|sight| match sight.state {
            State::Ended(end) => Some((sight.job.as_str(), end)),
            _ => None,
        }));
    }
    jobs.sort_unstable();
    jobs.dedup();
    for (_, end) in jobs {
        report.count(
            match end {
                "succeeded" => "jobs that succeeded",
                "failed" => "jobs that failed",
                "cancelled" => "jobs that were cancelled",
                "lost" => "jobs that were lost",
                _ => "jobs that timed out",
            },
            1,
        );
    }
    report.count("paid starts", u64::try_from(history.paid.len()).unwrap_or(0));
}

/// Kills servers, workers and peers until the clients stop.
fn kill(world: &World, stage: &Stage<'_>, mut random: Random) -> Report {
    let mut report = Report::default();
    let mut kills = 0;
    while !stage.stop.load(Ordering::Relaxed) && kills < KILLS {
        std::thread::sleep(Duration::from_millis(20 + random.below(300)));
        let choice = random.below(10);
        if choice < 4 {
            let killed = random.one_of(&stage.hosts).kill();
            report.count("servers killed", u64::from(killed));
            kills += u64::from(killed);
            continue;
        }
        let mut all = census::of(world);
        all.retain(|process| match process.kind {
            Kind::Worker(_) => choice < 8,
            Kind::Peer(_) => choice >= 8,
            Kind::Door | Kind::Other => false,
        });
        if !all.is_empty() {
            random.one_of(&all).identity.signal(Signal::KILL);
            report.count(
                if choice < 8 {
                    "workers killed"
                } else {
                    "peers killed"
                },
                1,
            );
            kills += 1;
        }
    }
    report
}

/// Waits until nothing is active, then looks at everything once more.
fn settle(stage: &Stage<'_>) -> bool {
    let mut last = Client {
        stage,
        number: CLIENTS,
        random: Random::new(0, 0),
        calls: 0,
    };
    let quiet = wait_until(|| {
        std::thread::sleep(Duration::from_millis(50));
        let active = last.perform(
            "job",
            &json!({"state": "active", "limit": 1000}),
            Asked::List { all: false },
        );
        matches!(active, Told::Jobs { rows, .. } if rows.is_empty())
    });
    let mut known: Vec<String> = Vec::new();
    for operation in stage
        .operations
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        if let (Asked::Submit { .. }, Told::Job(sight)) = (&operation.asked, &operation.told) {
            known.push(sight.job.clone());
        }
    }
    known.sort_unstable();
    known.dedup();
    last.perform("job", &json!({"limit": 1000}), Asked::List { all: true });
    for job in known {
        last.perform("job", &json!({"id": job}), Asked::Look(job.clone()));
    }
    quiet
}

/// One client.
struct Client<'a> {
    stage: &'a Stage<'a>,
    number: usize,
    random: Random,
    calls: u64,
}

impl Client<'_> {
    fn run(mut self) {
        while !self.stage.stop.load(Ordering::Relaxed) {
            self.calls += 1;
            let job = self.some_job();
            match (self.random.below(100), job) {
                (0..15, _) => self.consult_with_key(),
                (15..32, _) | (_, None) => self.consult(None),
                (32..60, Some(job)) => self.look(&job),
                (60..70, _) => {
                    self.perform("job", &json!({"limit": 1000}), Asked::List { all: true });
                }
                (70..74, _) => {
                    let state = *self.random.one_of(&["active", "ended", "lost", "succeeded"]);
                    self.perform("job", &json!({"state": state}), Asked::List { all: false });
                }
                (74..84, Some(job)) => {
                    self.perform("cancel", &json!({"id": job}), Asked::Cancel(job.clone()));
                }
                (84..90, Some(job)) => {
                    let arguments = json!({"id": job, "forget": true});
                    self.perform("cancel", &arguments, Asked::Forget(job.clone()));
                }
                (90..95, Some(job)) => self.consult(Some(&job)),
                _ => {
                    let arguments = json!({"tool": "consult", "arguments": {"prompt": "how much?"}});
                    self.perform("dry_run", &arguments, Asked::DryRun);
                }
            }
            std::thread::sleep(Duration::from_millis(self.random.below(200)));
        }
    }

    fn some_job(&mut self) -> Option<String> {
        let recent = self.stage.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let from = recent.len().saturating_sub(RECENT);
        (!recent.is_empty()).then(|| self.random.one_of(&recent[from..]).clone())
    }

    /// Asks something new, in the thread of an earlier job or in one of its own.
    fn consult(&mut self, resume: Option<&str>) {
        let label = format!("question {} of client {}", self.calls, self.number);
        let mut arguments = self.arguments(&label);
        if let Some(job) = resume {
            arguments["resume"] = job.into();
        }
        self.perform("consult", &arguments, Asked::Submit { key: None, label });
    }

    /// Asks what others ask at the same time with the same key, seldom with other arguments.
    fn consult_with_key(&mut self) {
        let turn = self.stage.began.elapsed().as_millis() / KEY_TIME.as_millis();
        let key = format!("key {turn}");
        let other = if self.random.below(12) == 0 {
            "another"
        } else {
            "the"
        };
        let label = format!("{other} question of {key}");
        let mut arguments = self.arguments(&label);
        // A retry repeats its arguments: what the peer does is part of them.
        arguments["prompt"] = format!("{label}\n[[peer steps=3 step_ms=30]]").into();
        arguments["options"] = json!({"idempotency_key": key});
        let key = Some(key);
        self.perform("consult", &arguments, Asked::Submit { key, label });
    }

    fn arguments(&mut self, label: &str) -> Value {
        let (steps, step_ms) = (self.random.below(6), 5 + self.random.below(120));
        let prompt = format!("{label}\n[[peer steps={steps} step_ms={step_ms}]]");
        match self.random.below(3) {
            0 => json!({"prompt": prompt, "background": true}),
            1 => json!({"prompt": prompt, "wait_s": 1}),
            _ => json!({"prompt": prompt, "wait_s": 20}),
        }
    }

    fn look(&mut self, job: &str) {
        let arguments = match self.random.below(5) {
            0 | 1 => json!({"id": job}),
            2 => json!({"id": job, "wait_s": 2}),
            3 => json!({"id": job, "detail": "full"}),
            _ => json!({"id": job, "detail": "log"}),
        };
        self.perform("job", &arguments, Asked::Look(job.to_owned()));
    }

    /// Makes a call and writes it down.
    fn perform(&mut self, tool: &str, arguments: &Value, asked: Asked) -> Told {
        let host = &self.stage.hosts[self.number % SERVERS];
        let began = now();
        let answer = host.call(tool, arguments);
        let ended = now();
        let told = match answer {
            Answer::Said(envelope) => told(&envelope),
            Answer::Died => Told::Nothing,
            Answer::Silent => {
                self.stage.silent.fetch_add(1, Ordering::Relaxed);
                Told::Nothing
            }
        };
        if let (Asked::Submit { .. }, Told::Job(sight)) = (&asked, &told) {
            push(&self.stage.recent, sight.job.clone());
        }
        let operation = Operation {
            began,
            ended,
            asked,
            told: told.clone(),
        };
        push(&self.stage.operations, operation);
        told
    }
}

/// Reads what an envelope tells of jobs.
fn told(envelope: &Value) -> Told {
    let code = envelope["error"]["code"].as_str();
    if let Some(mut sight) = sight(&envelope["job"]) {
        let answer = envelope["answer"].as_str();
        sight.result = answer
            .map(|text| sha256_hex(text.as_bytes()))
            .or_else(|| code.map(str::to_owned))
            .filter(|_| sight.state.is_end());
        return Told::Job(sight);
    }
    if let Some(rows) = envelope["jobs"].as_array() {
        let cut = |warning: &Value| warning.as_str().is_some_and(|text| text.contains("do not fit"));
        return Told::Jobs {
            rows: rows.iter().filter_map(sight).collect(),
            whole: !envelope["warnings"]
                .as_array()
                .is_some_and(|all| all.iter().any(cut)),
        };
    }
    match code {
        Some("job_not_found") => Told::Gone,
        Some("idempotency_conflict") => Told::KeyTaken,
        Some(code) => Told::Refused(format!("{code} ({})", envelope["error"]["message"])),
        None => Told::Free,
    }
}

fn sight(view: &Value) -> Option<Sight> {
    Some(Sight {
        job: view["id"].as_str()?.to_owned(),
        label: view["label"].as_str()?.to_owned(),
        state: State::named(view["state"].as_str()?)?,
        result: view["code"].as_str().map(str::to_owned),
    })
}
