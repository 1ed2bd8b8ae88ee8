//! Who can do the tasks of a delegate: this machine, and Codex Cloud as far as the account, the environment and the branch
//! allow it. The command line cannot list environments, so those are named in which the newest tasks were done.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::peer::Peer;
use crate::git::{self, Git, Upstream};
use crate::peer::account::Login;
use crate::peer::codex::cloud::{PAGE, Page, Trouble, list_arguments, parse_list};
use crate::run::follow::remedy;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::run::runner::cloud::Asking;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::git_fault::git_fault;
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;
use crate::state::remote;
use crate::state::store::Store;

/// How long a question to the service may take here: somebody waits.
const ASK_WAIT: Duration = Duration::from_secs(15);
/// Bytes of a page of the list.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Environments that are named.
const NAMED: usize = 20;

/// What stands in the way of Codex Cloud, and what to do about it.
struct Obstacle {
    why: String,
    fix: String,
}

/// Tells.
pub(super) async fn runners(service: &Service, workspace: Option<&Path>) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let followed = remote::followed(&store).len();
    let mut cloud = object(json!({
        "name": "cloud",
        "environment": config.cloud_environment.value,
        "followed": followed,
    }));
    let mut obstacles = Vec::new();
    if service.peer() == Peer::Codex {
        account(service, &config, &store, &mut cloud, &mut obstacles).await;
        if config.cloud_environment.value.is_none() {
            obstacles.push(Obstacle {
                why: "[runner.cloud] env is not set in the user's configuration".to_owned(),
                fix: "set [runner.cloud] env to an environment of the account; `codex cloud` lists them"
                    .to_owned(),
            });
        }
        let place = Workspace::resolve(service, workspace, &config)?;
        branch(service, place.root.clone(), &mut cloud, &mut obstacles).await;
    } else {
        obstacles.push(Obstacle {
            why: format!("{} has no cloud that tasks are handed to", service.peer()),
            fix: "ask codex".to_owned(),
        });
    }
    let usable = obstacles.is_empty();
    cloud.insert("usable".to_owned(), usable.into());
    let why: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.why.as_str()).collect();
    cloud.insert("why_not".to_owned(), json!(why));
    let local =
        json!({"name": "local", "usable": true, "default": true, "at_once": config.concurrency.value});
    let summary = match obstacles.first() {
        None => format!(
            "Codex Cloud can be used with options.runner=cloud; it has {} of yours now.",
            counted(followed, "job")
        ),
        Some(first) => format!("Only this machine can do tasks: {}.", first.why),
    };
    Ok(Reply {
        summary,
        body: object(json!({"runners": [local, Value::Object(cloud)]})),
        next_steps: obstacles.into_iter().map(|obstacle| obstacle.fix).collect(),
        ..Reply::default()
    })
}

/// Asks what the account offers, as far as the command line can tell.
async fn account(
    service: &Service,
    config: &Config,
    store: &Store,
    cloud: &mut serde_json::Map<String, Value>,
    obstacles: &mut Vec<Obstacle>,
) {
    let program = match Program::find(service.peer(), config, service.environment(), store).await {
        Ok(program) => program,
        Err(fault) => {
            obstacles.push(Obstacle {
                why: fault.message,
                fix: fault.repair.hint,
            });
            return;
        }
    };
    let probe = Probe {
        program: &program,
        config,
        environment: service.environment(),
        store,
    };
    let login = probe.login().await;
    cloud.insert("login".to_owned(), json!(login));
    if matches!(login, Login::ApiKey | Login::LoggedOut) {
        obstacles.push(Obstacle {
            why: "codex is not signed in with ChatGPT, which Codex Cloud needs".to_owned(),
            fix: "run `codex login` and choose ChatGPT".to_owned(),
        });
        return;
    }
    let asking = Asking {
        program: &program.path,
        config,
        environment: service.environment(),
        store,
    };
    let home = asking.home();
    let ask = async |environment: Option<&str>| -> Result<Page, Trouble> {
        let arguments = list_arguments(environment, PAGE, None);
        asking
            .ask(arguments, home.as_ref(), (ASK_WAIT, PAGE_BYTES), parse_list)
            .await
    };
    let all = match ask(None).await {
        Ok(page) => page,
        Err(trouble) => {
            obstacles.push(Obstacle {
                why: format!(
                    "Codex Cloud cannot be asked: {}",
                    crate::run::masking::mask(&trouble.said)
                ),
                fix: remedy(trouble.kind).to_owned(),
            });
            return;
        }
    };
    cloud.insert("environments".to_owned(), json!(environments(&all)));
    let Some(environment) = &config.cloud_environment.value else {
        return;
    };
    if let Err(trouble) = ask(Some(environment)).await {
        obstacles.push(Obstacle {
            why: format!(
                "the environment `{environment}` cannot be used: {}",
                crate::run::masking::mask(&trouble.said)
            ),
            fix: remedy(trouble.kind).to_owned(),
        });
    }
}

/// Names the environments of the newest tasks, each once.
fn environments(page: &Page) -> Vec<Value> {
    let mut named: Vec<Value> = Vec::new();
    for listed in &page.tasks {
        let (id, label) = &listed.environment;
        let entry = json!({"id": id, "label": label});
        if (id.is_some() || label.is_some()) && named.len() < NAMED && !named.contains(&entry) {
            named.push(entry);
        }
    }
    named
}

/// Looks whether the branch that is checked out is known at a remote.
async fn branch(
    service: &Service,
    directory: std::path::PathBuf,
    cloud: &mut serde_json::Map<String, Value>,
    obstacles: &mut Vec<Obstacle>,
) {
    let environment = service.environment().clone();
    let look = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables))?;
        git.discover(&directory)?.upstream()
    };
    let told = tokio::task::spawn_blocking(look).await;
    let mut unseen = |why: String, fix: &str| {
        obstacles.push(Obstacle {
            why,
            fix: fix.to_owned(),
        });
    };
    match told {
        Ok(Ok(Upstream::Known(pushed))) => {
            cloud.insert(
                "branch".to_owned(),
                json!({"name": pushed.branch, "known_from": pushed.tracking, "commit": pushed.tip.as_str()}),
            );
        }
        Ok(Ok(Upstream::NoBranch)) => unseen(
            "no branch is checked out here".to_owned(),
            "check a pushed branch out",
        ),
        Ok(Ok(Upstream::Unknown { branch })) => unseen(
            format!("the branch `{branch}` is not known at any remote"),
            "push it with `git push -u origin HEAD`",
        ),
        Ok(Err(error)) => {
            let fault = git_fault(&error);
            unseen(fault.message, &fault.repair.hint);
        }
        Err(_) => unseen("the look at the branch stopped".to_owned(), "repeat the call"),
    }
}
