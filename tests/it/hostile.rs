//! A codex that misbehaves in ways that the real one only shows on a bad day: what it said is kept, what it started is
//! ended, and what is told about it is true.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::model::wait_until;
use crate::support::scripts::Scripted;
use crate::world::{DONE, World, is_alive, peers_of};

/// A world whose codex is a shell script: `body` runs once the prompt was read.
pub(crate) fn world(body: &str) -> World {
    World::with_shell_codex(body)
}

/// A consult that asks the peer nothing but the answer.
pub(crate) fn question() -> Value {
    json!({"prompt": "x", "options": {"isolation": "ignore_config"}})
}

pub(crate) fn in_background() -> Value {
    json!({"prompt": "x", "background": true, "options": {"isolation": "ignore_config"}})
}

pub(crate) fn worker_of(job: &Path) -> u32 {
    let peer = peers_of(job)[0];
    let stat = fs::read_to_string(format!("/proc/{peer}/stat")).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    after.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub(crate) fn pid_in(path: &Path) -> u64 {
    wait_until("a number in a file", || {
        fs::read_to_string(path).is_ok_and(|text| text.trim().parse::<u64>().is_ok())
    });
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

#[test]
fn an_answer_that_was_given_wins_over_how_codex_ended() {
    for end in [
        "kill -KILL $$",
        "exit 1",
        "exec >&-; trap '' INT TERM; while :; do sleep 1; done",
    ] {
        let world = world(&format!("say; {end}"));
        let mut server = world.server();
        let answer = server.ok("consult", &question());
        assert_eq!(answer["answer"], "Paid for.", "{end}: {answer:#}");
        let job = &world.jobs()[0];
        assert!(peers_of(job).iter().all(|peer| !is_alive(*peer)), "{end}");
    }
}

#[test]
fn a_codex_that_closes_its_output_and_lives_on_is_ended_and_named() {
    let world = world("open; exec >&-; while :; do sleep 1; done");
    let mut server = world.server();
    let fault = server.fault("consult", &question(), "peer_failed");
    assert!(
        fault["error"]["message"]
            .as_str()
            .unwrap()
            .contains("closed its output"),
        "{fault:#}"
    );
    assert!(peers_of(&world.jobs()[0]).iter().all(|peer| !is_alive(*peer)));
}

#[test]
fn nothing_that_codex_started_outlives_its_own_end() {
    let world = world(
        "setsid sh -c 'trap \"\" INT TERM HUP; echo $$ > \"$0\"; exec sleep 987' \"$PWD/pid\" >/dev/null 2>&1 &\nwhile [ ! -s pid ]; do sleep 0.01; done; say",
    );
    let mut server = world.server();
    let answer = server.ok("consult", &question());
    assert_eq!(answer["answer"], "Paid for.");
    let left = pid_in(&world.work().join("pid"));
    let lives = is_alive(left);
    let _ = std::process::Command::new("kill")
        .args(["-KILL", &left.to_string()])
        .status();
    assert!(!lives, "a process of the run outlives it");
}

#[test]
fn a_stubborn_codex_and_its_own_sessions_die_of_a_cancel() {
    let world = world(
        "open; trap '' INT TERM; setsid sh -c 'trap \"\" INT TERM HUP; echo $$ > \"$0\"; while :; do sleep 1; done' \"$PWD/pid\" &\nwhile :; do sleep 1; done",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let below = pid_in(&world.work().join("pid"));
    let begun = Instant::now();
    let cancelled = server.ok("cancel", &json!({"id": handle["job"]["id"]}));
    assert_eq!(cancelled["job"]["state"], "cancelled");
    assert!(!is_alive(below));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_codex_wrote_to_stderr_counts_even_if_a_grandchild_holds_the_pipe() {
    let world = world("setsid sleep 987 & echo 'Error loading config.toml: bad' >&2; exit 1");
    let mut server = world.server();
    server.fault("consult", &question(), "peer_config_rejected");
}

#[test]
fn an_answer_on_a_line_that_is_too_long_is_no_refusal() {
    let world = world(
        "open; printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"'; \
         head -c 40000000 /dev/zero | tr '\\0' x; printf '\"}}\\n'; \
         echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}'",
    );
    let mut server = world.server();
    let fault = server.fault("consult", &question(), "peer_bad_output");
    assert!(
        fault["error"]["message"].as_str().unwrap().contains("bytes"),
        "{fault:#}"
    );
}

#[test]
fn an_answer_over_its_bound_says_that_it_was_cut() {
    let world = world(
        "open; printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"'; \
         head -c 9000000 /dev/zero | tr '\\0' x; printf '\"}}\\n'; \
         echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}'",
    );
    let mut server = world.server();
    let answer = server.ok("consult", &question());
    assert!(
        answer["warnings"].to_string().contains("cut"),
        "{}",
        answer["warnings"]
    );
}

#[test]
fn garbage_between_the_lines_hides_no_answer() {
    let world = world(
        "printf '\\377\\376\\n{\"type\":\\n[1]\\n\\303'; printf '\\n\\0\\0\\n'; say; printf '{\"type\":\"turn.comp'",
    );
    let mut server = world.server();
    assert_eq!(server.ok("consult", &question())["answer"], "Paid for.");
}

#[test]
fn a_flood_stays_small_in_the_worker_and_on_disk() {
    // Some 100 MB of events in lines of 10 MB, and half as much standard error.
    let world = world(
        "open; sh -c 'yes errors >&2' 2>&1 >/dev/null | head -c 50000000 >&2; i=0; while [ $i -lt 10 ]; do \
         printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"reasoning\",\"text\":\"'; \
         head -c 10000000 /dev/zero | tr '\\0' x; printf '\"}}\\n'; i=$((i+1)); done; \
         while [ ! -e \"$PWD/go\" ]; do sleep 0.05; done; say",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the last of the flood", || {
        fs::read_to_string(job.join("events.jsonl"))
            .is_ok_and(|log| log.lines().filter(|line| line.contains("thinking")).count() == 10)
    });
    let status = fs::read_to_string(format!("/proc/{}/status", worker_of(&job))).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    world.write("go", "");
    let done = server.ok("job", &json!({"id": handle["job"]["id"], "wait_s": 20}));
    assert_eq!(done["answer"], "Paid for.");
    assert!(fs::metadata(job.join("stderr.log")).unwrap().len() < 200_000);
    assert!(peak < 64_000, "the worker used {peak} kB");
}

#[test]
fn secrets_are_masked_wherever_codex_says_them() {
    let canary = "ghp_x7Kq2Zr9Lm4Vt8Nb3Wy6Hd1Jf5Gs0Pc7Ra2Q";
    let pem = "MIIEowIBAAKCAQEAx7Zs9PfhA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0";
    let body = format!(
        "open; echo 'token {canary}' >&2\n\
         printf -- '-----BEGIN RSA PRIVATE KEY-----\\n{pem}\\n{pem}\\n-----END RSA PRIVATE KEY-----\\n' >&2\n\
         echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"command_execution\",\"command\":\"echo {canary}\",\"aggregated_output\":\"'$(printf '{canary}'; head -c 2020 /dev/zero | tr '\\0' ' ')'\",\"exit_code\":0}}}}'\n\
         echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"error\",\"message\":\"warned of {canary}\"}}}}'\n\
         echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"agent_message\",\"text\":\"say {canary}\"}}}}'\n\
         echo '{DONE}'"
    );
    let world = world(&body);
    let mut server = world.server();
    let answer = server.ok("consult", &question());
    let job = &world.jobs()[0];
    let full = server.ok("job", &json!({"id": answer["job"]["id"], "detail": "full"}));
    let log = server.ok("job", &json!({"id": answer["job"]["id"], "detail": "log"}));
    let mut places = vec![
        ("answer".to_owned(), answer.to_string()),
        ("full".to_owned(), full.to_string()),
        ("log".to_owned(), log.to_string()),
    ];
    for name in ["events.jsonl", "stderr.log", "worker.log", "result.json"] {
        places.push((name.to_owned(), fs::read_to_string(job.join(name)).unwrap()));
    }
    for (name, text) in places {
        assert!(!text.contains("Jf5Gs0Pc7Ra2"), "{name}: {text}");
        assert!(!text.contains(&pem[..20]), "{name}: {text}");
    }
}

#[test]
fn no_envelope_grows_over_its_bound() {
    let world = world(
        "open; i=0; while [ $i -lt 19 ]; do printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"error\",\"message\":\"'$i; \
         head -c 30000 /dev/zero | tr '\\0' w; printf '\"}}\\n'; i=$((i+1)); done; \
         i=0; while [ $i -lt 400 ]; do echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"reasoning\",\"text\":\"'$i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'\"}}'; i=$((i+1)); done; \
         [ -e done ] || { echo > ready; while [ ! -e done ]; do sleep 0.05; done; }; say",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let id = &handle["job"]["id"];
    wait_until("the run", || world.work().join("ready").exists());
    let bounded = |what: &str, envelope: &Value| {
        let bytes = envelope.to_string().len();
        assert!(bytes <= 42 * 1024, "{what} has {bytes} bytes");
    };
    let job = world.job(id.as_str().unwrap());
    wait_until("the last event", || {
        fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains("399 x"))
    });
    bounded("running", &server.ok("job", &json!({"id": id, "tail": 1000})));
    world.write("done", "");
    bounded("waited", &server.ok("job", &json!({"id": id, "wait_s": 20})));
    for detail in ["summary", "full", "log"] {
        let told = server.ok("job", &json!({"id": id, "tail": 1000, "detail": detail}));
        bounded(detail, &told);
        if detail == "log" {
            assert!(
                !told["events"].as_array().unwrap().is_empty(),
                "the newest that fit are told"
            );
        }
    }
}

#[test]
fn a_workspace_that_vanishes_before_the_start_is_named() {
    let world = world("say");
    world.configure("[limits]\nconcurrency = 1\n");
    let gone = world.home.private().join("gone");
    fs::create_dir(&gone).unwrap();
    let slot = world.home.state().join("slots");
    fs::create_dir_all(&slot).unwrap();
    let held = crosscheck::sys::lock::HeldLock::try_take(&slot.join("0"))
        .unwrap()
        .unwrap();
    let mut server = world.server();
    let mut call = in_background();
    call["workspace"] = json!(gone);
    let handle = server.ok("consult", &call);
    fs::remove_dir(&gone).unwrap();
    drop(held);
    let waiting = json!({"id": handle["job"]["id"], "wait_s": 20});
    server.fault("job", &waiting, "invalid_workspace");
}

#[test]
fn a_queued_job_sleeps() {
    let world = world("say");
    world.configure("[limits]\nconcurrency = 1\n");
    let slot = world.home.state().join("slots");
    fs::create_dir_all(&slot).unwrap();
    let held = crosscheck::sys::lock::HeldLock::try_take(&slot.join("0"))
        .unwrap()
        .unwrap();
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let other = server.ok("consult", &in_background());
    let worker = |handle: &Value| {
        let path = world.job(handle["job"]["id"].as_str().unwrap());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.find(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*path.to_string_lossy()))
        })
    };
    wait_until("the workers", || {
        worker(&handle).is_some() && worker(&other).is_some()
    });
    std::thread::sleep(Duration::from_secs(2));
    let stat = fs::read_to_string(format!("/proc/{}/stat", worker(&handle).unwrap())).unwrap();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    drop(held);
    for handle in [&handle, &other] {
        server.ok("job", &json!({"id": handle["job"]["id"], "wait_s": 20}));
    }
    assert!(ticks < 30, "a waiting worker used {ticks} ticks of 10 ms in 2 s");
}

