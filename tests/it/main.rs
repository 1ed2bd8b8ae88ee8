//! Our program with the real git and the real codex against a fake model on loopback.

#[path = "../support/mod.rs"]
mod support;
mod world;

mod bad_input;
mod consults;
mod failures;
mod isolation;
mod jobs;
mod reviews;
mod statuses;
