//! Set-up where codex is the host: our entry in its configuration.
//!
//! `codex mcp add` writes neither time-outs nor names of variables (seen with 0.169.0), and without them a server sees none of
//! the user's folders. So the file is edited here.

use std::path::PathBuf;

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::peer::codex::host;
use crate::service::context::Service;
use crate::service::guidance::project_root;
use crate::service::setup::entry::Entry;
use crate::service::setup::program;
use crate::service::setup::registration::{self, Foreign, Refused, put_in, take_out};
use crate::service::setup::step::{self, Step};
use crate::service::setup::wanted::{Mode, Scope};
use crate::service::workspace::Workspace;

/// The folder of the state directory for copies of projects' files.
const COPIES: &str = "setup";

/// Puts our entry in.
pub(super) fn set_up(
    service: &Service,
    config: &Config,
    scope: Scope,
    mode: Mode,
    foreign: Foreign,
) -> Result<Step, Fault> {
    let entry = entry(service, config)?;
    let target = step::read(&file(service, scope)?)?;
    let name = Peer::Codex.other().as_str();
    if foreign == Foreign::Kept && registration::has_plugin(target.bytes().unwrap_or_default()) {
        // It brings a server of the same name.
        return Ok(Step {
            about: "codex",
            state: "nothing",
            ..Step::default()
        });
    }
    let outcome =
        put_in(target.bytes(), name, &entry, foreign).map_err(|why| step::refused(target.path(), &why))?;
    Step::edit(
        "codex",
        &target,
        &outcome,
        mode,
        copies(service, scope, mode)?.as_deref(),
    )
}

/// Returns where the old file of a project is kept.
fn copies(service: &Service, scope: Scope, mode: Mode) -> Result<Option<PathBuf>, Fault> {
    match (scope, mode) {
        (Scope::User, _) | (_, Mode::Look | Mode::Print) => Ok(None),
        (Scope::Project, Mode::Do) => Ok(Some(service.store()?.folder(COPIES)?)),
    }
}

/// Takes our entry out.
pub(super) fn remove(service: &Service, scope: Scope, mode: Mode) -> Result<Step, Fault> {
    let target = step::read(&file(service, scope)?)?;
    let name = Peer::Codex.other().as_str();
    let outcome = take_out(target.bytes().unwrap_or_default(), name).map_err(|why| match why {
        Refused::Foreign(name) => step::not_ours(target.path(), &name),
        other => step::refused(target.path(), &other),
    })?;
    Step::edit(
        "codex",
        &target,
        &outcome,
        mode,
        copies(service, scope, mode)?.as_deref(),
    )
}

/// Returns the entry of this program.
pub(super) fn entry(service: &Service, config: &Config) -> Result<Entry, Fault> {
    let program = program::text(&program::lasting(service))?;
    let peer = Peer::Codex.other();
    Ok(Entry::installed(
        program,
        peer,
        service.environment(),
        &config.env_pass.value,
    ))
}

/// Returns the file that is edited.
pub(super) fn file(service: &Service, scope: Scope) -> Result<PathBuf, Fault> {
    match scope {
        Scope::User => host::user_file(service.environment()).ok_or_else(|| {
            Fault::new(
                FaultCode::ConfigInvalid,
                "there is no home folder and CODEX_HOME is not set",
            )
        }),
        Scope::Project => Ok(project(service)?.join(host::PROJECT_FILE)),
    }
}

/// Returns the folder of the project in which the command was given. The home folder is none: its file is the user's own.
pub(super) fn project(service: &Service) -> Result<PathBuf, Fault> {
    let config = service.config()?;
    let workspace = Workspace::resolve(service, Some(service.directory()), &config)?;
    let folder = workspace.readable()?;
    Ok(project_root(folder).unwrap_or_else(|| folder.to_owned()))
}
