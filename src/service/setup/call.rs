//! The use cases: set a host up, print what it would get, take it out again.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::envelope::Envelope;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::gate::Mode as Gate;
use crate::domain::peer::Peer;
use crate::peer::claude::host as claude_host;
use crate::peer::codex::hooks as codex_hooks;
use crate::peer::codex::host::SERVERS;
use crate::run::program::find_path;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::reply::{Outcome as Answer, Reply};
use crate::service::setup::entry::{Entry, is_ours, serve};
use crate::service::setup::registration::Outcome;
use crate::service::setup::step::{self, Step};
use crate::service::setup::target::Target;
use crate::service::setup::wanted::{Mode, Removal, Scope, Wanted};
use crate::service::setup::{claude, codex, program, registration, roots};
use crate::service::workspace::Workspace;
use crate::sys::clock::Stopwatch;

/// Sets a host up, and wraps what came of it.
pub async fn set_up(service: &Service, wanted: &Wanted, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = Box::pin(run(service, wanted)).await;
    service.wrap("setup", outcome, call, watch)
}

/// Takes our server out of a host again, and wraps what came of it.
pub async fn remove(service: &Service, wanted: Removal, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = Box::pin(taken_out(service, wanted)).await;
    service.wrap("uninstall", outcome, call, watch)
}

/// Prints what a host has to be told; of both hosts when none is named.
pub fn print_config(service: &Service, host: Option<Peer>, source: Option<&Path>, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = printed(service, host, source, Scope::User);
    service.wrap("print-config", outcome, call, watch)
}

async fn run(service: &Service, wanted: &Wanted) -> Answer {
    let config = service.config()?;
    let Wanted {
        host,
        scope,
        mode,
        foreign,
        ref allow_root,
    } = *wanted;
    if mode == Mode::Print {
        return printed(service, host, None, scope);
    }
    let mut steps = Vec::new();
    // First what may be refused: a host that is set up and a folder that is not would be half of what was asked.
    if let Some(folder) = allow_root {
        steps.push(admit(service, folder, mode)?);
    }
    match host {
        Some(Peer::Codex) => steps.push(codex::set_up(service, &config, scope, mode, foreign)?),
        Some(Peer::Claude) => {
            steps.push(Box::pin(claude::set_up(service, &config, scope, mode, foreign)).await?);
        }
        None => {}
    }
    let mut reply = told(&steps, mode);
    if let Some(host) = host {
        let peer = host.other();
        if find_path(peer, &config, service.environment()).is_err() {
            reply.warnings.push(format!(
                "{peer} is not on this machine yet; {}",
                peer.hint(FaultCode::PeerNotFound)
            ));
        }
        if (host, scope) == (Peer::Codex, Scope::Project) {
            reply.warnings.push(
                "codex reads a project's file only once you trust the project, and the entry names a program of this machine"
                    .to_owned(),
            );
        }
        if mode == Mode::Do {
            reply.next_steps = after(host);
        }
    }
    if mode == Mode::Look && steps.iter().any(|step| step.state == "would") {
        reply
            .next_steps
            .push("the same command without --dry-run does it".to_owned());
    }
    Ok(reply)
}

fn after(host: Peer) -> Vec<String> {
    let peer = host.other();
    let doctor = if peer.is_default() {
        "crosscheck doctor".to_owned()
    } else {
        format!("crosscheck --peer {peer} doctor")
    };
    vec![
        doctor,
        format!(
            "{}   # a new session; ask it: have {} review my changes",
            host.program(),
            peer.title()
        ),
    ]
}

async fn taken_out(service: &Service, wanted: Removal) -> Answer {
    let Removal { host, scope, mode } = wanted;
    let step = match host {
        Peer::Codex => codex::remove(service, scope, mode)?,
        Peer::Claude => {
            // A configuration of ours that is broken must not keep anybody from leaving.
            let config = service
                .config()
                .or_else(|_| Config::layered(None, service.environment()))?;
            Box::pin(claude::remove(service, &config, scope, mode)).await?
        }
    };
    let mut reply = told(&[step], mode);
    if host == Peer::Codex
        && let Some(hooks) = codex_hooks::file(service.environment())
        && let Ok(target) = Target::read(&hooks)
        && codex_hooks::chosen(&String::from_utf8_lossy(target.bytes().unwrap_or_default())) != Gate::Off
    {
        reply.warnings.push(format!(
            "the stop gate's hooks are still in `{}`; take them out there",
            hooks.display()
        ));
    }
    if mode == Mode::Look && reply.body["changed"] != json!(0) {
        let scope = match scope {
            Scope::User => "",
            Scope::Project => " --scope project",
        };
        let next = format!("crosscheck uninstall --host {host}{scope} --yes");
        reply.next_steps.push(next);
    }
    Ok(reply)
}

