//! One landing on disk: `landings/<time>-<job>/{journal.json, before/<n>, landed, undone}`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;
use crate::state::landing::Node;

/// One file of a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its path below the top of the working tree.
    pub path: Vec<u8>,
    /// What was there.
    pub before: Node,
    /// What was put there.
    pub after: Node,
}

/// A landing as its journal tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its folder.
    pub folder: PathBuf,
    /// The job whose result it is.
    pub job: JobId,
    /// The working tree it is in.
    pub top_level: PathBuf,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its files.
    pub sides: Vec<Side>,
    /// How far it got.
    pub state: LandingState,
}

/// How far a landing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandingState {
    /// It was begun; whoever began it was killed unless they hold the repository's lock.
    Begun,
    /// All of it is in place.
    Landed,
    /// It was taken back.
    Undone,
}
