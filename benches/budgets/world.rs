//! The private world of one measurement: homes, a model on loopback, and our program in it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crosscheck::model::Script;

use crate::host::Host;
use crate::support::home::Home;
use crate::support::model::FakeModel;
use crate::support::peers;

/// Our program as cargo built it for this run.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_crosscheck");

/// Everything that one measurement runs in.
pub(crate) struct World {
    pub(crate) model: FakeModel,
    pub(crate) home: Home,
    pub(crate) codex: PathBuf,
}

impl World {
    /// Makes a world whose model follows a script.
    pub(crate) fn new(script: impl Script + 'static) -> Self {
        let model = FakeModel::start(script);
        let codex = peers::codex();
        let home = Home::new(&model.base_url()).with_variable("CROSSCHECK_CODEX_BIN", &codex);
        let folder = home.config().join("crosscheck");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), "[env]\npass = [\"FAKE_KEY\"]\n").unwrap();
        Self { model, home, codex }
    }

    /// Returns a command that starts our server.
    pub(crate) fn serve(&self) -> Command {
        let mut command = self.home.command(program());
        command.arg("serve");
        command
    }

    /// Starts our server.
    pub(crate) fn server(&self) -> Host {
        Host::start(self.serve())
    }

    /// Runs git in the workspace; stops loudly when it fails.
    pub(crate) fn git(&self, arguments: &[&str]) {
        let mut command = self.home.command("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
    }
}

/// Returns our program, or another build of it that `CROSSCHECK_BENCH_PROGRAM` names, to compare the two.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("CROSSCHECK_BENCH_PROGRAM").map_or_else(|| PROGRAM.into(), PathBuf::from)
}
