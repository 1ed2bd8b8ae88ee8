//! A peer that we started must not call us for another peer, and so on for ever.

use crate::config::Config;
use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::peer::event::Event;
use crate::service::call::Call;
use crate::state::directory::JobDirectory;
use crate::state::events;
use crate::state::store::Store;

/// Active jobs looked at: as many as can run and wait at once, since the one that calls may be the oldest of them.
const ACTIVE: usize = limits::QUEUE_MAX + limits::CONCURRENCY_MAX + 1;
/// Bytes of an event log in which the thread of its run is named: it is the first thing that a peer says, behind a few
/// notes of the worker's own. A thread that is begun anew, as after a network came back, keeps its name.
const OPENING_BYTES: u64 = 256 * 1024;

/// Refuses a paid call from inside as many runs of ours as may be nested; returns in how many it is made.
///
/// A run is recognised by our own depth variable, or by the caller's thread being the thread of a job that runs now:
/// codex puts its thread into the environment of its commands (`CODEX_THREAD_ID`) and as a host into each call
/// (`_meta.threadId`), and Claude Code names its conversation (`CLAUDE_CODE_SESSION_ID`). None of them can be forged into
/// more than it is: a command that takes them out of its environment still has no network in its sandbox.
pub fn check(environment: &Environment, config: &Config, store: &Store, call: &Call) -> Result<u32, Fault> {
    let allowed = config.depth.value;
    let depth = told_depth(environment);
    if depth >= allowed {
        let message = format!("the call comes from inside a run of crosscheck (depth {depth})");
        return Err(Fault::new(FaultCode::RecursionRefused, message));
    }
    let names = Peer::thread_variables();
    let mut threads: Vec<&str> = names.iter().filter_map(|name| environment.text(name)).collect();
    threads.extend(call.host_thread.as_deref());
    let depth = depth.max(depth_of_threads(store, &threads));
    if depth >= allowed {
        let message = "the call comes from inside the thread of a running job";
        return Err(Fault::new(FaultCode::RecursionRefused, message));
    }
    Ok(depth)
}

/// Returns the depth that our own variable tells. One that cannot be read was not written by us, and counts as deepest:
/// taken for none it would be a way out.
fn told_depth(environment: &Environment) -> u32 {
    match environment.get(DEPTH_VARIABLE) {
        None => 0,
        Some(text) => text
            .to_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(u32::MAX),
    }
}

/// Returns how deep a caller is whose thread is one of these: one more than the deepest job that runs in it.
fn depth_of_threads(store: &Store, threads: &[&str]) -> u32 {
    if threads.is_empty() {
        return 0;
    }
    let Ok(active) = store.list_active(ACTIVE) else {
        return 0;
    };
    let runs_here = active.iter().map(|job| &job.directory).filter(|job| {
        job.was_started() && events::opening(&job.events_path(), OPENING_BYTES).iter().any(
            |entry| matches!(&entry.event, Event::ThreadStarted { thread } if threads.contains(&thread.as_str())),
        )
    });
    runs_here.map(depth_inside).max().unwrap_or(0)
}

fn depth_inside(job: &JobDirectory) -> u32 {
    job.read_spec()
        .map_or(u32::MAX, |spec| spec.depth.saturating_add(1))
}
