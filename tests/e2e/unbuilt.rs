//! Before the program is built, the person learns in Claude Code what to do, and the session finds the program after it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use crate::session::{Session, full_name, results_of};
use crate::support::messages::{Answer, tool_use};
use crate::support::model::wait_until;
use crate::support::peers;
use crate::world::{Way, World};

fn check(claude: &Path) {
    let world = World::without_program("http://127.0.0.1:9/v1", claude, Way::PluginDir);
    let place = world.place_of_the_program();
    let tool = full_name("status");
    let launchers = Mutex::new(Vec::new());
    let plugin = world.plugin();
    // The person builds the program after the first answer. The second one sends the host to a new start of the server.
    let session = Session::run_script(
        &world,
        "/codex:status",
        "status",
        move |request| match results_of(request, &tool).len() {
            1 if !place.exists() => {
                fs::create_dir_all(place.parent().expect("a file lies in a folder"))
                    .expect("a private directory can be made");
                symlink(env!("CARGO_BIN_EXE_crosscheck"), &place).expect("a private directory is writable");
                *launchers.lock().expect("nothing panics with it") = processes_of(&plugin);
                Answer::Blocks(vec![tool_use(&tool, &json!({}))])
            }
            2 => {
                // A model takes seconds for its next call; this one must not overtake the end of the launcher either.
                let gone = launchers.lock().expect("nothing panics with it");
                wait_until("the launcher's end", || {
                    gone.iter()
                        .all(|process| !Path::new("/proc").join(process).exists())
                });
                Answer::Blocks(vec![tool_use(&tool, &json!({}))])
            }
            3 => Answer::text("Told."),
            _ => Answer::Blocks(vec![tool_use(&tool, &json!({}))]),
        },
    );
    let shown = session.all_shown();
    assert!(shown[0].contains("cargo install --locked --path"), "{shown:#?}");
    assert!(shown[1].contains("the program is there now"), "{shown:#?}");
    assert!(shown[1].contains("/mcp"), "{shown:#?}");
    assert!(shown[2].contains("0.169.0"), "{shown:#?}");
    session.assert_ended_well();
}

/// Returns the numbers of the launchers that were started from this plugin.
fn processes_of(plugin: &Path) -> Vec<OsString> {
    let launcher = plugin.join("bin/crosscheck");
    let entries = fs::read_dir("/proc").expect("processes are listed");
    entries
        .flatten()
        .filter(|entry| {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            words
                .split(|byte| *byte == 0)
                .any(|word| word == launcher.as_os_str().as_encoded_bytes())
        })
        .map(|entry| entry.file_name())
        .collect()
}

#[test]
fn the_oldest_claude_code_tells_what_to_do_and_finds_the_program_after_it() {
    check(&peers::claude_197());
}

#[test]
fn the_newest_claude_code_tells_what_to_do_and_finds_the_program_after_it() {
    check(&peers::claude_newest());
}
