//! `/codex:setup` and `/codex:transfer`, which run our program.

use serde_json::{Value, json};

use crate::session::{Session, results_of};
use crate::support::messages::{Answer, FakeMessages, flat, tool_use};
use crate::support::model::FakeModel;
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

#[test]
fn the_command_that_sets_up_may_run_the_doctor_unasked() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let model = FakeModel::start(Scripted::well());
        let world = World::new(&model.base_url(), &claude, Way::PluginDir);
        let api = FakeMessages::start(|request| match results_of(request, "Bash").as_slice() {
            [] => Answer::Blocks(vec![tool_use(
                "Bash",
                &json!({"command": "crosscheck doctor --json"}),
            )]),
            [result, ..] => Answer::text(&flat(&result["content"])),
        });
        let finished = world.session(&api.url(), "/codex:setup");
        let end = finished.event("result");
        assert_eq!(end["permission_denials"], json!([]), "{end:#}");
        let shown = end["result"].as_str().unwrap_or_default();
        let told: Value = serde_json::from_str(shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_eq!(
            (&told["tool"], &told["ready"]),
            (&json!("doctor"), &json!(true)),
            "{told:#}"
        );
        assert!(model.turns().is_empty());
    }
}

#[test]
fn a_conversation_is_handed_over_without_a_model() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let model = FakeModel::start(Scripted::well());
        let world = World::new(&model.base_url(), &claude, Way::PluginDir);
        let session = Session::run_script(&world, "The word is heron.", "status", |_| Answer::text("Told."));
        session.assert_ended_well();
        let api = FakeMessages::start(|_| Answer::text("A model was asked."));
        let go_on = |text: &str| world.session_with(&api.url(), text, &["--continue"]);
        let result = |text: &str| {
            go_on(text).event("result")["result"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let previewed = result("/codex:transfer dry-run");
        assert!(previewed.contains("It would hand over 2 messages"), "{previewed}");
        let told = result("/codex:transfer");
        assert!(
            told.contains("Handed over 2 messages") && told.contains("codex resume "),
            "{told}"
        );
        assert_eq!(api.requests().len(), 0, "{told}");
        assert!(model.turns().is_empty());
        let thread = told
            .split("codex resume ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .expect("a thread is named");
        let question = "Which word? [[fake:plain text=\"Heron.\"]]";
        world.terminal(&["consult", question, "--resume", thread]);
        assert!(model.turns()[0].body.to_string().contains("The word is heron."));
    }
}