fn told(steps: &[Step], mode: Mode) -> Reply {
    let changed = steps.iter().filter(|step| step.state != "nothing").count();
    let names: Vec<String> = steps
        .iter()
        .filter(|step| step.state != "nothing")
        .map(|step| match (&step.file, step.about) {
            (Some(file), _) => format!("`{}`", file.display()),
            (None, about) => format!("{about}'s configuration"),
        })
        .collect();
    let summary = match (changed, mode) {
        (0, _) => "There is nothing to change.".to_owned(),
        (_, Mode::Do) => format!("Changed {}.", names.join(" and ")),
        (_, Mode::Look | Mode::Print) => {
            format!("Would change {}; nothing was changed.", names.join(" and "))
        }
    };
    Reply {
        summary,
        body: object(json!({"changed": changed, "steps": steps})),
        ..Reply::default()
    }
}

/// Returns the user's own files of hosts in which our server stands, as far as they can be read.
pub fn registered(service: &Service) -> Vec<(Peer, PathBuf)> {
    let mut found = Vec::new();
    if let Ok(file) = codex::file(service, Scope::User)
        && let Ok(target) = Target::read(&file)
        && let Ok(entries) = registration::read_all(target.bytes().unwrap_or_default())
        && entries.iter().any(|(_, entry)| is_ours(entry))
    {
        found.push((Peer::Codex, file));
    }
    if let Ok(place) = claude::Place::of(service, Scope::User)
        && place
            .entry(Peer::Claude.other().as_str())
            .is_some_and(|entry| is_ours(&entry))
    {
        found.push((Peer::Claude, place.file));
    }
    found
}

/// Returns the real path of a folder that calls may be about: one that exists and does not hold everybody's things.
pub fn harmless(service: &Service, folder: &Path) -> Result<PathBuf, Fault> {
    let about_folder = |mut fault: Fault| {
        let message = fault
            .message
            .replace("the workspace (from argument)", "this folder");
        fault.message = message.replace("the workspace", "this folder");
        fault
            .field("allow_root")
            .hint("name the folder of your projects, not one that holds everything")
    };
    // The roots that are in force must not keep one from being looked at.
    let any = Config::layered(None, &Environment::default())?;
    let workspace = Workspace::resolve(service, Some(folder), &any).map_err(about_folder)?;
    let folder = workspace.readable().map_err(about_folder)?;
    Ok(folder.to_owned())
}

/// Adds a folder to those that calls may be about.
fn admit(service: &Service, folder: &Path, mode: Mode) -> Result<Step, Fault> {
    let folder = harmless(service, folder)?;
    let path = Config::path_from(service.environment()).ok_or_else(|| {
        Fault::new(
            FaultCode::ConfigInvalid,
            "there is no home folder and CROSSCHECK_CONFIG is not set",
        )
    })?;
    let target = step::read(&path)?;
    let outcome = roots::admit(target.bytes(), &program::text(&folder)?)
        .map_err(|why| step::refused(target.path(), &why))?;
    if let Outcome::Text(new) = &outcome {
        // What would be written is read as it will be, before it is.
        let text = String::from_utf8_lossy(new);
        Config::layered(Some(&text), &Environment::default())?;
    }
    Step::edit("roots", &target, &outcome, mode, None)
}

fn printed(service: &Service, host: Option<Peer>, source: Option<&Path>, scope: Scope) -> Answer {
    let config = service.config()?;
    let mut entries = Vec::new();
    let hosts = host.map_or_else(|| Peer::ALL.to_vec(), |host| vec![host]);
    for host in hosts {
        let entry = entry_for(service, &config, host, source)?;
        entries.push(match host {
            Peer::Codex => {
                let file = codex::file(service, scope)?;
                let text = entry.toml(SERVERS, Peer::Codex.other().as_str());
                json!({"host": "codex", "file": file, "text": text})
            }
            Peer::Claude => {
                let mut words = vec![entry.command.clone()];
                words.extend(entry.arguments.iter().cloned());
                let name = Peer::Claude.other().as_str();
                let server = json!({
                    claude_host::SERVERS: {name: {"command": entry.command, "args": entry.arguments}}
                });
                json!({
                    "host": "claude",
                    "command": claude::added_by_hand(scope, &words),
                    "file": claude_host::PROJECT_FILE,
                    "text": serde_json::to_string_pretty(&server).unwrap_or_default(),
                })
            }
        });
    }
    Ok(Reply {
        summary: "What a host is told; nothing was changed.".to_owned(),
        body: object(json!({"entries": Value::Array(entries)})),
        ..Reply::default()
    })
}

/// Returns how a host starts this program, or what a checkout holds.
fn entry_for(service: &Service, config: &Config, host: Peer, source: Option<&Path>) -> Result<Entry, Fault> {
    let peer = host.other();
    let (environment, pass) = (service.environment(), &config.env_pass.value);
    let Some(source) = source else {
        return match host {
            Peer::Codex => codex::entry(service, config),
            Peer::Claude => {
                let mut entry = codex::entry(service, config)?;
                entry.arguments = serve(peer);
                Ok(entry)
            }
        };
    };
    let manifest = source.join("Cargo.toml");
    let manifest = manifest.canonicalize().map_err(|_| {
        Fault::argument("source", "there is no Cargo.toml in this folder")
            .hint("name the folder of a checkout of this program's source")
    })?;
    let built = manifest.with_file_name("target/release/crosscheck");
    if built.is_file() {
        return Ok(Entry::installed(program::text(&built)?, peer, environment, pass));
    }
    Ok(Entry::built(&program::text(&manifest)?, peer, environment, pass))
}
