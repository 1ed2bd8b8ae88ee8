//! Leftovers in the state directory that belong to no job any more: what a killed process did not finish, and keys and
//! facts that nobody will ask for again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::domain::job::JobId;
use crate::domain::limits;
use crate::state::keys;
use crate::state::landing;
use crate::state::quarantine;
use crate::state::repositories::RepositoryFolder;
use crate::state::sessions;
use crate::state::store::Store;
use crate::state::trees;
use crate::sys::lock;

/// Age of a half-made or half-deleted job, or of a private git directory, that nobody works on any more. Making one
/// takes less than a minute.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// Records looked at after each job, the newest. A damaged one that is older is found when its time is over.
const CHECKED: usize = 1000;
/// Age of a fact that would not be believed any more anyway.
const STALE_FACT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Deletes leftovers. What cannot be deleted now is tried again later.
pub fn sweep(store: &Store) {
    for path in aged(&store.root().join("jobs"), ABANDONED) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = name.starts_with(".new-") || name.starts_with(".gone-");
        let worked_on =
            quarantine::is_directory(&path) && lock::is_held(&path.join("worker.lock")).unwrap_or(true);
        if draft && !worked_on {
            let _ = quarantine::remove(&path);
        }
    }
    for path in aged(&store.root().join("scratch"), ABANDONED) {
        let _ = fs::remove_dir_all(&path);
    }
    for id in store.ids(None).into_iter().flatten().take(CHECKED) {
        quarantine::set_aside(store, &id);
        store.directory(&id).tidy_if_ended();
    }
    for path in aged(&quarantine::folder(store), limits::RETENTION) {
        if !quarantine::holds_unread(&path) {
            let _ = quarantine::remove(&path);
        }
    }
    sweep_repositories(store);
    sessions::sweep(store);
    for path in aged(&store.root().join("cache"), STALE_FACT) {
        let _ = fs::remove_file(&path);
    }
    for path in aged(&store.root().join("keys"), limits::RETENTION) {
        keys::forget_if_free(store, &path);
    }
}

/// Clears away what killed processes left of worktrees and of landings.
fn sweep_repositories(store: &Store) {
    for repository in RepositoryFolder::all(store).into_iter().flatten() {
        for job in trees::left_behind(&repository) {
            if is_collected(store, &job)
                && let Some(held) = trees::left_by(&repository, &job)
            {
                held.give_back();
            }
        }
        trees::sweep(&repository);
        if let Err(error) = landing::recover(&repository) {
            tracing::warn!(%error, "a landing that was killed is not taken back yet");
        }
    }
}

/// Tells whether nothing in a job's worktree is worth anything: what its peer did is in its result, or there was no peer, as
/// when it was cancelled while the worktree was made.
fn is_collected(store: &Store, job: &JobId) -> bool {
    let directory = store.directory(job);
    match directory.read_result() {
        Ok(Some(result)) => result.work.is_some() || directory.read_peers().is_empty(),
        _ => false,
    }
}

