//! Puts our server into a host's configuration, and takes it out again.
//!
//! A host's files belong to the person and to the host. So what is edited is decided in pure code over bytes, everything but
//! our own entry stays byte for byte, the old file is kept beside the new one, and a file that cannot be understood is left
//! alone. Where the host has a command that does it all, that command is run instead, and told.

pub mod call;
pub mod wanted;

mod change;
mod claude;
mod codex;
mod document;
pub mod entry;
mod place;
pub mod program;
pub mod registration;
pub mod roots;
mod step;
pub mod target;

pub use claude::has_plugin;
