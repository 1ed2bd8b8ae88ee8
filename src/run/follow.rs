//! The one process that follows all tasks that are done elsewhere: it asks how they stand, and starts a worker for each
//! that is done. It is started by whoever hands a task over or looks, and ends when there is nothing to follow.
//!
//! It holds no paid work and remembers nothing: what it knows is on disk, so whoever starts the next one loses nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::following::{
    Ask, Followed, Following, ONE_BY_ONE, PAUSE_FIRST_MS, PAUSE_LONGEST_MS, Round,
};
use crate::domain::job::{JobId, JobState};
use crate::domain::limits::FOLLOWED_FOR;
use crate::domain::peer::Peer;
use crate::domain::runner::{Sighting, TaskId, TaskStatus, Unreachable};
use crate::peer::codex::cloud::{Trouble, TroubleKind};
use crate::run::reap::reap;
use crate::run::runner::cloud::cancel::{self, GivenUp, given_up};
use crate::run::runner::cloud::observe::{list, note, status, why};
use crate::run::runner::cloud::{Asking, QUESTION};
use crate::run::start::{our_program, start_worker};
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::Spec;
use crate::state::remote::{self, RemoteTask};
use crate::state::store::Store;
use crate::sys::clock;
use crate::sys::lock::{self, HeldLock};
use crate::sys::watch::DirectoryWatch;

/// The hidden sub-command of our own program.
pub const FOLLOW_COMMAND: &str = "follow";
/// Workers that fetch at once: each is a process, and a service may have finished hundreds while this machine slept.
const FETCHING: usize = 6;
/// How soon a job is looked at again that a worker has just now.
const BUSY_MS: u64 = 5_000;
/// How soon one is that is being handed over.
const WAITING_MS: u64 = 1_000;

/// Starts the process that follows if there is something to follow and nobody does. What cannot be started now is started
/// by the next look.
pub fn ensure(program: &Path, environment: &Environment, config: &Config, store: &Store) {
    if remote::followed(store).is_empty() || lock::is_held(&remote::lock_path(store)).unwrap_or(false) {
        return;
    }
    let variables = environment.for_worker(Peer::Codex.own_variables(), &config.env_pass.value);
    let spawned = tokio::process::Command::new(our_program(program))
        .arg(FOLLOW_COMMAND)
        .current_dir("/")
        .env_clear()
        .envs(variables.iter())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(false)
        .spawn();
    if let Err(error) = spawned {
        tracing::warn!(%error, "tasks that are done elsewhere are not followed for now");
    }
}

/// Follows until there is nothing to follow. Does nothing where another process follows already.
pub fn main(program: &Path, config: &Config, environment: &Environment, store: &Store) -> ExitCode {
    // The end of the caller's session must not end it.
    let _ = rustix::process::setsid();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let follower = Follower {
        program,
        config,
        environment,
        store,
    };
    loop {
        let held = match HeldLock::try_take(&remote::lock_path(store)) {
            Ok(Some(held)) => held,
            Ok(None) => return ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the lock of the process that follows cannot be taken");
                return ExitCode::FAILURE;
            }
        };
        let ended = runtime.block_on(follower.run());
        drop(held);
        match ended {
            // Whoever handed a task over in this moment saw the lock held, and started nobody.
            Ok(()) if !remote::followed(store).is_empty() => {}
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "tasks that are done elsewhere cannot be followed");
                return ExitCode::FAILURE;
            }
        }
    }
}

/// Starts the worker that fetches what came of a job, unless it has one or is over. Tells whether it did.
pub fn start_fetch(
    program: &Path,
    environment: &Environment,
    config: &Config,
    directory: &JobDirectory,
    spec: &Spec,
) -> bool {
    let Ok(Some(held)) = HeldLock::try_take(&directory.lock_path()) else {
        return false;
    };
    if directory.result_path().exists() {
        return false;
    }
    let started = start_worker(program, spec.peer.name, environment, config, directory, held);
    if let Err(fault) = &started {
        tracing::warn!(job = %spec.id, %fault, "no worker can be started");
    }
    started.is_ok()
}

