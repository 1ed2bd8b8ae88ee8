//! What stands before a review begins, and decides what becomes of its findings. It is settled when the job is made, from
//! the base of the change: nothing that the change itself brings is in it.

use serde::{Deserialize, Serialize};

use crate::domain::baseline::Accepted;
use crate::domain::day::Day;
use crate::domain::suppression::Suppression;

/// What stands before a review begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The day of the review: what expires later holds.
    pub today: Day,
    /// Suppressions in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression>,
    /// Accepted findings in force; absent where there is no baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Vec<Accepted>>,
    /// Files of the change as it is kept that this review was shown, counted from the front; the others hold what an
    /// earlier review was shown and nobody changed since. Absent when all of it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_files: Option<u32>,
}
