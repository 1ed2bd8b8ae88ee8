//! Set-up where Claude Code is the host: its own commands are run, and told.
//!
//! The plugin has more than the server alone: commands, a skill, and word when a job is over. So it is what is installed
//! wherever its marketplace is known. What is registered is read from Claude Code's files, since its command that tells it
//! starts every server for a check.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::shell::quoted;
use crate::peer::claude::host;
use crate::run::program::{find_path, peer_environment};
use crate::service::claude::{self as claude_files, ClaudeFolder};
use crate::service::context::Service;
use crate::service::setup::entry::{is_ours, serve, words};
use crate::service::setup::registration::{Foreign, Refused};
use crate::service::setup::step::{self, Step, done};
use crate::service::setup::wanted::{Mode, Scope};
use crate::service::setup::{codex, program};
use crate::sys::process::{Ended, Invocation, run_captured};

/// The plugin and its marketplace.
const PLUGIN: &str = "codex@crosscheck";
const MARKETPLACE: &str = "crosscheck";
/// Time that one of its commands gets. They take a second; an installation copies a repository.
const DEADLINE: Duration = Duration::from_secs(120);
/// Bytes that one of them may print.
const PRINTED: usize = 1024 * 1024;

/// Puts our server in.
pub(super) async fn set_up(
    service: &Service,
    config: &Config,
    scope: Scope,
    mode: Mode,
    foreign: Foreign,
) -> Result<Step, Fault> {
    let name = Peer::Claude.other().as_str();
    let nothing = Step {
        about: "claude",
        state: "nothing",
        ..Step::default()
    };
    if has_plugin(service) {
        return Ok(nothing);
    }
    let place = Place::of(service, scope)?;
    let wanted = command(service)?;
    let mut commands = Vec::new();
    if let Some(entry) = place.entry(name) {
        if words(&entry) == wanted {
            return Ok(nothing);
        }
        if !is_ours(&entry) && foreign == Foreign::Kept {
            return Err(step::refused(&place.file, &Refused::Foreign(name.to_owned())));
        }
        commands.push(host::remove(scope.as_str(), name));
    }
    commands.push(if knows_marketplace(service) {
        host::install(scope.as_str(), PLUGIN)
    } else {
        let (program, arguments) = wanted
            .split_first()
            .map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
        host::add(scope.as_str(), name, Path::new(program), arguments)
    });
    run_all(service, config, &place.folder, commands, mode).await
}

/// Takes our server out.
pub(super) async fn remove(
    service: &Service,
    config: &Config,
    scope: Scope,
    mode: Mode,
) -> Result<Step, Fault> {
    let name = Peer::Claude.other().as_str();
    let place = Place::of(service, scope)?;
    let mut commands = Vec::new();
    if has_plugin(service) {
        commands.push(host::uninstall(scope.as_str(), PLUGIN));
    }
    match place.entry(name) {
        Some(entry) if is_ours(&entry) || words(&entry) == command(service)? => {
            commands.push(host::remove(scope.as_str(), name));
        }
        Some(_) if commands.is_empty() => {
            return Err(step::not_ours(&place.file, name));
        }
        _ => {}
    }
    if commands.is_empty() {
        return Ok(Step {
            about: "claude",
            state: "nothing",
            ..Step::default()
        });
    }
    run_all(service, config, &place.folder, commands, mode).await
}

/// Returns the program and the arguments that Claude Code is to start.
pub(super) fn command(service: &Service) -> Result<Vec<String>, Fault> {
    let mut words = vec![program::text(&program::lasting(service))?];
    words.extend(serve(Peer::Claude.other()));
    Ok(words)
}

/// Returns the command that a person gives to add our server.
pub(super) fn added_by_hand(scope: Scope, words: &[String]) -> String {
    let (program, arguments) = words
        .split_first()
        .map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let name = Peer::Claude.other().as_str();
    spoken(&host::add(scope.as_str(), name, Path::new(program), arguments))
}

/// Tells whether our plugin is installed.
pub fn has_plugin(service: &Service) -> bool {
    let folder = ClaudeFolder::of(service.environment());
    let installed = folder.map(|folder| folder.read_installed()).unwrap_or_default();
    let plugins = installed.get("plugins").and_then(Value::as_object);
    plugins.is_some_and(|plugins| plugins.contains_key(PLUGIN))
}

fn knows_marketplace(service: &Service) -> bool {
    let folder = ClaudeFolder::of(service.environment());
    folder.is_some_and(|folder| folder.read_marketplaces().contains_key(MARKETPLACE))
}

/// Where Claude Code keeps the servers of a scope.
pub(super) struct Place {
    /// The file, which is only read.
    pub(super) file: PathBuf,
    /// Where its commands are run.
    folder: PathBuf,
    servers: Map<String, Value>,
}

impl Place {
    pub(super) fn of(service: &Service, scope: Scope) -> Result<Self, Fault> {
        let (file, folder) = match scope {
            Scope::User => {
                let file = host::user_file(service.environment()).ok_or_else(|| {
                    let message = "there is no home folder and CLAUDE_CONFIG_DIR is not set";
                    Fault::new(FaultCode::ConfigInvalid, message)
                })?;
                (file, service.directory().to_owned())
            }
            Scope::Project => {
                let folder = codex::project(service)?;
                (folder.join(host::PROJECT_FILE), folder)
            }
        };
        let servers = claude_files::read(&file);
        Ok(Self {
            file,
            folder,
            servers,
        })
    }

    pub(super) fn entry(&self, name: &str) -> Option<Value> {
        self.servers.get(host::SERVERS)?.get(name).cloned()
    }
}

async fn run_all(
    service: &Service,
    config: &Config,
    folder: &Path,
    commands: Vec<Vec<OsString>>,
    mode: Mode,
) -> Result<Step, Fault> {
    let told: Vec<String> = commands.iter().map(|command| spoken(command)).collect();
    if mode == Mode::Do {
        let program = find_path(Peer::Claude, config, service.environment()).map_err(|fault| {
            fault.hint(format!(
                "on a machine with Claude Code run: {}",
                told.join(" && ")
            ))
        })?;
        for (arguments, told) in commands.into_iter().zip(&told) {
            let invocation = Invocation {
                program: program.clone(),
                arguments,
                directory: folder.to_owned(),
                environment: peer_environment(Peer::Claude, config, service.environment()),
            };
            let captured = run_captured(&invocation, b"", DEADLINE, PRINTED).await;
            let said = match captured {
                Ok(captured) if captured.ended == Ended::Exited(0) => continue,
                Ok(captured) => last_line(&captured.stderr).or_else(|| last_line(&captured.stdout)),
                Err(error) => Some(error.to_string()),
            };
            let said = said.unwrap_or_else(|| "it said nothing".to_owned());
            return Err(
                Fault::new(FaultCode::ConfigInvalid, format!("`{told}` failed: {said}"))
                    .hint("run it in a terminal to see more"),
            );
        }
    }
    Ok(Step {
        about: "claude",
        state: done(mode),
        commands: told,
        ..Step::default()
    })
}

fn spoken(arguments: &[OsString]) -> String {
    let words = arguments.iter().map(|word| quoted(&word.to_string_lossy()));
    let words: Vec<String> = words.collect();
    format!("claude {}", words.join(" "))
}

fn last_line(printed: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(printed);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(crate::redact::Redactor::shared().mask(line.trim()).text)
}
