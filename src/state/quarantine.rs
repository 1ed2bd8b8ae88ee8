//! Records that can never be read: moved aside, kept as long as a result, and counted.
//!
//! Only a worker's sweep moves anything; a look never does. What a failing disk, a missing permission or a newer version
//! hides stays where it is: it may be readable tomorrow.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use crate::domain::job::{JobId, WorkspaceHash};
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::lock::HeldLock;
use crate::sys::signal::ProcessIdentity;

/// Time after the last change of a record before it is moved: somebody may be putting a backup back just now.
const SETTLED: Duration = Duration::from_secs(10 * 60);
/// The name of the folder.
const FOLDER: &str = "quarantine";

/// Returns the folder of damaged records; it need not exist.
pub fn folder(store: &Store) -> PathBuf {
    store.root().join(FOLDER)
}

/// Counts the damaged records that lie aside.
pub fn count(store: &Store, workspace: Option<WorkspaceHash>) -> usize {
    let entries = fs::read_dir(folder(store)).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id: &JobId| workspace.is_none_or(|hash| id.is_of(hash)))
        .count()
}

/// Says how many damaged records lie aside and where, if any do.
pub fn notice(store: &Store, workspace: Option<WorkspaceHash>) -> Option<String> {
    let jobs = count(store, workspace);
    (jobs > 0).then(|| {
        let place = folder(store);
        format!(
            "{jobs} damaged job records lie in `{}` for a week, longer with an unread answer",
            place.display()
        )
    })
}

/// Returns where the damaged record of a job lies, if it does.
pub fn place_of(store: &Store, id: &JobId) -> Option<PathBuf> {
    let path = folder(store).join(id.as_str());
    fs::symlink_metadata(&path).is_ok().then_some(path)
}

/// Moves a record aside if it can never be read and nobody works on it. What cannot be moved is tried again later.
pub(super) fn set_aside(store: &Store, id: &JobId) {
    let directory = store.directory(id);
    if !is_beyond_reading(&directory) || !is_settled(&directory) {
        return;
    }
    let path = directory.path();
    // What is no directory has no lock, and moving a link moves the link alone.
    let _lock = if is_directory(path) {
        let Ok(Some(lock)) = HeldLock::try_take(&directory.lock_path()) else {
            return;
        };
        // Whoever held the lock a moment ago may have mended it, and a peer that still runs belongs to this directory.
        if !is_beyond_reading(&directory) || directory.read_peers().iter().any(ProcessIdentity::is_alive) {
            return;
        }
        Some(lock)
    } else {
        None
    };
    // How long it is kept counts from now. A record whose time cannot be set is not ours to move.
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    if utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).is_err() {
        return;
    }
    if let Ok(aside) = store.folder(FOLDER)
        && fs::rename(path, aside.join(id.as_str())).is_ok()
    {
        tracing::warn!(job = %id, "a damaged record was moved aside");
    }
}

