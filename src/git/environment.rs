//! What a git child may know of our environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Variables that git or its look at the user's configuration needs. Nothing that names a program is among them, and
/// no `GIT_*`: those of the caller belong to another repository or another purpose.
const PASSED: [&str; 8] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "XDG_CONFIG_HOME",
    // Root under sudo owns what the person owns; git asks this variable before it distrusts a repository.
    "SUDO_UID",
];

/// The cleared environment of every git child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Keeps from `variables` what git needs and adds what keeps git quiet, offline and untranslated.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut kept: BTreeMap<OsString, OsString> = variables
            .into_iter()
            .filter(|(name, _)| PASSED.iter().any(|passed| name == passed))
            .collect();
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            // An empty list allows no protocol at all, so nothing can fetch.
            ("GIT_ALLOW_PROTOCOL", ""),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_PAGER", "cat"),
            ("GIT_EDITOR", "false"),
        ] {
            kept.insert(name.into(), value.into());
        }
        Self { variables: kept }
    }

    /// Returns one variable as the children see it.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Returns all variables.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }

    /// Returns this environment with more variables of ours.
    pub(super) fn with<'a>(&self, more: impl IntoIterator<Item = (&'a str, OsString)>) -> Self {
        let mut variables = self.variables.clone();
        variables.extend(more.into_iter().map(|(name, value)| (name.into(), value)));
        Self { variables }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_variables_pass() {
        let environment = Environment::new(
            [
                ("PATH", "/bin"),
                ("HOME", "/home/a"),
                ("GIT_DIR", "/elsewhere"),
                ("GIT_EXTERNAL_DIFF", "touch x"),
                ("GIT_ALLOW_PROTOCOL", "ext"),
                ("SSH_AUTH_SOCK", "/s"),
                ("PAGER", "less"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        assert_eq!(environment.get("PATH"), Some(OsStr::new("/bin")));
        assert_eq!(environment.get("HOME"), Some(OsStr::new("/home/a")));
        assert_eq!(environment.get("GIT_ALLOW_PROTOCOL"), Some(OsStr::new("")));
        for absent in ["GIT_DIR", "GIT_EXTERNAL_DIFF", "SSH_AUTH_SOCK", "PAGER"] {
            assert_eq!(environment.get(absent), None, "{absent}");
        }
    }
}
