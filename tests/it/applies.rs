//! What becomes of a delegate's result: previews, landings, branches, refusals, questions.
//!
//! The jobs are made as a worker leaves them, without a peer.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::domain::delegation::CheckOutcome;
use serde_json::{Value, json};

use crate::making::{Making, job};
use crate::support::run::{Finished, finish};
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, Server, World};

/// A world with a repository of one commit.
fn world() -> World {
    let world = World::new(Scripted::well());
    world.git(&["init", "-q"]);
    world.write("a.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
    world.write("dir/b.bin", [0, 159, 146, 150, b'\r', b'\n']);
    world.write("gone.txt", "goes\n");
    world.write("tool.sh", "#!/bin/sh\r\n");
    world.write(".gitignore", "ignored/\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    world
}

/// The edit of most tests: a change, a deletion, a new file, a mode, a link, a binary.
fn all_kinds(place: &Path) {
    let text = fs::read_to_string(place.join("a.txt")).unwrap();
    fs::write(place.join("a.txt"), text.replace("two\n", "TWO\n")).unwrap();
    fs::write(place.join("dir/b.bin"), [1, 0, 2, b'\r']).unwrap();
    fs::remove_file(place.join("gone.txt")).unwrap();
    fs::create_dir(place.join("new")).unwrap();
    fs::write(place.join("new/with blank\n.txt"), "no newline at the end").unwrap();
    fs::set_permissions(place.join("tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a.txt", place.join("link")).unwrap();
}

fn preview(server: &mut Server, arguments: &Value) -> Value {
    server.ok("dry_run", &json!({"tool": "apply", "arguments": arguments}))
}

fn land(id: &str, token: &Value) -> Value {
    json!({"id": id, "action": "land", "token": token})
}

/// Every file of the working tree with its bytes, and what git says of it: everything a landing could change.
fn state_of(world: &World) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let (path, about) = (entry.path(), entry.metadata().unwrap());
            if about.is_dir() {
                walk(&path, found);
            } else {
                let bytes = if about.is_symlink() {
                    fs::read_link(&path)
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                found.push((path, format!("{:o} {bytes:?}", about.permissions().mode())));
            }
        }
    }
    let mut found = Vec::new();
    walk(&world.work(), &mut found);
    found.sort();
    found
}

/// The part of a state that is not git's own.
fn outside_git(world: &World, state: Vec<(PathBuf, String)>) -> Vec<(PathBuf, String)> {
    let own = world.work().join(".git");
    state
        .into_iter()
        .filter(|(path, _)| !path.starts_with(&own))
        .collect()
}

fn cli(world: &World, arguments: &[&str]) -> Finished {
    let mut command: Command = world.home.command(PROGRAM);
    command.args(arguments).current_dir(world.work());
    finish(command, "")
}

#[test]
fn a_result_lands_to_the_byte_once_and_comes_out_again() {
    let world = world();
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(state_of(&world), before, "a preview changes nothing");
    assert_eq!(shown["applies"], "clean", "{shown:#}");
    assert_eq!(shown["can_land"], true);
    assert_eq!(shown["diffstat"]["files"], 6);
    assert_eq!(shown["command"], format!("crosscheck apply {id} --land"));
    let names: Vec<&str> = shown["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "a.txt",
            "dir/b.bin",
            "gone.txt",
            "link",
            "new/with blank<U+000A>.txt",
            "tool.sh"
        ]
    );
    let again = preview(&mut server, &json!({"id": id, "action": "preview"}));
    assert_eq!(
        again["token"], shown["token"],
        "the same files make the same token"
    );

    let landed = server.ok("apply", &land(&id, &shown["token"]));
    assert_eq!(landed["landed"], true, "{landed:#}");
    let work = world.work();
    assert_eq!(
        fs::read_to_string(work.join("a.txt")).unwrap().lines().nth(1),
        Some("TWO")
    );
    assert_eq!(fs::read(work.join("dir/b.bin")).unwrap(), [1, 0, 2, b'\r']);
    assert!(!work.join("gone.txt").exists());
    assert_eq!(
        fs::read(work.join("new/with blank\n.txt")).unwrap(),
        b"no newline at the end"
    );
    assert_eq!(
        fs::metadata(work.join("tool.sh")).unwrap().permissions().mode() & 0o111,
        0o111
    );
    assert_eq!(fs::read_link(work.join("link")).unwrap(), Path::new("a.txt"));
    assert_eq!(
        world.git(&["diff", "--cached", "--name-only"]),
        "",
        "the index was not touched"
    );

    let landed_files = state_of(&world);
    let told = |server: &mut Server| server.ok("job", &json!({"id": id}))["summary"].to_string();
    assert!(!told(&mut server).contains("nothing of it"), "it is there");
    let twice = server.ok("apply", &land(&id, &shown["token"]));
    assert_eq!(twice["landed"], false);
    assert!(
        twice["summary"].as_str().unwrap().contains("already"),
        "{twice:#}"
    );
    assert_eq!(state_of(&world), landed_files);
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!((&shown["applies"], shown.get("token")), (&json!("already"), None));

    let undone = server.ok("apply", &json!({"id": id, "action": "undo"}));
    assert_eq!(undone["undone"], true, "{undone:#}");
    let untouched = "nothing of it is in your files yet";
    assert!(told(&mut server).contains(untouched), "it is gone again");
    // The step that is named is a call that works.
    let step = undone["next_steps"][0].as_str().unwrap();
    let (_, arguments) = step.split_once("dry_run with tool apply and arguments ").unwrap();
    preview(&mut server, &serde_json::from_str(arguments).unwrap());
    assert_eq!(state_of(&world), before);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    server.fault("apply", &json!({"id": id, "action": "undo"}), "invalid_arguments");
    let shown = preview(&mut server, &json!({"id": id}));
    server.ok("apply", &land(&id, &shown["token"]));
    // The user's own `git status` in between has refreshed the index, so that is left out.
    assert_eq!(
        outside_git(&world, state_of(&world)),
        outside_git(&world, landed_files),
        "what was undone may land again"
    );
}

