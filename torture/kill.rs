//! Kill points: at every step of a job's life the process that takes it is halted, and one of the processes, or all of
//! them, are killed or told to end. Then everything is started again and the disk is audited.

use std::collections::BTreeSet;

use crosscheck::sys::seam::POINTS;
use rustix::process::Signal;

use crate::kill_case;
use crate::kill_clouds;
use crate::kill_landing;
use crate::parts::{Asked, Length, Report, side_by_side};

/// Cases that run side by side.
const THREADS: usize = 2;

/// What happens while the point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// A consult is asked and waited for.
    Consult,
    /// A consult whose peer says something and is then busy for a minute.
    Slow,
    /// A consult with an answer that gets a file of its own.
    Long,
    /// A review: it has a change and a schema.
    Review,
    /// A review whose first answer cannot be read.
    Repair,
    /// A review of a change in two parts, whose findings are checked.
    Parts,
    /// A slow consult is cancelled by a second server.
    Cancel,
    /// The same, and the peer and its grandchild ignore INT and TERM.
    Stubborn,
    /// A finished job is forgotten.
    Forget,
    /// The worker of a slow consult was killed, and somebody looks.
    Reap,
    /// A consult ends while there is a job that is old enough to be deleted.
    Evict,
    /// A delegate with a check that writes a file.
    Delegate,
    /// The same, where an earlier one left a worktree.
    DelegateAgain,
    /// The worker of a delegate was killed when its peer had made its edits, and somebody looks.
    DelegateReap,
}

impl Scene {
    /// Tells whether it is about a delegate.
    pub fn is_delegate(self) -> bool {
        matches!(self, Self::Delegate | Self::DelegateAgain | Self::DelegateReap)
    }
}

/// One way to pass a point.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// The point.
    pub point: &'static str,
    /// What happens.
    pub scene: Scene,
    /// Who passes it: `server` or `worker`.
    pub role: &'static str,
    /// For the how manieth time.
    pub nth: u64,
}

const fn spot(point: &'static str, scene: Scene, role: &'static str, nth: u64) -> Spot {
    Spot {
        point,
        scene,
        role,
        nth,
    }
}

