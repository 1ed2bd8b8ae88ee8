//! How every paid call begins, and its preview too: configuration, permission, folder and thread.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::request::{Common, Options};
use crate::peer::interface::Counting;
use crate::redact::Further;
use crate::run::program::Program;
use crate::service::allowance::{Allowance, budget_tokens};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::project::Project;
use crate::service::recursion;
use crate::service::resume::{self, Continued};
use crate::service::workspace::Workspace;
use crate::state::store::Store;

/// What a call is made with.
#[derive(Debug)]
pub struct Opening {
    /// The configuration in force, narrowed by the project.
    pub config: Config,
    /// Where jobs are kept.
    pub store: Store,
    /// The folder of the call.
    pub workspace: Workspace,
    /// The thread to continue.
    pub continued: Option<Continued>,
    /// What is kept back beyond our own rules.
    pub further: Further,
    /// How deep the run is nested in other runs of ours; 0 when it is in none.
    pub depth: u32,
    /// What the caller should know about the project's own file.
    pub notes: Vec<String>,
    /// Further folders that may be read.
    pub roots: Vec<PathBuf>,
}

impl Opening {
    /// Opens a call, or says why it may not be made.
    pub async fn of(service: &Service, common: &Common, call: &Call) -> Result<Self, Fault> {
        let users = service.config()?;
        let store = service.store()?;
        check_allowed(&common.options, &users)?;
        check_told(&common.options, service.peer())?;
        if common.options.fork && common.resume.is_none() {
            return Err(
                Fault::argument("options.fork", "`options.fork` says nothing without `resume`")
                    .hint("pass the job or the thread to go on from as resume"),
            );
        }
        if let Some(earlier) = common.options.supersedes.as_ref().filter(|id| !store.has(id)) {
            let message = format!("there is no job {earlier} whose place this one could take");
            return Err(Fault::argument("options.supersedes", message)
                .hint("look up its id in the list of jobs")
                .call("job", serde_json::json!({})));
        }
        let workspace = Workspace::resolve(service, common.workspace.as_deref(), &users)?;
        let Governed {
            config,
            further,
            notes,
        } = Governed::of(&users, &workspace)?;
        Allowance::check(&common.options, &config, service.peer())?;
        let roots = further_roots(service, &common.options, &users)?;
        let depth = recursion::check(service.environment(), &config, &store, call)?;
        let continued = match &common.resume {
            Some(wanted) => {
                Some(resume::find(wanted, &workspace, &store, service.environment(), service.peer()).await?)
            }
            None => None,
        };
        // A peer that tells the tokens of each run can be held to a budget whatever its thread had used before.
        if service.peer().counting() == Counting::InRecord
            && budget_tokens(&common.options, &config).is_some()
            && continued
                .as_ref()
                .is_some_and(|thread| thread.usage_before.is_none())
        {
            let message = "the tokens of the thread to resume are not known, so a budget could not be kept";
            return Err(Fault::argument("resume", message)
                .hint("repeat the call without resume, or without a budget"));
        }
        Ok(Self {
            config,
            store,
            workspace,
            continued,
            further,
            depth,
            notes,
            roots,
        })
    }
}

/// The configuration of a call, narrowed by the project that it is about.
pub(super) struct Governed {
    pub(super) config: Config,
    further: Further,
    notes: Vec<String>,
}

impl Governed {
    pub(super) fn of(users: &Config, workspace: &Workspace) -> Result<Self, Fault> {
        let Some(project) = Project::find(workspace)? else {
            return Ok(Self {
                config: users.clone(),
                further: users.further()?,
                notes: Vec::new(),
            });
        };
        let (config, ignored) = project.narrow(users);
        project.check_roots(&config, workspace)?;
        Ok(Self {
            further: config.further()?,
            notes: ignored.note().into_iter().collect(),
            config,
        })
    }
}

/// Checks the further folders of a call. Each is one that a workspace could be, and may be read whole.
fn further_roots(service: &Service, options: &Options, users: &Config) -> Result<Vec<PathBuf>, Fault> {
    let checked = options.roots.iter().map(|path| {
        let place = Workspace::resolve(service, Some(path), users)?;
        place.readable().map(Path::to_owned)
    });
    let checked: Result<Vec<PathBuf>, Fault> = checked.collect();
    checked.map_err(|fault| fault.field("options.roots"))
}

/// Refuses to go on in a new thread where the peer's version cannot.
pub(super) fn check_fork(common: &Common, program: &Program) -> Result<(), Fault> {
    if !common.options.fork || program.peer.forks(&program.version) {
        return Ok(());
    }
    let message = format!(
        "{} {} cannot go on in a new thread",
        program.peer, program.version
    );
    Err(Fault::new(FaultCode::PeerVersionUnsupported, message)
        .field("options.fork")
        .hint(format!("update {}, or leave options.fork out", program.peer)))
}

/// Refuses a bound that the peer cannot be held to.
fn check_told(options: &Options, peer: Peer) -> Result<(), Fault> {
    let asked = [
        ("budget_usd", options.budget_microusd.is_some()),
        ("max_turns", options.max_turns.is_some()),
    ];
    for (name, is_asked) in asked {
        if is_asked && !peer.bounds_cost() {
            let message = format!(
                "`options.{name}` cannot be kept: {peer} tells neither its cost nor its turns while it runs"
            );
            return Err(
                Fault::argument(format!("options.{name}"), message).hint("use options.budget_tokens instead")
            );
        }
    }
    Ok(())
}

/// Refuses what only the user's configuration can grant.
fn check_allowed(options: &Options, config: &Config) -> Result<(), Fault> {
    let granted = [
        ("web_search", options.web_search, config.allow_web_search.value),
        ("network", options.network, config.allow_network.value),
        ("in_place", options.in_place, config.allow_in_place.value),
    ];
    for (name, wanted, allowed) in granted {
        if wanted && !allowed {
            let message =
                format!("`options.{name}` needs `{name} = true` under [allow] of the user's configuration");
            return Err(Fault::new(FaultCode::PolicyDenied, message).field(format!("options.{name}")));
        }
    }
    Ok(())
}
