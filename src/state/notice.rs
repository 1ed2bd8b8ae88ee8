//! Whether anybody was told that a job or a group is over.
//!
//! A job's own session claims `told` in the job's directory before it says a word; another session of the workspace claims
//! `mentioned`. Both are made once and never taken back, so whoever makes one is the only one who speaks. A group has its
//! marks beside its record, and its jobs then have none.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::domain::job::{JobId, JobState};
use crate::domain::wake::{Say, Standing};
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::groups::{self, Group};
use crate::state::store::Store;
use crate::sys::files;
use crate::sys::lock::SharedLock;

/// Where it is marked that a job or a group was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Claimed by whoever tells its own session.
    pub told: PathBuf,
    /// Claimed by whoever tells another session of the workspace.
    pub mentioned: PathBuf,
}

/// A job or a group as far as telling it goes.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its jobs: one, or those of a group.
    pub jobs: Vec<JobDirectory>,
    /// The group, where it is one.
    pub group: Option<Group>,
    marks: Marks,
}

/// Finds the job or group of this id; `None` when there is none any more.
pub fn subject(store: &Store, id: &JobId) -> Option<Subject> {
    let directory = store.directory(id);
    if directory.path().exists() {
        return Some(Subject {
            marks: directory.marks(),
            jobs: vec![directory],
            group: None,
        });
    }
    let group = groups::read(store, id).ok().flatten()?;
    let all = group.members.iter().map(|member| store.directory(&member.job));
    Some(Subject {
        jobs: all.filter(|directory| directory.path().exists()).collect(),
        marks: groups::marks(store, id),
        group: Some(group),
    })
}

/// Tells where a job or a group stands.
pub fn standing(store: &Store, id: &JobId) -> Standing {
    subject(store, id).map_or(Standing::Absent, |subject| subject.standing())
}

impl Subject {
    /// Tells where it stands. A group is over when all its jobs are, and read when all of them were.
    pub fn standing(&self) -> Standing {
        // What costs least is asked first: most of what a session has started was told or read long ago.
        if exists(&self.marks.told) {
            return Standing::Told;
        }
        if self.jobs.iter().all(|job| exists(&job.fetched_path())) {
            return if self.jobs.is_empty() {
                Standing::Absent
            } else {
                Standing::Read
            };
        }
        for job in &self.jobs {
            match job.state() {
                Ok(JobState::Queued | JobState::Running) => return Standing::Running,
                Ok(_) => {}
                // A record that cannot be read is told to whoever asks for it, and wakes nobody.
                Err(_) => return Standing::Absent,
            }
        }
        let is_awaited = |job: &JobDirectory| {
            let waiting = job.waiting_path();
            exists(&waiting) && SharedLock::others_hold(&waiting)
        };
        if self.jobs.iter().any(is_awaited) {
            Standing::Awaited
        } else if exists(&self.marks.mentioned) {
            Standing::Mentioned
        } else {
            Standing::Unread
        }
    }

    /// Takes the right to say this; `false` when somebody else has it. A disk that does not take the mark leaves it unsaid,
    /// since it would be said again and again.
    pub fn claim(&self, say: Say) -> bool {
        let mark = match say {
            Say::Ended => &self.marks.told,
            Say::LiesThere => &self.marks.mentioned,
            Say::Later | Say::Nothing => return false,
        };
        match files::create_new(mark, b"") {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != ErrorKind::AlreadyExists {
                    tracing::warn!(%error, "the end of a job is not told");
                }
                false
            }
        }
    }
}

/// Deletes marks with what they belong to. Absent ones are no error.
pub(super) fn delete(marks: &Marks) -> Result<(), StateError> {
    for path in [&marks.told, &marks.mentioned] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StateError::io("delete", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;
    use crate::state::groups::GroupMember;
    use crate::sys::lock::HeldLock;

    fn id(number: u64) -> JobId {
        JobId::new(number, WorkspaceHash::of(b"w"), number)
    }

    fn make(store: &Store, number: u64) -> JobDirectory {
        let directory = store.directory(&id(number));
        fs::create_dir_all(directory.path()).unwrap();
        directory
    }

    fn end(directory: &JobDirectory) {
        let result =
            r#"{"version":1,"state":"failed","ended_ms":1,"elapsed_ms":1,"commands":[],"warnings":[]}"#;
        fs::write(directory.result_path(), result).unwrap();
    }

    #[test]
    fn a_job_passes_from_running_to_told_and_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert_eq!(standing(&store, &id(1)), Standing::Absent);
        let job = make(&store, 1);
        let lock = HeldLock::try_take(&job.lock_path()).unwrap().unwrap();
        assert_eq!(standing(&store, &id(1)), Standing::Running);
        drop(lock);
        assert_eq!(standing(&store, &id(1)), Standing::Unread, "lost is an end too");
        end(&job);
        assert_eq!(standing(&store, &id(1)), Standing::Unread);
        let waiting = SharedLock::take(&job.waiting_path());
        assert_eq!(standing(&store, &id(1)), Standing::Awaited);
        drop(waiting);
        let subject = subject(&store, &id(1)).unwrap();
        assert!(!subject.claim(Say::Later) && !subject.claim(Say::Nothing));
        assert!(subject.claim(Say::LiesThere));
        assert!(!subject.claim(Say::LiesThere));
        assert_eq!(standing(&store, &id(1)), Standing::Mentioned);
        assert!(subject.claim(Say::Ended), "its own session is told all the same");
        assert!(!subject.claim(Say::Ended));
        assert_eq!(standing(&store, &id(1)), Standing::Told);
    }

    #[test]
    fn what_was_read_is_never_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let job = make(&store, 1);
        end(&job);
        job.mark_fetched();
        assert_eq!(standing(&store, &id(1)), Standing::Read);
    }

    #[test]
    fn a_group_is_over_with_its_last_job_and_told_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let (one, two) = (make(&store, 1), make(&store, 2));
        let member = |number: u64| GroupMember {
            job: id(number),
            task: "t".to_owned(),
            attempt: 1,
        };
        let group = Group {
            version: groups::VERSION,
            id: id(9),
            label: "l".to_owned(),
            workspace: "/w".into(),
            members: vec![member(1), member(2)],
        };
        groups::create(&store, &group).unwrap();
        end(&one);
        let lock = HeldLock::try_take(&two.lock_path()).unwrap().unwrap();
        assert_eq!(standing(&store, &id(9)), Standing::Running);
        end(&two);
        drop(lock);
        assert_eq!(standing(&store, &id(9)), Standing::Unread);
        one.mark_fetched();
        assert_eq!(standing(&store, &id(9)), Standing::Unread, "half of it was read");
        let subject = subject(&store, &id(9)).unwrap();
        assert!(subject.claim(Say::Ended) && !subject.claim(Say::Ended));
        assert_eq!(standing(&store, &id(9)), Standing::Told);
        assert_eq!(groups::ids(&store).unwrap(), [id(9)], "a mark is no group");
        groups::delete(&store, &id(9)).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("groups")).unwrap().count(), 0);
    }

    #[test]
    fn of_many_who_claim_at_once_one_speaks() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        end(&make(&store, 1));
        let claims: Vec<bool> = std::thread::scope(|scope| {
            let claim = || subject(&store, &id(1)).unwrap().claim(Say::Ended);
            let all: Vec<_> = (0..16).map(|_| scope.spawn(claim)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(claims.iter().filter(|claimed| **claimed).count(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let job = make(&store, 1);
        fs::write(job.result_path(), "{").unwrap();
        assert_eq!(standing(&store, &id(1)), Standing::Absent);
    }
}
