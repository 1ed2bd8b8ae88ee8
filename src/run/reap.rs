//! Gives a lost job its result: its worker died, what it left is collected and its peer is ended.

use std::io::ErrorKind;
use std::time::Duration;

use crate::domain::delegation::Work;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::peer::transcript::Transcript;
use crate::run::delegate::{collect_left, commands_outside};
use crate::run::masking::mask;
use crate::run::remains::Remains;
use crate::run::review::salvaged as salvaged_passes;
use crate::run::runner::{Runner, Salvaged};
use crate::run::span::so_far;
use crate::run::wake::tell_end;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events;
use crate::state::record::{Expects, Spec};
use crate::state::store::Store;
use crate::sys::lock::HeldLock;
use crate::sys::process::end_all;
use crate::sys::{seam, signal};

/// Told of a peer whose process number means nothing here.
const ELSEWHERE: &str = "was started on another machine, in another container or before a restart; if it still runs \
    there, it was not ended";

/// The longest that somebody else's reaping is waited for: ending what lives on takes two seconds at most.
const OTHERS_WAIT: Duration = Duration::from_secs(4);
/// Time between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);

/// Writes the result of a lost job, or waits until somebody else has. Does nothing when the job is not lost.
///
/// Whoever was told that a job is lost may rely on its end: nothing of it runs any more and its result is there.
pub async fn reap(directory: &JobDirectory) -> Result<(), StateError> {
    // A job that was reaped is lost for ever; nobody needs its lock again.
    if directory.state()? != JobState::Lost || directory.read_result()?.is_some() {
        return Ok(());
    }
    let Some(lock) = lock_of_lost(directory).await? else {
        return Ok(());
    };
    seam::point("reap.locked");
    let runner = directory.read_spec().ok().map(|spec| Runner::of(&spec));
    // Before anything is ended: what codex printed to a worker that died is no loss.
    let salvaged = runner.map(|runner| runner.salvage(directory));
    if salvaged == Some(Salvaged::Found) {
        drop(lock);
        return Ok(());
    }
    let mut orphans = Vec::new();
    let peers = directory.read_peers();
    let elsewhere = peers.iter().any(|peer| !peer.is_of_here());
    for peer in peers.into_iter().filter(signal::ProcessIdentity::is_alive) {
        orphans.extend(signal::descendants(peer.pid));
        peer.signal(rustix::process::Signal::INT);
        orphans.push(peer);
    }
    // Once codex is gone nobody else knows the commands it started in sessions of their own; but they keep the
    // temporary folder that no other job has. A command that changed the variable is not found.
    orphans.extend(signal::with_folder("TMPDIR", &directory.tmp_path()));
    let leaked = end_all(orphans).await;
    seam::point("reap.ended");
    // Only now: what runs is ended also where the record is damaged.
    let spec = directory.read_spec()?;
    let (message, hint) = match salvaged {
        Some(Salvaged::Lost { message, hint }) => (message, hint),
        // The record is readable again, and nothing more is known.
        Some(Salvaged::Found) | None => (
            "the job's worker died; what the run had said is kept".to_owned(),
            None,
        ),
    };
    let mut warnings = spec.warnings.clone();
    warnings.extend(elsewhere.then(|| format!("{} {ELSEWHERE}", spec.peer.name)));
    let entries = events::read_all(&directory.events_path());
    let mut transcript = Transcript::default();
    for entry in &entries {
        transcript.push(&entry.event);
    }
    let started = directory.started_ms();
    let last = entries.last().map(|entry| entry.at_ms);
    let elapsed_ms = started.zip(last).map_or(0, |(start, end)| {
        so_far(start, end, transcript.slept_ms, spec.timeout_ms).elapsed_ms
    });
    let mut fault = Fault::new(FaultCode::JobLost, message);
    if let Some(hint) = hint {
        fault = fault.hint(hint);
    }
    let work = left_work(directory, &spec, &transcript, &mut warnings).await;
    seam::point("reap.collected");
    let mut remains = Remains {
        transcript,
        leaked,
        elapsed_ms,
        warnings,
        work,
        ..Remains::default()
    };
    if let Expects::Review { plan: Some(_), .. } = &spec.expects {
        salvaged_passes(directory, &spec, &entries, &mut remains);
    }
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
    tell_end(&Store::around(directory), &spec);
    Ok(())
}

