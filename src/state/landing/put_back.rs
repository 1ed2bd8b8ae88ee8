//! Takes back a swap that did not go through, as far as it got.
//!
//! Every decision follows from what is on disk, so it does not matter where the swap stopped, and stopping here too is made
//! good by the next try. A file that is neither what was there nor what was put there is somebody's own: it stays.

use std::io;

use crate::state::landing::Node;
use crate::state::landing::journal::{self, BEFORE, Entry, STAGED};
use crate::state::landing::swap::{LINK_BYTES, Swap, Trouble, aside_name, exchange, modified};
use crate::sys::confined::{Place, Way};
use crate::sys::files;

/// Whether a path is free of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is what it was, or what somebody else made of it without us.
    Back,
    /// Somebody wrote over what we had put there; their file stays.
    Left,
}

/// What came of taking a swap back.
#[derive(Debug, Default)]
pub(super) struct PutBack {
    /// The paths that stay as somebody else made them, or that could not be written.
    pub left: Vec<Vec<u8>>,
    /// Whether one could not be written, so that somebody must try again when the disk is well.
    pub is_to_be_repeated: bool,
}

impl Swap<'_> {
    /// Takes everything back.
    pub(super) fn put_back(&self) -> PutBack {
        let mut left = Vec::new();
        let mut is_to_be_repeated = false;
        if !journal::has(self.folder, STAGED) {
            // Nothing was swapped yet, so whatever waits is ours.
            for entry in &self.journal.entries {
                if let Ok(Way::Reached(waiting)) = self.top.way(&entry.temporary) {
                    let _ = waiting.remove();
                }
            }
            return PutBack::default();
        }
        let mut each = |number: usize, entry: &Entry, left: &mut Vec<Vec<u8>>| {
            let outcome = self.put_entry_back(number, entry);
            is_to_be_repeated |= matches!(outcome, Err(Trouble::Io(_) | Trouble::State(_)));
            if !matches!(outcome, Ok(Outcome::Back)) {
                left.push(entry.side.path.clone());
            }
            (self.pace.at)("putting back");
        };
        let entries = || self.journal.entries.iter().enumerate().rev();
        for (number, entry) in entries().filter(|(_, entry)| entry.side.after != Node::Absent) {
            each(number, entry, &mut left);
        }
        for made in self.journal.made.iter().rev() {
            // One that somebody put a file into stays.
            let _ = self.top.place(&made.path).and_then(|place| place.remove_folder());
        }
        for removed in self.journal.removed.iter().rev() {
            // One that is there already needs nothing.
            let _ = self
                .top
                .place(&removed.path)
                .and_then(|place| place.make_folder(Some(removed.mode)));
        }
        for (number, entry) in entries().filter(|(_, entry)| entry.side.after == Node::Absent) {
            each(number, entry, &mut left);
        }
        PutBack {
            left,
            is_to_be_repeated,
        }
    }

    fn put_entry_back(&self, number: usize, entry: &Entry) -> Result<Outcome, Trouble> {
        let waiting = self.top.place(&entry.temporary)?;
        // Somebody may have put a file where a folder of ours was, so that the path leads nowhere.
        let path = match self.top.way(&entry.side.path)? {
            Way::Reached(path) => path,
            Way::Missing | Way::Blocked => {
                let is_late = self.discard(&waiting, number, &[&entry.side.before, &entry.side.after])?;
                let is_back = entry.side.after != Node::Absent && entry.kept.is_none() && !is_late;
                return Ok(if is_back { Outcome::Back } else { Outcome::Left });
            }
        };
        if entry.side.after == Node::Absent {
            return self.put_deleted_back(number, entry, &path, &waiting);
        }
        if entry.kept.is_none() {
            return self.take_created_away(number, entry, &path, &waiting);
        }
        self.finish_exchange(number, entry, &path, &waiting)?;
        self.swap_replaced_back(number, entry, &path, &waiting)
    }

    /// A path at which a file was and nothing was to be.
    fn put_deleted_back(
        &self,
        number: usize,
        entry: &Entry,
        path: &Place,
        waiting: &Place,
    ) -> Result<Outcome, Trouble> {
        let before = &entry.side.before;
        let now = self.look(&entry.side.path)?;
        let out = self.look(&entry.temporary)?;
        match (now, out) {
            (Node::Absent, Node::Absent) => {
                self.restore(number, entry, waiting)?;
                waiting.move_to(path)?;
                Ok(Outcome::Back)
            }
            (Node::Absent, _) => {
                waiting.move_to(path)?;
                Ok(Outcome::Back)
            }
            // It was not moved yet.
            (_, Node::Absent) => Ok(Outcome::Back),
            (now, _) => {
                let is_late = self.discard(waiting, number, &[before])?;
                Ok(if now == *before && !is_late {
                    Outcome::Back
                } else {
                    Outcome::Left
                })
            }
        }
    }

    /// A path at which nothing was and a file was to be.
    fn take_created_away(
        &self,
        number: usize,
        entry: &Entry,
        path: &Place,
        waiting: &Place,
    ) -> Result<Outcome, Trouble> {
        let after = &entry.side.after;
        let now = self.look(&entry.side.path)?;
        let out = self.look(&entry.temporary)?;
        if out != Node::Absent {
            // It was not moved yet.
            self.discard(waiting, number, &[after])?;
            return Ok(Outcome::Back);
        }
        if matches!(now, Node::Absent | Node::Folder) {
            return Ok(Outcome::Back);
        }
        if now != *after {
            return Ok(Outcome::Left);
        }
        path.move_to(waiting)?;
        if self.look(&entry.temporary)? != *after {
            waiting.move_to(path)?;
            return Ok(Outcome::Left);
        }
        waiting.remove()?;
        Ok(Outcome::Back)
    }

    /// A path at which one file was to become another.
    fn swap_replaced_back(
        &self,
        number: usize,
        entry: &Entry,
        path: &Place,
        waiting: &Place,
    ) -> Result<Outcome, Trouble> {
        let (before, after) = (&entry.side.before, &entry.side.after);
        let now = self.look(&entry.side.path)?;
        let out = self.look(&entry.temporary)?;
        if out == *after {
            // It was not exchanged yet.
            waiting.remove()?;
            return Ok(Outcome::Back);
        }
        if out == Node::Absent {
            if now != *after {
                return Ok(if now == *before {
                    Outcome::Back
                } else {
                    Outcome::Left
                });
            }
            self.restore(number, entry, waiting)?;
        } else if now != *after {
            self.discard(waiting, number, &[before])?;
            return Ok(Outcome::Left);
        }
        let aside = self.top.place(&aside_name(entry))?;
        exchange(path, waiting, &aside, self.pace)?;
        if self.look(&entry.temporary)? == *after {
            waiting.remove()?;
            return Ok(Outcome::Back);
        }
        // Somebody wrote in this very moment; theirs goes back to its place.
        exchange(path, waiting, &aside, self.pace)?;
        self.discard(waiting, number, &[before])?;
        Ok(Outcome::Left)
    }

    /// Brings an exchange in steps to where an exchange in one step would be.
    fn finish_exchange(
        &self,
        number: usize,
        entry: &Entry,
        path: &Place,
        waiting: &Place,
    ) -> Result<(), Trouble> {
        let aside_path = aside_name(entry);
        if self.look(&aside_path)? == Node::Absent {
            return Ok(());
        }
        let aside = self.top.place(&aside_path)?;
        if path.about()?.is_none() {
            aside.move_to(path)?;
        } else if waiting.about()?.is_none() {
            aside.move_to(waiting)?;
        } else {
            // Somebody made a file at the path in the moment in which nothing was there.
            self.discard(&aside, number, &[&entry.side.before, &entry.side.after])?;
        }
        Ok(())
    }

    /// Makes a file of the kept bytes where the swapped-out one should wait and does not.
    fn restore(&self, number: usize, entry: &Entry, waiting: &Place) -> Result<(), Trouble> {
        let nothing = || io::Error::from(io::ErrorKind::NotFound);
        let kept = entry.kept.as_ref().ok_or_else(nothing)?;
        let from = self.folder.join(BEFORE).join(number.to_string());
        if matches!(entry.side.before, Node::Link { .. }) {
            waiting.make_link(&files::read_bounded(&from, LINK_BYTES)?)?;
        } else {
            let mut file = waiting.create(0o600)?;
            io::copy(&mut files::open_regular(&from)?, &mut file)?;
            if let Some(mode) = kept.mode {
                rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(mode)).map_err(io::Error::from)?;
            }
            files::sync(&file)?;
        }
        if let Some(modified) = modified(kept) {
            waiting.set_modified(modified)?;
        }
        Ok(())
    }
}