/// Where to halt: first every point once, but for those of a landing (`kill_landing.rs`), then the same points in other
/// circumstances.
const SPOTS: &[Spot] = &[
    spot("submit.begun", Scene::Consult, "server", 1),
    spot("submit.keys_locked", Scene::Consult, "server", 1),
    spot("submit.queue_checked", Scene::Consult, "server", 1),
    spot("create.draft_made", Scene::Consult, "server", 1),
    spot("create.locked", Scene::Consult, "server", 1),
    spot("create.prompt_written", Scene::Consult, "server", 1),
    spot("create.parts_written", Scene::Parts, "server", 1),
    spot("create.schema_written", Scene::Review, "server", 1),
    spot("create.change_written", Scene::Review, "server", 1),
    spot("create.spec_written", Scene::Consult, "server", 1),
    spot("create.draft_synced", Scene::Consult, "server", 1),
    spot("create.renamed", Scene::Consult, "server", 1),
    spot("create.synced", Scene::Consult, "server", 1),
    spot("submit.keys_stored", Scene::Consult, "server", 1),
    spot("start.log_opened", Scene::Consult, "server", 1),
    spot("start.spawned", Scene::Consult, "server", 1),
    spot("submit.started", Scene::Consult, "server", 1),
    spot("wait.begun", Scene::Consult, "server", 1),
    spot("wait.ended", Scene::Consult, "server", 1),
    spot("deliver.read", Scene::Consult, "server", 1),
    spot("deliver.marked", Scene::Consult, "server", 1),
    spot("worker.begun", Scene::Consult, "worker", 1),
    spot("worker.adopted", Scene::Consult, "worker", 1),
    spot("worker.spec_read", Scene::Consult, "worker", 1),
    spot("slot.taken", Scene::Consult, "worker", 1),
    spot("slot.started", Scene::Consult, "worker", 1),
    spot("slot.reserved", Scene::Consult, "worker", 1),
    spot("run.begun", Scene::Consult, "worker", 1),
    spot("peer.spawned", Scene::Slow, "worker", 1),
    spot("peer.noted", Scene::Slow, "worker", 1),
    spot("peer.fed", Scene::Slow, "worker", 1),
    spot("peer.said", Scene::Slow, "worker", 3),
    spot("peer.logged", Scene::Slow, "worker", 3),
    spot("peer.ended", Scene::Consult, "worker", 1),
    spot("peer.swept", Scene::Consult, "worker", 1),
    spot("run.judged", Scene::Consult, "worker", 1),
    spot("run.repair", Scene::Repair, "worker", 1),
    spot("pass.begun", Scene::Parts, "worker", 1),
    spot("pass.written", Scene::Parts, "worker", 1),
    spot("review.looked", Scene::Parts, "worker", 1),
    spot("review.checked", Scene::Parts, "worker", 1),
    spot("finish.begun", Scene::Consult, "worker", 1),
    spot("finish.answer_written", Scene::Long, "worker", 1),
    spot("finish.allocated", Scene::Consult, "worker", 1),
    spot("finish.written", Scene::Consult, "worker", 1),
    spot("finish.renamed", Scene::Consult, "worker", 1),
    spot("finish.kept", Scene::Consult, "worker", 1),
    spot("finish.cleaned", Scene::Consult, "worker", 1),
    spot("finish.evicted", Scene::Consult, "worker", 1),
    spot("cancel.begun", Scene::Cancel, "server", 1),
    spot("cancel.requested", Scene::Cancel, "server", 1),
    spot("cancel.seen", Scene::Cancel, "worker", 1),
    spot("cancel.ended", Scene::Cancel, "server", 1),
    spot("cancel.forgetting", Scene::Forget, "server", 1),
    spot("delete.renamed", Scene::Forget, "server", 1),
    spot("delete.removed", Scene::Forget, "server", 1),
    spot("reap.locked", Scene::Reap, "server", 1),
    spot("reap.ended", Scene::Reap, "server", 1),
    spot("reap.salvaged", Scene::Reap, "server", 1),
    spot("reap.written", Scene::Reap, "server", 1),
    spot("evict.decided", Scene::Evict, "worker", 1),
    spot("delegate.snapped", Scene::Delegate, "server", 1),
    spot("delegate.rooted", Scene::Delegate, "server", 1),
    spot("worktree.noted", Scene::Delegate, "worker", 1),
    spot("tree.owned", Scene::Delegate, "worker", 1),
    spot("tree.checked_out", Scene::Delegate, "worker", 1),
    spot("tree.renewing", Scene::DelegateAgain, "worker", 1),
    spot("tree.renewed", Scene::DelegateAgain, "worker", 1),
    spot("worktree.taken", Scene::Delegate, "worker", 1),
    spot("task.prepared", Scene::Delegate, "worker", 1),
    spot("task.asked", Scene::Delegate, "worker", 1),
    spot("collect.committed", Scene::Delegate, "worker", 1),
    spot("collect.kept", Scene::Delegate, "worker", 1),
    spot("collect.packed", Scene::Delegate, "worker", 1),
    spot("collect.patched", Scene::Delegate, "worker", 1),
    spot("task.collected", Scene::Delegate, "worker", 1),
    spot("task.checked", Scene::Delegate, "worker", 1),
    spot("tree.idle", Scene::Delegate, "worker", 1),
    spot("reap.collected", Scene::DelegateReap, "server", 1),
    // The same in other circumstances.
    spot("delete.renamed", Scene::Evict, "worker", 1),
    spot("delete.removed", Scene::Evict, "worker", 1),
    spot("finish.allocated", Scene::Reap, "server", 1),
    spot("finish.written", Scene::Reap, "server", 1),
    spot("finish.renamed", Scene::Reap, "server", 1),
    spot("peer.spawned", Scene::Repair, "worker", 2),
    spot("peer.noted", Scene::Repair, "worker", 2),
    spot("peer.fed", Scene::Repair, "worker", 2),
    spot("peer.ended", Scene::Repair, "worker", 2),
    spot("peer.said", Scene::Slow, "worker", 1),
    spot("peer.logged", Scene::Slow, "worker", 1),
    spot("wait.begun", Scene::Slow, "server", 1),
    spot("finish.written", Scene::Long, "worker", 1),
    spot("finish.renamed", Scene::Review, "worker", 1),
    spot("pass.begun", Scene::Parts, "worker", 2),
    spot("pass.begun", Scene::Parts, "worker", 3),
    spot("pass.written", Scene::Parts, "worker", 2),
    spot("pass.written", Scene::Parts, "worker", 3),
    spot("finish.written", Scene::Parts, "worker", 1),
    spot("finish.begun", Scene::Cancel, "worker", 1),
    spot("finish.written", Scene::Cancel, "worker", 1),
    spot("finish.kept", Scene::Cancel, "worker", 1),
    spot("cancel.requested", Scene::Stubborn, "server", 1),
    spot("cancel.seen", Scene::Stubborn, "worker", 1),
    spot("reap.locked", Scene::DelegateReap, "server", 1),
    spot("reap.ended", Scene::DelegateReap, "server", 1),
    spot("collect.committed", Scene::DelegateReap, "server", 1),
    spot("collect.kept", Scene::DelegateReap, "server", 1),
    spot("collect.patched", Scene::DelegateReap, "server", 1),
    spot("tree.idle", Scene::DelegateReap, "server", 1),
    spot("reap.written", Scene::DelegateReap, "server", 1),
    spot("submit.started", Scene::Delegate, "server", 1),
    spot("worktree.taken", Scene::DelegateAgain, "worker", 1),
    spot("collect.kept", Scene::DelegateAgain, "worker", 1),
    spot("peer.spawned", Scene::Delegate, "worker", 1),
    spot("peer.fed", Scene::Delegate, "worker", 1),
    spot("peer.ended", Scene::Delegate, "worker", 1),
    spot("finish.begun", Scene::Delegate, "worker", 1),
    spot("finish.written", Scene::Delegate, "worker", 1),
    spot("finish.renamed", Scene::Delegate, "worker", 1),
];

