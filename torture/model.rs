//! What may be seen of jobs, as a small sequential model: unknown, created, queued, running, one end, forgotten.
//!
//! Pure: a history comes in, the rules that it breaks go out. An operation took effect at some instant between its
//! beginning and its end, so only what ended before something else began is known to have come first.

use std::collections::{BTreeMap, BTreeSet};

/// Microseconds since 1970.
pub(crate) type Micros = u64;

/// What a job was seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Waits for a slot.
    Queued,
    /// Has a slot.
    Running,
    /// Over, in the way of this name.
    Ended(&'static str),
}

impl State {
    /// Reads a state as envelopes name it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        const ENDS: [&str; 5] = ["succeeded", "failed", "cancelled", "timed_out", "lost"];
        match name {
            "queued" => Some(Self::Queued),
            "running" => Some(Self::Running),
            _ => ENDS.into_iter().find(|end| *end == name).map(Self::Ended),
        }
    }

    /// Tells whether nothing may come after it.
    pub(crate) fn is_end(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// One look at one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Its id.
    pub(crate) job: String,
    /// What it was asked to do; no two sets of arguments have the same.
    pub(crate) label: String,
    /// Its state.
    pub(crate) state: State,
    /// What was told of its result: the hash of the answer, or the code of the fault.
    pub(crate) result: Option<String>,
}

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A new job, or the one that the key stands for.
    Submit {
        /// Any key: the caller's own, or a host's.
        key: Option<String>,
        /// The arguments.
        label: String,
    },
    /// A look at one job.
    Look(String),
    /// A look at all jobs, or only at those in a state.
    List {
        /// Whether no state was named.
        all: bool,
    },
    /// The end of a job.
    Cancel(String),
    /// The end of a job and of its record.
    Forget(String),
    /// A preview.
    DryRun,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing: the server was killed.
    Nothing,
    /// A job.
    Job(Sight),
    /// Jobs, newest first.
    Jobs {
        /// The rows.
        rows: Vec<Sight>,
        /// Whether no row was left out.
        whole: bool,
    },
    /// That there is no such job.
    Gone,
    /// That the key stands for other arguments.
    KeyTaken,
    /// Something that is about no job.
    Free,
    /// A fault of this code, about no job.
    Refused(String),
}

/// One call, from its first byte to the last one of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Before the call was sent.
    pub(crate) began: Micros,
    /// After the answer was there.
    pub(crate) ended: Micros,
    /// What was asked.
    pub(crate) asked: Asked,
    /// What was told.
    pub(crate) told: Told,
}

/// A peer that read a prompt, as it noted itself.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    /// The job.
    pub(crate) job: String,
    /// When, at the latest.
    pub(crate) at: Micros,
    /// The hash of the answer that it gives.
    pub(crate) answer: String,
}

/// Peers that were all alive at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Alive {
    /// That instant, or one shortly before.
    pub(crate) at: Micros,
    /// The job of each.
    pub(crate) jobs: Vec<String>,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Slots.
    pub(crate) concurrency: usize,
    /// Ended jobs that are kept at least.
    pub(crate) kept: usize,
    /// The calls, in any order.
    pub(crate) operations: Vec<Operation>,
    /// The paid starts.
    pub(crate) paid: Vec<Paid>,
    /// Looks at the processes.
    pub(crate) alive: Vec<Alive>,
}

/// Returns every rule that the history breaks, in words; empty when it could be that of a store that does one thing
/// after the other.
pub(crate) fn violations(history: &History) -> Vec<String> {
    let facts = Facts::of(history);
    let mut found = Vec::new();
    arguments(&facts, &mut found);
    keys(history, &facts, &mut found);
    order(&facts, &mut found);
    presence(history, &facts, &mut found);
    payments(history, &facts, &mut found);
    silence(history, &facts, &mut found);
    slots(history, &mut found);
    refusals(history, &mut found);
    found
}

/// A sight with the time in which it was true.
#[derive(Clone, Copy)]
struct Seen<'a> {
    began: Micros,
    ended: Micros,
    sight: &'a Sight,
}

