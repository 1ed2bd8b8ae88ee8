//! What reviews are worth, in figures: anchors, coverage, merged duplicates, votes and refuted findings, over sets that are
//! generated from a seed and are the same on every machine.
//!
//! `docs/review-figures.md` has the figures, the commands that print them, and what they do not show. Each test asserts
//! floors below the figure it prints, so that a change which makes reviews worse fails here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the figures are what these tests are for")]

mod anchors;
mod corpus;
mod coverage;
mod dice;
mod edits;
mod histories;
mod kinds;
mod languages;
mod measure;
mod merging;
mod pipeline;
mod public;
mod real;
mod reviewer;
mod seeded;
mod verifier;

#[path = "../support/mod.rs"]
mod support;
#[expect(
    dead_code,
    reason = "a review needs a part of what the integration tests need"
)]
#[path = "../it/world.rs"]
mod world;
