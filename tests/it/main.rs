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
mod cloud_day;
mod clouds;
mod consults;
mod delegates;
mod depths;
mod ending;
mod failures;
mod follow;
mod groups;
mod hostile;
mod isolation;
mod jobs;
mod limits;
mod making;
mod outages;
mod parts;
mod policies;
mod reports;
mod reviews;
mod spending;
mod statuses;
mod transfers;
mod uninstalls;
mod watching;
