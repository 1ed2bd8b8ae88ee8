//! Results put into the user's files, all of a result or nothing, and taken out again.
//!
//! A landing is journaled: what every file was is on disk before the first one changes, so an undo restores it to the byte
//! and a landing that was killed half-way is taken back by whoever looks next. Nothing here follows a link, runs anything
//! or touches the repository's index, refs or configuration.

mod node;
pub use node::{Node, look};

mod journal;
pub use journal::{Landing, LandingState, Side};

mod plan;

mod swap;

mod put_back;

mod land;
pub use land::{LandError, Step, land};

mod recover;
pub use recover::recover;

mod undo;
pub use undo::{UndoError, undo, undo_in};

mod adopt;
pub use adopt::{Adopted, adopt};

mod list;
pub use list::{Landings, landed_by, landed_in, list};

#[cfg(test)]
mod tests;