#[test]
fn only_the_token_of_this_preview_lands_it() {
    let world = world();
    let (one, other) = (job(&world, all_kinds), job(&world, all_kinds));
    let before = state_of(&world);
    let mut server = world.server();
    let token = preview(&mut server, &json!({"id": one}))["token"].clone();
    let part = preview(&mut server, &json!({"id": one, "files": ["a.txt"]}))["token"].clone();
    let of_other = preview(&mut server, &json!({"id": other}))["token"].clone();
    assert!(token != of_other && token != part);
    let missing = server.fault(
        "apply",
        &json!({"id": one, "action": "land"}),
        "invalid_arguments",
    );
    assert_eq!(missing["error"]["field"], "token");
    assert_eq!(missing["error"]["repair"]["tool"], "dry_run");
    for wrong in [&of_other, &part, &json!("0".repeat(64)), &json!("x")] {
        server.fault("apply", &land(&one, wrong), "apply_token_stale");
    }
    assert_eq!(state_of(&world), before);
    // Another file does not matter, one of the targets does.
    world.write("beside.txt", "mine");
    world.write("gone.txt", "goes\n");
    assert_eq!(preview(&mut server, &json!({"id": one}))["token"], token);
    world.write("tool.sh", "#!/bin/sh\r\n# mine\r\n");
    let before = state_of(&world);
    let fault = server.call("apply", &land(&one, &token));
    assert_eq!(fault["ok"], false, "{fault:#}");
    assert_eq!(state_of(&world), before);
}

