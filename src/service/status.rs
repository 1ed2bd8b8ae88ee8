//! The state of things, for free: ready or not, and why.

mod capabilities;
mod peer;
mod policy;
mod route;
mod runners;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::{StatusRequest, Topic};
use crate::git::{self, Git};
use crate::peer::account::Quota;
use crate::service::asked::Asked;
use crate::service::call::Call;
use crate::service::clean;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::git_fault::git_fault;
use crate::service::hook::gate;
use crate::service::models;
use crate::service::namesake;
use crate::service::options;
use crate::service::plugin_settings;
use crate::service::reply::{Outcome, Reply};
use crate::service::status::peer::peer;
use crate::service::status::policy::{Ruled, policy};
use crate::service::workspace::Workspace;
use crate::state::kept;
use crate::state::locking;
use crate::state::quarantine;
use crate::state::store::Store;
use crate::sys::files;

/// How long the overview waits for the allowance: it must feel instant also without a network.
const QUOTA_WAIT: Duration = Duration::from_secs(3);
/// How long a question about the allowance or the models alone may take.
const ASK_WAIT: Duration = Duration::from_secs(15);
/// Active jobs counted one by one.
const ACTIVE: usize = 200;

/// Tells.
pub async fn run(service: &Service, request: &StatusRequest, call: &Call) -> Outcome {
    match request.topic {
        Topic::Errors => Ok(errors()),
        Topic::Options => Ok(knobs()),
        Topic::Overview => overview(service, request.workspace.as_deref()).await,
        Topic::Policy => policy(service, request.workspace.as_deref()),
        Topic::Worktrees => clean::worktrees(service).await,
        Topic::Quota => quota(service).await,
        Topic::Models => models::run(service, ASK_WAIT).await,
        Topic::Capabilities => capabilities::capabilities(service),
        Topic::Gate => gate::told::status(service, request.workspace.as_deref(), call),
        Topic::Route => Ok(route::route(service, &request.task)),
        Topic::Runners => Box::pin(runners::runners(service, request.workspace.as_deref())).await,
    }
}

/// One fact of the overview, and whether it stands in the way.
struct Check {
    name: &'static str,
    blocks: bool,
    fields: Value,
    fix: Option<String>,
}

async fn overview(service: &Service, workspace: Option<&Path>) -> Outcome {
    let config = match service.config() {
        Ok(config) => config,
        Err(fault) => return Ok(broken_config(&fault)),
    };
    let store = service.store()?;
    let place = Workspace::resolve(service, workspace, &config);
    if workspace.is_some()
        && let Err(fault) = &place
    {
        return Err(fault.clone().into());
    }
    let (peer, git) = tokio::join!(peer(service, &config, &store), git(service, place.as_ref().ok()));
    let state = state(&store);
    let (mut body, mut blocked) = (Map::new(), Vec::new());
    // What stands in the way is told before what is only worth a note.
    let (mut fixes, mut notes) = (Vec::new(), Vec::new());
    for check in [peer.check, git, state] {
        if check.blocks {
            blocked.push(check.name);
            fixes.extend(check.fix);
        } else {
            notes.extend(check.fix);
        }
        body.insert(check.name.to_owned(), check.fields);
    }
    if let Err(fault) = &place {
        notes.push(format!("{}: {}", fault.message, fault.repair.hint));
    }
    let ruled = place
        .as_ref()
        .ok()
        .map(|place| Ruled::of(&config, place, service.peer()));
    let in_force = ruled.as_ref().map_or(&config, |ruled| &ruled.config);
    let mut settings = object(json!({"changed": changed_settings(in_force)}));
    if let Some(ruled) = &ruled {
        if ruled.broken {
            blocked.push("project");
            fixes.extend(ruled.fix.clone());
        } else {
            notes.extend(ruled.fix.clone());
        }
        settings.extend(ruled.fields.clone());
    }
    notes.extend(plugin_settings::note(service.environment()));
    notes.extend(namesake::note(service.environment()));
    body.insert("config".to_owned(), settings.into());
    fixes.append(&mut notes);
    let ready = blocked.is_empty();
    body.insert("ready".to_owned(), ready.into());
    body.insert("blocked_by".to_owned(), json!(blocked));
    let summary = if ready {
        let notes = if fixes.is_empty() { "" } else { ", with notes" };
        format!(
            "Ready{notes}: {} {}.",
            service.peer(),
            peer.version.as_deref().unwrap_or("of unknown version")
        )
    } else {
        format!(
            "Not ready, because of {}. {}",
            in_words(&blocked),
            fixes.first().cloned().unwrap_or_default()
        )
    };
    let place = place.ok();
    Ok(Reply {
        summary,
        body,
        next_steps: fixes,
        meta: Meta {
            workspace: place.as_ref().map(|place| place.root.display().to_string()),
            workspace_source: place.as_ref().map(|place| place.source),
            peer_version: peer.version,
            ..Meta::default()
        },
        ..Reply::default()
    })
}

/// Names what stands in the way for a person: `project` alone would not tell that it is about settings.
fn in_words(blocked: &[&str]) -> String {
    let words = blocked.iter().map(|name| match *name {
        "project" => "the project's settings",
        "state" => "the state directory",
        name => name,
    });
    words.collect::<Vec<_>>().join(", ")
}

fn broken_config(fault: &Fault) -> Reply {
    Reply {
        summary: format!("Not ready: {}.", fault.message),
        body: object(
            json!({"ready": false, "blocked_by": ["config"], "config": {"valid": false, "error": fault.message}}),
        ),
        next_steps: vec![fault.repair.hint.clone()],
        ..Reply::default()
    }
}

