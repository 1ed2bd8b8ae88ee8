//! Versions of codex and what is known of them.

use semver::Version;

use crate::peer::support::Tested;

/// The oldest version that honours everything that is sent: the one before has no `codex sandbox -c ... -- COMMAND`.
pub const OLDEST: Version = Version::new(0, 134, 0);
/// The first version that was seen to have `exec fork`; 0.134.0 has it not.
pub const FORKS_SINCE: Version = Version::new(0, 158, 0);
/// The newest version that the tests ran against.
pub const NEWEST_TESTED: Version = Version::new(0, 169, 0);

/// The tested range.
pub const TESTED: Tested = Tested {
    oldest: OLDEST,
    newest: NEWEST_TESTED,
};

#[cfg(test)]
mod tests {
    use semver::VersionReq;

    use super::*;
    use crate::peer::support::{Support, parse_version};

    #[test]
    fn versions_are_judged_by_the_range() {
        let check = |text: &str, expected: Support| {
            assert_eq!(
                TESTED.support(&parse_version(text).unwrap(), None),
                expected,
                "{text}"
            );
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
            TESTED.support(&Version::new(0, 175, 0), Some(&range)),
            Support::Supported
        );
        assert_eq!(
            TESTED.support(&Version::new(0, 169, 0), Some(&range)),
            Support::TooOld
        );
    }
}