/// Lists what lies in a folder and was last written at least `age` ago. A time in the future is no age.
fn aged(folder: &Path, age: Duration) -> Vec<PathBuf> {
    let now = SystemTime::now();
    let is_aged = |path: &PathBuf| {
        fs::symlink_metadata(path)
            .and_then(|about| about.modified())
            .is_ok_and(|written| now.duration_since(written).is_ok_and(|since| since >= age))
    };
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(is_aged)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobId, WorkspaceHash};
    use crate::state::directory::JobDirectory;
    use crate::state::keys::LockedKey;

    fn age(path: &Path) {
        let long_ago = SystemTime::now() - Duration::from_secs(400 * 24 * 60 * 60);
        fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    }

    fn write_spec(store: &Store, id: &JobId) {
        let spec = crate::state::record::tests::spec(id);
        let path = store.directory(id).spec_path();
        fs::write(path, serde_json::to_vec(&spec).unwrap()).unwrap();
    }

    #[test]
    fn what_a_job_needed_while_it_ran_goes_with_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let id = "01m7yptqjp-t9cew2-8rhn17gx15".parse().unwrap();
        let directory = store.directory(&id);
        fs::create_dir_all(directory.tmp_path()).unwrap();
        write_spec(&store, &id);
        let fill = || {
            let _ = fs::create_dir(directory.tmp_path());
            fs::write(directory.reserve_path(), "room").unwrap();
            fs::write(directory.path().join(".writing-abc"), "half").unwrap();
        };
        let left = || {
            let entries = fs::read_dir(directory.path()).unwrap().flatten();
            let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            names.sort();
            names
        };
        fill();
        sweep(&store);
        assert_eq!(left().len(), 4, "it may still run");
        let result =
            r#"{"version":1,"state":"lost","ended_ms":1,"elapsed_ms":1,"commands":[],"warnings":[]}"#;
        directory
            .write_result(&serde_json::from_str(result).unwrap())
            .unwrap();
        assert_eq!(left(), ["result.json", "spec.json"]);
        fill();
        let held = lock::HeldLock::try_take(&directory.lock_path()).unwrap().unwrap();
        sweep(&store);
        assert_eq!(left().len(), 6, "its worker is at it");
        drop(held);
        sweep(&store);
        assert_eq!(left(), ["result.json", "spec.json", "worker.lock"]);
    }

    #[test]
    fn what_lies_aside_goes_when_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let jobs = store.folder("jobs").unwrap();
        for name in ["01m7yptqjp-t9cew2-8rhn17gx15", "01m7yptqjp-t9cew2-8rhn17gx16"] {
            fs::write(jobs.join(name), "no directory").unwrap();
            age(&jobs.join(name));
        }
        sweep(&store);
        let aside = quarantine::folder(&store);
        assert_eq!(
            quarantine::count(&store, None),
            2,
            "its time begins when it is moved"
        );
        age(&aside.join("01m7yptqjp-t9cew2-8rhn17gx15"));
        let unread = JobDirectory::at(aside.join("01m7yptqjp-t9cew2-8rhn17gx17"));
        fs::create_dir(unread.path()).unwrap();
        let result = r#"{"version":1,"state":"failed","ended_ms":1,"elapsed_ms":1,"commands":[],"warnings":[],"partial":"p"}"#;
        fs::write(unread.result_path(), result).unwrap();
        age(unread.path());
        sweep(&store);
        assert_eq!(quarantine::count(&store, None), 2, "what nobody has read stays");
        unread.mark_fetched();
        age(unread.path());
        sweep(&store);
        assert_eq!(quarantine::count(&store, None), 1);
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let jobs = store.folder("jobs").unwrap();
        let scratch = store.folder("scratch").unwrap();
        for name in [".new-a", ".gone-b", "01m7yptqjp-t9cew2-8rhn17gx15", ".new-young"] {
            fs::create_dir(jobs.join(name)).unwrap();
            fs::write(jobs.join(name).join("prompt.txt"), "private").unwrap();
        }
        let kept = "01m7yptqjp-t9cew2-8rhn17gx15".parse().unwrap();
        write_spec(&store, &kept);
        fs::create_dir(scratch.join("git")).unwrap();
        fs::write(jobs.join(".gone-file"), "x").unwrap();
        for old in [
            jobs.join(".gone-file"),
            jobs.join(".new-a"),
            jobs.join(".gone-b"),
            scratch.join("git"),
        ] {
            age(&old);
        }
        age(&jobs.join("01m7yptqjp-t9cew2-8rhn17gx15"));
        sweep(&store);
        let mut left: Vec<_> = fs::read_dir(&jobs)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".new-young", "01m7yptqjp-t9cew2-8rhn17gx15"]);
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    }

    #[test]
    fn a_key_goes_with_its_job_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        let directory = store.directory(&id);
        fs::create_dir_all(directory.path()).unwrap();
        write_spec(&store, &id);
        LockedKey::take(&store, "k", b"a").unwrap().store(&id).unwrap();
        let keys = dir.path().join("keys");
        let key = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().path();
        age(&key);
        sweep(&store);
        assert!(key.exists());
        store.delete(&id).unwrap();
        sweep(&store);
        assert!(!key.exists());
    }
}
