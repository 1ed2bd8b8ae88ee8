//! What stays on the machine when the plugin goes, and how it is removed.
//!
//! Without the person's word nothing is. With it, what can be made again goes: programs that the plugin installed, a link to
//! one on PATH, idle worktrees. What was paid for goes only with a word of its own. Never removed: the configuration file,
//! what cargo installed, codex and its threads, and a folder that holds anything that is not ours.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::envelope::Envelope;
use crate::domain::fault::{Fault, FaultCode};
use crate::service::call::Call;
use crate::service::claude::ClaudeFolder;
use crate::service::clean::{self, Mode};
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::reply::{Outcome, Reply};
use crate::service::setup::call as setup;
use crate::state::kept;
use crate::state::store::Store;
use crate::sys::clock::Stopwatch;

/// The name of this use case in envelopes.
const NAME: &str = "uninstall";
/// Everything that this program ever makes at the top of its state directory.
const OURS: [&str; 19] = [
    "jobs",
    "repos",
    "groups",
    "sessions",
    "wakes",
    "apply-key",
    "keys",
    "quarantine",
    "slots",
    "cache",
    "lock-probe",
    "scratch",
    "empty",
    "transfers",
    "version-home",
    "sandbox-home",
    "contract",
    "demo",
    "setup",
];

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is told what is there.
    Look,
    /// What can be made again is removed.
    Remove,
    /// And the results of all runs, read or not.
    RemoveWithResults,
}

/// One thing that stays.
struct Thing {
    what: &'static str,
    path: PathBuf,
    /// Why it is left where it is; absent when it goes.
    stays: Option<String>,
    gone: bool,
}

/// Looks or removes, and wraps what came of it.
pub async fn call(service: &Service, wanted: Wanted, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service, wanted).await;
    service.wrap(NAME, outcome, call, watch)
}

async fn run(service: &Service, wanted: Wanted) -> Outcome {
    let store = service.store()?;
    let mut things = programs(service);
    things.extend(link(service));
    if wanted == Wanted::RemoveWithResults {
        let active = store.list_active(1).map_err(Fault::from)?;
        if !active.is_empty() {
            let message = "a run is still going on, and its result would be lost";
            return Err(Fault::new(FaultCode::JobNotFinished, message)
                .hint("wait for it, or end it with `crosscheck cancel latest`")
                .into());
        }
    }
    let unread = kept::usage(&store).unwrap_or_default().unread;
    things.extend(state(&store, wanted, unread));
    things.extend(own_files(service));
    things.extend(hosts(service));
    let mut warnings = Vec::new();
    // What is idle or unreachable goes the usual way, which first keeps what a killed run left.
    if wanted == Wanted::Remove && store.root().is_dir() {
        match Box::pin(clean::run(service, Mode::Remove, None)).await {
            Ok(reply) => warnings.extend(reply.warnings),
            Err(refusal) => warnings.push(refusal.fault.message),
        }
    }
    if wanted != Wanted::Look {
        for thing in things.iter_mut().filter(|thing| thing.stays.is_none()) {
            match remove(&thing.path) {
                Ok(()) => thing.gone = true,
                Err(error) => warnings.push(format!("`{}` cannot be removed: {error}", thing.path.display())),
            }
        }
        // Only an empty one goes.
        let _ = fs::remove_dir(store.root());
    }
    Ok(told(service, &things, wanted, warnings))
}

fn told(service: &Service, things: &[Thing], wanted: Wanted, warnings: Vec<String>) -> Reply {
    let rows: Vec<Value> = things
        .iter()
        .map(|thing| {
            json!({
                "what": thing.what,
                "path": thing.path.display().to_string(),
                "done": match (&thing.stays, thing.gone) {
                    (Some(why), _) => format!("stays: {why}"),
                    (None, true) => "removed".to_owned(),
                    (None, false) if wanted == Wanted::Look => "would be removed".to_owned(),
                    (None, false) => "is still there".to_owned(),
                },
            })
        })
        .collect();
    let goes = things.iter().filter(|thing| thing.stays.is_none()).count();
    let gone = things.iter().filter(|thing| thing.gone).count();
    let summary = match wanted {
        Wanted::Look if goes == 0 => "Besides what stays there is nothing to remove.".to_owned(),
        Wanted::Look => format!("{} would be removed; nothing was.", counted(goes, "thing")),
        _ => format!("{} removed.", counted(gone, "thing")),
    };
    let mut next_steps = Vec::new();
    if wanted == Wanted::Look {
        next_steps.push("crosscheck uninstall --yes".to_owned());
        next_steps.push(
            "crosscheck uninstall --yes --with-results   # also the results of all runs, read or not"
                .to_owned(),
        );
    }
    if is_plugin_there(service) {
        next_steps.push(
            "claude plugin uninstall codex@crosscheck   # else the next session installs it again".to_owned(),
        );
    }
    if things.iter().any(|thing| thing.what == "cargo's program") {
        next_steps.push("cargo uninstall crosscheck".to_owned());
    }
    Reply {
        summary,
        body: object(json!({"things": rows})),
        next_steps,
        warnings,
        ..Reply::default()
    }
}

