//! Clocks that jump, a machine that was started again, and process numbers that were given to somebody else.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crosscheck::sys::signal::ProcessIdentity;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::disk_case::{Said, clean, finish, held, job_of};
use crate::parts::{Asked, Length, Report};
use crate::processes::{Kind, living};
use crate::world::{World, wait_until};

const HOUR_MS: i64 = 60 * 60 * 1000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;
/// No run of this part takes longer.
const ABSURD_MS: u64 = 120_000;

/// Runs the jumps, then the impostors.
pub fn run(asked: &Asked) -> Report {
    let mut report = Report::default();
    let world = World::new();
    let places: &[u64] = match asked.length {
        Length::Short => &[1, 4],
        Length::Long => &[1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20],
    };
    let mut case = 0;
    for role in ["server", "worker"] {
        for skew_ms in [HOUR_MS, -HOUR_MS, YEAR_MS, -YEAR_MS] {
            for nth in places {
                if asked.wants(case) {
                    report.count("jumps of the clock", 1);
                    for what in jump(&world, &format!("clock {role} {nth} {skew_ms}")) {
                        report.violation(Some(case), format!("clock {role} {nth} {skew_ms}: {what}"));
                    }
                }
                case += 1;
            }
        }
    }
    for who in [
        Who::Itself,
        Who::OtherStart,
        Who::OtherBoot,
        Who::OtherContainer,
        Who::Rebooted,
    ] {
        if asked.wants(case) {
            report.count("process numbers given away", 1);
            for what in impostor(&world, who) {
                report.violation(Some(case), format!("{who:?}: {what}"));
            }
        }
        case += 1;
    }
    report
}

fn say(world: &World, plan: &[String], arguments: &[&str]) -> Said {
    let plan = world.plan("clock", plan);
    let mut command = world.crosscheck(&plan);
    command.args(arguments).arg("--json");
    if arguments[0] == "consult" {
        command.args(["--option", "isolation=ignore_config"]);
    }
    finish(command, |_| ())
}

fn envelope(said: &Said) -> Value {
    said.envelope.clone().unwrap_or_default()
}

/// Lets the clock jump during a consult and during a look at a running job.
fn jump(world: &World, line: &str) -> Vec<String> {
    clean(world);
    let mut wrong = Vec::new();
    let calm: [String; 0] = [];
    let skewed = [line.to_owned()];
    let unread = job_of(&say(world, &calm, &["consult", "unread"])).unwrap_or_default();
    let read = job_of(&say(world, &calm, &["consult", "read"])).unwrap_or_default();
    let jobs = world.state().join("jobs");
    let _ = fs::remove_file(jobs.join(&unread).join("fetched"));
    let said = envelope(&say(world, &skewed, &["consult", "during"]));
    if said["job"]["state"] != "succeeded" {
        wrong.push(format!("a consult during the jump is not answered: {said}"));
    }
    if said["job"]["elapsed_ms"]
        .as_u64()
        .is_none_or(|elapsed| elapsed > ABSURD_MS)
    {
        wrong.push(format!("an absurd time: {}", said["job"]["elapsed_ms"]));
    }
    let running = say(
        world,
        &skewed,
        &["consult", "[[peer steps=3000 step_ms=10]]", "--background"],
    );
    let running = job_of(&running).unwrap_or_default();
    wait_until(|| jobs.join(&running).join("started").exists() || !held(&jobs.join(&running)));
    let look = envelope(&say(world, &skewed, &["job", &running]));
    let elapsed = look["job"]["elapsed_ms"].as_u64().unwrap_or(u64::MAX);
    // The default deadline: a running job is shown as no older than it can be.
    if look["job"]["state"] != "running" || elapsed > 30 * 60 * 1000 {
        wrong.push(format!("a running job is shown as {}", look["job"]));
    }
    let ended = envelope(&say(world, &calm, &["cancel", &running]));
    if ended["ended"] != true {
        wrong.push(format!("it cannot be cancelled: {ended}"));
    }
    wait_until(|| living(&world.home()).is_empty());
    let last = envelope(&say(world, &calm, &["consult", "after"]));
    if last["job"]["state"] != "succeeded" {
        wrong.push(format!("a consult after the jump is not answered: {last}"));
    }
    wait_until(|| living(&world.home()).is_empty());
    let ids: Vec<String> = world
        .jobs()
        .iter()
        .filter_map(|job| Some(job.file_name()?.to_string_lossy().into_owned()))
        .collect();
    if ids.iter().collect::<BTreeSet<_>>().len() != 5 {
        wrong.push(format!("there are not five jobs: {ids:?}"));
    }
    for id in [&unread, &read] {
        if !ids.contains(id) {
            wrong.push(format!("{id} was deleted"));
        }
    }
    let rows = envelope(&say(world, &calm, &["jobs"]));
    let mut listed: Vec<&str> = rows["jobs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| row["id"].as_str())
        .collect();
    listed.reverse();
    if listed != ids {
        wrong.push(format!("the list is not in the order of ids: {listed:?}"));
    }
    wrong
}

/// Whom a note of a peer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The process that lives: it must be ended, or the other cases prove nothing.
    Itself,
    /// One that had its number before.
    OtherStart,
    /// One of an earlier boot.
    OtherBoot,
    /// One with its number in another container.
    OtherContainer,
    /// The process that lives, and the machine was started again since.
    Rebooted,
}

/// Lets a lost job name a decoy as its peer, and looks.
fn impostor(world: &World, who: Who) -> Vec<String> {
    clean(world);
    let mut wrong = Vec::new();
    let begun = say(
        world,
        &[],
        &["consult", "[[peer steps=3000 step_ms=10]]", "--background"],
    );
    let id = job_of(&begun).unwrap_or_default();
    let job = world.state().join("jobs").join(&id);
    let note = job.join("peers/1");
    wait_until(|| note.exists() || !held(&job));
    for kind in [Kind::Worker, Kind::Peer] {
        for process in living(&world.home())
            .iter()
            .filter(|process| process.kind == kind)
        {
            process.identity.signal(Signal::KILL);
        }
    }
    // A dying process shows no environment any more and still holds its lock for a moment.
    wait_until(|| living(&world.home()).is_empty() && !held(&job));
    let mut decoy = Decoy::start();
    let mut named = decoy.identity.clone();
    match who {
        Who::Itself | Who::Rebooted => {}
        Who::OtherStart => named.start += 1,
        Who::OtherBoot => "another".clone_into(&mut named.boot),
        Who::OtherContainer => named.namespace = Some(1),
    }
    write_note(&note, &named);
    let plan = if who == Who::Rebooted {
        vec!["boot another".to_owned()]
    } else {
        Vec::new()
    };
    let told = envelope(&say(world, &plan, &["job", &id]));
    if told["error"]["code"] != "job_lost" {
        wrong.push(format!("it is not told as lost: {told}"));
    }
    let lives = decoy.lives();
    if lives == (who == Who::Itself) {
        wrong.push(format!("the process with this number lives: {lives}"));
    }
    wrong
}

fn write_note(path: &PathBuf, named: &ProcessIdentity) {
    let text = json!(named).to_string();
    fs::write(path, text).expect("a note can be written");
}

/// A process that nobody but us may end.
struct Decoy {
    child: Child,
    identity: ProcessIdentity,
}

impl Decoy {
    fn start() -> Self {
        let child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
            .expect("sleep is there");
        let identity = ProcessIdentity::of(child.id()).expect("it lives, or is not reaped yet");
        Self { child, identity }
    }

    fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Decoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
