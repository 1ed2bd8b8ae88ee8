//! Reading changes with the real git, every distinct one on the `PATH`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod changes;
mod checkouts;
mod discovery;
mod divided;
mod parity;
mod patches;
mod poisoned;
mod random;
mod scopes;
mod setup;
mod snapshots;
mod trees;
mod untouched;
mod untracked;
mod vaults;
mod worktrees;