struct Follower<'a> {
    program: &'a Path,
    config: &'a Config,
    environment: &'a Environment,
    store: &'a Store,
}

/// A task with the jobs that are its attempts.
struct Open {
    task: RemoteTask,
    environment: String,
    jobs: Vec<(JobDirectory, Spec)>,
}

/// What is there to follow.
#[derive(Default)]
struct Gathered {
    known: Vec<JobId>,
    open: BTreeMap<TaskId, Open>,
    /// Jobs that a worker has.
    busy: usize,
    /// Jobs that are being handed over.
    waiting: usize,
    /// Whether something is over that has no result yet.
    trying: bool,
}

impl Follower<'_> {
    async fn run(&self) -> Result<(), StateError> {
        let watch = DirectoryWatch::start(&remote::folder(self.store)?);
        let mut following = Following::default();
        loop {
            let mut gathered = self.gather().await;
            if gathered.known.is_empty() {
                return Ok(());
            }
            self.fetch_what_is_over(&mut gathered);
            let now = clock::now_ms();
            let round = following.round(&gathered.facts(), now);
            for ask in &round.asks {
                match self.ask(ask, &mut gathered).await {
                    Ok(()) => following.answered(),
                    Err(trouble) => {
                        following.unanswered(clock::now_ms());
                        gathered.note_outage(&trouble);
                        break;
                    }
                }
            }
            self.wait(&watch, &gathered, &round).await;
        }
    }

    /// Waits for the next round, or until somebody else is to be followed. A machine that slept finds the time over at once: what
    /// counts is the clock on the wall, which is looked at each time the watch wakes.
    async fn wait(&self, watch: &DirectoryWatch, gathered: &Gathered, round: &Round) {
        let now = clock::now_ms();
        let mut next_ms = round.next_ms;
        if gathered.busy > 0 {
            next_ms = next_ms.min(now + BUSY_MS);
        }
        if gathered.trying {
            next_ms = next_ms.min(now + PAUSE_FIRST_MS);
        }
        if gathered.waiting > 0 {
            next_ms = next_ms.min(now + WAITING_MS);
        }
        loop {
            let now = clock::now_ms();
            let left = next_ms.saturating_sub(now);
            // A clock that was set back must not make this wait for longer than was meant.
            if left == 0 || left > PAUSE_LONGEST_MS {
                return;
            }
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
            }
            if remote::followed(self.store) != gathered.known {
                return;
            }
        }
    }

    /// Looks at all jobs that are followed, and lets go of those that need it no more.
    async fn gather(&self) -> Gathered {
        let mut gathered = Gathered::default();
        for id in remote::followed(self.store) {
            match self.look(&id, &mut gathered).await {
                Ok(Look::Goes) => gathered.known.push(id),
                Ok(Look::Over) => remote::unfollow(self.store, &id),
                // Nothing can be read for now; that may be over in the next round.
                Err(error) if may_pass(&error, &id, clock::now_ms()) => {
                    tracing::warn!(job = %id, %error, "a job cannot be looked at for now");
                    gathered.known.push(id);
                }
                Err(error) => {
                    tracing::warn!(job = %id, %error, "a job cannot be followed");
                    remote::unfollow(self.store, &id);
                }
            }
        }
        gathered
    }

    async fn look(&self, id: &JobId, gathered: &mut Gathered) -> Result<Look, StateError> {
        let directory = self.store.directory(id);
        let spec = match directory.read_spec() {
            Ok(spec) => spec,
            Err(StateError::NoSuchJob) => return Ok(Look::Over),
            Err(error) => return Err(error),
        };
        if directory.result_path().exists() {
            return Ok(Look::Over);
        }
        if lock::is_held(&directory.lock_path()).unwrap_or(false) {
            gathered.busy += 1;
            return Ok(Look::Goes);
        }
        let Some(task) = directory.task() else {
            if directory.state()? == JobState::Lost {
                reap(&directory).await?;
            }
            if directory.result_path().exists() {
                return Ok(Look::Over);
            }
            // It is being handed over, or its end is not written yet.
            gathered.waiting += 1;
            return Ok(Look::Goes);
        };
        if directory.read_task().is_none() {
            // Its lead was killed before it had copied it.
            directory.write_task(&task)?;
        }
        if directory.is_cancel_requested() {
            cancel::let_go(&directory)?;
            return Ok(Look::at(&directory));
        }
        if clock::now_ms().saturating_sub(task.sent.at_ms) > clock::millis(FOLLOWED_FOR) {
            cancel::end(&directory, &spec, |spec| given_up(spec, &task, GivenUp::TooOld))?;
            return Ok(Look::at(&directory));
        }
        let Some(environment) = spec.cloud().map(|plan| plan.environment.clone()) else {
            return Ok(Look::Over);
        };
        let open = gathered.open.entry(task.task.clone()).or_insert_with(|| Open {
            task,
            environment,
            jobs: Vec::new(),
        });
        open.jobs.push((directory, spec));
        Ok(Look::Goes)
    }

    async fn ask(&self, ask: &Ask, gathered: &mut Gathered) -> Result<(), Trouble> {
        match ask {
            Ask::Status(task) => self.ask_one(task, gathered).await,
            Ask::List { environment, due } => self.ask_many(environment, due, gathered).await,
        }
    }

    async fn ask_one(&self, task: &TaskId, gathered: &mut Gathered) -> Result<(), Trouble> {
        let Some(open) = gathered.open.get(task) else {
            return Ok(());
        };
        let seen = match self.asking(open) {
            Some(asking) => status(&asking, &open.task, QUESTION).await,
            None => return Ok(()),
        };
        for (directory, _) in &open.jobs {
            note(directory, &seen);
        }
        match seen {
            Ok(status) => {
                if status.is_over() {
                    gathered.busy += self.fetch(open, FETCHING.saturating_sub(gathered.busy));
                }
                Ok(())
            }
            Err(trouble) if trouble.kind.is_of_all() => Err(trouble),
            Err(_) => Ok(()),
        }
    }

    async fn ask_many(
        &self,
        environment: &str,
        due: &[TaskId],
        gathered: &mut Gathered,
    ) -> Result<(), Trouble> {
        let wanted: Vec<RemoteTask> = due
            .iter()
            .filter_map(|task| Some(gathered.open.get(task)?.task.clone()))
            .collect();
        let first = due.first().and_then(|task| gathered.open.get(task));
        let told = match first.and_then(|open| self.asking(open)) {
            Some(asking) => list(&asking, environment, &wanted).await,
            None => return Ok(()),
        };
        let told: BTreeMap<TaskId, TaskStatus> = match told {
            Ok(told) => told,
            Err(trouble) if trouble.kind.is_of_all() => return Err(trouble),
            // Each task is known whatever became of its environment.
            Err(_) => BTreeMap::new(),
        };
        let mut untold = Vec::new();
        for task in due {
            let (Some(status), Some(open)) = (told.get(task), gathered.open.get(task)) else {
                untold.push(task);
                continue;
            };
            for (directory, _) in &open.jobs {
                note(directory, &Ok(*status));
            }
            if status.is_over() {
                gathered.busy += self.fetch(open, FETCHING.saturating_sub(gathered.busy));
            }
        }
        for task in untold.into_iter().take(ONE_BY_ONE) {
            self.ask_one(task, gathered).await?;
        }
        Ok(())
    }

    /// Starts workers for jobs that are known to be over: when too many fetched already, when somebody only looked, or when
    /// what the service gave was no result yet.
    fn fetch_what_is_over(&self, gathered: &mut Gathered) {
        let now = clock::now_ms();
        for open in gathered.open.values() {
            let is_over = open.jobs.iter().any(|(directory, _)| {
                let seen = directory.read_seen();
                seen.unreachable.is_none() && seen.status.is_some_and(TaskStatus::is_over)
            });
            if !is_over {
                continue;
            }
            gathered.trying = true;
            let is_due = |directory: &JobDirectory| directory.is_try_due(now, PAUSE_FIRST_MS);
            if open.jobs.iter().any(|(directory, _)| is_due(directory)) {
                gathered.busy += self.fetch(open, FETCHING.saturating_sub(gathered.busy));
            }
        }
    }

    /// Starts the workers that fetch a task's attempts, at most so many, and returns how many it started.
    fn fetch(&self, open: &Open, at_most: usize) -> usize {
        let mut started = 0;
        for (directory, spec) in &open.jobs {
            if started == at_most {
                break;
            }
            if start_fetch(self.program, self.environment, self.config, directory, spec) {
                started += 1;
            }
        }
        started
    }

    fn asking<'a>(&'a self, open: &'a Open) -> Option<Asking<'a>> {
        let (_, spec) = open.jobs.first()?;
        Some(Asking {
            program: &spec.peer.program,
            config: self.config,
            environment: self.environment,
            store: self.store,
        })
    }
}

