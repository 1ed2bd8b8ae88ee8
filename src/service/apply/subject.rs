//! The job whose result it is, and the working tree that it may land in.

use std::path::PathBuf;

use serde_json::json;

use crate::config::{Config, Confirm};
use crate::domain::count::counted;
use crate::domain::delegation::{Delegation, Work};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobName};
use crate::domain::request::{ApplyAction, ApplyRequest};
use crate::domain::score::{Ranking, Score, rank};
use crate::git::{self, Git, Repository, Vault};
use crate::run::reap::reap;
use crate::service::context::Service;
use crate::service::deliver;
use crate::service::git_fault::git_fault;
use crate::service::group::tell::score;
use crate::service::group::{self, Found, Run};
use crate::service::reply::{Refusal, Reply};
use crate::service::workspace::Workspace;
use crate::state::directory::Job;
use crate::state::groups::{Group, GroupMember};
use crate::state::landing::landed_in;
use crate::state::record::{Expects, ResultRecord};
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;

/// A delegate job that is over.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The job.
    pub(super) job: Job,
    /// What came of it.
    pub(super) result: ResultRecord,
    /// What it was asked to do.
    pub(super) delegation: Delegation,
    /// Whether landing asks a person in any case.
    pub(super) confirm: Confirm,
    /// Where jobs are kept.
    pub(super) store: Store,
    /// What is kept for its repository.
    pub(super) folder: RepositoryFolder,
    /// The working tree to land in.
    pub(super) top_level: PathBuf,
    /// Whether the call named it.
    pub(super) is_top_named: bool,
    environment: git::Environment,
}

/// The working tree with our store of its repository, for what looks at files.
#[derive(Debug)]
pub(super) struct Opened {
    /// The user's repository.
    pub(super) repository: Repository,
    /// Our store of it.
    pub(super) vault: Vault,
    /// A folder for what is deleted again.
    pub(super) scratch: PathBuf,
}

impl Subject {
    /// Finds the job. One that is no delegate, is not over, or is a group is a fault that says what to call instead.
    pub(super) async fn find(service: &Service, request: &ApplyRequest) -> Result<Self, Box<Refusal>> {
        let config = service.config()?;
        let store = service.store()?;
        let workspace = Workspace::resolve(service, request.workspace.as_deref(), &config)?;
        let variables = service.environment().iter();
        let environment =
            git::Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let name = match (&request.name, &request.action) {
            (JobName::Latest, ApplyAction::Undo) => newest_landing(
                store.clone(),
                workspace.readable()?.to_owned(),
                environment.clone(),
            )
            .await?
            .map_or(JobName::Latest, JobName::Exact),
            (name, _) => name.clone(),
        };
        let job = match group::find(&store, &name, &workspace)? {
            Found::Job(job) => *job,
            Found::Group(group) if request.action == ApplyAction::Undo => {
                return Err(which_landed(&group, name == JobName::Latest).into());
            }
            Found::Group(group) => return Err(members(&group, &group::runs(&store, &group).await).into()),
        };
        let Expects::Delegate { delegation } = &job.spec.expects else {
            let message = format!(
                "job {} is a {}, and only a delegate leaves something to apply",
                job.id(),
                job.spec.kind.as_str()
            );
            return Err(Fault::argument("id", message)
                .hint("list the jobs and take the id of a delegate from there")
                .call("job", json!({}))
                .into());
        };
        let delegation = (**delegation).clone();
        if job.state.is_active() {
            let message = format!("job {} is {}", job.id(), job.state.as_str());
            let fault = Fault::new(FaultCode::JobNotFinished, message)
                .call("job", json!({"id": job.id(), "wait_s": 600}));
            return Err(Box::new(Refusal {
                fault,
                meta: deliver::meta(&job.spec, None),
                job: Some(deliver::view(&job, None)),
            }));
        }
        deliver::unless_gone(&job.directory, reap(&job.directory).await)?;
        let job = store.read(job.id()).map_err(Fault::from)?;
        let result = job.directory.read_result().map_err(Fault::from)?.ok_or_else(|| {
            Fault::new(FaultCode::JobLost, "the job left no result").call("job", json!({"id": job.id()}))
        })?;
        let top_level = match &request.workspace {
            // `latest` alone is looked for in a workspace; what lands is told apart from where it was asked for.
            Some(_) => whole(workspace.readable()?.to_owned(), environment.clone()).await?,
            None => readable(service, &config, &delegation)?,
        };
        Ok(Self {
            folder: RepositoryFolder::of(&store, &delegation.baseline.common_directory),
            confirm: config.confirm.value,
            job,
            result,
            delegation,
            store,
            top_level,
            is_top_named: request.workspace.is_some(),
            environment,
        })
    }

