//! What is found out about the peer, free of charge, before a run is paid.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::tier::{Isolation, Tools};
use crate::peer::support::Support;
use crate::run::contract;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::service::context::Service;
use crate::state::store::Store;

/// The peer, ready for a run.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// The peer.
    pub program: Program,
    /// Whether it can run commands.
    pub tools: Tools,
    /// The user's MCP servers, to be switched off.
    pub servers: Vec<String>,
    /// The program in whose sandbox checks run, where that is another one.
    pub checker: Option<PathBuf>,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// Finds the peer and asks what a run relies on. With everything remembered this starts no process.
pub async fn preflight(
    service: &Service,
    config: &Config,
    store: &Store,
    directory: &Path,
    isolation: Isolation,
) -> Result<Preflight, Fault> {
    let environment = service.environment();
    let program = Program::find(service.peer(), config, environment, store).await?;
    let mut warnings = Vec::new();
    check_version(service, config, store, &program, &mut warnings).await?;
    let probe = Probe {
        program: &program,
        config,
        environment,
        store,
    };
    let project = crate::service::guidance::project_root(directory).unwrap_or_else(|| directory.to_owned());
    let servers = async {
        match isolation {
            // The file that names them is not read by the run either.
            Isolation::IgnoreConfig => Ok(Vec::new()),
            Isolation::Clean | Isolation::IgnoreRules => probe.servers(directory, &project, false).await,
        }
    };
    let (sandbox, servers) = tokio::join!(probe.sandbox(), servers);
    let servers = servers?;
    if sandbox.tools == Tools::None {
        let reason = sandbox.reason.unwrap_or_default();
        warnings.push(format!(
            "{}'s sandbox does not work here, so it answers from the prompt alone and runs no commands: {reason}",
            program.peer
        ));
    }
    Ok(Preflight {
        program,
        tools: sandbox.tools,
        servers,
        checker: None,
        warnings,
    })
}

/// Refuses a version that is too old, and lets a newer one than tested prove itself once.
async fn check_version(
    service: &Service,
    config: &Config,
    store: &Store,
    program: &Program,
    warnings: &mut Vec<String>,
) -> Result<(), Fault> {
    let peer = program.peer;
    let tested = peer.tested();
    match tested.support(&program.version, config.versions_of(peer).value.as_ref()) {
        Support::Supported => Ok(()),
        Support::TooOld => {
            let message = format!(
                "{peer} {} is outside the supported range {}",
                program.version,
                tested.range()
            );
            Err(Fault::new(FaultCode::PeerVersionUnsupported, message).about(peer))
        }
        Support::Untested => {
            let report = contract::check_once(service.environment(), config, store, program).await?;
            match report.broken() {
                None => {
                    warnings.push(format!(
                        "{peer} {} is newer than any tested version; the contract check passed",
                        program.version
                    ));
                    Ok(())
                }
                Some(what) => Err(Fault::new(
                    FaultCode::PeerContractChanged,
                    format!("{peer} {} no longer honours: {what}", program.version),
                )
                .about(peer)),
            }
        }
    }
}
