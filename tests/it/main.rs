//! Our program with the real git and the real codex against a fake model on loopback.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;
mod world;

mod applies;
mod bad_input;
mod budgets;
mod consults;
mod delegates;
mod ending;
mod failures;
mod groups;
mod hostile;
mod isolation;
mod jobs;
mod limits;
mod making;
mod outages;
mod policies;
mod reviews;
mod spending;
mod statuses;
mod transfers;
mod uninstalls;
mod watching;
