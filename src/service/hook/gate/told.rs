//! What the stop gate is set to and what it last said, for whoever asks. Looks only.

use std::path::Path;

use serde_json::{Value, json};

use crate::domain::gate::{Mode, REVIEWS, ROUNDS, Verdict, text};
use crate::domain::request::StateFilter;
use crate::domain::time::rfc3339;
use crate::peer::codex::hooks;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::hook::gate::VARIABLE;
use crate::service::hook::gate::review::judge_job;
use crate::service::plugin_settings;
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;
use crate::state::gates;
use crate::state::record::Starter;
use crate::state::sessions;
use crate::state::store::Store;
use crate::sys::files;

/// Jobs of the workspace among which the gate's last one is looked for, the newest.
const JOBS: usize = 200;

/// Bytes of a file of hooks that are read.
const HOOKS_BYTES: u64 = 1024 * 1024;

/// Tells.
pub(in crate::service) fn status(service: &Service, workspace: Option<&Path>, call: &Call) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let place = Workspace::resolve(service, workspace, &config)?;
    let environment = service.environment();
    let variable = environment.text(VARIABLE);
    let in_force = |chosen: Option<&str>| {
        let by_host = Mode::in_force(chosen, variable);
        config.gate.value.map_or(by_host, |most| by_host.min(most))
    };
    let of_plugin = plugin_settings::own(environment, "gate");
    let claude_code = in_force(of_plugin.as_deref());
    let file = hooks::file(environment);
    let text = file
        .as_deref()
        .and_then(|file| files::read_bounded_linked(file, HOOKS_BYTES).ok());
    let of_entry = text.map(|text| hooks::chosen(&String::from_utf8_lossy(&text)));
    let codex = in_force(of_entry.map(Mode::as_str));
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
    let reviewed = match &last {
        None => "It has reviewed nothing here yet".to_owned(),
        Some(last) => format!(
            "Its last review here: {}",
            last["verdict"].as_str().unwrap_or("unknown")
        ),
    };
    let mut codex_view = object(json!({"mode": codex.as_str(), "file": file}));
    if codex == Mode::Off {
        codex_view.insert(
            "entries".to_owned(),
            hooks::entries(service.program(), Mode::Hard),
        );
    }
    let mut gate = object(json!({
        "claude_code": {"mode": claude_code.as_str()},
        "codex": codex_view,
        "most_by_config": config.gate.value.map(Mode::as_str),
        "most_by_variable": variable.and_then(Mode::named).map(Mode::as_str),
        "last": last,
        "session": session,
        "limits": {"rounds_of_a_prompt": ROUNDS, "reviews_of_a_session": REVIEWS},
    }));
    gate.retain(|_, value| !value.is_null());
    let switch = |mode, host: &str, on: &str, off: &str| match mode {
        Mode::Off => format!("{host}, to switch it on: {on}"),
        Mode::Soft | Mode::Hard => format!("{host}: {off}"),
    };
    Ok(Reply {
        summary: format!(
            "The stop gate is {} in Claude Code and {} in Codex. {reviewed}.",
            claude_code.as_str(),
            codex.as_str()
        ),
        body: object(json!({"gate": gate})),
        next_steps: vec![
            switch(
                claude_code,
                "Claude Code",
                "/plugin, codex, configure, gate = soft or hard",
                text::OFF,
            ),
            switch(
                codex,
                "Codex",
                "add the entries above to its file of hooks, and trust them in /hooks",
                text::OFF_IN_CODEX,
            ),
        ],
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
        "peer": job.spec.peer.name,
        "at": rfc3339(id.created_ms()),
        "verdict": verdict,
        "findings": findings,
        "reason": reason,
    }))
}
