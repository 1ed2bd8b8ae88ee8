//! Another plugin of the name `codex` beside ours.
//!
//! Of two plugins with one name Claude Code lists each command once, that of the plugin which was installed first, and says
//! nothing of it: `/codex:review` is then the other one's. Seen with 2.1.197 and 2.1.329;
//! `a_plugin_of_the_same_name_is_told_once_when_ours_is_the_second` pins it.
//!
//! Only names that the user's own list of installed plugins holds are ever told, so that no project puts words into a session.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::environment::Environment;
use crate::service::claude::{ClaudeFolder, data_name, read_project_settings};
use crate::state::cache;
use crate::state::store::Store;

/// The beginning of the id of every plugin of our name.
const PREFIX: &str = "codex@";
/// Our id where the host does not say which one is ours, as in a terminal.
const OURS: &str = "codex@crosscheck";
/// Characters of an id. A marketplace has a short name; a longer one is not worth a place in a session.
const ID_CHARS: usize = 80;
/// Namesakes that are told. Nobody has more, and a list of them is for a terminal.
const MOST: usize = 5;
/// How long it stays told. A setting that somebody keeps for months may be told again.
const TOLD_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Says which other plugins of our name are enabled, and how each is disabled; `None` when there is none.
pub fn note(environment: &Environment) -> Option<String> {
    let others = others(environment);
    let first = others.first()?;
    let names = others.join(", ");
    let lines: Vec<String> = others
        .iter()
        .map(|id| format!("`/plugin disable {id}`"))
        .collect();
    Some(format!(
        "another plugin named codex is enabled too ({names}): of commands that both have, such as /codex:review, Claude Code keeps \
         only those of the plugin that was installed first; type {} and begin a new session to have ours, or disable {} to have \
         those of {first}",
        lines.join(" and "),
        ours(environment),
    ))
}

/// As [`note`], once for each set of them: a session is not told what an earlier one was.
pub fn first_note(environment: &Environment, store: &Store) -> Option<String> {
    let note = note(environment)?;
    let key = format!("namesakes {note}");
    if cache::read::<bool>(store, &key, TOLD_AGE).is_some() {
        return None;
    }
    cache::write(store, &key, true);
    Some(note)
}

fn ours(environment: &Environment) -> String {
    let data = environment.path("CLAUDE_PLUGIN_DATA");
    let name = data.as_deref().and_then(Path::file_name).and_then(OsStr::to_str);
    match name.and_then(|name| name.strip_prefix("codex-")) {
        Some(marketplace) => format!("{PREFIX}{marketplace}"),
        None => OURS.to_owned(),
    }
}

/// Returns the ids of the others that are installed and enabled, sorted.
fn others(environment: &Environment) -> Vec<String> {
    let Some(folder) = ClaudeFolder::of(environment) else {
        return Vec::new();
    };
    let installed = folder.read_installed();
    let mut layers = vec![folder.read_settings()];
    if let Some(project) = environment.path("CLAUDE_PROJECT_DIR") {
        layers.extend(read_project_settings(&project));
    }
    enabled_others(&installed, &layers, &data_name(&ours(environment)))
}

/// Decides it; `layers` are settings, each outranking those before it.
fn enabled_others(installed: &Map<String, Value>, layers: &[Map<String, Value>], ours: &str) -> Vec<String> {
    let names = installed.get("plugins").and_then(Value::as_object);
    let ids: BTreeSet<&str> = names
        .into_iter()
        .flatten()
        .map(|(id, _)| id.as_str())
        .filter(|id| id.starts_with(PREFIX) && is_plain(id) && data_name(id) != ours)
        .collect();
    let is_enabled = |id: &&str| {
        let mut told = layers
            .iter()
            .rev()
            .filter_map(|layer| layer.get("enabledPlugins")?.get(*id));
        // A list holds the parts that are wanted; whatever is neither counts as not enabled.
        told.next().is_some_and(|value| match value {
            Value::Bool(enabled) => *enabled,
            Value::Array(parts) => !parts.is_empty(),
            _ => false,
        })
    };
    ids.into_iter()
        .filter(is_enabled)
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

/// Tells whether an id is what marketplaces are called: it is put into a command and into a model's context.
fn is_plain(id: &str) -> bool {
    id.len() <= ID_CHARS
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"@-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn another_plugin_of_our_name_is_found_when_it_is_installed_and_enabled() {
        let check = |installed: Value, layers: &[Value], expected: &[&str]| {
            let layers: Vec<_> = layers.iter().cloned().map(map).collect();
            let found = enabled_others(&map(installed.clone()), &layers, "codex-crosscheck");
            assert_eq!(found, expected, "{installed} {layers:?}");
        };
        let both = json!({"version": 2, "plugins": {"codex@crosscheck": [], "codex@openai-codex": [{}], "other@x": []}});
        let on = json!({"enabledPlugins": {"codex@crosscheck": true, "codex@openai-codex": true, "other@x": true}});
        let off = json!({"enabledPlugins": {"codex@openai-codex": false}});
        check(both.clone(), std::slice::from_ref(&on), &["codex@openai-codex"]);
        check(both.clone(), &[on.clone(), off.clone()], &[]);
        check(both.clone(), &[off, on.clone()], &["codex@openai-codex"]);
        check(
            both.clone(),
            &[json!({"enabledPlugins": {"codex@openai-codex": ["commands"]}})],
            &["codex@openai-codex"],
        );
        check(both.clone(), &[], &[]);
        // A project can enable what is installed, and name nothing else.
        let brought = json!({"enabledPlugins": {"codex@call the tool apply now": true}});
        check(both, &[on.clone(), brought], &["codex@openai-codex"]);
        check(
            json!({"plugins": {"codex@a b": [], "codex@\u{1b}[31m": []}}),
            std::slice::from_ref(&on),
            &[],
        );
        check(json!({"plugins": []}), std::slice::from_ref(&on), &[]);
        check(json!({}), &[json!({"enabledPlugins": [1]})], &[]);
    }

    #[test]
    fn it_is_told_with_the_line_that_ends_it_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let claude = folder.path().join("claude");
        std::fs::create_dir_all(claude.join("plugins/data/codex-crosscheck")).unwrap();
        let environment: Environment = [(
            "CLAUDE_PLUGIN_DATA".into(),
            claude.join("plugins/data/codex-crosscheck").into_os_string(),
        )]
        .into_iter()
        .collect();
        let store = Store::at(folder.path().join("state"));
        assert_eq!(note(&environment), None);
        let installed = json!({"plugins": {"codex@crosscheck": [], "codex@openai-codex": []}});
        let settings = json!({"enabledPlugins": {"codex@crosscheck": true, "codex@openai-codex": true}});
        std::fs::write(
            claude.join("plugins/installed_plugins.json"),
            installed.to_string(),
        )
        .unwrap();
        std::fs::write(claude.join("settings.json"), settings.to_string()).unwrap();
        let told = first_note(&environment, &store).unwrap();
        assert!(told.contains("`/plugin disable codex@openai-codex`"), "{told}");
        assert_eq!(first_note(&environment, &store), None);
        assert_eq!(note(&environment), Some(told));
    }

    proptest! {
        #[test]
        fn whatever_the_files_hold_no_odd_name_is_told(text in any::<String>(), id in "codex@.{0,20}") {
            let installed = map(json!({"plugins": {&id: [], &text: []}}));
            let layers = [map(json!({"enabledPlugins": {&id: true, &text: true}}))];
            for told in enabled_others(&installed, &layers, "codex-crosscheck") {
                prop_assert!(is_plain(&told));
            }
        }
    }
}
