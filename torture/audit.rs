//! Judges a state directory from outside: it reads the disk and `/proc`, never asks the program, and changes nothing.
//!
//! What was promised is written by the harness into a *ledger*, a folder of small text files, one `name value` a line:
//!
//! | file | who writes it, when | lines |
//! |---|---|---|
//! | `acknowledged/<job id>` | the client, once a submit was acknowledged to it | `key K` and `answer SHA256`, both optional |
//! | `paid/<any name>` | the peer, once it has read a prompt that is not empty | `job DIR`, the parent of its `TMPDIR`; `prompt SHA256`; optional `key K`, and `answer SHA256` of what it is about to say |
//! | `arrived/<any name>` | the service that does tasks elsewhere, once it has one | `prompt SHA256` |
//! | `forgotten/<job id>` | the harness, when it let a job be deleted or evicted | none |
//! | `left/<job id>` | the peer of a delegate, once its edits are done, or the harness | `sha256 HASH` of the files in its worktree (`audit/files.rs`) |
//! | `untouched/<any name>` | the harness | `path DIR` and `sha256 HASH` of everything in it that is the user's and must stay as it is |
//! | `attempts` | the harness | the number of peer starts that one job may pay for; 1 without the file |
//! | `listed` | the harness, from one list of all jobs of the program | `ID STATE` for each job listed, `unread N` for those counted as unreadable |
//!
//! A shell writes `paid` as `printf 'job %s\nprompt %s\n' "${TMPDIR%/tmp}" "$hash" >"$ledger/paid/.$$" && mv "$ledger/paid/.$$"
//! "$ledger/paid/$$-$(date +%s%N)"`. Names that begin with a dot are drafts and are not read.
//!
//! Let a reader of the program look at all jobs and write `listed` before an audit: lost jobs are cleared up by a look.
//! Linux only, and only processes whose `/proc` files this user may read are seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crosscheck::domain::fingerprint::sha256_hex;
use crosscheck::domain::job::{JobId, JobState};
use crosscheck::run::keep::LEFT_OUT;
use crosscheck::state::directory::JobDirectory;
use crosscheck::state::passes;
use crosscheck::state::record::{REMOTE_VERSION, ResultRecord, Spec, VERSION};
use serde_json::Value;

#[path = "audit/clouds.rs"]
mod clouds;
#[path = "audit/files.rs"]
pub(crate) mod files;
#[path = "audit/ledger.rs"]
mod ledger;
#[path = "audit/processes.rs"]
mod processes;
#[path = "audit/results.rs"]
mod results;

use ledger::{Ledger, Note};
use processes::Processes;

/// How long a job may look alive without a holder of its lock after somebody looked, and a worker may take to end after
/// it wrote the result.
const GRACE: Duration = Duration::from_secs(2);

/// What must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A submit that was acknowledged exists, or was forgotten on purpose.
    Acknowledged = 1,
    /// A job has one terminal state, and never another one.
    OneEnd,
    /// The answer is, to the byte, what the peer said.
    Answer,
    /// A job that is shown as alive has a holder of its lock, and the holder is the job's own worker.
    Alive,
    /// A process of ours belongs to a job that goes on.
    Processes,
    /// One idempotency key paid for one job, and one job for no more starts than it may.
    PaidOnce,
    /// A record that cannot be read hides no other, and is counted.
    HidesNone,
    /// At the end nothing is left over.
    Leftovers,
    /// What is the user's is as it was: files, index, refs, stash, configuration and objects.
    Untouched,
    /// What a peer left is its job's result, to the byte, and is kept as long as the job's record.
    Result,
    /// A task that is done elsewhere was sent at most once, and every file of its jobs says the same of it.
    SentOnce,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which.
    pub(crate) rule: Rule,
    /// What was seen.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "rule {} ({:?}): {}", self.rule as u8, self.rule, self.what)
    }
}

