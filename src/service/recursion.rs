//! A peer that we started must not call us for another peer, and so on for ever.

use crate::config::Config;
use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::fault::{Fault, FaultCode};
use crate::peer::event::Event;
use crate::service::call::Call;
use crate::state::events;
use crate::state::store::Store;

/// Active jobs looked at; there are at most as many as slots and queue places, and mostly none.
const ACTIVE: usize = 32;

/// Refuses a paid call from inside a run of ours.
///
/// A run is recognised by our own depth variable, or by the caller's thread being the thread of a job that runs now:
/// codex puts its thread into the environment of its commands, and as a host into each call.
pub fn check(environment: &Environment, config: &Config, store: &Store, call: &Call) -> Result<(), Fault> {
    let depth: u32 = environment
        .text(DEPTH_VARIABLE)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    if depth >= config.depth.value {
        let message = format!("the call comes from inside a run of crosscheck (depth {depth})");
        return Err(Fault::new(FaultCode::RecursionRefused, message));
    }
    let names = ["CODEX_THREAD_ID", "CLAUDE_CODE_SESSION_ID"];
    let mut threads: Vec<&str> = names.iter().filter_map(|name| environment.text(name)).collect();
    threads.extend(call.host_thread.as_deref());
    if depth == 0 && config.depth.value == 1 && !threads.is_empty() && any_runs(store, &threads) {
        let message = "the call comes from inside the thread of a running job";
        return Err(Fault::new(FaultCode::RecursionRefused, message));
    }
    Ok(())
}

fn any_runs(store: &Store, threads: &[&str]) -> bool {
    let Ok(active) = store.list_active(ACTIVE) else {
        return false;
    };
    active.iter().any(|job| {
        events::read_all(&job.directory.events_path())
            .iter()
            .any(|entry| matches!(&entry.event, Event::ThreadStarted { thread } if threads.contains(&thread.as_str())))
    })
}
