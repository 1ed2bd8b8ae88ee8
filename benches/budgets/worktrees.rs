//! How long a task waits for its worktree, beside a plain `git worktree add` in the same repository.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crosscheck::domain::job::{JobId, WorkspaceHash};
use crosscheck::git::{Environment, Git, Head, Oid, Vault};
use crosscheck::state::repositories::RepositoryFolder;
use crosscheck::state::store::Store;
use crosscheck::state::trees::{self, HeldTree, Removal};
use tempfile::TempDir;

use crate::figure::Figure;
use crate::table::Row;

/// Files that a task changes before its worktree is given back, and as many that it adds.
const EDITED: usize = 20;

/// A repository that is measured: what its rows are called, its files, and rounds.
struct Size {
    cold: &'static str,
    warm: &'static str,
    four: &'static str,
    disk: &'static str,
    files: usize,
    rounds: usize,
}

const SIZES: [Size; 2] = [
    Size {
        cold: "worktree of 1,000 files, cold",
        warm: "worktree of 1,000 files, warm",
        four: "four worktrees of 1,000 files at once, two of them warm",
        disk: "disk for a worktree of 1,000 files",
        files: 1_000,
        rounds: 9,
    },
    Size {
        cold: "worktree of 100,000 files, cold",
        warm: "worktree of 100,000 files, warm",
        four: "four worktrees of 100,000 files at once, two of them warm",
        disk: "disk for a worktree of 100,000 files",
        files: 100_000,
        rounds: 3,
    },
];

/// Measures both repositories.
pub(crate) fn measure() -> Vec<Row> {
    SIZES.iter().flat_map(measure_size).collect()
}

fn measure_size(size: &Size) -> Vec<Row> {
    let repository = Generated::new(size.files);
    let mut rows = Vec::new();
    let (mut plain, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        plain.push(repository.plain_add(1));
        cold.push(timed(|| repository.take(1)).1);
        repository.clear();
    }
    let (plain, cold) = (Figure::of_times(&plain), Figure::of_times(&cold));
    let ratio = format!("{:.2} x plain", cold.median() / plain.median());
    let row = Row::new(size.cold, "0.6 x plain `git worktree add`", &cold).remark(&ratio);
    rows.push(row.beside("plain `git worktree add`", &plain));

    drop(finished(repository.take(1)));
    let warm: Vec<Duration> = (0..size.rounds)
        .map(|round| {
            let (held, time) = timed(|| repository.take(10 + round));
            edit(&held.path());
            drop(finished(held));
            time
        })
        .collect();
    rows.push(Row::new(size.warm, "1 s", &Figure::of_times(&warm)));
    let bytes = trees::list(&repository.folder).unwrap()[0].bytes;
    rows.push(Row::new(size.disk, "", &Figure::once(megabytes(bytes), "MB")));

    // Two idle ones to begin with, as between two calls.
    let two = [repository.take(20), repository.take(21)];
    for held in two {
        drop(finished(held));
    }
    let four = || {
        std::thread::scope(|scope| {
            let takers = [30, 31, 32, 33].map(|number| {
                let repository = &repository;
                scope.spawn(move || repository.take(number))
            });
            takers.map(|taker| taker.join().unwrap())
        })
    };
    let (_held, time) = timed(four);
    let plain_four: Duration = (1..=4).map(|number| repository.plain_add_kept(number)).sum();
    rows.push(Row::new(size.four, "", &Figure::of_times(&[time])).beside(
        "four plain `git worktree add` one after the other",
        &Figure::of_times(&[plain_four]),
    ));
    rows
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let outcome = work();
    (outcome, begun.elapsed())
}

fn finished(held: HeldTree) -> Removal {
    held.give_back()
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Does what a task does: changes some files and adds some.
fn edit(top: &Path) {
    for number in 0..EDITED {
        fs::write(top.join(path(number * 7)), "changed\n").unwrap();
        fs::write(top.join(format!("new{number}")), "new\n").unwrap();
    }
}

/// A generated repository with a vault.
struct Generated {
    folder: RepositoryFolder,
    vault: Vault,
    start: Oid,
    root: TempDir,
}

impl Generated {
    fn new(files: usize) -> Self {
        let root = tempfile::tempdir().unwrap();
        let user = root.path().join("user");
        git(root.path(), &["init", "-q", "-b", "main", "user"]);
        import(&user, files);
        git(&user, &["read-tree", "main"]);
        let variables: [(OsString, OsString); 2] = [
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("HOME".into(), root.path().into()),
        ];
        let found = Git::locate(Environment::new(variables)).unwrap();
        let found = found.discover(&user).unwrap();
        let Head::Born { oid: start, .. } = found.head().clone() else {
            panic!("there is a commit")
        };
        let store = Store::at(root.path().join("state"));
        let folder = RepositoryFolder::of(&store, found.common_directory());
        let vault = folder.open_vault(&found).unwrap();
        Self {
            folder,
            vault,
            start,
            root,
        }
    }

    fn take(&self, number: usize) -> HeldTree {
        let job = JobId::new(number as u64, WorkspaceHash::of(b"w"), 1);
        HeldTree::take(&self.folder, &self.vault, &job, &self.start, None).unwrap()
    }

    /// Removes all worktrees of ours.
    fn clear(&self) {
        for view in trees::list(&self.folder).unwrap() {
            assert!(trees::remove(&self.folder, &self.vault, &view.folder).unwrap());
        }
    }

    fn user(&self) -> PathBuf {
        self.root.path().join("user")
    }

    fn plain_add_kept(&self, number: usize) -> Duration {
        let name = format!("../plain{number}");
        timed(|| {
            git(
                &self.user(),
                &["worktree", "add", "-q", "--detach", &name, "main"],
            );
        })
        .1
    }

    fn plain_add(&self, number: usize) -> Duration {
        let time = self.plain_add_kept(number);
        let name = format!("../plain{number}");
        git(&self.user(), &["worktree", "remove", "--force", &name]);
        time
    }
}

/// Runs git as its user would; stops loudly when it fails.
fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(directory);
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

fn path(number: usize) -> String {
    format!("part{}/module{}/file{number}.rs", number % 50, number / 50 % 40)
}

/// Fills the branch `main` with one commit of so many files of one to three kilobytes, in one stream.
fn import(user: &Path, files: usize) {
    let mut command = Command::new("git");
    command.args(["fast-import", "--quiet"]).current_dir(user);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stream = std::io::BufWriter::new(child.stdin.take().unwrap());
    let head = "commit refs/heads/main\ncommitter t <t@example.invalid> 1700000000 +0000\ndata 4\none\n\n";
    stream.write_all(head.as_bytes()).unwrap();
    for number in 0..files {
        let lines = (0..20 + number % 60).map(|line| {
            let value = number.wrapping_mul(2_654_435_761).wrapping_add(line * 40_503) % 1_000_000;
            format!("let value_{line} = compute({number}, {value});\n")
        });
        let text: String = lines.collect();
        let (path, bytes) = (path(number), text.len());
        writeln!(stream, "M 100644 inline {path}\ndata {bytes}\n{text}").unwrap();
    }
    stream.flush().unwrap();
    drop(stream);
    assert!(child.wait().unwrap().success());
}
