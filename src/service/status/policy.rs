//! The settings in force: the user's, narrowed by what a repository's own file says.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::domain::peer::Peer;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::plugin_settings;
use crate::service::project::{self, Project};
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;

/// What a repository's own files come to.
pub(super) struct Ruled {
    /// The configuration in force there.
    pub(super) config: Config,
    /// What is told of the project's file and of the others that have no say; only what there is.
    pub(super) fields: Map<String, Value>,
    /// Whether paid calls are refused because of it.
    pub(super) broken: bool,
    /// What to do about it.
    pub(super) fix: Option<String>,
}

impl Ruled {
    /// Reads them for a folder and the user's configuration.
    pub(super) fn of(users: &Config, place: &Workspace, peer: Peer) -> Self {
        let mut ruled = Self {
            config: users.clone(),
            fields: Map::new(),
            broken: false,
            fix: None,
        };
        match Project::find(place) {
            Ok(None) => {}
            Ok(Some(project)) => {
                let (config, ignored) = project.narrow(users);
                if let Err(fault) = project.check_roots(&config, place) {
                    ruled.broken = true;
                    ruled.fix = Some(fault.message);
                }
                ruled.fix = ruled.fix.or_else(|| ignored.note());
                ruled.fields.insert("project".to_owned(), project.view(users));
                ruled.config = config;
            }
            Err(fault) => {
                let view = json!({"file": project::FILE, "error": fault.message});
                ruled.fields.insert("project".to_owned(), view);
                ruled.broken = true;
                ruled.fix = Some(format!("{}: {}", fault.message, fault.repair.hint));
            }
        }
        let carried = project::carried(place, peer);
        if !carried.is_empty() {
            ruled.fields.insert("no_say".to_owned(), carried.into());
        }
        ruled
    }
}

/// Tells the configuration in force.
pub(super) fn policy(service: &Service, workspace: Option<&Path>) -> Outcome {
    let config = service.config()?;
    let place = Workspace::resolve(service, workspace, &config);
    let file = Config::path_from(service.environment()).map(|path| path.display().to_string());
    let readable = match &place {
        Ok(place) => place.danger.map_or(json!(true), |why| json!({"no": why})),
        Err(fault) => json!({"no": fault.message}),
    };
    let ruled = place
        .as_ref()
        .ok()
        .map(|place| Ruled::of(&config, place, service.peer()));
    let in_force = ruled.as_ref().map_or(&config, |ruled| &ruled.config);
    let told = |name: &str| ruled.as_ref().and_then(|ruled| ruled.fields.get(name));
    Ok(Reply {
        summary: "The configuration in force, and where each value comes from.".to_owned(),
        body: object(json!({
            "file": file,
            "settings": in_force.rows(),
            "project": told("project"),
            "no_say": told("no_say").unwrap_or(&json!([])),
            "workspace_readable": readable,
            "never": [
                "read or write the peer's credentials",
                "change the workspace",
                "let a repository's file widen anything",
                "start the user's MCP servers, hooks, plugins or apps in a run",
            ],
        })),
        warnings: plugin_settings::note(service.environment()).into_iter().collect(),
        ..Reply::default()
    })
}
