//! Results that are merged, landed, undone and made branches, with the real git and real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

mod disk;
mod editors;
mod exports;
mod matrix;
mod merges;
mod properties;
mod world;
