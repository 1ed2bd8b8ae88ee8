//! Mistakes of callers, repositories and machines: each is told, and nothing is paid.

use serde_json::{Value, json};

use crate::support::scripts::Scripted;
use crate::world::World;

#[test]
fn mistakes_in_arguments_name_the_field() {
    let world = World::new(Scripted::well()).with_change();
    let mut server = world.server();
    let mut check = |tool: &str, arguments: Value, code: &str, field: &str| {
        let fault = server.fault(tool, &arguments, code);
        assert_eq!(fault["error"]["field"], field, "{arguments}: {fault:#}");
    };
    check("consult", json!({}), "invalid_arguments", "prompt");
    check("consult", json!({"prompt": " "}), "invalid_arguments", "prompt");
    check(
        "consult",
        json!({"prompt": "x", "model": "-m evil"}),
        "invalid_arguments",
        "model",
    );
    check(
        "consult",
        json!({"prompt": "x", "options": {"timeout_s": 1}}),
        "invalid_arguments",
        "options.timeout_s",
    );
    check(
        "consult",
        json!({"prompt": "x", "files": ["../up"]}),
        "invalid_arguments",
        "files[0]",
    );
    check(
        "consult",
        json!({"prompt": "x", "files": ["/etc/hostname"]}),
        "path_outside_workspace",
        "files[0]",
    );
    check(
        "consult",
        json!({"prompt": "x", "workspace": "/absent/folder"}),
        "invalid_workspace",
        "workspace",
    );
    check(
        "consult",
        json!({"prompt": "x", "resume": "01zzz"}),
        "job_not_found",
        "resume",
    );
    check(
        "review",
        json!({"commit": "--output=/tmp/pwned"}),
        "invalid_arguments",
        "commit",
    );
    check(
        "review",
        json!({"commit": "no-such-revision"}),
        "invalid_revision",
        "commit",
    );
    check(
        "review",
        json!({"scope": "branch", "base": "nowhere"}),
        "invalid_revision",
        "base",
    );
    check(
        "review",
        json!({"paths": ["../../etc"]}),
        "path_outside_workspace",
        "paths[0]",
    );
    check(
        "job",
        json!({"id": "../../etc/passwd"}),
        "invalid_arguments",
        "id",
    );
    check("job", json!({"id": "01zzzzzzzz"}), "job_not_found", "id");
    check("cancel", json!({}), "invalid_arguments", "id");
    assert!(!std::path::Path::new("/tmp/pwned").exists());
    assert!(world.model.turns().is_empty() && world.jobs().is_empty());
}

#[test]
fn a_folder_that_is_no_repository_is_said() {
    let world = World::new(Scripted::well());
    let mut server = world.server();
    server.fault("review", &json!({}), "not_a_git_repository");
    world.git(&["init", "-q"]);
    server.fault("review", &json!({"scope": "branch"}), "no_commit_yet");
    server.fault("review", &json!({"commit": "HEAD"}), "no_commit_yet");
}

#[test]
fn a_full_disk_starts_nothing() {
    let world = World::new(Scripted::well()).with_change();
    let Some(small) = SmallDisk::mount(&world) else {
        // Without the right to mount there is no full disk to be had; the unit tests of the store check the decision.
        return;
    };
    let mut command = world.home.command(crate::world::PROGRAM);
    command
        .env("CROSSCHECK_STATE_DIR", small.path())
        .args(["consult", "x", "--json"]);
    let finished = crate::support::run::finish(command, "");
    let envelope: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:#?}"));
    assert_eq!(envelope["error"]["code"], "disk_full", "{envelope:#}");
    assert_eq!(finished.status.code(), Some(7));
    assert!(world.model.turns().is_empty());
}

#[test]
fn a_state_directory_that_cannot_be_made_is_said() {
    let world = World::new(Scripted::well()).with_change();
    world.write("a-file", "");
    let mut command = world.home.command(crate::world::PROGRAM);
    command
        .env("CROSSCHECK_STATE_DIR", world.work().join("a-file/state"))
        .args(["consult", "x", "--json"]);
    let finished = crate::support::run::finish(command, "");
    let envelope: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:#?}"));
    assert_eq!(envelope["error"]["code"], "state_unavailable", "{envelope:#}");
}

/// A file system of 1 MB, for as long as it lives.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(world: &World) -> Option<Self> {
        let path = world.home.private().join("small");
        std::fs::create_dir(&path).ok()?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&path)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(path))
    }

    fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}