/// What was looked at, so that an audit of nothing is seen as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Job directories.
    pub(crate) jobs: usize,
    /// Of these, those whose records are whole.
    pub(crate) intact: usize,
    /// Of these, those that have ended.
    pub(crate) ended: usize,
    /// Acknowledged submits.
    pub(crate) acknowledged: usize,
    /// Paid starts.
    pub(crate) paid: usize,
    /// Answers that were compared with what the peer said.
    pub(crate) answers: usize,
    /// Live processes that belong to a job of the state directory.
    pub(crate) processes: usize,
    /// Folders of the user's that were compared.
    pub(crate) untouched: usize,
    /// Results of delegates that were compared with what their peers left.
    pub(crate) results: usize,
    /// Tasks that are done elsewhere, and known.
    pub(crate) tasks: usize,
}

/// What one audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Broken rules, in the order of the rules.
    pub(crate) violations: Vec<Violation>,
    /// What was looked at.
    pub(crate) counts: Counts,
}

/// What earlier audits of the same state directory saw.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The hash of each result.
    results: HashMap<String, String>,
    /// Since when a job has neither a result nor a holder of its lock.
    unheld: HashMap<String, SystemTime>,
    /// Since when a process outlives the result of its job.
    lingering: HashMap<u32, SystemTime>,
    /// What each commit of a result holds: commits never change.
    contents: HashMap<String, String>,
}

/// When an audit takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Jobs may run.
    Meanwhile(SystemTime),
    /// Everything was waited for or killed, a reader looked, and a job ran that swept up.
    AtTheEnd(SystemTime),
}

impl Moment {
    fn time(self) -> SystemTime {
        match self {
            Self::Meanwhile(time) | Self::AtTheEnd(time) => time,
        }
    }
}

/// Judges a state directory by its ledger. Give all audits of one state directory the same memory.
pub(crate) fn audit(state: &Path, ledger: &Path, memory: &mut Memory, moment: Moment) -> Report {
    let state = fs::canonicalize(state).unwrap_or_else(|_| state.to_owned());
    let ledger = Ledger::read(ledger);
    // Processes first: one that ends meanwhile leaves its job better than it was seen, never worse.
    let processes = Processes::look(&state);
    let jobs = read_jobs(&state);
    let mut audit = Audit {
        state,
        ledger,
        processes,
        jobs,
        moment,
        report: Report::default(),
    };
    audit.count();
    audit.acknowledged();
    audit.one_end(memory);
    audit.answers();
    audit.alive(memory);
    audit.owners(memory);
    audit.paid_once();
    audit.hides_none();
    audit.untouched();
    audit.results(memory);
    audit.sent_once();
    if matches!(moment, Moment::AtTheEnd(_)) {
        audit.leftovers();
    }
    audit.report.violations.sort_by_key(|violation| violation.rule);
    audit.report
}

struct Audit {
    state: PathBuf,
    ledger: Ledger,
    processes: Processes,
    jobs: BTreeMap<String, Job>,
    moment: Moment,
    report: Report,
}

/// A directory whose name is a job id.
struct Job {
    directory: PathBuf,
    spec: Option<Spec>,
    /// The bytes of `result.json`, if anything has the name.
    result: Option<Vec<u8>>,
    record: Option<ResultRecord>,
}

impl Job {
    fn is_intact(&self) -> bool {
        self.spec.is_some() && (self.result.is_none() || self.record.is_some())
    }
}

impl Audit {
    fn broken(&mut self, rule: Rule, what: impl Into<String>) {
        self.report.violations.push(Violation {
            rule,
            what: what.into(),
        });
    }

    fn all_broken(&mut self, rule: Rule, found: Vec<String>) {
        for what in found {
            self.broken(rule, what);
        }
    }

    fn count(&mut self) {
        self.report.counts = Counts {
            jobs: self.jobs.len(),
            intact: self.jobs.values().filter(|job| job.is_intact()).count(),
            ended: self.jobs.values().filter(|job| job.record.is_some()).count(),
            acknowledged: self.ledger.acknowledged.len(),
            paid: self.ledger.paid.len(),
            answers: 0,
            processes: self.processes.all.len(),
            untouched: self.ledger.untouched.len(),
            results: 0,
            tasks: 0,
        };
    }

