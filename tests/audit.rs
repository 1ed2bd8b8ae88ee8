//! The auditor of the fault harness finds each rule broken that was broken on purpose, and only that one.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails is a failed test"
)]

#[path = "../torture/audit.rs"]
mod audit;
#[path = "audit/clouds.rs"]
mod clouds;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use audit::{Memory, Moment, Report, Rule, audit};
use crosscheck::domain::fingerprint::sha256_hex;
use crosscheck::domain::job::JobId;
use crosscheck::state::store::Store;
use crosscheck::sys::lock::HeldLock;

/// Jobs of the golden directory, by the last letter of their ids.
const SUCCEEDED: usize = 0;
const FAILED: usize = 2;
const LOST: usize = 5;

/// How the jobs of a world ended, in their order.
const ENDS: [&str; 6] = [
    "succeeded",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "failed",
];

/// A clean store and the ledger that fits it.
struct World {
    dir: tempfile::TempDir,
    store: Store,
    ids: Vec<JobId>,
    memory: Memory,
    now: SystemTime,
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().canonicalize().unwrap().join("state");
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1"),
            &state,
        );
        let store = Store::at(&state);
        let mut ids = store.ids(None).unwrap();
        ids.sort_by_key(|id| id.as_str().chars().last());
        let now = SystemTime::now();
        let mut world = Self {
            dir,
            store,
            ids,
            memory: Memory::default(),
            now,
        };
        for folder in ["acknowledged", "paid", "forgotten"] {
            fs::create_dir_all(world.ledger(folder)).unwrap();
        }
        fs::write(
            world.path(LOST, "result.json"),
            fs::read(world.path(FAILED, "result.json")).unwrap(),
        )
        .unwrap();
        for at in 0..world.ids.len() {
            world.pay(at, &format!("key k{at}\n{}", world.said(at)));
            world.note(
                &format!("acknowledged/{}", world.ids[at]),
                &format!("key k{at}\n"),
            );
        }
        world.list(&ENDS, 0);
        // What it begins with is clean.
        assert_eq!(world.rules(), []);
        world
    }

    fn path(&self, at: usize, name: &str) -> PathBuf {
        self.store.directory(&self.ids[at]).path().join(name)
    }

    fn ledger(&self, name: &str) -> PathBuf {
        self.dir.path().join("ledger").join(name)
    }

    fn note(&self, name: &str, text: &str) {
        fs::write(self.ledger(name), text).unwrap();
    }

    fn pay(&self, at: usize, lines: &str) {
        let number = fs::read_dir(self.ledger("paid")).unwrap().count();
        let job = self.path(at, "").display().to_string();
        self.note(
            &format!("paid/{number}"),
            &format!("job {}\nprompt 00\n{lines}", job.trim_end_matches('/')),
        );
    }

    /// The line that a peer writes of what it is about to say.
    fn said(&self, at: usize) -> String {
        let result = self
            .store
            .directory(&self.ids[at])
            .read_result()
            .unwrap()
            .unwrap();
        result.raw.map_or_else(String::new, |text| {
            format!("answer {}\n", sha256_hex(text.as_bytes()))
        })
    }

    /// Writes what a list of the program told; an empty state is not told.
    fn list(&self, states: &[&str], unread: usize) {
        let told = self.ids.iter().zip(states).filter(|(_, state)| !state.is_empty());
        let mut rows: Vec<String> = told.map(|(id, state)| format!("{id} {state}")).collect();
        rows.push(format!("unread {unread}\n"));
        self.note("listed", &rows.join("\n"));
        self.listed_at(self.now);
    }

    fn listed_at(&self, at: SystemTime) {
        File::options()
            .append(true)
            .open(self.ledger("listed"))
            .unwrap()
            .set_modified(at)
            .unwrap();
    }

    fn report(&mut self, moment: Moment) -> Report {
        audit(
            self.store.root(),
            &self.dir.path().join("ledger"),
            &mut self.memory,
            moment,
        )
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// The broken rules while jobs may run.
    fn rules(&mut self) -> Vec<Rule> {
        rules(&self.report(Moment::Meanwhile(self.now)))
    }

    /// The broken rules when all is over.
    fn rules_at_the_end(&mut self) -> Vec<Rule> {
        rules(&self.report(Moment::AtTheEnd(self.now)))
    }

    fn unfinish(&mut self, at: usize) {
        fs::remove_file(self.path(at, "result.json")).unwrap();
        self.memory = Memory::default();
    }
}

