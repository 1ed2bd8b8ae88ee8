//! The settings of our plugin in Claude Code, taken over only where they are the user's own.
//!
//! Claude Code hands them to hooks as `CLAUDE_PLUGIN_OPTION_<NAME>`, and our manifest gives them to the server under the same
//! names; one that nobody filled in is empty there. 2.1.197 takes them from a project's `.claude/settings.json` too, so a
//! repository could choose which program is run, and what it costs. A value therefore counts only when the user's own settings
//! have it; seen with 2.1.197 and 2.1.329, and `a_repository_sets_nothing_of_the_plugin` pins it.
//!
//! What counts goes on as `CROSSCHECK_PLUGIN_<NAME>`, to our workers too; `config` reads it there.

use std::ffi::OsStr;

use serde_json::{Map, Value};

use crate::domain::environment::{Environment, PLUGIN_PREFIX};
use crate::service::claude::{ClaudeFolder, data_name};

/// How a host hands a setting of ours over.
const HOST_PREFIX: &str = "CLAUDE_PLUGIN_OPTION_";
/// The settings that count only so: those that become configuration, and those of two hooks. Whether a person is told of a
/// job costs nothing and runs nothing.
const NAMES: [&str; 6] = ["codex", "model", "effort", "concurrency", "gate", "autonomy"];
/// Where it is noted which ones were not taken over.
const IGNORED: &str = "CROSSCHECK_PLUGIN_IGNORED";

/// Takes the plugin's settings over into the environment of a process that the host has started.
#[must_use]
pub fn adopt(environment: Environment) -> Environment {
    let mut adopted = environment;
    let mut given = Vec::new();
    for name in NAMES {
        let value = adopted.get(&host_name(name)).map(OsStr::to_owned);
        // What somebody else put there is no setting of the plugin.
        adopted = adopted.without(&our_name(name)).without(&host_name(name));
        given.extend(value.map(|value| (name, value)));
    }
    adopted = adopted.without(IGNORED);
    if given.is_empty() {
        return adopted;
    }
    let settings = ClaudeFolder::of(&adopted).map(|folder| folder.read_settings());
    let data = adopted.path("CLAUDE_PLUGIN_DATA");
    let own = data
        .as_deref()
        .and_then(std::path::Path::file_name)
        .and_then(OsStr::to_str);
    let own_values = values(settings.as_ref(), own);
    let mut ignored = Vec::new();
    for (name, value) in given {
        if own_values
            .iter()
            .any(|(own, text)| *own == name && value == OsStr::new(text))
        {
            adopted = adopted.with(&our_name(name), value);
        } else {
            ignored.push(name);
        }
    }
    if ignored.is_empty() {
        return adopted;
    }
    adopted.with(IGNORED, ignored.join(", "))
}

/// Takes the plugin's settings out, for a host that has no such plugin.
#[must_use]
pub fn without(environment: Environment) -> Environment {
    NAMES.iter().fold(environment, |environment, name| {
        environment.without(&our_name(name)).without(&host_name(name))
    })
}

/// Returns what the user's own Claude Code settings have for a setting of the plugin, whoever asks.
pub fn own(environment: &Environment, name: &str) -> Option<String> {
    let settings = ClaudeFolder::of(environment)?.read_settings();
    let found = values(Some(&settings), None).into_iter();
    found
        .filter(|(own, _)| *own == name)
        .map(|(_, text)| text)
        .next_back()
}

/// Says which settings were not taken over, if there are any.
pub fn note(environment: &Environment) -> Option<String> {
    environment.text(IGNORED).map(|names| {
        format!(
            "ignored settings of the plugin that are not in your own Claude Code settings, so a project may have put them there: {names}"
        )
    })
}