#[test]
fn a_fifo_in_the_place_of_a_job_file_hangs_nobody() {
    for name in [
        "events.jsonl",
        "worker.lock",
        "result.json",
        "spec.json",
        "started",
        "stderr.log",
        "change.json",
        "fetched",
        "waiting",
    ] {
        let world = world("say");
        let mut server = world.server();
        let answer = server.ok("consult", &question());
        let job = world.job(answer["job"]["id"].as_str().unwrap());
        if name == "worker.lock" {
            fs::remove_file(job.join("result.json")).unwrap();
        }
        let _ = fs::remove_file(job.join(name));
        assert!(
            std::process::Command::new("mkfifo")
                .arg(job.join(name))
                .status()
                .unwrap()
                .success()
        );
        for arguments in [
            json!({"id": answer["job"]["id"], "wait_s": 0}),
            json!({"id": answer["job"]["id"], "detail": "full"}),
            json!({"id": answer["job"]["id"], "detail": "log"}),
            json!({}),
        ] {
            let id = server.start_call("job", &arguments);
            assert!(
                server.answers_within(id, Duration::from_secs(5)),
                "{name}: {arguments}"
            );
        }
    }
}

#[test]
fn the_users_configuration_may_be_a_link() {
    let world = world("say");
    let folder = world.home.config().join("crosscheck");
    fs::rename(folder.join("config.toml"), folder.join("real.toml")).unwrap();
    std::os::unix::fs::symlink("real.toml", folder.join("config.toml")).unwrap();
    let mut server = world.server();
    assert_eq!(server.ok("consult", &question())["answer"], "Paid for.");
}

