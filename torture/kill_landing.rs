//! Landings that are broken in the middle: at each step the server is killed or told to end, or an operation on the disk
//! fails. Then everything is started again, somebody looks, and the user's files are as they were or as they landed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Memory, Moment, audit, files};
use crate::kill_case::job_id;
use crate::ledger;
use crate::parts::{Asked, Length, Report};
use crate::processes::{Kind, living, signal_all};
use crate::server::Server;
use crate::world::{PATIENCE, World, let_go, wait_reached, wait_until};

/// Cases that run side by side.
const THREADS: usize = 2;
/// What git ignores in the workspace, and a result has not.
pub const IGNORED: [&str; 2] = ["ignored", "debug.log"];
/// A series of failures that has not ended here would never end.
const MOST: u64 = 400;
/// Places of the short run: every so manieth, up to here.
const SAMPLE_STEP: usize = 11;
const SAMPLE_MOST: u64 = 40;
/// Error numbers: EIO, ENOSPC, EROFS on Linux.
const ERRNOS: [i32; 3] = [5, 28, 30];
/// Operations that a landing does.
const OPERATIONS: [&str; 6] = ["open", "write", "sync", "rename", "mkdir", "lock"];

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// A landing.
    Land,
    /// An undo.
    Undo,
    /// The taking back of a landing that was killed.
    Recover,
}

/// Each step, and for the how manieth time it is passed; the first row of a point is in the short run.
const SPOTS: &[(&str, Act, u64)] = &[
    ("apply.decided", Act::Land, 1),
    ("landing.checked", Act::Land, 1),
    ("landing.journaled", Act::Land, 1),
    ("landing.staging", Act::Land, 4),
    ("landing.staged", Act::Land, 1),
    ("landing.swapped", Act::Land, 6),
    ("landing.folder_made", Act::Land, 2),
    ("landing.in_place", Act::Land, 1),
    ("landing.landed", Act::Land, 1),
    ("landing.sweeping", Act::Land, 3),
    ("landing.folder_removed", Act::Undo, 1),
    ("landing.undone", Act::Undo, 1),
    ("landing.putting_back", Act::Recover, 3),
    ("landing.swapped", Act::Undo, 6),
    // The same at other files.
    ("landing.staging", Act::Land, 1),
    ("landing.swapped", Act::Land, 1),
    ("landing.swapped", Act::Land, 2),
    ("landing.swapped", Act::Land, 3),
    ("landing.swapped", Act::Land, 4),
    ("landing.swapped", Act::Land, 8),
    ("landing.swapped", Act::Land, 10),
    ("landing.folder_made", Act::Land, 1),
    ("landing.sweeping", Act::Land, 1),
    ("landing.checked", Act::Undo, 1),
    ("landing.journaled", Act::Undo, 1),
    ("landing.staging", Act::Undo, 4),
    ("landing.staged", Act::Undo, 1),
    ("landing.swapped", Act::Undo, 1),
    ("landing.swapped", Act::Undo, 3),
    ("landing.swapped", Act::Undo, 9),
    ("landing.folder_removed", Act::Undo, 2),
    ("landing.in_place", Act::Undo, 1),
    ("landing.landed", Act::Undo, 1),
    ("landing.sweeping", Act::Undo, 2),
    ("landing.putting_back", Act::Recover, 1),
    ("landing.putting_back", Act::Recover, 9),
];

/// Spots of the short run.
const SHORT: usize = 14;

/// How somebody looks when everything is started again.
const LOOKS: [&str; 4] = ["preview", "undo", "land", "delegate"];

