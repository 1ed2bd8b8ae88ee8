//! Gives a lost job its result: its worker died, what it left is collected and its peer is ended.

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::peer::transcript::Transcript;
use crate::run::conclude::Remains;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events;
use crate::sys::lock::HeldLock;
use crate::sys::process::end_all;
use crate::sys::{seam, signal};

/// Told of a peer whose process number means nothing here.
const ELSEWHERE: &str = "codex was started on another machine, in another container or before a restart; if it still runs \
    there, it was not ended";

/// Writes the result of a lost job. Does nothing when the job is not lost, or when somebody else is doing it.
pub async fn reap(directory: &JobDirectory) -> Result<(), StateError> {
    if directory.state()? != JobState::Lost {
        return Ok(());
    }
    let path = directory.lock_path();
    let Some(lock) = HeldLock::try_take(&path).map_err(StateError::io("lock", path))? else {
        return Ok(());
    };
    // Between the look and the lock somebody may have written it.
    if directory.read_result()?.is_some() {
        return Ok(());
    }
    seam::point("reap.locked");
    let spec = directory.read_spec()?;
    let mut orphans = Vec::new();
    let peers = directory.read_peers();
    let peer_was_started = !peers.is_empty();
    let mut warnings = spec.warnings.clone();
    if peers.iter().any(|peer| !peer.is_of_here()) {
        warnings.push(ELSEWHERE.to_owned());
    }
    for peer in peers.into_iter().filter(signal::ProcessIdentity::is_alive) {
        orphans.extend(signal::descendants(peer.pid));
        peer.signal(rustix::process::Signal::INT);
        orphans.push(peer);
    }
    // Once codex is gone nobody else knows the commands it started in sessions of their own; but they keep the
    // temporary folder that no other job has. A command that changed the variable is not found.
    orphans.extend(signal::with_variable("TMPDIR", directory.tmp_path().as_os_str()));
    let leaked = end_all(orphans).await;
    seam::point("reap.ended");
    let entries = events::read_all(&directory.events_path());
    let mut transcript = Transcript::default();
    for entry in &entries {
        transcript.push(&entry.event);
    }
    let started = directory.started_ms();
    let last = entries.last().map(|entry| entry.at_ms);
    let elapsed_ms = started
        .zip(last)
        .map_or(0, |(start, end)| end.saturating_sub(start))
        // Two looks at a clock that somebody set; no run is awake for longer than this.
        .min(spec.timeout_ms);
    // What `started` holds is not synced, so after a power cut only the note of a peer says for sure that one ran.
    let message = if started.is_some() || peer_was_started {
        "the job's worker died; what the run had said is kept"
    } else {
        "the job's worker died before the peer was started; nothing was paid"
    };
    let fault = Fault::new(FaultCode::JobLost, message);
    let remains = Remains {
        transcript,
        leaked,
        elapsed_ms,
        warnings,
    };
    let mut result = remains.failed(&spec, JobState::Lost, fault);
    if let Some(last) = last.or(started) {
        result.ended_ms = last;
    }
    seam::point("reap.salvaged");
    // The dead worker had set room aside for just this.
    let _ = std::fs::remove_file(directory.reserve_path());
    directory.write_result(&result)?;
    seam::point("reap.written");
    drop(lock);
    Ok(())
}
