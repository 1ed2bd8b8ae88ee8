//! The contract check against real versions of codex, and against ones that break a single promise.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crosscheck::config::Config;
use crosscheck::domain::environment::Environment;
use crosscheck::domain::request::{Common, ConsultKind, ConsultRequest};
use crosscheck::peer::codex::version;
use crosscheck::run::contract::{self, CheckOutcome, Report};
use crosscheck::run::program::Program;
use crosscheck::service;
use crosscheck::service::call::{Call, Request};
use crosscheck::service::context::Service;
use crosscheck::state::store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;

use support::home::{FAKE_KEY, Home};
use support::peers;
use support::tree::contents;

mod support;

/// A machine with one codex.
struct Machine {
    home: Home,
    folder: TempDir,
    program: PathBuf,
}

impl Machine {
    fn new(program: PathBuf) -> Self {
        let folder = tempfile::Builder::new()
            // A name that breaks where somebody forgets to quote.
            .prefix("it's a \"folder\" ")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        Self {
            home: Home::new("http://127.0.0.1:9/v1"),
            folder,
            program,
        }
    }

    /// Puts a script before the real program that takes arguments with these beginnings out of every call, each with
    /// the flag before it.
    fn without(beginnings: &[&str]) -> Self {
        Self::wrapped(&dropping(beginnings))
    }

