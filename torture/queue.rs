//! 40 jobs in 3 slots while workers that hold a slot are killed: never more than 3 peers, no slot is lost, and who
//! comes first is served first within reason.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crosscheck::sys::lock::{self, HeldLock};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::census::{self, Kind};
use crate::host::{Answer, Host};
use crate::parts::{Asked, Length, Report};
use crate::random::Random;
use crate::sampler;
use crate::world::{World, wait_until};

/// Slots, as configured below.
const SLOTS: usize = 3;
/// Jobs of one round.
const JOBS: usize = 40;
/// Workers killed in one round.
const KILLS: usize = 8;
/// Rounds of the long run.
const ROUNDS: u64 = 10;

/// Runs the part.
pub(crate) fn run(asked: &Asked) -> Report {
    let rounds = asked.rounds.unwrap_or(match asked.length {
        Length::Short => 1,
        Length::Long => ROUNDS,
    });
    let (mut report, mut worst) = (Report::default(), Worst::default());
    for round in (0..rounds).filter(|round| asked.wants(*round)) {
        one_round(
            round,
            Random::new(asked.seed, 2000 + round),
            &mut report,
            &mut worst,
        );
    }
    report.count("most peers at once", worst.peers);
    report.count("worst wait, in percent of the wait in line", worst.wait_percent);
    report.count("most jobs that overtook one", worst.overtaken);
    report
}

/// The worst of all rounds.
#[derive(Debug, Default)]
struct Worst {
    peers: u64,
    wait_percent: u64,
    overtaken: u64,
}

fn one_round(round: u64, mut random: Random, report: &mut Report, worst: &mut Worst) {
    let case = Some(round);
    let world = World::new();
    let host = Host::new(&world, "torture", &[("CROSSCHECK_LIMITS_CONCURRENCY", "3")]);
    let stop = AtomicBool::new(false);
    // Nobody gets a slot before all are there: however slow the machine is, all of them wait.
    let slots = world.state().join("slots");
    fs::create_dir_all(&slots).expect("folders of the world can be made");
    let held: Vec<HeldLock> = (0..SLOTS)
        .filter_map(|slot| HeldLock::try_take(&slots.join(slot.to_string())).ok().flatten())
        .collect();
    let samples = std::thread::scope(|scope| {
        let samples = scope.spawn(|| sampler::run(&world, &stop));
        for number in 0..JOBS {
            let prompt = format!("job {number}\n[[peer steps=3 step_ms=150]]");
            let answer = host.call("consult", &json!({"prompt": prompt, "background": true}));
            if !matches!(&answer, Answer::Said(envelope) if envelope["ok"] == true) {
                report.violation(case, format!("a job was refused: {answer:?}"));
            }
        }
        let queued = states(&host, "queued");
        report.count("jobs", u64::try_from(JOBS).expect("it is small"));
        report.count("jobs seen queued", u64::try_from(queued).unwrap_or(0));
        if queued != JOBS || held.len() != SLOTS {
            report.violation(case, format!("{queued} of {JOBS} jobs were seen queued"));
        }
        drop(held);
        let mut killed = 0;
        let ended = wait_until(|| {
            if killed < KILLS && random.below(6) == 0 {
                killed += usize::from(kill_one_with_a_slot(&world, &mut random));
            }
            std::thread::sleep(Duration::from_millis(20));
            states(&host, "active") == 0
        });
        if !ended {
            report.violation(case, "jobs were still active after a minute");
        }
        report.count(
            "workers with a slot killed",
            u64::try_from(killed).expect("it is small"),
        );
        stop.store(true, Ordering::Relaxed);
        samples.join().expect("the sampler does not panic")
    });
    let starts = census::paid(&world);
    let most = sampler::most(&sampler::alive(&samples, &starts));
    report.count("paid starts", u64::try_from(starts.len()).unwrap_or(0));
    report.count(
        "looks at all processes",
        u64::try_from(samples.len()).unwrap_or(0),
    );
    worst.peers = worst.peers.max(most);
    if most > u64::try_from(SLOTS).expect("it is small") {
        report.violation(case, format!("{most} peers lived at once in {SLOTS} slots"));
    }
    let free = wait_until(|| {
        (0..SLOTS).all(|slot| {
            matches!(
                lock::is_held(&world.state().join(format!("slots/{slot}"))),
                Ok(false)
            )
        })
    });
    if !free {
        report.violation(case, "a slot is still held though nothing runs");
    }
    waits(&world, case, report, worst);
}

fn states(host: &Host<'_>, state: &str) -> usize {
    match host.call("job", &json!({"state": state, "limit": 1000})) {
        Answer::Said(envelope) => envelope["jobs"].as_array().map_or(usize::MAX, Vec::len),
        Answer::Died | Answer::Silent => usize::MAX,
    }
}

fn kill_one_with_a_slot(world: &World, random: &mut Random) -> bool {
    let mut all = census::of(world);
    all.retain(|process| match &process.kind {
        Kind::Worker(job) => {
            let job = world.state().join("jobs").join(job);
            job.join("started").exists() && !job.join("result.json").exists()
        }
        _ => false,
    });
    if all.is_empty() {
        return false;
    }
    random.one_of(&all).identity.signal(Signal::KILL);
    true
}

/// Compares how long each job waited for its slot with the wait of a queue in which nobody overtakes.
fn waits(world: &World, case: Option<u64>, report: &mut Report, worst: &mut Worst) {
    let mut turns: Vec<(u64, u64)> = Vec::new();
    for job in world.jobs() {
        let spec = fs::read(job.join("spec.json")).unwrap_or_default();
        let created = serde_json::from_slice::<Value>(&spec)
            .ok()
            .and_then(|spec| spec["created_ms"].as_u64());
        let started = fs::read_to_string(job.join("started")).ok();
        let started = started.and_then(|text| text.trim().parse().ok());
        if let (Some(created), Some(started)) = (created, started) {
            turns.push((created, started));
        }
    }
    // The n-th of those who came gets the n-th start of all: that is what waiting in line means.
    turns.sort_unstable();
    let mut starts: Vec<u64> = turns.iter().map(|(_, started)| *started).collect();
    starts.sort_unstable();
    let mut worst_percent = 100;
    let mut overtaken = 0;
    for (place, (created, started)) in turns.iter().enumerate() {
        let in_line = starts[place].saturating_sub(*created).max(1000);
        worst_percent = worst_percent.max(started.saturating_sub(*created) * 100 / in_line);
        let by = turns[place + 1..]
            .iter()
            .filter(|(_, other)| other < started)
            .count();
        overtaken = overtaken.max(u64::try_from(by).unwrap_or(0));
    }
    worst.wait_percent = worst.wait_percent.max(worst_percent);
    worst.overtaken = worst.overtaken.max(overtaken);
    if worst_percent > 300 {
        report.violation(
            case,
            format!("a job waited {worst_percent} % of its wait in line"),
        );
    }
}
