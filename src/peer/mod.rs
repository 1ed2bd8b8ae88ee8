//! Ring 1, pure: everything that is believed about another program.
//!
//! What a run reports is turned into [`event::Event`]s and a [`transcript::Transcript`], which know no program's format.
//! A flag, an event name or a version of codex is known in [`codex`] and nowhere else.

pub mod codex;
pub mod conversation;
pub mod event;
pub mod transcript;