async fn git(service: &Service, workspace: Option<&Workspace>) -> Check {
    let environment = service.environment().clone();
    let directory = workspace.map(|workspace| workspace.root.clone());
    let look = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        let repository =
            directory.map(|directory| git.discover(&directory).map_err(|error| git_fault(&error)));
        Ok::<_, Fault>((git, repository))
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(Ok((git, repository))) => {
            let root = match &repository {
                Some(Ok(repository)) => json!(repository.top_level().display().to_string()),
                Some(Err(fault)) => json!({"none": fault.message}),
                None => Value::Null,
            };
            let fields = json!({
                "path": git.program().display().to_string(),
                "version": git.version().to_string(),
                "repository": root,
            });
            Check {
                name: "git",
                blocks: false,
                fields,
                fix: None,
            }
        }
        Ok(Err(fault)) => Check {
            name: "git",
            blocks: true,
            fields: json!({"error": fault.message}),
            fix: Some(fault.repair.hint),
        },
        Err(_) => Check {
            name: "git",
            blocks: true,
            fields: json!({"error": "the look at git stopped"}),
            fix: None,
        },
    }
}

/// Looks at the state directory without making it.
fn state(store: &Store) -> Check {
    let exists = store
        .root()
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let free = files::available_bytes(exists).ok();
    let active = store.list_active(ACTIVE);
    let low = free.is_some_and(|free| free < crate::domain::limits::FREE_BYTES);
    let aside = quarantine::count(store, None);
    let kept = kept::usage(store).unwrap_or_default();
    let unwritable = files::check_writable(exists).err();
    let unwritable = unwritable.map(|error| format!("cannot write to `{}`: {error}", exists.display()));
    let closed = active.as_ref().err().map(ToString::to_string).or(unwritable);
    let broken = match (closed, locking::broken_by_mount(store)) {
        (Some(why), _) => Some(format!(
            "{why}: set CROSSCHECK_STATE_DIR to a folder that you can write to"
        )),
        (None, Some(why)) => Some(format!(
            "locks do not work in the state directory, {why}: set CROSSCHECK_STATE_DIR to a folder on a local disk"
        )),
        (None, None) if low => Some(FaultCode::DiskFull.hint().to_owned()),
        (None, None) => None,
    };
    let mut fields = object(json!({
        "directory": store.root().display().to_string(),
        "free_bytes": free,
        "active_jobs": active.map_or(0, |jobs| jobs.len()),
        "unread_results": kept.unread,
        "job_bytes": kept.bytes,
    }));
    if kept.not_counted > 0 {
        fields.insert("jobs_not_counted".to_owned(), kept.not_counted.into());
    }
    if aside > 0 {
        let place = quarantine::folder(store).display().to_string();
        fields.insert(
            "quarantine".to_owned(),
            json!({"jobs": aside, "directory": place}),
        );
    }
    Check {
        name: "state",
        blocks: broken.is_some(),
        fields: Value::Object(fields),
        fix: broken.or_else(|| quarantine::notice(store, None)),
    }
}

fn changed_settings(config: &Config) -> Vec<Value> {
    config
        .rows()
        .into_iter()
        .filter(|row| row["origin"] != "default")
        .collect()
}

async fn quota(service: &Service) -> Outcome {
    let asked = Asked::open(service).await?;
    let quota = asked.probe(service).fresh_quota(ASK_WAIT).await;
    let summary = match &quota {
        Ok(quota) => match quota.windows.first() {
            Some(window) => format!(
                "{} percent of the current allowance is used.",
                window.used_percent
            ),
            None => format!("{} tells no allowance.", service.peer()),
        },
        Err(why) => format!("The allowance is unknown: {}.", crate::run::masking::mask(why)),
    };
    let known = quota.is_ok();
    let resets_at = quota.as_ref().ok().and_then(Quota::resets_at);
    Ok(Reply {
        summary,
        body: object(json!({
            "known": known,
            "quota": quota.ok(),
            "usable_again_at": resets_at.map(|at| crate::domain::time::rfc3339(at.saturating_mul(1000))),
        })),
        meta: Meta {
            peer_version: Some(asked.program.version.to_string()),
            ..Meta::default()
        },
        ..Reply::default()
    })
}

/// The error codes without their rows, for a door that sends [`error_rows`] as they are.
pub fn errors_head() -> Reply {
    Reply {
        summary: format!("{} error codes.", FaultCode::ALL.len()),
        ..Reply::default()
    }
}

/// The field with the rows of all error codes, serialised once: they never change while the program runs.
pub fn error_rows() -> &'static str {
    static ROWS: OnceLock<String> = OnceLock::new();
    ROWS.get_or_init(|| format!("\"errors\":{}", Value::from(rows_of_errors())))
}

fn errors() -> Reply {
    Reply {
        body: object(json!({"errors": rows_of_errors()})),
        ..errors_head()
    }
}

fn rows_of_errors() -> Vec<Value> {
    let row = |code: &FaultCode| {
        json!({
            "code": code.as_str(),
            "meaning": code.explanation(),
            "retryable": code.retryable(),
            "exit_code": code.exit_code(),
            "hint": code.hint(),
        })
    };
    FaultCode::ALL.iter().map(row).collect()
}

fn knobs() -> Reply {
    let rows: Vec<Value> = options::TABLE
        .iter()
        .map(
            |row| json!({"name": row.name, "type": row.kind, "default": row.default, "meaning": row.meaning, "tools": row.tools}),
        )
        .collect();
    Reply {
        summary: format!("{} keys of `options`.", rows.len()),
        body: object(json!({"options": rows})),
        ..Reply::default()
    }
}