#[test]
fn one_lost_job_that_cannot_be_told_hides_no_other() {
    let world = world("say");
    let mut server = world.server();
    let lost = server.ok("consult", &question());
    let kept = server.ok("consult", &question());
    let job = world.job(lost["job"]["id"].as_str().unwrap());
    fs::remove_file(job.join("result.json")).unwrap();
    // Its lock cannot be taken any more, as on a damaged file system.
    fs::remove_file(job.join("worker.lock")).unwrap();
    fs::create_dir(job.join("worker.lock")).unwrap();
    let listed = server.ok("job", &json!({}));
    assert!(
        listed["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["id"] == kept["job"]["id"]),
        "{listed:#}"
    );
}

#[test]
fn a_repair_that_fails_loses_neither_the_first_answer_nor_its_tokens() {
    let world = world(
        "case \" $* \" in *' resume '*) open; echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Let me see.\"}}'; \
         echo '{\"type\":\"turn.failed\",\"error\":{\"message\":\"stream disconnected before completion: stream closed\"}}'; exit 1;; esac; say",
    );
    let mut server = world.server();
    let call = json!({"prompt": "x", "kind": "review_plan", "options": {"isolation": "ignore_config"}});
    let fault = server.fault("consult", &call, "peer_network");
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["partial"], "Paid for.", "{full:#}");
    assert_eq!(full["meta"]["usage"]["input"], 10, "{full:#}");
}

