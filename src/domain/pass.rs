//! One model call of a review: which it was and how it ended.

use serde::{Deserialize, Serialize};

use crate::domain::fault::FaultCode;
use crate::domain::job::JobState;
use crate::domain::usage::Usage;

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub enum Purpose {
    /// It looks at a part of the change.
    Look {
        /// Which part, counted from 1.
        part: u32,
        /// Which of the looks at it, counted from 1.
        look: u32,
    },
    /// It tries to refute findings.
    Verify {
        /// Which group of them, counted from 1.
        group: u32,
    },
}

impl Purpose {
    /// Says it in a few words.
    pub fn spoken(self) -> String {
        match self {
            Self::Look { part, look } => format!("part {part}, look {look}"),
            Self::Verify { group } => format!("verification {group}"),
        }
    }
}

/// What is told of a pass besides what it said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// Its number, counted from 1 in the order in which passes are started.
    pub number: u32,
    /// What it is for.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// How it ended.
    pub state: JobState,
    /// Why it has no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<FaultCode>,
    /// Awake time in milliseconds.
    pub elapsed_ms: u64,
    /// The peer's thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost in US dollars, as the peer told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Bytes of its prompt.
    pub prompt_bytes: usize,
    /// SHA-256 of its prompt.
    pub prompt_sha256: String,
}