/// What the rules look things up in.
struct Facts<'a> {
    seen: BTreeMap<&'a str, Vec<Seen<'a>>>,
    /// When each set of arguments was first asked for, and whether without a key.
    asked: BTreeMap<&'a str, (Micros, bool)>,
    /// When a job's end was first known to somebody.
    over: BTreeMap<&'a str, Micros>,
    /// When the forgetting of a job first began, and when it was first acknowledged.
    forgetting: BTreeMap<&'a str, Micros>,
    forgotten: BTreeMap<&'a str, Micros>,
    /// When a submit first returned a job.
    acknowledged: BTreeMap<&'a str, Micros>,
    paid: BTreeSet<&'a str>,
}

fn earliest<'a>(times: &mut BTreeMap<&'a str, Micros>, job: &'a str, at: Micros) {
    times
        .entry(job)
        .and_modify(|old| *old = at.min(*old))
        .or_insert(at);
}

impl<'a> Facts<'a> {
    fn of(history: &'a History) -> Self {
        let mut facts = Self {
            seen: BTreeMap::new(),
            asked: BTreeMap::new(),
            over: BTreeMap::new(),
            forgetting: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            paid: history.paid.iter().map(|paid| paid.job.as_str()).collect(),
        };
        for operation in &history.operations {
            let (began, ended) = (operation.began, operation.ended);
            let sights: &[Sight] = match &operation.told {
                Told::Job(sight) => std::slice::from_ref(sight),
                Told::Jobs { rows, .. } => rows,
                _ => &[],
            };
            for sight in sights {
                facts
                    .seen
                    .entry(&sight.job)
                    .or_default()
                    .push(Seen { began, ended, sight });
                if sight.state.is_end() {
                    earliest(&mut facts.over, &sight.job, ended);
                }
            }
            match (&operation.asked, &operation.told) {
                (Asked::Submit { key, label }, told) => {
                    let entry = facts.asked.entry(label).or_insert((began, key.is_none()));
                    entry.0 = entry.0.min(began);
                    if let Told::Job(sight) = told {
                        earliest(&mut facts.acknowledged, &sight.job, ended);
                    }
                }
                (Asked::Forget(job), told) => {
                    earliest(&mut facts.forgetting, job, began);
                    if matches!(told, Told::Job(sight) if sight.state.is_end()) {
                        earliest(&mut facts.forgotten, job, ended);
                    }
                }
                _ => {}
            }
        }
        facts
    }

    /// Tells whether a job may have been deleted by `at`: somebody forgot it, or retention could.
    fn may_be_gone(&self, history: &History, job: &str, at: Micros) -> bool {
        let forgetting = self.forgetting.get(job).is_some_and(|began| *began < at);
        let evicted = self.seen.len() > history.kept && self.over.contains_key(job);
        forgetting || evicted
    }

    /// Tells whether a key may leave this job for another one.
    fn frees_its_key(&self, history: &History, job: &str, at: Micros) -> bool {
        let lost = |seen: &Seen<'_>| seen.sight.state == State::Ended("lost");
        let never_started = !self.paid.contains(job)
            && self.seen.get(job).is_none_or(|all| {
                // Nobody need have seen it lost: whoever found it so made the new one.
                all.iter().all(|seen| !seen.sight.state.is_end() || lost(seen))
            });
        never_started || self.may_be_gone(history, job, at)
    }
}

/// A job does what somebody asked for, a call without a key makes one job, and no job changes what it is about.
fn arguments(facts: &Facts<'_>, found: &mut Vec<String>) {
    let mut of_label: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (job, seen) in &facts.seen {
        let first = seen[0].sight.label.as_str();
        if seen.iter().any(|seen| seen.sight.label != first) {
            found.push(format!("{job} changed what it is about"));
        }
        let asked = facts.asked.get(first).map(|(began, _)| *began);
        let seen_by = seen.iter().map(|seen| seen.ended).min();
        if asked.is_none_or(|asked| seen_by.is_some_and(|seen| seen < asked)) {
            found.push(format!("{job} was asked for by nobody (`{first}`)"));
        }
        of_label.entry(first).or_default().insert(job);
    }
    for (label, jobs) in of_label {
        if jobs.len() > 1 && facts.asked.get(label).is_some_and(|(_, keyless)| *keyless) {
            found.push(format!("one call made {} jobs (`{label}`)", jobs.len()));
        }
    }
}

