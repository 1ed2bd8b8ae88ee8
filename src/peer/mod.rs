//! Ring 1, pure: everything that is believed about another program.
//!
//! What a run reports is turned into [`event::Event`]s and a [`transcript::Transcript`], which know no program's format.
//! A flag, an event name or a version of a peer is known in its own folder and nowhere else; [`interface`] is the way in.

pub mod account;
pub mod checker;
pub mod claude;
pub mod codex;
pub mod conversation;
pub mod ended;
pub mod event;
pub mod exec;
pub mod interface;
mod line;
pub mod places;
pub mod records;
pub mod replies;
pub mod support;
pub mod transcript;
