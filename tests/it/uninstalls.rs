//! What an uninstall takes away, and what it never does.

use std::fs;

use serde_json::{Value, json};

use crate::making::job;
use crate::support::run::{Finished, finish};
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, World};

fn uninstall(world: &World, arguments: &[&str]) -> Finished {
    let mut command = world.home.command(PROGRAM);
    command.current_dir(world.work()).arg("uninstall").args(arguments);
    finish(command, "")
}

fn told(world: &World, arguments: &[&str]) -> Value {
    let finished = uninstall(world, &[arguments, &["--json"]].concat());
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

#[test]
fn results_are_not_removed_under_a_run_that_goes_on() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let begun = server.ok(
        "consult",
        &json!({"prompt": "Is it right? [[fake:stall]]", "background": true}),
    );
    let id = begun["job"]["id"].as_str().unwrap().to_owned();
    world.model.wait_for_turns(1);

    let refused = told(&world, &["--yes", "--with-results"]);
    assert_eq!(refused["error"]["code"], "job_not_finished", "{refused:#}");
    assert!(world.job(&id).is_dir());
    // Without the results an uninstall takes nothing from it.
    let removed = told(&world, &["--yes"]);
    assert_eq!(removed["ok"], true, "{removed:#}");
    assert_eq!(server.ok("job", &json!({"id": id}))["job"]["state"], "running");

    server.ok("cancel", &json!({"id": id}));
    let after = server.call("job", &json!({"id": id, "wait_s": 60}));
    assert_eq!(after["job"]["state"], "cancelled", "{after:#}");
    assert_eq!(server.close(), Some(0));
    let all = told(&world, &["--yes", "--with-results"]);
    assert_eq!(all["ok"], true, "{all:#}");
    assert!(!world.home.state().exists(), "{all:#}");
}

#[test]
fn what_a_task_made_can_still_be_landed_after_an_uninstall_that_keeps_results() {
    let world = World::new(Scripted::well());
    world.git(&["init", "-q"]);
    world.write("a.txt", "one\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    let id = job(&world, |place| fs::write(place.join("a.txt"), "two\n").unwrap());

    let looked = uninstall(&world, &[]);
    assert!(looked.status.success(), "{looked:#?}");
    assert!(looked.stdout.contains("jobs and results"), "{}", looked.stdout);
    assert!(looked.stdout.contains("not read yet"), "{}", looked.stdout);
    assert_eq!(told(&world, &["--yes"])["ok"], true);

    let mut server = world.server();
    let shown = server.ok("dry_run", &json!({"tool": "apply", "arguments": {"id": id}}));
    assert_eq!(shown["can_land"], true, "{shown:#}");
}
