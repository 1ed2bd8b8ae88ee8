//! The user's MCP servers in codex, and how they are switched off for one run.
//!
//! codex starts every configured server outside its sandbox, read-only runs included (seen with codex-cli 0.169.0), so
//! a run that must not have side effects switches all of them off.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::environment::Environment;

/// Returns every file that may configure a server for a run in this folder; most do not exist.
pub fn configuration_files(environment: &Environment, workspace: &Path) -> Vec<PathBuf> {
    let home = environment
        .path("CODEX_HOME")
        .or_else(|| environment.path("HOME").map(|home| home.join(".codex")));
    let names = ["config.toml", "managed_config.toml"];
    let mut folders: Vec<PathBuf> = home.into_iter().chain([PathBuf::from("/etc/codex")]).collect();
    folders.extend(workspace.ancestors().map(|folder| folder.join(".codex")));
    folders
        .iter()
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .collect()
}

/// Reads the names of all servers from the configuration that the app-server tells; `None` when it is none.
///
/// The app-server is asked and not `codex mcp list`: that one calls every server with an address over the network
/// (seen with codex-cli 0.134.0 and 0.169.0).
pub fn parse_names(configuration: &Value) -> Option<Vec<String>> {
    match configuration.get("config")?.get("mcp_servers") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Object(servers)) => Some(servers.keys().cloned().collect()),
        Some(_) => None,
    }
}

/// Returns the one override that switches servers off, or `None` when there are none.
///
/// All names go into one inline table: any other spelling breaks on names with dots or spaces, and a name that is not
/// configured is a start-up error (seen with codex-cli 0.169.0; `a_users_server_never_starts` pins it).
pub fn switch_off(names: &[String]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let entries: Vec<String> = names
        .iter()
        .map(|name| format!("{}={{enabled=false}}", toml_string(name)))
        .collect();
    Some(format!("mcp_servers={{{}}}", entries.join(",")))
}

/// Writes a TOML basic string.
pub fn toml_string(text: &str) -> String {
    use std::fmt::Write;
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_names_are_switched_off_in_one_argument() {
        let names = vec!["a.b c".to_owned(), "x".to_owned(), "q\"t".to_owned()];
        assert_eq!(
            switch_off(&names).unwrap(),
            r#"mcp_servers={"a.b c"={enabled=false},"x"={enabled=false},"q\"t"={enabled=false}}"#
        );
        assert_eq!(switch_off(&[]), None);
    }

    #[test]
    fn names_are_read_from_the_configuration() {
        let check = |text: &str, expected: Option<Vec<&str>>| {
            let names = parse_names(&serde_json::from_str(text).unwrap());
            assert_eq!(
                names,
                expected.map(|names| names.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        };
        check(
            r#"{"config":{"mcp_servers":{"a.b c":{"command":"x"},"x":{"url":"u"}}}}"#,
            Some(vec!["a.b c", "x"]),
        );
        check(r#"{"config":{"mcp_servers":null}}"#, Some(vec![]));
        check(r#"{"config":{}}"#, Some(vec![]));
        check(r#"{"config":{"mcp_servers":[]}}"#, None);
        check("{}", None);
    }

    proptest! {
        #[test]
        fn every_name_survives_toml(name in any::<String>()) {
            let text = format!("x = {}", toml_string(&name));
            let table: toml::Table = toml::from_str(&text).unwrap();
            prop_assert_eq!(table["x"].as_str().unwrap(), name);
        }
    }
}
