//! What must hold before a task is handed to Codex Cloud, and what it starts from there.
//!
//! The service checks a branch out itself, so it sees what is pushed and nothing else. What is pushed is judged by the
//! remote-tracking ref of this repository: nothing is fetched to find out more.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::delegation::{Dirty, Place};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::request::DelegateRequest;
use crate::domain::runner::{CloudPlan, RunnerName};
use crate::domain::scope::Revision;
use crate::domain::tier::Isolation;
use crate::git::{self, Git, Head, Keep, Pushed, SnapshotOf, Upstream};
use crate::peer::account::Login;
use crate::peer::codex::cloud::submit_arguments;
use crate::run::probe::Probe;
use crate::service::context::Service;
use crate::service::delegate::start::{self, NAMED, Start, Wish};
use crate::service::git_fault::git_fault;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;

/// What the tasks start from that Codex Cloud does.
#[derive(Debug)]
pub struct CloudStart {
    /// The tip of the branch as it was seen last, in our private store.
    pub start: Arc<Start>,
    /// The branch at its remote.
    pub pushed: Pushed,
    /// The environment.
    pub environment: String,
    /// Whether the remote branch has commits that the one that is checked out has not.
    pub is_ahead: bool,
}

/// Refuses what cannot be had of Codex Cloud, and returns the environment to use.
pub(super) fn check(request: &DelegateRequest, peer: Peer, config: &Config) -> Result<String, Fault> {
    let field = "options.runner";
    if peer != Peer::Codex {
        return Err(
            Fault::argument(field, format!("{peer} has no cloud that tasks are handed to"))
                .hint("leave out runner, or ask codex"),
        );
    }
    if let Some((name, why)) = unheld(request) {
        let message = format!("`{name}` means nothing to Codex Cloud: {why}");
        return Err(Fault::argument(name, message).hint("leave it out, or leave out runner"));
    }
    if let Some(tokens) = config.budget_tokens.value {
        let owner = config.budget_tokens.origin.owner();
        let message = format!("[limits] budget_tokens of {tokens} in {owner} cannot be kept by Codex Cloud");
        return Err(Fault::new(FaultCode::PolicyDenied, message)
            .field(field)
            .hint("leave out runner: a run on this machine is ended at its budget"));
    }
    config.cloud_environment.value.clone().ok_or_else(|| {
        Fault::new(
            FaultCode::ConfigInvalid,
            "Codex Cloud is not set up: [runner.cloud] env is not set in the user's configuration",
        )
        .field("runner.cloud.env")
        .hint("set it to an environment of the account, which `codex cloud` lists; status topic=runners says more")
    })
}

/// Returns the first thing of a call that would change nothing there, and why. Whoever sets it believes that it does.
fn unheld(request: &DelegateRequest) -> Option<(&'static str, &'static str)> {
    let common = &request.common;
    let options = &common.options;
    let is_isolated = options
        .isolation
        .is_some_and(|isolation| isolation != Isolation::default());
    let allows_commands = !options.allow_commands.is_empty();
    // Why, and what it is true of.
    let reasons: [(&str, &[(&str, bool)]); 11] = [
        (
            "codex has no command that goes on with a task",
            &[("resume", common.resume.is_some())],
        ),
        (
            "it starts from the tip of the branch",
            &[("base", request.base.is_some())],
        ),
        (
            "codex has no flag for it there",
            &[
                ("model", common.model.is_some()),
                ("effort", common.effort.is_some()),
            ],
        ),
        (
            "the service has its own deadline",
            &[("options.timeout_s", options.timeout.is_some())],
        ),
        (
            "nothing tells what a task uses",
            &[
                ("options.budget_tokens", options.budget_tokens.is_some()),
                ("options.budget_usd", options.budget_microusd.is_some()),
                ("options.max_turns", options.max_turns.is_some()),
            ],
        ),
        (
            "the environment decides what its commands may do",
            &[
                ("options.network", options.network),
                ("options.web_search", options.web_search),
            ],
        ),
        (
            "nothing tells its commands",
            &[("options.allow_commands", allows_commands)],
        ),
        (
            "its files are elsewhere",
            &[("options.in_place", options.in_place)],
        ),
        (
            "the service keeps its tasks",
            &[("options.ephemeral", options.ephemeral)],
        ),
        (
            "the user's own configuration is not there",
            &[("options.isolation", is_isolated)],
        ),
        (
            "there is nothing to go on from",
            &[("options.fork", options.fork)],
        ),
    ];
    reasons.into_iter().find_map(|(why, names)| {
        let (name, _) = names.iter().find(|(_, is_set)| *is_set)?;
        Some((*name, why))
    })
}

/// Refuses where it is certain that nobody is signed in with what Codex Cloud takes.
pub(super) async fn check_login(probe: &Probe<'_>) -> Result<(), Fault> {
    let why = match probe.login().await {
        Login::ApiKey => "codex is signed in with an API key, and Codex Cloud needs a ChatGPT login",
        Login::LoggedOut => "codex is not signed in, and Codex Cloud needs a ChatGPT login",
        Login::ChatGpt | Login::ClaudeAi | Login::Unknown => return Ok(()),
    };
    Err(Fault::new(FaultCode::PeerNotAuthenticated, why).hint("run `codex login` and choose ChatGPT"))
}

/// Finds what the service will see, on a thread that may block.
pub(super) async fn take(
    service: &Service,
    store: &Store,
    wish: Wish,
    environment: String,
) -> Result<CloudStart, Fault> {
    let variables = service.environment().clone();
    let store = store.clone();
    let taking = move || {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        taken(&git, &store, wish, environment)
    };
    tokio::task::spawn_blocking(taking).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "looking at the branch stopped unexpectedly",
        ))
    })
}

