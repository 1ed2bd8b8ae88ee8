//! A day of a thousand tasks in virtual time: the decisions of the program, with a service, a disk and a machine that are made
//! of nothing but facts. The machine sleeps, is restarted and loses the service; nothing is sent twice and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};

use crosscheck::domain::following::{Ask, Followed, Following, ONE_BY_ONE};
use crosscheck::domain::runner::{Handover, TaskId, Traces};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const TASKS: usize = 1000;
/// Tasks of one page of the service's list, and pages that are read at once.
const PAGE: usize = 20;
const PAGES: usize = 10;
/// How long handing over takes: the note, the request, the print, and the address kept.
const STEPS: [u64; 4] = [0, SECOND, 2 * SECOND, 2 * SECOND + 20];
/// Somebody looks this often at least, also right after a restart, which nothing else starts the following again after.
const LOOK: u64 = 20 * MINUTE;

/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

/// What a job's directory holds.
#[derive(Default)]
struct Disk {
    traces: Traces,
    since_ms: u64,
    asked_ms: Option<u64>,
    over: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The diff is here.
    Fetched,
    /// Nobody can tell whether the service has it, and that is told.
    ToldUnknown,
    /// It certainly was not sent, and that is told.
    ToldUnsent,
}

/// A worker that hands a task over, and how far it has come.
struct Worker {
    job: usize,
    begun_ms: u64,
    step: usize,
}

#[derive(Default)]
struct Counts {
    status: u64,
    lists: u64,
    unanswered: u64,
    rounds: u64,
    restarts: u64,
}

struct Day {
    chance: Chance,
    now: u64,
    jobs: Vec<Disk>,
    /// What the service has: when each task is done, and how often it was sent.
    service: BTreeMap<usize, (u64, u32)>,
    workers: Vec<Worker>,
    /// The process that follows, with when it looks next; nobody when it is not running.
    follower: Option<(Following, u64)>,
    outages: Vec<(u64, u64)>,
    counts: Counts,
}

fn name(job: usize) -> TaskId {
    format!("task_e_{job}").parse().unwrap()
}

fn number(task: &TaskId) -> usize {
    task.as_str().rsplit('_').next().unwrap().parse().unwrap()
}

impl Day {
    fn is_out(&self) -> bool {
        self.outages
            .iter()
            .any(|(from, to)| (*from..*to).contains(&self.now))
    }

    /// Starts the worker of a job, as a call does; one that may have been sent is never sent again.
    fn submit(&mut self, job: usize) {
        if self.jobs[job].traces.handover() != Handover::NotBegun || self.jobs[job].over.is_some() {
            return;
        }
        self.workers.push(Worker {
            job,
            begun_ms: self.now,
            step: 0,
        });
    }

    /// Lets each worker do what is due.
    fn work(&mut self) {
        let (now, is_out) = (self.now, self.is_out());
        let mut going = Vec::new();
        for mut worker in std::mem::take(&mut self.workers) {
            while worker.step < STEPS.len() && worker.begun_ms + STEPS[worker.step] <= now {
                let disk = &mut self.jobs[worker.job];
                match worker.step {
                    0 => {
                        assert_eq!(disk.traces.handover(), Handover::NotBegun);
                        disk.traces.sent = true;
                        disk.since_ms = now;
                    }
                    1 => {
                        // In an outage the request fails: before it is sent, or when nobody knows any more.
                        let reaches = !is_out || self.chance.below(3) == 0;
                        if reaches {
                            let done = now + 30 * SECOND + self.chance.below(3 * HOUR);
                            let sent = self.service.entry(worker.job).or_insert((done, 0));
                            sent.1 += 1;
                        }
                        if is_out {
                            disk.over = Some(if reaches || self.chance.below(2) == 0 {
                                End::ToldUnknown
                            } else {
                                End::ToldUnsent
                            });
                            worker.step = STEPS.len();
                            continue;
                        }
                    }
                    // Codex prints the address into a file of the job, whoever lives.
                    2 => disk.traces.address = true,
                    _ => {}
                }
                worker.step += 1;
            }
            if worker.step < STEPS.len() {
                going.push(worker);
            } else {
                self.ensure();
            }
        }
        self.workers = going;
    }

