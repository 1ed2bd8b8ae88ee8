//! Reading changes with the real git, every distinct one on the `PATH`.

mod bounds;
mod changes;
mod discovery;
mod parity;
mod poisoned;
mod scopes;
mod setup;
mod untouched;
mod untracked;