#[test]
fn thirty_jobs_and_their_cancels_lose_nothing() {
    let world = world(
        "open; case $(($$ % 3)) in 0) say;; 1) sleep 0.2; say;; *) while :; do sleep 0.05; done;; esac",
    );
    let mut server = world.server();
    let calls: Vec<u64> = (0..30)
        .map(|_| server.start_call("consult", &in_background()))
        .collect();
    let ids: Vec<Value> = calls
        .into_iter()
        .map(|call| server.envelope(call)["job"]["id"].clone())
        .collect();
    let cancels: Vec<u64> = ids
        .iter()
        .map(|id| server.start_call("cancel", &json!({"id": id})))
        .collect();
    for cancel in cancels {
        let told = server.envelope(cancel);
        assert_eq!(told["ok"], true, "{told:#}");
        assert_eq!(told["ended"], told["job"]["state"] == "cancelled", "{told:#}");
    }
    for job in world.jobs() {
        wait_until("the worker's end", || {
            !crosscheck::sys::lock::is_held(&job.join("worker.lock")).unwrap()
        });
        assert!(job.join("result.json").exists());
        assert!(peers_of(&job).iter().all(|peer| !is_alive(*peer)));
    }
    for slot in fs::read_dir(world.home.state().join("slots")).unwrap().flatten() {
        assert!(!crosscheck::sys::lock::is_held(&slot.path()).unwrap());
    }
}

#[test]
fn what_a_killed_worker_leaves_is_ended_at_the_next_look() {
    let world = world(
        "open; setsid sh -c 'trap \"\" INT TERM HUP PIPE; echo $$ > \"$0\"; while :; do sleep 1; done' \"$PWD/pid\" >/dev/null 2>&1 &\nwhile [ ! -s pid ]; do sleep 0.01; done; while :; do echo x; sleep 0.05; done",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let below = pid_in(&world.work().join("pid"));
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    let (worker, peer) = (worker_of(&job), peers_of(&job)[0]);
    let kill = |pid: &str| {
        std::process::Command::new("kill")
            .args(["-KILL", pid])
            .status()
            .unwrap()
    };
    assert!(kill(&worker.to_string()).success());
    // Nobody reads its output any more, so codex ends by itself and its command is an orphan.
    wait_until("the end of codex", || !is_alive(peer));
    server.fault(
        "job",
        &json!({"id": handle["job"]["id"], "wait_s": 5}),
        "job_lost",
    );
    let lives = is_alive(below);
    let _ = std::process::Command::new("kill")
        .args(["-KILL", &below.to_string()])
        .stderr(std::process::Stdio::null())
        .status();
    assert!(!lives);
}

#[test]
fn a_slot_of_a_killed_worker_is_free_once_its_peer_is_over() {
    // The first peer lives on; the second one looks for it.
    let world = world(
        "if [ -s pid ]; then case \"$(cut -d' ' -f3 \"/proc/$(cat pid)/stat\" 2>/dev/null)\" in ''|Z) ;; *) touch both ;; esac; say; else echo $$ >pid; while :; do sleep 0.1; done; fi",
    );
    world.configure("[limits]\nconcurrency = 1\n");
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    pid_in(&world.work().join("pid"));
    let worker = worker_of(&world.job(handle["job"]["id"].as_str().unwrap()));
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &worker.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let next = server.ok("consult", &in_background());
    server.ok("job", &json!({"id": next["job"]["id"], "wait_s": 20}));
    assert!(!world.work().join("both").exists(), "two peers ran in one slot");
}

#[test]
fn a_signal_to_the_worker_keeps_what_was_said() {
    let world = world(
        "open; echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"So far.\"}}'; while :; do sleep 0.05; done",
    );
    let mut server = world.server();
    let handle = server.ok("consult", &in_background());
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the message", || {
        fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains("So far."))
    });
    let kill = std::process::Command::new("kill")
        .arg(worker_of(&job).to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    let fault = server.fault(
        "job",
        &json!({"id": handle["job"]["id"], "wait_s": 20}),
        "cancelled",
    );
    let full = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
    assert_eq!(full["result"]["partial"], "So far.");
    assert!(peers_of(&job).iter().all(|peer| !is_alive(*peer)));
}

