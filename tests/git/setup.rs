//! A repository in a temporary folder, with a home of its own.

use crosscheck::diff::patch::{Content, FilePatch, LineKind};
use crosscheck::domain::scope::{Revision, Scope};
use crosscheck::git::{Change, Environment, Git, GitError, Repository, Untracked};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A home, a scratch folder and one repository, all below one temporary folder.
pub(crate) struct Setup {
    folder: TempDir,
    pub(crate) git: Git,
}

/// Runs a test once with each git, in a repository without a commit.
pub(crate) fn with_each_git(test: impl Fn(&Setup)) {
    let programs = programs();
    assert!(!programs.is_empty(), "there is no git on the PATH");
    for program in programs {
        let setup = Setup::new(&program);
        setup.run(&["init", "-q", "-b", "main", "."]);
        test(&setup);
    }
}

/// Runs a test once with each git, in a repository with one committed file `f` of the lines 1 to 9.
pub(crate) fn with_a_commit(test: impl Fn(&Setup)) {
    with_each_git(|setup| {
        setup.write("f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
        setup.commit("first");
        test(setup);
    });
}

/// Returns every distinct git on the `PATH`.
pub(crate) fn programs() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut seen = BTreeSet::new();
    std::env::split_paths(&path)
        .map(|folder| folder.join("git"))
        .filter(|program| program.is_file())
        .filter(|program| {
            let output = Command::new(program).arg("version").output().unwrap();
            seen.insert(output.stdout)
        })
        .collect()
}

impl Setup {
    fn new(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "scratch", "repository"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let variables: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("HOME".into(), folder.path().join("home").into()),
        ];
        let git = Git::at(program.to_owned(), Environment::new(variables)).unwrap();
        Self { folder, git }
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("repository")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder().join("scratch")
    }

    /// Runs the user's own git in a folder, and says whether it succeeded.
    pub(crate) fn try_run_in(&self, directory: &Path, arguments: &[&str]) -> (bool, Vec<u8>) {
        let output = Command::new(self.git.program())
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "a")
            .env("GIT_AUTHOR_EMAIL", "a@example.invalid")
            .env("GIT_COMMITTER_NAME", "a")
            .env("GIT_COMMITTER_EMAIL", "a@example.invalid")
            .output()
            .unwrap();
        let mut bytes = output.stdout;
        if !output.status.success() {
            bytes.extend(output.stderr);
        }
        (output.status.success(), bytes)
    }

    pub(crate) fn run_in(&self, directory: &Path, arguments: &[&str]) -> Vec<u8> {
        let (is_success, bytes) = self.try_run_in(directory, arguments);
        assert!(
            is_success,
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&bytes)
        );
        bytes
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        self.run_in(&self.top(), arguments)
    }

    pub(crate) fn write(&self, path: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        let path = self.top().join(Path::new(path.as_ref()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn commit(&self, message: &str) {
        self.run(&["add", "-A"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Returns the commit that a revision names, as the user's git says.
    pub(crate) fn oid(&self, revision: &str) -> String {
        let bytes = self.run(&["rev-parse", revision]);
        String::from_utf8(bytes).unwrap().trim().to_owned()
    }

    pub(crate) fn repository(&self) -> Repository {
        self.git.discover(&self.top()).unwrap()
    }

    pub(crate) fn try_read(&self, scope: &Scope) -> Result<Change, GitError> {
        self.repository()
            .read_change(scope, &[], Untracked::Read, &self.scratch())
    }

    pub(crate) fn read(&self, scope: &Scope) -> Change {
        self.try_read(scope).unwrap()
    }

    pub(crate) fn read_paths(&self, scope: &Scope, paths: &[&str]) -> Change {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        self.repository()
            .read_change(scope, &paths, Untracked::Read, &self.scratch())
            .unwrap()
    }
}

/// Makes a FIFO, which blocks whoever opens it.
pub(crate) fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

pub(crate) fn revision(text: &str) -> Revision {
    Revision::parse(text).unwrap()
}

pub(crate) fn branch() -> Scope {
    Scope::Branch {
        base: None,
        head: None,
    }
}

pub(crate) fn commit(text: &str) -> Scope {
    Scope::Commit {
        commit: revision(text),
    }
}

/// Returns the paths of a change, new side.
pub(crate) fn names(change: &Change) -> Vec<String> {
    let files = change.patch.files.iter();
    files
        .map(|file| String::from_utf8_lossy(&file.new_path).into_owned())
        .collect()
}

pub(crate) fn file(change: &Change, path: impl AsRef<OsStr>) -> &FilePatch {
    let path = path.as_ref().as_bytes();
    let found = change.patch.files.iter().find(|file| file.new_path == path);
    found.unwrap_or_else(|| panic!("{} is not in {:?}", String::from_utf8_lossy(path), names(change)))
}

/// Returns the changed lines of a file as `-old` and `+new`.
pub(crate) fn lines(file: &FilePatch) -> Vec<String> {
    let Content::Text(hunks) = &file.content else {
        panic!("no text: {:?}", file.content)
    };
    hunks
        .iter()
        .flat_map(|hunk| &hunk.lines)
        .filter_map(|line| {
            let marker = match line.kind {
                LineKind::Context => return None,
                LineKind::Added => '+',
                LineKind::Removed => '-',
            };
            Some(format!("{marker}{}", String::from_utf8_lossy(&line.text)))
        })
        .collect()
}
