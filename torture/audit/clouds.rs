//! A task is sent once, and every file of a job says the same of it: the rules of tasks that are done elsewhere.
//!
//! The files are read as they lie there, without the program's own types: those are what is being judged.

use std::collections::{BTreeMap, BTreeSet};

use crosscheck::domain::fingerprint::sha256_hex;
use crosscheck::domain::runner::CloudPlan;
use serde_json::Value;

use super::ledger::Note;
use super::{Audit, Job, JobState, Rule, read_plain};

/// Files that only a job has that is done elsewhere.
const OWN: [&str; 5] = ["sent", "submit.out", "task.json", "seen.json", "remote.diff"];
/// What is before the id of a task in its address.
const ADDRESS: &str = "https://chatgpt.com/codex/tasks/";

impl Job {
    /// What was decided for a task that is done elsewhere.
    pub(super) fn cloud(&self) -> Option<&CloudPlan> {
        self.spec.as_ref()?.cloud()
    }

    fn has(&self, name: &str) -> bool {
        self.directory.join(name).exists()
    }

    fn json(&self, name: &str) -> Option<Value> {
        serde_json::from_slice(&read_plain(&self.directory.join(name))?).ok()
    }

    /// The task by `task.json`.
    fn kept(&self) -> Option<String> {
        Some(self.json("task.json")?["task"].as_str()?.to_owned())
    }

    /// The task by the address that was printed, once it is whole.
    fn printed(&self) -> Option<String> {
        let text = String::from_utf8(read_plain(&self.directory.join("submit.out"))?).ok()?;
        let (line, _) = text.split_once('\n')?;
        line.trim().strip_prefix(ADDRESS).map(str::to_owned)
    }
}

impl Audit {
    /// The job that hands over for this one: another one, or itself.
    fn sender<'a>(&'a self, job: &'a Job) -> Option<&'a Job> {
        match &job.cloud()?.lead {
            Some(lead) => self.jobs.get(lead.as_str()),
            None => Some(job),
        }
    }

    /// The task of a job, as far as anything on the disk says it.
    pub(super) fn task_of(&self, job: &Job) -> Option<String> {
        let sender = self.sender(job);
        job.kept()
            .or_else(|| sender?.kept())
            .or_else(|| sender?.printed())
    }

    pub(super) fn sent_once(&mut self) {
        let mut found = Vec::new();
        let mut senders: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (id, job) in self.jobs.iter().filter(|(_, job)| job.spec.is_some()) {
            let Some(plan) = job.cloud() else {
                let names = OWN.iter().filter(|name| job.has(name));
                found.extend(names.map(|name| format!("{id} is done here and has `{name}`")));
                continue;
            };
            if let Some(task) = self.task_of(job) {
                let sender = plan.lead.as_ref().map_or(id.as_str(), |lead| lead.as_str());
                senders.entry(task).or_default().insert(sender);
            }
            found.extend(self.files(id, job, plan));
        }
        let shared = senders.iter().filter(|(_, senders)| senders.len() > 1);
        found.extend(shared.map(|(task, senders)| format!("{task} is the task of {senders:?}")));
        found.extend(self.arrivals());
        self.report.counts.tasks = senders.len();
        self.all_broken(Rule::SentOnce, found);
    }

    /// Compares the files of one job.
    fn files(&self, id: &str, job: &Job, plan: &CloudPlan) -> Vec<String> {
        let mut found = Vec::new();
        let mut broken = |what: &str| found.push(format!("{id} {what}"));
        if plan.lead.is_some() && (job.has("sent") || job.has("submit.out")) {
            broken("was to be handed over by another job and was handed over by itself");
        }
        for name in ["sent", "task.json", "seen.json"] {
            if job.has(name) && job.json(name).is_none() {
                broken(&format!("has a `{name}` that cannot be read"));
            }
        }
        if job.has("submit.out") && !job.has("sent") {
            broken("was handed over without a note of it");
        }
        let task = self.task_of(job);
        let sender = self.sender(job);
        if job.has("task.json") && sender.is_some_and(|sender| !sender.has("sent")) {
            broken("has a task and was never sent");
        }
        let printed = sender.and_then(Job::printed);
        if printed.is_some() && task.is_some() && printed != task {
            broken(&format!(
                "has the task {task:?}, and the one that was printed is {printed:?}"
            ));
        }
        let at = |job: &Job, name: &str| job.json(name).map(|value| value["at_ms"].clone());
        let (sent, kept) = (sender.and_then(|sender| at(sender, "sent")), at(job, "task.json"));
        if sent.is_some() && kept.is_some() && sent != kept {
            broken("was sent at another time than its task says");
        }
        if task.is_none() && (job.has("seen.json") || job.has("remote.diff")) {
            broken("was seen at the service and has no task");
        }
        let state = job.record.as_ref().map(|record| record.state);
        if task.is_none() && state == Some(JobState::Succeeded) {
            broken("succeeded and has no task");
        }
        if task.is_some() && state == Some(JobState::Lost) {
            broken("is told as lost and has a task");
        }
        found
    }

    /// Compares what arrived at the service with what was noted as sent.
    fn arrivals(&self) -> Vec<String> {
        let mut sent: BTreeMap<String, usize> = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.has("sent")) {
            if let Some(prompt) = read_plain(&job.directory.join("prompt.txt")) {
                *sent.entry(sha256_hex(&prompt)).or_default() += 1;
            }
        }
        let mut arrived: BTreeMap<&str, usize> = BTreeMap::new();
        for prompt in self
            .ledger
            .arrived
            .iter()
            .filter_map(|note: &Note| note.get("prompt"))
        {
            *arrived.entry(prompt).or_default() += 1;
        }
        let more = arrived
            .into_iter()
            .map(|(prompt, count)| (prompt, count, sent.get(prompt).copied().unwrap_or(0)));
        more.filter(|(_, arrived, sent)| arrived > sent)
            .map(|(prompt, arrived, sent)| {
                format!(
                    "the service got {arrived} tasks with the prompt {prompt}, and {sent} were noted as sent"
                )
            })
            .collect()
    }
}
