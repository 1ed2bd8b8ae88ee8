//! Every key there is, once: for reading, for telling what is right, and for showing what is in force.

/// One key of a file of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its whole name.
    pub name: &'static str,
    /// What its value must be, in words that follow "must be".
    pub kind: &'static str,
    /// Whether a project's own file may narrow it.
    pub project: bool,
}

const fn users(name: &'static str, kind: &'static str) -> Key {
    Key {
        name,
        kind,
        project: false,
    }
}

const fn projects(name: &'static str, kind: &'static str) -> Key {
    Key {
        name,
        kind,
        project: true,
    }
}

/// The keys in the order in which they are shown.
pub const KEYS: &[Key] = &[
    users("peer.codex.bin", "an absolute path"),
    users(
        "peer.codex.versions",
        "a range of versions such as \">=0.170, <0.180\"",
    ),
    users("peer.codex.model", "the name of a model"),
    users("peer.codex.effort", "the name of an effort"),
    users("peer.claude.bin", "an absolute path"),
    users(
        "peer.claude.versions",
        "a range of versions such as \">=2.1.200, <2.2\"",
    ),
    users("peer.claude.model", "the name of a model"),
    users("peer.claude.effort", "the name of an effort"),
    projects("limits.concurrency", "an integer, 1 to 10"),
    projects("limits.timeout_s", "an integer, 10 to 14400 seconds"),
    projects("limits.budget_tokens", "an integer, 1000 to 100000000"),
    users("limits.ask_above_tokens", "an integer, 1000 to 100000000"),
    projects("limits.prompt_bytes", "an integer, 10000 to 2097152"),
    projects("limits.review_parts", "an integer, 1 to 64"),
    projects("limits.depth", "1 or 2"),
    projects(
        "policy.roots",
        "a list of at most 100 absolute paths; in a project's file, of paths below its top",
    ),
    projects("paths.deny", "a list of at most 200 globs of paths, without `..`"),
    projects("checks.only", "a list of at most 100 lines of at most 500 bytes"),
    projects(
        "secrets.files",
        "a list of at most 200 globs of paths, without `..`",
    ),
    projects(
        "secrets.patterns",
        "a list of at most 50 regular expressions of at most 500 bytes",
    ),
    users("env.pass", "a list of at most 100 names of variables"),
    users("allow.web_search", "true or false"),
    users("allow.network", "true or false"),
    users("allow.in_place", "true or false"),
    users(
        "delegate.reuse",
        "a list of at most 50 relative paths without `..`",
    ),
    users("apply.confirm", "\"host\" or \"always\""),
    users(
        "runner.cloud.env",
        "the id or the label of an environment, 1 to 200 characters",
    ),
    users("host.notify", "true or false"),
    users("host.gate", "\"off\", \"soft\" or \"hard\""),
];

/// Returns the key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Tells whether a name is that of a table.
pub(super) fn is_table(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Returns what may stand in a table; at the top, the tables.
pub(super) fn valid_in(table: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let rest = match table {
            "" => Some(key.name),
            _ => key
                .name
                .strip_prefix(table)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        let name = rest.and_then(|rest| rest.split('.').next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_in_a_table_is_known() {
        let check = |table: &str, expected: &[&str]| assert_eq!(valid_in(table), expected, "{table}");
        check(
            "",
            &[
                "peer", "limits", "policy", "paths", "checks", "secrets", "env", "allow", "delegate",
                "apply", "runner", "host",
            ],
        );
        check("peer", &["codex", "claude"]);
        check("peer.codex", &["bin", "versions", "model", "effort"]);
        check("allow", &["web_search", "network", "in_place"]);
        check("all", &[]);
        assert!(is_table("peer") && is_table("peer.codex"));
        assert!(!is_table("pee") && !is_table("peer.codex.bin"));
    }

    #[test]
    fn nothing_that_grants_is_a_projects_to_set() {
        let grants = |key: &&Key| {
            [
                "allow.",
                "env.",
                "peer.",
                "apply.",
                "delegate.",
                "runner.",
                "host.",
            ]
            .iter()
            .any(|table| key.name.starts_with(table))
        };
        assert!(KEYS.iter().filter(grants).all(|key| !key.project));
    }
}