fn rules(report: &Report) -> Vec<Rule> {
    let mut rules: Vec<Rule> = report.violations.iter().map(|violation| violation.rule).collect();
    rules.dedup();
    rules
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn sleep() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600");
    command
}

fn sleep_for_job(tmp: &Path) -> Command {
    let mut command = sleep();
    command.env("TMPDIR", tmp);
    command
}

/// Starts a process that waits, with one file as its input. The command goes with the call: it holds the file open too.
fn wait_with(input: Stdio, mut command: Command) -> Running {
    let child = command
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}

#[test]
fn a_clean_store_passes_and_was_really_looked_at() {
    let mut world = World::new();
    let now = world.now;
    let report = world.report(Moment::AtTheEnd(now));
    assert_eq!(report.violations, []);
    let counts = report.counts;
    assert_eq!((counts.jobs, counts.intact, counts.ended), (6, 6, 6));
    assert_eq!(
        (counts.acknowledged, counts.paid, counts.answers, counts.processes),
        (6, 6, 2, 0)
    );
}

#[test]
fn an_acknowledged_submit_that_is_gone() {
    let mut world = World::new();
    world.note("acknowledged/01m7ywkb7b-kpphwk-000000000z", "");
    let report = world.report(Moment::Meanwhile(world.now));
    assert_eq!(rules(&report), [Rule::Acknowledged]);
    assert!(
        report.violations[0]
            .to_string()
            .starts_with("rule 1 (Acknowledged): 01m7ywkb7b")
    );
    world.note("forgotten/01m7ywkb7b-kpphwk-000000000z", "");
    assert_eq!(world.rules(), [], "it was forgotten on purpose");
}

#[test]
fn an_acknowledged_submit_that_cannot_be_read() {
    let mut world = World::new();
    fs::write(world.path(FAILED, "spec.json"), "{").unwrap();
    // The program says so and counts it, so nothing but the promise is broken.
    world.list(
        &["succeeded", "succeeded", "", "timed_out", "cancelled", "failed"],
        1,
    );
    assert_eq!(world.rules(), [Rule::Acknowledged]);
}

#[test]
fn a_result_that_changes() {
    let mut world = World::new();
    let path = world.path(FAILED, "result.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"failed\"", "\"cancelled\"")).unwrap();
    assert_eq!(world.rules(), [Rule::OneEnd]);
}

#[test]
fn a_result_that_vanishes() {
    let mut world = World::new();
    fs::remove_file(world.path(FAILED, "result.json")).unwrap();
    assert_eq!(world.rules(), [Rule::OneEnd]);
}

#[test]
fn a_result_that_is_no_end() {
    let mut world = World::new();
    let path = world.path(FAILED, "result.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"failed\"", "\"running\"")).unwrap();
    world.memory = Memory::default();
    world.list(
        &["succeeded", "succeeded", "", "timed_out", "cancelled", "failed"],
        1,
    );
    assert_eq!(world.rules(), [Rule::OneEnd]);
}

#[test]
fn a_job_without_an_end_at_the_end() {
    let mut world = World::new();
    world.unfinish(LOST);
    world.list(
        &[
            "succeeded",
            "succeeded",
            "failed",
            "timed_out",
            "cancelled",
            "lost",
        ],
        0,
    );
    assert_eq!(world.rules_at_the_end(), [Rule::OneEnd]);
}

#[test]
fn an_answer_that_is_not_what_the_peer_said() {
    let mut world = World::new();
    let path = world.path(SUCCEEDED, "result.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Use one lock.", "Use two locks.")).unwrap();
    world.memory = Memory::default();
    assert_eq!(world.rules(), [Rule::Answer]);
}

#[test]
fn a_shortened_answer_that_is_not_what_the_peer_said() {
    let mut world = World::new();
    let path = world.path(SUCCEEDED, "result.json");
    let mut result: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    result.as_object_mut().unwrap().remove("raw");
    result["warnings"] = serde_json::json!([crosscheck::run::keep::LEFT_OUT]);
    fs::write(&path, result.to_string()).unwrap();
    world.memory = Memory::default();
    assert_eq!(world.rules(), [Rule::Answer], "it holds nothing of its prompt");
    // The one that a peer was started with is in the answer; that of another start is not.
    result["answer"]["answer"] = "answer 00".into();
    fs::write(&path, result.to_string()).unwrap();
    world.memory = Memory::default();
    assert_eq!(world.rules(), []);
}

