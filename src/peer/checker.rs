//! The sandbox in which lines of shell run that no model started, such as checks, whichever peer made the change.
//!
//! It is that of the program which [`crate::domain::peer::Peer::checker`] names.

pub use crate::peer::codex::sandbox::WriteAccess;
