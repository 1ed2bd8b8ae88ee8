//! A user's repository with a home and a state directory of its own, and a peer that edits a copy of it.

use crosscheck::domain::job::JobId;
use crosscheck::git::{
    Environment, Git, Keep, Merged, Oid, Renames, Repository, SnapshotOf, TreeEntry, Vault,
};
use crosscheck::state::landing::{LandError, Landing, Node, Step, land};
use crosscheck::state::repositories::RepositoryFolder;
use crosscheck::state::store::Store;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a path is: mode, time of change in seconds and nanoseconds, and its bytes or the text of its link.
pub(crate) type Files = BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)>;

pub(crate) struct World {
    folder: TempDir,
    pub(crate) git: Git,
    pub(crate) state: RepositoryFolder,
}

pub(crate) fn job(number: u32) -> JobId {
    format!("01m7yptqjp-t9cew2-8rhn17{number:04}").parse().unwrap()
}

impl World {
    /// A repository without a commit. In memory where there is such a disk, because thousands of files are synced.
    pub(crate) fn new() -> Self {
        Self::with_init(&[])
    }

    pub(crate) fn with_init(arguments: &[&str]) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        for name in ["home", "scratch", "user", "state"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let variables: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("HOME".into(), folder.path().join("home").into()),
        ];
        let git = Git::locate(Environment::new(variables)).unwrap();
        let store = Store::at(folder.path().join("state"));
        let state = RepositoryFolder::of(&store, &folder.path().join("user/.git"));
        fs::create_dir_all(state.path()).unwrap();
        let world = Self { folder, git, state };
        let mut init = vec!["init", "-q", "-b", "main"];
        init.extend(arguments);
        world.run(&init);
        world.run(&["config", "user.name", "A User"]);
        world.run(&["config", "user.email", "user@example.invalid"]);
        world
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.folder().join("user")
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder().join("scratch")
    }

    /// Runs the user's own git.
    pub(crate) fn try_run_in(&self, directory: &Path, arguments: &[&str]) -> (bool, Vec<u8>) {
        let output = Command::new(self.git.program())
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder().join("home"))
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), text)
    }

    pub(crate) fn run_in(&self, directory: &Path, arguments: &[&str]) -> Vec<u8> {
        let (succeeded, text) = self.try_run_in(directory, arguments);
        assert!(succeeded, "{arguments:?}: {}", String::from_utf8_lossy(&text));
        text
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        self.run_in(&self.top(), arguments)
    }

    pub(crate) fn line(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments))
            .unwrap()
            .trim_end()
            .to_owned()
    }

    pub(crate) fn commit(&self) -> Oid {
        self.run(&["add", "-A"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", "a commit"]);
        Oid::parse(&self.line(&["rev-parse", "HEAD"])).unwrap()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.top(), path.as_bytes(), content.as_ref());
    }

    pub(crate) fn repository(&self) -> Repository {
        self.git.discover(&self.top()).unwrap()
    }

    pub(crate) fn vault(&self) -> Vault {
        self.state.open_vault(&self.repository()).unwrap()
    }

    /// The user's files as a tree.
    pub(crate) fn snapshot(&self, vault: &Vault) -> Oid {
        self.snapshot_of(vault, &self.top())
    }

    pub(crate) fn snapshot_of(&self, vault: &Vault, top: &Path) -> Oid {
        let repository = self.git.discover(top).unwrap();
        vault
            .snapshot(
                &repository,
                &SnapshotOf::WorkingTree,
                Keep::Objects,
                &self.scratch(),
            )
            .unwrap()
            .tree
    }

    /// What a peer makes of a copy of the user's files, as a tree.
    pub(crate) fn peer(&self, vault: &Vault, edit: impl FnOnce(&Path)) -> Oid {
        let peer = self.folder().join("peer");
        copy(&self.top(), &peer);
        edit(&peer);
        self.snapshot_of(vault, &peer)
    }

    /// The steps from what the user has to a tree, each with what the user's tree holds at its path.
    pub(crate) fn steps(vault: &Vault, present: &Oid, target: &Oid) -> Vec<Step> {
        let changes = vault.changes(present, target, Renames::Split).unwrap();
        let oids: Vec<&Oid> = changes
            .iter()
            .flat_map(|change| [&change.old, &change.new])
            .flatten()
            .map(|entry| &entry.oid)
            .collect();
        let mut blobs = vault.blobs(&oids).unwrap().into_iter();
        let mut side =
            |entry: &Option<TreeEntry>| entry.as_ref().map(|entry| (entry.mode, blobs.next().unwrap()));
        changes
            .iter()
            .map(|change| {
                let before = side(&change.old).map_or(Node::Absent, |(mode, bytes)| Node::of(mode, &bytes));
                Step {
                    path: change.path.clone(),
                    before,
                    after: side(&change.new),
                }
            })
            .collect()
    }

    /// Merges as an apply would: the result as it is where nothing it changes has moved.
    pub(crate) fn fit(vault: &Vault, base: &Oid, present: &Oid, result: &Oid) -> Merged {
        if present == base {
            return Merged::Clean { tree: result.clone() };
        }
        vault.merge(base, present, result).unwrap()
    }

    pub(crate) fn land(&self, number: u32, steps: &[Step]) -> Result<Landing, LandError> {
        land(&self.state, &self.top(), &job(number), steps, 1_700_000_000_000)
    }

    /// Everything of the user's: working tree, index, refs, configuration, objects. Of objects the times do not count: git
    /// renews that of a loose one which it would write and finds there, also where it only borrows it.
    pub(crate) fn everything(&self) -> Files {
        let mut found = files(&self.top(), true);
        for (path, about) in &mut found {
            if path.starts_with(".git/objects") {
                (about.1, about.2) = (0, 0);
            }
        }
        found
    }
}

