//! codex as the host of a server: where it is configured, and what it gives a server.
//!
//! Seen with codex-cli 0.169.0; `tests/setup` has it read what is written here.

use std::path::PathBuf;

use crate::domain::environment::Environment;

/// The table of its servers.
pub const SERVERS: &str = "mcp_servers";
/// The table of its plugins, by plugin and marketplace.
pub const PLUGINS: &str = "plugins";
/// The file of one project, below its folder. It is read only in a project that the person trusts.
pub const PROJECT_FILE: &str = ".codex/config.toml";
/// Seconds that a tool may take where nothing is configured. Progress does not lengthen it.
pub const TOOL_TIMEOUT_S: u64 = 300;

/// The keys of one server.
pub mod key {
    /// Its program.
    pub const COMMAND: &str = "command";
    /// The arguments.
    pub const ARGUMENTS: &str = "args";
    /// Seconds until it must have answered `initialize`.
    pub const STARTUP_TIMEOUT: &str = "startup_timeout_sec";
    /// Seconds that one call may take.
    pub const TOOL_TIMEOUT: &str = "tool_timeout_sec";
    /// Names of variables that are passed on. Beside these a server sees HOME, PATH, TMPDIR, TERM, PWD and the locale.
    pub const VARIABLES: &str = "env_vars";
    /// Variables with values.
    pub const VALUES: &str = "env";
    /// Whether it is switched on.
    pub const ENABLED: &str = "enabled";
}

/// Returns the user's own file.
pub fn user_file(environment: &Environment) -> Option<PathBuf> {
    environment
        .path("CODEX_HOME")
        .or_else(|| environment.path("HOME").map(|home| home.join(".codex")))
        .map(|folder| folder.join("config.toml"))
}