    /// Returns what the peer's edits came to; a job that never got so far left none.
    pub(super) fn work(&self) -> Option<&Work> {
        self.result.work.as_ref()
    }

    /// Finds git.
    pub(super) fn git(&self) -> Result<Git, Fault> {
        Git::locate(self.environment.clone()).map_err(|error| git_fault(&error))
    }

    /// Opens the working tree and our store of its repository. Blocks.
    pub(super) fn open(&self) -> Result<Opened, Fault> {
        let git = self.git()?;
        let repository = git
            .discover(&self.top_level)
            .map_err(|error| git_fault(&error).field("workspace"))?;
        let baseline = &self.delegation.baseline;
        if repository.common_directory() != baseline.common_directory {
            let message = format!(
                "`{}` is no working tree of the repository that the job worked for",
                self.top_level.display()
            );
            return Err(Fault::new(FaultCode::InvalidWorkspace, message)
                .field("workspace")
                .hint(format!(
                    "pass a working tree of the repository whose git directory is `{}`, or leave workspace out",
                    baseline.common_directory.display()
                )));
        }
        let vault = self
            .folder
            .open_vault(&repository)
            .map_err(|error| git_fault(&error))?;
        Ok(Opened {
            repository,
            vault,
            scratch: self.store.folder("scratch")?,
        })
    }

    /// Begins a reply about the job.
    pub(super) fn reply(&self) -> Reply {
        let mut meta = deliver::meta(&self.job.spec, Some(&self.result));
        meta.repo_root = Some(self.top_level.display().to_string());
        Reply {
            job: Some(deliver::view(&self.job, Some(&self.result))),
            meta,
            ..Reply::default()
        }
    }

    /// Makes a refusal about the job.
    pub(super) fn refuse(&self, fault: Fault) -> Box<Refusal> {
        let Reply { job, meta, .. } = self.reply();
        Box::new(Refusal { fault, job, meta })
    }

    /// The fault of a job that left nothing to land.
    pub(super) fn nothing(&self) -> Fault {
        let message = match self.work() {
            Some(_) => format!(
                "job {} changed nothing, so there is nothing to apply",
                self.job.id()
            ),
            None => format!("job {} ended before it left anything to apply", self.job.id()),
        };
        Fault::argument("id", message)
            .hint("read what it says")
            .call("job", json!({"id": self.job.id()}))
    }
}

/// The job whose result landed last in the working tree that a folder is in and was not taken back: `latest` for an undo,
/// which may be an older job than the latest.
async fn newest_landing(
    store: Store,
    folder: PathBuf,
    environment: git::Environment,
) -> Result<Option<JobId>, Fault> {
    blocking(move || {
        let git = Git::locate(environment).map_err(|error| git_fault(&error))?;
        let Ok(repository) = git.discover(&folder) else {
            return Ok(None);
        };
        let kept = RepositoryFolder::of(&store, repository.common_directory());
        Ok(landed_in(&kept, repository.top_level())?.map(|landing| landing.job))
    })
    .await
}

/// The working tree that a folder is in: paths of a result count from its top. One that is in none is returned as it is, and
/// whoever looks at its files says so.
async fn whole(folder: PathBuf, environment: git::Environment) -> Result<PathBuf, Fault> {
    blocking(move || {
        let git = Git::locate(environment).map_err(|error| git_fault(&error))?;
        let found = git.discover(&folder);
        Ok(found.map_or(folder, |repository| repository.top_level().to_owned()))
    })
    .await
}

