//! Damages state directories and asks every verb about them: each answers in time, a record that cannot be read is
//! counted and moved aside, and no other is hidden, changed or lost.
//!
//! Each store begins healthy and gets one damage that follows from the seed and the store's number, so a finding can be
//! made again alone. A third of the stores cut one job's two records, at every byte when there are enough stores.
//!
//! As root a mode of 000 hides nothing, so those damages then only show that nothing else goes wrong; the summary says so.

#![expect(
    clippy::unwrap_used,
    reason = "a harness that cannot prepare a store should stop where it stands"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crosscheck::domain::job::JobId;
use crosscheck::sys::lock;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use serde_json::{Value, json};

#[path = "mutate/damage.rs"]
mod damage;
#[path = "mutate/healthy.rs"]
mod healthy;
#[path = "mutate/host.rs"]
mod host;

use damage::{Cuts, Damage, Dice, Expect};
use healthy::Healthy;
use host::Host;

/// Stores that one server answers for.
const STORES_PER_SERVER: usize = 25;
/// Findings that are kept in words; more are counted.
const KEPT: usize = 50;
/// How long a worker may take to sweep up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The seed, with which the run can be repeated.
    pub(crate) seed: u64,
    /// Damaged stores.
    pub(crate) stores: usize,
    /// Calls that were answered.
    pub(crate) calls: usize,
    /// Different cuts of a record that were tried, and how many there are.
    pub(crate) cuts: (usize, usize),
    /// Records that could not be read and were counted.
    pub(crate) unread: usize,
    /// Records that were moved aside.
    pub(crate) quarantined: usize,
    /// The longest answer of each verb, and to which store.
    pub(crate) slowest: BTreeMap<String, (Duration, String)>,
    /// What must not be, in words, the first ones.
    pub(crate) findings: Vec<String>,
    /// How many there were.
    pub(crate) found: usize,
    /// Whether a mode of 000 hides anything from this user.
    pub(crate) modes_hide: bool,
}

impl Summary {
    /// The longest answer of all.
    pub(crate) fn longest(&self) -> Duration {
        self.slowest
            .values()
            .map(|(time, _)| *time)
            .max()
            .unwrap_or_default()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tried, all) = self.cuts;
        writeln!(
            out,
            "{} damaged stores (seed {}), {} calls answered",
            self.stores, self.seed, self.calls
        )?;
        writeln!(out, "records cut at {tried} of {all} bytes")?;
        writeln!(
            out,
            "{} records counted as unreadable, {} moved aside",
            self.unread, self.quarantined
        )?;
        if !self.modes_hide {
            writeln!(out, "this user reads files of mode 000, so they were not hidden")?;
        }
        for (verb, (time, what)) in &self.slowest {
            writeln!(out, "longest {verb}: {} ms ({what})", time.as_millis())?;
        }
        for finding in &self.findings {
            writeln!(out, "FOUND {finding}")?;
        }
        write!(out, "{} findings", self.found)
    }
}

/// Damages `count` stores and asks `program` about each.
pub(crate) fn run(program: &Path, count: usize, seed: u64) -> Summary {
    let healthy = Healthy::new();
    healthy.renew();
    let mut summary = Summary {
        seed,
        stores: 0,
        calls: 0,
        cuts: (0, 0),
        unread: 0,
        quarantined: 0,
        slowest: BTreeMap::new(),
        findings: Vec::new(),
        found: 0,
        modes_hide: !rustix::process::geteuid().is_root(),
    };
    let cuts = Cuts::of(&healthy);
    let mut tried = BTreeSet::new();
    let mut host = Host::start(program, &healthy.home(), &healthy.workspace());
    // Nothing is damaged yet: what is found here is a fault of the harness, and what it learns about the peer is kept.
    let undamaged = Damage {
        what: "nothing".to_owned(),
        job: None,
        expect: Expect::Intact,
    };
    Store {
        healthy: &healthy,
        damage: &undamaged,
        host: &mut host,
        summary: &mut summary,
        number: 0,
    }
    .judge();
    healthy.keep_facts();
    for number in 0..count {
        if number % STORES_PER_SERVER == 0 {
            host = Host::start(program, &healthy.home(), &healthy.workspace());
        }
        healthy.renew();
        let mut dice = Dice::of(seed, number);
        let damage = if number % 3 == 0 {
            let cut = cuts.at(number / 3);
            tried.insert(cut);
            damage::cut(&healthy, cut.0, cut.1)
        } else {
            damage::any(&healthy, &mut dice)
        };
        age(&healthy.state());
        let answers = summary.calls;
        Store {
            healthy: &healthy,
            damage: &damage,
            host: &mut host,
            summary: &mut summary,
            number,
        }
        .judge();
        summary.stores += 1;
        if summary.calls == answers {
            host = Host::start(program, &healthy.home(), &healthy.workspace());
        }
    }
    summary.cuts = (tried.len(), cuts.count());
    summary
}

