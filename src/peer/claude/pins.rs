//! What outranks the user's and the repository's configuration in every run, each with what it guarantees.

/// A part of a run's command line or environment, and what it guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The flag, or `NAME=value` for a variable.
    pub setting: &'static str,
    /// The guarantee, for people.
    pub guarantee: &'static str,
}

/// The flags of every run that stand for themselves.
///
/// `--safe-mode` alone is not enough: with it a repository's `.claude/settings.json` still chooses the model and its
/// `apiKeyHelper` is still run, trusted or not (seen with 2.1.197 and 2.1.329). So the repository's settings are never read:
/// see [`crate::peer::claude::invocation`].
pub const FLAGS: [Pin; 4] = [
    Pin {
        setting: "--safe-mode",
        guarantee: "hooks, plugins, skills, agents and CLAUDE.md of the user and of the repository take no part",
    },
    Pin {
        setting: "--strict-mcp-config",
        guarantee: "no MCP server is started, neither the user's nor the repository's",
    },
    Pin {
        setting: "--disable-slash-commands",
        guarantee: "no text of a prompt is taken for a command",
    },
    Pin {
        setting: "--no-chrome",
        guarantee: "the user's browser takes no part",
    },
];

/// The variables of every run.
pub const VARIABLES: [(&str, &str, &str); 3] = [
    (
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "1",
        "a run sends no usage statistics",
    ),
    (
        "DISABLE_AUTOUPDATER",
        "1",
        "a run does not replace the program that was checked",
    ),
    // Claude Code asks git for the state of the repository, and git runs what the repository's own configuration names, such
    // as `core.fsmonitor` (seen with 2.1.197). With no repository to be found nothing of it is read.
    (
        "GIT_DIR",
        "/dev/null",
        "git, which runs programs that a repository's configuration names, finds no repository",
    ),
];
