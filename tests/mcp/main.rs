//! The door for hosts, driven with raw bytes over sockets, the way hosts drive it.
//!
//! The use cases behind it are a stub, so what is seen here is the protocol alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod approvals;
mod calls;
mod closing;
mod eras;
mod harness;
mod malformed;
mod stdio;
