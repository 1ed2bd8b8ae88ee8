//! What of a vault may go: objects that no ref of ours reaches any more.
//!
//! Only the vault's own objects are ever touched, never the user's. Objects of the last day stay in any case: a call may
//! have written them that has not named them yet.

use crate::git::command::LIST;
use crate::git::{GitError, Vault};
use std::fs;
use std::time::{Duration, SystemTime};

/// Loose objects from which on looking for useless ones is worth its time, by git's own measure for doing the same.
const LOOSE_MANY: usize = 6_700;
/// Folders of loose objects; they are spread evenly, so that one tells of all.
const LOOSE_FOLDERS: usize = 256;
/// Age of what no call at work can have written.
const SETTLED: Duration = Duration::from_secs(24 * 60 * 60);
/// The same as git reads it.
const SETTLED_WORDS: &str = "--expire=1.day.ago";

impl Vault {
    /// Tells whether there are so many loose objects that pruning is worth its time. Looks at one folder.
    pub fn is_large(&self) -> bool {
        let sample = self.directory().join("objects/17");
        let found = fs::read_dir(sample).into_iter().flatten().count();
        found * LOOSE_FOLDERS > LOOSE_MANY
    }

    /// Deletes objects that nothing of ours reaches and that are older than a day. Packs stay as long as there is any ref:
    /// they keep what changed, on purpose also where the user's repository still has it. Nobody may be adding refs; the
    /// caller sees to that.
    pub fn prune(&self) -> Result<(), GitError> {
        if self.list_refs("refs")?.is_empty() {
            self.delete_settled_packs()?;
        }
        let pruned = self.command("prune").args([SETTLED_WORDS]).run(&LIST)?;
        self.expect("prune", &pruned)
    }

    fn delete_settled_packs(&self) -> Result<(), GitError> {
        let folder = self.directory().join("objects/pack");
        let is_settled = |about: &fs::Metadata| {
            let age = about
                .modified()
                .ok()
                .map(|written| SystemTime::now().duration_since(written));
            about.is_file() && age.is_some_and(|age| age.is_ok_and(|age| age > SETTLED))
        };
        let entries = fs::read_dir(&folder).map_err(GitError::file("read", &folder))?;
        for entry in entries.flatten() {
            if entry.metadata().is_ok_and(|about| is_settled(&about)) {
                fs::remove_file(entry.path()).map_err(GitError::file("delete", entry.path()))?;
            }
        }
        Ok(())
    }
}
