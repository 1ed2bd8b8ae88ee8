//! What a job's directory holds of a task that is done elsewhere, and which jobs are followed.
//!
//! `sent` is made and synced before anything is handed over, `task.json` right after the address is known. Between the two
//! what codex printed is in `submit.out`, which it writes itself: a worker that is killed there loses nothing. A job with a task and without a
//! worker runs; what was last seen of it is in `seen.json` and decides nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::domain::job::{JobId, JobState};
use crate::domain::limits::HAND_OVER;
use crate::domain::runner::{CloudPlan, Handover, Sighting, TaskId, Traces};
use crate::peer::codex::cloud::parse_task_url;
use crate::state::directory::{JobDirectory, may_exist};
use crate::state::error::StateError;
use crate::state::record::{Expects, Spec};
use crate::state::store::Store;
use crate::sys::signal::ProcessIdentity;
use crate::sys::{clock, files, lock};

/// Bytes of one of our own small files, and of what a submission prints: an address and a note or two.
const SMALL_BYTES: u64 = 64 * 1024;
/// The folder that names the jobs that are followed, each by an empty file.
const FOLDER: &str = "following";

/// What was about to be handed over: `sent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The folder of codex that holds the login, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<PathBuf>,
}

/// A task that the service has: `task.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteTask {
    /// Its id.
    pub task: TaskId,
    /// When it was handed over.
    #[serde(flatten)]
    pub sent: Sent,
}

impl Spec {
    /// Returns what was decided for a task that is done elsewhere; `None` for every other job.
    pub fn cloud(&self) -> Option<&CloudPlan> {
        match &self.expects {
            Expects::Delegate { delegation } => delegation.cloud.as_ref(),
            Expects::Consult { .. } | Expects::Review { .. } => None,
        }
    }
}

impl JobDirectory {
    fn sent_path(&self) -> PathBuf {
        self.path().join("sent")
    }

    /// Where codex prints the address of the task.
    pub fn submitted_path(&self) -> PathBuf {
        self.path().join("submit.out")
    }

    fn task_path(&self) -> PathBuf {
        self.path().join("task.json")
    }

    fn seen_path(&self) -> PathBuf {
        self.path().join("seen.json")
    }

    /// The diff as the service gave it.
    pub fn remote_diff_path(&self) -> PathBuf {
        self.path().join("remote.diff")
    }

    fn tries_path(&self) -> PathBuf {
        self.path().join("fetches")
    }

    /// Notes, on disk before it is done, that a task is handed over. The second time is an error: nothing is sent twice.
    pub fn write_sent(&self, sent: &Sent) -> Result<(), StateError> {
        let path = self.sent_path();
        let bytes = json(&path, sent)?;
        files::create_new_synced(&path, &bytes).map_err(StateError::io("write", &path))?;
        files::sync_dir(self.path()).map_err(StateError::io("write", self.path()))
    }

    /// Reads what was about to be handed over.
    pub fn read_sent(&self) -> Option<Sent> {
        read(&self.sent_path())
    }

    /// Tells whether something may have been handed over. A disk that does not tell counts as yes.
    pub fn was_sent(&self) -> bool {
        may_exist(&self.sent_path()) || may_exist(&self.task_path())
    }

    /// Tells how far handing over has come, by what is on disk.
    pub fn handover(&self) -> Handover {
        let traces = Traces {
            sent: self.was_sent(),
            address: self.task().is_some(),
        };
        traces.handover()
    }

    /// Keeps which task it is.
    pub fn write_task(&self, task: &RemoteTask) -> Result<(), StateError> {
        let path = self.task_path();
        let bytes = json(&path, task)?;
        files::write_atomic(&path, &bytes).map_err(StateError::io("write", path))
    }

    /// Returns the task of this job: as it was kept, else as codex printed it to a worker that did not live to keep it.
    pub fn read_task(&self) -> Option<RemoteTask> {
        read(&self.task_path()).or_else(|| {
            let sent = self.read_sent()?;
            let printed = files::read_bounded(&self.submitted_path(), SMALL_BYTES).ok()?;
            Some(RemoteTask {
                task: parse_task_url(&printed)?,
                sent,
            })
        })
    }

