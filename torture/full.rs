//! A really full, really small and a read-only file system under the state directory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use rustix::process::Signal;
use serde_json::Value;

use crate::audit::{Memory, Moment, audit};
use crate::disk_case::{Said, finish, held, job_of};
use crate::ledger;
use crate::parts::{Asked, Report};
use crate::processes::{Kind, living};
use crate::world::{World, wait_until};

/// Set for the run below `unshare`, so that it does not start another one.
const BELOW: &str = "TORTURE_BELOW_UNSHARE";
/// Room for what must be free before a job starts, and some for filling.
const SIZE: &str = "size=100m";
/// Bytes that are left so that a job is refused.
const TOO_FEW: u64 = 10 * 1024 * 1024;

/// A scene: its name, the options of its file system, and what happens.
type Row = (&'static str, &'static str, fn(&mut Scene));

/// Runs all scenes, each on a file system of its own.
pub fn run(asked: &Asked) -> Report {
    let mut report = Report::default();
    if Mounted::new(World::new(), SIZE).is_none() {
        return elsewhere(asked);
    }
    let scenes: [Row; 7] = [
        ("full before a submit", SIZE, full_before),
        ("full while the peer runs", SIZE, full_meanwhile),
        ("cancel on a full disk", SIZE, cancel_full),
        (
            "cancel without a free entry",
            "size=100m,nr_inodes=120",
            cancel_without_entries,
        ),
        ("full before a lost job is cleared up", SIZE, full_before_reap),
        (
            "no entry for a new job",
            "size=100m,nr_inodes=120",
            entries_before,
        ),
        ("read-only", SIZE, read_only),
    ];
    for (number, (name, options, scene)) in (0u64..).zip(scenes) {
        if !asked.wants(number) {
            continue;
        }
        let Some(mounted) = Mounted::new(World::new(), options) else {
            report.violation(Some(number), format!("{name}: cannot mount with {options}"));
            continue;
        };
        let mut one = Scene {
            world: &mounted.world,
            wrong: Vec::new(),
        };
        scene(&mut one);
        one.well_again();
        report.count("scenes", 1);
        for what in one.wrong {
            report.violation(Some(number), format!("{name}: {what}"));
        }
    }
    report
}

/// Tries again as root of a user namespace; says so loudly where even that is refused.
fn elsewhere(asked: &Asked) -> Report {
    let mut report = Report::default();
    let own = std::env::current_exe().expect("this program has a path");
    let may = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let probe = may(Command::new("unshare")
        .args(["-rm", "true"])
        .stderr(Stdio::null()));
    if probe && std::env::var_os(BELOW).is_none() {
        let seed = asked.seed.to_string();
        let mut again = Command::new("unshare");
        again
            .arg("-rm")
            .arg(own)
            .args(["--part", "full-disk", "--seed", &seed])
            .env(BELOW, "1");
        report.count("runs below unshare", 1);
        if !may(&mut again) {
            report.violation(None, "the run below unshare found violations");
        }
        return report;
    }
    println!("\nfull-disk: NOT RUN HERE: this user may mount nothing");
    report.count("scenes not run here", 7);
    report
}

/// A world whose state directory is a file system of its own, unmounted with it.
struct Mounted {
    world: World,
}

impl Mounted {
    fn new(world: World, options: &str) -> Option<Self> {
        fs::create_dir_all(world.state()).ok()?;
        let mounted = Self { world };
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], &mounted.world.state()).then_some(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.world.state())
            .stderr(Stdio::null())
            .status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(arguments).arg(place).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

struct Scene<'a> {
    world: &'a World,
    wrong: Vec<String>,
}