/// Tells whether what stands against looking at a job may be over later: what is on disk may be in order, and the job is not
/// older than one is followed.
fn may_pass(error: &StateError, id: &JobId, now_ms: u64) -> bool {
    let is_young = now_ms.saturating_sub(id.created_ms()) <= clock::millis(FOLLOWED_FOR);
    is_young && matches!(error, StateError::Io { .. })
}

/// Whether a job is followed on.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Goes,
    Over,
}

impl Look {
    /// Tells of a job that was to be ended. A worker that began in this moment keeps it from that, and may leave it open.
    fn at(directory: &JobDirectory) -> Self {
        if directory.result_path().exists() {
            Self::Over
        } else {
            Self::Goes
        }
    }
}

impl Gathered {
    /// Returns what decides when each task is asked about.
    fn facts(&self) -> Vec<Followed> {
        let fact = |open: &Open| {
            let seen = open
                .jobs
                .iter()
                .map(|(directory, _)| directory.read_seen().asked_ms);
            Followed {
                task: open.task.task.clone(),
                environment: open.environment.clone(),
                since_ms: open.task.sent.at_ms,
                asked_ms: seen.max().filter(|asked| *asked > 0),
            }
        };
        self.open.values().map(fact).collect()
    }

    /// Notes on those that were not asked about that they cannot be either. They stay due.
    fn note_outage(&self, trouble: &Trouble) {
        for (directory, _) in self.open.values().flat_map(|open| &open.jobs) {
            let seen = directory.read_seen();
            if seen.unreachable.is_some() {
                continue;
            }
            directory.write_seen(&Sighting {
                unreachable: Some(Unreachable {
                    since_ms: clock::now_ms(),
                    why: why(trouble),
                }),
                ..seen
            });
        }
    }
}

/// Says of a trouble what a person can do about it.
pub fn remedy(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::SignedOut => "run `codex login` and choose ChatGPT",
        TroubleKind::Refused => "look at https://chatgpt.com/codex whether this account may use Codex Cloud",
        TroubleKind::NoEnvironment => {
            "set [runner.cloud] env to an environment of the account; `codex cloud` lists them"
        }
        TroubleKind::Gone | TroubleKind::Unanswered | TroubleKind::Unreadable => {
            "look at https://chatgpt.com/codex, and try again later"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;

    #[test]
    fn a_disk_that_does_not_answer_ends_no_following() {
        let id = JobId::new(1_000, WorkspaceHash::of(b"w"), 1);
        let io = StateError::io("read", "/x")(std::io::Error::from_raw_os_error(24));
        let last = 1_000 + clock::millis(FOLLOWED_FOR);
        assert!(may_pass(&io, &id, 1_000) && may_pass(&io, &id, last));
        assert!(!may_pass(&io, &id, last + 1));
        assert!(!may_pass(&StateError::NoSuchJob, &id, 1_000));
        assert!(!may_pass(&StateError::damaged("/x", "cut"), &id, 1_000));
    }
}
