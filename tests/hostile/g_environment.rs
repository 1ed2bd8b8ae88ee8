//! Group G: what our own environment holds reaches nobody that it is not meant for.
//!
//! Forty variables hold a string that is found nowhere else. It must be in no child (git, the peer, the commands of the real
//! codex), no prompt, no result, no log and no file of ours.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::codex;
use crate::detect::Canaries;
use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, World};

const FORBIDDEN: &str = "its value is seen outside of our own process";

const VARIABLES: [&str; 42] = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_PLUGIN_DATA",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITLAB_TOKEN",
    "NPM_TOKEN",
    "NODE_AUTH_TOKEN",
    "CARGO_REGISTRY_TOKEN",
    "PYPI_TOKEN",
    "TWINE_PASSWORD",
    "DOCKER_AUTH_CONFIG",
    "KUBECONFIG",
    "VAULT_TOKEN",
    "SSH_AUTH_SOCK",
    "SLACK_BOT_TOKEN",
    "STRIPE_SECRET_KEY",
    "DATABASE_URL",
    "PGPASSWORD",
    "HF_TOKEN",
    "GEMINI_API_KEY",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "BASH_ENV",
    "ENV",
    "NODE_OPTIONS",
    "PYTHONSTARTUP",
    "PERL5OPT",
    "RUBYOPT",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_CONFIG_PARAMETERS",
    "GIT_ASKPASS",
    "EDITOR",
    "PAGER",
];

/// The cases of this group.
pub(crate) fn cases() -> Vec<Case> {
    numbered(
        'G',
        1,
        FORBIDDEN,
        VARIABLES.iter().map(|name| format!("{name} is set")),
    )
}

/// Plants the canaries in a world's environment.
fn planted(world: World, canaries: &mut Canaries) -> World {
    let World { model, mut home } = world;
    for name in VARIABLES {
        home = home.with_variable(name, canaries.plant(name));
    }
    // A log that says as much as it can.
    let home = home.with_variable("CROSSCHECK_LOG", "trace");
    World { model, home }
}

/// Puts a git first in the path that writes down its environment and goes on as the real one.
fn with_watched_git(world: World) -> World {
    let folder = world.home.private().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\ncat /proc/$$/environ >> '{}'\nPATH=/usr/local/bin:/usr/bin:/bin exec git \"$@\"\n",
        world.home.private().join("git-environment").display()
    );
    fs::write(folder.join("git"), script).unwrap();
    fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
    let World { model, home } = world;
    let home = home.with_variable("PATH", path);
    World { model, home }
}

/// The environments of the workers that live now.
fn workers(world: &World) -> Vec<u8> {
    let state = world.home.state().display().to_string();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let ours = pids.filter(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("worker") && line.contains(&state)
    });
    ours.flat_map(|entry| fs::read(entry.path().join("environ")).unwrap_or_default())
        .collect()
}