#[test]
fn an_answer_that_is_not_what_the_client_was_promised() {
    let mut world = World::new();
    world.note(
        &format!("acknowledged/{}", world.ids[SUCCEEDED]),
        "key k0\nanswer 00\n",
    );
    assert_eq!(world.rules(), [Rule::Answer]);
}

#[test]
fn an_answer_from_nobody() {
    let mut world = World::new();
    fs::remove_file(world.ledger("paid/0")).unwrap();
    assert_eq!(world.rules(), [Rule::Answer]);
}

#[test]
fn a_job_that_is_shown_as_running_and_whose_lock_is_free() {
    let mut world = World::new();
    world.unfinish(LOST);
    world.list(
        &[
            "succeeded",
            "succeeded",
            "failed",
            "timed_out",
            "cancelled",
            "running",
        ],
        0,
    );
    world.listed_at(world.now - Duration::from_secs(1));
    assert_eq!(world.rules(), [], "the look was before the holder was gone");
    world.later(1);
    world.listed_at(world.now);
    assert_eq!(world.rules(), [Rule::Alive]);
}

#[test]
fn a_lost_job_that_a_look_does_not_clear_up() {
    let mut world = World::new();
    world.unfinish(LOST);
    world.list(
        &[
            "succeeded",
            "succeeded",
            "failed",
            "timed_out",
            "cancelled",
            "lost",
        ],
        0,
    );
    assert_eq!(world.rules(), []);
    world.later(3);
    assert_eq!(world.rules(), [Rule::Alive]);
}

#[test]
fn a_lock_that_a_stranger_holds() {
    let mut world = World::new();
    world.unfinish(LOST);
    let lock = HeldLock::try_take(&world.path(LOST, "worker.lock"))
        .unwrap()
        .unwrap();
    let stranger = wait_with(lock.into_file().into(), sleep());
    world.list(
        &[
            "succeeded",
            "succeeded",
            "failed",
            "timed_out",
            "cancelled",
            "running",
        ],
        0,
    );
    assert_eq!(world.rules(), [Rule::Alive]);
    drop(stranger);
}

#[test]
fn a_process_of_a_job_that_nobody_holds() {
    let mut world = World::new();
    let tmp = world.path(FAILED, "tmp");
    let left = wait_with(Stdio::null(), sleep_for_job(&tmp));
    let report = world.report(Moment::Meanwhile(world.now));
    assert_eq!(rules(&report), [Rule::Processes]);
    assert_eq!(report.counts.processes, 1);
    drop(left);
    assert_eq!(world.rules(), []);
}

#[test]
fn a_worker_that_goes_on_after_its_result() {
    let mut world = World::new();
    let directory = world.path(FAILED, "").canonicalize().unwrap();
    let lock = HeldLock::try_take(&directory.join("worker.lock"))
        .unwrap()
        .unwrap();
    // A worker is known by its arguments; this one follows two files for ever.
    fs::write(world.dir.path().join("worker"), "").unwrap();
    let mut command = Command::new("tail");
    command
        .arg("worker")
        .arg(&directory)
        .arg("-f")
        .current_dir(world.dir.path());
    let worker = wait_with(lock.into_file().into(), command);
    assert_eq!(world.rules(), [], "it sweeps up");
    world.later(3);
    assert_eq!(world.rules(), [Rule::Processes]);
    drop(worker);
}

#[test]
fn a_process_of_a_job_that_does_not_exist() {
    let mut world = World::new();
    let tmp = world.store.root().join("jobs/01m7ywkb7b-kpphwk-000000000z/tmp");
    let left = wait_with(Stdio::null(), sleep_for_job(&tmp));
    assert_eq!(world.rules(), [Rule::Processes]);
    drop(left);
}

#[test]
fn a_key_that_paid_twice() {
    let mut world = World::new();
    // As the acknowledgement says, and as the peer says of a job that nobody acknowledged.
    world.note(&format!("acknowledged/{}", world.ids[3]), "key same\n");
    fs::write(
        world.ledger("paid/3"),
        fs::read_to_string(world.ledger("paid/3"))
            .unwrap()
            .replace("key k3\n", ""),
    )
    .unwrap();
    assert_eq!(world.rules(), []);
    fs::write(
        world.ledger("paid/4"),
        fs::read_to_string(world.ledger("paid/4"))
            .unwrap()
            .replace("k4", "same"),
    )
    .unwrap();
    assert_eq!(world.rules(), [Rule::PaidOnce]);
}

