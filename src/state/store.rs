//! All jobs of the user.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::diff::sent::SentPatch;
use crate::domain::environment::Environment;
use crate::domain::job::{JobId, JobKind, JobName, WorkspaceHash};
use crate::domain::limits;
use crate::domain::request::StateFilter;
use crate::domain::retention::{self, Ended};
use crate::state::directory::{self, Job, JobDirectory};
use crate::state::error::StateError;
use crate::state::kept;
use crate::state::quarantine;
use crate::state::record::{Spec, Starter};
use crate::sys::lock::{self, HeldLock};
use crate::sys::{files, seam};

/// The state directory. Naming it touches nothing; the first job makes it.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What a new job is made of.
#[derive(Debug)]
pub struct NewJob<'a> {
    /// The record.
    pub spec: &'a Spec,
    /// The prompt, redacted.
    pub prompt: &'a str,
    /// The prompts of the parts behind the first, where there are several.
    pub parts: Vec<&'a str>,
    /// The answer's schema.
    pub schema: Option<&'a serde_json::Value>,
    /// The change as sent.
    pub change: Option<&'a SentPatch>,
}

impl Store {
    /// Names the state directory.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Finds the state directory from the environment; `None` when there is not even a home folder.
    pub fn path_from(environment: &Environment) -> Option<PathBuf> {
        environment.path("CROSSCHECK_STATE_DIR").or_else(|| {
            let base = environment
                .path("XDG_STATE_HOME")
                .or_else(|| environment.path("HOME").map(|home| home.join(".local/state")))?;
            Some(base.join("crosscheck"))
        })
    }

    /// Returns the state directory that a job's directory lies in.
    pub fn around(directory: &JobDirectory) -> Self {
        let root = directory.path().parent().and_then(Path::parent);
        Self::at(root.unwrap_or(Path::new("/")))
    }

    /// Returns the state directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder below the state directory if it is absent.
    pub fn folder(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.root.join(name);
        files::create_private_dir(&path).map_err(StateError::io("make", &path))?;
        Ok(path)
    }

    /// Returns the directory of a job; it need not exist.
    pub fn directory(&self, id: &JobId) -> JobDirectory {
        JobDirectory::at(self.root.join("jobs").join(id.as_str()))
    }

    /// Tells whether something has the name of this job, damaged or not. A disk that does not tell counts as yes.
    pub fn has(&self, id: &JobId) -> bool {
        directory::may_exist(self.directory(id).path())
    }

    /// Refuses to start when too little is free.
    pub fn check_room(&self) -> Result<(), StateError> {
        let jobs = self.folder("jobs")?;
        let free = files::available_bytes(&jobs).map_err(StateError::io("read", &jobs))?;
        room(&self.root, free)
    }