#[test]
fn a_long_answer_keeps_its_beginning_inline() {
    for bytes in [60_000, 300_000, 5_000_000] {
        let world = world(&format!(
            "open; printf '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"agent_message\",\"text\":\"'; \
             head -c {bytes} /dev/zero | tr '\\0' x; printf '\"}}}}\\n'; echo '{DONE}'"
        ));
        let mut server = world.server();
        let answer = server.ok("consult", &question());
        let inline = answer["answer"].as_str().unwrap().len();
        assert!(
            (20_000..40_000).contains(&inline),
            "{inline} of {bytes} bytes are inline"
        );
        let file = answer["truncated"]["file"].as_str().unwrap();
        assert_eq!(fs::metadata(file).unwrap().len(), bytes);
    }
}

#[test]
fn a_review_of_endless_words_fits_its_envelope() {
    let long = "w".repeat(60_000);
    let claim = |title: &str| crate::world::claim("high", "src/lib.rs", 2, title);
    let mut first = claim("a - b");
    first["risk"] = json!(long);
    let mut answer = crate::world::review_answer("fail", &[first, claim("x"), claim("y")]);
    answer["summary"] = json!(long);
    answer["questions"] = json!(vec![&long[..3000]; 20]);
    let world = World::new(Scripted::json(answer)).with_change();
    let mut server = world.server();
    let told = server.ok("review", &json!({}));
    let bytes = told.to_string().len();
    assert!(bytes <= 42 * 1024, "{bytes}");
    assert_eq!(told["findings"][0]["title"], "Wrong operator", "{told:#}");
    assert!(told["truncated"]["file"].is_string());
}

#[test]
fn one_key_is_one_job_also_for_two_servers_at_once() {
    let world = world("open; while [ ! -e go ]; do sleep 0.02; done; say");
    let mut servers = [world.server(), world.server()];
    let call = json!({"name": "consult", "arguments": {"prompt": "x", "wait_s": 1, "options": {"isolation": "ignore_config"}},
        "_meta": {"claudecode/toolUseId": "toolu_1"}});
    let calls: Vec<u64> = servers
        .iter_mut()
        .map(|server| server.request("tools/call", &call))
        .collect();
    let ids: Vec<Value> = servers
        .iter_mut()
        .zip(calls)
        .map(|(server, id)| {
            let envelope = server.envelope(id);
            assert_eq!(envelope["job"]["state"], "running", "{envelope:#}");
            envelope["job"]["id"].clone()
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.jobs().len(), 1);
    world.write("go", "");
    servers[0].ok("job", &json!({"id": ids[0], "wait_s": 20}));
}

#[test]
fn the_most_talkative_log_holds_no_text() {
    let world = world(&format!(
        "open; echo 'noise-canary' >&2; echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"agent_message\",\"text\":\"answer-canary\"}}}}'; echo '{DONE}'"
    ));
    let World { model, home } = world;
    let world = World {
        model,
        home: home.with_variable("CROSSCHECK_LOG", "trace"),
    };
    let mut command = world.home.command(crate::world::PROGRAM);
    let arguments = [
        "consult",
        "prompt-canary",
        "--json",
        "--option",
        "isolation=ignore_config",
    ];
    command.args(arguments);
    let finished = crate::support::run::finish(command, "");
    assert!(finished.stdout.contains("answer-canary"), "{finished:#?}");
    // Whoever waits is woken by the result, before the worker says so.
    let log = world.jobs()[0].join("worker.log");
    wait_until("the worker's last words", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("the job ended"))
    });
    let worker = fs::read_to_string(&log).unwrap();
    for log in [&worker, &finished.stderr] {
        assert!(!log.contains("canary"), "{log}");
    }
}