    fn acknowledged(&mut self) {
        let exists = |id: &String| self.jobs.get(id).is_some_and(|job| job.spec.is_some());
        let gone = self
            .ledger
            .acknowledged
            .keys()
            .filter(|id| !exists(id) && !self.ledger.forgotten.contains(*id));
        let found = gone
            .map(|id| format!("{id} was acknowledged and has no readable record"))
            .collect();
        self.all_broken(Rule::Acknowledged, found);
    }

    fn one_end(&mut self, memory: &mut Memory) {
        let mut found = Vec::new();
        for (id, job) in &self.jobs {
            let Some(bytes) = &job.result else { continue };
            let hash = sha256_hex(bytes);
            let first = memory.results.entry(id.clone()).or_insert_with(|| hash.clone());
            if *first != hash {
                found.push(format!("the result of {id} is not the one that was seen first"));
            }
            if job.record.is_none() && job.spec.is_some() {
                found.push(format!("{id} has a result that names no terminal state"));
            }
        }
        for id in memory.results.keys() {
            let still = self.jobs.get(id).is_some_and(|job| job.result.is_some());
            if !still && !self.ledger.forgotten.contains(id) {
                found.push(format!("the result of {id} was seen and is gone"));
            }
        }
        if matches!(self.moment, Moment::AtTheEnd(_)) {
            let open = self
                .jobs
                .iter()
                .filter(|(_, job)| job.spec.is_some() && job.result.is_none());
            found.extend(open.map(|(id, _)| format!("{id} has no terminal state at the end")));
        }
        self.all_broken(Rule::OneEnd, found);
    }

    fn answers(&mut self) {
        let mut found = Vec::new();
        let mut compared = 0;
        for (id, job) in &self.jobs {
            let Some(record) = job
                .record
                .as_ref()
                .filter(|record| record.state == JobState::Succeeded)
            else {
                continue;
            };
            if job.cloud().is_some() {
                // What it is made of arrived as a diff: the rule of tasks that are done elsewhere asks for that.
                continue;
            }
            let starts: Vec<&Note> = self.ledger.paid.iter().filter(|note| note.job() == id).collect();
            if starts.is_empty() {
                found.push(format!("{id} succeeded and no peer was started for it"));
            }
            // A full disk makes a result leave out the text as it came, and say so. The scripted peer's answer holds the
            // hash of its prompt, so what is kept of it still shows whose it is.
            if record.raw.is_none() && record.warnings.iter().any(|told| told == LEFT_OUT) {
                let kept = serde_json::to_string(&record.answer).unwrap_or_default();
                let holds = |note: &&Note| note.get("prompt").is_some_and(|hash| kept.contains(hash));
                if !starts.iter().copied().any(|note| holds(&note)) {
                    found.push(format!(
                        "what is kept of the answer of {id} is not what its peer said"
                    ));
                }
                compared += 1;
                continue;
            }
            if record.passes.len() > 1 {
                // Each pass has a thread and an answer of its own, and is kept in a file of its own.
                let said: BTreeSet<&str> = starts.iter().filter_map(|note| note.get("answer")).collect();
                for record in passes::read(&JobDirectory::at(&job.directory)) {
                    let hash = record.text.map(|text| sha256_hex(text.as_bytes()));
                    let is_said = hash.as_deref().is_some_and(|hash| said.contains(hash));
                    if record.pass.state == JobState::Succeeded && !is_said {
                        let number = record.pass.number;
                        found.push(format!(
                            "the answer of pass {number} of {id} is not what its peer said"
                        ));
                    }
                }
                compared += 1;
                continue;
            }
            let hash = answer_text(record).map(|text| sha256_hex(text.as_bytes()));
            let said: Vec<&str> = starts.iter().filter_map(|note| note.get("answer")).collect();
            let promised = self
                .ledger
                .acknowledged
                .get(id)
                .and_then(|note| note.get("answer"));
            let is = |wanted: &str| hash.as_deref() == Some(wanted);
            if !said.is_empty() && !said.iter().any(|wanted| is(wanted))
                || promised.is_some_and(|wanted| !is(wanted))
            {
                found.push(format!("the answer of {id} is not what its peer said"));
            }
            compared += usize::from(!said.is_empty() || promised.is_some());
        }
        self.report.counts.answers = compared;
        self.all_broken(Rule::Answer, found);
    }

