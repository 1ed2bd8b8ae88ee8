//! What a person wants done to a host's configuration.

use std::path::PathBuf;

use crate::domain::peer::Peer;
use crate::service::setup::registration::Foreign;

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The user's own, for every project.
    #[default]
    User,
    /// That of the project in which the command is given.
    Project,
}

impl Scope {
    /// The names a person may write.
    pub const NAMES: [&'static str; 2] = ["user", "project"];

    /// Returns the name, which is the one that Claude Code gives it too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => Self::NAMES[0],
            Self::Project => Self::NAMES[1],
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::User, Self::Project]
            .into_iter()
            .find(|scope| scope.as_str() == name)
    }
}

/// How far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is done.
    Do,
    /// It is told what would be done.
    Look,
    /// What would be put in is printed, for whoever puts it in by hand.
    Print,
}

/// What a set-up is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The host that gets our server, which asks the other one.
    pub host: Option<Peer>,
    /// Whose configuration.
    pub scope: Scope,
    /// How far.
    pub mode: Mode,
    /// Whether somebody else's entry of the same name gives way.
    pub foreign: Foreign,
    /// A folder that calls may be about from now on; absolute.
    pub allow_root: Option<PathBuf>,
}

/// What is to be taken out of a host's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Which host.
    pub host: Peer,
    /// Whose configuration.
    pub scope: Scope,
    /// How far.
    pub mode: Mode,
}
