//! Everything is killed at a bad moment: Claude Code, our server, the workers and codex. The next session finds every
//! job finished or lost with what it had, and nothing that still runs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crosscheck::model::{Message, Reply, Script, Shell, Step, Turn, Usage};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::session::{Session, full_name, results_of};
use crate::support::messages::{self, Answer, FakeMessages};
use crate::support::model::{FakeModel, PATIENCE, wait_until};
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

/// The focus of the review that is answered before everything is killed.
const QUICK: &str = "the quick one";

/// A model that says something, has a command run, and then thinks for ever; until it is healed.
#[derive(Clone, Default)]
struct Stuck {
    healed: Arc<AtomicBool>,
}

impl Script for Stuck {
    fn reply(&self, turn: &Turn) -> Reply {
        if self.healed.load(Ordering::SeqCst) || turn.last_user_text().contains(QUICK) {
            return Scripted::well().reply(turn);
        }
        if turn.step() > 0 {
            return Reply::Silence;
        }
        Reply::stream([
            Step::Message(Message::commentary("The loop in orders.py looks wrong.")),
            Step::Shell(Shell::new("echo looked".to_owned())),
            Step::Completed(Usage::default()),
        ])
    }
}

/// A gate that the model of Claude Code waits at, so that the session is in the middle of its turn when it is killed.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (open, changed) = &*self.0;
        let guard = open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_timeout_while(guard, PATIENCE, |open| !*open));
    }

    fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

/// Returns every live process with this home folder: all of the world's, and nobody else's.
fn processes_of(home: &Path) -> Vec<u32> {
    let mut wanted = OsString::from("HOME=");
    wanted.push(home);
    let wanted = wanted.into_vec();
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|pair| pair == wanted)
        })
        .collect()
}

fn kill_everything(home: &Path) {
    wait_until("nobody to be left", || {
        let left = processes_of(home);
        for pid in &left {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
        left.is_empty()
    });
}

fn jobs_of(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.state().join("jobs")).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

#[test]
fn after_the_death_of_everybody_each_job_is_finished_or_lost_and_resumable() {
    let model = Stuck::default();
    let api = FakeModel::start(model.clone());
    let world = World::new(&api.base_url(), &peers::claude_newest(), Way::PluginDir);

    // Three reviews of one look in the background, and Claude Code in the middle of its turn.
    let gate = Gate::default();
    let tool = full_name("review");
    let focuses = ["the loops", "the names", QUICK];
    let script = {
        let (gate, tool) = (gate.clone(), tool.clone());
        move |request: &Value| {
            let done = results_of(request, &tool).len();
            if let Some(focus) = focuses.get(done) {
                let input = json!({"focus": focus, "depth": "quick", "background": true});
                return Answer::Blocks(vec![messages::tool_use(&tool, &input)]);
            }
            gate.wait();
            Answer::text("Told.")
        }
    };
    let messages_api = FakeMessages::start(script);
    let url = messages_api.url();
    thread::scope(|scope| {
        let session = scope.spawn(|| world.session(&url, "/codex:review three times, in the background"));
        // The stuck ones have had their command run and ask again; the quick one has its result.
        wait_until("two stuck reviews and a finished one", || {
            let jobs = jobs_of(&world);
            let finished = jobs.iter().filter(|job| job.join("result.json").exists());
            jobs.len() == 3 && finished.count() == 1 && api.turns().len() >= 5
        });
        kill_everything(&world.home_folder());
        gate.open();
        assert!(!session.join().unwrap().status.success(), "it was killed");
    });

    // The next session is told the truth about all three.
    let listed = Session::run(&world, "/codex:jobs and what they cost", "job", &json!({})).shown();
    let jobs = listed["jobs"].as_array().unwrap_or_else(|| panic!("{listed:#}"));
    let mut states: Vec<&str> = jobs.iter().filter_map(|job| job["state"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["lost", "lost", "succeeded"], "{listed:#}");
    let of_state = |state: &str| jobs.iter().find(|job| job["state"] == state).unwrap()["id"].clone();

    let finished = json!({"id": of_state("succeeded")});
    let finished = Session::run(&world, "/codex:jobs ID", "job", &finished).shown();
    assert_eq!(finished["review_status"], "completed", "{finished:#}");

    let lost = of_state("lost");
    let told = Session::run(&world, "/codex:jobs ID", "job", &json!({"id": lost})).shown_failure();
    assert_eq!(told["error"]["code"], "job_lost", "{told:#}");
    assert_eq!(told["error"]["repair"]["tool"], "review", "{told:#}");
    let input = told["error"]["repair"]["arguments"].clone();
    assert_eq!(input["resume"], lost, "{told:#}");
    let whole = json!({"id": lost, "detail": "full"});
    let whole = Session::run(&world, "/codex:jobs ID full", "job", &whole).shown();
    assert_eq!(
        whole["result"]["partial"], "The loop in orders.py looks wrong.",
        "{whole:#}"
    );

    // And the call that it was told continues the thread to its end.
    model.healed.store(true, Ordering::SeqCst);
    let resumed = Session::run(&world, "/codex:review resume ID", "review", &input).shown();
    assert_eq!(resumed["job"]["state"], "succeeded", "{resumed:#}");
    assert_eq!(resumed["meta"]["thread"], whole["meta"]["thread"], "{resumed:#}");

    wait_until("everything to be over", || {
        processes_of(&world.home_folder()).is_empty()
    });
}
