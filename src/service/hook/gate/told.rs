//! What the stop gate is set to and what it last said, for whoever asks. Looks only.

use std::path::Path;

use serde_json::{Value, json};

use crate::domain::gate::{Mode, REVIEWS, ROUNDS, Verdict, text};
use crate::domain::request::StateFilter;
use crate::domain::time::rfc3339;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::hook::gate::{OPTION, VARIABLE, judge_job};
use crate::service::plugin_settings;
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;
use crate::state::gates;
use crate::state::record::Starter;
use crate::state::sessions;
use crate::state::store::Store;

/// Jobs of the workspace among which the gate's last one is looked for, the newest.
const JOBS: usize = 200;

/// Tells.
pub(in crate::service) fn status(service: &Service, workspace: Option<&Path>, call: &Call) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let place = Workspace::resolve(service, workspace, &config)?;
    let environment = service.environment();
    let chosen = environment
        .text(OPTION)
        .map(str::to_owned)
        .or_else(|| plugin_settings::own(environment, "gate"));
    let variable = environment.text(VARIABLE);
    let by_host = Mode::in_force(chosen.as_deref(), variable);
    let mode = config.gate.value.map_or(by_host, |most| by_host.min(most));
    let last = last(&store, &place);
    let session = call
        .host_process
        .as_ref()
        .and_then(|host| sessions::of_process(&store, host))
        .map(|session| {
            let gate = gates::read(&store, &session.name);
            let rounds = gate.rounds.of(&gates::prompt(&store, &session.name));
            json!({"reviews": gate.reviews, "rounds": rounds, "findings_told": gate.told.len()})
        });
    let said = match (mode, &last) {
        (Mode::Off, _) => "The stop gate is off".to_owned(),
        (mode, None) => format!(
            "The stop gate is {}; it has reviewed nothing here yet",
            mode.as_str()
        ),
        (mode, Some(last)) => format!(
            "The stop gate is {}; its last review here: {}",
            mode.as_str(),
            last["verdict"].as_str().unwrap_or("unknown")
        ),
    };
    let hint = match mode {
        Mode::Off => "in Claude Code: /plugin, codex, configure, gate = soft or hard; in Codex: `crosscheck gate --hooks` prints what to add"
            .to_owned(),
        Mode::Soft | Mode::Hard => text::OFF.to_owned(),
    };
    Ok(Reply {
        summary: format!("{said}."),
        body: object(json!({
            "gate": {
                "mode": mode.as_str(),
                "chosen_in_host": chosen.as_deref().and_then(Mode::named).map(Mode::as_str),
                "most_by_config": config.gate.value.map(Mode::as_str),
                "most_by_variable": variable,
                "last": last,
                "session": session,
                "limits": {"rounds_of_a_prompt": ROUNDS, "reviews_of_a_session": REVIEWS},
            },
        })),
        next_steps: vec![hint],
        ..Reply::default()
    })
}

/// Returns the newest review of the gate's in this working tree, and what came of it.
fn last(store: &Store, place: &Workspace) -> Option<Value> {
    let (jobs, _) = store.list(Some(place.hash()), StateFilter::All, JOBS).ok()?;
    let job = jobs
        .into_iter()
        .find(|job| job.spec.starter == Some(Starter::Gate))?;
    let id = job.spec.id.clone();
    let (verdict, findings, reason) = if job.state.is_active() {
        ("running", 0, None)
    } else {
        match judge_job(&store.directory(&id), &[]) {
            Ok(Verdict::Pass) => ("pass", 0, None),
            Ok(Verdict::Block(findings)) => ("block", findings.len(), None),
            Ok(Verdict::CouldNotRun(reason)) => ("could_not_run", 0, Some(reason.as_str())),
            Err(_) => ("could_not_run", 0, Some("the record cannot be read")),
        }
    };
    Some(json!({
        "job": id.to_string(),
        "at": rfc3339(id.created_ms()),
        "verdict": verdict,
        "findings": findings,
        "reason": reason,
    }))
}