/// Whom it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The server that takes the step, else every server.
    Server,
    /// The worker.
    Worker,
    /// The peer.
    Peer,
    /// Everything that runs.
    All,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its number, for `--case`.
    pub number: u64,
    /// Where it halts.
    pub spot: Spot,
    /// Whom it hits.
    pub target: Target,
    /// With what.
    pub signal: Signal,
}

/// Ways to hit somebody at one spot.
const WAYS: usize = 8;

/// Lists all cases.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for spot in SPOTS {
        for target in [Target::Server, Target::Worker, Target::Peer, Target::All] {
            for signal in [Signal::KILL, Signal::TERM] {
                cases.push(Case {
                    number: cases.len() as u64,
                    spot: *spot,
                    target,
                    signal,
                });
            }
        }
    }
    cases
}

/// Runs the kill points of consults and reviews; the short run takes each point once.
pub fn run(asked: &Asked) -> Report {
    run_those(asked, |scene| !scene.is_delegate())
}

/// Runs the kill points of delegates.
pub fn run_delegates(asked: &Asked) -> Report {
    run_those(asked, Scene::is_delegate)
}

fn run_those(asked: &Asked, wanted: fn(Scene) -> bool) -> Report {
    let mut report = new_report();
    let unlisted = POINTS.iter().filter(|point| {
        !SPOTS.iter().any(|spot| spot.point == **point)
            && !kill_landing::knows(point)
            && !kill_clouds::knows(point)
    });
    for point in unlisted {
        report.violation(None, format!("the harness has no scene for the point {point}"));
    }
    let mut chosen: Vec<Case> = cases();
    chosen.retain(|case| wanted(case.spot.scene));
    if asked.length == Length::Short && asked.case.is_none() {
        let mut seen = BTreeSet::new();
        let first: Vec<bool> = SPOTS.iter().map(|spot| seen.insert(spot.point)).collect();
        let is_first = |case: &Case| first[usize::try_from(case.number).unwrap_or(0) / WAYS];
        // Being told to end takes the same ways in a delegate as in a consult, and so does the death of somebody else.
        let is_core = |case: &Case| {
            let own = if case.spot.role == "server" {
                Target::Server
            } else {
                Target::Worker
            };
            case.signal == Signal::KILL && (case.target == own || case.target == Target::All)
        };
        chosen.retain(|case| is_first(case) && (is_core(case) || !case.spot.scene.is_delegate()));
    }
    chosen.retain(|case| asked.wants(case.number));
    let points: BTreeSet<&str> = chosen.iter().map(|case| case.spot.point).collect();
    report.count("points", points.len() as u64);
    report.merge(side_by_side(&chosen, THREADS, |_: &mut Option<()>, case| {
        kill_case::run(case, None)
    }));
    report
}

