//! Proves that an installed codex honours what is relied on, without spending anything.
//!
//! The real program is run with exactly the arguments of a paid run, in a world of its own whose configuration asks for
//! the opposite of every guarantee, against a model server on loopback. Each guarantee is judged by what then happened:
//! on the wire, on disk and in the event stream. Never touches the user's codex home, and nothing leaves this machine.
//!
//! Of a peer that cannot be led to a model of ours, only what can be seen without one is judged.

mod check;
mod evidence;
mod flags;
mod judge;
mod outcome;
mod script;
mod trial;
mod world;

pub use check::{Check, CheckOutcome, Report};
pub use trial::{check, check_once};