#[test]
fn a_job_that_paid_for_more_starts_than_it_may() {
    let mut world = World::new();
    world.pay(FAILED, "");
    assert_eq!(world.rules(), [Rule::PaidOnce]);
    world.note("attempts", "2\n");
    assert_eq!(world.rules(), []);
}

#[test]
fn a_whole_record_that_is_not_listed() {
    let mut world = World::new();
    world.list(
        &["succeeded", "succeeded", "", "timed_out", "cancelled", "failed"],
        0,
    );
    assert_eq!(world.rules(), [Rule::HidesNone]);
}

#[test]
fn a_damaged_record_that_is_not_counted() {
    let mut world = World::new();
    let id = "01m7ywkb7b-kpphwk-000000000z";
    fs::create_dir(world.store.root().join("jobs").join(id)).unwrap();
    assert_eq!(world.rules(), [Rule::HidesNone]);
    world.list(
        &[
            "succeeded",
            "succeeded",
            "failed",
            "timed_out",
            "cancelled",
            "failed",
        ],
        1,
    );
    assert_eq!(world.rules(), []);
}

#[test]
fn anything_that_is_left_over_at_the_end() {
    for name in [
        "jobs/.new-01m7ywkb7b-kpphwk-000000000z",
        "jobs/JOB/.writing-abc",
        "jobs/JOB/reserve",
        "jobs/JOB/tmp",
        "scratch/git-1",
    ] {
        let mut world = World::new();
        let name = name.replace("JOB", world.ids[FAILED].as_str());
        fs::create_dir_all(world.store.root().join(&name)).unwrap();
        assert_eq!(world.rules(), [], "{name} may be there meanwhile");
        assert_eq!(world.rules_at_the_end(), [Rule::Leftovers], "{name}");
    }
}

#[test]
fn a_lock_that_is_left_at_the_end() {
    let mut world = World::new();
    let slot = world.store.folder("slots").unwrap().join("0");
    let lock = HeldLock::try_take(&slot).unwrap().unwrap();
    let left = wait_with(lock.into_file().into(), sleep());
    assert_eq!(world.rules(), []);
    assert_eq!(world.rules_at_the_end(), [Rule::Leftovers]);
    drop(left);
}

/// Runs git for a test, where nobody's settings take part.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn anything_of_the_users_that_changed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 9] = [
        ("the bytes of a file", |user| {
            fs::write(user.join("a"), "2").unwrap();
        }),
        ("a mode", |user| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(user.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("where a link leads", |user| {
            fs::remove_file(user.join("link")).unwrap();
            std::os::unix::fs::symlink("elsewhere", user.join("link")).unwrap();
        }),
        ("a new folder", |user| fs::create_dir(user.join("new")).unwrap()),
        ("the index", |user| drop(git(user, &["add", "b"]))),
        ("a ref", |user| drop(git(user, &["branch", "other"]))),
        ("the stash", |user| {
            let commit = git(user, &["rev-parse", "HEAD"]);
            git(user, &["update-ref", "refs/stash", &commit]);
        }),
        ("the configuration", |user| {
            drop(git(user, &["config", "a.b", "c"]));
        }),
        ("the objects", |user| drop(git(user, &["hash-object", "-w", "b"]))),
    ];
    for (what, change) in changes {
        let mut world = World::new();
        let user = world.dir.path().join("user");
        fs::create_dir(&user).unwrap();
        git(&user, &["init", "-q"]);
        fs::write(user.join("a"), "1").unwrap();
        std::os::unix::fs::symlink("a", user.join("link")).unwrap();
        git(&user, &["add", "."]);
        git(&user, &["commit", "-qm", "first"]);
        fs::write(user.join("b"), "untracked").unwrap();
        fs::create_dir(world.ledger("untouched")).unwrap();
        let hash = audit::files::everything(&user);
        world.note(
            "untouched/user",
            &format!("path {}\nsha256 {hash}\n", user.display()),
        );
        let report = world.report(Moment::Meanwhile(world.now));
        assert_eq!(
            (rules(&report), report.counts.untouched),
            (Vec::new(), 1),
            "{what}"
        );
        change(&user);
        assert_eq!(world.rules(), [Rule::Untouched], "{what}");
    }
}

