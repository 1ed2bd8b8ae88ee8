//! A healthy state directory with one job of every state, made through the store's own interface.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crosscheck::domain::job::{JobId, JobState, WorkspaceHash};
use crosscheck::peer::event::Event;
use crosscheck::state::events::EventLog;
use crosscheck::state::keys::LockedKey;
use crosscheck::state::store::{NewJob, Store};
use crosscheck::sys::{clock, files};
use serde_json::{Value, json};

/// codex as a script that answers every question at once.
const CODEX: &str = r#"#!/bin/sh
case "$1" in
--version) echo codex-cli 0.169.0; exit 0;;
sandbox) exit 0;;
login) echo 'Logged in using an API key' >&2; exit 0;;
exec) ;;
*) exit 1;;
esac
cat >/dev/null
cat <<'END'
{"type":"thread.started","thread_id":"019a0000-0000-7000-8000-000000000000"}
{"type":"turn.started"}
{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"Yes."}}
{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":5}}
END
"#;

/// Bytes that must be free where the stores lie: twice what a job asks for before it starts.
const ROOM: u64 = 2 * crosscheck::domain::limits::FREE_BYTES;
/// The job of each state; the second one that succeeded is a review. The last one is lost, and nobody has looked.
const STATES: [JobState; 8] = [
    JobState::Succeeded,
    JobState::Succeeded,
    JobState::Failed,
    JobState::Cancelled,
    JobState::TimedOut,
    JobState::Lost,
    JobState::Succeeded,
    JobState::Lost,
];
/// The job that is lost without a result.
const UNSEEN: usize = 7;
/// The job that is a review.
const REVIEW: usize = 1;

/// A folder with a home, a workspace and a healthy state directory.
pub(super) struct Healthy {
    dir: tempfile::TempDir,
    /// The jobs and the state that each must be told with, newest first.
    pub(super) jobs: Vec<(JobId, JobState)>,
    /// The name of a key's file.
    pub(super) key: String,
}

impl Healthy {
    /// Makes it.
    pub(super) fn new() -> Self {
        // Thousands of small copies: in memory, where there is such a folder with room for a job.
        let memory = Path::new("/dev/shm");
        let dir = if files::available_bytes(memory).is_ok_and(|free| free > ROOM) {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("workspace")).unwrap();
        let codex = root.join("codex");
        fs::write(&codex, CODEX).unwrap();
        fs::set_permissions(&codex, fs::Permissions::from_mode(0o755)).unwrap();
        let store = Store::at(root.join("healthy"));
        let workspace = root.join("workspace");
        let hash = WorkspaceHash::of(workspace.as_os_str().as_encoded_bytes());
        let now = clock::now_ms();
        let mut jobs = Vec::new();
        for (at, state) in (0..).zip(STATES) {
            let id = JobId::new(now - 60_000 - at * 1000, hash, at);
            make(&store, &id, state, usize::try_from(at).unwrap(), &workspace);
            jobs.push((id, state));
        }
        let key = format!("key consult {} k", workspace.display());
        LockedKey::take(&store, &key, b"arguments")
            .unwrap()
            .store(&jobs[0].0)
            .unwrap();
        let key = fs::read_dir(store.root().join("keys"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .file_name();
        fs::write(store.folder("slots").unwrap().join("0"), "").unwrap();
        crosscheck::state::cache::write(&store, "some fact", true);
        Self {
            dir,
            jobs,
            key: key.into_string().unwrap(),
        }
    }

    /// The folder that is the home.
    pub(super) fn home(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// The workspace of all jobs.
    pub(super) fn workspace(&self) -> PathBuf {
        self.home().join("workspace")
    }

    /// The state directory that is mutated and used.
    pub(super) fn state(&self) -> PathBuf {
        self.home().join("state")
    }

    /// Tells whether the job at this place has no result yet.
    pub(super) fn is_unseen(at: usize) -> bool {
        at == UNSEEN
    }

    /// Puts a healthy state directory into its place.
    pub(super) fn renew(&self) {
        let state = self.state();
        unlock(&state);
        let _ = fs::remove_dir_all(&state);
        copy(&self.home().join("healthy"), &state);
    }

    /// Keeps what a run has found out about the peer, which would cost each store the same time anew.
    pub(super) fn keep_facts(&self) {
        for name in ["cache", "slots", "version-home"] {
            copy(&self.state().join(name), &self.home().join("healthy").join(name));
        }
    }
}

fn make(store: &Store, id: &JobId, state: JobState, at: usize, workspace: &Path) {
    let review = at == REVIEW;
    let expects = if review {
        json!({"expects": "review", "target": {"scope": "working_tree", "paths": [], "files": 1},
            "coverage": {"status": "complete", "files": 1, "hunks": {"total": 1, "sent": 1, "omitted": 0}, "omitted": [],
                "redaction": {"withheld": [], "masked": [], "count": 0}}})
    } else {
        json!({"expects": "consult", "kind": "answer"})
    };
    let kind = if review { "review" } else { "consult" };
    let spec = json!({"version": 1, "id": id, "kind": kind, "label": format!("job {at}"), "created_ms": id.created_ms(),
        "workspace": workspace, "workspace_source": "cwd", "directory": workspace, "tier": kind,
        "isolation": "ignore_config", "tools": "sandboxed", "web_search": false, "ephemeral": false,
        "timeout_ms": 1_800_000, "expects": expects, "request_id": "r", "warnings": [],
        "peer": {"program": "/opt/codex", "version": "0.169.0", "servers": []},
        "egress": {"prompt_bytes": 3, "prompt_sha256": "00", "files": [], "withheld": [], "masked": 0}});
    let change = json!({"files": [{"old": "a.rs", "new": "a.rs",
        "hunks": [{"old": [1, 1], "new": [1, 1], "lines": ["-a", "+b"]}]}]});
    let spec = serde_json::from_value(spec).unwrap();
    let change = review.then(|| serde_json::from_value(change).unwrap());
    let schema = json!({"type": "object"});
    let new = NewJob {
        parts: Vec::new(),
        spec: &spec,
        prompt: "Is it?",
        schema: Some(&schema),
        change: change.as_ref(),
    };
    let (directory, lock) = store.create(&new).unwrap();
    directory.mark_started(id.created_ms() + 1).unwrap();
    fs::create_dir(directory.peers_path()).unwrap();
    fs::write(
        directory.peers_path().join("1"),
        r#"{"pid":1,"start":1,"boot":"00000000-0000-0000-0000-000000000000"}"#,
    )
    .unwrap();
    fs::write(directory.stderr_path(), "a line\n").unwrap();
    let mut log = EventLog::open(&directory.events_path()).unwrap();
    log.append(&Event::ThreadStarted {
        thread: "019a0000-0000-7000-8000-000000000000".to_owned(),
    })
    .unwrap();
    log.append(&Event::Message {
        text: "Yes.".to_owned(),
    })
    .unwrap();
    if at != UNSEEN {
        directory
            .write_result(&serde_json::from_value(result(id, state, review)).unwrap())
            .unwrap();
        files::create_new(&directory.fetched_path(), b"").unwrap();
    }
    if state == JobState::Cancelled {
        directory.request_cancel().unwrap();
    }
    drop(lock);
}

fn result(id: &JobId, state: JobState, review: bool) -> Value {
    let mut result = json!({"version": 1, "state": state, "ended_ms": id.created_ms() + 500, "elapsed_ms": 400,
        "thread": "019a0000-0000-7000-8000-000000000000", "commands": [{"command": "ls", "exit_code": 0}], "warnings": []});
    result["answer"] = if state != JobState::Succeeded {
        result["fault"] = json!({"code": "peer_failed", "message": "m", "repair": {"hint": "h"}});
        return result;
    } else if review {
        json!({"kind": "review", "target": {"scope": "working_tree", "paths": [], "files": 1}, "verdict": "pass",
            "confidence": "high", "review_status": "completed", "findings": [], "overview": "o", "questions": [],
            "coverage": {"status": "complete", "files": 1, "hunks": {"total": 1, "sent": 1, "omitted": 0}, "omitted": [],
                "redaction": {"withheld": [], "masked": [], "count": 0}}, "assumptions": []})
    } else {
        json!({"kind": "consult", "answer": "Yes.", "code": [], "questions": [], "assumptions": []})
    };
    result
}

/// Copies a folder; only plain files and folders are in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Gives folders their permissions back, so that they can be deleted.
fn unlock(folder: &Path) {
    if fs::symlink_metadata(folder).is_ok_and(|about| about.is_dir()) {
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            unlock(&entry.path());
        }
    }
}