    fn alive(&mut self, memory: &mut Memory) {
        let now = self.moment.time();
        let mut found = Vec::new();
        for (id, job) in &self.jobs {
            let holders = self.processes.holders(&job.directory.join("worker.lock"));
            for holder in holders.iter().filter(|holder| !holder.is_ours(&job.directory)) {
                found.push(format!(
                    "the lock of {id} is held by a stranger, process {}",
                    holder.pid
                ));
            }
            // One that is done elsewhere needs nobody here.
            let is_elsewhere = job.cloud().is_some() && self.task_of(job).is_some();
            if job.result.is_some() || !holders.is_empty() || job.spec.is_none() || is_elsewhere {
                memory.unheld.remove(id);
                continue;
            }
            let since = *memory.unheld.entry(id.clone()).or_insert(now);
            let Some(listed) = &self.ledger.listed else {
                continue;
            };
            // Only a look that began after the holder was gone can tell and clear up.
            let Some(state) = listed.states.get(id).filter(|_| listed.at >= since) else {
                continue;
            };
            let passed = now.duration_since(since).unwrap_or_default();
            if state == "running" || state == "queued" {
                found.push(format!("{id} is shown as {state} and nobody holds its lock"));
            } else if passed > GRACE {
                found.push(format!(
                    "{id} was looked at as {state} and has neither a result nor a holder"
                ));
            }
        }
        memory.unheld.retain(|id, _| self.jobs.contains_key(id));
        self.all_broken(Rule::Alive, found);
    }

    fn owners(&mut self, memory: &mut Memory) {
        let now = self.moment.time();
        let mut found = Vec::new();
        let mut lingering = HashMap::new();
        for process in &self.processes.all {
            let (pid, name) = (process.pid, &process.job);
            let Some(job) = self.jobs.get(name) else {
                found.push(format!("process {pid} belongs to {name}, which does not exist"));
                continue;
            };
            let lock = job.directory.join("worker.lock");
            let holders = self.processes.holders(&lock);
            if holders.is_empty() {
                found.push(format!(
                    "process {pid} belongs to {name}, whose lock nobody holds"
                ));
            } else if job.result.is_some() {
                // A worker that has written the result sweeps up before it lets go.
                let since = memory.lingering.get(&pid).copied().unwrap_or(now);
                let is_worker = holders.iter().any(|holder| holder.pid == pid);
                let passed = now.duration_since(since).unwrap_or_default();
                if !is_worker || passed > GRACE || matches!(self.moment, Moment::AtTheEnd(_)) {
                    found.push(format!("process {pid} belongs to {name}, which has ended"));
                }
                lingering.insert(pid, since);
            }
        }
        memory.lingering = lingering;
        self.all_broken(Rule::Processes, found);
    }

    fn paid_once(&mut self) {
        let (mut jobs_of, mut starts): (BTreeMap<&str, BTreeSet<&str>>, BTreeMap<&str, usize>) =
            Default::default();
        for note in &self.ledger.paid {
            if let Some(key) = self.ledger.key_of(note) {
                jobs_of.entry(key).or_default().insert(note.job());
            }
            *starts.entry(note.job()).or_default() += 1;
        }
        let twice = jobs_of.iter().filter(|(_, jobs)| jobs.len() > 1);
        let mut found: Vec<String> = twice
            .map(|(key, jobs)| format!("key `{key}` paid for {} jobs: {jobs:?}", jobs.len()))
            .collect();
        let often = starts.iter().filter(|(_, count)| **count > self.ledger.attempts);
        found.extend(often.map(|(id, count)| format!("{id} paid for {count} starts")));
        self.all_broken(Rule::PaidOnce, found);
    }

