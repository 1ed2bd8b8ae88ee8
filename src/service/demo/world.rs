//! The world of one demo: homes and job records of its own, and a repository with a change to review.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::git::{self, Git};
use crate::model::demo;
use crate::run::masking::mask;
use crate::service::demo::codex::ASKING_PREFIX;
use crate::service::demo::showing::DemoOptions;
use crate::service::git_fault::git_fault;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;
use crate::sys::process::{Ended, Invocation, run_captured};
use crate::sys::sweep::sweep;

/// Time of one git command on a repository of six files.
const GIT_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes that such a command may print.
const GIT_BYTES: usize = 64 * 1024;
/// When the repository's commit was made. A fixed time makes every demo's commit the same.
const COMMITTED: &str = "2026-01-05T09:00:00Z";

/// Begins the names of worlds that go away.
const PREFIX: &str = "run-";
/// Age at which a world is what a killed demo left.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes what killed demos left.
pub(super) fn sweep_abandoned(store: &Store) {
    for prefix in [PREFIX, ASKING_PREFIX] {
        sweep(&store.root().join("demo"), prefix, ABANDONED, SystemTime::now());
    }
}

/// One world. It is deleted with the value unless it is kept.
#[derive(Debug)]
pub(super) struct World {
    root: TempDir,
    path: PathBuf,
}

impl World {
    /// Makes a world below the state directory, whose codex knows no model but the one at `origin`.
    /// One that is to be kept gets a name that [`sweep_abandoned`] passes over.
    pub(super) fn make(store: &Store, origin: &str, options: DemoOptions) -> Result<Self, Fault> {
        let folder = store.folder("demo")?;
        let cannot = |error: io::Error| Fault::from(StateError::io("write", &folder)(error));
        let root = tempfile::Builder::new()
            .prefix(if options.keep { "kept-" } else { PREFIX })
            .tempdir_in(&folder)
            .map_err(cannot)?;
        let path = root.path().canonicalize().map_err(cannot)?;
        let world = Self { root, path };
        for folder in ["home", "codex", "tmp", "shop"] {
            files::create_private_dir(&world.path.join(folder)).map_err(cannot)?;
        }
        let configuration = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"demo\"\n\n[analytics]\nenabled = false\n\n\
             [features]\nplugins = false\n\n\
             [model_providers.demo]\nname = \"Crosscheck's demo model\"\nbase_url = \"{origin}/v1\"\n\
             wire_api = \"responses\"\n"
        );
        fs::write(world.path.join("codex/config.toml"), configuration).map_err(cannot)?;
        Ok(world)
    }

    /// Returns where it lies, with links resolved.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.path.join("shop")
    }

    /// Returns the world's job records.
    pub(super) fn store(&self) -> Store {
        Store::at(self.path.join("state"))
    }

    /// Returns all that a run in this world knows of our `environment`: programs and languages, no account, no key.
    ///
    /// Calls to anywhere but this machine are sent to the demo model at `origin`, which refuses them.
    pub(super) fn environment(&self, environment: &Environment, codex: &Path, origin: &str) -> Environment {
        let kept = [
            "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "USER", "LOGNAME", "SHELL",
        ];
        let own = Environment::default()
            .with("HOME", self.path.join("home"))
            .with("CODEX_HOME", self.path.join("codex"))
            .with("TMPDIR", self.path.join("tmp"))
            .with("HTTPS_PROXY", origin)
            .with("CROSSCHECK_STATE_DIR", self.path.join("state"))
            .with("CROSSCHECK_CODEX_BIN", codex);
        kept.iter().fold(own, |own, name| match environment.get(name) {
            Some(value) => own.with(name, value),
            None => own,
        })
    }

    /// Makes the repository: one commit, and the change in the working tree.
    pub(super) async fn write_repository(&self, environment: &Environment) -> Result<(), Fault> {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        for file in demo::files() {
            self.write(file.path, file.before)?;
        }
        // No template, so no hooks; no configuration but the repository's own, so no signing and no filters.
        self.git(
            &git,
            environment,
            &["init", "--quiet", "--template=", "--initial-branch=main"],
        )
        .await?;
        self.git(&git, environment, &["add", "--all"]).await?;
        self.git(
            &git,
            environment,
            &["commit", "--quiet", "--message", "The shop as it was"],
        )
        .await?;
        for file in demo::files() {
            self.write(file.path, file.after)?;
        }
        Ok(())
    }

    /// Writes one file of the repository, or deletes it when it has no content.
    fn write(&self, name: &str, content: Option<&str>) -> Result<(), Fault> {
        let path = self.repository().join(name);
        let written = match (content, path.parent()) {
            (Some(content), Some(folder)) => {
                fs::create_dir_all(folder).and_then(|()| fs::write(&path, content))
            }
            _ if path.exists() => fs::remove_file(&path),
            _ => Ok(()),
        };
        written.map_err(|error| Fault::from(StateError::io("write", &path)(error)))
    }

    /// Runs git in the repository. It is ours, so plain git may read its configuration.
    async fn git(&self, git: &Git, environment: &Environment, arguments: &[&str]) -> Result<(), Fault> {
        let path = environment.get("PATH").unwrap_or_default();
        let environment = Environment::default()
            .with("PATH", path)
            .with("HOME", self.path.join("home"))
            .with("LC_ALL", "C")
            .with("GIT_CONFIG_NOSYSTEM", "1")
            .with("GIT_CONFIG_GLOBAL", "/dev/null")
            .with("GIT_TERMINAL_PROMPT", "0")
            .with("GIT_AUTHOR_NAME", "Crosscheck Demo")
            .with("GIT_AUTHOR_EMAIL", "demo@example.invalid")
            .with("GIT_AUTHOR_DATE", COMMITTED)
            .with("GIT_COMMITTER_NAME", "Crosscheck Demo")
            .with("GIT_COMMITTER_EMAIL", "demo@example.invalid")
            .with("GIT_COMMITTER_DATE", COMMITTED);
        let invocation = Invocation {
            program: git.program().to_owned(),
            arguments: arguments.iter().map(Into::into).collect(),
            directory: self.repository(),
            environment,
        };
        let name = arguments.first().copied().unwrap_or_default();
        let failed = |why: String| {
            Fault::new(
                FaultCode::GitFailed,
                format!("`git {name}` failed in the demo's repository: {why}"),
            )
        };
        let captured = run_captured(&invocation, b"", GIT_DEADLINE, GIT_BYTES)
            .await
            .map_err(|error| failed(error.to_string()))?;
        if captured.ended == Ended::Exited(0) {
            return Ok(());
        }
        let said = mask(&String::from_utf8_lossy(&captured.stderr));
        Err(failed(
            said.lines().next().unwrap_or("it says nothing").to_owned(),
        ))
    }

    /// Keeps the world for good.
    pub(super) fn keep(self) {
        let _ = self.root.keep();
    }

    /// Deletes the world.
    pub(super) fn end(self) -> io::Result<()> {
        self.root.close()
    }
}
