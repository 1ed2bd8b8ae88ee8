//! One thing that was looked at.

use serde::Serialize;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// Nothing to do.
    Ready,
    /// It works, but not as well as it could, or not for long.
    Attention,
    /// Runs fail, or cannot be started.
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Its name; stable.
    pub(super) name: &'static str,
    /// How it is.
    #[serde(rename = "state")]
    pub(super) health: Health,
    /// What was seen.
    pub(super) says: String,
    /// The one thing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ready(name: &'static str, says: impl Into<String>) -> Self {
        Self {
            name,
            health: Health::Ready,
            says: says.into(),
            fix: None,
        }
    }

    pub(super) fn attention(name: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            health: Health::Attention,
            fix: Some(fix.into()),
            ..Self::ready(name, says)
        }
    }

    pub(super) fn broken(name: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            health: Health::Broken,
            ..Self::attention(name, says, fix)
        }
    }
}
