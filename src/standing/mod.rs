//! What a project has decided about findings before a review begins: suppressions, and a baseline.
//!
//! It reads and writes the texts of these files and applies them. It never reads a file itself, and it never decides which
//! version of one counts: that is the base of the change, and the use case knows it.

mod text;

pub mod suppressions;

pub mod baseline;

mod inline;

pub mod settle;

pub mod follow;
