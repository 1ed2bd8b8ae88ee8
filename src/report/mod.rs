//! Ring 1: a review's answer as people and programs outside read it.
//!
//! One value, [`ReviewReport`], and one pure function for each form of it. A form shows what the value holds and never adds
//! to it: what is not kept is said to be not kept. Everything that a model or a repository wrote is inert in every form.

pub mod review;

mod escape;
pub mod format;
pub mod html;
pub mod markdown;
mod placed;
pub mod sarif;
mod uri;
mod words;

#[cfg(test)]
mod sample;

pub use format::Format;
pub use review::{Absence, Change, ReviewReport};
