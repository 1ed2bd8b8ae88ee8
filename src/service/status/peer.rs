//! What the overview tells of the peer.

use serde_json::json;

use crate::config::Config;
use crate::domain::fault::FaultCode;
use crate::domain::tier::Tools;
use crate::peer::account::{Login, Quota};
use crate::peer::support::Support;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::service::context::Service;
use crate::service::status::{Check, QUOTA_WAIT};
use crate::state::store::Store;

/// What is known of the peer, as a fact of the overview.
pub(super) struct PeerFacts {
    pub(super) check: Check,
    pub(super) version: Option<String>,
}

/// Looks at the peer: the program, its version, its login, its sandbox and its allowance.
pub(super) async fn peer(service: &Service, config: &Config, store: &Store) -> PeerFacts {
    let peer = service.peer();
    let program = match Program::find(peer, config, service.environment(), store).await {
        Ok(program) => program,
        Err(fault) => {
            let fields = json!({"found": false, "error": fault.message});
            let fix = Some(fault.repair.hint);
            return PeerFacts {
                check: Check {
                    name: peer.as_str(),
                    blocks: true,
                    fields,
                    fix,
                },
                version: None,
            };
        }
    };
    let probe = Probe {
        program: &program,
        config,
        environment: service.environment(),
        store,
    };
    let (sandbox, (login, quota)) = tokio::join!(probe.sandbox(), login_and_quota(&probe));
    let versions = config.versions_of(peer).value.as_ref();
    let support = peer.tested().support(&program.version, versions);
    let range = versions.map_or_else(|| peer.tested().range(), ToString::to_string);
    let fix = match (&support, login, sandbox.tools) {
        (Support::TooOld, _, _) => Some(peer.hint(FaultCode::PeerVersionUnsupported)),
        (Support::Untested, _, _) => Some(format!(
            "this {peer} is newer than any tested version; `crosscheck contract` checks it for free"
        )),
        // A key or a provider of one's own may do without a login, so this is a note and never an obstacle.
        (_, Login::LoggedOut, _) => Some(format!(
            "{peer} says that it is not logged in: run `{}`, unless a key or a provider of your own is used",
            peer.login_command()
        )),
        (_, _, Tools::None) => Some(FaultCode::SandboxUnavailable.hint().to_owned()),
        _ => None,
    };
    let fields = json!({
        "found": true,
        "path": program.path.display().to_string(),
        "version": program.version.to_string(),
        "supported": match support {
            Support::Supported => "yes",
            Support::TooOld => "no",
            Support::Untested => "untested",
        },
        "range": range,
        "login": login,
        "sandbox": match (&sandbox.tools, &sandbox.reason) {
            (Tools::Sandboxed, _) => json!("works"),
            (Tools::Files, _) => json!("not needed: no command is run"),
            (Tools::None, reason) => json!({"broken": reason}),
        },
        "quota": quota.map_or_else(|why| json!({"unknown": why}), |quota| json!(quota)),
    });
    let check = Check {
        name: peer.as_str(),
        blocks: support == Support::TooOld,
        fields,
        fix,
    };
    PeerFacts {
        check,
        version: Some(program.version.to_string()),
    }
}

/// The allowance is only asked for where there is an account that has one.
async fn login_and_quota(probe: &Probe<'_>) -> (Login, Result<Quota, String>) {
    let peer = probe.program.peer;
    let login = probe.login().await;
    let quota = match login {
        Login::ChatGpt | Login::ClaudeAi => probe.quota(QUOTA_WAIT).await,
        Login::ApiKey => Err(format!("an API key has no allowance that {peer} could tell")),
        Login::LoggedOut => Err(format!("{peer} is not logged in")),
        Login::Unknown => Err(format!("it cannot be told how {peer} is logged in")),
    };
    (login, quota)
}
