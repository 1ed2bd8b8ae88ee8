//! Who may start paid work: a person by typing a command, in every mode; Claude by itself only when it is granted.

use serde_json::json;

use crate::session::Session;
use crate::support::model::FakeModel;
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

// The tools say that they only read, which is true. That alone lets neither version run them unasked, and without it the
// newest one refuses them in plan mode, where a second opinion is worth most. Seen with Claude Code 2.1.197 and 2.1.329.

#[test]
fn claude_by_itself_starts_nothing_paid_unasked() {
    let model = FakeModel::start(Scripted::well());
    for claude in [peers::claude_197(), peers::claude_newest()] {
        for mode in ["default", "plan", "acceptEdits"] {
            let world = World::new(&model.base_url(), &claude, Way::PluginDir).with_mode(mode);
            let session = Session::run(&world, "What do you think?", "consult", &json!({"prompt": "x"}));
            session.assert_refused();
        }
    }
    assert_eq!(model.turns().len(), 0);
}

#[test]
fn a_typed_command_needs_no_second_word_in_any_mode() {
    let model = FakeModel::start(Scripted::well());
    for claude in [peers::claude_197(), peers::claude_newest()] {
        for mode in ["plan", "dontAsk"] {
            let world = World::new(&model.base_url(), &claude, Way::PluginDir).with_mode(mode);
            let session = Session::run(&world, "/codex:consult x", "consult", &json!({"prompt": "x"}));
            assert_eq!(session.shown()["ok"], true, "{mode}");
            session.assert_ended_well();
        }
    }
    assert_eq!(model.turns().len(), 4);
}
