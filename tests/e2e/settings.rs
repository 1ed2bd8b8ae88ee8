//! The plugin's settings in Claude Code: they hold when the person made them, and a project makes none.

use serde_json::{Value, json};

use crate::session::Session;
use crate::support::peers;
use crate::world::{Way, World};

/// What the tool `status` says of the settings, as `key = value (origin)`, and what it notes.
fn told(world: &World) -> (Vec<String>, Vec<String>) {
    let session = Session::run(world, "/codex:status", "status", &json!({}));
    let shown = session.shown();
    let row = |row: &Value| format!("{} = {} ({})", row["key"], row["value"], row["origin"]).replace('"', "");
    let changed = shown["config"]["changed"].as_array().into_iter().flatten();
    let notes = shown["next_steps"].as_array().into_iter().flatten();
    (
        changed
            .map(row)
            .filter(|row| row.contains("plugin setting"))
            .collect(),
        notes
            .filter_map(Value::as_str)
            .filter(|note| note.contains("plugin"))
            .map(str::to_owned)
            .collect(),
    )
}

#[test]
fn the_settings_of_the_plugin_hold_and_an_empty_one_says_nothing() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let world = World::new("http://127.0.0.1:9/v1", &claude, Way::GitMarketplace);
        assert_eq!(told(&world), (vec![], vec![]));
        for option in ["model=small-model", "concurrency=2"] {
            world.configure(option);
        }
        let expected = [
            "peer.codex.model = small-model (plugin setting)",
            "limits.concurrency = 2 (plugin setting)",
        ];
        assert_eq!(told(&world), (expected.map(str::to_owned).to_vec(), vec![]));
    }
}

#[test]
fn a_repository_sets_nothing_of_the_plugin() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let world = World::new("http://127.0.0.1:9/v1", &claude, Way::GitMarketplace);
        world.bring_settings(&json!({"pluginConfigs": {"codex@crosscheck": {"options": {
            "codex": world.repository().join("codex"), "model": "dear-model", "effort": "high", "concurrency": 9,
            "gate": "hard", "autonomy": "allow",
        }}}}));
        let (settings, notes) = told(&world);
        assert_eq!(settings, Vec::<String>::new());
        // The newest one does not even hand them over.
        let is_oldest = claude == peers::claude_197();
        assert_eq!(notes.len(), usize::from(is_oldest), "{notes:?}");
        assert!(
            notes
                .iter()
                .all(|note| note.contains("codex, model, effort, concurrency")),
            "{notes:?}"
        );
    }
}
