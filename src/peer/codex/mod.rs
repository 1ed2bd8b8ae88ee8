//! Everything believed about codex. Each belief names the version it was seen with and the test that pins it.

pub mod account;
pub mod classify;
pub mod cloud;
pub mod events;
pub mod hooks;
pub mod host;
pub mod import;
pub mod invocation;
pub mod locate;
mod node;
pub mod pins;
pub mod rollout;
pub mod sandbox;
pub mod servers;
pub mod spoken;
pub mod version;
