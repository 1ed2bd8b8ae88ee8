//! Watches over the jobs that a session started and that no call waits for.
//!
//! A worker says itself that its job is over. One that was killed says nothing, so this server waits for the lock that it
//! held, gives the job its result, and says it instead. It ends with the server and holds no paid work.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::job::{JobId, JobState};
use crate::run::reap::reap;
use crate::run::wait::{wait_for_end, wait_for_worker};
use crate::run::wake::tell_end;
use crate::service::context::Service;
use crate::service::hook::{ENTRYPOINT, INTERACTIVE};
use crate::service::reply::Reply;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::notice;
use crate::state::record::Asker;
use crate::state::sessions::{self, Line};
use crate::state::store::Store;
use crate::sys::signal::ProcessIdentity;

/// The jobs that are watched over. Clones are cheap and share everything.
#[derive(Clone, Debug, Default)]
pub struct Vigil(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    jobs: HashSet<JobId>,
    /// Whether the jobs of an earlier server of the same host were looked for.
    adopted: bool,
}

impl Vigil {
    /// Notes for the session that asked that a job or group of this name was started, and watches over its jobs.
    pub fn begin(&self, store: &Store, asker: &Asker, id: &JobId, jobs: &[JobDirectory]) {
        sessions::note(store, &asker.process, id, Line::Started);
        for job in jobs {
            self.watch(store, job);
        }
    }

    /// Watches over what an earlier server of this host started, once. A host starts a server that died again.
    pub fn adopt(&self, store: &Store, host: &ProcessIdentity) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut watched.adopted, true) {
            return;
        }
        drop(watched);
        for id in sessions::jobs(store, host) {
            let jobs = notice::subject(store, &id)
                .map(|subject| subject.jobs)
                .unwrap_or_default();
            let goes_on = |job: &&JobDirectory| job.state().is_ok_and(JobState::is_active);
            for job in jobs.iter().filter(goes_on) {
                self.watch(store, job);
            }
        }
    }

    fn watch(&self, store: &Store, job: &JobDirectory) {
        let Some(id) = job
            .path()
            .file_name()
            .and_then(|name| name.to_str()?.parse::<JobId>().ok())
        else {
            return;
        };
        let new = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .jobs
            .insert(id.clone());
        if !new {
            return;
        }
        let (vigil, store, job) = (self.clone(), store.clone(), job.clone());
        tokio::spawn(async move {
            // A job whose record was deleted meanwhile is over for everybody.
            if let Err(error) = see_to_end(&store, &job).await {
                tracing::debug!(job = %id, %error, "a job is not watched over any more");
            }
            vigil
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .jobs
                .remove(&id);
        });
    }
}

/// Says in the answer about running work that nobody has to ask again.
pub fn promise(reply: &mut Reply) {
    reply
        .summary
        .push_str(" The session that started it is told when it is over.");
    let step =
        "go on with other work and do not look again: the session that started it is told when it is over";
    reply.next_steps.insert(0, step.to_owned());
}

/// Tells whether the session that asked for this is told of the end without asking again.
///
/// In a terminal it is for sure. A program that drives Claude Code may have it end after one prompt, and then nobody
/// watches; one that goes on has answered to a line by the time its first job has run for a second.
pub fn is_told(service: &Service, store: &Store, asker: Option<&Asker>) -> bool {
    let in_a_terminal = service.environment().text(ENTRYPOINT) == Some(INTERACTIVE);
    asker.is_some_and(|asker| {
        asker.process.is_alive() && (in_a_terminal || sessions::heard_since(store, &asker.process, 0))
    })
}

/// Waits for the end of a job, and says it where its worker did not.
async fn see_to_end(store: &Store, job: &JobDirectory) -> Result<(), StateError> {
    wait_for_end(job).await?;
    // Gives a lost job its result and says that it is over; does nothing for any other.
    reap(job).await?;
    // The worker says it after its result, and is gone soon after that.
    wait_for_worker(job).await;
    let spec = job.read_spec()?;
    if let Some(asker) = &spec.asked_by
        && !sessions::is_end_noted(store, &asker.process, &spec.id)
    {
        // It was killed between the two. A line too many, as for all but the last job of a group, says nothing.
        tell_end(store, &spec);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::domain::job::WorkspaceHash;
    use crate::state::record::tests::spec;
    use crate::state::sessions::Session;
    use crate::state::store::NewJob;
    use crate::sys::lock::HeldLock;

    /// A session of this process, and a job of it that goes on as long as its lock is held.
    fn world() -> (tempfile::TempDir, Store, Asker, JobId, JobDirectory, HeldLock) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let asker = Asker {
            process: ProcessIdentity::of(std::process::id()).unwrap(),
            session: "one".parse().unwrap(),
        };
        sessions::register(
            &store,
            &Session::new(asker.process.clone(), asker.session.clone()),
        )
        .unwrap();
        let id = JobId::new(7, WorkspaceHash::of(b"w"), 7);
        let mut spec = spec(&id);
        spec.asked_by = Some(asker.clone());
        let new = NewJob {
            parts: Vec::new(),
            spec: &spec,
            prompt: "p",
            schema: None,
            change: None,
        };
        let (job, lock) = store.create(&new).unwrap();
        (dir, store, asker, id, job, lock)
    }

    async fn assert_told(store: &Store, asker: &Asker, id: &JobId) {
        let end = Instant::now() + Duration::from_secs(20);
        while !sessions::is_end_noted(store, &asker.process, id) {
            assert!(Instant::now() < end, "nobody says that the job is over");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let state = store.directory(id).read_result().unwrap().unwrap().state;
        assert_eq!(state, JobState::Lost);
    }

    #[tokio::test]
    async fn a_job_whose_worker_died_is_told_by_the_server_that_started_it() {
        let (_dir, store, asker, id, job, lock) = world();
        let vigil = Vigil::default();
        vigil.begin(&store, &asker, &id, &[job]);
        assert_eq!(sessions::jobs(&store, &asker.process), std::slice::from_ref(&id));
        assert!(!sessions::is_end_noted(&store, &asker.process, &id));
        drop(lock);
        assert_told(&store, &asker, &id).await;
    }

    #[tokio::test]
    async fn the_next_server_of_the_same_host_watches_over_what_the_last_one_started() {
        let (_dir, store, asker, id, _job, lock) = world();
        sessions::note(&store, &asker.process, &id, Line::Started);
        let vigil = Vigil::default();
        vigil.adopt(&store, &asker.process);
        drop(lock);
        assert_told(&store, &asker, &id).await;
    }
}
