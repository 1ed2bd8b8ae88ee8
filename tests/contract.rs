//! The contract check against real versions of codex, and against ones that break a single promise.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crosscheck::config::Config;
use crosscheck::domain::environment::Environment;
use crosscheck::run::contract::{self, CheckOutcome, Report};
use crosscheck::run::program::Program;
use crosscheck::state::store::Store;
use tempfile::TempDir;

use support::home::{FAKE_KEY, Home};
use support::peers;

mod support;

/// A machine with one codex.
struct Machine {
    home: Home,
    folder: TempDir,
    program: PathBuf,
}

impl Machine {
    fn new(program: PathBuf) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self {
            home: Home::new("http://127.0.0.1:9/v1"),
            folder,
            program,
        }
    }

    /// Puts a script before the real program that takes an argument, and the `-c` before it if there is one, out of
    /// every call.
    fn without(argument: &str) -> Self {
        let mut machine = Self::new(PathBuf::new());
        machine.program = machine.folder.path().join("codex");
        let script = format!(
            "#!/bin/bash\nkept=()\nfor argument in \"$@\"; do\n  if [[ $argument == {argument}* ]]; then\n    \
             if [[ ${{#kept[@]}} -gt 0 && ${{kept[-1]}} == -[cs] ]]; then unset 'kept[-1]'; fi\n    continue\n  fi\n  \
             kept+=(\"$argument\")\ndone\nexec '{}' \"${{kept[@]}}\"\n",
            peers::codex().display()
        );
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

    fn report(&self, again: Again) -> Report {
        let (environment, store) = (self.environment(), self.store());
        let config = Config::layered(None, &environment).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let program = Program::find(&config, &environment, &store).await.unwrap();
            let report = match again {
                Again::Always => contract::check(&environment, &config, &store, &program).await,
                Again::Once => contract::check_once(&environment, &config, &store, &program).await,
            };
            report.unwrap()
        })
    }
}

#[derive(Clone, Copy)]
enum Again {
    Always,
    Once,
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
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
    let config_before = fs::read(machine.home.codex_home().join("config.toml")).unwrap();
    let report = machine.report(Again::Always);
    assert_eq!(
        (report.broken(), not_checked(&report)),
        (None, NEVER.to_vec()),
        "{report:#?}"
    );
    // The user's codex home is as it was, and the world of the check is gone.
    assert_eq!(names(&machine.home.codex_home()), ["config.toml"]);
    assert_eq!(
        fs::read(machine.home.codex_home().join("config.toml")).unwrap(),
        config_before
    );
    assert_eq!(names(&machine.home.home()), Vec::<String>::new());
    assert_eq!(
        names(&machine.store().root().join("scratch")),
        Vec::<String>::new()
    );
}

#[test]
fn the_oldest_codex_honours_everything() {
    let report = Machine::new(peers::codex_oldest()).report(Again::Always);
    assert_eq!(
        (report.broken(), not_checked(&report)),
        (None, NEVER.to_vec()),
        "{report:#?}"
    );
}

#[test]
fn a_codex_in_the_middle_honours_everything() {
    let report = Machine::new(peers::codex_middle()).report(Again::Always);
    assert_eq!(
        (report.broken(), not_checked(&report)),
        (None, NEVER.to_vec()),
        "{report:#?}"
    );
}

/// The negative control: each check notices the loss of what it watches, and only what is lost is named.
#[test]
fn a_lost_promise_is_named() {
    let check = |argument: &str, expected: &str| {
        let report = Machine::without(argument).report(Again::Once);
        assert_eq!(
            report.broken().as_deref(),
            Some(expected),
            "without {argument}: {report:#?}"
        );
    };
    check("--ignore-rules", "rules, resume_read_only");
    check("notify=", "notify_off");
    check("mcp_servers=", "servers_off");
    check("projects=", "project");
    check("shell_environment_policy.inherit=", "environment");
    check("web_search=", "web_search");
    check("project_doc_max_bytes=", "guidance");
    check("skills.include_instructions=", "skills");
    check("read-only", "read_only, no_network, resume_read_only");
    check("analytics.enabled=", "no_other_address");
    check("--ephemeral", "ephemeral");
    check("features.shell_tool=", "shell_off");
}

#[test]
fn only_a_report_that_passed_is_remembered() {
    let machine = Machine::without("notify=");
    assert_eq!(
        machine.report(Again::Once).broken().as_deref(),
        Some("notify_off")
    );
    let broken = fs::read_to_string(&machine.program).unwrap();
    // Mended in place: the file is another one by its time, and what was broken is not remembered anyhow.
    fs::write(&machine.program, broken.replace("notify=", "no-such-argument")).unwrap();
    let passed = machine.report(Again::Once);
    assert_eq!(passed.broken(), None, "{passed:#?}");
    let cached = machine.report(Again::Once);
    assert_eq!(cached, passed);
}