impl Scene<'_> {
    fn expect(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.wrong.push(what.into());
        }
    }

    fn say(&self, arguments: &[&str]) -> Said {
        let mut command = self.world.crosscheck(&self.world.path("plans/none"));
        command.args(arguments).arg("--json");
        if arguments[0] == "consult" {
            command.args(["--option", "isolation=ignore_config"]);
        }
        let said = finish(command, |_| ());
        if let (Some(id), "consult") = (job_of(&said), arguments[0]) {
            ledger::acknowledge(self.world, &id, None);
        }
        said
    }

    /// Runs a job to its end and returns its id.
    fn ended(&mut self) -> String {
        let said = self.say(&["consult", "before"]);
        self.expect(
            is_ok(&said),
            format!("a consult on an empty disk fails: {said:?}"),
        );
        job_of(&said).unwrap_or_default()
    }

    /// Starts a job and returns its directory once its peer works.
    fn running(&mut self, steps: u32) -> PathBuf {
        let prompt = format!("[[peer steps={steps} step_ms=10]] slow");
        let said = self.say(&["consult", &prompt, "--background"]);
        let job = self
            .world
            .state()
            .join("jobs")
            .join(job_of(&said).unwrap_or_default());
        let events = job.join("events.jsonl");
        let works = wait_until(|| fs::metadata(&events).is_ok_and(|about| about.len() > 500) || !held(&job));
        self.expect(works && held(&job), format!("the job does not run: {said:?}"));
        job
    }

    fn filler(&self) -> PathBuf {
        self.world.state().join("filler")
    }

    /// Fills the disk until only so many bytes are free.
    fn fill(&mut self, free: u64) {
        let mut file = fs::File::create(self.filler()).expect("there is an entry");
        let now = fs_free(&self.world.state());
        let all = now.saturating_sub(free);
        let chunk = vec![0; 64 * 1024];
        let mut written = 0;
        while written < all && file.write_all(&chunk).is_ok() {
            written += chunk.len() as u64;
        }
        while free == 0 && file.write_all(&[0; 512]).is_ok() {}
    }

    /// Takes all entries.
    fn fill_entries(&self) {
        let folder = self.world.state().join("fillers");
        let _ = fs::create_dir(&folder);
        let mut number = 0;
        while fs::File::create(folder.join(number.to_string())).is_ok() {
            number += 1;
        }
    }

    fn free(&self) {
        let _ = fs::remove_file(self.filler());
        let _ = fs::remove_dir_all(self.world.state().join("fillers"));
    }

    fn refused(&mut self, code: &str) {
        let before = (self.world.jobs().len(), self.paid());
        let said = self.say(&["consult", "refused"]);
        let told = said
            .envelope
            .as_ref()
            .map(|envelope| envelope["error"]["code"].clone());
        self.expect(
            told == Some(code.into()),
            format!("a submit is not told `{code}`: {said:?}"),
        );
        self.expect(
            before == (self.world.jobs().len(), self.paid()),
            "a refused submit started something",
        );
    }

    fn readable(&mut self, id: &str) {
        let said = self.say(&["job", id]);
        self.expect(
            is_ok(&said),
            format!("an existing result cannot be read: {said:?}"),
        );
        let list = self.say(&["jobs"]);
        let rows = list
            .envelope
            .as_ref()
            .and_then(|list| list["jobs"].as_array().cloned());
        let listed = rows.is_some_and(|rows| rows.iter().any(|row| row["id"] == id));
        self.expect(listed, format!("an existing result is not listed: {list:?}"));
    }

    fn paid(&self) -> usize {
        fs::read_dir(self.world.ledger().join("paid")).map_or(0, Iterator::count)
    }

    /// With room again everything goes on, and the auditor is content.
    fn well_again(&mut self) {
        self.free();
        let world = self.world;
        let quiet = wait_until(|| living(&world.home()).is_empty());
        self.expect(quiet, "something still runs");
        ledger::age_leftovers(world);
        let said = self.say(&["consult", "afterwards"]);
        self.expect(is_ok(&said), format!("a new consult fails: {said:?}"));
        wait_until(|| living(&world.home()).is_empty());
        let list = self.say(&["jobs"]);
        ledger::listed(world, &list.envelope.unwrap_or_default());
        let moment = Moment::AtTheEnd(SystemTime::now());
        let report = audit(&world.state(), &world.ledger(), &mut Memory::default(), moment);
        self.wrong
            .extend(report.violations.iter().map(ToString::to_string));
    }
}

fn full_before(scene: &mut Scene) {
    let id = scene.ended();
    scene.fill(TOO_FEW);
    scene.refused("disk_full");
    scene.readable(&id);
    scene.free();
    scene.fill(0);
    scene.refused("disk_full");
    scene.readable(&id);
}

fn full_meanwhile(scene: &mut Scene) {
    let id = scene.ended();
    let job = scene.running(100);
    scene.fill(0);
    scene.expect(held(&job), "the job had ended before the disk was full");
    scene.readable(&id);
    let kept = wait_until(|| job.join("result.json").exists());
    scene.expect(kept, "the result did not get its room");
    let id = job.file_name().unwrap_or_default().to_string_lossy().into_owned();
    scene.readable(&id);
}

fn cancel_full(scene: &mut Scene) {
    let job = scene.running(3000);
    scene.fill(0);
    cancel(scene, &job);
}

fn cancel_without_entries(scene: &mut Scene) {
    let job = scene.running(3000);
    scene.fill_entries();
    scene.expect(fs::File::create(job.join("x")).is_err(), "there is an entry left");
    cancel(scene, &job);
}

fn cancel(scene: &mut Scene, job: &Path) {
    let id = job.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said = scene.say(&["cancel", &id]);
    let ended = said
        .envelope
        .as_ref()
        .is_some_and(|envelope| envelope["ended"] == true);
    scene.expect(ended, format!("it was not cancelled: {said:?}"));
}

fn full_before_reap(scene: &mut Scene) {
    let job = scene.running(3000);
    for process in living(&scene.world.home()) {
        if process.kind == Kind::Worker {
            process.identity.signal(Signal::KILL);
        }
    }
    wait_until(|| !held(&job));
    scene.fill(0);
    let id = job.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said = scene.say(&["job", &id]);
    let code = said
        .envelope
        .as_ref()
        .map(|envelope| envelope["error"]["code"].clone());
    scene.expect(
        code == Some(Value::from("job_lost")),
        format!("it is not told as lost: {said:?}"),
    );
}

fn entries_before(scene: &mut Scene) {
    let id = scene.ended();
    scene.fill_entries();
    scene.refused("disk_full");
    scene.readable(&id);
}

fn read_only(scene: &mut Scene) {
    let id = scene.ended();
    // The worker outlives its answer by its last steps, and a process that ends holds its files for a moment after its memory.
    // The kernel keeps a file system writable for as long.
    let done = wait_until(|| mount(&["-o", "remount,ro"], &scene.world.state()));
    scene.expect(done, "it cannot be made read-only");
    scene.readable(&id);
    scene.refused("state_unavailable");
    let said = scene.say(&["status"]);
    let envelope = said.envelope.clone().unwrap_or_default();
    let named = envelope["next_steps"]
        .to_string()
        .contains("Read-only file system");
    scene.expect(
        envelope["ready"] == false && named,
        format!("status does not name it: {envelope}"),
    );
    let done = mount(&["-o", "remount,rw"], &scene.world.state());
    scene.expect(done, "it cannot be made writable again");
}

fn is_ok(said: &Said) -> bool {
    said.envelope
        .as_ref()
        .is_some_and(|envelope| envelope["ok"] == true)
}

fn fs_free(path: &Path) -> u64 {
    crosscheck::sys::files::available_bytes(path).unwrap_or(0)
}
