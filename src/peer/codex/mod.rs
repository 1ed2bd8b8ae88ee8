//! Everything believed about codex. Each belief names the version it was seen with and the test that pins it.

pub mod account;
pub mod classify;
pub mod events;
pub mod invocation;
pub mod locate;
pub mod rollout;
pub mod servers;
pub mod version;
