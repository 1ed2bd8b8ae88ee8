//! What the harness wants to go wrong: a text file of one instruction a line, read when the process is armed.
//!
//! - `pause POINT ROLE NTH`: when this role passes the point for the NTH time, write `reached` (the process number and
//!   the point) into the plan's folder and stand still until the file `go` is there.
//! - `fail OPERATION ROLE NTH COUNT ERRNO`: the NTH operation of that kind (`any` counts all) in one process of this role
//!   fails with this error number, and the COUNT - 1 after it, until there is a file `healed` in the plan's folder.
//! - `clock ROLE NTH MILLISECONDS`: from the NTH look at the wall clock on it is off by so much.
//! - `boot NAME`: the machine calls this boot so.
//!
//! Every fault that takes effect appends a line to the file `fired`, so that a plan that missed is known as one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Operation;

/// Every point there is, in the order in which a job passes them.
pub const POINTS: [&str; 99] = [
    "submit.begun",
    "submit.keys_locked",
    "submit.queue_checked",
    "create.draft_made",
    "create.locked",
    "create.prompt_written",
    "create.parts_written",
    "create.schema_written",
    "create.change_written",
    "create.spec_written",
    "create.draft_synced",
    "create.renamed",
    "create.synced",
    "submit.keys_stored",
    "start.log_opened",
    "start.spawned",
    "submit.started",
    "wait.begun",
    "wait.ended",
    "deliver.read",
    "deliver.marked",
    "worker.begun",
    "worker.adopted",
    "worker.spec_read",
    "slot.taken",
    "slot.started",
    "slot.reserved",
    "run.begun",
    "peer.spawned",
    "peer.noted",
    "peer.fed",
    "peer.said",
    "peer.logged",
    "peer.ended",
    "peer.swept",
    "run.judged",
    "run.repair",
    "pass.begun",
    "pass.written",
    "review.looked",
    "review.checked",
    "finish.begun",
    "finish.answer_written",
    "finish.allocated",
    "finish.written",
    "finish.renamed",
    "finish.kept",
    "finish.cleaned",
    "finish.evicted",
    "cancel.begun",
    "cancel.requested",
    "cancel.seen",
    "cancel.ended",
    "cancel.forgetting",
    "delete.renamed",
    "delete.removed",
    "reap.locked",
    "reap.ended",
    "reap.salvaged",
    "reap.written",
    "evict.decided",
    "delegate.snapped",
    "delegate.rooted",
    "worktree.noted",
    "tree.owned",
    "tree.checked_out",
    "tree.renewing",
    "tree.renewed",
    "worktree.taken",
    "task.prepared",
    "task.asked",
    "collect.committed",
    "collect.kept",
    "collect.packed",
    "collect.patched",
    "task.collected",
    "task.checked",
    "tree.idle",
    "reap.collected",
    "cloud.followed",
    "cloud.noted",
    "cloud.spawned",
    "cloud.printed",
    "cloud.kept",
    "cloud.fetched",
    "cloud.diff_kept",
    "apply.decided",
    "landing.checked",
    "landing.journaled",
    "landing.staging",
    "landing.staged",
    "landing.swapped",
    "landing.folder_removed",
    "landing.folder_made",
    "landing.in_place",
    "landing.landed",
    "landing.sweeping",
    "landing.undone",
    "landing.putting_back",
];

/// The longest a halted process waits for the harness, which may have died itself.
const PATIENCE: Duration = Duration::from_secs(60);

static ARMED: OnceLock<Armed> = OnceLock::new();

#[derive(Debug)]
struct Armed {
    folder: PathBuf,
    pauses: Vec<Pause>,
    failures: Vec<Failure>,
    clocks: Vec<Clock>,
    boot: Option<String>,
}

#[derive(Debug)]
struct Pause {
    point: String,
    nth: u64,
    passed: AtomicU64,
}

#[derive(Debug)]
struct Failure {
    operation: String,
    nth: u64,
    count: u64,
    errno: i32,
    done: AtomicU64,
}

#[derive(Debug)]
struct Clock {
    nth: u64,
    skew_ms: i64,
    looked: AtomicU64,
}

