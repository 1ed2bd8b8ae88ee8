//! Finds git and asks for its version once.

use crate::git::command::{Command, QUERY};
use crate::git::{Environment, GitError};
use semver::Version;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The oldest git that the tests ran with (Debian 12).
pub const MINIMUM_VERSION: Version = Version::new(2, 39, 5);

/// A git that will do, with the environment of its children.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    version: Version,
    environment: Environment,
}

impl Git {
    /// Takes the first git on the environment's `PATH`.
    pub fn locate(environment: Environment) -> Result<Self, GitError> {
        let path = environment.get("PATH").unwrap_or_default();
        let program = std::env::split_paths(path)
            // A relative entry would find a `git` that lies in the directory at hand.
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join("git"))
            .find(|program| is_executable(program))
            .ok_or(GitError::NotFound)?;
        Self::at(program, environment)
    }

    /// Takes the git at a path.
    pub fn at(program: PathBuf, environment: Environment) -> Result<Self, GitError> {
        let output = Command::new(&program, "version", Path::new("/"), &environment).run(&QUERY)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(version) = parse_version(&text) else {
            return Err(GitError::VersionUnknown { program });
        };
        if version < MINIMUM_VERSION {
            return Err(GitError::TooOld {
                found: version,
                minimum: MINIMUM_VERSION,
            });
        }
        Ok(Self {
            program,
            version,
            environment,
        })
    }

    /// Returns its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns its path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the environment of its children.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn is_executable(program: &Path) -> bool {
    program
        .metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Reads `git version 2.39.5 (Apple Git-154)`, `git version 2.47.3.windows.1` or `git version 2.50.0-rc1`: the first
/// three numbers count, so that a release candidate is as good as its release.
fn parse_version(text: &str) -> Option<Version> {
    let word = text.strip_prefix("git version ")?.split_whitespace().next()?;
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    let patch = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some(Version::new(major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_vendors_write_them() {
        let check =
            |text: &str, expected: Option<Version>| assert_eq!(parse_version(text), expected, "{text}");
        check("git version 2.39.5\n", Some(Version::new(2, 39, 5)));
        check(
            "git version 2.39.5 (Apple Git-154)\n",
            Some(Version::new(2, 39, 5)),
        );
        check("git version 2.47.3.windows.1\n", Some(Version::new(2, 47, 3)));
        check("git version 2.50.0-rc1\n", Some(Version::new(2, 50, 0)));
        check("git version 2.51.GIT\n", Some(Version::new(2, 51, 0)));
        check("hub version 2", None);
        check("", None);
    }
}
