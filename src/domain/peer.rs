//! Which program is asked.
//!
//! Here is only its name. What is believed about it stands behind [`Peer`]'s methods in the ring `peer`, so whoever holds a
//! `Peer` never has to ask which one it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A program that a run can be made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// The Codex command line. Records that name nobody mean it.
    #[default]
    Codex,
    /// The Claude Code command line.
    Claude,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Codex, Self::Claude];
    /// The names callers may write.
    pub const NAMES: [&'static str; 2] = ["codex", "claude"];

    /// Returns the name in envelopes, records and sentences about the program.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Codex => Self::NAMES[0],
            Self::Claude => Self::NAMES[1],
        }
    }

    /// Returns the name of the second model in sentences for people and hosts.
    pub fn title(self) -> &'static str {
        match self {
            Self::Codex => "Codex",
            Self::Claude => "Claude",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.as_str() == name)
    }

    /// Returns the one that a server asks whose host this is.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Codex => Self::Claude,
            Self::Claude => Self::Codex,
        }
    }

    /// Tells whether it is the one that is meant where nobody is named; serde calls this.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_serialised_alike() {
        for peer in Peer::ALL {
            assert_eq!(Peer::parse(peer.as_str()), Some(peer));
            assert_eq!(serde_json::to_value(peer).unwrap(), peer.as_str());
        }
        assert_eq!(Peer::parse("Codex"), None);
    }
}