#[test]
fn a_part_lands_and_an_unknown_name_is_answered_with_the_nearest() {
    let world = world();
    let id = job(&world, all_kinds);
    let mut server = world.server();
    let arguments = json!({"id": id, "files": ["a.txt", "new/with blank<U+000A>.txt"]});
    let shown = preview(&mut server, &arguments);
    assert_eq!(shown["diffstat"]["files"], 2, "{shown:#}");
    let mut call = land(&id, &shown["token"]);
    call["files"] = json!(["a.txt", "new/with blank<U+000A>.txt"]);
    server.ok("apply", &call);
    assert!(world.work().join("gone.txt").exists());
    assert_eq!(world.git(&["status", "--porcelain", "-z"]), "M a.txt\0?? new/\0");
    let fault = server.fault(
        "dry_run",
        &json!({"tool": "apply", "arguments": {"id": id, "files": ["dir/b.bim"]}}),
        "invalid_arguments",
    );
    assert_eq!(fault["error"]["field"], "files[0]");
    assert_eq!(fault["error"]["allowed"][0], "dir/b.bin");
}

#[test]
fn a_conflict_changes_nothing_and_names_its_lines() {
    let world = world();
    let id = job(&world, all_kinds);
    let mut server = world.server();
    let token = preview(&mut server, &json!({"id": id}))["token"].clone();
    world.write("a.txt", "one\nZWEI\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
    let before = state_of(&world);
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(
        (&shown["applies"], shown.get("token")),
        (&json!("conflicts"), None),
        "{shown:#}"
    );
    assert_eq!(shown["conflicts"][0]["path"], "a.txt");
    assert_eq!(shown["conflicts"][0]["hunks"][0]["line"], 2, "{shown:#}");
    let fault = server.fault("apply", &land(&id, &token), "apply_conflict");
    assert!(fault["error"]["message"].as_str().unwrap().contains("a.txt"));
    assert_eq!(state_of(&world), before);
}

#[test]
fn other_lines_of_the_same_file_are_merged() {
    let world = world();
    let id = job(&world, all_kinds);
    world.write("a.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nNINE\n");
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(shown["applies"], "clean", "{shown:#}");
    assert_eq!(shown["files"][0]["state"], "merged");
    server.ok("apply", &land(&id, &shown["token"]));
    let text = fs::read_to_string(world.work().join("a.txt")).unwrap();
    assert_eq!(text, "one\nTWO\nthree\nfour\nfive\nsix\nseven\neight\nNINE\n");
}

#[test]
fn an_ignored_file_in_the_way_is_not_overwritten() {
    let world = world();
    let making = Making::begin(&world);
    let sub = making.plumbing(
        &["mktree"],
        format!("100644 blob {}\tx\n", making.blob(b"theirs")).as_bytes(),
    );
    let id = making.end(&making.with_entry("40000", "ignored", &sub), |_, _| {});
    world.write("ignored/x", "mine");
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(shown["applies"], "conflicts", "{shown:#}");
    server.fault("apply", &land(&id, &json!("x")), "apply_conflict");
    assert_eq!(fs::read(world.work().join("ignored/x")).unwrap(), b"mine");
}

#[test]
fn what_must_never_land_is_refused_and_the_rest_can_be_named() {
    let world = world();
    let making = Making::begin(&world);
    let blob = making.blob(b"[core]\n\tfsmonitor = touch /tmp/x\n");
    let inner = making.plumbing(&["mktree"], format!("100644 blob {blob}\tconfig\n").as_bytes());
    let outside = making.blob(b"../../etc/passwd");
    let cases = [
        (
            making.with_entry("40000", ".git", &inner),
            ".git/config",
            "git_directory",
        ),
        (
            making.with_entry("40000", "GIT~1", &inner),
            "GIT~1/config",
            "git_directory",
        ),
        (
            making.with_entry("160000", "lib", making.base.as_str()),
            "lib",
            "gitlink",
        ),
        (
            making.with_entry("120000", "out", &outside),
            "out",
            "symlink_outside",
        ),
        (making.with_entry("100644", "A.TXT", &blob), "A.TXT", "collision"),
    ];
    let mut server = world.server();
    let before = state_of(&world);
    for (tree, path, why) in cases {
        let id = making.end(&tree, |_, _| {});
        let shown = preview(&mut server, &json!({"id": id}));
        assert_eq!(shown.get("token"), None, "{shown:#}");
        assert_eq!(shown["refused"], json!([path]));
        assert_eq!(shown["files"][0]["refused"], why);
        server.fault("apply", &land(&id, &json!("x")), "policy_denied");
        let mut named = land(&id, &json!("x"));
        named["files"] = json!([path]);
        server.fault("apply", &named, "policy_denied");
        assert_eq!(state_of(&world), before, "{why}");
    }
    let id = job(&world, |place| {
        symlink("/etc/passwd", place.join("out")).unwrap();
        fs::write(place.join("good.txt"), "g").unwrap();
    });
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(shown["refused"], json!(["out"]));
    assert!(
        shown["next_steps"][0].as_str().unwrap().contains("good.txt"),
        "{shown:#}"
    );
    let shown = preview(&mut server, &json!({"id": id, "files": ["good.txt"]}));
    let mut call = land(&id, &shown["token"]);
    call["files"] = json!(["good.txt"]);
    server.ok("apply", &call);
    assert!(world.work().join("good.txt").exists() && !world.work().join("out").exists());
}

#[test]
fn high_risk_files_land_only_by_their_names() {
    let world = world();
    let id = job(&world, |place| {
        fs::create_dir_all(place.join(".github/workflows")).unwrap();
        fs::write(place.join(".github/workflows/ci.yml"), "on: push\n").unwrap();
        fs::write(place.join("good.txt"), "g").unwrap();
    });
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(
        shown["needs_naming"],
        json!([".github/workflows/ci.yml"]),
        "{shown:#}"
    );
    assert_eq!(
        (shown.get("token"), &shown["files"][0]["risk"]),
        (None, &json!("ci"))
    );
    let fault = server.fault("apply", &land(&id, &json!("x")), "invalid_arguments");
    assert_eq!(fault["error"]["field"], "files");
    let files = json!([".github/workflows/ci.yml", "good.txt"]);
    let shown = preview(&mut server, &json!({"id": id, "files": files}));
    let mut call = land(&id, &shown["token"]);
    call["files"] = files;
    server.ok("apply", &call);
    assert!(world.work().join(".github/workflows/ci.yml").exists());
}

#[test]
fn files_outside_the_task_and_failed_checks_stand_in_the_way() {
    let world = world();
    let making = Making::begin(&world);
    let tree = making.edited(all_kinds);
    let id = making.end(&tree, |delegation, work| {
        delegation.allowed_paths = vec!["*.txt".to_owned()];
        work.checks = vec![CheckOutcome {
            command: "cargo test".to_owned(),
            exit_code: Some(101),
            ms: 5,
            tail: String::new(),
        }];
    });
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(shown.get("token"), None);
    assert_eq!(shown["failed_checks"], json!(["cargo test"]));
    assert_eq!(shown["outside_scope"].as_array().unwrap().len(), 4, "{shown:#}");
    server.fault("apply", &land(&id, &json!("x")), "scope_violation");
    let files = json!(["a.txt", "gone.txt"]);
    let shown = preview(&mut server, &json!({"id": id, "files": files}));
    let mut call = land(&id, &shown["token"]);
    call["files"] = files;
    server.fault("apply", &call, "checks_failed");
    assert!(world.work().join("gone.txt").exists());
    call["accept_failed_checks"] = json!(true);
    server.ok("apply", &call);
    assert!(!world.work().join("gone.txt").exists());
}

#[test]
fn a_job_without_edits_says_so_and_is_no_error() {
    let world = world();
    let id = job(&world, |_| {});
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(
        (&shown["applies"], &shown["files"]),
        (&json!("nothing"), &json!([]))
    );
    assert!(
        shown["summary"].as_str().unwrap().contains("changed nothing"),
        "{shown:#}"
    );
    server.fault("apply", &land(&id, &json!("x")), "invalid_arguments");
    server.fault(
        "apply",
        &json!({"id": "01aaaa", "action": "preview"}),
        "job_not_found",
    );
}

#[test]
fn a_person_is_asked_where_the_host_can_ask() {
    let world = world();
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let mut server = world.server_that_may_ask();
    let token = preview(&mut server, &json!({"id": id}))["token"].clone();
    for action in ["decline", "cancel", "accept"] {
        let call = server.start_call("apply", &land(&id, &token));
        let question = server.question();
        let text = question["params"]["message"].as_str().unwrap();
        assert!(text.contains(&id) && text.contains("6 files"), "{text}");
        // Names that were made up to look like another line stay in theirs.
        assert!(
            text.contains("dir/b.bin, gone.txt") && text.lines().count() == 4,
            "{text}"
        );
        assert_eq!(state_of(&world), before, "nothing happens before the answer");
        server.send(
            &json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": action, "content": {}}}),
        );
        let envelope = server.envelope(call);
        if action == "accept" {
            assert_eq!(envelope["landed"], true, "{envelope:#}");
        } else {
            assert_eq!(envelope["error"]["code"], "apply_needs_approval", "{envelope:#}");
            let hint = envelope["error"]["repair"]["hint"].as_str().unwrap();
            assert!(hint.contains(&format!("crosscheck apply {id} --land")), "{hint}");
            assert_eq!(state_of(&world), before);
        }
    }
}

#[test]
fn a_host_of_the_newer_protocol_is_asked_by_an_answer_and_a_yes_is_for_what_it_saw() {
    let world = world();
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let mut server = world.modern_server_that_may_ask();
    let token = preview(&mut server, &json!({"id": id}))["token"].clone();
    for action in ["decline", "cancel", "accept"] {
        let call = server.start_call("apply", &land(&id, &token));
        let question = server.answer(call)["result"].clone();
        assert_eq!(question["resultType"], "input_required", "{question}");
        let text = question["inputRequests"]["approval"]["params"]["message"]
            .as_str()
            .unwrap();
        assert!(text.contains(&id) && text.contains("6 files"), "{text}");
        assert_eq!(state_of(&world), before, "nothing happens before the answer");
        let brought = json!({"requestState": question["requestState"],
            "inputResponses": {"approval": {"action": action, "content": {}}}});
        let call = server.start_call_with("apply", &land(&id, &token), &brought);
        let envelope = server.envelope(call);
        if action == "accept" {
            assert_eq!(envelope["landed"], true, "{envelope:#}");
        } else {
            assert_eq!(envelope["error"]["code"], "apply_needs_approval", "{envelope:#}");
            let hint = envelope["error"]["repair"]["hint"].as_str().unwrap();
            assert!(hint.contains(&format!("crosscheck apply {id} --land")), "{hint}");
            assert_eq!(state_of(&world), before);
        }
    }
}

#[test]
fn where_nobody_can_be_asked_the_configuration_may_insist() {
    let world = world();
    world.configure("[apply]\nconfirm = \"always\"\n");
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let mut server = world.server();
    let token = preview(&mut server, &json!({"id": id}))["token"].clone();
    server.fault("apply", &land(&id, &token), "apply_needs_approval");
    assert_eq!(state_of(&world), before);
    let landed = cli(&world, &["apply", &id, "--land", "--yes"]);
    assert!(landed.status.success(), "{landed:#?}");
}

#[test]
fn the_terminal_shows_lands_and_undoes() {
    let world = world();
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let shown = cli(&world, &["apply", "latest"]);
    assert!(shown.status.success(), "{shown:#?}");
    assert!(shown.stdout.contains("new/with blank<U+000A>.txt"), "{shown:#?}");
    assert!(
        shown.stderr.contains(&format!("`crosscheck apply {id} --land`")),
        "{shown:#?}"
    );
    let refused = cli(&world, &["apply", "latest", "--land"]);
    assert_eq!(refused.status.code(), Some(6), "{refused:#?}");
    assert_eq!(state_of(&world), before);
    let landed = cli(&world, &["apply", "latest", "--land", "--yes", "--file", "a.txt"]);
    assert!(landed.status.success(), "{landed:#?}");
    assert_eq!(world.git(&["status", "--porcelain"]), "M a.txt");
    let undone = cli(&world, &["undo", "latest"]);
    assert!(undone.status.success(), "{undone:#?}");
    assert_eq!(state_of(&world), before);
    let twice = cli(&world, &["undo", "latest"]);
    assert_eq!(twice.status.code(), Some(2), "{twice:#?}");
}

#[test]
fn the_latest_undo_is_that_of_the_latest_landing() {
    let world = world();
    let landed = job(&world, all_kinds);
    let before = state_of(&world);
    cli(&world, &["apply", "latest", "--land", "--yes", "--file", "a.txt"]);
    let newer = job(&world, all_kinds);
    let undone = cli(&world, &["undo", "--json"]);
    assert!(undone.status.success(), "{undone:#?}");
    assert!(
        undone.stdout.contains(&landed) && !undone.stdout.contains(&newer),
        "{undone:#?}"
    );
    assert_eq!(state_of(&world), before);
}

#[test]
fn a_branch_holds_the_result_and_the_files_stay() {
    let world = world();
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let mut server = world.server();
    let made = server.ok(
        "apply",
        &json!({"id": id, "action": "branch", "branch": "codex/better"}),
    );
    assert_eq!(made["branch"], "codex/better");
    assert_eq!(
        world.git(&["rev-parse", "codex/better"]),
        made["commit"].as_str().unwrap()
    );
    assert_eq!(
        world.git(&["rev-parse", "codex/better^"]),
        world.git(&["rev-parse", "HEAD"])
    );
    assert_eq!(world.git(&["show", "codex/better:link"]), "a.txt");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    assert_eq!(outside_git(&world, state_of(&world)), outside_git(&world, before));
    let again = json!({"id": id, "action": "branch", "branch": "codex/better"});
    assert_eq!(
        server.fault("apply", &again, "invalid_arguments")["error"]["field"],
        "branch"
    );
}

#[test]
fn a_sub_directory_as_the_workspace_means_its_whole_working_tree() {
    let world = world();
    let making = Making::begin(&world);
    let tree = making.edited(|place| fs::write(place.join("added.txt"), "new\n").unwrap());
    let id = making.end(&tree, |_, _| {});
    let before = state_of(&world);
    let mut server = world.server();
    let sub = world.work().join("dir");
    let from_sub = preview(&mut server, &json!({"id": id, "workspace": sub}));
    let from_top = preview(&mut server, &json!({"id": id}));
    assert_eq!(from_sub["token"], from_top["token"]);
    let mut call = land(&id, &from_sub["token"]);
    call["workspace"] = json!(sub);
    let landed = server.ok("apply", &call);
    assert_eq!(landed["meta"]["repo_root"], json!(world.work()));
    assert_eq!(fs::read(world.work().join("added.txt")).unwrap(), b"new\n");
    assert!(!sub.join("added.txt").exists());
    server.ok("apply", &json!({"id": id, "action": "undo", "workspace": sub}));
    assert_eq!(state_of(&world), before);
}

#[test]
fn an_edit_that_would_follow_a_renamed_file_lands_only_where_it_is_shown() {
    let check = |to: &str, lands: bool| {
        let world = world();
        let making = Making::begin(&world);
        let tree = making.edited(|place| {
            let text = fs::read_to_string(place.join("a.txt")).unwrap();
            fs::write(place.join("a.txt"), text.replace("two\n", "TWO\n")).unwrap();
        });
        let id = making.end(&tree, |_, _| {});
        let target = world.work().join(to);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::rename(world.work().join("a.txt"), &target).unwrap();
        let before = state_of(&world);
        let mut server = world.server();
        let shown = preview(&mut server, &json!({"id": id}));
        if lands {
            assert_eq!(shown["applies"], "clean", "{shown:#}");
            assert_eq!(shown["also_changes"], json!([to]), "{shown:#}");
            server.ok("apply", &land(&id, &shown["token"]));
            assert!(fs::read_to_string(&target).unwrap().contains("TWO"));
        } else {
            assert_eq!(shown["applies"], "conflicts", "{shown:#}");
            assert_eq!(shown["conflicts"][0]["path"], to, "{shown:#}");
            assert!(shown.get("token").is_none());
            assert_eq!(state_of(&world), before);
        }
    };
    check("moved.txt", true);
    check(".github/workflows/ci.yml", false);
}

#[test]
fn the_worktree_that_is_named_is_the_one_that_is_undone() {
    let world = world();
    let id = job(&world, all_kinds);
    let other = world.home.private().join("other");
    world.git(&["worktree", "add", "-q", other.to_str().unwrap(), "-b", "other"]);
    let mut server = world.server();
    let here = preview(&mut server, &json!({"id": id}));
    let there = preview(&mut server, &json!({"id": id, "workspace": other}));
    let mut crossed = land(&id, &here["token"]);
    crossed["workspace"] = json!(other);
    server.fault("apply", &crossed, "apply_token_stale");
    server.ok("apply", &land(&id, &here["token"]));
    let mut call = land(&id, &there["token"]);
    call["workspace"] = json!(other);
    server.ok("apply", &call);
    server.ok(
        "apply",
        &json!({"id": id, "action": "undo", "workspace": world.work()}),
    );
    assert!(!world.work().join("new").exists(), "it was named");
    assert!(other.join("new").exists(), "it was not");
    let again = json!({"id": id, "action": "undo", "workspace": world.work()});
    server.fault("apply", &again, "invalid_arguments");
    assert!(other.join("new").exists());
    server.ok("apply", &json!({"id": id, "action": "undo"}));
    assert!(!other.join("new").exists(), "without a name the newest is meant");
}

#[test]
fn a_name_that_is_no_plain_branch_makes_none() {
    let world = world();
    let id = job(&world, all_kinds);
    let before = state_of(&world);
    let mut server = world.server();
    for name in ["-x", "HEAD", "refs/heads/x", "a..b", "a b", "@{-1}", "x.lock", ""] {
        let call = json!({"id": id, "action": "branch", "branch": name});
        server.fault("apply", &call, "invalid_arguments");
    }
    assert_eq!(state_of(&world), before);
}

#[test]
fn a_result_too_large_to_land_says_so_and_changes_nothing() {
    let world = world();
    let id = job(&world, |place| {
        let file = fs::File::create(place.join("huge")).unwrap();
        file.set_len(300 * 1024 * 1024).unwrap();
        fs::write(place.join("small"), "small\n").unwrap();
    });
    let before = outside_git(&world, state_of(&world));
    let mut server = world.server();
    let call = json!({"tool": "apply", "arguments": {"id": id}});
    let fault = server.fault("dry_run", &call, "input_too_large");
    eprintln!("{fault:#}");
    assert!(fault["error"]["message"].as_str().unwrap().contains("huge"));
    assert_eq!(outside_git(&world, state_of(&world)), before);
    let shown = preview(&mut server, &json!({"id": id, "files": ["small"]}));
    assert_eq!(shown["applies"], "clean");
}

#[test]
fn what_is_discarded_is_kept() {
    let world = world();
    let id = job(&world, all_kinds);
    let mut server = world.server();
    let discarded = server.ok("apply", &json!({"id": id, "action": "discard"}));
    assert_eq!(discarded["discarded"], true);
    let twice = server.ok("apply", &json!({"id": id, "action": "discard"}));
    assert!(twice["summary"].as_str().unwrap().contains("before"));
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(shown["can_land"], true);
    assert!(
        shown["warnings"][0].as_str().unwrap().contains("discarded"),
        "{shown:#}"
    );
}

#[test]
fn clean_tells_before_it_removes() {
    let world = world();
    job(&world, all_kinds);
    let told = cli(&world, &["clean"]);
    assert!(told.status.success(), "{told:#?}");
    let done = cli(&world, &["clean", "--yes", "--json"]);
    let envelope: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(envelope["removed"], true, "{envelope:#}");
    let mut server = world.server();
    let status = server.ok("status", &json!({"topic": "worktrees"}));
    assert!(status["repositories"].is_array(), "{status:#}");
}

#[test]
fn a_part_that_needs_another_part_says_so() {
    let world = world();
    let id = job(&world, |place| {
        fs::remove_file(place.join("gone.txt")).unwrap();
        fs::create_dir(place.join("gone.txt")).unwrap();
        fs::write(place.join("gone.txt/inner"), "inner\n").unwrap();
    });
    let before = state_of(&world);
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id, "files": ["gone.txt/inner"]}));
    assert_eq!(shown["conflicts"][0]["path"], "gone.txt", "{shown:#}");
    assert!(shown.get("token").is_none());
    let call = json!({"id": id, "action": "branch", "branch": "part", "files": ["gone.txt/inner"]});
    server.fault("apply", &call, "apply_conflict");
    assert_eq!(state_of(&world), before);
    let shown = preview(
        &mut server,
        &json!({"id": id, "files": ["gone.txt/inner", "gone.txt"]}),
    );
    server.ok(
        "apply",
        &json!({"id": id, "action": "land", "token": shown["token"],
        "files": ["gone.txt/inner", "gone.txt"]}),
    );
    assert_eq!(fs::read(world.work().join("gone.txt/inner")).unwrap(), b"inner\n");
    server.ok("apply", &json!({"id": id, "action": "undo"}));
    assert_eq!(state_of(&world), before);
}