/// One key and one set of arguments is one job, until that is forgotten or was lost before anything was paid.
fn keys(history: &History, facts: &Facts<'_>, found: &mut Vec<String>) {
    let mut of_key: BTreeMap<&str, Vec<(&Operation, &str)>> = BTreeMap::new();
    for operation in &history.operations {
        if let Asked::Submit {
            key: Some(key),
            label,
        } = &operation.asked
        {
            of_key.entry(key).or_default().push((operation, label));
        }
        if let (Asked::Submit { label, .. }, Told::Job(sight)) = (&operation.asked, &operation.told)
            && sight.label != *label
        {
            found.push(format!("who asked for `{label}` was given {}", sight.job));
        }
    }
    for (key, mut calls) in of_key {
        calls.sort_by_key(|(operation, _)| operation.ended);
        let mut jobs: Vec<&str> = Vec::new();
        for (operation, label) in &calls {
            match &operation.told {
                Told::Job(sight) => {
                    let job = sight.job.as_str();
                    let older = jobs.iter().filter(|known| **known != job);
                    for known in older {
                        let one_is_free = facts.frees_its_key(history, known, operation.ended)
                            || facts.frees_its_key(history, job, operation.ended);
                        if !one_is_free {
                            found.push(format!("key {key} stands for {known} and for {job}"));
                        }
                    }
                    if !jobs.contains(&job) {
                        jobs.push(job);
                    }
                }
                Told::KeyTaken => {
                    let other = calls
                        .iter()
                        .any(|(other, theirs)| theirs != label && other.began < operation.ended);
                    if !other {
                        found.push(format!(
                            "key {key} was refused though nobody gave it other arguments"
                        ));
                    }
                }
                _ => {}
            }
        }
    }
}

/// States go forward, an end never changes, and a result is told the same for ever.
fn order(facts: &Facts<'_>, found: &mut Vec<String>) {
    for (job, seen) in &facts.seen {
        let mut by_end = seen.clone();
        by_end.sort_by_key(|seen| seen.ended);
        let mut by_begin = seen.clone();
        by_begin.sort_by_key(|seen| seen.began);
        let mut before = by_end.iter().peekable();
        let mut furthest = State::Queued;
        for now in &by_begin {
            while let Some(earlier) = before.next_if(|earlier| earlier.ended < now.began) {
                furthest = furthest.max(earlier.sight.state);
            }
            if now.sight.state < furthest {
                found.push(format!("{job} was {furthest:?} and later {:?}", now.sight.state));
                break;
            }
        }
        let ends: BTreeSet<State> = seen
            .iter()
            .map(|seen| seen.sight.state)
            .filter(|state| state.is_end())
            .collect();
        if ends.len() > 1 {
            found.push(format!("{job} ended in {} ways: {ends:?}", ends.len()));
        }
        let results: BTreeSet<&str> = seen
            .iter()
            .filter_map(|seen| seen.sight.result.as_deref())
            .collect();
        if results.len() > 1 {
            found.push(format!(
                "{job} was told with {} results: {results:?}",
                results.len()
            ));
        }
    }
}

