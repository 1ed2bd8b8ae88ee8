//! Tasks in the real Claude Code: handed over, looked at, landed by a person alone, and taken out again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::live::{Live, call};
use crate::session::{Session, full_name};
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

/// A task that makes codex run a command.
fn task(command: &str) -> String {
    format!("Do it. [[fake:shell cmd=\"{command}\"]]")
}

fn text<'a>(shown: &'a Value, pointer: &str) -> &'a str {
    shown
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer}: {shown:#}"))
}

fn index_of(world: &World) -> Vec<u8> {
    fs::read(world.repository().join(".git/index")).expect("a repository has an index")
}

/// Hands over a task that makes a file, and returns its job. The repository is what it was.
fn delegated(world: &World) -> String {
    let before = world.state_of_the_repository();
    let input = json!({"task": task("echo hello > greeting.txt"), "checks": ["test -s greeting.txt"]});
    let session = Session::run(world, "/codex:delegate Greet.", "delegate", &input);
    let shown = session.shown();
    assert_eq!(shown["tool"], "delegate", "{shown:#}");
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
    assert_eq!(shown["diffstat"]["files"], 1, "{shown:#}");
    assert_eq!(shown["checks"][0]["exit_code"], 0, "{shown:#}");
    assert!(text(&shown, "/diff").contains("+hello"), "{shown:#}");
    session.assert_ended_well();
    assert_eq!(world.state_of_the_repository(), before);
    text(&shown, "/job/id").to_owned()
}

/// Previews a result and returns what is shown. The repository is what it was.
fn previewed(world: &World, id: &str) -> Value {
    let before = world.state_of_the_repository();
    let input = json!({"tool": "apply", "arguments": {"id": id}});
    let session = Session::run(world, &format!("/codex:apply {id}"), "dry_run", &input);
    let shown = session.shown();
    session.assert_ended_well();
    assert_eq!(world.state_of_the_repository(), before);
    shown
}

/// A model that lands by itself what it was only asked to preview gets nowhere where no person can be asked.
fn check_landing_is_refused(claude: &Path, is_granted: bool) {
    let model = FakeModel::start(Scripted::well());
    let mut world = World::new(&model.base_url(), claude, Way::PluginDir);
    let id = delegated(&world);
    let token = text(&previewed(&world, &id), "/token").to_owned();
    if is_granted {
        world = world.with_granted(full_name("apply"));
    }
    let before = world.state_of_the_repository();
    let input = json!({"id": id, "action": "land", "token": token});
    let session = Session::run(&world, &format!("/codex:apply {id}"), "apply", &input);
    session.assert_refused();
    assert_eq!(world.state_of_the_repository(), before);
}

#[test]
fn the_oldest_claude_code_lands_nothing_unasked() {
    check_landing_is_refused(&peers::claude_197(), false);
}

#[test]
fn the_newest_claude_code_lands_nothing_unasked() {
    check_landing_is_refused(&peers::claude_newest(), false);
}

// The tool says that it needs a person, which outranks a grant. Seen with Claude Code 2.1.329.
#[test]
fn the_newest_claude_code_lands_nothing_without_a_person_even_where_the_tool_is_granted() {
    check_landing_is_refused(&peers::claude_newest(), true);
}

// It does not know what the tool says of itself, so the grant lets the call through. Then we ask, and in a headless session
// nobody agrees. Seen with Claude Code 2.1.197, which declares that it can ask and declines by itself.
#[test]
fn the_oldest_claude_code_lands_nothing_without_a_person_where_the_tool_is_granted() {
    let model = FakeModel::start(Scripted::well());
    let world = World::new(&model.base_url(), &peers::claude_197(), Way::PluginDir);
    let id = delegated(&world);
    let token = text(&previewed(&world, &id), "/token").to_owned();
    let world = world.with_granted(full_name("apply"));
    let before = world.state_of_the_repository();
    let input = json!({"id": id, "action": "land", "token": token});
    let session = Session::run(&world, &format!("/codex:apply {id}"), "apply", &input);
    let shown = session.shown_failure();
    assert_eq!(shown["error"]["code"], "apply_needs_approval", "{shown:#}");
    assert!(
        text(&shown, "/error/repair/hint").contains("crosscheck apply"),
        "{shown:#}"
    );
    assert_eq!(world.state_of_the_repository(), before);
}