fn is_plugin_there(service: &Service) -> bool {
    let installed = ClaudeFolder::of(service.environment()).map(|folder| folder.read_installed());
    installed.is_some_and(|installed| {
        let plugins = installed.get("plugins").and_then(Value::as_object);
        plugins.is_some_and(|plugins| plugins.contains_key("codex@crosscheck"))
    })
}

/// The programs that a plugin of ours installed into its data.
fn programs(service: &Service) -> Vec<Thing> {
    let Some(folder) = ClaudeFolder::of(service.environment()) else {
        return Vec::new();
    };
    let mut things = Vec::new();
    for data in entries(&folder.plugin_data()) {
        let versions = entries(&data.join("bin"));
        if versions.is_empty()
            || !versions
                .iter()
                .all(|version| version.join("crosscheck").is_file())
        {
            continue;
        }
        for (what, name) in [("installed programs", "bin"), ("log of the installer", "install")] {
            let path = data.join(name);
            if path.is_dir() {
                things.push(Thing {
                    what,
                    path,
                    stays: None,
                    gone: false,
                });
            }
        }
    }
    things
}

/// The link that `/codex:setup` offers.
fn link(service: &Service) -> Option<Thing> {
    let path = service.environment().path("HOME")?.join(".local/bin/crosscheck");
    let target = fs::read_link(&path).ok()?;
    let ours = target.file_name() == Some(OsStr::new("crosscheck"));
    Some(Thing {
        what: "link on PATH",
        path,
        stays: (!ours).then(|| "it leads to something else".to_owned()),
        gone: false,
    })
}

/// What lies in the state directory.
fn state(store: &Store, wanted: Wanted, unread: usize) -> Vec<Thing> {
    let root = store.root();
    if !root.is_dir() {
        return Vec::new();
    }
    let thing = |stays| Thing {
        what: "jobs and results",
        path: root.to_owned(),
        stays,
        gone: false,
    };
    let all = entries(root);
    let is_ours = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| OURS.iter().any(|ours| name == *ours))
    };
    if !all.iter().all(is_ours) {
        return vec![thing(Some(
            "there is something in it that is not ours".to_owned(),
        ))];
    }
    if wanted != Wanted::RemoveWithResults {
        let why = format!("{} not read yet; --with-results removes all of them", are(unread));
        return vec![thing(Some(why))];
    }
    let parts = all.into_iter().map(|path| Thing {
        what: "jobs and results",
        path,
        stays: None,
        gone: false,
    });
    parts.collect()
}

fn are(count: usize) -> String {
    match count {
        1 => "1 result is".to_owned(),
        count => format!("{count} results are"),
    }
}

/// What is the person's, and told so that nobody looks for it.
fn own_files(service: &Service) -> Vec<Thing> {
    let environment = service.environment();
    let home = environment.path("HOME");
    let cargo = environment
        .path("CARGO_HOME")
        .or_else(|| home.map(|home| home.join(".cargo")))
        .map(|folder| folder.join("bin/crosscheck"));
    [
        ("configuration", Config::path_from(environment), "it is yours"),
        ("cargo's program", cargo, "cargo removes it"),
    ]
    .into_iter()
    .filter_map(|(what, path, why)| {
        let path = path.filter(|path| path.exists())?;
        Some(Thing {
            what,
            path,
            stays: Some(why.to_owned()),
            gone: false,
        })
    })
    .collect()
}

/// The entries by which hosts start our server, which one command for each takes out.
fn hosts(service: &Service) -> Vec<Thing> {
    let registered = setup::registered(service).into_iter();
    let things = registered.map(|(host, path)| Thing {
        what: "server in a host",
        path,
        stays: Some(format!("`crosscheck uninstall --host {host} --yes` takes it out")),
        gone: false,
    });
    things.collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

fn remove(path: &Path) -> std::io::Result<()> {
    // A link is removed, and never what it leads to.
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}
