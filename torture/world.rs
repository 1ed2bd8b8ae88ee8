//! A private world: state, home, ledger and workspace under one temporary folder, and the processes that live in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::PLAN_VARIABLE;
use crate::ledger;
use crate::repository;
use crate::server::Server;

/// The longest that anything in a world is waited for. Machines may be loaded; nothing is judged by it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A temporary folder with everything in it. Dropping it deletes it.
#[derive(Debug)]
pub struct World {
    folder: tempfile::TempDir,
    peer: PathBuf,
}

impl World {
    /// Makes a world with an empty store and a workspace that is a git repository with files in every state. They are the
    /// user's: what is in them then is what the auditor expects for ever.
    pub fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// Makes a world on the file system of `parent`.
    pub fn below(parent: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("torture-")
            .tempdir_in(parent)
            .expect("a folder for the world can be made");
        let world = Self { folder, peer: peer() };
        for path in [world.home(), world.ledger(), world.workspace()] {
            fs::create_dir_all(path).expect("folders of the world can be made");
        }
        world.no_plan();
        repository::write_into(&world.workspace());
        ledger::untouched(&world);
        world
    }

    /// Makes the change in the workspace one that is reviewed in two parts.
    pub fn enlarge(&self) {
        let config = self.home().join(".config/crosscheck");
        fs::create_dir_all(&config).expect("folders of the world can be made");
        fs::write(config.join("config.toml"), "[limits]\nprompt_bytes = 24000\n")
            .expect("a file can be written");
        for name in ["large-1.txt", "large-2.txt"] {
            let lines: Vec<String> = (0..250)
                .map(|line| format!("line {line} of {name} says nothing of note\n"))
                .collect();
            fs::write(self.workspace().join(name), lines.concat()).expect("a file can be written");
        }
        ledger::untouched(self);
    }

    /// Takes another program for the peer than the scripted one.
    pub fn use_peer(&mut self, program: &Path) {
        program.clone_into(&mut self.peer);
    }

    /// Returns a path in the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// What the harness and the peer noted: what really happened.
    pub fn ledger(&self) -> PathBuf {
        self.home().join("ledger")
    }

    /// The workspace.
    pub fn workspace(&self) -> PathBuf {
        self.path("workspace")
    }

    /// Plans no fault.
    pub fn no_plan(&self) -> PathBuf {
        let folder = self.path("plans/none");
        // A process that is being started must not find it gone for a moment.
        if folder.join("plan").exists() {
            return folder;
        }
        self.plan("none", &[])
    }

    /// Writes a plan and returns its folder. A plan of the same name is replaced, with what it had noted.
    pub fn plan(&self, name: &str, lines: &[String]) -> PathBuf {
        let folder = self.path("plans").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for the plan can be made");
        fs::write(folder.join("plan"), lines.join("\n")).expect("a plan can be written");
        folder
    }

    /// Returns a command that is crosscheck, armed with a plan, in an environment of its own.
    pub fn crosscheck(&self, plan: &Path) -> Command {
        let own = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(own);
        command
            .current_dir(self.workspace())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .env("CROSSCHECK_STATE_DIR", self.state())
            .env("CROSSCHECK_CODEX_BIN", &self.peer)
            .env(PLAN_VARIABLE, plan)
            .stdin(Stdio::null());
        command
    }

    /// Starts a server, armed with a plan.
    pub fn server(&self, plan: &Path) -> Server {
        Server::start(self.crosscheck(plan))
    }

    /// Lists the directories of all jobs.
    pub fn jobs(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(self.state().join("jobs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
            })
            .collect();
        found.sort();
        found
    }
}

/// Returns the scripted peer: this program under the name codex. A link that points elsewhere would be followed to this
/// program's own name, so it is a second name of the same file.
fn peer() -> PathBuf {
    static PEER: OnceLock<PathBuf> = OnceLock::new();
    PEER.get_or_init(|| {
        let own = std::env::current_exe().expect("this program has a path");
        let folder = own.with_file_name("torture-peer");
        fs::create_dir_all(&folder).expect("a folder beside this program can be made");
        let (draft, peer) = (
            folder.join(format!("codex-{}", std::process::id())),
            folder.join("codex"),
        );
        fs::hard_link(&own, &draft).expect("a second name can be given");
        fs::rename(&draft, &peer).expect("the name is free or ours");
        // Renaming one name of a file to another name of it does nothing.
        let _ = fs::remove_file(&draft);
        peer
    })
    .clone()
}

/// Waits until a condition holds; `false` when it did not within [`PATIENCE`].
pub fn wait_until(mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Returns the point at which a process with this plan stands still, once one does.
pub fn wait_reached(plan: &Path) -> Option<(u32, String)> {
    let reached = plan.join("reached");
    wait_until(|| reached.exists()).then_some(())?;
    let text = fs::read_to_string(reached).ok()?;
    let (pid, point) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, point.to_owned()))
}

/// Lets a halted process go on.
pub fn let_go(plan: &Path) {
    fs::write(plan.join("go"), "").expect("the plan's folder is there");
}