/// The points at which a real codex differs from the scripted one.
const REAL: &[Spot] = &[
    spot("worker.adopted", Scene::Consult, "worker", 1),
    spot("slot.started", Scene::Consult, "worker", 1),
    spot("run.begun", Scene::Consult, "worker", 1),
    spot("peer.spawned", Scene::Slow, "worker", 1),
    spot("peer.noted", Scene::Slow, "worker", 1),
    spot("peer.fed", Scene::Slow, "worker", 1),
    spot("peer.said", Scene::Slow, "worker", 2),
    spot("peer.logged", Scene::Slow, "worker", 2),
    spot("peer.ended", Scene::Consult, "worker", 1),
    spot("peer.swept", Scene::Consult, "worker", 1),
    spot("run.judged", Scene::Consult, "worker", 1),
    spot("finish.written", Scene::Consult, "worker", 1),
    spot("finish.renamed", Scene::Consult, "worker", 1),
    spot("cancel.requested", Scene::Cancel, "server", 1),
    spot("cancel.seen", Scene::Cancel, "worker", 1),
    spot("reap.locked", Scene::Reap, "server", 1),
    spot("reap.ended", Scene::Reap, "server", 1),
];

/// Runs the core of the kill points with a real codex. Without one there is nothing to run, which the counts say.
pub fn run_real(asked: &Asked) -> Report {
    let mut report = new_report();
    let Some(codex) = &asked.codex else {
        println!("\nkill-real: NOT RUN HERE: it needs --codex PATH");
        report.count("points not run here", REAL.len() as u64);
        return report;
    };
    let mut chosen = Vec::new();
    for spot in REAL {
        for target in [Target::Worker, Target::Peer, Target::All] {
            chosen.push(Case {
                number: chosen.len() as u64,
                spot: *spot,
                target,
                signal: Signal::KILL,
            });
        }
    }
    chosen.retain(|case| asked.wants(case.number));
    report.count("points", REAL.len() as u64);
    report.merge(side_by_side(&chosen, THREADS, |_: &mut Option<()>, case| {
        kill_case::run(case, Some(codex))
    }));
    report
}

/// Returns a report whose counts stand in a readable order.
fn new_report() -> Report {
    let mut report = Report::default();
    for name in [
        "points",
        "cases",
        "of them nobody to hit",
        "jobs succeeded",
        "jobs failed",
        "jobs cancelled",
        "jobs lost",
        "lost with partial",
        "resumed",
        "peers paid",
        "results compared",
    ] {
        report.count(name, 0);
    }
    report
}