    /// Starts whoever follows, if there is something to follow.
    fn ensure(&mut self) {
        if self.follower.is_none() && !self.followed().is_empty() {
            self.follower = Some((Following::default(), self.now));
        }
    }

    fn followed(&self) -> Vec<Followed> {
        let is_elsewhere = |disk: &&Disk| disk.over.is_none() && disk.traces.handover() == Handover::Done;
        (0..)
            .zip(&self.jobs)
            .filter(|(_, disk)| is_elsewhere(disk))
            .map(|(job, disk)| Followed {
                task: name(job),
                environment: "e".to_owned(),
                since_ms: disk.since_ms,
                asked_ms: disk.asked_ms,
            })
            .collect()
    }

    /// One round of whoever follows.
    fn follow(&mut self) {
        let Some((mut following, next_ms)) = self.follower.take() else {
            return;
        };
        if next_ms > self.now {
            self.follower = Some((following, next_ms));
            return;
        }
        let tasks = self.followed();
        if tasks.is_empty() && self.workers.is_empty() {
            return;
        }
        self.counts.rounds += 1;
        let round = following.round(&tasks, self.now);
        for ask in round.asks {
            if self.is_out() {
                self.counts.unanswered += 1;
                if let Ask::Status(task) = &ask {
                    self.jobs[number(task)].asked_ms = Some(self.now);
                }
                following.unanswered(self.now);
                break;
            }
            following.answered();
            match ask {
                Ask::Status(task) => self.ask(number(&task)),
                Ask::List { due, .. } => {
                    let newest: BTreeSet<usize> = self.newest(&due);
                    let untold: Vec<usize> = due
                        .iter()
                        .map(number)
                        .filter(|job| !newest.contains(job))
                        .take(ONE_BY_ONE)
                        .collect();
                    for job in due.iter().map(number).filter(|job| newest.contains(job)) {
                        self.see(job);
                    }
                    for job in untold {
                        self.ask(job);
                    }
                }
            }
        }
        // A task may be handed over meanwhile, and a folder's watch wakes whoever follows.
        let next_ms = round.next_ms.min(self.now + 10 * SECOND);
        self.follower = Some((following, next_ms.max(self.now + SECOND)));
    }

    /// Reads the service's list until all that are due were told, and counts the pages.
    fn newest(&mut self, due: &[TaskId]) -> BTreeSet<usize> {
        let mut missing: BTreeSet<usize> = due.iter().map(number).collect();
        let mut listed: Vec<usize> = self.service.keys().copied().collect();
        // The newest first, by when the service got it.
        listed.sort_by_key(|job| std::cmp::Reverse(self.jobs[*job].since_ms));
        let mut told = BTreeSet::new();
        for page in listed.chunks(PAGE).take(PAGES) {
            self.counts.lists += 1;
            for job in page {
                missing.remove(job);
                told.insert(*job);
            }
            if missing.is_empty() {
                break;
            }
        }
        told
    }

    fn ask(&mut self, job: usize) {
        self.counts.status += 1;
        self.see(job);
    }

    fn see(&mut self, job: usize) {
        self.jobs[job].asked_ms = Some(self.now);
        if self.service[&job].0 <= self.now {
            assert_eq!(self.jobs[job].over, None, "a result is made once");
            self.jobs[job].over = Some(End::Fetched);
        }
    }

    /// Everything that runs is gone; what is on disk stays.
    fn restart(&mut self) {
        self.counts.restarts += 1;
        self.workers.clear();
        self.follower = None;
    }

    /// Somebody looks: what died half-way is told, and what is elsewhere is followed again.
    fn look(&mut self) {
        let busy: BTreeSet<usize> = self.workers.iter().map(|worker| worker.job).collect();
        for (job, disk) in self.jobs.iter_mut().enumerate() {
            let died = disk.over.is_none() && !busy.contains(&job);
            if died && disk.traces.handover() == Handover::Unknown {
                disk.over = Some(End::ToldUnknown);
            }
        }
        self.ensure();
    }
}