    /// Returns the task of this job, or of the one that hands over for it.
    pub fn task(&self) -> Option<RemoteTask> {
        self.read_task().or_else(|| self.lead()?.read_task())
    }

    /// Tells whether something may have been sent for this job by the one that hands over for it. Of one that is gone nobody
    /// can tell.
    pub fn lead_was_sent(&self) -> bool {
        self.lead()
            .is_some_and(|lead| lead.was_sent() || !may_exist(&lead.spec_path()))
    }

    /// Returns the job that hands over for this one.
    fn lead(&self) -> Option<Self> {
        let lead = self.read_spec().ok()?.cloud()?.lead.clone()?;
        Some(Self::at(self.path().parent()?.join(lead.as_str())))
    }

    /// Returns what was last seen of the task.
    pub fn read_seen(&self) -> Sighting {
        read(&self.seen_path()).unwrap_or_default()
    }

    /// Keeps what was seen. It is no loss where that fails: it is seen again.
    pub fn write_seen(&self, seen: &Sighting) {
        let path = self.seen_path();
        if let Ok(bytes) = json(&path, seen) {
            let _ = files::replace(&path, &bytes);
        }
    }

    /// Counts one more try to make a result of what the service has, and returns how many there were.
    pub fn count_try(&self) -> u64 {
        let path = self.tries_path();
        let _ = files::create_new(&path, b"");
        let _ = files::append_existing(&path, b"x");
        fs::metadata(&path).map_or(0, |about| about.len())
    }

    /// Tells whether it is time to try to make a result: nobody did yet, or the last try is at least so many milliseconds ago.
    pub fn is_try_due(&self, now_ms: u64, pause_ms: u64) -> bool {
        let tried = fs::metadata(self.tries_path()).and_then(|about| about.modified());
        tried.map_or(true, |at| {
            let at_ms = at.duration_since(UNIX_EPOCH).map_or(0, clock::millis);
            now_ms.abs_diff(at_ms) >= pause_ms
        })
    }

    /// Forgets the tries: the last one failed for a reason that may be over tomorrow.
    pub fn forget_tries(&self) {
        let _ = fs::remove_file(self.tries_path());
    }

    /// Tells whether a codex hands this job over whose worker died. What it prints is found later, so nothing is lost yet; one
    /// that takes longer than a worker would have given it does not count.
    fn is_handed_over_alone(&self) -> bool {
        let is_in_time = |sent: Sent| clock::now_ms().saturating_sub(sent.at_ms) <= clock::millis(HAND_OVER);
        self.read_sent().is_some_and(is_in_time) && self.read_peers().iter().any(ProcessIdentity::is_alive)
    }

    /// Tells whether the service has the task of this very job, or may get it at this moment.
    fn is_at_the_service(&self) -> bool {
        // Whoever is not alive any more has printed all that it will ever print, so the address is looked for last.
        self.read_task().is_some() || self.is_handed_over_alone() || self.read_task().is_some()
    }

    /// Returns the state of a job that nobody here holds and that has no result, where it is done elsewhere.
    pub(super) fn state_elsewhere(&self) -> Option<JobState> {
        if self.is_at_the_service() {
            return Some(JobState::Running);
        }
        let lead = self.lead()?;
        if lead.is_at_the_service() {
            return Some(JobState::Running);
        }
        let is_held = lock::is_held(&lead.lock_path()).unwrap_or(false);
        (is_held && !may_exist(&lead.result_path())).then(|| {
            if may_exist(&lead.started_path()) {
                JobState::Running
            } else {
                JobState::Queued
            }
        })
    }

    /// Tells whether the job goes on without a worker here.
    pub fn is_elsewhere(&self) -> bool {
        !may_exist(&self.result_path())
            && !lock::is_held(&self.lock_path()).unwrap_or(true)
            && self.state_elsewhere().is_some()
    }
}

