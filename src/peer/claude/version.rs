//! Versions of Claude Code and what is known of them.

use semver::Version;

use crate::peer::support::Tested;

/// The oldest version that the tests run against; `--safe-mode`, on which isolation rests, is young.
pub const OLDEST: Version = Version::new(2, 1, 197);
/// The newest version that the tests ran against.
pub const NEWEST_TESTED: Version = Version::new(2, 1, 329);
/// The tested range.
pub const TESTED: Tested = Tested {
    oldest: OLDEST,
    newest: NEWEST_TESTED,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::support::{Support, parse_version};

    #[test]
    fn versions_are_judged_by_the_range() {
        let check = |text: &str, expected: Support| {
            let version = parse_version(text).unwrap();
            assert_eq!(TESTED.support(&version, None), expected, "{text}");
        };
        check("2.1.197 (Claude Code)\n", Support::Supported);
        check("2.1.329 (Claude Code)", Support::Supported);
        check("2.1.330 (Claude Code)", Support::Untested);
        check("2.1.100 (Claude Code)", Support::TooOld);
        check("1.0.128 (Claude Code)", Support::TooOld);
    }
}
