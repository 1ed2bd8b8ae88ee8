//! What decides the model's answers.

use crate::model::reply::{HttpReply, Reply};
use crate::model::turn::Turn;

/// Decides what the model answers. An implementation is asked from many connections at once.
pub trait Script: Send + Sync {
    /// Answers one request for the model's next output.
    fn reply(&self, turn: &Turn) -> Reply;

    /// Says how much of the account's plan is used up.
    fn quota(&self) -> Quota {
        Quota::default()
    }

    /// Answers a request that is not one for an answer, in place of the server's own response.
    ///
    /// `path` comes without its query.
    fn other(&self, method: &str, path: &str) -> Option<HttpReply> {
        let _ = (method, path);
        None
    }
}

/// A function from turns to replies is a script.
impl<F> Script for F
where
    F: Fn(&Turn) -> Reply + Send + Sync,
{
    fn reply(&self, turn: &Turn) -> Reply {
        self(turn)
    }
}

/// How much of a plan is used up, in the two windows that the API reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The plan's name, such as `plus`.
    pub plan: String,
    /// The short window, of five hours.
    pub primary: Window,
    /// The long window, of a week.
    pub secondary: Window,
}

/// One window of a plan's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How much is used, in percent.
    pub used_percent: u8,
    /// The window's length in seconds.
    pub length_s: u64,
    /// When it starts anew, in seconds from now.
    pub resets_in_s: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            plan: "plus".to_owned(),
            primary: Window {
                used_percent: 42,
                length_s: 18_000,
                resets_in_s: 7_200,
            },
            secondary: Window {
                used_percent: 5,
                length_s: 604_800,
                resets_in_s: 86_400,
            },
        }
    }
}
