//! Reading changes with the real git, every distinct one on the `PATH`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod changes;
mod discovery;
mod parity;
mod poisoned;
mod scopes;
mod setup;
mod snapshots;
mod untouched;
mod untracked;
mod vaults;