    /// Makes a job. It appears under its name whole and already locked, so no reader sees it half made or lost.
    pub fn create(&self, new: &NewJob<'_>) -> Result<(JobDirectory, HeldLock), StateError> {
        self.check_room()?;
        let jobs = self.folder("jobs")?;
        let final_path = jobs.join(new.spec.id.as_str());
        let draft = JobDirectory::at(jobs.join(format!(".new-{}", new.spec.id)));
        let made = Self::fill(&draft, new).and_then(|lock| {
            files::rename(draft.path(), &final_path).map_err(StateError::io("write", &final_path))?;
            seam::point("create.renamed");
            if let Err(error) = files::sync_dir(&jobs) {
                // The caller hears that there is no job, so there must be none that looks lost.
                let _ = fs::rename(&final_path, draft.path());
                return Err(StateError::io("write", &jobs)(error));
            }
            seam::point("create.synced");
            Ok(lock)
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(draft.path());
        }
        Ok((JobDirectory::at(final_path), made?))
    }

    fn fill(draft: &JobDirectory, new: &NewJob<'_>) -> Result<HeldLock, StateError> {
        let path = draft.path();
        files::create_private_dir(path).map_err(StateError::io("make", path))?;
        seam::point("create.draft_made");
        files::create_private_dir(&draft.tmp_path()).map_err(StateError::io("make", draft.tmp_path()))?;
        let lock_path = draft.lock_path();
        let lock = HeldLock::try_take(&lock_path)
            .map_err(StateError::io("lock", &lock_path))?
            .ok_or_else(|| StateError::io("lock", &lock_path)(io::ErrorKind::WouldBlock.into()))?;
        seam::point("create.locked");
        let write = |path: PathBuf, bytes: &[u8]| {
            files::create_new_content_synced(&path, bytes).map_err(StateError::io("write", path))
        };
        let json = |path: &Path, value: serde_json::Result<Vec<u8>>| {
            value.map_err(|source| StateError::Damaged {
                path: path.into(),
                source,
            })
        };
        write(draft.prompt_path(), new.prompt.as_bytes())?;
        seam::point("create.prompt_written");
        if let Some(folder) = draft
            .part_prompt_path(2)
            .parent()
            .filter(|_| !new.parts.is_empty())
        {
            files::create_private_dir(folder).map_err(StateError::io("make", folder))?;
            for (prompt, part) in new.parts.iter().zip(2..) {
                write(draft.part_prompt_path(part), prompt.as_bytes())?;
            }
            files::sync_dir(folder).map_err(StateError::io("write", folder))?;
            seam::point("create.parts_written");
        }
        if let Some(schema) = new.schema {
            write(
                draft.schema_path(),
                &json(&draft.schema_path(), serde_json::to_vec(schema))?,
            )?;
            seam::point("create.schema_written");
        }
        if let Some(change) = new.change {
            write(
                draft.change_path(),
                &json(&draft.change_path(), serde_json::to_vec(change))?,
            )?;
            seam::point("create.change_written");
        }
        write(
            draft.spec_path(),
            &json(&draft.spec_path(), serde_json::to_vec(new.spec))?,
        )?;
        seam::point("create.spec_written");
        // Once for all of them: each sync can cost milliseconds that the caller waits for.
        files::sync_dir(path).map_err(StateError::io("write", path))?;
        seam::point("create.draft_synced");
        Ok(lock)
    }

    /// Finds the one job that a name means.
    pub fn find(&self, name: &JobName, workspace: WorkspaceHash) -> Result<Job, StateError> {
        let id = match name {
            JobName::Exact(id) => id.clone(),
            JobName::Latest => self
                .ids(Some(workspace))?
                .into_iter()
                .find(|id| !self.is_of_gate(id))
                .ok_or(StateError::NoSuchJob)?,
            JobName::Prefix(prefix) => {
                let mut fitting: Vec<JobId> = self
                    .ids(None)?
                    .into_iter()
                    .filter(|id| id.as_str().starts_with(prefix))
                    .collect();
                match fitting.len() {
                    0 => return Err(StateError::NoSuchJob),
                    1 => fitting.remove(0),
                    _ => {
                        let candidates = fitting.iter().take(5).map(ToString::to_string).collect();
                        return Err(StateError::Ambiguous { candidates });
                    }
                }
            }
        };
        self.read(&id)
    }

    /// Finds the newest job of one kind that a person or a model asked for.
    pub fn newest(&self, workspace: WorkspaceHash, kind: JobKind) -> Result<Option<Job>, StateError> {
        let is_it = |id: &JobId| {
            let spec = self.directory(id).read_spec();
            spec.is_ok_and(|spec| spec.kind == kind && spec.starter != Some(Starter::Gate))
        };
        let newest = self.ids(Some(workspace))?.into_iter().find(is_it);
        newest.map(|id| self.read(&id)).transpose()
    }

    /// Tells whether the stop gate started a job. One that cannot be read is told to whoever asks for it.
    fn is_of_gate(&self, id: &JobId) -> bool {
        let spec = self.directory(id).read_spec();
        spec.is_ok_and(|spec| spec.starter == Some(Starter::Gate))
    }

    /// Reads one job.
    pub fn read(&self, id: &JobId) -> Result<Job, StateError> {
        let directory = self.directory(id);
        let spec = directory.read_spec().map_err(|error| match error {
            StateError::NoSuchJob => quarantine::place_of(self, id)
                .map_or(StateError::NoSuchJob, |path| StateError::Quarantined { path }),
            error => error,
        })?;
        let state = directory.state()?;
        Ok(Job {
            directory,
            spec,
            state,
        })
    }

    /// Lists jobs, newest first. A record that cannot be read hides no other; those that were skipped are the second value.
    pub fn list(
        &self,
        workspace: Option<WorkspaceHash>,
        filter: StateFilter,
        limit: usize,
    ) -> Result<(Vec<Job>, Vec<JobId>), StateError> {
        let (mut jobs, mut damaged) = (Vec::new(), Vec::new());
        for id in self.ids(workspace)? {
            if jobs.len() == limit {
                break;
            }
            match self.read(&id) {
                Ok(job) if filter.admits(job.state) => jobs.push(job),
                // Somebody deleted it between the two looks, or moved it aside.
                Ok(_) | Err(StateError::NoSuchJob | StateError::Quarantined { .. }) => {}
                Err(_) => damaged.push(id),
            }
        }
        Ok((jobs, damaged))
    }

    /// Lists queued and running jobs of all workspaces. An ended job is passed over without being read.
    pub fn list_active(&self, limit: usize) -> Result<Vec<Job>, StateError> {
        let open = self
            .ids(None)?
            .into_iter()
            .filter(|id| !self.directory(id).result_path().exists());
        let active = open
            .filter_map(|id| self.read(&id).ok())
            .filter(|job| job.state.is_active());
        Ok(active.take(limit).collect())
    }

    /// Returns the ids of all jobs, newest first, without opening any.
    pub fn ids(&self, workspace: Option<WorkspaceHash>) -> Result<Vec<JobId>, StateError> {
        let jobs = self.root.join("jobs");
        let entries = match fs::read_dir(&jobs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StateError::io("list", jobs)(error)),
        };
        let mut ids: Vec<JobId> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|id: &JobId| workspace.is_none_or(|hash| id.is_of(hash)))
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// Deletes the record of an ended job.
    ///
    /// The directory is renamed first, so that it vanishes at once for everybody, and only a child of the jobs folder
    /// with a checked id can be named.
    pub fn delete(&self, id: &JobId) -> Result<(), StateError> {
        let from = self.root.join("jobs").join(id.as_str());
        let gone = self.root.join("jobs").join(format!(".gone-{id}"));
        match files::rename(&from, &gone) {
            Ok(()) => {
                seam::point("delete.renamed");
                quarantine::remove(&gone).map_err(StateError::io("delete", gone))?;
                seam::point("delete.removed");
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StateError::NoSuchJob),
            Err(error) => Err(StateError::io("delete", from)(error)),
        }
    }