#[test]
fn a_task_is_looked_at_landed_by_a_person_and_taken_out_again() {
    let model = FakeModel::start(Scripted::well());
    let world = World::new(&model.base_url(), &peers::claude_newest(), Way::PluginDir);
    let (before, index) = (world.state_of_the_repository(), index_of(&world));
    let greeting = world.repository().join("greeting.txt");

    let id = delegated(&world);
    let shown = previewed(&world, &id);
    assert_eq!(shown["applies"], "clean", "{shown:#}");
    assert_eq!(shown["can_land"], true, "{shown:#}");
    assert_eq!(shown["files"][0]["path"], "greeting.txt", "{shown:#}");

    world.terminal(&["apply", &id, "--land", "--yes"]);
    assert_eq!(fs::read(&greeting).expect("it landed"), b"hello\n");
    assert_eq!(index_of(&world), index);

    world.terminal(&["undo", &id]);
    assert!(!greeting.exists());
    assert_eq!(index_of(&world), index);
    assert_eq!(world.state_of_the_repository(), before);
}

#[test]
fn two_tasks_in_the_background_are_told_compared_and_landed_one_at_a_time() {
    let model = FakeModel::start(Scripted::well());
    let world = World::new(&model.base_url(), &peers::claude_newest(), Way::PluginDir);
    let before = world.state_of_the_repository();
    let shared = world.repository().join("shared.txt");

    let input = json!({"background": true, "tasks": [
        {"id": "one", "task": task("echo one > shared.txt")},
        {"id": "two", "task": task("echo two > shared.txt")},
    ]});
    let first = Session::run(&world, "/codex:delegate-async Two things.", "delegate", &input);
    let handle = first.shown();
    first.assert_ended_well();
    let group = text(&handle, "/job/id").to_owned();
    assert!(
        ["queued", "running", "succeeded"].contains(&text(&handle, "/job/state")),
        "{handle:#}"
    );

    // Another session, as after lunch.
    let second = Session::run(
        &world,
        &format!("/codex:result {group} wait"),
        "job",
        &json!({"id": group, "wait_s": 120}),
    );
    let shown = second.shown();
    second.assert_ended_well();
    assert_eq!(shown["job"]["state"], "succeeded", "{shown:#}");
    assert_eq!(shown["overlap"][0]["tasks"], json!(["one", "two"]), "{shown:#}");
    assert_eq!(shown["overlap"][0]["together"], "conflicts", "{shown:#}");
    let one = text(&shown, "/tasks/0/attempts/0/job");
    let two = text(&shown, "/tasks/1/attempts/0/job");

    world.terminal(&["apply", one, "--land", "--yes"]);
    assert_eq!(fs::read(&shared).expect("the first one landed"), b"one\n");
    let preview = previewed(&world, two);
    assert_eq!(preview["applies"], "conflicts", "{preview:#}");
    assert_eq!(preview["can_land"], false, "{preview:#}");
    assert_eq!(preview["conflicts"][0]["path"], "shared.txt", "{preview:#}");
    world.terminal(&["undo", one]);
    assert!(!shared.exists());

    world.terminal(&["apply", two, "--branch", "side"]);
    let repository = world.repository();
    assert_eq!(world.git(&repository, &["show", "side:shared.txt"]), "two\n");
    world.git(&repository, &["branch", "--quiet", "-D", "side"]);
    world.terminal(&["clean", "--yes"]);
    assert_eq!(world.state_of_the_repository(), before);
}

#[test]
fn a_person_lands_a_task_in_the_dialogs_of_the_newest_claude_code() {
    let model = FakeModel::start(Scripted::well());
    let world = World::new(&model.base_url(), &peers::claude_newest(), Way::PluginDir);
    let id = delegated(&world);
    let token = text(&previewed(&world, &id), "/token").to_owned();
    let greeting = world.repository().join("greeting.txt");
    let mut live = Live::terminal(&world);
    let input = json!({"id": id, "action": "land", "token": token});
    live.type_line(&call("apply", &input), &token[token.len() - 8..]);
    // Claude Code's own question comes first, since the tool needs a person; then ours, with what would land.
    wait_until("the permission", || live.shows("Do you want to proceed?"));
    assert!(!greeting.exists());
    live.press_until("\r", "the question", |live| {
        live.shows("Put the result of Codex job") && live.shows("greeting.txt") && live.shows("Accept")
    });
    assert!(!greeting.exists(), "nothing lands before the answer");
    // Yes is chosen already.
    live.press_until("\r", "the landing", |_| greeting.exists());
    assert_eq!(fs::read(&greeting).expect("it landed"), b"hello\n");
}