/// How it is broken.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Halt {
        point: &'static str,
        nth: u64,
        signal: Signal,
    },
    Fail {
        operation: &'static str,
        errno: i32,
        nth: u64,
        /// Until the disk heals, and not just once.
        stays: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Case {
    number: u64,
    act: Act,
    fault: Fault,
    look: &'static str,
}

/// Tells whether a point is one of a landing.
pub fn knows(point: &str) -> bool {
    SPOTS.iter().any(|(known, _, _)| *known == point)
}

/// Kills at every step.
pub fn run(asked: &Asked) -> Report {
    let mut cases = Vec::new();
    for (number, (point, act, nth)) in SPOTS.iter().enumerate() {
        for (at, signal) in [Signal::KILL, Signal::TERM].into_iter().enumerate() {
            for (way, look) in LOOKS.into_iter().enumerate() {
                let number = (number * 2 + at) * LOOKS.len() + way;
                let fault = Fault::Halt {
                    point,
                    nth: *nth,
                    signal,
                };
                cases.push(Case {
                    number: number as u64,
                    act: *act,
                    fault,
                    look,
                });
            }
        }
    }
    if asked.length == Length::Short && asked.case.is_none() {
        cases.truncate(SHORT * 2 * LOOKS.len());
        // Each step once with each signal; who looks goes round.
        cases.retain(|case| case.number % 4 == (case.number / 4) % 4);
    }
    cases.retain(|case| asked.wants(case.number));
    let mut report = new_report("points");
    let mut points: Vec<_> = SPOTS.iter().map(|(point, _, _)| *point).collect();
    points.sort_unstable();
    points.dedup();
    report.count("points", points.len() as u64);
    report.merge(side_by_side(&cases, one));
    report
}

/// Lets the n-th operation fail, for each n there is.
pub fn run_disk(asked: &Asked) -> Report {
    let mut cases = Vec::new();
    for act in [Act::Land, Act::Undo] {
        for operation in OPERATIONS {
            for errno in ERRNOS {
                for stays in [false, true] {
                    let number = cases.len();
                    cases.push(Case {
                        number: number as u64,
                        act,
                        fault: Fault::Fail {
                            operation,
                            errno,
                            nth: 1,
                            stays,
                        },
                        look: LOOKS[number % LOOKS.len()],
                    });
                }
            }
        }
    }
    let every = match asked.length {
        Length::Short => 7,
        Length::Long => 1,
    };
    if asked.case.is_none() {
        cases.retain(|case| case.number % every == 0);
    }
    cases.retain(|case| asked.wants(case.number));
    let mut report = new_report("series");
    report.count("series", cases.len() as u64);
    let series = if asked.length == Length::Short && asked.case.is_none() {
        sample
    } else {
        series
    };
    report.merge(side_by_side(&cases, series));
    report
}

fn new_report(first: &'static str) -> Report {
    let mut report = Report::default();
    for name in [
        first,
        "cases",
        "as before",
        "as landed",
        "undone afterwards",
        "landed afterwards",
    ] {
        report.count(name, 0);
    }
    report
}

/// One case.
fn one(play: &mut Play, case: Case) {
    play.run(case);
}

/// All places at which an operation can fail.
fn series(play: &mut Play, case: Case) {
    places(play, case, 1, MOST);
}

/// Some of them.
fn sample(play: &mut Play, case: Case) {
    places(play, case, SAMPLE_STEP, SAMPLE_MOST);
}

fn places(play: &mut Play, case: Case, step: usize, most: u64) {
    for place in (1..=most).step_by(step) {
        let mut case = case;
        if let Fault::Fail { nth, .. } = &mut case.fault {
            *nth = place;
        }
        if !play.run(case) {
            return;
        }
        if place == MOST {
            play.violation(case, "the series does not end");
        }
    }
}

/// A world with a result that can land.
struct Play {
    world: World,
    report: Report,
    id: String,
    /// The hash of everything the user has, before and after it lands.
    before: String,
    landed: String,
    /// What a call said that was made with a failing disk: whether it landed.
    promised: Option<bool>,
}

impl Play {
    fn new() -> Self {
        let world = World::new();
        let mut play = Self {
            before: files::everything(&world.workspace()),
            world,
            report: Report::default(),
            id: String::new(),
            landed: String::new(),
            promised: None,
        };
        if let Err(wrong) = play.prepare() {
            play.report
                .violation(None, format!("there is nothing to land: {wrong}"));
        }
        play
    }

    /// Makes a result, lands it and takes it back without any fault.
    fn prepare(&mut self) -> Result<(), String> {
        let mut server = self.calm();
        let asked = json!({"task": "edit [[peer edit=1]]", "wait_s": 50});
        let answer = server
            .call("delegate", &asked)
            .ok_or("the delegate is not answered")?;
        self.id = job_id(&answer)
            .filter(|_| answer["ok"] == true)
            .ok_or_else(|| format!("the delegate did not succeed: {answer}"))?;
        self.land(&mut server)?;
        self.landed = self.now();
        let left = fs::read_to_string(self.world.ledger().join("left").join(&self.id)).unwrap_or_default();
        let content = files::content_without(&self.world.workspace(), &IGNORED);
        if !left.contains(&content) {
            return Err("what landed is not what the peer left".to_owned());
        }
        self.undo(&mut server)?;
        (self.now() == self.before)
            .then_some(())
            .ok_or_else(|| "an undo does not restore everything".to_owned())
    }

    fn calm(&self) -> Server {
        self.world.server(&self.world.no_plan())
    }

    fn now(&self) -> String {
        files::everything(&self.world.workspace())
    }

    fn violation(&mut self, case: Case, what: &str) {
        let signal = match case.fault {
            Fault::Halt { signal, .. } if signal == Signal::TERM => ", TERM",
            Fault::Halt { .. } => ", KILL",
            Fault::Fail { .. } => "",
        };
        let fault = match case.fault {
            Fault::Halt { point, nth, .. } => format!("{point} {nth}"),
            Fault::Fail { .. } => format!("{:?}", case.fault),
        };
        let (act, look) = (case.act, case.look);
        self.report.violation(
            Some(case.number),
            format!("{act:?}, {fault}{signal}, looked at by {look}: {what}"),
        );
    }

    /// Runs a case; tells whether its fault took effect. The world is as before afterwards.
    fn run(&mut self, case: Case) -> bool {
        if self.landed.is_empty() {
            return false;
        }
        self.report.count("cases", 1);
        let fired = match self.break_it(case) {
            Ok(fired) => fired,
            Err(wrong) => {
                self.violation(case, &wrong);
                false
            }
        };
        if let Err(wrong) = self.look(case) {
            self.violation(case, &wrong);
        }
        self.audit(case);
        signal_all(&living(&self.world.home()), Signal::KILL);
        fired
    }

    /// Lands or undoes with the fault.
    fn break_it(&mut self, case: Case) -> Result<bool, String> {
        self.promised = None;
        let mut calm = self.calm();
        if case.act == Act::Undo {
            self.land(&mut calm)?;
        }
        if case.act == Act::Recover {
            let halt = self.halt("first", "landing.in_place", 1);
            self.kill_at(&halt, "land", Signal::KILL)?;
        }
        match case.fault {
            Fault::Halt { point, nth, signal } => {
                let halt = self.halt("halt", point, nth);
                let action = if case.act == Act::Undo { "undo" } else { "land" };
                self.kill_at(&halt, action, signal)?;
                Ok(true)
            }
            Fault::Fail {
                operation,
                errno,
                nth,
                stays,
            } => {
                let asked = match case.act {
                    Act::Undo => json!({"id": self.id, "action": "undo"}),
                    _ => json!({"id": self.id, "action": "land", "token": self.token(&mut calm)?}),
                };
                let count = if stays { 1_000_000 } else { 1 };
                let line = format!("fail {operation} server {nth} {count} {errno}");
                let plan = self.world.plan("fault", &[line]);
                let mut server = self.world.server(&plan);
                let answer = server
                    .call("apply", &asked)
                    .ok_or("a failing disk is not answered")?;
                fs::write(plan.join("healed"), "").map_err(|error| error.to_string())?;
                let fired = fs::metadata(plan.join("fired")).is_ok_and(|about| about.len() > 0);
                // Temporary files may still be there; who looks next deletes them.
                self.promised = (answer["ok"] == true).then_some(case.act == Act::Land);
                if answer["ok"] != true && answer["error"]["code"].as_str().unwrap_or_default().is_empty() {
                    return Err(format!("a fault without a code: {answer}"));
                }
                Ok(fired)
            }
        }
    }

    fn halt(&self, name: &str, point: &str, nth: u64) -> PathBuf {
        self.world.plan(name, &[format!("pause {point} server {nth}")])
    }

    /// Has a server do it, and hits the server at the point.
    fn kill_at(&self, halt: &Path, action: &str, signal: Signal) -> Result<(), String> {
        let mut server = self.world.server(halt);
        let mut asked = json!({"id": self.id, "action": action});
        if action == "land" {
            // A preview would take back what was left half-way, and here a landing is to do it.
            asked["token"] = match self.token(&mut server) {
                Ok(token) => token.into(),
                Err(_) => "none".into(),
            };
        }
        server.begin("apply", &asked).ok_or("the server is gone")?;
        if wait_reached(halt).is_none() {
            return Err("the point was never reached".to_owned());
        }
        let victims: Vec<_> = living(&self.world.home())
            .into_iter()
            .filter(|process| process.identity.pid == server.pid())
            .collect();
        signal_all(&victims, signal);
        let_go(halt);
        server
            .ends_within(PATIENCE)
            .then_some(())
            .ok_or_else(|| "a server that was told to end runs on".to_owned())
    }

    /// Somebody looks: then the files are as before or as landed, it can be undone if it landed and only then, and it can
    /// land.
    fn look(&mut self, case: Case) -> Result<(), String> {
        let mut server = self.calm();
        match case.look {
            "undo" => drop(server.call("apply", &json!({"id": self.id, "action": "undo"}))),
            "land" => drop(server.call("apply", &json!({"id": self.id, "action": "land"}))),
            "delegate" => {
                drop(server.call("delegate", &json!({"task": "look", "wait_s": 50})));
                // Its worker sweeps up.
                wait_until(|| {
                    !living(&self.world.home())
                        .iter()
                        .any(|process| process.kind == Kind::Worker)
                });
            }
            _ => {
                let told = self.preview(&mut server)?;
                if told["ok"] != true {
                    self.restore_by_hand();
                    return Err(format!("the preview fails: {told}"));
                }
            }
        }
        let now = self.now();
        let is_landed = now == self.landed;
        if !is_landed && now != self.before {
            let found = self.restore_by_hand();
            return Err(format!("the files are neither as before nor as landed: {found}"));
        }
        let promised = self.promised.take().filter(|_| case.look != "undo");
        if promised.is_some_and(|promised| promised != is_landed) {
            return Err(format!("it was told as done, and landed: {is_landed}"));
        }
        self.report
            .count(if is_landed { "as landed" } else { "as before" }, 1);
        let undone = server
            .call("apply", &json!({"id": self.id, "action": "undo"}))
            .ok_or("an undo is not answered")?;
        if (undone["ok"] == true) != is_landed {
            return Err(format!("landed: {is_landed}, and the undo says {undone}"));
        }
        self.report.count("undone afterwards", u64::from(is_landed));
        if self.now() != self.before {
            return Err("an undo does not restore everything".to_owned());
        }
        self.land(&mut server)?;
        self.report.count("landed afterwards", 1);
        if self.now() != self.landed {
            return Err("another landing does not end as the first".to_owned());
        }
        self.undo(&mut server)
    }

    /// Tells which paths are wrong, and gives the next case of a series nothing to stumble over.
    fn restore_by_hand(&mut self) -> String {
        let mut names: Vec<String> = fs::read_dir(self.world.workspace())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        self.landed.clear();
        format!("{names:?}")
    }

    fn preview(&self, server: &mut Server) -> Result<Value, String> {
        let asked = json!({"tool": "apply", "arguments": {"id": self.id, "action": "preview"}});
        let told = server.call("dry_run", &asked);
        told.ok_or_else(|| "a preview is not answered".to_owned())
    }

    fn token(&self, server: &mut Server) -> Result<String, String> {
        let told = self.preview(server)?;
        let token = told["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| format!("a preview without a token: {told}"))
    }

    fn land(&self, server: &mut Server) -> Result<(), String> {
        let token = self.token(server)?;
        Self::apply(server, &json!({"id": self.id, "action": "land", "token": token}))
    }

    fn undo(&self, server: &mut Server) -> Result<(), String> {
        Self::apply(server, &json!({"id": self.id, "action": "undo"}))
    }

    fn apply(server: &mut Server, asked: &Value) -> Result<(), String> {
        let told = server.call("apply", asked).ok_or("apply is not answered")?;
        (told["ok"] == true)
            .then_some(())
            .ok_or_else(|| format!("{asked} fails: {told}"))
    }

    /// Has the disk judged: everything of the user's is as before.
    fn audit(&mut self, case: Case) {
        let mut server = self.calm();
        match server.call("job", &json!({"limit": 100})) {
            Some(list) => ledger::listed(&self.world, &list),
            None => self.violation(case, "the list does not come"),
        }
        drop(server);
        let moment = Moment::Meanwhile(SystemTime::now());
        let audited = audit(
            &self.world.state(),
            &self.world.ledger(),
            &mut Memory::default(),
            moment,
        );
        for wrong in audited.violations {
            self.violation(case, &wrong.to_string());
        }
    }
}

/// Runs cases in a few threads, each with a world of its own: a case leaves it as it found it.
fn side_by_side(cases: &[Case], run: fn(&mut Play, Case)) -> Report {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut play = None;
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ready = play.get_or_insert_with(Play::new);
                    run(ready, *case);
                    let report = std::mem::take(&mut ready.report);
                    if report.is_broken() {
                        play = None;
                    }
                    all.lock().expect("no case panics").merge(report);
                }
            });
        }
    });
    all.into_inner().expect("no case panics")
}