/// Arms this process with the plan in this folder, as `role`: `server`, `worker` or `follower`. Once, before anything else.
///
/// A line that cannot be read is an error: a harness with a misspelt fault would prove nothing.
pub fn arm(folder: &Path, role: &str) -> io::Result<()> {
    let text = fs::read_to_string(folder.join("plan"))?;
    let mut armed = Armed {
        folder: folder.to_owned(),
        pauses: Vec::new(),
        failures: Vec::new(),
        clocks: Vec::new(),
        boot: None,
    };
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        armed
            .take(line, role)
            .ok_or_else(|| io::Error::other(format!("a plan with the line `{line}`")))?;
    }
    ARMED.set(armed).map_err(|_| io::Error::other("armed twice"))
}

impl Armed {
    fn take(&mut self, line: &str, own_role: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_own = |role: &str| role == own_role || role == "each";
        match words.as_slice() {
            ["pause", point, role, nth] => {
                POINTS.contains(point).then_some(())?;
                let nth = nth.parse().ok()?;
                if is_own(role) {
                    self.pauses.push(Pause {
                        point: (*point).to_owned(),
                        nth,
                        passed: AtomicU64::new(0),
                    });
                }
            }
            ["fail", operation, role, nth, count, errno] => {
                ["any", "open", "write", "sync", "rename", "mkdir", "lock", "spawn"]
                    .contains(operation)
                    .then_some(())?;
                let (nth, count, errno) = (nth.parse().ok()?, count.parse().ok()?, errno.parse().ok()?);
                if is_own(role) {
                    self.failures.push(Failure {
                        operation: (*operation).to_owned(),
                        nth,
                        count,
                        errno,
                        done: AtomicU64::new(0),
                    });
                }
            }
            ["clock", role, nth, skew_ms] => {
                let (nth, skew_ms) = (nth.parse().ok()?, skew_ms.parse().ok()?);
                if is_own(role) {
                    self.clocks.push(Clock {
                        nth,
                        skew_ms,
                        looked: AtomicU64::new(0),
                    });
                }
            }
            ["boot", name] => self.boot = Some((*name).to_owned()),
            _ => return None,
        }
        Some(())
    }

    fn note(&self, what: &str) {
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("fired"));
        if let Ok(mut file) = file {
            let _ = file.write_all(format!("{} {what}\n", std::process::id()).as_bytes());
        }
    }
}

pub(super) fn point(name: &'static str) {
    debug_assert!(POINTS.contains(&name), "`{name}` is not listed");
    let Some(armed) = ARMED.get() else { return };
    for pause in armed.pauses.iter().filter(|pause| pause.point == name) {
        if pause.passed.fetch_add(1, Ordering::Relaxed) + 1 == pause.nth {
            halt(armed, name);
        }
    }
}

fn halt(armed: &Armed, name: &str) {
    armed.note(name);
    let draft = armed.folder.join(format!("reached-{}", std::process::id()));
    if fs::write(&draft, format!("{} {name}\n", std::process::id())).is_err()
        || fs::rename(&draft, armed.folder.join("reached")).is_err()
    {
        return;
    }
    let begun = Instant::now();
    while !armed.folder.join("go").exists() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn before(operation: Operation) -> io::Result<()> {
    let Some(armed) = ARMED.get() else { return Ok(()) };
    let name = match operation {
        Operation::Open => "open",
        Operation::Write => "write",
        Operation::Sync => "sync",
        Operation::Rename => "rename",
        Operation::MakeDirectory => "mkdir",
        Operation::Lock => "lock",
        Operation::Spawn => "spawn",
    };
    let counted = armed
        .failures
        .iter()
        .filter(|failure| failure.operation == name || failure.operation == "any");
    for failure in counted {
        let number = failure.done.fetch_add(1, Ordering::Relaxed) + 1;
        if (failure.nth..failure.nth.saturating_add(failure.count)).contains(&number)
            && !armed.folder.join("healed").exists()
        {
            armed.note(&format!("{name} {number}"));
            return Err(io::Error::from_raw_os_error(failure.errno));
        }
    }
    Ok(())
}

pub(super) fn clock_skew_ms() -> i64 {
    let Some(armed) = ARMED.get() else { return 0 };
    armed
        .clocks
        .iter()
        .filter(|clock| clock.looked.fetch_add(1, Ordering::Relaxed) + 1 >= clock.nth)
        .map(|clock| clock.skew_ms)
        .sum()
}

pub(super) fn pretended_boot() -> Option<String> {
    ARMED.get()?.boot.clone()
}
