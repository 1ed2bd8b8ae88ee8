//! What a peer tells about the user's account, for free.

use std::path::PathBuf;

use serde::Serialize;

/// Whether the peer is logged in, as far as it can be told without a paid call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// With an account of the chat service of codex.
    ChatGpt,
    /// With an account of the chat service of claude.
    ClaudeAi,
    /// With an API key.
    ApiKey,
    /// The peer says that it is not. A custom provider or a key in the environment may work all the same.
    LoggedOut,
    /// It cannot be told.
    Unknown,
}

/// One window of the account's allowance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its length in minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    /// Percent used.
    pub used_percent: u64,
    /// When it starts anew, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<u64>,
}

/// The account's allowance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// The plan's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Its windows, the shorter first.
    pub windows: Vec<Window>,
}

impl Quota {
    /// Returns when the account is usable again, in seconds since 1970: the latest reset of the used-up windows.
    pub fn resets_at(&self) -> Option<u64> {
        self.windows
            .iter()
            .filter(|window| window.used_percent >= 100)
            .filter_map(|window| window.resets_at)
            .max()
    }
}

/// One model the account may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    /// What to pass as `model`.
    pub id: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The efforts it knows.
    pub efforts: Vec<String>,
    /// Whether the peer uses it when nobody names one.
    pub default: bool,
}

/// A question to a peer about the user's account. None of them costs anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The allowance.
    Quota,
    /// The models.
    Models,
    /// The configuration in force in a folder.
    Configuration {
        /// The folder.
        directory: PathBuf,
    },
}
