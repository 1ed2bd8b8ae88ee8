//! Everything believed about Claude Code as a peer. Each belief names the version it was seen with and the test that pins it.

pub mod account;
pub mod classify;
pub mod events;
pub mod host;
pub mod invocation;
pub mod locate;
pub mod pins;
pub mod record;
pub mod session;
pub mod version;