    /// Deletes what retention allows to delete. Returns how many; what cannot be deleted now is tried again later.
    ///
    /// Jobs younger than the time to live are only opened when there are more of them than are kept. What was paid for
    /// and never read is not deleted at all.
    pub fn evict(&self, now_ms: u64) -> usize {
        let Ok(ids) = self.ids(None) else { return 0 };
        let ttl_ms = crate::sys::clock::millis(limits::RETENTION);
        let old = |id: &JobId| now_ms.saturating_sub(id.created_ms()) > ttl_ms;
        let crowded = ids.len() > limits::RETENTION_JOBS;
        let ended = ids.into_iter().filter(|id| crowded || old(id)).filter_map(|id| {
            let directory = self.directory(&id);
            let path = directory.lock_path();
            // Asked before the result is looked for: a job that ends between the two looks is not taken for one without.
            // What is no lock file cannot be held, and would keep its job for ever.
            let free = match lock::is_held(&path) {
                Ok(held) => !held,
                Err(error) => StateError::io("lock", path)(error).is_damage(),
            };
            let read = directory.read_spec().and_then(|_| directory.read_result());
            let worth = match read {
                Ok(result) => kept::worth(&id, &directory, result.as_ref()),
                Err(error) => {
                    if error.is_damage() {
                        quarantine::set_aside(self, &id);
                    }
                    return None;
                }
            };
            // One that is done elsewhere has neither a worker nor an end.
            (free && !directory.is_elsewhere()).then_some(Ended { id, worth })
        });
        let gone = retention::evict(ended.collect(), now_ms, limits::RETENTION, limits::RETENTION_JOBS);
        seam::point("evict.decided");
        gone.iter().filter(|id| self.delete(id).is_ok()).count()
    }
}

/// Decides whether this many free bytes are enough to start a job safely.
fn room(root: &Path, free: u64) -> Result<(), StateError> {
    if free < limits::FREE_BYTES {
        return Err(StateError::Full {
            path: root.to_owned(),
            free,
            needed: limits::FREE_BYTES,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_job_that_cost_nothing_goes_when_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let now = 2 * crate::sys::clock::millis(limits::RETENTION);
        let job = |created_ms: u64| {
            let id = JobId::new(created_ms, WorkspaceHash::of(b"w"), created_ms);
            files::create_private_dir(store.directory(&id).path()).unwrap();
            let spec = crate::state::record::tests::spec(&id);
            fs::write(
                store.directory(&id).spec_path(),
                serde_json::to_vec(&spec).unwrap(),
            )
            .unwrap();
            id
        };
        let (old, running, young, paid, odd) = (job(1), job(2), job(now), job(3), job(4));
        let torn = job(5);
        fs::create_dir(store.directory(&torn).peers_path()).unwrap();
        fs::write(store.directory(&torn).peers_path().join("1"), "{").unwrap();
        fs::create_dir(store.directory(&odd).lock_path()).unwrap();
        let peer = crate::sys::signal::ProcessIdentity::of(std::process::id()).unwrap();
        store.directory(&paid).write_peer(1, &peer).unwrap();
        let _held = HeldLock::try_take(&store.directory(&running).lock_path())
            .unwrap()
            .unwrap();
        assert_eq!(store.evict(now), 2);
        assert!(!store.directory(&old).path().exists());
        assert_eq!(store.ids(None).unwrap(), [young, torn, paid, running]);
    }

    #[test]
    fn a_job_that_cannot_be_looked_for_may_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        assert!(!Store::at(dir.path()).has(&id));
        assert!(Store::at(dir.path().join("x".repeat(300))).has(&id));
    }

    #[test]
    fn a_job_needs_room_before_it_starts() {
        use crate::domain::fault::{Fault, FaultCode};
        let root = Path::new("/state");
        assert!(room(root, limits::FREE_BYTES).is_ok());
        let full = Fault::from(room(root, limits::FREE_BYTES - 1).unwrap_err());
        assert_eq!(full.code, FaultCode::DiskFull);
    }
}
