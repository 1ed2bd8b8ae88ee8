//! The plugin is updated while a job of it runs: nothing that was paid for is lost, and nobody waits for the new program.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::live::{Live, call};
use crate::outliving::Thinking;
use crate::session::Session;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::wakes::assert_woken;
use crate::world::{Way, World};

const OLD: &str = env!("CARGO_PKG_VERSION");
const NEW: &str = "99.0.0";

/// Stands for cargo: once `allowed` is there, two minutes at most, it makes the program of these tests as what it built, which
/// says that it is of the version of the plugin it was built in.
fn cargo(allowed: &Path) -> String {
    format!(
        "#!/bin/sh\nlooks=0\n\
         while ! [ -e '{}' ]; do looks=$((looks + 1)); [ $looks -lt 2400 ] || exit 1; sleep 0.05; done\n\
         while [ $# -gt 1 ]; do\n\
         [ \"$1\" = --target-dir ] && target=$2\n[ \"$1\" = --manifest-path ] && root=${{2%/*}}\nshift\ndone\n\
         version=$(sed -n 's/^version=//p' \"$root/bin/crosscheck\")\n\
         mkdir -p \"$target/release\"\n\
         printf '#!/bin/sh\\n[ \"$1\" = --version ] && echo \"crosscheck %s\" && exit\\nexec \"%s\" \"$@\"\\n' \
         \"$version\" '{}' >\"$target/release/crosscheck\"\n\
         chmod 755 \"$target/release/crosscheck\"\n",
        allowed.display(),
        env!("CARGO_BIN_EXE_crosscheck")
    )
}

/// A world with the installed plugin and without its program, and the file that lets its cargo build.
fn world(base_url: &str, claude: &Path) -> (World, PathBuf) {
    let world = World::without_program(base_url, claude, Way::GitMarketplace);
    let allowed = world.home_folder().join("may-build");
    world.put_cargo(&cargo(&allowed));
    (world, allowed)
}

/// Publishes the next version of the plugin and lets Claude Code take it, as a person does in another terminal.
fn update(world: &World) {
    let source = world.plugin();
    for (file, line) in [
        ("bin/crosscheck", "version="),
        (".claude-plugin/plugin.json", "\"version\": \""),
    ] {
        let text = fs::read_to_string(source.join(file)).expect("the plugin is there");
        let next = text.replacen(&format!("{line}{OLD}"), &format!("{line}{NEW}"), 1);
        assert_ne!(next, text, "{file} names its version");
        fs::write(source.join(file), next).expect("a private directory is writable");
    }
    world.git(
        &source,
        &["commit", "--quiet", "--all", "--message", "The next version"],
    );
    world.manage(&["marketplace", "update", "crosscheck"]);
    world.manage(&["update", "codex@crosscheck"]);
    assert!(
        world.installed_at().ends_with(NEW),
        "{}",
        world.installed_at().display()
    );
}

fn check(claude: &Path) {
    let thinking = Thinking::default();
    let model = FakeModel::start(thinking.clone());
    let (world, allowed) = world(&model.base_url(), claude);
    fs::write(&allowed, "").expect("a private directory is writable");
    let done = world.set_up();
    let program = |version| world.program_of(version);
    assert!(program(OLD).exists(), "{done:#?}");
    fs::remove_file(&allowed).expect("it was written above");

    let mut before = Live::program(&world, &[]);
    before.prompt(&call(
        "consult",
        &json!({"prompt": "Is it right?", "background": true}),
    ));
    let job = before.job();
    model.wait_for_turns(1);
    update(&world);

    // The new program cannot be there, and the older one answers in its place.
    let between = Session::run(&world, &format!("/codex:jobs {job}"), "job", &json!({"id": job}));
    between.assert_plugin_is_there();
    let shown = between.shown();
    assert_eq!(shown["job"]["id"], job.as_str(), "{shown:#}");
    assert_eq!(shown["job"]["state"], "running", "{shown:#}");
    assert!(!program(NEW).exists());

    thinking.let_go();
    assert_woken(&world, &before, &job);
    before.end();

    fs::write(&allowed, "").expect("a private directory is writable");
    wait_until("the new program", || program(NEW).exists());
    let after = Session::run(
        &world,
        &format!("/codex:result {job}"),
        "job",
        &json!({"id": job}),
    );
    after.assert_plugin_is_there();
    let shown = after.shown();
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
    assert!(
        shown["answer"].as_str().is_some_and(|answer| !answer.is_empty()),
        "{shown:#}"
    );
    after.assert_ended_well();
    assert_eq!(model.turns().len(), 1, "it was paid once");
}

#[test]
fn the_oldest_claude_code_updates_the_plugin_while_a_job_runs() {
    check(&peers::claude_197());
}

#[test]
fn the_newest_claude_code_updates_the_plugin_while_a_job_runs() {
    check(&peers::claude_newest());
}