    fn hides_none(&mut self) {
        let Some(listed) = &self.ledger.listed else { return };
        // A job that was made while the list was made may be in it or not.
        let settled = |id: &str| {
            let made = id
                .parse::<JobId>()
                .ok()
                .map(|id| Duration::from_millis(id.created_ms()));
            made.is_some_and(|made| SystemTime::UNIX_EPOCH + made < listed.at)
        };
        let (mut found, mut unread) = (Vec::new(), 0);
        for (id, job) in self.jobs.iter().filter(|(id, _)| settled(id)) {
            match (job.is_intact(), listed.states.contains_key(id)) {
                (true, false) => found.push(format!("{id} is whole and is not listed")),
                (false, true) => {
                    found.push(format!("{id} is damaged and is listed as {}", listed.states[id]));
                }
                (false, false) => unread += 1,
                (true, true) => {}
            }
        }
        if unread != listed.unread {
            found.push(format!(
                "{unread} records are damaged and {} were counted",
                listed.unread
            ));
        }
        self.all_broken(Rule::HidesNone, found);
    }

    fn leftovers(&mut self) {
        let mut found = Vec::new();
        let is_draft = |name: &str| {
            [".writing-", ".new-", ".gone-"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        let told = |path: &Path| {
            path.strip_prefix(&self.state)
                .unwrap_or(path)
                .display()
                .to_string()
        };
        for folder in [
            self.state.clone(),
            self.state.join("jobs"),
            self.state.join("keys"),
        ] {
            let drafts = entries(&folder)
                .into_iter()
                .filter(|path| is_draft(&name_of(path)));
            found.extend(drafts.map(|path| format!("`{}` is a draft", told(&path))));
        }
        for job in self.jobs.values() {
            for path in entries(&job.directory) {
                let name = name_of(&path);
                if is_draft(&name) || name == "reserve" || name == "tmp" {
                    found.push(format!("`{}` is left", told(&path)));
                }
            }
        }
        for folder in ["scratch", "empty", "following"] {
            let left = entries(&self.state.join(folder));
            found.extend(left.iter().map(|path| format!("`{}` is left", told(path))));
        }
        found.extend(results::worktrees(&self.state));
        let held = self.processes.locks.iter();
        found.extend(held.map(|(path, pids)| format!("`{}` is held by {pids:?}", told(path))));
        self.all_broken(Rule::Leftovers, found);
    }
}

/// The peer's own text: the answer of a consult, of which nothing is left out, or what a review was made of.
fn answer_text(record: &ResultRecord) -> Option<String> {
    let answer = serde_json::to_value(&record.answer).ok()?;
    match answer["kind"].as_str() {
        Some("consult") => answer["answer"].as_str().map(str::to_owned),
        _ => record.raw.clone(),
    }
}

fn read_jobs(state: &Path) -> BTreeMap<String, Job> {
    let mut jobs = BTreeMap::new();
    for directory in entries(&state.join("jobs")) {
        let name = name_of(&directory);
        if name.parse::<JobId>().is_err() {
            continue;
        }
        let plain = fs::symlink_metadata(&directory).is_ok_and(|about| about.is_dir());
        let spec: Option<Spec> = read_plain(&directory.join("spec.json")).and_then(|bytes| parse(&bytes));
        let result = directory.join("result.json");
        let bytes = fs::symlink_metadata(&result)
            .is_ok()
            .then(|| read_plain(&result).unwrap_or_default());
        let record: Option<ResultRecord> = bytes.as_deref().and_then(parse);
        let job = Job {
            spec: spec.filter(|spec| plain && spec.id.as_str() == name),
            record: record.filter(|record| !record.state.is_active()),
            result: bytes,
            directory,
        };
        jobs.insert(name, job);
    }
    jobs
}

/// Parses a record of a version that this build writes; a newer one is none of ours to judge.
fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let known = value["version"]
        .as_u64()
        .is_some_and(|version| version <= u64::from(VERSION.max(REMOTE_VERSION)));
    // From the bytes, not from the value, in which a field that stands twice would stand once.
    known.then(|| serde_json::from_slice(bytes).ok()).flatten()
}

/// Reads a plain file of a bearable size; links are not followed and FIFOs not opened.
fn read_plain(path: &Path) -> Option<Vec<u8>> {
    const BYTES: u64 = 64 * 1024 * 1024;
    let about = fs::symlink_metadata(path).ok()?;
    (about.is_file() && about.len() <= BYTES)
        .then(|| fs::read(path).ok())
        .flatten()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
