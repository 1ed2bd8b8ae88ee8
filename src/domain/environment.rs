//! Environment variables as a value, and which of them a child may see.
//!
//! The process environment is read once, in `main`, and handed on as this value. A child never inherits: it gets what
//! [`Environment::for_peer`] or [`Environment::for_worker`] lets through; git's children have a list of their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Variables that every child may see.
const COMMON: [&str; 31] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_DIRS",
    // By name, not by their beginning: whatever begins with `LC_` passes through SSH, so people put other things there.
    "LC_ALL",
    "LC_ADDRESS",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_IDENTIFICATION",
    "LC_MEASUREMENT",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NAME",
    "LC_NUMERIC",
    "LC_PAPER",
    "LC_RESPONSE",
    "LC_TELEPHONE",
    "LC_TIME",
    "LANGUAGE",
];
/// Proxies and certificate stores: without them a peer behind a company proxy reaches nothing.
const NETWORK: [&str; 14] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "CODEX_CA_CERTIFICATE",
];
/// Counts how deep runs of this program are nested; a peer's command that calls us again is recognised by it.
pub const DEPTH_VARIABLE: &str = "CROSSCHECK_DEPTH";

/// How the variables begin by which a setting of our plugin goes on to our own processes, once it is known to be the user's.
pub const PLUGIN_PREFIX: &str = "CROSSCHECK_PLUGIN_";

/// A set of environment variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Environment {
    /// Returns a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns a variable as text; one that is not Unicode counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(OsStr::to_str)
    }

    /// Returns a variable as an absolute path; a relative one counts as absent.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Removes a variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(OsStr::new(name));
        self
    }

    /// Returns all variables.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Returns what a peer may see: the common variables, proxies and certificates, its `own` variables, and the names
    /// that the user's configuration passes on.
    #[must_use]
    pub fn for_peer(&self, own: &[&str], pass: &[String]) -> Self {
        self.keep(|name| {
            is_common(name)
                || NETWORK.contains(&name)
                || own.contains(&name)
                || pass.iter().any(|p| p == name)
        })
    }

    /// Returns what our own worker needs: what a peer may see, and our own settings.
    #[must_use]
    pub fn for_worker(&self, own: &[&str], pass: &[String]) -> Self {
        self.keep(|name| {
            is_common(name)
                || NETWORK.contains(&name)
                || own.contains(&name)
                || pass.iter().any(|p| p == name)
                || name.starts_with("CROSSCHECK_")
        })
    }

    /// Returns the names by which a program finds the user's folders and the network, and which a host may keep to itself.
    pub fn of_place() -> impl Iterator<Item = &'static str> {
        let folders = COMMON.into_iter().filter(|name| name.starts_with("XDG_"));
        folders.chain(NETWORK)
    }

    /// Returns the names of our own settings that are set.
    pub fn own_settings(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().filter(|(_, value)| !value.is_empty());
        names
            .filter_map(|(name, _)| name.to_str())
            .filter(|name| name.starts_with("CROSSCHECK_"))
    }

    fn keep(&self, admits: impl Fn(&str) -> bool) -> Self {
        self.0
            .iter()
            .filter(|(name, _)| name.to_str().is_some_and(&admits))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

fn is_common(name: &str) -> bool {
    COMMON.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_only_what_is_listed() {
        let all: Environment = [
            "PATH",
            "HOME",
            "LC_ALL",
            "LC_SECRET",
            "XDG_TOKEN",
            "ANTHROPIC_API_KEY",
            "CODEX_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "GIT_DIR",
            "HTTPS_PROXY",
            "CLAUDE_CODE_SESSION_ID",
            "CROSSCHECK_LOG",
            "MY_PROXY_TOKEN",
        ]
        .into_iter()
        .map(|name| (name.into(), "value".into()))
        .collect();
        let names = |env: Environment| {
            env.iter()
                .map(|(n, _)| n.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(all.for_peer(&["CODEX_API_KEY"], &["MY_PROXY_TOKEN".to_owned()])),
            [
                "CODEX_API_KEY",
                "HOME",
                "HTTPS_PROXY",
                "LC_ALL",
                "MY_PROXY_TOKEN",
                "PATH"
            ]
        );
    }

    #[test]
    fn an_empty_variable_is_no_variable() {
        let env = Environment::default()
            .with("A", "")
            .with("B", "relative")
            .with("C", "/abs");
        assert_eq!(env.get("A"), None);
        assert_eq!(env.path("B"), None);
        assert_eq!(env.path("C"), Some(PathBuf::from("/abs")));
    }
}