/// Makes a job of the store a delegate that was lost, whose peer left a file and a link, and returns the vault.
fn delegate(world: &mut World) -> PathBuf {
    let peer = world.dir.path().join("peer");
    fs::create_dir(&peer).unwrap();
    git(&peer, &["init", "-q"]);
    fs::write(peer.join("left"), "by the peer\n").unwrap();
    std::os::unix::fs::symlink("left", peer.join("link")).unwrap();
    git(&peer, &["add", "."]);
    git(&peer, &["commit", "-qm", "result"]);
    let commit = git(&peer, &["rev-parse", "HEAD"]);
    let vault = world.store.root().join("repos/0/git");
    fs::create_dir_all(vault.parent().unwrap()).unwrap();
    let target = vault.display().to_string();
    git(&peer, &["clone", "-q", "--bare", ".", &target]);
    let id = world.ids[LOST].clone();
    for name in ["base", "result"] {
        git(
            &vault,
            &["update-ref", &format!("refs/jobs/{id}/{name}"), &commit],
        );
    }
    edit(&world.path(LOST, "spec.json"), |spec| {
        spec["expects"] = serde_json::json!({"expects": "delegate", "delegation": {
            "baseline": {"top_level": "/w", "common_directory": "/w/.git", "prefix": "", "commit": commit, "tree": commit,
                "uncommitted": 0, "files": 1, "left_out": []},
            "place": "worktree", "allowed_paths": [], "checks": [], "reuse": [], "allow_commands": [], "network": false}});
    });
    edit(&world.path(LOST, "result.json"), |result| {
        result["work"] = serde_json::json!({"commit": commit, "tree": commit, "diff_bytes": 0, "diff_sha256": "", "changed": [],
            "diffstat": {"files": 2, "added": 1, "removed": 0, "binary": 0}, "checks": [],
            "scope": {"outside": []}, "left_out": []});
    });
    world.memory = Memory::default();
    fs::create_dir(world.ledger("left")).unwrap();
    world.note(
        &format!("left/{id}"),
        &format!("sha256 {}\n", audit::files::content(&peer)),
    );
    let report = world.report(Moment::Meanwhile(world.now));
    assert_eq!((rules(&report), report.counts.results), (Vec::new(), 1));
    vault
}

fn edit(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn a_result_that_is_not_what_the_peer_left() {
    let mut world = World::new();
    delegate(&mut world);
    let peer = world.dir.path().join("peer");
    let note = format!("left/{}", world.ids[LOST]);
    // Git's own files and the rights of others are no part of it; a byte and the right to execute are.
    fs::write(peer.join(".git/more"), "").unwrap();
    world.note(
        &note,
        &format!("sha256 {}\n", audit::files::content_without(&peer, &[])),
    );
    assert_eq!(world.rules(), []);
    fs::write(peer.join("left"), "by the peer, and more\n").unwrap();
    world.note(&note, &format!("sha256 {}\n", audit::files::content(&peer)));
    assert_eq!(world.rules(), [Rule::Result]);
}

#[test]
fn a_result_without_what_the_peer_left() {
    let mut world = World::new();
    delegate(&mut world);
    edit(&world.path(LOST, "result.json"), |result| {
        result.as_object_mut().unwrap().remove("work");
    });
    world.memory = Memory::default();
    assert_eq!(world.rules(), [Rule::Result]);
}

#[test]
fn a_ref_of_a_job_that_is_gone_before_its_record() {
    for name in ["base", "result"] {
        let mut world = World::new();
        let vault = delegate(&mut world);
        let id = world.ids[LOST].clone();
        git(&vault, &["update-ref", "-d", &format!("refs/jobs/{id}/{name}")]);
        assert_eq!(world.rules(), [Rule::Result], "{name}");
    }
}

#[test]
fn worktrees_that_are_left_at_the_end() {
    let check = |paths: &[&str], expected: &[Rule]| {
        let mut world = World::new();
        for path in paths {
            let path = world.store.root().join("repos/0/trees").join(path);
            fs::create_dir_all(path).unwrap();
        }
        assert_eq!(world.rules(), [], "{paths:?} may be there meanwhile");
        assert_eq!(world.rules_at_the_end(), expected, "{paths:?}");
    };
    check(&["1", "2/tree", "2/ready", "2/idle"], &[]);
    check(&[".gone-1-2"], &[Rule::Leftovers]);
    check(&["1/tree"], &[Rule::Leftovers]);
    check(&["1/tree", "1/ready"], &[Rule::Leftovers]);
    let kept = |number: usize| ["tree", "ready", "idle"].map(|name| format!("{number}/{name}"));
    let many: Vec<String> = (1..=3).flat_map(kept).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(&many, &[Rule::Leftovers]);
}
