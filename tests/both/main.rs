//! The same cases for both peers: our program with the real codex and with the real claude, each against a fake of its model.
//!
//! A case that ends differently for the two is one of the differences that COMPATIBILITY.md lists.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../it/world.rs"]
#[expect(dead_code, reason = "the world is shared with the tests of codex alone")]
mod world;

mod column;

mod alike;
mod claude;
mod gate;
mod host;
mod hostile;
mod knobs;
mod transfer;
