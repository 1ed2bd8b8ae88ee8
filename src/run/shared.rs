//! What all peers of one job share: its event log, the numbers of its peers, its tokens, and who of them runs.
//!
//! A worker has one thread, and nothing here is held across a wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::domain::usage::Usage;
use crate::peer::event::Event;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::events::EventLog;

/// What one worker's peers share.
#[derive(Debug)]
pub struct Shared {
    log: RefCell<EventLog>,
    peers: Cell<u32>,
    at_once: Cell<u32>,
    purse: Purse,
}

impl Shared {
    /// Opens a job's event log; nothing has happened yet.
    pub fn open(directory: &JobDirectory) -> Result<Self, StateError> {
        let path = directory.events_path();
        let log = EventLog::open(&path).map_err(StateError::io("write", path))?;
        Ok(Self {
            log: RefCell::new(log),
            peers: Cell::new(0),
            at_once: Cell::new(0),
            purse: Purse::default(),
        })
    }

    /// Writes an event of a pass. A log that cannot be written must not cost a paid answer: the result has its own room.
    pub fn log(&self, pass: Option<u32>, event: &Event) {
        if let Err(error) = self.log.borrow_mut().append_of(pass, event) {
            tracing::warn!(%error, "an event is not in the log");
        }
    }

    /// Returns the number of the next peer, counted from 1 over all passes.
    pub fn next_peer(&self) -> u32 {
        self.peers.set(self.peers.get() + 1);
        self.peers.get()
    }

    /// Says that a pass is under way until the value is dropped.
    pub fn begin(&self) -> UnderWay<'_> {
        self.at_once.set(self.at_once.get() + 1);
        UnderWay(&self.at_once)
    }

    /// Tells whether no second pass is under way: then whatever runs below the worker belongs to the one that asks.
    pub fn is_alone(&self) -> bool {
        self.at_once.get() <= 1
    }

    /// Returns the tokens of all passes.
    pub fn purse(&self) -> &Purse {
        &self.purse
    }
}

/// A pass that goes on.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a Cell<u32>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The tokens that the passes of one job have used so far: its budget is for all of them together.
#[derive(Debug, Default)]
pub struct Purse(RefCell<BTreeMap<u32, Usage>>);

impl Purse {
    /// Notes what a pass has used by now, and returns what all have. A smaller count than before changes nothing.
    pub fn note(&self, pass: Option<u32>, used: Usage) -> Usage {
        let mut passes = self.0.borrow_mut();
        let known = passes.entry(pass.unwrap_or_default()).or_default();
        if used.total() > known.total() {
            *known = used;
        }
        sum(passes.values())
    }

    /// Returns what the other passes have used.
    pub fn of_others(&self, pass: Option<u32>) -> Usage {
        let passes = self.0.borrow();
        let own = pass.unwrap_or_default();
        sum(passes
            .iter()
            .filter(|(other, _)| **other != own)
            .map(|(_, used)| used))
    }

    /// Returns what all passes have used.
    pub fn total(&self) -> Usage {
        sum(self.0.borrow().values())
    }
}

fn sum<'a>(usages: impl Iterator<Item = &'a Usage>) -> Usage {
    usages.fold(Usage::default(), |sum, used| used.after(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64) -> Usage {
        Usage {
            input,
            ..Usage::default()
        }
    }

    #[test]
    fn the_tokens_of_all_passes_are_one_sum() {
        let purse = Purse::default();
        assert_eq!(purse.note(Some(1), usage(10)), usage(10));
        assert_eq!(purse.note(Some(2), usage(5)), usage(15));
        // A count is cumulative, and an older one that comes late is none.
        assert_eq!(purse.note(Some(1), usage(7)), usage(15));
        assert_eq!(purse.note(Some(1), usage(20)), usage(25));
        assert_eq!((purse.of_others(Some(1)), purse.total()), (usage(5), usage(25)));
    }

    #[test]
    fn peers_are_numbered_over_all_passes_and_who_is_alone_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Shared::open(&JobDirectory::at(dir.path())).unwrap();
        assert_eq!([shared.next_peer(), shared.next_peer()], [1, 2]);
        let one = shared.begin();
        assert!(shared.is_alone());
        let two = shared.begin();
        assert!(!shared.is_alone());
        drop(two);
        assert!(shared.is_alone());
        drop(one);
    }
}