/// Collects what a lost delegate job left in its worktree. What cannot be collected is told.
async fn left_work(
    directory: &JobDirectory,
    spec: &Spec,
    transcript: &Transcript,
    warnings: &mut Vec<String>,
) -> Option<Work> {
    let Expects::Delegate { delegation } = &spec.expects else {
        return None;
    };
    let (place, asked) = (directory.clone(), spec.clone());
    let collecting = tokio::task::spawn_blocking(move || collect_left(&place, &asked));
    match collecting.await {
        Ok(Ok(Some((mut work, told)))) => {
            warnings.extend(told);
            warnings.push(format!(
                "what {} had done so far was collected after its worker died; no checks were run",
                spec.peer.name
            ));
            work.scope.commands = commands_outside(delegation, transcript);
            Some(work)
        }
        Ok(Ok(None)) => None,
        Ok(Err(error)) => {
            warnings.push(format!(
                "what {} had done could not be collected: {}",
                spec.peer.name,
                mask(&error.to_string())
            ));
            None
        }
        Err(error) => {
            tracing::error!(%error, "collecting stopped unexpectedly");
            None
        }
    }
}

/// Ends what is left of a job whose worker was killed with its slot: its peer counts as long as it lives.
///
/// A dying process lets go of its locks one after the other, and somebody else may be reaping, so a job that looks alive
/// is waited for. What is wrong with that job otherwise is told to those who look at it.
pub async fn reap_killed(directory: &JobDirectory) {
    let deadline = tokio::time::Instant::now() + OTHERS_WAIT;
    while directory.state().is_ok_and(JobState::is_active)
        && !directory.is_elsewhere()
        && tokio::time::Instant::now() < deadline
    {
        tokio::time::sleep(PAUSE).await;
    }
    if let Err(error) = reap(directory).await {
        tracing::warn!(%error, "what a killed worker left is not collected");
    }
}

/// Takes the lock of a lost job; `None` when the result is there meanwhile, or somebody else holds it for too long.
///
/// No worker takes it any more. It is held by another reaper, or for a moment by somebody who only looks.
async fn lock_of_lost(directory: &JobDirectory) -> Result<Option<HeldLock>, StateError> {
    let path = directory.lock_path();
    let deadline = tokio::time::Instant::now() + OTHERS_WAIT;
    loop {
        let lock = match HeldLock::try_take(&path) {
            Ok(lock) => lock,
            // Its directory is gone.
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(StateError::NoSuchJob),
            Err(error) => return Err(StateError::io("lock", path)(error)),
        };
        // Between the look and the lock somebody may have written it.
        if directory.read_result()?.is_some() {
            return Ok(None);
        }
        if lock.is_some() || tokio::time::Instant::now() > deadline {
            return Ok(lock);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::lock::SharedLock;

    #[tokio::test]
    async fn a_look_at_a_lost_job_waits_for_whoever_reaps_it() {
        let dir = tempfile::tempdir().unwrap();
        let job = JobDirectory::at(dir.path());
        std::fs::write(job.spec_path(), "{}").unwrap();
        // Somebody who only looks: enough to keep a reaper from the lock.
        let other = SharedLock::take(&job.lock_path());
        let mut reaping = tokio::spawn(async move { reap(&job).await });
        let early = tokio::time::timeout(PAUSE * 10, &mut reaping).await;
        assert!(early.is_err(), "{early:?}");
        drop(other);
        // The record of this job cannot be read, so the reaper gets no further; but it tries.
        let outcome = reaping.await.unwrap();
        assert!(matches!(outcome, Err(StateError::Damaged { .. })), "{outcome:?}");
    }
}