/// The job's own working tree, if the configuration lets it be read.
fn readable(service: &Service, config: &Config, delegation: &Delegation) -> Result<PathBuf, Fault> {
    let top_level = &delegation.baseline.top_level;
    let own = Workspace::resolve(service, Some(top_level), config).map_err(|fault| {
        if fault.code == FaultCode::InvalidWorkspace {
            let message = format!("the job's working tree `{}` is gone", top_level.display());
            return Fault::new(FaultCode::InvalidWorkspace, message)
                .field("workspace")
                .hint("pass workspace: another working tree of the same repository");
        }
        fault
    })?;
    own.readable().map(PathBuf::from)
}

/// The fault of a group's id: its members, each with what came of it, and the call that previews the best one.
fn members(group: &Group, runs: &[Run]) -> Fault {
    let mut tasks: Vec<&str> = runs.iter().map(|run| run.place.task.as_str()).collect();
    tasks.dedup();
    let mut best: Vec<&JobId> = Vec::new();
    for task in tasks {
        let of_task: Vec<&Run> = runs.iter().filter(|run| run.place.task == task).collect();
        let scores: Vec<Option<Score>> = of_task.iter().map(|run| score(run)).collect();
        let at = match rank(&scores) {
            Ranking::Winner(at) => vec![at],
            Ranking::Tie(all) => all,
            Ranking::Nobody => Vec::new(),
        };
        best.extend(at.into_iter().map(|at| &of_task[at].place.job));
    }
    let told: Vec<String> = runs
        .iter()
        .map(|run| {
            let GroupMember { job, task, attempt } = &run.place;
            let best = if best.contains(&job) {
                ", best of its task"
            } else {
                ""
            };
            format!("{job} (task {task}, attempt {attempt}: {}{best})", came_to(run))
        })
        .collect();
    let message = format!(
        "`id` is a group of {} jobs, which land one by one: {}",
        group.members.len(),
        told.join("; ")
    );
    let fault = Fault::argument("id", message)
        .allowing(group.members.iter().map(|member| member.job.to_string()))
        .hint("show these to the user and preview the job that they choose: call dry_run with tool apply and its id");
    match best.first() {
        Some(job) => fault.call(
            "dry_run",
            json!({"tool": "apply", "arguments": {"id": job, "action": "preview"}}),
        ),
        None => fault.call("job", json!({"id": group.id})),
    }
}

/// The fault of a group's id where something is taken back. For `latest` it was looked for what landed, and there is nothing.
fn which_landed(group: &Group, is_latest: bool) -> Fault {
    let fault = if is_latest {
        Fault::argument("id", "nothing that landed is in the files").hint("look at what there is to land")
    } else {
        let message = format!(
            "`id` is a group of {} jobs, which are taken back one by one",
            group.members.len()
        );
        Fault::argument("id", message)
            .allowing(group.members.iter().map(|member| member.job.to_string()))
            .hint("pass the id of the one that landed, or `latest`")
    };
    fault.call("job", json!({"id": group.id}))
}

/// What a run came to, in a few words.
fn came_to(run: &Run) -> String {
    let Some(result) = &run.result else {
        return "has no result yet".to_owned();
    };
    let state = result.state.as_str();
    let Some(work) = &result.work else {
        return state.to_owned();
    };
    let passed = work
        .checks
        .iter()
        .filter(|check| check.exit_code == Some(0))
        .count();
    let scope = if work.scope.is_kept() {
        ""
    } else {
        ", outside its scope"
    };
    let checks = match work.checks.len() {
        0 => String::new(),
        all => format!(", {passed} of {all} checks passed"),
    };
    format!("{state}, {}{checks}{scope}", counted(work.diffstat.files, "file"))
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "the look at the files stopped unexpectedly",
        ))
    })
}
