//! The demo end to end: the real codex, the ordinary path, a demo model.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::domain::environment::Environment;
use crosscheck::model::demo::files;
use crosscheck::service::call::{Call, CancelReason};
use crosscheck::service::context::Service;
use crosscheck::service::demo::{self, DemoOptions, STATEMENT};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::home::Home;
use support::model::wait_until;
use support::peers;
use support::tree::contents;

mod support;

/// A machine on which somebody runs the demo.
struct Machine {
    home: Home,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            // No model answers at the user's own provider: whoever calls it fails.
            home: Home::new("http://127.0.0.1:9/v1"),
            folder: tempfile::Builder::new()
                // A name that breaks where somebody forgets to quote.
                .prefix("it's a \"folder\" ")
                .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
                .unwrap(),
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn environment(&self) -> Environment {
        Environment::default()
            .with("PATH", "/usr/local/bin:/usr/bin:/bin")
            .with("HOME", self.home.home())
            .with("CODEX_HOME", self.home.codex_home())
            .with("XDG_CONFIG_HOME", self.home.config())
            .with("TMPDIR", self.home.temp())
            .with("CODEX_API_KEY", support::home::FAKE_KEY)
            .with("CROSSCHECK_STATE_DIR", self.state())
    }

    /// Puts a program called codex that is far too old on a PATH of its own.
    fn outdated(&self) -> PathBuf {
        let folder = self.folder.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("codex");
        fs::write(&program, "#!/bin/sh\necho codex-cli 0.20.0\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    /// Runs the demo; returns the envelope and what was said meanwhile.
    fn demo(&self, environment: Environment, keep: bool, call: Call) -> (Value, Vec<String>) {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_crosscheck"));
        let service = Service::new(program, environment, self.home.work(), "fingerprint".to_owned());
        let mut said = Vec::new();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let envelope = runtime.block_on(demo::run(&service, DemoOptions { keep }, call, &mut |line| {
            said.push(line.to_owned());
        }));
        (serde_json::to_value(&envelope).unwrap(), said)
    }
}

/// Returns the names in the demo's folder, without those that begin with a dot.
fn left(machine: &Machine) -> Vec<String> {
    let entries = fs::read_dir(machine.state().join("demo")).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Checks the review that every demo ends with: three findings at their true lines.
fn check_review(envelope: &Value) {
    assert_eq!(envelope["ok"], json!(true), "{envelope:#}");
    let summary = envelope["summary"].as_str().unwrap();
    assert!(summary.starts_with(STATEMENT), "{summary}");
    assert_eq!(envelope["demo"]["statement"], json!(STATEMENT));
    assert_eq!(envelope["verdict"], json!("fail"), "{envelope:#}");
    assert_eq!(envelope["coverage"]["status"], json!("complete"), "{envelope:#}");
    let findings = envelope["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 3, "{findings:#?}");
    for finding in findings {
        assert_eq!(finding["anchor"], json!("exact"), "{finding:#}");
        let file = files().iter().find(|file| file.path == finding["file"]).unwrap();
        let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
        let there = file.after.unwrap().lines().nth(line - 1).unwrap().trim();
        assert_eq!(there, finding["evidence"].as_str().unwrap().trim(), "{finding:#}");
    }
}

#[test]
fn the_demo_reviews_with_the_real_codex_and_leaves_nothing() {
    let machine = Machine::new();
    let environment = machine.environment().with("CROSSCHECK_CODEX_BIN", peers::codex());
    let before = contents(machine.home.private());
    let (envelope, said) = machine.demo(environment, false, Call::new("test"));
    check_review(&envelope);
    assert_eq!(envelope["demo"]["kept"], json!(false));
    assert_eq!(envelope["demo"]["codex"]["own"], json!(false));
    assert_eq!(
        envelope["demo"]["model_calls"],
        json!(2),
        "one look, then the answer"
    );
    assert_eq!(envelope.get("job"), None, "its record is gone");
    assert!(
        said.iter().any(|line| line.contains("on this machine")),
        "{said:?}"
    );
    // Homes, configuration and workspace of the user are as they were, and the world of the demo is gone.
    assert_eq!(contents(machine.home.private()), before);
    assert_eq!(contents(&machine.home.work()), []);
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn a_kept_demo_can_be_looked_at() {
    let machine = Machine::new();
    let environment = machine.environment().with("CROSSCHECK_CODEX_BIN", peers::codex());
    let (envelope, _) = machine.demo(environment, true, Call::new("test"));
    check_review(&envelope);
    assert_eq!(envelope["job"]["state"], json!("succeeded"), "{envelope:#}");
    let repository = PathBuf::from(envelope["demo"]["repository"].as_str().unwrap());
    assert!(repository.starts_with(machine.state().join("demo").canonicalize().unwrap()));
    for file in files() {
        let content = fs::read_to_string(repository.join(file.path)).ok();
        assert_eq!(content.as_deref(), file.after, "{}", file.path);
    }
    let output = Command::new("git")
        .args(["log", "--format=%an %s"])
        .current_dir(&repository)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "Crosscheck Demo The shop as it was\n"
    );
    assert!(!repository.join(".git/hooks").exists(), "no template took part");
}

#[test]
fn a_codex_is_installed_once_where_there_is_none_that_will_do() {
    let machine = Machine::new();
    // npm alone keeps the machine's own variables: they say where packages come from.
    let machines: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let of_machine = |name: &str| {
        machines
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    let path = std::env::join_paths(
        std::iter::once(machine.outdated()).chain(std::env::split_paths(of_machine("PATH").unwrap())),
    );
    let mut environment: Environment = machines.iter().cloned().collect();
    for (name, value) in machine.environment().iter() {
        environment = environment.with(name.to_str().unwrap(), value);
    }
    environment = environment.with("PATH", path.unwrap());
    if let Some(home) = of_machine("HOME").map(PathBuf::from) {
        environment = environment
            .with("npm_config_userconfig", home.join(".npmrc"))
            .with("npm_config_cache", home.join(".npm"));
    }

    let (envelope, said) = machine.demo(environment.clone(), false, Call::new("test"));
    check_review(&envelope);
    assert_eq!(envelope["demo"]["codex"]["own"], json!(true));
    let told = |said: &[String], words: &str| said.iter().any(|line| line.contains(words));
    assert!(
        told(&said, "codex 0.20.0") && told(&said, "installing codex"),
        "{said:?}"
    );
    assert_eq!(left(&machine), ["codex"]);

    // The second time it is there, and npm is not needed.
    let path = std::env::join_paths([machine.outdated(), "/usr/bin".into(), "/bin".into()]).unwrap();
    let (envelope, said) = machine.demo(environment.with("PATH", path), false, Call::new("test"));
    check_review(&envelope);
    assert!(!told(&said, "installing codex"), "{said:?}");
}

#[test]
fn without_codex_and_npm_the_fault_says_what_to_install() {
    let machine = Machine::new();
    let environment = machine.environment().with("PATH", machine.outdated());
    let (envelope, _) = machine.demo(environment, false, Call::new("test"));
    assert_eq!(envelope["ok"], json!(false), "{envelope:#}");
    assert_eq!(envelope["error"]["code"], json!("peer_not_found"), "{envelope:#}");
    let hint = envelope["error"]["repair"]["hint"].as_str().unwrap();
    assert!(hint.contains("Node.js"), "{hint}");
}

#[test]
fn a_failing_npm_is_quoted() {
    let machine = Machine::new();
    let folder = machine.outdated();
    let npm = folder.join("npm");
    fs::write(&npm, "#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).unwrap();
    let (envelope, _) = machine.demo(
        machine.environment().with("PATH", &folder),
        false,
        Call::new("test"),
    );
    let message = envelope["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("code ENOTFOUND"), "{message}");
    assert!(!machine.state().join("demo/codex/0.169.0").exists());
}

#[test]
fn a_program_that_the_user_names_is_used_or_refused() {
    let machine = Machine::new();
    let environment = machine
        .environment()
        .with("CROSSCHECK_CODEX_BIN", "/nowhere/codex");
    let (envelope, _) = machine.demo(environment, false, Call::new("test"));
    assert_eq!(envelope["error"]["code"], json!("peer_not_found"), "{envelope:#}");
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn a_demo_that_is_given_up_leaves_nothing() {
    let machine = Machine::new();
    let environment = machine.environment().with("CROSSCHECK_CODEX_BIN", peers::codex());
    let call = Call::new("test");
    call.cancelled.cancel(CancelReason::User);
    let (envelope, _) = machine.demo(environment, false, call);
    // The run is given a moment to see whether the host only closes, and in that time it may be done.
    let told = [&envelope["verdict"], &envelope["error"]["code"]];
    assert!(
        told.contains(&&json!("fail")) || told.contains(&&json!("cancelled")),
        "{envelope:#}"
    );
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn an_installation_can_be_given_up() {
    let machine = Machine::new();
    let folder = machine.outdated();
    let npm = folder.join("npm");
    let started = machine.folder.path().join("started");
    let script = "#!/bin/sh\necho $$ > \"${0%/*}/../started\"\nexec sleep 600\n";
    fs::write(&npm, script).unwrap();
    fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).unwrap();
    let call = Call::new("test");
    let signal = call.cancelled.clone();
    let (envelope, pid) = std::thread::scope(|scope| {
        let giving_up = scope.spawn(|| {
            let read = || fs::read_to_string(&started).unwrap_or_default();
            wait_until("npm to start", || read().ends_with('\n'));
            signal.cancel(CancelReason::User);
            read().trim().to_owned()
        });
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let (envelope, _) = machine.demo(machine.environment().with("PATH", path), false, call);
        (envelope, giving_up.join().unwrap())
    });
    assert_eq!(envelope["error"]["code"], json!("cancelled"), "{envelope:#}");
    wait_until("npm to end", || !Path::new("/proc").join(&pid).exists());
    assert!(!machine.state().join("demo/codex/0.169.0").exists());
}
