//! The protocol, judged by programs that nobody here wrote: the official conformance suite and the official inspector.
//!
//! `cargo test --features conformance --test conformance` runs them. They and the node that they need are installed with npm
//! on first use, 330 MB.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

mod bridge;
mod inspector;
mod node;
mod suite;

#[path = "../support/mod.rs"]
mod support;
