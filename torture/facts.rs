//! A job as it lies on the disk, read without the program's own types: those are what is being judged.

use std::fs;
use std::path::Path;

use crosscheck::domain::fingerprint::sha256_hex;
use serde_json::Value;

/// What the files of one job say.
#[derive(Clone, Debug, Default)]
pub struct JobFacts {
    /// Its id.
    pub id: String,
    /// What came of it.
    pub result: Option<Value>,
    /// The bytes of that.
    pub result_bytes: Option<Vec<u8>>,
    /// Whether it had a slot.
    pub started: bool,
    /// How many peers were noted.
    pub peers: usize,
    /// The thread in its event log.
    pub thread: Option<String>,
    /// The last message in its event log.
    pub message: Option<String>,
    /// The hash of its prompt.
    pub prompt: Option<String>,
    /// Everything that is in its event log as a message of the model.
    pub messages: Vec<String>,
    /// The records of the passes of a review.
    pub passes: Vec<Value>,
}

impl JobFacts {
    /// Reads a job's directory.
    pub fn read(path: &Path) -> Self {
        let result_bytes = fs::read(path.join("result.json")).ok();
        let events = fs::read_to_string(path.join("events.jsonl")).unwrap_or_default();
        let events: Vec<Value> = events
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let last = |kind: &str, field: &str| {
            let found = events.iter().rev().find(|event| event["event"] == kind)?;
            found[field].as_str().map(str::to_owned)
        };
        Self {
            id: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            result: result_bytes
                .as_ref()
                .and_then(|bytes| serde_json::from_slice(bytes).ok()),
            result_bytes,
            started: path.join("started").exists(),
            peers: fs::read_dir(path.join("peers")).map_or(0, Iterator::count),
            thread: last("thread_started", "thread"),
            message: last("message", "text"),
            messages: events
                .iter()
                .filter(|event| event["event"] == "message")
                .filter_map(|event| event["text"].as_str().map(str::to_owned))
                .collect(),
            passes: passes(path),
            prompt: fs::read(path.join("prompt.txt"))
                .ok()
                .map(|text| sha256_hex(&text)),
        }
    }

    /// Returns a text of the result.
    pub fn said(&self, field: &str) -> Option<&str> {
        self.result.as_ref()?.get(field)?.as_str()
    }

    /// Returns the state in the result.
    pub fn state(&self) -> Option<&str> {
        self.said("state")
    }
}

/// Reads what the passes of a review came to, in the order of their numbers.
fn passes(job: &Path) -> Vec<Value> {
    let entries = fs::read_dir(job.join("passes")).into_iter().flatten().flatten();
    let records = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_suffix(".json")
                .is_some_and(|stem| stem.parse::<u32>().is_ok())
        })
        .filter_map(|entry| fs::read(entry.path()).ok());
    let mut records: Vec<Value> = records
        .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
        .collect();
    records.sort_by_key(|record| record["number"].as_u64());
    records
}