/// Returns what the user's own settings have for the plugin whose data lies in the folder `own`; where that is not known, for
/// any plugin of our name.
fn values<'a>(settings: Option<&'a Map<String, Value>>, own: Option<&str>) -> Vec<(&'a str, String)> {
    let configs = settings.and_then(|settings| settings.get("pluginConfigs")?.as_object());
    configs
        .into_iter()
        .flatten()
        .filter(|(id, _)| match own {
            Some(own) => data_name(id) == own,
            None => id.starts_with("codex@"),
        })
        .filter_map(|(_, config)| config.get("options")?.as_object())
        .flatten()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((name.as_str(), text))
        })
        .collect()
}

fn host_name(name: &str) -> String {
    format!("{HOST_PREFIX}{}", name.to_ascii_uppercase())
}

fn our_name(name: &str) -> String {
    format!("{PLUGIN_PREFIX}{}", name.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What comes of these variables when the user's settings hold `settings`: ours, as `NAME=VALUE`.
    fn adopted(settings: &Value, pairs: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("plugins/data/codex-crosscheck");
        std::fs::write(folder.path().join("settings.json"), settings.to_string()).unwrap();
        let environment: Environment = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let adopted = adopt(environment.with("CLAUDE_PLUGIN_DATA", data));
        adopted
            .iter()
            .filter(|(name, _)| *name != "CLAUDE_PLUGIN_DATA")
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect()
    }

    #[test]
    fn a_setting_counts_when_the_user_made_it() {
        let options = json!({"codex": "/opt/codex", "model": "small", "concurrency": 4});
        let settings = json!({"pluginConfigs": {"codex@crosscheck": {"options": options}}});
        let check = |pairs: &[(&str, &str)], expected: &[&str]| {
            assert_eq!(adopted(&settings, pairs), expected, "{pairs:?}");
        };
        check(&[], &[]);
        check(
            &[
                ("CLAUDE_PLUGIN_OPTION_CODEX", "/opt/codex"),
                ("CLAUDE_PLUGIN_OPTION_MODEL", "small"),
                ("CLAUDE_PLUGIN_OPTION_EFFORT", ""),
                ("CLAUDE_PLUGIN_OPTION_CONCURRENCY", "4"),
            ],
            &[
                "CROSSCHECK_PLUGIN_CODEX=/opt/codex",
                "CROSSCHECK_PLUGIN_CONCURRENCY=4",
                "CROSSCHECK_PLUGIN_MODEL=small",
            ],
        );
        check(
            &[
                ("CLAUDE_PLUGIN_OPTION_CODEX", "/evil/codex"),
                ("CLAUDE_PLUGIN_OPTION_EFFORT", "high"),
                ("CLAUDE_PLUGIN_OPTION_MODEL", "small"),
            ],
            &[
                "CROSSCHECK_PLUGIN_IGNORED=codex, effort",
                "CROSSCHECK_PLUGIN_MODEL=small",
            ],
        );
        // Nobody but this function says what is a setting of the plugin.
        check(&[("CROSSCHECK_PLUGIN_CODEX", "/evil/codex")], &[]);
    }

    #[test]
    fn what_another_plugin_has_is_not_ours() {
        let settings = json!({"pluginConfigs": {"codex@other": {"options": {"model": "small"}}}});
        let found = adopted(&settings, &[("CLAUDE_PLUGIN_OPTION_MODEL", "small")]);
        assert_eq!(found, ["CROSSCHECK_PLUGIN_IGNORED=model"]);
    }

    #[test]
    fn odd_settings_hold_nothing() {
        for settings in [
            json!(null),
            json!({"pluginConfigs": 1}),
            json!({"pluginConfigs": {"codex@crosscheck": []}}),
            json!({"pluginConfigs": {"codex@crosscheck": {"options": "model"}}}),
            json!({"pluginConfigs": {"codex@crosscheck": {"options": {"model": ["small"]}}}}),
        ] {
            let found = adopted(&settings, &[("CLAUDE_PLUGIN_OPTION_MODEL", "small")]);
            assert_eq!(found, ["CROSSCHECK_PLUGIN_IGNORED=model"], "{settings}");
        }
    }
}
