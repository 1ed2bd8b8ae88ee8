//! Waits for a job without asking all the time.

use std::time::Duration;

use crate::peer::event::Event;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events;
use crate::sys::watch::DirectoryWatch;

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
}

impl Follower {
    /// Starts to follow.
    pub fn new(directory: &JobDirectory) -> Self {
        Self {
            watch: DirectoryWatch::start(directory.path()),
            directory: directory.clone(),
            offset: 0,
            phase: None,
        }
    }

    /// Waits until the job is over, at most `time`; `told` hears what the peer does whenever that changes.
    ///
    /// Dropping the future ends the wait and nothing else.
    pub async fn wait(
        &mut self,
        time: Duration,
        told: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Waited, StateError> {
        let deadline = tokio::time::Instant::now() + time;
        loop {
            if let Some(phase) = self.new_phase() {
                told(&phase);
            }
            if !self.directory.state()?.is_active() {
                return Ok(Waited::Ended);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return Ok(Waited::TimeUp),
                () = self.watch.changed() => {}
            }
        }
    }

    /// Returns what the peer does now, if that changed since the last time.
    fn new_phase(&mut self) -> Option<String> {
        let (entries, offset) = events::read_from(&self.directory.events_path(), self.offset);
        self.offset = offset;
        let phase = entries
            .iter()
            .rev()
            .find_map(|entry| Event::phase(&entry.event))?;
        (self.phase.as_ref() != Some(&phase)).then(|| {
            self.phase = Some(phase.clone());
            phase
        })
    }
}
