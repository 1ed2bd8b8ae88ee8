//! Claude Code as the host of a server: its own commands for adding one, and the files in which they leave it.
//!
//! The files are only ever read here: Claude Code writes them itself. Seen with 2.1.197 and 2.1.329; `tests/setup` runs the
//! commands of both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::environment::Environment;

/// The table of its servers.
pub const SERVERS: &str = "mcpServers";
/// The file of one project, below its folder.
pub const PROJECT_FILE: &str = ".mcp.json";

/// Returns the file of the user's own servers.
pub fn user_file(environment: &Environment) -> Option<PathBuf> {
    environment
        .path("CLAUDE_CONFIG_DIR")
        .or_else(|| environment.path("HOME"))
        .map(|folder| folder.join(".claude.json"))
}

/// Returns the arguments that add a server. It refuses a name that is taken.
pub fn add(scope: &str, name: &str, command: &Path, arguments: &[String]) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["mcp", "add", "--scope", scope, name, "--"]
        .map(OsString::from)
        .to_vec();
    words.push(command.into());
    words.extend(arguments.iter().map(OsString::from));
    words
}

/// Returns the arguments that remove a server.
pub fn remove(scope: &str, name: &str) -> Vec<OsString> {
    ["mcp", "remove", "--scope", scope, name]
        .map(OsString::from)
        .to_vec()
}

/// Returns the arguments that install a plugin from a marketplace that it knows.
pub fn install(scope: &str, plugin: &str) -> Vec<OsString> {
    ["plugin", "install", "--scope", scope, plugin]
        .map(OsString::from)
        .to_vec()
}

/// Returns the arguments that uninstall a plugin.
pub fn uninstall(scope: &str, plugin: &str) -> Vec<OsString> {
    ["plugin", "uninstall", "--scope", scope, plugin]
        .map(OsString::from)
        .to_vec()
}

/// Finds a server in one of its files.
pub fn server<'a>(file: &'a Value, name: &str) -> Option<&'a Value> {
    file.get(SERVERS)?.get(name)
}