#[test]
fn outside_of_a_sparse_checkout_and_in_a_sha256_repository_a_landing_shows_what_it_writes() {
    let world = World::new(Scripted::well());
    world.git(&["init", "-q", "--object-format=sha256"]);
    for path in ["in/a.txt", "out/b.txt"] {
        world.write(path, "one\n");
    }
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    world.git(&["sparse-checkout", "set", "--cone", "in"]);
    assert!(!world.work().join("out").exists());
    let id = job(&world, |place| {
        fs::write(place.join("in/a.txt"), "two\n").unwrap();
        fs::write(place.join("out/b.txt"), "two\n").unwrap();
    });
    let before = state_of(&world);
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    assert_eq!(shown["conflicts"][0]["path"], "out/b.txt", "{shown:#}");
    assert_eq!(state_of(&world), before);
    let shown = preview(&mut server, &json!({"id": id, "files": ["in/a.txt"]}));
    let mut call = land(&id, &shown["token"]);
    call["files"] = json!(["in/a.txt"]);
    server.ok("apply", &call);
    assert_eq!(fs::read(world.work().join("in/a.txt")).unwrap(), b"two\n");
    assert!(!world.work().join("out").exists());
}

#[test]
fn an_undo_after_a_checkout_of_another_branch_changes_nothing() {
    let world = world();
    world.git(&["branch", "other"]);
    let id = job(&world, all_kinds);
    let mut server = world.server();
    let shown = preview(&mut server, &json!({"id": id}));
    server.ok("apply", &land(&id, &shown["token"]));
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "landed"]);
    world.git(&["checkout", "-q", "other"]);
    let before = state_of(&world);
    server.fault("apply", &json!({"id": id, "action": "undo"}), "apply_conflict");
    assert_eq!(state_of(&world), before);
}
