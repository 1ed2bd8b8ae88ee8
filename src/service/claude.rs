//! What Claude Code keeps in files of its own, as far as it concerns our plugin: which plugins there are, and the settings
//! that its user gave ours.
//!
//! Only the folder that the host names is read, nothing in it is ever changed (a conversation that is handed over becomes a
//! new file there, in `transfer`), and whatever cannot be read or understood
//! counts as absent: these files belong to another program, and a session must not suffer from what is in them.
//!
//! Seen with Claude Code 2.1.197 and 2.1.329.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::domain::environment::Environment;
use crate::sys::files;

/// Bytes of one file. People's settings are a few kilobytes; the list of plugins grows by half of one for each.
const FILE_BYTES: u64 = 1024 * 1024;

/// Claude Code's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaudeFolder(PathBuf);

impl ClaudeFolder {
    /// Returns the folder that the host names.
    ///
    /// The place of our plugin's data lies in it, and only the host itself can say that; a project's settings can put
    /// something into `CLAUDE_CONFIG_DIR`, which counts when the other one is not known, as in a terminal.
    pub fn of(environment: &Environment) -> Option<Self> {
        let data = environment.path("CLAUDE_PLUGIN_DATA");
        let by_data = data.as_deref().and_then(|data| {
            let plugins = data.parent().filter(|parent| parent.ends_with("plugins/data"))?;
            plugins.parent()?.parent()
        });
        by_data
            .map(Path::to_path_buf)
            .or_else(|| environment.path("CLAUDE_CONFIG_DIR"))
            .or_else(|| environment.path("HOME").map(|home| home.join(".claude")))
            .map(Self)
    }

    /// Reads the user's own settings.
    pub fn read_settings(&self) -> Map<String, Value> {
        read(&self.0.join("settings.json"))
    }

    /// Returns where plugins keep their data, each in a folder of its own.
    pub fn plugin_data(&self) -> PathBuf {
        self.0.join("plugins/data")
    }

    /// Returns where the conversations about a folder lie.
    pub fn conversations(&self, about: &Path) -> PathBuf {
        let name: String = about
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        self.0.join("projects").join(name)
    }

    /// Reads which marketplaces are known.
    pub fn read_marketplaces(&self) -> Map<String, Value> {
        read(&self.0.join("plugins/known_marketplaces.json"))
    }

    /// Reads which plugins are installed.
    pub fn read_installed(&self) -> Map<String, Value> {
        read(&self.0.join("plugins/installed_plugins.json"))
    }
}

/// Reads the settings of one project: what is tracked and what is not, the second outranking the first.
pub fn read_project_settings(project: &Path) -> [Map<String, Value>; 2] {
    ["settings.json", "settings.local.json"].map(|name| read(&project.join(".claude").join(name)))
}

/// Reads an object; anything else is an empty one.
pub(super) fn read(path: &Path) -> Map<String, Value> {
    let bytes = match files::read_bounded_linked(path, FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::debug!(%error, "a file of the host's is not there or cannot be read");
            return Map::new();
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Returns the folder that the host gives to the data of the plugin of this id.
///
/// Whatever is no letter, digit or `-` becomes a `-`, so two ids may have the same; that is no harm for what is asked here.
pub fn data_name(id: &str) -> String {
    id.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_our_data_says_where_the_host_keeps_its_files() {
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            let environment: Environment = pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect();
            let folder = ClaudeFolder::of(&environment).map(|folder| folder.0);
            assert_eq!(folder.as_deref(), expected.map(Path::new), "{pairs:?}");
        };
        let data = ("CLAUDE_PLUGIN_DATA", "/c/plugins/data/codex-crosscheck");
        check(
            &[data, ("CLAUDE_CONFIG_DIR", "/evil"), ("HOME", "/h")],
            Some("/c"),
        );
        check(&[("CLAUDE_CONFIG_DIR", "/c"), ("HOME", "/h")], Some("/c"));
        check(
            &[("CLAUDE_PLUGIN_DATA", "/elsewhere"), ("HOME", "/h")],
            Some("/h/.claude"),
        );
        check(&[("CLAUDE_CONFIG_DIR", "relative")], None);
        check(&[], None);
    }

    #[test]
    fn whatever_is_in_a_file_is_an_object_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let check = |bytes: &[u8], expected: usize| {
            std::fs::write(folder.path().join("settings.json"), bytes).unwrap();
            let claude = ClaudeFolder(folder.path().to_owned());
            assert_eq!(
                claude.read_settings().len(),
                expected,
                "{}",
                String::from_utf8_lossy(bytes)
            );
        };
        check(b"{\"a\": 1}", 1);
        check(b"[1]", 0);
        check(b"{\"a\": ", 0);
        check(b"\xff\xfe", 0);
        check("[".repeat(100_000).as_bytes(), 0);
        check(" ".repeat(2 * 1024 * 1024).as_bytes(), 0);
        std::fs::remove_file(folder.path().join("settings.json")).unwrap();
        std::fs::create_dir(folder.path().join("settings.json")).unwrap();
        assert!(ClaudeFolder(folder.path().to_owned()).read_settings().is_empty());
    }
}
