//! Ring 2: what is on disk. One directory a job; its state follows from the files in it and from who holds its lock.
//!
//! Nothing here starts a process or knows what a prompt is. Every format carries a version.

pub mod accepted;
pub mod cache;
pub mod directory;
pub mod error;
pub mod events;
pub mod gates;
pub mod groups;
pub mod kept;
pub mod keys;
pub mod landing;
pub mod locking;
pub mod notice;
pub mod passes;
pub mod quarantine;
pub mod record;
pub mod released;
pub mod remote;
pub mod repositories;
pub mod sessions;
pub mod slots;
pub mod store;
pub mod sweep;
pub mod trees;
pub mod typed;
