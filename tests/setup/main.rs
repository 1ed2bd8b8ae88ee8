//! Set-up of hosts: files of every shape people have, the real codex and the real Claude Code that read what came of it, and
//! codex as the host of the server that was set up.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

#[path = "../both/column.rs"]
#[expect(dead_code, reason = "the columns are shared with the tests of both peers")]
mod column;
#[path = "../support/mod.rs"]
mod support;
#[path = "../it/world.rs"]
#[expect(dead_code, reason = "the world is shared with the tests of codex alone")]
mod world;

mod claude;
mod codex;
mod corpus;
mod doctor;
mod files;
mod plugin;
mod shown;
