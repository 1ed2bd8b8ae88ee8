//! `bin/crosscheck`, the launcher.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod finding;
mod installing;
mod world;
