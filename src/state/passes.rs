//! The passes of a review on disk: what each said is written the moment it is there, so that a worker that is killed later
//! takes no paid answer with it.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::pass::Pass;
use crate::state::directory::{JobDirectory, RECORD_BYTES};
use crate::state::error::StateError;
use crate::state::record::{Egress, VERSION};
use crate::sys::files;

/// The end of the name of an account of what a prompt sends.
const EGRESS: &str = "egress.json";
/// Passes of one job that are read back: more than any plan has.
const PASSES: usize = 1000;

/// One pass: `passes/<n>.json`, written once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassRecord {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Which it was and how it ended.
    #[serde(flatten)]
    pub pass: Pass,
    /// What the model said last, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why it has no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

fn folder(job: &JobDirectory) -> PathBuf {
    job.path().join("passes")
}

/// Returns the file of a pass.
pub fn path(job: &JobDirectory, number: u32) -> PathBuf {
    folder(job).join(format!("{number}.json"))
}

/// Returns where the prompt of a pass is kept that was written while the job ran: of one that looks at a part it lies
/// where prompts of a job lie.
pub fn prompt_path(job: &JobDirectory, number: u32) -> PathBuf {
    folder(job).join(format!("{number}.prompt.txt"))
}

/// Returns the file of the account of what such a prompt sends.
fn egress_path(job: &JobDirectory, number: u32) -> PathBuf {
    folder(job).join(format!("{number}.{EGRESS}"))
}

/// Writes what the prompt of a pass sends, before it is sent.
pub fn write_egress(job: &JobDirectory, number: u32, egress: &Egress) -> Result<(), StateError> {
    let path = egress_path(job, number);
    let bytes = serde_json::to_vec(egress).map_err(|source| StateError::Damaged {
        path: path.clone(),
        source,
    })?;
    files::replace(&path, &bytes).map_err(StateError::io("write", path))
}

/// Reads what the prompts sent that were written while the job ran, by the number of their pass.
pub fn read_egress(job: &JobDirectory) -> Vec<(u32, Egress)> {
    let accounts = numbers(job, EGRESS).into_iter().filter_map(|number| {
        let bytes = files::read_bounded(&egress_path(job, number), RECORD_BYTES).ok()?;
        Some((number, serde_json::from_slice(&bytes).ok()?))
    });
    accounts.collect()
}

/// Returns the file of the schema that a verification's answer follows.
pub fn schema_path(job: &JobDirectory) -> PathBuf {
    folder(job).join("verify.schema.json")
}

/// Makes the folder of the passes.
pub fn prepare(job: &JobDirectory) -> Result<(), StateError> {
    let folder = folder(job);
    files::create_private_dir(&folder).map_err(StateError::io("make", &folder))?;
    files::sync_dir(job.path()).map_err(StateError::io("write", job.path()))
}

/// Writes what a pass came to.
pub fn write(job: &JobDirectory, record: &PassRecord) -> Result<(), StateError> {
    let path = path(job, record.pass.number);
    let bytes = serde_json::to_vec(record).map_err(|source| StateError::Damaged {
        path: path.clone(),
        source,
    })?;
    files::create_atomic(&path, &bytes).map_err(StateError::io("write", path))
}

/// Reads the passes that ended, by number. One that cannot be read hides no other.
pub fn read(job: &JobDirectory) -> Vec<PassRecord> {
    each(job).collect()
}

/// Reads the passes that ended, one after the other: each may have megabytes.
pub fn each(job: &JobDirectory) -> impl Iterator<Item = PassRecord> {
    let numbers = numbers(job, "json");
    numbers
        .into_iter()
        .filter_map(move |number| read_one(job, number))
}

/// Reads one pass; `None` where it has no record, or none that can be read.
pub fn read_one(job: &JobDirectory, number: u32) -> Option<PassRecord> {
    let bytes = files::read_bounded(&path(job, number), RECORD_BYTES).ok()?;
    let record: PassRecord = serde_json::from_slice(&bytes).ok()?;
    (record.version <= VERSION && record.pass.number == number).then_some(record)
}

/// Lists the numbers of the passes that have a file `<n>.<ending>`, in order.
fn numbers(job: &JobDirectory, ending: &str) -> Vec<u32> {
    let entries = match fs::read_dir(folder(job)) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "the passes of a job cannot be listed");
            }
            return Vec::new();
        }
    };
    let number = |name: &str| {
        let stem = name.strip_suffix(ending)?.strip_suffix('.')?;
        stem.parse().ok()
    };
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| number(entry.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    numbers.truncate(PASSES);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobState;
    use crate::domain::pass::Purpose;

    fn record(number: u32) -> PassRecord {
        PassRecord {
            version: VERSION,
            pass: Pass {
                number,
                purpose: Purpose::Look {
                    part: 1,
                    look: number,
                },
                state: JobState::Succeeded,
                code: None,
                elapsed_ms: 5,
                thread: None,
                usage: None,
                cost_usd: None,
                prompt_bytes: 3,
                prompt_sha256: "00".into(),
            },
            text: Some("{}".into()),
            message: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_ended_is_read_back_in_order_and_what_is_damaged_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let job = JobDirectory::at(dir.path());
        assert!(read(&job).is_empty());
        prepare(&job).unwrap();
        for number in [11, 2] {
            write(&job, &record(number)).unwrap();
        }
        fs::write(path(&job, 3), "{").unwrap();
        fs::write(schema_path(&job), "{}").unwrap();
        let newer = PassRecord {
            version: VERSION + 1,
            ..record(4)
        };
        fs::write(path(&job, 4), serde_json::to_vec(&newer).unwrap()).unwrap();
        let sent = Egress {
            prompt_bytes: 3,
            ..Egress::default()
        };
        write_egress(&job, 7, &sent).unwrap();
        assert_eq!(read(&job), [record(2), record(11)]);
        assert_eq!(read_egress(&job), [(7, sent)]);
        assert!(write(&job, &record(2)).is_err(), "a pass is written once");
    }
}