/// Lives a day, and one more in which everything that was begun comes to its end.
fn live(seed: u64) -> Day {
    let mut chance = Chance(seed);
    let mut arrivals: Vec<(u64, usize)> = (0..TASKS).map(|job| (chance.below(22 * HOUR), job)).collect();
    arrivals.sort_unstable();
    let mut restarts: Vec<u64> = (0..6).map(|_| chance.below(DAY)).collect();
    // And some that fall into the middle of a submission.
    restarts.extend((0..20).map(|at| arrivals[at * 47].0 + chance.below(3 * SECOND)));
    restarts.sort_unstable();
    let sleeps = [(3 * HOUR, 4 * HOUR), (13 * HOUR, 16 * HOUR)];
    let mut day = Day {
        chance,
        now: 0,
        jobs: (0..TASKS).map(|_| Disk::default()).collect(),
        service: BTreeMap::new(),
        workers: Vec::new(),
        follower: None,
        outages: vec![
            (HOUR, HOUR + 10 * MINUTE),
            (7 * HOUR, 8 * HOUR),
            (18 * HOUR, 20 * HOUR),
        ],
        counts: Counts::default(),
    };
    let (mut arrivals, mut restarts) = (arrivals.into_iter().peekable(), restarts.into_iter().peekable());
    let mut next_look = 0;
    while day.now < 2 * DAY {
        day.now += 500;
        if let Some((_, awake)) = sleeps
            .iter()
            .find(|(asleep, awake)| (*asleep..*awake).contains(&day.now))
        {
            // The clock on the wall goes on; nothing else does.
            day.now = *awake;
        }
        while restarts.next_if(|at| *at <= day.now).is_some() {
            day.restart();
            next_look = day.now + MINUTE;
        }
        while let Some((_, job)) = arrivals.next_if(|(at, _)| *at <= day.now) {
            day.submit(job);
        }
        day.work();
        if day.now >= next_look {
            day.look();
            next_look = day.now + LOOK;
        }
        day.follow();
        let is_quiet = arrivals.peek().is_none() && day.workers.is_empty() && day.follower.is_none();
        if is_quiet
            && day
                .jobs
                .iter()
                .all(|disk| disk.over.is_some() || !disk.traces.sent)
        {
            break;
        }
    }
    day
}

#[test]
fn in_a_day_of_a_thousand_tasks_nothing_is_sent_twice_and_nothing_is_lost() {
    for seed in [
        0x9e37_79b9_7f4a_7c15,
        0xd1b5_4a32_d192_ed03,
        0x0123_4567_89ab_cdef,
    ] {
        let day = live(seed);
        assert!(
            day.service.values().all(|(_, sent)| *sent == 1),
            "something was sent twice"
        );
        let mut ends: BTreeMap<Option<End>, usize> = BTreeMap::new();
        for (job, disk) in day.jobs.iter().enumerate() {
            *ends.entry(disk.over).or_default() += 1;
            let has = day.service.contains_key(&job);
            match disk.over {
                Some(End::Fetched) => assert!(has),
                Some(End::ToldUnsent) => assert!(!has, "what is told as not sent is not there"),
                Some(End::ToldUnknown) => {}
                // Its call died with the machine before anything was noted: there is no job to lose.
                None => assert!(!has && !disk.traces.sent, "job {job} is lost"),
            }
        }
        let Counts {
            status,
            lists,
            unanswered,
            rounds,
            restarts,
        } = day.counts;
        println!(
            "{TASKS} tasks, {} at the service: {} fetched, {} told as unknown, {} told as not sent; {restarts} restarts; \
             {status} questions for one, {lists} pages, {unanswered} without an answer, {rounds} rounds",
            day.service.len(),
            ends.get(&Some(End::Fetched)).unwrap_or(&0),
            ends.get(&Some(End::ToldUnknown)).unwrap_or(&0),
            ends.get(&Some(End::ToldUnsent)).unwrap_or(&0),
        );
        let asked = status + lists;
        assert!(asked < 15 * TASKS as u64, "{asked} questions");
        // Three hours and ten minutes without the service, at one question for all.
        assert!(unanswered < 250, "{unanswered} questions into the void");
        assert!(ends[&Some(End::Fetched)] > TASKS / 2);
    }
}
