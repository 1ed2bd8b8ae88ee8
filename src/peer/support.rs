//! Which versions of a peer are known to honour what is relied on.

use semver::{Version, VersionReq};

/// What may be done with an installed version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Tested, or between two tested ones.
    Supported,
    /// Too old: something that is relied on is missing.
    TooOld,
    /// Newer than any tested one: the contract check decides.
    Untested,
}

impl Support {
    /// Returns the name in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::TooOld => "too_old",
            Self::Untested => "untested",
        }
    }
}

/// The versions that the tests ran against, from the oldest to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The oldest version that honours everything that is sent.
    pub oldest: Version,
    /// The newest version that the tests ran against.
    pub newest: Version,
}

impl Tested {
    /// Judges a version; a range in the user's configuration replaces ours.
    pub fn support(&self, version: &Version, configured: Option<&VersionReq>) -> Support {
        // A pre-release of a version counts as that version: people who run one want it judged, not refused.
        let plain = Version::new(version.major, version.minor, version.patch);
        match configured {
            Some(range) if range.matches(&plain) => Support::Supported,
            Some(_) => Support::TooOld,
            None if plain < self.oldest => Support::TooOld,
            None if plain > self.newest => Support::Untested,
            None => Support::Supported,
        }
    }

    /// Writes the range for people.
    pub fn range(&self) -> String {
        format!(">={}, <={}", self.oldest, self.newest)
    }
}

/// Reads the version from what a program prints when it is asked for it.
pub fn parse_version(stdout: &str) -> Option<Version> {
    stdout
        .split_whitespace()
        .find_map(|word| Version::parse(word.trim_start_matches('v')).ok())
}
