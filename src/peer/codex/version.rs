//! Versions of codex and what is known of them.

use semver::{Version, VersionReq};

/// The oldest version that honours everything that is sent: the one before has no `codex sandbox -c ... -- COMMAND`.
pub const OLDEST: Version = Version::new(0, 134, 0);
/// The newest version that the tests ran against.
pub const NEWEST_TESTED: Version = Version::new(0, 169, 0);

/// What may be done with an installed version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// Tested, or between two tested ones.
    Supported,
    /// Too old: something that is relied on is missing.
    TooOld,
    /// Newer than any tested one: the contract check decides.
    Untested,
}

/// Reads the version from what `codex --version` prints.
pub fn parse_version(stdout: &str) -> Option<Version> {
    stdout
        .split_whitespace()
        .find_map(|word| Version::parse(word.trim_start_matches('v')).ok())
}

/// Judges a version; a range in the user's configuration replaces ours.
pub fn support(version: &Version, configured: Option<&VersionReq>) -> Support {
    // A pre-release of a version counts as that version: people who run one want it judged, not refused.
    let plain = Version::new(version.major, version.minor, version.patch);
    match configured {
        Some(range) if range.matches(&plain) => Support::Supported,
        Some(_) => Support::TooOld,
        None if plain < OLDEST => Support::TooOld,
        None if plain > NEWEST_TESTED => Support::Untested,
        None => Support::Supported,
    }
}

/// Writes the tested range for people.
pub fn range() -> String {
    format!(">={OLDEST}, <={NEWEST_TESTED}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_the_range() {
        let check = |text: &str, expected: Support| {
            assert_eq!(support(&parse_version(text).unwrap(), None), expected, "{text}");
        };
        check("codex-cli 0.169.0\n", Support::Supported);
        check("codex-cli 0.150.1", Support::Supported);
        check("codex-cli 0.169.1", Support::Untested);
        check("codex-cli 0.170.0-alpha.2", Support::Untested);
        check("codex-cli 0.20.0", Support::TooOld);
        assert_eq!(parse_version("no version here"), None);
    }

    #[test]
    fn a_configured_range_replaces_ours() {
        let range = VersionReq::parse(">=0.170, <0.180").unwrap();
        assert_eq!(
            support(&Version::new(0, 175, 0), Some(&range)),
            Support::Supported
        );
        assert_eq!(support(&Version::new(0, 169, 0), Some(&range)), Support::TooOld);
    }
}
