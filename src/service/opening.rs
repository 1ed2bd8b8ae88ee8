//! How every paid call begins, and its preview too: configuration, permission, folder and thread.

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::{Common, Options};
use crate::service::allowance::{Allowance, budget_tokens};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::recursion;
use crate::service::resume::{self, Continued};
use crate::service::workspace::Workspace;
use crate::state::store::Store;

/// What a call is made with.
#[derive(Debug)]
pub struct Opening {
    /// The configuration in force.
    pub config: Config,
    /// Where jobs are kept.
    pub store: Store,
    /// The folder of the call.
    pub workspace: Workspace,
    /// The thread to continue.
    pub continued: Option<Continued>,
}

impl Opening {
    /// Opens a call, or says why it may not be made.
    pub async fn of(service: &Service, common: &Common, call: &Call) -> Result<Self, Fault> {
        let config = service.config()?;
        let store = service.store()?;
        check_allowed(&common.options, &config)?;
        Allowance::check(&common.options, &config)?;
        recursion::check(service.environment(), &config, &store, call)?;
        let workspace = Workspace::resolve(service, common.workspace.as_deref(), &config)?;
        let continued = match &common.resume {
            Some(wanted) => Some(resume::find(wanted, &workspace, &store, service.environment()).await?),
            None => None,
        };
        if budget_tokens(&common.options, &config).is_some()
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
        })
    }
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
