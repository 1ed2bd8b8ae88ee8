//! Waits for a job without asking all the time.

use std::time::Duration;

use crate::domain::limits;
use crate::domain::usage::Usage;
use crate::peer::event::Event;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events;
use crate::sys::lock;
use crate::sys::watch::DirectoryWatch;

/// How long the worker may take from the job's result to its own end: it tidies up and is gone.
const WORKER_WAIT: Duration = Duration::from_secs(2);

/// Waits until a job is over, however long that takes. Dropping the future ends the wait and nothing else.
pub async fn wait_for_end(directory: &JobDirectory) -> Result<(), StateError> {
    let watch = DirectoryWatch::start(directory.path());
    while directory.state()?.is_active() {
        watch.changed().await;
    }
    Ok(())
}

/// Waits until the worker of a job that is over is gone too: it writes the result first and lets go of its lock last.
pub async fn wait_for_worker(directory: &JobDirectory) {
    let watch = DirectoryWatch::start(directory.path());
    let end = tokio::time::Instant::now() + WORKER_WAIT;
    while tokio::time::Instant::now() < end && lock::is_held(&directory.lock_path()).unwrap_or(false) {
        watch.changed().await;
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The job is over.
    Ended,
    /// The time was over first.
    TimeUp,
}

/// Follows one job.
pub struct Follower {
    directory: JobDirectory,
    watch: DirectoryWatch,
    offset: u64,
    phase: Option<String>,
    tokens: String,
    first: Option<String>,
}

impl Follower {
    /// Starts to follow, from what the peer does now: who comes late is not told the whole story.
    pub fn new(directory: &JobDirectory) -> Self {
        // Watched before the first look, so that nothing falls between the two.
        let watch = DirectoryWatch::start(directory.path());
        let newest = events::newest(&directory.events_path());
        let offset = newest.end();
        let (mut tokens, mut first) = (None, None);
        for entry in newest.take(limits::TAIL_MAX) {
            if let (None, Event::Tokens { used }) = (tokens, &entry.event) {
                tokens = Some(*used);
            }
            first = first.or_else(|| entry.event.phase());
            if tokens.is_some() && first.is_some() {
                break;
            }
        }
        Self {
            watch,
            directory: directory.clone(),
            offset,
            phase: None,
            tokens: tokens.map(so_far).unwrap_or_default(),
            first,
        }
    }

    /// Waits until the job is over, at most `time`; `told` hears what the peer does, and the tokens so far, whenever
    /// that changes.
    ///
    /// Dropping the future ends the wait and nothing else.
    pub async fn wait(
        &mut self,
        time: Duration,
        told: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Waited, StateError> {
        let deadline = tokio::time::Instant::now() + time;
        loop {
            self.tell_phases(told);
            if !self.directory.state()?.is_active() {
                // What happened between the two looks belongs to the story too.
                self.tell_phases(told);
                return Ok(Waited::Ended);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return Ok(Waited::TimeUp),
                () = self.watch.changed() => {}
            }
        }
    }

    /// Tells what the peer did since the last look, each phase once in its order.
    fn tell_phases(&mut self, told: &mut (dyn FnMut(&str) + Send)) {
        let (entries, offset) = events::read_from(&self.directory.events_path(), self.offset);
        self.offset = offset;
        let first = self.first.take().filter(|_| self.phase.is_none());
        if let Some(phase) = first {
            told(&format!("{phase}{}", self.tokens));
            self.phase = Some(phase);
        }
        for entry in &entries {
            if let Event::Tokens { used } = entry.event {
                self.tokens = so_far(used);
            } else {
                match entry.event.phase() {
                    Some(phase) if self.phase.as_ref() != Some(&phase) => self.phase = Some(phase),
                    _ => continue,
                }
            }
            if let Some(phase) = &self.phase {
                told(&format!("{phase}{}", self.tokens));
            }
        }
    }
}

/// Says the tokens of a run, behind what it does.
fn so_far(used: Usage) -> String {
    format!(", {} tokens so far", used.spoken())
}
