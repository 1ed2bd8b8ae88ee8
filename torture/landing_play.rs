//! A world with a result that lands, is broken while it does, and is looked at afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::{Memory, Moment, audit, files};
use crate::kill_case::job_id;
use crate::ledger;
use crate::parts::Report;
use crate::processes::{Kind, living, signal_all};
use crate::server::Server;
use crate::world::{PATIENCE, World, let_go, wait_reached, wait_until};

/// What git ignores in the workspace, and a result has not.
pub const IGNORED: [&str; 2] = ["ignored", "debug.log"];
/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A landing.
    Land,
    /// An undo.
    Undo,
    /// The taking back of a landing that was killed.
    Recover,
}

/// How it is broken.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
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

/// One landing or undo that is broken.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub number: u64,
    pub act: Act,
    pub fault: Fault,
    pub look: &'static str,
}

/// A world with a result that can land.
pub struct Play {
    world: World,
    pub report: Report,
    id: String,
    /// The hash of everything the user has, before and after it lands.
    before: String,
    landed: String,
    /// What a call said that was made with a failing disk: whether it landed.
    promised: Option<bool>,
}

impl Play {
    /// Makes a result that can land; says so when none can.
    pub fn new() -> Self {
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

    pub fn violation(&mut self, case: Case, what: &str) {
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
    pub fn run(&mut self, case: Case) -> bool {
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