fn taken(git: &Git, store: &Store, wish: Wish, environment: String) -> Result<CloudStart, Fault> {
    let fault = |error: git::GitError| git_fault(&error);
    let repository = git.discover(&wish.directory).map_err(fault)?;
    let pushed = match repository.upstream().map_err(fault)? {
        Upstream::Known(pushed) => pushed,
        Upstream::NoBranch => {
            return Err(unseen(
                "no branch is checked out, and Codex Cloud works on one".to_owned(),
                "check a branch out that is pushed, then repeat the call",
            ));
        }
        Upstream::Unknown { branch } => {
            return Err(unseen(
                format!("the branch `{branch}` is not known at any remote, so Codex Cloud cannot see it"),
                "push it with `git push -u origin HEAD`, then repeat the call",
            ));
        }
    };
    let Head::Born { oid: head, .. } = repository.head() else {
        return Err(git_fault(&git::GitError::NoCommitYet));
    };
    let folder = RepositoryFolder::of(store, repository.common_directory());
    let vault = folder.open_vault(&repository).map_err(fault)?;
    if !vault.is_ancestor(head, &pushed.tip).map_err(fault)? {
        return Err(unseen(
            format!(
                "the commit that is checked out is not on `{}` as it was seen last, so Codex Cloud would not see it",
                pushed.tracking
            ),
            "push it, then repeat the call; whether it is pushed is judged by the remote-tracking branch alone",
        ));
    }
    if wish.dirty != Dirty::Committed {
        let scratch = store.folder("scratch")?;
        let look = vault.snapshot(&repository, &SnapshotOf::WorkingTree, Keep::Nothing, &scratch);
        refuse_uncommitted(&look.map_err(fault)?.uncommitted)?;
    }
    let is_ahead = *head != pushed.tip;
    let base = Revision::parse(pushed.tip.as_str())
        .map_err(|_| Fault::new(FaultCode::Internal, "the id of a commit is no revision"))?;
    let wish = Wish {
        dirty: Dirty::Committed,
        base: Some(base),
        ..wish
    };
    Ok(CloudStart {
        start: Arc::new(start::taken(git, store, &wish)?),
        pushed,
        environment,
        is_ahead,
    })
}

/// Refuses uncommitted changes of which nobody said that they do not matter.
fn refuse_uncommitted(paths: &[Vec<u8>]) -> Result<(), Fault> {
    if paths.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = paths
        .iter()
        .take(NAMED)
        .map(|path| crate::diff::text::shown_path(path))
        .collect();
    let more = if paths.len() > named.len() { ", ..." } else { "" };
    let message = format!(
        "the workspace has {}, which Codex Cloud does not see: {}{more}",
        counted(paths.len(), "uncommitted file"),
        named.join(", ")
    );
    Err(Fault::new(FaultCode::DirtyWorkspace, message)
        .field("dirty")
        .allowing(["committed"])
        .hint("set dirty to `committed` to have the tasks start from what is pushed, or leave out runner"))
}

fn unseen(message: String, hint: &str) -> Fault {
    Fault::new(FaultCode::DirtyWorkspace, message)
        .field("options.runner")
        .hint(hint)
}

impl CloudStart {
    /// Returns what is decided for a task, as far as all of its attempts have it in common.
    pub(super) fn plan(&self, attempts: u32) -> CloudPlan {
        CloudPlan {
            environment: self.environment.clone(),
            branch: self.pushed.branch.clone(),
            attempts,
            attempt: 1,
            lead: None,
        }
    }

    /// Says what the caller should know of a task that is done there.
    pub(super) fn warnings(&self, config: &Config) -> Vec<String> {
        let mut warnings = vec![format!(
            "Codex Cloud starts from the tip of `{}` at its remote, which was {} when it was fetched last and may have moved on; a diff that does not fit that commit is kept and not applied",
            self.pushed.branch,
            self.pushed.tip.short()
        )];
        if self.is_ahead {
            warnings.push(format!(
                "`{}` has commits that are not checked out here; the tasks start from its tip",
                self.pushed.tracking
            ));
        }
        if !config.paths_deny.value.is_empty() || !config.secret_files.value.is_empty() {
            warnings.push(
                "files that the configuration keeps back are not kept from Codex Cloud: it checks the whole branch out itself"
                    .to_owned(),
            );
        }
        warnings
    }

    /// Tells in a preview what the service will see and what leaves this machine.
    pub(super) fn shown(&self, attempts: u32) -> Value {
        let words = submit_arguments(&self.environment, &self.pushed.branch, attempts);
        let words: Vec<String> = words
            .into_iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        json!({
            "environment": self.environment,
            "branch": self.pushed.branch,
            "commit": self.pushed.tip.as_str(),
            "known_from": self.pushed.tracking,
            "arguments": words,
            "sees": "the branch at its remote, as the service checks it out",
            "does_not_see": "uncommitted changes, commits that are not pushed, files that git ignores, this machine's configuration",
            "leaves_this_machine": "the prompt, the name of the branch and of the environment, over codex and its login",
            "checks_run": "on this machine, in codex's sandbox, when the diff is here",
        })
    }
}

/// Tells whether a plan's task is done at Codex Cloud, by its delegation.
pub(super) fn place(runner: RunnerName, place: Place) -> crate::prompt::TaskPlace {
    match (runner, place) {
        (RunnerName::Cloud, _) => crate::prompt::TaskPlace::Cloud,
        (RunnerName::Local, Place::Live) => crate::prompt::TaskPlace::Live,
        (RunnerName::Local, Place::Worktree) => crate::prompt::TaskPlace::Worktree,
    }
}