/// Deletes the record of a job that can never be read, wherever it lies. Returns whether there was one.
///
/// # Errors
/// [`StateError::Io`] when it cannot be deleted, or when somebody holds its lock.
pub fn forget(store: &Store, id: &JobId) -> Result<bool, StateError> {
    match store.read(id) {
        Err(StateError::Quarantined { path }) => {
            remove(&path).map_err(StateError::io("delete", path))?;
            Ok(true)
        }
        // The state of a job is told without the rest of its result, which may be damaged all the same.
        read if matches!(&read, Err(error) if error.is_damage())
            || (read.is_ok() && is_beyond_reading(&store.directory(id))) =>
        {
            let directory = store.directory(id);
            let path = directory.path();
            if is_directory(path) && matches!(HeldLock::try_take(&directory.lock_path()), Ok(None)) {
                return Err(StateError::io("lock", path)(
                    std::io::ErrorKind::ResourceBusy.into(),
                ));
            }
            store.delete(id).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// Tells whether a record that lies aside still has an answer, whole or in part, that was paid for and that nobody has
/// read: only what was asked is damaged then.
pub(super) fn holds_unread(path: &Path) -> bool {
    let directory = JobDirectory::at(path);
    let result = directory.read_result().ok().flatten();
    result.is_some_and(|result| result.answer.is_some() || result.partial.is_some())
        && !directory.fetched_path().exists()
}

/// Deletes a directory with all in it, or whatever else has the name. Links are not followed.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    if is_directory(path) {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// Tells whether one of the two records is damaged and neither is merely out of reach.
fn is_beyond_reading(directory: &JobDirectory) -> bool {
    let failures = [directory.read_spec().err(), directory.read_result().err()];
    let mut failures = failures.iter().flatten().peekable();
    failures.peek().is_some() && failures.all(StateError::is_damage)
}

/// Tells whether nobody has changed the directory or its records lately. A time in the future is no age.
fn is_settled(directory: &JobDirectory) -> bool {
    let paths = [
        directory.path().to_owned(),
        directory.spec_path(),
        directory.result_path(),
    ];
    // What lies behind a link is another job's.
    let own = if is_directory(&paths[0]) {
        &paths[..]
    } else {
        &paths[..1]
    };
    let mut changed = own
        .iter()
        .filter_map(|path| fs::symlink_metadata(path).ok()?.modified().ok());
    changed.all(|at| at.elapsed().is_ok_and(|age| age >= SETTLED))
}

/// Tells whether this is a directory itself; a link to one is not.
pub(super) fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobState;
    use crate::state::keys::LockedKey;
    use crate::state::record::tests::spec;
    use crate::state::sweep::sweep;
    use std::os::unix::fs::symlink;

    const DAMAGED: &[u8] = b"{\"version\":1,";
    /// Far beyond what this program writes.
    const NEWER: &[u8] = b"{\"version\":1000}";

    struct World {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::at(dir.path().join("state"));
            Self { dir, store }
        }

        fn job(&self, number: u64) -> (JobId, JobDirectory) {
            let id = JobId::new(number, WorkspaceHash::of(b"w"), number);
            let directory = self.store.directory(&id);
            fs::create_dir_all(directory.path()).unwrap();
            fs::write(directory.worker_log_path(), "log").unwrap();
            fs::write(directory.spec_path(), serde_json::to_vec(&spec(&id)).unwrap()).unwrap();
            (id, directory)
        }
    }

    /// Sweeps when nobody has touched a record for an hour.
    fn sweep_later(store: &Store) {
        age(store);
        sweep(store);
    }

    fn age(store: &Store) {
        let ago = std::time::SystemTime::now() - Duration::from_secs(3600);
        let seconds = ago.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let long_ago = Timespec {
            tv_sec: seconds.try_into().unwrap(),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: long_ago,
            last_modification: long_ago,
        };
        for id in store.ids(None).unwrap() {
            let directory = store.directory(&id);
            for path in [
                directory.spec_path(),
                directory.result_path(),
                directory.path().to_owned(),
            ] {
                let _ = utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW);
            }
        }
    }

    #[test]
    fn a_record_that_somebody_changed_just_now_stays() {
        let world = World::new();
        let (id, directory) = world.job(1);
        fs::write(directory.spec_path(), DAMAGED).unwrap();
        sweep(&world.store);
        assert_eq!(place_of(&world.store, &id), None);
        sweep_later(&world.store);
        assert!(place_of(&world.store, &id).is_some());
    }

    #[test]
    fn a_job_whose_result_is_damaged_beyond_its_state_can_be_forgotten() {
        let world = World::new();
        let (intact, _) = world.job(1);
        let (id, directory) = world.job(2);
        let result =
            br#"{"version":2,"state":"failed","ended_ms":[[]],"elapsed_ms":1,"commands":[],"warnings":[]}"#;
        fs::write(directory.result_path(), result).unwrap();
        assert_eq!(
            world.store.read(&id).unwrap().state,
            JobState::Failed,
            "it says so"
        );
        assert!(forget(&world.store, &id).unwrap());
        assert!(directory.path().symlink_metadata().is_err());
        assert!(
            !forget(&world.store, &intact).unwrap(),
            "nothing is wrong with it"
        );
    }

    #[test]
    fn only_what_can_never_be_read_is_moved_aside() {
        let check = |name: &str, damage: &dyn Fn(&JobDirectory), expected: bool| {
            let world = World::new();
            let (intact, _) = world.job(1);
            let (id, directory) = world.job(2);
            damage(&directory);
            sweep_later(&world.store);
            assert_eq!(place_of(&world.store, &id).is_some(), expected, "{name}");
            assert_eq!(directory.path().symlink_metadata().is_err(), expected, "{name}");
            assert_eq!(count(&world.store, None), usize::from(expected), "{name}");
            assert!(world.store.read(&intact).is_ok(), "{name}");
        };
        let write = |path: PathBuf, bytes: &[u8]| fs::write(path, bytes).unwrap();
        check("intact", &|_| {}, false);
        check("cut", &|job| write(job.spec_path(), DAMAGED), true);
        check("empty", &|job| write(job.spec_path(), b""), true);
        check("no spec", &|job| fs::remove_file(job.spec_path()).unwrap(), true);
        check("bad result", &|job| write(job.result_path(), DAMAGED), true);
        check(
            "a result that says it runs",
            &|job| {
                write(
                    job.result_path(),
                    br#"{"version":1,"state":"running","ended_ms":1,"elapsed_ms":1,"commands":[],"warnings":[]}"#,
                );
            },
            true,
        );
        check("newer", &|job| write(job.spec_path(), NEWER), false);
        check("newer result", &|job| write(job.result_path(), NEWER), false);
        check(
            "a newer result beside a bad spec",
            &|job| {
                write(job.spec_path(), DAMAGED);
                write(job.result_path(), NEWER);
            },
            false,
        );
        check(
            "a folder",
            &|job| {
                fs::remove_file(job.spec_path()).unwrap();
                fs::create_dir(job.spec_path()).unwrap();
            },
            true,
        );
        check(
            "a link",
            &|job| {
                fs::remove_file(job.spec_path()).unwrap();
                symlink("/nowhere", job.spec_path()).unwrap();
            },
            true,
        );
        check(
            "a huge file",
            &|job| {
                let file = fs::File::create(job.spec_path()).unwrap();
                file.set_len(10 << 30).unwrap();
            },
            true,
        );
        check(
            "the directory is a link",
            &|job| {
                let elsewhere = job.path().with_file_name("elsewhere");
                fs::rename(job.path(), &elsewhere).unwrap();
                symlink(&elsewhere, job.path()).unwrap();
            },
            true,
        );
        check(
            "a lock that is no file",
            &|job| {
                write(job.spec_path(), DAMAGED);
                fs::create_dir(job.lock_path()).unwrap();
            },
            false,
        );
    }

    #[test]
    fn a_record_that_somebody_works_on_stays() {
        let world = World::new();
        let (id, directory) = world.job(1);
        fs::write(directory.spec_path(), DAMAGED).unwrap();
        let held = HeldLock::try_take(&directory.lock_path()).unwrap().unwrap();
        sweep_later(&world.store);
        assert_eq!(place_of(&world.store, &id), None);
        assert!(forget(&world.store, &id).is_err());
        drop(held);
        fs::create_dir(directory.peers_path()).unwrap();
        let alive = ProcessIdentity::of(std::process::id()).unwrap();
        fs::write(
            directory.peers_path().join("1"),
            serde_json::to_vec(&alive).unwrap(),
        )
        .unwrap();
        sweep_later(&world.store);
        assert_eq!(place_of(&world.store, &id), None, "its peer lives");
        fs::remove_dir_all(directory.peers_path()).unwrap();
        sweep_later(&world.store);
        assert!(place_of(&world.store, &id).is_some());
    }

    #[test]
    fn its_files_are_kept_and_it_is_named_until_somebody_forgets_it() {
        let world = World::new();
        let (id, directory) = world.job(1);
        LockedKey::take(&world.store, "k", b"a")
            .unwrap()
            .store(&id)
            .unwrap();
        fs::write(directory.spec_path(), DAMAGED).unwrap();
        sweep_later(&world.store);
        let path = place_of(&world.store, &id).unwrap();
        assert_eq!(fs::read(path.join("worker.log")).unwrap(), b"log");
        assert!(matches!(world.store.read(&id), Err(StateError::Quarantined { path: told }) if told == path));
        assert!(
            matches!(
                LockedKey::take(&world.store, "k", b"a"),
                Err(StateError::Quarantined { .. })
            ),
            "its key pays for no second run"
        );
        assert!(forget(&world.store, &id).unwrap());
        assert!(!forget(&world.store, &id).unwrap());
        assert!(matches!(world.store.read(&id), Err(StateError::NoSuchJob)));
        assert!(LockedKey::take(&world.store, "k", b"a").is_ok());
        drop(world.dir);
    }

    #[test]
    fn what_is_no_directory_is_forgotten_too() {
        let world = World::new();
        let (id, directory) = world.job(1);
        fs::remove_dir_all(directory.path()).unwrap();
        fs::write(directory.path(), "x").unwrap();
        assert!(forget(&world.store, &id).unwrap());
        assert_eq!(fs::read_dir(world.store.root().join("jobs")).unwrap().count(), 0);
    }

    #[test]
    fn a_link_to_a_job_that_was_just_written_is_moved_aside() {
        let world = World::new();
        let (id, directory) = world.job(1);
        let (other, busy) = world.job(2);
        fs::remove_dir_all(directory.path()).unwrap();
        symlink(other.as_str(), directory.path()).unwrap();
        age(&world.store);
        fs::write(busy.result_path(), "{}").unwrap();
        sweep(&world.store);
        assert!(place_of(&world.store, &id).is_some());
        assert_eq!(place_of(&world.store, &other), None);
    }

    #[test]
    fn a_damaged_record_whose_time_is_over_is_set_aside_and_a_newer_one_stays() {
        let world = World::new();
        let (damaged, directory) = world.job(1);
        fs::write(directory.spec_path(), DAMAGED).unwrap();
        let (newer, directory) = world.job(2);
        fs::write(directory.spec_path(), NEWER).unwrap();
        let now = 2 * crate::sys::clock::millis(crate::domain::limits::RETENTION);
        age(&world.store);
        assert_eq!(world.store.evict(now), 0);
        assert!(place_of(&world.store, &damaged).is_some());
        assert!(world.store.has(&newer));
    }
}