/// What was seen, with the place.
type Seen = Vec<(&'static str, BTreeSet<String>)>;

fn tell(seen: &Seen) {
    let cases = cases();
    let mut findings = Findings::default();
    for (case, name) in cases.iter().zip(VARIABLES) {
        let places = seen.iter().filter(|(_, names)| names.contains(name));
        findings.note(
            case,
            places
                .map(|(place, _)| format!("{name} is in {place}"))
                .collect::<Vec<_>>(),
        );
    }
    findings.assert_none(VARIABLES.len());
}

#[test]
fn no_variable_reaches_git_a_worker_or_a_peer() {
    let mut canaries = Canaries::default();
    let world = codex::world(
        "cat /proc/$$/environ > \"$CODEX_HOME/environ\"; cat /proc/$PPID/environ > \"$CODEX_HOME/worker\"\n\
         open; while [ ! -e \"$CODEX_HOME/go\" ]; do sleep 0.02; done; say",
    );
    // The test's own git comes before the canaries: it reads them.
    let world = planted(with_watched_git(world.with_change()), &mut canaries);
    let mut server = world.server();
    let mut told: Vec<Value> = vec![
        server.call("status", &json!({})),
        server.call("status", &json!({"topic": "policy"})),
        server.call(
            "dry_run",
            &json!({"tool": "review", "arguments": {"options": {"isolation": "ignore_config"}}}),
        ),
    ];
    let call = json!({"background": true, "options": {"isolation": "ignore_config"}});
    let handle = server.ok("review", &call);
    crate::support::model::wait_until("the peer", || world.home.codex_home().join("worker").exists());
    let worker = workers(&world);
    assert!(!worker.is_empty(), "no worker was looked at");
    fs::write(world.home.codex_home().join("go"), "").unwrap();
    told.push(server.call("job", &json!({"id": handle["job"]["id"], "wait_s": 60})));
    told.push(server.call("job", &json!({"id": handle["job"]["id"], "detail": "full"})));
    let mut command = world.home.command(PROGRAM);
    command.args(["status"]);
    let terminal = finish(command, "");
    let read = |name: &str| fs::read(world.home.codex_home().join(name)).unwrap_or_default();
    let git = fs::read(world.home.private().join("git-environment")).unwrap_or_default();
    assert!(
        git.windows(15).any(|part| part == b"GIT_ALLOW_PROTO"),
        "no git of ours was looked at"
    );
    assert!(String::from_utf8_lossy(&read("environ")).contains("CODEX_HOME="));
    let told: String = told.iter().map(Value::to_string).collect();
    tell(&vec![
        ("the environment of git", canaries.seen_in(&git)),
        ("the environment of the peer", canaries.seen_in(&read("environ"))),
        (
            "the environment of the worker",
            canaries.seen_in(&[read("worker"), worker].concat()),
        ),
        (
            "the prompt",
            canaries.seen_in(&fs::read(world.work().join("prompt")).unwrap_or_default()),
        ),
        ("an envelope", canaries.seen_in(told.as_bytes())),
        (
            "the terminal",
            canaries.seen_in(format!("{}{}", terminal.stdout, terminal.stderr).as_bytes()),
        ),
        ("the state directory", canaries.seen_below(&world.home.state())),
    ]);
}

#[test]
fn no_variable_reaches_a_command_of_the_real_codex() {
    let mut canaries = Canaries::default();
    let world = planted(
        World::new(Scripted::fixed("shell cmd=\"env; cat /proc/$$/environ\"")),
        &mut canaries,
    );
    let mut server = world.server();
    let answer = server.ok("consult", &json!({"prompt": "x"}));
    let wire: String = world
        .model
        .requests()
        .iter()
        .map(|request| request.body.to_string())
        .collect();
    assert!(
        wire.contains("PATH="),
        "no command printed its environment: {wire}"
    );
    let own = crate::support::home::FAKE_KEY;
    assert!(!wire.contains(own), "the peer's own key is seen by its commands");
    tell(&vec![
        ("a request to the model", canaries.seen_in(wire.as_bytes())),
        ("an envelope", canaries.seen_in(answer.to_string().as_bytes())),
        ("the state directory", canaries.seen_below(&world.home.state())),
    ]);
}

/// The negative control: a variable that the user passes on is seen where the others must not be.
#[test]
fn a_variable_that_is_passed_on_is_found() {
    let mut canaries = Canaries::default();
    let world = codex::world("cat /proc/$$/environ > \"$CODEX_HOME/environ\"; say");
    let world = planted(world, &mut canaries);
    world.configure("[env]\npass = [\"DATABASE_URL\"]\n");
    world.server().ok("consult", &codex::question());
    let seen = canaries.seen_in(&fs::read(world.home.codex_home().join("environ")).unwrap());
    assert_eq!(seen, BTreeSet::from(["DATABASE_URL".to_owned()]));
}
