//! What becomes of a delegate's result: preview, land, branch, discard, undo.
//!
//! A preview changes nothing of the user's. Landing does what the preview showed or nothing: it works everything out again
//! and compares the token, which stands for the result, the chosen files and what is at each place now.

mod subject;

mod selection;

mod plan;
mod steps;

mod token;

mod preview;

mod land;

mod branch;

mod discard;

mod undo;

mod run;
pub use run::run;
