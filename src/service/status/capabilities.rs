//! What the tools can do and cost, and the bounds in force: the contract in a few hundred words.

use serde_json::{Value, json};

use crate::domain::delegation::{ATTEMPTS_MAX, CHECKS_MAX, TASKS_MAX};
use crate::domain::fault::FaultCode;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::request::{ApplyAction, ConsultKind, Topic};
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::options;
use crate::service::reply::{Outcome, Reply};

/// Each tool: its name, whether a call of it is paid, and what it may change.
const TOOLS: [(&str, bool, &str); 8] = [
    ("status", false, "nothing"),
    ("dry_run", false, "nothing"),
    ("consult", true, "nothing"),
    ("review", true, "nothing"),
    ("delegate", true, "a worktree of its own; apply lands it"),
    ("job", false, "nothing"),
    ("cancel", false, "ends a job; forget deletes its record"),
    ("apply", false, "the user's files, with the token of a preview"),
];

/// Tells.
pub(super) fn capabilities(service: &Service) -> Outcome {
    let config = service.config()?;
    let tools: Vec<Value> = TOOLS
        .iter()
        .map(|(name, paid, changes)| json!({"name": name, "paid": paid, "changes": changes}))
        .collect();
    let peers: Vec<Value> = Peer::ALL
        .iter()
        .map(|peer| json!({"name": peer, "tested": peer.tested().range(), "asked_here": *peer == service.peer()}))
        .collect();
    let knobs: Vec<&str> = options::TABLE.iter().map(|row| row.name).collect();
    Ok(Reply {
        summary: format!(
            "{} tools, {} of them paid; the fingerprint changes when a schema or an error code does.",
            TOOLS.len(),
            TOOLS.iter().filter(|tool| tool.1).count()
        ),
        body: object(json!({
            "capabilities": {
                "tools": tools,
                "peers": peers,
                "topics": Topic::NAMES,
                "consult_kinds": ConsultKind::NAMES,
                "apply_actions": ApplyAction::NAMES,
                "options": knobs,
                "error_codes": FaultCode::ALL.len(),
                "limits": {
                    "concurrency": config.concurrency.value,
                    "timeout_s": config.timeout.value.as_secs(),
                    "prompt_bytes": config.prompt_bytes.value,
                    "argument_bytes": limits::ARGUMENT_BYTES,
                    "inline_bytes": limits::INLINE_BYTES,
                    "tasks": TASKS_MAX,
                    "attempts": ATTEMPTS_MAX,
                    "checks": CHECKS_MAX,
                    "retention_s": limits::RETENTION.as_secs(),
                },
            },
        })),
        next_steps: vec![
            "status topic=options tells each option, topic=errors each code, topic=policy the settings"
                .to_owned(),
        ],
        ..Reply::default()
    })
}
