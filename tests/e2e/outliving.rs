//! A paid answer outlives the session that asked for it.

use std::sync::Arc;
use std::sync::{Condvar, Mutex, PoisonError};

use crosscheck::model::{Reply, Script, Turn};
use serde_json::json;

use crate::session::Session;
use crate::support::model::{FakeModel, PATIENCE};
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

/// A model that thinks until it is let go.
#[derive(Clone, Default)]
pub(crate) struct Thinking(Arc<(Mutex<bool>, Condvar)>);

impl Thinking {
    pub(crate) fn let_go(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

impl Script for Thinking {
    fn reply(&self, turn: &Turn) -> Reply {
        let (gone, changed) = &*self.0;
        let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_timeout_while(gone, PATIENCE, |gone| !*gone));
        Scripted::well().reply(turn)
    }
}

#[test]
fn a_background_consult_is_read_by_the_next_session() {
    let thinking = Thinking::default();
    let model = FakeModel::start(thinking.clone());
    let world = World::new(&model.base_url(), &peers::claude_newest(), Way::PluginDir);

    // The session ends, and with it our server, while the model thinks.
    let first = Session::run(
        &world,
        "/codex:consult in the background: is it right?",
        "consult",
        &json!({"prompt": "Is it right?", "background": true}),
    );
    let handle = first.shown();
    let id = handle["job"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{handle:#}"));
    assert!(
        ["queued", "running"].contains(&handle["job"]["state"].as_str().unwrap_or_default()),
        "{handle:#}"
    );
    // Nobody would hear it: this session ends with its only prompt.
    let summary = handle["summary"].as_str().unwrap_or_default();
    assert!(!summary.contains("is told"), "{summary}");
    first.assert_ended_well();
    model.wait_for_turns(1);
    thinking.let_go();

    let second = Session::run(
        &world,
        &format!("/codex:jobs {id}"),
        "job",
        &json!({"id": id, "wait_s": 60}),
    );
    let shown = second.shown();
    assert_eq!(shown["job"]["id"], id, "{shown:#}");
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
    assert!(
        shown["answer"].as_str().is_some_and(|answer| !answer.is_empty()),
        "{shown:#}"
    );
    second.assert_ended_well();
    assert_eq!(model.turns().len(), 1, "it was paid once");
}
