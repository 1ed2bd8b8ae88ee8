//! A peer that we started must not call us for another peer, and so on for ever.

use crate::config::Config;
use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::peer::event::Event;
use crate::service::call::Call;
use crate::state::directory::JobDirectory;
use crate::state::events::{self, Entry};
use crate::state::record::{Expects, Spec};
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
    let runs_here = active.iter().filter(|job| {
        let path = job.directory.events_path();
        let is_here = |entry: &Entry| {
            matches!(&entry.event, Event::ThreadStarted { thread } if threads.contains(&thread.as_str()))
        };
        let entries = if opens_late(&job.spec) {
            events::read_all(&path)
        } else {
            events::opening(&path, OPENING_BYTES)
        };
        job.directory.was_started() && entries.iter().any(is_here)
    });
    let runs_here = runs_here.map(|job| &job.directory);
    runs_here.map(depth_inside).max().unwrap_or(0)
}

/// Tells whether a job opens threads at any time: each pass of a planned review has its own.
fn opens_late(spec: &Spec) -> bool {
    matches!(&spec.expects, Expects::Review { plan: Some(plan), .. } if !plan.is_one_look())
}

fn depth_inside(job: &JobDirectory) -> u32 {
    job.read_spec()
        .map_or(u32::MAX, |spec| spec.depth.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobId, WorkspaceHash};
    use crate::domain::review_plan::{Depth, ReviewPlan};
    use crate::state::events::EventLog;
    use crate::state::record::tests::spec;
    use crate::sys::lock::HeldLock;

    #[test]
    fn the_thread_of_a_late_pass_is_inside_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        let job = store.directory(&id);
        std::fs::create_dir_all(job.path()).unwrap();
        let mut spec = spec(&id);
        spec.expects = Expects::Review {
            target: Box::default(),
            coverage: Box::new(crate::domain::coverage::Coverage::count(
                1,
                1,
                0,
                Vec::new(),
                crate::domain::coverage::RedactionReport::default(),
            )),
            earlier: None,
            standing: None,
            plan: Some(Box::new(ReviewPlan {
                depth: Depth::Standard,
                parts: Vec::new(),
                hash: String::new(),
                language: None,
            })),
        };
        std::fs::write(job.spec_path(), serde_json::to_vec(&spec).unwrap()).unwrap();
        job.mark_started(1).unwrap();
        let _held = HeldLock::try_take(&job.lock_path()).unwrap().unwrap();
        let mut log = EventLog::open(&job.events_path()).unwrap();
        for _ in 0..40 {
            let text = "x".repeat(10_000);
            log.append_of(Some(1), &Event::Thinking { text }).unwrap();
        }
        let thread = "019a0000-0000-7000-8000-000000000002".to_owned();
        log.append_of(
            Some(2),
            &Event::ThreadStarted {
                thread: thread.clone(),
            },
        )
        .unwrap();
        assert_eq!(depth_of_threads(&store, &[&thread]), 1);
        assert_eq!(depth_of_threads(&store, &["another"]), 0);
    }
}
