//! What the overview tells of codex.

use serde_json::json;

use crate::config::Config;
use crate::domain::fault::FaultCode;
use crate::domain::tier::Tools;
use crate::peer::codex::account::{Login, Quota};
use crate::peer::codex::version::{self, Support};
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::service::context::{PEER, Service};
use crate::service::status::{Check, QUOTA_WAIT};
use crate::state::store::Store;

/// What is known of codex, as a fact of the overview.
pub(super) struct PeerFacts {
    pub(super) check: Check,
    pub(super) version: Option<String>,
}

/// Looks at codex: the program, its version, its login, its sandbox and its allowance.
pub(super) async fn peer(service: &Service, config: &Config, store: &Store) -> PeerFacts {
    let program = match Program::find(config, service.environment(), store).await {
        Ok(program) => program,
        Err(fault) => {
            let fields = json!({"found": false, "error": fault.message});
            let fix = Some(fault.repair.hint);
            return PeerFacts {
                check: Check {
                    name: PEER,
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
    let support = version::support(&program.version, config.codex_versions.value.as_ref());
    let range = config
        .codex_versions
        .value
        .as_ref()
        .map_or_else(version::range, ToString::to_string);
    let fix = match (&support, login, sandbox.tools) {
        (Support::TooOld, _, _) => Some(FaultCode::PeerVersionUnsupported.hint().to_owned()),
        (Support::Untested, _, _) => {
            Some("this codex is newer than any tested version; `crosscheck contract` checks it for free".to_owned())
        }
        // A key or a provider of one's own may do without a login, so this is a note and never an obstacle.
        (_, Login::LoggedOut, _) => Some(
            "codex says that it is not logged in: run `codex login`, unless a key or a provider of your own is used".to_owned(),
        ),
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
            (Tools::None, reason) => json!({"broken": reason}),
        },
        "quota": quota.map_or_else(|why| json!({"unknown": why}), |quota| json!(quota)),
    });
    let check = Check {
        name: PEER,
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
    let login = probe.login().await;
    let quota = match login {
        Login::ChatGpt => probe.quota(QUOTA_WAIT).await,
        Login::ApiKey => Err("an API key has no allowance that codex could tell".to_owned()),
        Login::LoggedOut => Err("codex is not logged in".to_owned()),
        Login::Unknown => Err("it cannot be told how codex is logged in".to_owned()),
    };
    (login, quota)
}
