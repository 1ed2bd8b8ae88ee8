//! The outages of everyday life: the network goes, the allowance runs out, the program is replaced, folders vanish.
//! What was paid for is kept, what is told is true, and the next call works.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crosscheck::model::turn::Turn;
use crosscheck::model::{HttpReply, Message, Reply, Script, Shell, Step, Usage};
use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, World, is_alive, peers_of};

/// The way from codex to its model. It can be cut, so that nobody listens on its port, and mended on the same port.
struct Cable {
    address: SocketAddr,
    far: SocketAddr,
    carried: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Cable {
    fn to(model: &FakeModel) -> Self {
        let far = model.origin().trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut cable = Self {
            address: listener.local_addr().unwrap(),
            far,
            carried: None,
        };
        cable.carry(listener);
        cable
    }

    fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    fn carry(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let (cut, far) = (Arc::new(AtomicBool::new(false)), self.far);
        let over = Arc::clone(&cut);
        let thread = std::thread::spawn(move || {
            let mut open: Vec<TcpStream> = Vec::new();
            while !over.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((near, _)) => {
                        near.set_nonblocking(false).unwrap();
                        let far = TcpStream::connect(far).unwrap();
                        for (from, to) in [(&near, &far), (&far, &near)] {
                            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                            std::thread::spawn(move || {
                                let mut bytes = [0; 8192];
                                while let Ok(read @ 1..) = from.read(&mut bytes) {
                                    if to.write_all(&bytes[..read]).is_err() {
                                        break;
                                    }
                                }
                                let _ = to.shutdown(Shutdown::Both);
                            });
                        }
                        open.extend([near, far]);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            drop(listener);
            for stream in open {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        self.carried = Some((cut, thread));
    }

    fn cut(&mut self) {
        if let Some((cut, thread)) = self.carried.take() {
            cut.store(true, Ordering::SeqCst);
            thread.join().unwrap();
        }
    }

    fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.carry(listener);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.cut();
    }
}

/// A world whose codex reaches its model through a cable.
fn cabled(script: impl Script + 'static) -> (World, Cable) {
    let model = FakeModel::start(script);
    let cable = Cable::to(&model);
    let home = Home::new(&cable.base_url());
    (World::of(model, home), cable)
}

/// Says something, then nothing for an hour; from the second request on it answers.
fn says_and_pauses(turn: &Turn) -> Reply {
    if turn.ordinal > 1 {
        return Reply::text("All of it.");
    }
    Reply::stream([
        Step::Message(Message::commentary("Half of it.")),
        Step::Sleep(Duration::from_secs(3600)),
    ])
}

fn in_background() -> Value {
    json!({"prompt": "x", "background": true})
}

fn wait_for_event(job: &Path, text: &str) {
    wait_until(&format!("`{text}` in the job's events"), || {
        fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains(text))
    });
}

#[test]
fn a_run_whose_network_comes_back_goes_on_in_its_thread() {
    let (world, mut cable) = cabled(says_and_pauses);
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_for_event(&job, "Half of it.");
    cable.cut();
    wait_for_event(&job, "waiting for network");
    let waiting = server.ok("job", &json!({"id": handle["job"]["id"]}));
    assert!(
        waiting["job"]["phase"]
            .as_str()
            .unwrap()
            .contains("waiting for network"),
        "{waiting:#}"
    );
    cable.mend();
    let done = server.ok("job", &json!({"id": handle["job"]["id"], "wait_s": 60}));
    assert_eq!(done["answer"], "All of it.");
    assert!(
        done["warnings"].to_string().contains("connection broke"),
        "{}",
        done["warnings"]
    );
    let turns = world.model.turns();
    assert_eq!(turns.len(), 2);
    assert!(turns[1].body["input"].to_string().contains("connection broke"));
    assert_eq!(
        turns[0].body["prompt_cache_key"], turns[1].body["prompt_cache_key"],
        "one thread"
    );
    let log = fs::read_to_string(job.join("events.jsonl")).unwrap();
    let threads: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["event"] == "thread_started")
        .map(|event| event["thread"].clone())
        .collect();
    assert_eq!(threads.len(), 2);
    assert_eq!(threads[0], threads[1]);
    assert_eq!(done["meta"]["thread"], threads[0]);
}

#[test]
fn a_connection_that_breaks_twice_keeps_what_was_said_and_can_be_resumed() {
    let (world, mut cable) = cabled(|turn: &Turn| match turn.ordinal {
        1 => says_and_pauses(turn),
        2 => Reply::stream([Step::Start, Step::Sleep(Duration::from_secs(3600))]),
        _ => Reply::text("At last."),
    });
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_for_event(&job, "Half of it.");
    cable.cut();
    cable.mend();
    world.model.wait_for_turns(2);
    cable.cut();
    let id = &handle["job"]["id"];
    let fault = server.fault("job", &json!({"id": id, "wait_s": 60}), "peer_network");
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    assert_eq!(full["result"]["partial"], "Half of it.");
    assert!(full["result"]["thread"].is_string());
    assert_eq!(fault["error"]["repair"]["arguments"]["resume"], *id);
    cable.mend();
    let again = server.ok("consult", &json!({"prompt": "Go on.", "resume": id}));
    assert_eq!(again["answer"], "At last.");
}

#[test]
fn a_run_that_waits_for_the_network_can_be_cancelled() {
    let (world, mut cable) = cabled(says_and_pauses);
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_for_event(&job, "Half of it.");
    cable.cut();
    wait_for_event(&job, "waiting for network");
    let cancelled = server.ok("cancel", &json!({"id": handle["job"]["id"]}));
    assert_eq!(cancelled["job"]["state"], "cancelled");
    assert!(peers_of(&job).into_iter().all(|peer| !is_alive(peer)));
    let full = server.ok("job", &json!({"id": handle["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["partial"], "Half of it.");
}

#[test]
fn a_usage_limit_in_the_middle_keeps_what_was_said_and_can_be_resumed() {
    let limited = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&limited);
    let world = World::new(move |turn: &Turn| {
        if turn.ordinal == 1 {
            return Reply::stream([
                Step::Message(Message::commentary("I run a command.")),
                Step::Shell(Shell::new("echo a-command")),
                Step::Completed(Usage::default()),
            ]);
        }
        if still.load(Ordering::SeqCst) {
            let body =
                json!({"error": {"type": "usage_limit_reached", "message": "reached", "plan_type": "plus"}});
            return Reply::Http(HttpReply::json(429, &body));
        }
        Reply::text("The rest.")
    });
    let mut server = world.server();
    let fault = server.fault("consult", &json!({"prompt": "x"}), "peer_usage_limit");
    let id = &fault["job"]["id"];
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    assert_eq!(full["result"]["partial"], "I run a command.");
    assert!(full["result"]["commands"].to_string().contains("echo a-command"));
    assert_eq!(fault["error"]["repair"]["arguments"]["resume"], *id);
    limited.store(false, Ordering::SeqCst);
    let again = server.ok("consult", &json!({"prompt": "Go on.", "resume": id}));
    assert_eq!(again["answer"], "The rest.");
    assert_eq!(again["meta"]["thread"], full["result"]["thread"]);
}

/// A codex that can be removed and replaced: a script before the real one that tells a version of its own.
struct Installed {
    world: World,
}

impl Installed {
    fn new(script: impl Script + 'static) -> Self {
        let World { model, home } = World::new(script);
        let program = home.private().join("codex-program");
        let home = home.with_variable("CROSSCHECK_CODEX_BIN", &program);
        let installed = Self {
            world: World { model, home },
        };
        installed
            .world
            .configure("[env]\npass = [\"FAKE_KEY\"]\n[limits]\nconcurrency = 1\n");
        installed.install("0.169.0");
        installed
    }

    fn program(&self) -> std::path::PathBuf {
        self.world.home.private().join("codex-program")
    }

    /// As a package manager does it: the new file takes the place of the old one.
    fn install(&self, version: &str) {
        let beside = self.program().with_extension("new");
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo codex-cli {version}; exit; }}\nexec '{}' \"$@\"\n",
            peers::codex().display()
        );
        fs::write(&beside, text).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&beside, self.program()).unwrap();
    }

    fn remove(&self) {
        fs::remove_file(self.program()).unwrap();
    }
}

#[test]
fn a_codex_that_was_removed_or_replaced_between_two_jobs_is_noticed() {
    let installed = Installed::new(Scripted::well());
    let mut server = installed.world.server();
    let question = json!({"prompt": "x"});
    assert_eq!(server.ok("consult", &question)["meta"]["peer_version"], "0.169.0");
    installed.remove();
    server.fault("consult", &question, "peer_not_found");
    assert_eq!(installed.world.model.turns().len(), 1, "nothing was paid");
    installed.install("0.100.0");
    server.fault("consult", &question, "peer_version_unsupported");
    assert_eq!(installed.world.model.turns().len(), 1, "nothing was paid");
    installed.install("0.168.0");
    assert_eq!(server.ok("consult", &question)["meta"]["peer_version"], "0.168.0");
}

#[test]
fn what_goes_while_a_job_waits_for_its_slot_costs_nothing() {
    type Change = fn(&Installed, &Path);
    let check = |change: Change, code: &str, said: &str| {
        let installed = Installed::new(Scripted::well());
        let world = &installed.world;
        let mut server = world.server();
        let first = server.ok(
            "consult",
            &json!({"prompt": "[[fake:stall]]", "background": true}),
        );
        world.model.wait_for_turns(1);
        let workspace = world.work().join("sub");
        fs::create_dir(&workspace).unwrap();
        let second = json!({"prompt": "x", "background": true, "workspace": workspace});
        let second = server.ok("consult", &second);
        assert_eq!(second["job"]["state"], "queued");
        change(&installed, &workspace);
        server.ok("cancel", &json!({"id": first["job"]["id"]}));
        let wait = json!({"id": second["job"]["id"], "wait_s": 60});
        let fault = server.fault("job", &wait, code);
        let message = fault["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{fault:#}");
        assert_eq!(world.model.turns().len(), 1, "nothing was paid");
        installed.install("0.169.0");
        server.ok("consult", &json!({"prompt": "x"}));
    };
    check(
        |installed, _| installed.remove(),
        "peer_not_found",
        "nothing was paid",
    );
    check(
        |installed, _| installed.install("0.100.0"),
        "peer_version_unsupported",
        "nothing was paid",
    );
    check(
        |_, workspace| fs::remove_dir(workspace).unwrap(),
        "invalid_workspace",
        "the workspace vanished",
    );
}

#[test]
fn a_codex_that_is_replaced_while_a_job_waits_is_told() {
    let installed = Installed::new(Scripted::well());
    let world = &installed.world;
    let mut server = world.server();
    let stall = json!({"prompt": "[[fake:stall]]", "background": true});
    let first = server.ok("consult", &stall);
    world.model.wait_for_turns(1);
    let second = server.ok("consult", &in_background());
    installed.install("0.168.0");
    server.ok("cancel", &json!({"id": first["job"]["id"]}));
    let done = server.ok("job", &json!({"id": second["job"]["id"], "wait_s": 60}));
    assert!(
        done["warnings"].to_string().contains("0.169.0 to 0.168.0"),
        "{}",
        done["warnings"]
    );
}

#[test]
fn a_job_whose_directory_is_deleted_ends_its_peer() {
    let installed = Installed::new(Scripted::well());
    let world = &installed.world;
    let mut server = world.server();
    let stall = json!({"prompt": "[[fake:stall]]", "background": true});
    let handle = server.ok("consult", &stall);
    world.model.wait_for_turns(1);
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    let peer = peers_of(&job)[0];
    assert!(is_alive(peer));
    wait_until("the deletion of the directory", || {
        fs::remove_dir_all(&job).is_ok() || !job.exists()
    });
    wait_until("the end of the peer", || !is_alive(peer));
    server.fault("job", &json!({"id": handle["job"]["id"]}), "job_not_found");
    // Its slot, the only one, is free again.
    server.ok("consult", &json!({"prompt": "x"}));
}

#[test]
fn a_suspend_is_told_by_everything_that_tells_the_job() {
    let world = World::new(Scripted::well());
    let mut server = world.server();
    let stall = json!({"prompt": "[[fake:stall]]", "background": true});
    let handle = server.ok("consult", &stall);
    world.model.wait_for_turns(1);
    let id = &handle["job"]["id"];
    let job = world.job(id.as_str().unwrap());
    // As a suspend of three hours leaves it and as the worker notes it; a test cannot put the machine to sleep.
    let started: u64 = fs::read_to_string(job.join("started"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    fs::write(job.join("started"), (started - 10_800_000).to_string()).unwrap();
    let unnoted = server.ok("job", &json!({"id": id}));
    assert_eq!(
        unnoted["job"]["elapsed_ms"], 1_800_000,
        "no more than the job's time"
    );
    let mut log = fs::OpenOptions::new()
        .append(true)
        .open(job.join("events.jsonl"))
        .unwrap();
    log.write_all(b"{\"at_ms\":1,\"event\":\"suspended\",\"slept_ms\":10800000}\n")
        .unwrap();
    let running = server.ok("job", &json!({"id": id, "tail": 5}));
    assert_eq!(running["job"]["phase"], "going on after 3 h of sleep");
    assert!(running["events"].to_string().contains("suspended"), "{running:#}");
    assert!(running["job"]["elapsed_ms"].as_u64().unwrap() < 60_000);
    let mut command = world.home.command(PROGRAM);
    command.args(["logs", id.as_str().unwrap()]);
    let logs = finish(command, "");
    assert!(
        logs.stdout.contains("asleep    the machine, for 3 h"),
        "{logs:#?}"
    );
    let peer = peers_of(&job)[0];
    let stat = fs::read_to_string(format!("/proc/{peer}/stat")).unwrap();
    let worker = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", worker])
        .status()
        .unwrap();
    assert!(killed.success());
    server.fault("job", &json!({"id": id, "wait_s": 60}), "job_lost");
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    let warnings = full["warnings"].to_string();
    assert!(
        warnings.contains("the machine was asleep for 3 h during the run"),
        "{warnings}"
    );
}
