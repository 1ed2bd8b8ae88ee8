//! Results put into the user's files, all of a result or nothing, and taken out again.
//!
//! A landing is journaled: what every file was is on disk before the first one changes, so an undo restores it to the byte
//! and a landing that was killed half-way is taken back by whoever looks next.

mod node;
pub use node::{Node, look};

mod journal;
pub use journal::{Landing, LandingState, Side};

mod land;
pub use land::{LandError, Step, land};

mod undo;
pub use undo::{UndoError, recover, undo};