/// Lets a job be followed. Synced: nobody would ask about it after a power cut.
pub fn follow(store: &Store, id: &JobId) -> Result<(), StateError> {
    let folder = folder(store)?;
    let path = folder.join(id.as_str());
    match files::create_new_synced(&path, b"") {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StateError::io("write", path)(error))
        }
        _ => files::sync_dir(&folder).map_err(StateError::io("write", folder)),
    }
}

/// Lets a job be followed no more.
pub fn unfollow(store: &Store, id: &JobId) {
    let _ = fs::remove_file(store.root().join(FOLDER).join(id.as_str()));
}

/// Lists the jobs that are followed, oldest first. Reads one folder and opens nothing.
pub fn followed(store: &Store) -> Vec<JobId> {
    let entries = fs::read_dir(store.root().join(FOLDER));
    let names = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let mut ids: Vec<JobId> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    ids.sort_unstable();
    ids
}

/// Returns the folder that names them, to be watched.
pub fn folder(store: &Store) -> Result<PathBuf, StateError> {
    store.folder(FOLDER)
}

/// Returns the file that is held by the one process that follows.
pub fn lock_path(store: &Store) -> PathBuf {
    store.root().join("follower.lock")
}

fn json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|source| StateError::Damaged {
        path: path.to_owned(),
        source,
    })
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&files::read_bounded(path, SMALL_BYTES).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;
    use crate::domain::wake::Standing;
    use crate::state::notice;
    use crate::state::record::{REMOTE_VERSION, tests::spec};
    use crate::sys::lock::HeldLock;
    use serde_json::json;

    const URL: &str = "https://chatgpt.com/codex/tasks/task_e_7\n";

    /// A job in the store; `cloud` is its plan's own fields.
    fn job(store: &Store, number: u64, lead: Option<&JobId>) -> (JobId, JobDirectory) {
        let id = JobId::new(number, WorkspaceHash::of(b"w"), number);
        let mut spec = serde_json::to_value(spec(&id)).unwrap();
        spec["version"] = json!(REMOTE_VERSION);
        spec["kind"] = json!("delegate");
        let mut cloud = json!({"environment": "e", "branch": "main", "attempts": 2, "attempt": 1});
        if let Some(lead) = lead {
            cloud["lead"] = json!(lead);
        }
        spec["expects"] = json!({"expects": "delegate", "delegation": {
            "baseline": {"top_level": "/w", "common_directory": "/w/.git", "prefix": "", "commit": "c", "tree": "t",
                "uncommitted": 0, "files": 1, "left_out": []},
            "place": "worktree", "allowed_paths": [], "checks": [], "reuse": [], "allow_commands": [], "network": false,
            "cloud": cloud}});
        let directory = store.directory(&id);
        files::create_private_dir(directory.path()).unwrap();
        fs::write(directory.spec_path(), spec.to_string()).unwrap();
        (id, directory)
    }

    #[test]
    fn a_job_with_a_task_runs_whoever_is_alive_here() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let (lead_id, lead) = job(&store, 1, None);
        let (_, second) = job(&store, 2, Some(&lead_id));
        let check = |lead_state: JobState, second_state: JobState| {
            assert_eq!(
                (lead.state().unwrap(), second.state().unwrap()),
                (lead_state, second_state)
            );
        };
        let held = HeldLock::try_take(&lead.lock_path()).unwrap().unwrap();
        check(JobState::Queued, JobState::Queued);
        lead.mark_started(1).unwrap();
        check(JobState::Running, JobState::Running);
        let sent = Sent { at_ms: 5, home: None };
        lead.write_sent(&sent).unwrap();
        lead.write_sent(&sent).unwrap_err();
        drop(held);
        // It was killed between the two: nobody can tell.
        check(JobState::Lost, JobState::Lost);
        assert!(lead.was_sent() && lead.task().is_none());
        // Half an address is none.
        fs::write(lead.submitted_path(), &URL[..40]).unwrap();
        check(JobState::Lost, JobState::Lost);
        fs::write(lead.submitted_path(), URL).unwrap();
        check(JobState::Running, JobState::Running);
        let task = second.task().unwrap();
        assert_eq!((task.task.as_str(), task.sent.at_ms), ("task_e_7", 5));
        second.write_task(&task).unwrap();
        fs::remove_dir_all(lead.path()).unwrap();
        assert_eq!(
            second.state().unwrap(),
            JobState::Running,
            "it has a copy of its own"
        );
        assert!(second.is_elsewhere());
    }

    #[test]
    fn an_attempt_whose_lead_is_gone_may_have_been_sent() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let (lead_id, lead) = job(&store, 1, None);
        let (_, second) = job(&store, 2, Some(&lead_id));
        assert!(!second.lead_was_sent() && !lead.lead_was_sent());
        // Somebody had it forgotten, and with it what it had sent.
        fs::remove_dir_all(lead.path()).unwrap();
        assert!(second.lead_was_sent());
    }

    #[test]
    fn a_job_whose_codex_is_still_handing_it_over_is_not_lost_with_its_worker() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let (lead_id, lead) = job(&store, 1, None);
        let (second_id, second) = job(&store, 2, Some(&lead_id));
        let check = |expected: JobState, standing: Standing| {
            assert_eq!(lead.state().unwrap(), expected);
            assert_eq!(second.state().unwrap(), expected);
            // Whoever is told of an end is told before anybody has given the job its result.
            for id in [&lead_id, &second_id] {
                assert_eq!(notice::standing(&store, id), standing);
            }
        };
        let sent = |at_ms| fs::write(lead.sent_path(), json!({"at_ms": at_ms}).to_string()).unwrap();
        sent(clock::now_ms());
        check(JobState::Lost, Standing::Unread);
        // This process stands for the codex: it lives.
        let codex = ProcessIdentity::of(std::process::id()).unwrap();
        lead.write_peer(1, &codex).unwrap();
        check(JobState::Running, Standing::Running);
        assert!(lead.task().is_none());
        // One that hangs is not waited for for ever.
        sent(clock::now_ms() - clock::millis(HAND_OVER) - 1000);
        check(JobState::Lost, Standing::Unread);
        sent(clock::now_ms());
        let gone = ProcessIdentity {
            start: codex.start + 1,
            ..codex
        };
        fs::remove_dir_all(lead.peers_path()).unwrap();
        lead.write_peer(1, &gone).unwrap();
        check(JobState::Lost, Standing::Unread);
    }

    #[test]
    fn an_older_program_would_not_take_it_for_a_lost_job() {
        let dir = tempfile::tempdir().unwrap();
        let (_, directory) = job(&Store::at(dir.path()), 1, None);
        // Older than this one are all that read no more than what they write.
        const { assert!(REMOTE_VERSION > crate::state::record::VERSION) };
        assert_eq!(directory.read_spec().unwrap().version, REMOTE_VERSION);
        let newer = fs::read_to_string(directory.spec_path())
            .unwrap()
            .replace(&format!("\"version\":{REMOTE_VERSION}"), "\"version\":99");
        fs::write(directory.spec_path(), newer).unwrap();
        assert!(matches!(directory.read_spec(), Err(StateError::Newer { .. })));
    }

    #[test]
    fn who_is_followed_is_known_from_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert_eq!(followed(&store), []);
        let (one, _) = job(&store, 1, None);
        let (two, _) = job(&store, 2, None);
        for id in [&two, &one, &two] {
            follow(&store, id).unwrap();
        }
        assert_eq!(followed(&store), [one.clone(), two.clone()]);
        unfollow(&store, &one);
        unfollow(&store, &one);
        assert_eq!(followed(&store), [two]);
    }

    #[test]
    fn tries_are_counted_until_they_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (_, directory) = job(&Store::at(dir.path()), 1, None);
        assert_eq!((directory.count_try(), directory.count_try()), (1, 2));
        directory.forget_tries();
        assert_eq!(directory.count_try(), 1);
        assert_eq!(directory.read_seen(), Sighting::default());
    }
}
