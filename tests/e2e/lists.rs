//! The list of jobs without a model.

use crate::support::messages::{Answer, FakeMessages};
use crate::support::model::FakeModel;
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

#[test]
fn the_command_that_lists_jobs_asks_no_model() {
    for claude in [peers::claude_197(), peers::claude_newest()] {
        let model = FakeModel::start(Scripted::well());
        let world = World::new(&model.base_url(), &claude, Way::PluginDir);
        world.terminal(&["consult", "Is it right?"]);
        let jobs = std::fs::read_dir(world.state().join("jobs")).expect("there is a job");
        let id = jobs.flatten().next().expect("there is one").file_name();
        let id = id.to_str().expect("an id is plain");
        let api = FakeMessages::start(|_| Answer::text("A model was asked."));
        let finished = world.session(&api.url(), "/codex:jobs");
        let shown = finished.event("result")["result"].to_string();
        assert!(shown.contains(id), "{finished:#?}");
        assert!(shown.contains("No model was asked"), "{shown}");
        assert_eq!(api.requests().len(), 0, "{shown}");
        // One of them is for the model.
        world.session(&api.url(), &format!("/codex:jobs {id}"));
        assert_eq!(api.requests().len(), 1);
    }
}