/// Makes everything look as if nobody had touched it for an hour: what changed just now is not moved aside.
fn age(path: &Path) {
    let ago = SystemTime::now() - Duration::from_secs(3600);
    let seconds = ago.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let then = Timespec {
        tv_sec: seconds.try_into().unwrap(),
        tv_nsec: 0,
    };
    if fs::symlink_metadata(path).is_ok_and(|about| about.is_dir()) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            age(&entry.path());
        }
    }
    let _ = utimensat(
        CWD,
        path,
        &Timestamps {
            last_access: then,
            last_modification: then,
        },
        AtFlags::SYMLINK_NOFOLLOW,
    );
}

/// One damaged store while it is asked about.
struct Store<'a> {
    healthy: &'a Healthy,
    damage: &'a Damage,
    host: &'a mut Host,
    summary: &'a mut Summary,
    number: usize,
}

impl Store<'_> {
    fn judge(&mut self) {
        let before = self.bytes_of_the_newer();
        self.check_list("first", false);
        self.check_looks();
        self.call("status", "status", &json!({}));
        let preview = json!({"tool": "consult", "arguments": {"prompt": "Is it?", "options": {"isolation": "ignore_config"}}});
        self.must(true, "dry_run", "dry_run", &preview);
        let forget_early = self.number.is_multiple_of(2);
        if forget_early {
            self.forget();
        }
        self.consult();
        self.check_list("after a job", forget_early);
        self.check_quarantine(forget_early);
        if !forget_early {
            self.forget();
        }
        self.check_list("last", true);
        if before != self.bytes_of_the_newer() {
            self.found("a record of a newer version was changed");
        }
    }

    /// Asks a verb, whatever the answer is.
    fn call(&mut self, verb: &str, tool: &str, arguments: &Value) -> Option<Value> {
        let (envelope, time) = self.host.call(tool, arguments);
        let slowest = self.summary.slowest.entry(verb.to_owned()).or_default();
        if time > slowest.0 {
            *slowest = (time, format!("store {}, {}", self.number, self.damage.what));
        }
        if envelope.is_none() {
            self.found(&format!("{verb} does not answer"));
        }
        self.summary.calls += usize::from(envelope.is_some());
        envelope
    }

    /// Asks a verb whose answer must be of this kind.
    fn must(&mut self, ok: bool, verb: &str, tool: &str, arguments: &Value) -> Option<Value> {
        let envelope = self.call(verb, tool, arguments)?;
        if envelope["ok"] != ok {
            let said = &envelope["error"]["message"];
            self.found(&format!(
                "{verb} of {arguments} tells ok={} {said}",
                envelope["ok"]
            ));
        }
        Some(envelope)
    }

    fn found(&mut self, what: &str) {
        self.summary.found += 1;
        if self.summary.findings.len() < KEPT {
            let finding = format!("store {} ({}): {what}", self.number, self.damage.what);
            self.summary.findings.push(finding);
        }
    }

    /// The list holds every record or counts it, and tells the untouched ones as ever.
    fn check_list(&mut self, when: &str, forgotten: bool) {
        let Some(list) = self.must(true, "job", "job", &json!({"limit": 1000})) else {
            return;
        };
        let rows = list["jobs"].as_array().cloned().unwrap_or_default();
        let unread = list["unread"].as_u64().unwrap_or(0);
        let told: BTreeMap<&str, &str> = rows
            .iter()
            .filter_map(|row| Some((row["id"].as_str()?, row["state"].as_str()?)))
            .collect();
        let names = self.names("jobs");
        if told.len() as u64 + unread != names.len() as u64 {
            self.found(&format!(
                "{when}: {} listed, {unread} counted, {} there",
                told.len(),
                names.len()
            ));
        }
        if when == "first" {
            self.summary.unread += usize::try_from(unread).unwrap_or(0);
        }
        for (at, (id, state)) in self.healthy.jobs.iter().enumerate() {
            let told = told.get(id.as_str());
            let touched = self.damage.job == Some(at);
            let wrong = match (touched, self.damage.expect) {
                (false, _) | (true, Expect::Intact) => told != Some(&state.as_str()),
                (true, Expect::Bad | Expect::Newer) => told.is_some(),
                (true, Expect::Either) => false,
            };
            // A job that was forgotten on purpose is not there any more.
            if wrong && !(touched && forgotten) {
                self.found(&format!(
                    "{when}: job {at} ({}) is told as {told:?}",
                    state.as_str()
                ));
            }
        }
    }

    /// Every way of looking at every job.
    fn check_looks(&mut self) {
        for (at, (id, _)) in self.healthy.jobs.clone().iter().enumerate() {
            let touched = self.damage.job == Some(at);
            self.call("job ID", "job", &json!({"id": id}));
            let details: &[&str] = if touched {
                &["full", "log", "diff"]
            } else {
                &["full"]
            };
            for detail in details {
                let arguments = json!({"id": id, "detail": detail});
                let verb = format!("job ID detail={detail}");
                match (touched, self.damage.expect, *detail) {
                    (false, _, _) | (true, Expect::Intact, "full" | "log") => {
                        self.must(true, &verb, "job", &arguments);
                    }
                    (true, Expect::Bad | Expect::Newer, _) => {
                        self.must(false, &verb, "job", &arguments);
                    }
                    _ => {
                        self.call(&verb, "job", &arguments);
                    }
                }
            }
            if touched {
                let again = json!({"tool": "consult", "arguments": {"prompt": "Go on.", "resume": id}});
                self.call("resume", "dry_run", &again);
                self.call("cancel", "cancel", &json!({"id": id}));
            }
        }
        self.call("job latest", "job", &json!({"id": "latest"}));
    }

    /// Starts a job beside the damage and waits until its worker has swept up.
    fn consult(&mut self) {
        let mut options = json!({"isolation": "ignore_config"});
        let shares_the_key = self.damage.what.starts_with("keys/");
        if shares_the_key {
            options["idempotency_key"] = json!("k");
        }
        let arguments = json!({"prompt": "Is it?", "background": true, "options": options});
        let started = if shares_the_key {
            // The key that is damaged may be refused; it must be told.
            self.call("consult", "consult", &arguments)
        } else {
            self.must(true, "consult", "consult", &arguments)
        };
        let Some(id) = started.and_then(|started| started["job"]["id"].as_str()?.parse::<JobId>().ok())
        else {
            return;
        };
        if shares_the_key && self.healthy.jobs.iter().any(|(known, _)| *known == id) {
            return;
        }
        let directory = self.healthy.state().join("jobs").join(id.as_str());
        let end = Instant::now() + PATIENCE;
        while lock::is_held(&directory.join("worker.lock")).unwrap_or(true) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        let told = self.call("job ID", "job", &json!({"id": id}));
        if told.is_none_or(|told| told["job"]["state"] != "succeeded" || told["answer"] != "Yes.") {
            self.found("a new job beside the damage does not succeed");
        }
    }

    /// What can never be read lies aside after a job, and nothing else does.
    fn check_quarantine(&mut self, forgotten: bool) {
        let aside = self.names("quarantine");
        let left = self.names("jobs");
        self.summary.quarantined += aside.len();
        for (at, (id, _)) in self.healthy.jobs.iter().enumerate() {
            let (is_aside, is_left) = (aside.contains(id.as_str()), left.contains(id.as_str()));
            let touched = self.damage.job == Some(at);
            let wrong = match (touched, self.damage.expect) {
                (true, Expect::Bad) if forgotten => is_aside || is_left,
                (true, Expect::Bad) => !is_aside || is_left,
                (true, Expect::Either | Expect::Intact) if forgotten => is_aside,
                (true, Expect::Either) => is_aside == is_left,
                _ => is_aside || !is_left,
            };
            if wrong {
                self.found(&format!(
                    "job {at} lies aside: {is_aside}, in its place: {is_left}"
                ));
            }
        }
    }

    /// Deletes the damaged job as a person would.
    fn forget(&mut self) {
        let Some(at) = self.damage.job else { return };
        let arguments = json!({"id": self.healthy.jobs[at].0, "forget": true});
        match self.damage.expect {
            Expect::Newer => self.must(false, "cancel forget", "cancel", &arguments),
            Expect::Bad | Expect::Intact => self.must(true, "cancel forget", "cancel", &arguments),
            Expect::Either => self.call("cancel forget", "cancel", &arguments),
        };
    }

    fn names(&self, folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.healthy.state().join(folder))
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.parse::<JobId>().is_ok()).collect()
    }

    fn bytes_of_the_newer(&self) -> Option<[Option<Vec<u8>>; 2]> {
        let at = self.damage.job.filter(|_| self.damage.expect == Expect::Newer)?;
        let directory = self
            .healthy
            .state()
            .join("jobs")
            .join(self.healthy.jobs[at].0.as_str());
        Some(damage::RECORDS.map(|name| fs::read(directory.join(name)).ok()))
    }
}