pub(crate) fn write(top: &Path, path: &[u8], content: &[u8]) {
    let target = top.join(OsStr::from_bytes(path));
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(target, content).unwrap();
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes `to` an exact copy of `from`, times included.
pub(crate) fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    let copied = Command::new("cp").arg("-a").arg("--").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Reads all files below a folder, with or without the `.git` in it. Folders have no time: it tells of what went on in them.
pub(crate) fn files(top: &Path, with_git: bool) -> Files {
    fn collect(top: &Path, folder: &Path, with_git: bool, found: &mut Files) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().to_owned();
            if !with_git && name.as_os_str() == ".git" {
                continue;
            }
            let about = path.symlink_metadata().unwrap();
            if about.is_dir() {
                found.insert(name, (about.mode(), 0, 0, Vec::new()));
                collect(top, &path, with_git, found);
            } else {
                let bytes = if about.is_symlink() {
                    fs::read_link(&path)
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                found.insert(name, (about.mode(), about.mtime(), about.mtime_nsec(), bytes));
            }
        }
    }
    let mut found = Files::new();
    collect(top, top, with_git, &mut found);
    found
}

/// What git would see of files: bytes, links and the right to execute.
pub(crate) fn as_git_sees(files: &Files) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    files
        .iter()
        .filter(|(_, (mode, ..))| mode & 0o170_000 != 0o040_000)
        .map(|(path, (mode, _, _, bytes))| {
            let kind = mode & 0o170_000;
            let mode = if kind == 0o120_000 { kind } else { mode & 0o170_100 };
            (path.clone(), (mode, bytes.clone()))
        })
        .collect()
}

/// Fails with the names of what differs, which is shorter than all of it.
pub(crate) fn assert_same(found: &Files, expected: &Files, about: &str) {
    let differing: Vec<&PathBuf> = found
        .keys()
        .chain(expected.keys())
        .filter(|path| found.get(*path) != expected.get(*path))
        .collect();
    assert!(differing.is_empty(), "{about}: {differing:?}");
}
