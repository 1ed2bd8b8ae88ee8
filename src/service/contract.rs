//! The contract check by hand: every flag and pin of a run, tried on the installed peer, free of charge.

use serde_json::json;

use crate::domain::envelope::{Envelope, Meta};
use crate::peer::support::Support;
use crate::run::contract;
use crate::run::program::Program;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::reply::{Outcome, Reply};
use crate::sys::clock::Stopwatch;

/// The name of this use case in envelopes.
const NAME: &str = "contract";

/// Runs the check and wraps what came of it.
///
/// A peer that breaks the contract is a success of the check: the envelope lists every check, and its field `passed` is
/// false. A door that ends with an exit code takes it from there.
pub async fn call(service: &Service, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service).await;
    service.wrap(NAME, outcome, call, watch)
}

/// Tries the installed peer, whatever was found out before. Its body holds `version`, `range` (the tested versions),
/// `support`, `passed`, `broken` (names), `not_checked` (a number) and `checks`.
pub async fn run(service: &Service) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let peer = service.peer();
    let program = Program::find(peer, &config, service.environment(), &store).await?;
    let report = contract::check(service.environment(), &config, &store, &program).await?;
    let broken = report.broken();
    let not_checked = report.not_checked();
    let tested = peer.tested();
    let support = tested.support(&program.version, config.versions_of(peer).value.as_ref());
    let (held, all) = (
        report.checks.len() - not_checked - broken.as_deref().map_or(0, |names| names.split(", ").count()),
        report.checks.len(),
    );
    let summary = match &broken {
        None => format!(
            "{peer} {} {}: {held} checks held, {not_checked} were not made. Nothing was spent.",
            program.version,
            peer.contract_shows()
        ),
        Some(names) => format!(
            "{peer} {} no longer honours: {names} ({held} of {all} checks held). Nothing was spent.",
            program.version
        ),
    };
    let next_steps = match (&broken, support) {
        (Some(_), _) => vec![format!(
            "install a tested version with `npm install -g {}@{}`",
            peer.package(),
            tested.newest
        )],
        (None, Support::TooOld) => vec![format!(
            "paid calls refuse this version because of the range; [peer.{peer}] versions overrides it"
        )],
        (None, _) => Vec::new(),
    };
    Ok(Reply {
        summary,
        body: object(json!({
            "version": program.version.to_string(),
            "range": tested.range(),
            "support": support.as_str(),
            "program": program.path.display().to_string(),
            "passed": broken.is_none(),
            "broken": broken.as_deref().map(|names| names.split(", ").collect::<Vec<_>>()).unwrap_or_default(),
            "not_checked": not_checked,
            "checks": report.checks,
        })),
        next_steps,
        meta: Meta {
            peer_version: Some(program.version.to_string()),
            ..Meta::default()
        },
        ..Reply::default()
    })
}