    /// Puts a script before the real program that does this first.
    fn wrapped(first: &str) -> Self {
        let mut machine = Self::new(PathBuf::new());
        machine.program = machine.folder.path().join("codex");
        let real = peers::codex();
        let script = format!("#!/bin/bash\n{first}\nexec '{}' \"$@\"\n", real.display());
        fs::write(&machine.program, script).unwrap();
        fs::set_permissions(&machine.program, fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    fn store(&self) -> Store {
        Store::at(self.folder.path().join("state"))
    }

    fn environment(&self) -> Environment {
        Environment::default()
            .with("PATH", "/usr/local/bin:/usr/bin:/bin")
            .with("HOME", self.home.home())
            .with("CODEX_HOME", self.home.codex_home())
            .with("TMPDIR", self.home.temp())
            .with("CODEX_API_KEY", FAKE_KEY)
            .with("CROSSCHECK_CODEX_BIN", &self.program)
    }

    async fn find(&self) -> (Config, Program) {
        let environment = self.environment();
        let config = Config::layered(None, &environment).unwrap();
        let program = Program::find(
            crosscheck::domain::peer::Peer::Codex,
            &config,
            &environment,
            &self.store(),
        )
        .await
        .unwrap();
        (config, program)
    }

    /// Runs the use case as the terminal does.
    fn envelope(&self) -> Value {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_crosscheck"));
        let service = Service::new(program, self.environment(), "/".into(), "fingerprint".to_owned());
        let envelope = runtime().block_on(service::contract::call(&service, &Call::new("test")));
        serde_json::to_value(&envelope).unwrap()
    }

    fn version(&self) -> semver::Version {
        let (_, program) = runtime().block_on(self.find());
        program.version
    }

    fn report(&self, again: Again) -> Report {
        let (environment, store) = (self.environment(), self.store());
        runtime().block_on(async {
            let (config, program) = self.find().await;
            let report = match again {
                Again::Always => contract::check(&environment, &config, &store, &program).await,
                Again::Once => contract::check_once(&environment, &config, &store, &program).await,
            };
            report.unwrap()
        })
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// Returns lines of a script that take arguments with these beginnings out of its own.
fn dropping(beginnings: &[&str]) -> String {
    let patterns: Vec<String> = beginnings
        .iter()
        .map(|beginning| format!("{beginning}*"))
        .collect();
    format!(
        "kept=()\nfor argument in \"$@\"; do\n  case $argument in\n    {})\n      \
         if [[ ${{kept[-1]}} == -[cs] ]]; then unset 'kept[-1]'; fi ;;\n    *) kept+=(\"$argument\") ;;\n  esac\n\
         done\nset -- \"${{kept[@]}}\"",
        patterns.join("|"),
    )
}

#[derive(Clone, Copy)]
enum Again {
    Always,
    Once,
}

/// The checks that are never made here, in the order of the report.
const NEVER: [&str; 2] = ["bounded_network", "hooks_off"];

fn not_checked(report: &Report) -> Vec<&str> {
    let checks = report.checks.iter();
    let left = checks.filter(|check| matches!(check.outcome, CheckOutcome::NotChecked { .. }));
    left.map(|check| check.name.as_str()).collect()
}

#[test]
fn the_newest_tested_codex_honours_everything() {
    let machine = Machine::new(peers::codex());
    // Asking a codex for its version already leaves a folder in its home.
    machine.version();
    let before = contents(machine.home.private());
    let report = machine.report(Again::Always);
    let found = (report.broken(), not_checked(&report));
    assert_eq!(found, (None, NEVER.to_vec()), "{report:#?}");
    // The user's homes are as they were, and the world of the check is gone.
    assert_eq!(contents(machine.home.private()), before);
    assert_eq!(contents(&machine.store().root().join("scratch")), []);
}

#[test]
fn the_oldest_codex_honours_everything() {
    let machine = Machine::new(peers::codex_oldest());
    assert_eq!(machine.version(), version::OLDEST);
    let report = machine.report(Again::Always);
    let found = (report.broken(), not_checked(&report));
    assert_eq!(found, (None, NEVER.to_vec()), "{report:#?}");
}

#[test]
fn a_codex_in_the_middle_honours_everything() {
    let report = Machine::new(peers::codex_middle()).report(Again::Always);
    let found = (report.broken(), not_checked(&report));
    assert_eq!(found, (None, NEVER.to_vec()), "{report:#?}");
}

/// The negative control: each check notices the loss of what it watches, and only what is lost is named.
#[test]
fn a_lost_promise_is_named() {
    let check = |beginnings: &[&str], expected: &str| {
        let report = Machine::without(beginnings).report(Again::Once);
        let broken = report.broken();
        assert_eq!(
            broken.as_deref(),
            Some(expected),
            "without {beginnings:?}: {report:#?}"
        );
    };
    check(&["--ignore-rules"], "rules, resume_read_only");
    check(&["notify="], "notify_off");
    check(&["mcp_servers="], "servers_off");
    check(&["projects="], "server_names, project");
    // A repository that is not trusted sends no guidance either (seen with codex-cli 0.169.0).
    check(
        &["projects=", "project_doc_max_bytes="],
        "server_names, guidance, project",
    );
    check(&["shell_environment_policy.inherit="], "environment");
    check(&["web_search="], "web_search");
    check(&["skills.include_instructions="], "skills");
    check(&["read-only"], "read_only, no_network, rules, resume_read_only");
    check(&["sandbox_workspace_write.writable_roots="], "write_pins");
    check(&["sandbox_workspace_write.exclude_slash_tmp="], "write_pins");
    check(&["sandbox_workspace_write.network_access="], "write_no_network");
    check(&["analytics.enabled="], "no_other_address");
    check(&["--ephemeral"], "ephemeral");
    check(&["features.shell_tool="], "shell_off");
}

#[test]
fn only_a_report_that_passed_is_remembered() {
    let machine = Machine::without(&["notify="]);
    assert_eq!(
        machine.report(Again::Once).broken().as_deref(),
        Some("notify_off")
    );
    let broken = fs::read_to_string(&machine.program).unwrap();
    // Mended in place: the file is another one by its time, and what was broken is not remembered anyhow.
    fs::write(&machine.program, broken.replace("notify=*", "no-such-argument")).unwrap();
    let passed = machine.report(Again::Once);
    assert_eq!(passed.broken(), None, "{passed:#?}");
    let cached = machine.report(Again::Once);
    assert_eq!(cached, passed);
}

#[test]
fn where_the_sandbox_does_not_work_its_checks_are_not_made() {
    let machine =
        Machine::wrapped("if [[ $1 == sandbox ]]; then echo 'bwrap: no namespaces' >&2; exit 1; fi");
    let report = machine.report(Again::Once);
    let sandbox = [
        "sandbox_probe",
        "commands",
        "read_only",
        "no_network",
        "environment",
        "rules",
        "write",
        "write_pins",
        "write_no_network",
        "resume_read_only",
    ];
    let expected: Vec<&str> = sandbox.into_iter().chain(NEVER).collect();
    let found = (report.broken(), not_checked(&report));
    assert_eq!(found, (None, expected), "{report:#?}");
    let why = "bwrap: no namespaces".to_owned();
    assert_eq!(
        report.outcome("sandbox_probe"),
        Some(&CheckOutcome::NotChecked { why })
    );
    // Once the sandbox is mended its checks are made: the report was not remembered.
    let facts = contents(&machine.store().root().join("cache"));
    assert_eq!(facts.len(), 1, "the version alone: {facts:#?}");
}

#[test]
fn an_argument_that_is_refused_is_named() {
    let run = "error: unexpected argument '--ignore-rules' found";
    let machine = Machine::wrapped(&format!(
        "if [[ $1 == exec ]]; then echo \"{run}\" >&2; echo 'try --help' >&2; exit 2; fi"
    ));
    let report = machine.report(Again::Always);
    assert_eq!(report.broken().as_deref(), Some("arguments"), "{report:#?}");
    let seen = format!("exit code 2: {run}");
    assert_eq!(report.outcome("arguments"), Some(&CheckOutcome::Broken { seen }));
    assert_eq!(report.outcome("read_only").map(is_held), Some(false));

    let machine = Machine::wrapped(
        "if [[ $1 == sandbox ]]; then echo 'error: unrecognized subcommand' >&2; exit 2; fi",
    );
    let report = machine.report(Again::Always);
    assert_eq!(report.broken().as_deref(), Some("sandbox_probe"), "{report:#?}");
}

fn is_held(outcome: &CheckOutcome) -> bool {
    *outcome == CheckOutcome::Held
}

#[test]
fn a_codex_that_hangs_is_ended_in_time() {
    let machine =
        Machine::wrapped("if [[ $1 != --version ]]; then echo $$ >> \"${0%/*}/pids\"; sleep 600; fi");
    let start = Instant::now();
    let report = machine.report(Again::Always);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(
        report.broken().as_deref(),
        Some("server_names, models, login, arguments"),
        "{report:#?}"
    );
    let pids = fs::read_to_string(machine.folder.path().join("pids")).unwrap();
    assert!(pids.lines().count() >= 4, "{pids}");
    for pid in pids.lines() {
        let process = Path::new("/proc").join(pid);
        assert!(!process.exists(), "{pid} lives on");
    }
}

#[test]
fn the_envelope_lists_every_check_whether_it_passed_or_not() {
    let check = |machine: &Machine, passed: bool, broken: Value| {
        let envelope = machine.envelope();
        let told = [&envelope["ok"], &envelope["passed"], &envelope["broken"]];
        assert_eq!(told, [&json!(true), &json!(passed), &broken], "{envelope:#}");
        assert_eq!(envelope["tool"], json!("contract"));
        assert_eq!(envelope["version"], json!(version::NEWEST_TESTED.to_string()));
        assert_eq!(
            (&envelope["support"], &envelope["not_checked"]),
            (&json!("supported"), &json!(2))
        );
        let checks = envelope["checks"].as_array().unwrap();
        assert!(checks.len() > 20, "{checks:#?}");
        for check in checks {
            assert!(
                check["name"].is_string() && check["guarantee"].is_string(),
                "{check}"
            );
            let detail = match check["outcome"].as_str().unwrap() {
                "held" => None,
                "broken" => Some("seen"),
                _ => Some("why"),
            };
            assert!(detail.is_none_or(|detail| check[detail].is_string()), "{check}");
        }
    };
    check(&Machine::new(peers::codex()), true, json!([]));
    check(&Machine::without(&["web_search="]), false, json!(["web_search"]));
}

#[test]
fn a_version_that_nobody_tested_must_prove_itself_before_anything_is_paid() {
    let newer = "if [[ $1 == --version ]]; then echo codex-cli 0.999.0; exit; fi";
    let ask = |machine: &Machine| {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_crosscheck"));
        let folder = machine.home.work();
        let service = Service::new(program, machine.environment(), folder, "fingerprint".to_owned());
        let request = ConsultRequest {
            prompt: "hello".to_owned(),
            kind: ConsultKind::Answer,
            context: None,
            files: Vec::new(),
            common: Common::default(),
        };
        let envelope = runtime().block_on(service.call(Request::Consult(request), Call::new("test")));
        serde_json::to_value(&envelope).unwrap()
    };
    let refused = ask(&Machine::wrapped(&format!(
        "{newer}\n{}",
        dropping(&["web_search="])
    )));
    assert_eq!(
        refused["error"]["code"],
        json!("peer_contract_changed"),
        "{refused:#}"
    );
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("0.999.0") && message.contains("web_search"),
        "{message}"
    );

    // One that honours everything runs. This one's provider wants a key that nobody passes on, so it ends there.
    let machine = Machine::wrapped(newer);
    let allowed = ask(&machine);
    assert_eq!(
        allowed["error"]["code"],
        json!("peer_not_authenticated"),
        "{allowed:#}"
    );
    assert!(allowed["job"]["id"].is_string(), "{allowed:#}");
}