/// What was acknowledged is there until it is forgotten, and then it is gone.
fn presence(history: &History, facts: &Facts<'_>, found: &mut Vec<String>) {
    for operation in &history.operations {
        let (began, ended) = (operation.began, operation.ended);
        let missing = |job: &str| {
            let known = facts.acknowledged.get(job).is_some_and(|at| *at < began);
            known && !facts.may_be_gone(history, job, ended)
        };
        let undead = |job: &str| facts.forgotten.get(job).is_some_and(|at| *at < began);
        match (&operation.asked, &operation.told) {
            (Asked::Look(job) | Asked::Cancel(job) | Asked::Forget(job), Told::Gone) if missing(job) => {
                found.push(format!("{job} was acknowledged and then not found"));
            }
            (Asked::List { all: true }, Told::Jobs { rows, whole }) => {
                let listed: BTreeSet<&str> = rows.iter().map(|row| row.job.as_str()).collect();
                let oldest = listed.first().copied().unwrap_or_default();
                for job in facts.acknowledged.keys() {
                    // Ids sort by time, so a list that was cut short has lost the smallest.
                    if (*whole || *job > oldest) && !listed.contains(job) && missing(job) {
                        found.push(format!("{job} was acknowledged and then not listed"));
                    }
                }
            }
            _ => {}
        }
        let told: &[Sight] = match &operation.told {
            Told::Job(sight) => std::slice::from_ref(sight),
            Told::Jobs { rows, .. } => rows,
            _ => &[],
        };
        for sight in told.iter().filter(|sight| undead(&sight.job)) {
            found.push(format!("{} was forgotten and then told again", sight.job));
        }
    }
}

/// A job is paid for at most once, and a success is what the peer said.
fn payments(history: &History, facts: &Facts<'_>, found: &mut Vec<String>) {
    let mut answers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for paid in &history.paid {
        answers.entry(&paid.job).or_default().push(&paid.answer);
    }
    for (job, answers) in &answers {
        if answers.len() > 1 {
            found.push(format!("{job} was paid for {} times", answers.len()));
        }
    }
    for (job, seen) in &facts.seen {
        let said = answers.get(job).and_then(|answers| answers.first());
        for seen in seen
            .iter()
            .filter(|seen| seen.sight.state == State::Ended("succeeded"))
        {
            if said.is_none()
                || seen
                    .sight
                    .result
                    .as_deref()
                    .is_some_and(|told| Some(&told) != said)
            {
                found.push(format!("{job} succeeded with an answer that no peer gave"));
                break;
            }
        }
    }
}

/// Once somebody was told that a job is over, nothing of it starts or lives.
fn silence(history: &History, facts: &Facts<'_>, found: &mut Vec<String>) {
    let later = |job: &str, at: Micros| facts.over.get(job).is_some_and(|over| *over < at);
    for paid in history.paid.iter().filter(|paid| later(&paid.job, paid.at)) {
        found.push(format!("{} was told to be over and then paid for", paid.job));
    }
    let mut told = BTreeSet::new();
    for alive in &history.alive {
        for job in alive.jobs.iter().filter(|job| later(job, alive.at)) {
            if told.insert(job) {
                found.push(format!("{job} was told to be over and its peer lived on"));
            }
        }
    }
}

/// No more peers live at once than there are slots.
fn slots(history: &History, found: &mut Vec<String>) {
    let most = history.alive.iter().max_by_key(|alive| alive.jobs.len());
    if let Some(most) = most.filter(|most| most.jobs.len() > history.concurrency) {
        found.push(format!(
            "{} peers lived at once in {} slots: {:?}",
            most.jobs.len(),
            history.concurrency,
            most.jobs
        ));
    }
}

/// A refusal has a reason that lies in what was asked.
fn refusals(history: &History, found: &mut Vec<String>) {
    let mut counted: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for operation in &history.operations {
        let Told::Refused(code) = &operation.told else {
            continue;
        };
        let (asked, fair): (&str, &[&str]) = match &operation.asked {
            Asked::Submit { .. } => (
                "submit",
                &[
                    "too_many_jobs",
                    "job_not_finished",
                    "invalid_arguments",
                    "job_not_found",
                ],
            ),
            Asked::Cancel(_) | Asked::Forget(_) => ("cancel", &[]),
            Asked::Look(_) => ("job", &[]),
            Asked::List { .. } => ("list", &[]),
            Asked::DryRun => ("dry_run", &[]),
        };
        // Words about it may follow the code.
        let name = code.split(' ').next().unwrap_or_default();
        if !fair.contains(&name) {
            *counted.entry((asked.to_owned(), code)).or_default() += 1;
        }
    }
    for ((asked, code), times) in counted {
        found.push(format!("{asked} was refused with {code}, {times} times"));
    }
}
