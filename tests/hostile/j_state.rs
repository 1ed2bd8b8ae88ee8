//! Group J: a state directory in which somebody planted, damaged or exchanged what we wrote.
//!
//! Each case begins with the same state: a question that was answered, a result that landed and one that did not. After the
//! plant every verb looks at it, the sweeps of a worker among them. Nothing outside of the state directory and of what the
//! verb is about may be written or read, nobody may wait, and no verb may stop answering.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::domain::fingerprint::sha256_hex;
use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::detect::{Canaries, MOST_WORK, Markers, Watch, work_of};
use crate::making::job;
use crate::support::run::finish;
use crate::world::{PROGRAM, Server, World};

const FORBIDDEN: &str =
    "something outside is written, deleted or read, a program runs, or a verb does not answer";

/// The state that everything is planted into.
struct Scene {
    world: World,
    canaries: Canaries,
    markers: Markers,
    /// The state as it was.
    kept: PathBuf,
    /// Folders and files that have nothing to do with anything.
    outside: PathBuf,
    /// The answered question, the landed result, the waiting result.
    answered: String,
    landed: String,
    waiting: String,
}

type Plant = fn(&Scene);

const TABLE: &[(&str, Plant)] = &[
    ("a result is a link to a secret", |s| s.link("result.json")),
    ("a prompt is a link to a secret", |s| s.link("prompt.txt")),
    ("an event log is a link to a secret", |s| s.link("events.jsonl")),
    ("standard error is a link to a secret", |s| s.link("stderr.log")),
    ("an answer is a link to a secret", |s| s.link("answer.md")),
    ("a change is a link to a secret", |s| s.link("change.json")),
    ("a record is a link to a secret", |s| s.link("spec.json")),
    ("a patch is a link to a secret", |s| {
        replace(&s.job(&s.waiting).join("result.patch"), &s.secret());
    }),
    ("a note of a worktree is a link to a secret", |s| {
        replace(&s.job(&s.waiting).join("worktree.json"), &s.secret());
    }),
    ("a job is a link to a folder outside", |s| {
        let (job, moved) = (s.job(&s.answered), s.outside.join("job"));
        fs::rename(&job, &moved).unwrap();
        symlink(moved, job).unwrap();
    }),
    ("a lock is a link to a file that is not there", |s| {
        fs::remove_file(s.job(&s.answered).join("result.json")).unwrap();
        replace(&s.job(&s.answered).join("worker.lock"), &s.outside.join("made"));
    }),
    ("marks are links to files that are not there", |s| {
        for name in ["fetched", "waiting", "cancel", "started", "discarded"] {
            replace(
                &s.job(&s.waiting).join(name),
                &s.outside.join(format!("made-{name}")),
            );
            replace(
                &s.job(&s.answered).join(name),
                &s.outside.join(format!("made-{name}")),
            );
        }
    }),
    ("a temporary folder is a link to a folder of the user's", |s| {
        replace(&s.job(&s.answered).join("tmp"), &s.outside);
        replace(&s.job(&s.answered).join("reserve"), &s.secret());
    }),
    ("a record belongs to another job", |s| {
        let text = fs::read_to_string(s.job(&s.landed).join("spec.json")).unwrap();
        s.write("spec.json", text);
    }),
    ("a record says that its workspace is /etc", |s| {
        s.edit(&s.waiting, "spec.json", |v| v["workspace"] = json!("/etc"));
    }),
    ("a record says that its files are the user's home", |s| {
        let home = json!(s.world.home.home());
        s.edit(&s.waiting, "spec.json", |v| {
            v["expects"]["delegation"]["baseline"]["top_level"] = home;
        });
    }),
    ("a record is of another repository", |s| {
        let other = json!(s.outside.join("other/.git"));
        s.edit(&s.waiting, "spec.json", |v| {
            v["expects"]["delegation"]["baseline"]["common_directory"] = other;
        });
    }),
    ("ids in a result are options and ways out", |s| {
        s.edit(&s.waiting, "result.json", |v| {
            v["work"]["commit"] = json!("--output=/tmp/crosscheck-made");
            v["work"]["tree"] = json!("../../../etc");
        });
    }),
    ("a record is of a version that is not there yet", |s| {
        s.edit(&s.answered, "spec.json", |v| v["version"] = json!(999));
    }),
    ("a result goes on", |s| {
        s.edit(&s.answered, "result.json", |v| v["state"] = json!("running"));
    }),
    ("a result has ten thousand levels", |s| {
        s.write("result.json", "[".repeat(10_000));
    }),
    ("a result has a hundred gigabytes", |s| {
        huge(&s.job(&s.answered).join("result.json"));
    }),
    ("logs have a hundred gigabytes", |s| {
        for name in [
            "events.jsonl",
            "stderr.log",
            "worker.log",
            "prompt.txt",
            "change.json",
        ] {
            huge(&s.job(&s.answered).join(name));
        }
    }),
    ("records are folders", |s| {
        for name in [
            "spec.json",
            "result.json",
            "events.jsonl",
            "worker.lock",
            "fetched",
        ] {
            let path = s.job(&s.answered).join(name);
            let _ = fs::remove_file(&path);
            fs::create_dir(path).unwrap();
        }
    }),
    ("records are FIFOs", |s| {
        for name in [
            "spec.json",
            "prompt.txt",
            "events.jsonl",
            "fetched",
            "waiting",
            "cancel",
            "worktree.json",
        ] {
            fifo(&s.job(&s.waiting).join(name));
        }
    }),
    ("peers are noise, of another boot, and number one", |s| {
        fs::remove_file(s.job(&s.answered).join("result.json")).unwrap();
        let peers = s.job(&s.answered).join("peers");
        fs::create_dir_all(&peers).unwrap();
        fs::write(peers.join("7"), "noise").unwrap();
        let own = json!({"pid": 1, "start_ticks": 1, "boot_id": "00000000-0000-0000-0000-000000000000"});
        fs::write(peers.join("8"), own.to_string()).unwrap();
        huge(&peers.join("9"));
    }),
    (
        "half-made and half-deleted jobs are links to folders of the user's",
        |s| {
            for name in [".new-x", ".gone-x"] {
                replace(&s.state().join("jobs").join(name), &s.outside);
            }
            age(&s.state().join("jobs"));
        },
    ),
    (
        "what is kept for later is a link to a folder of the user's",
        |s| {
            for name in ["scratch", "quarantine", "cache"] {
                let _ = fs::remove_dir_all(s.state().join(name));
                fs::create_dir_all(s.state().join(name)).unwrap();
                replace(&s.state().join(name).join("x"), &s.outside);
            }
        },
    ),
    ("keys are links and FIFOs", |s| {
        let keys = s.state().join("keys");
        fs::create_dir_all(&keys).unwrap();
        replace(&keys.join(sha256_hex(b"planted")), &s.outside.join("made-key"));
        fifo(&keys.join(sha256_hex(b"blocking")));
        fs::create_dir_all(keys.join(sha256_hex(b"folder"))).unwrap();
    }),
    (
        "a slot is a link to a file that is not there, others are FIFOs and folders",
        |s| {
            let slots = s.state().join("slots");
            let _ = fs::remove_dir_all(&slots);
            fs::create_dir_all(slots.join("1")).unwrap();
            replace(&slots.join("0"), &s.outside.join("made-slot"));
        },
    ),
    ("slots name jobs that are none", |s| {
        let slots = s.state().join("slots");
        fs::create_dir_all(&slots).unwrap();
        for (number, text) in [
            "../../../../etc/passwd\0",
            "\u{1b}[31mx",
            "00000000-000000-0000000000",
        ]
        .iter()
        .enumerate()
        {
            fs::write(slots.join(number.to_string()), text.repeat(1000)).unwrap();
        }
    }),
    ("groups name jobs by ways out, are huge, and are links", |s| {
        let groups = s.state().join("groups");
        fs::create_dir_all(&groups).unwrap();
        let id = |end: &str| format!("01m7yptqjp-t9cew2-8rhn17gx{end}");
        let record = |job: &str, id: &str| {
            json!({"version": 1, "id": id, "label": "x", "workspace": "/etc",
                "members": [{"job": job, "task": "../x", "attempt": 1}]})
        };
        fs::write(
            groups.join(format!("{}.json", id("11"))),
            record("../../outside", &id("11")).to_string(),
        )
        .unwrap();
        fs::write(
            groups.join(format!("{}.json", id("12"))),
            record(&s.waiting, &id("12")).to_string(),
        )
        .unwrap();
        huge(&groups.join(format!("{}.json", id("13"))));
        replace(&groups.join(format!("{}.json", id("14"))), &s.secret());
        fifo(&groups.join(format!("{}.json", id("15"))));
    }),
    (
        "a landing that was begun names a folder of the user's, and makes a file",
        |s| {
            s.landing(
                "9000000000001",
                &s.landed,
                &s.outside,
                &[entry("made-by-journal", "absent", "absent", true)],
                false,
            );
        },
    ),
    ("a landing that was begun deletes files of the user's", |s| {
        let folder = s.landing(
            "9000000000002",
            &s.landed,
            &s.outside,
            &[entry("precious", "absent", "precious", false)],
            false,
        );
        fs::write(folder.join("staged"), "").unwrap();
    }),
    ("a landing that was begun makes folders of the user's go", |s| {
        let folder = s.landing("9000000000003", &s.landed, &s.outside, &[], false);
        fs::write(folder.join("staged"), "").unwrap();
    }),
    (
        "a landing that is to be undone names a folder of the user's",
        |s| {
            s.landing(
                "9000000000004",
                &s.landed,
                &s.outside,
                &[entry("precious", "kept", "precious", false)],
                true,
            );
        },
    ),
    ("a landing names ways out and the git directory", |s| {
        let top = s.world.work();
        let entries = [
            entry("../outside/made", "kept", "absent", false),
            entry(".git/hooks/pre-commit", "kept", "absent", false),
            entry(".GIT/hooks/post-commit", "kept", "absent", false),
            entry("GIT~1/config", "kept", "absent", false),
        ];
        let folder = s.landing("9000000000005", &s.landed, &top, &entries, false);
        fs::write(folder.join("staged"), "").unwrap();
    }),
    ("the folder of landings is a link", |s| {
        let landings = s.repository().join("landings");
        let moved = s.outside.join("landings");
        fs::create_dir_all(&moved).unwrap();
        fs::create_dir_all(moved.join("9000000000006-x/before")).unwrap();
        let _ = fs::remove_dir_all(&landings);
        symlink(moved, landings).unwrap();
    }),
    ("what was kept of a landing is a link to a secret", |s| {
        let folder = s.landing_folder();
        for entry in fs::read_dir(folder.join("before")).unwrap().flatten() {
            replace(&entry.path(), &s.secret());
        }
    }),
    ("what a landing left is huge", |s| {
        huge(&s.landing_folder().join("left.json"));
    }),
    ("a journal has ten thousand levels", |s| {
        fs::write(s.landing_folder().join("journal.json"), "[".repeat(10_000)).unwrap();
    }),
    ("a journal is a FIFO", |s| {
        fifo(&s.landing_folder().join("journal.json"));
    }),
    ("the name of a repository is terminal codes, then a FIFO", |s| {
        fs::write(s.repository().join("origin"), "/x\u{1b}[2J\u{202e}y").unwrap();
    }),
    ("the vault is a link to a repository of the user's", |s| {
        replace(&s.repository().join("git"), &s.outside.join("other/.git"));
    }),
    ("the vault names programs", |s| {
        let config = s.repository().join("git/config");
        let program = s.markers.program("vault");
        let text = fs::read_to_string(&config).unwrap();
        let text = format!(
            "{text}[core]\n\tfsmonitor = {program}\n\thooksPath = {0}\n[diff]\n\texternal = {program}\n[filter \"x\"]\n\tclean = {program}\n",
            s.markers_hooks().display()
        );
        fs::write(config, text).unwrap();
        let hooks = s.repository().join("git/hooks");
        fs::create_dir_all(&hooks).unwrap();
        fs::copy(&program, hooks.join("reference-transaction")).unwrap();
    }),
    ("worktrees are links to folders of the user's", |s| {
        let trees = s.repository().join("trees");
        fs::create_dir_all(&trees).unwrap();
        for name in ["1", ".gone-1-2-3"] {
            replace(&trees.join(name), &s.outside);
        }
        fs::create_dir_all(trees.join("2")).unwrap();
        replace(&trees.join("2/tree"), &s.outside);
        fs::write(trees.join("2/idle"), "").unwrap();
        fs::write(trees.join("2/ready"), "").unwrap();
    }),
    ("notes of a worktree are FIFOs", |s| {
        let tree = s.repository().join("trees/1");
        fs::create_dir_all(tree.join("tree")).unwrap();
        for name in ["owner", "ready", "linked", "lock", "idle"] {
            fifo(&tree.join(name));
        }
    }),
    ("facts about codex are noise and links", |s| {
        let cache = s.state().join("cache");
        for entry in fs::read_dir(&cache).into_iter().flatten().flatten() {
            fs::write(entry.path(), "{\"at_ms\":1,\"fact\":{}}").unwrap();
        }
        fs::create_dir_all(&cache).unwrap();
        replace(&cache.join("00000000000000000000000000000000.json"), &s.secret());
    }),
    ("the key of the tokens is a link to a file of the user's", |s| {
        replace(&s.state().join("apply-key"), &s.secret());
    }),
    ("the key of the tokens is a FIFO", |s| {
        fifo(&s.state().join("apply-key"));
    }),
    ("the folder of jobs holds a hundred strange names", |s| {
        let jobs = s.state().join("jobs");
        for number in 0..100 {
            fs::create_dir_all(jobs.join(format!("\u{1b}[3{number}m--force"))).unwrap();
        }
    }),
    ("everybody may read and write all of it", |s| {
        for path in [s.state(), s.state().join("jobs"), s.job(&s.answered)] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
    }),
    ("nobody may write any of it", |s| {
        fs::set_permissions(s.job(&s.answered), fs::Permissions::from_mode(0o500)).unwrap();
    }),
];

/// One path of a planted journal: what was there, and what was put there.
fn entry(path: &str, before: &str, after: &str, waits: bool) -> Value {
    let file = |text: &str| json!({"node": "file", "executable": false, "bytes": text.len(), "sha256": sha256_hex(text.as_bytes())});
    let node = |what: &str| match what {
        "absent" => json!({"node": "absent"}),
        other => file(other),
    };
    let kept = (before == "kept").then(|| json!({"number": 0, "mode": 0o755, "modified": [1, 1]}));
    let temporary = if waits {
        "precious".to_owned()
    } else {
        format!("{path}.tmp")
    };
    json!({"path": path, "before": node(before), "after": node(after), "temporary": temporary, "kept": kept})
}

fn replace(place: &Path, target: &Path) {
    if place.symlink_metadata().is_ok_and(|about| about.is_dir()) {
        fs::remove_dir_all(place).unwrap();
    } else {
        let _ = fs::remove_file(place);
    }
    symlink(target, place).unwrap();
}

fn fifo(place: &Path) {
    let _ = fs::remove_file(place);
    assert!(Command::new("mkfifo").arg(place).status().unwrap().success());
}

/// A file with a hundred gigabytes that takes no room.
fn huge(place: &Path) {
    let _ = fs::remove_file(place);
    fs::File::create(place).unwrap().set_len(100 << 30).unwrap();
}

/// Makes everything directly in a folder as old as what is swept away.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let done = Command::new("touch")
            .args(["-h", "-d", "2001-01-01"])
            .arg(entry.path())
            .status();
        assert!(done.unwrap().success());
    }
}

impl Scene {
    fn new() -> Self {
        let world = World::with_shell_codex("say").with_change();
        let mut canaries = Canaries::default();
        let outside = world.home.private().join("outside");
        fs::create_dir_all(outside.join("empty/inner")).unwrap();
        fs::write(outside.join("precious"), "precious").unwrap();
        fs::write(world.home.private().join("secret"), canaries.plant("secret")).unwrap();
        world.git(&["init", "-q", outside.join("other").to_str().unwrap()]);
        let markers = Markers::new(&world.home.private().join("markers"));
        let mut server = world.server();
        let question = json!({"prompt": "x", "options": {"isolation": "ignore_config"}});
        let answered = server.ok("consult", &question)["job"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let landed = job(&world, |place| fs::write(place.join("new.txt"), "new\n").unwrap());
        let shown = server.ok(
            "dry_run",
            &json!({"tool": "apply", "arguments": {"id": landed, "action": "preview"}}),
        );
        server.ok(
            "apply",
            &json!({"id": landed, "action": "land", "token": shown["token"]}),
        );
        let waiting = job(&world, |place| {
            fs::remove_file(place.join("src/lib.rs")).unwrap();
            fs::write(place.join("other.txt"), "other\n").unwrap();
        });
        let kept = world.home.private().join("kept");
        copy(&world.home.state(), &kept);
        copy(&world.work(), &world.home.private().join("work"));
        drop(server);
        Self {
            world,
            canaries,
            markers,
            kept,
            outside,
            answered,
            landed,
            waiting,
        }
    }

    fn state(&self) -> PathBuf {
        self.world.home.state()
    }

    fn job(&self, id: &str) -> PathBuf {
        self.world.job(id)
    }

    fn secret(&self) -> PathBuf {
        self.world.home.private().join("secret")
    }

    fn markers_hooks(&self) -> PathBuf {
        let hooks = self.world.home.private().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        for name in ["reference-transaction", "post-index-change", "post-checkout"] {
            fs::copy(self.markers.program(&format!("vault-{name}")), hooks.join(name)).unwrap();
        }
        hooks
    }

    /// The folder of the only repository.
    fn repository(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.state().join("repos")).unwrap().flatten();
        entries.next().unwrap().path()
    }

    /// The folder of the only landing.
    fn landing_folder(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.repository().join("landings"))
            .unwrap()
            .flatten();
        entries.next().unwrap().path()
    }

    fn link(&self, name: &str) {
        replace(&self.job(&self.answered).join(name), &self.secret());
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.job(&self.answered).join(name), text).unwrap();
    }

    fn edit(&self, id: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.job(id).join(name);
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(path, value.to_string()).unwrap();
    }

    /// Plants a landing.
    fn landing(&self, time: &str, job: &str, top: &Path, entries: &[Value], is_landed: bool) -> PathBuf {
        let folder = self.repository().join("landings").join(format!("{time}-{job}"));
        fs::create_dir_all(folder.join("before")).unwrap();
        fs::write(folder.join("before/0"), "kept").unwrap();
        let journal = json!({"version": 1, "job": job, "top_level": top, "at_ms": 1, "entries": entries, "is_adopted": false,
            "removed": [{"path": "made-folder", "mode": 0o777}], "made": [{"path": "empty/inner", "mode": null}]});
        fs::write(folder.join("journal.json"), journal.to_string()).unwrap();
        if is_landed {
            for name in ["staged", "landed", "swept"] {
                fs::write(folder.join(name), "").unwrap();
            }
        }
        folder
    }

    /// Every verb, once.
    fn verbs(&self, server: &mut Server) -> Vec<String> {
        let mut wrong = Vec::new();
        let options = json!({"isolation": "ignore_config"});
        let keyed = |key: &str| json!({"isolation": "ignore_config", "idempotency_key": key});
        let calls = [
            ("status", json!({})),
            ("status", json!({"topic": "worktrees"})),
            ("job", json!({})),
            ("job", json!({"id": "latest"})),
            ("job", json!({"id": self.answered, "detail": "full"})),
            ("job", json!({"id": self.answered, "detail": "log"})),
            ("job", json!({"id": self.waiting, "detail": "diff"})),
            ("job", json!({"id": "01m7yptqjp"})),
            (
                "dry_run",
                json!({"tool": "apply", "arguments": {"id": self.waiting, "action": "preview"}}),
            ),
            ("dry_run", json!({"tool": "delegate", "arguments": {"task": "x"}})),
            (
                "apply",
                json!({"id": self.waiting, "action": "land", "token": "x"}),
            ),
            ("consult", json!({"prompt": "x", "options": options})),
            ("consult", json!({"prompt": "x", "options": keyed("planted")})),
            ("consult", json!({"prompt": "x", "options": keyed("blocking")})),
            ("apply", json!({"id": self.landed, "action": "undo"})),
            ("cancel", json!({"id": self.answered, "forget": true})),
        ];
        for (tool, arguments) in calls {
            let before = work_of(server.pid());
            let told = server.call(tool, &arguments);
            let work = work_of(server.pid()).saturating_sub(before);
            if work > MOST_WORK {
                wrong.push(format!("{tool} {arguments} took {work:?} of work"));
            }
            if told["meta"]["elapsed_ms"].as_u64().unwrap_or(0) > 10_000 {
                wrong.push(format!("{tool} {arguments} waited"));
            }
            if told["error"]["code"] == "internal" {
                wrong.push(format!("{tool} {arguments}: {told:#}"));
            }
            let seen = self.canaries.seen_in(told.to_string().as_bytes());
            wrong.extend(
                seen.into_iter()
                    .map(|name| format!("{tool} {arguments} told the {name}")),
            );
        }
        let mut command = self.world.home.command(PROGRAM);
        command.args(["clean", "--yes", "--json"]);
        let cleaned = finish(command, "");
        if !self.canaries.seen_in(cleaned.stdout.as_bytes()).is_empty() || cleaned.stdout.contains('\u{1b}') {
            wrong.push(format!("clean tells what it must not: {}", cleaned.stdout));
        }
        wrong
    }

    fn restore(&self) {
        for (from, to) in [
            (&self.kept, self.state()),
            (&self.world.home.private().join("work"), self.world.work()),
        ] {
            let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(&to).status();
            for entry in fs::read_dir(&to).into_iter().flatten().flatten() {
                let path = entry.path();
                let _ = if path.is_dir() && !path.is_symlink() {
                    fs::remove_dir_all(path)
                } else {
                    fs::remove_file(path)
                };
            }
            copy(from, &to);
        }
        // What a case moved out belongs to it alone.
        for name in ["job", "landings"] {
            let _ = fs::remove_dir_all(self.outside.join(name));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    assert!(copied.unwrap().success());
}

/// The cases: plants, then state directories that are none.
pub(crate) fn cases() -> Vec<Case> {
    let others = [
        "the state directory is a device",
        "the state directory is a file",
        "the state directory cannot be written",
    ];
    numbered(
        'J',
        1,
        FORBIDDEN,
        TABLE.iter().map(|(what, _)| *what).chain(others),
    )
}

fn part_of(cases: &[(Case, Plant)]) -> Findings {
    let scene = Scene::new();
    let mut findings = Findings::default();
    let mut server = scene.world.server();
    for (case, plant) in cases {
        scene.restore();
        plant(&scene);
        let git = scene.world.work().join(".git");
        let watch = Watch::over([
            scene.outside.clone(),
            scene.secret(),
            git,
            scene.world.home.home(),
        ]);
        let mut wrong = scene.verbs(&mut server);
        wrong.extend(watch.changes());
        wrong.extend(scene.markers.take().into_iter().map(|name| format!("{name} ran")));
        let work = scene.canaries.seen_below(&scene.world.work());
        wrong.extend(
            work.into_iter()
                .map(|name| format!("the {name} is in the working tree")),
        );
        findings.note(case, wrong);
    }
    findings
}

#[test]
fn what_is_planted_in_our_state_leads_nowhere() {
    let plants = TABLE.iter().map(|(_, plant)| *plant);
    let all: Vec<(Case, Plant)> = cases().into_iter().zip(plants).collect();
    let halves = all.split_at(all.len() / 2);
    let mut findings = Findings::default();
    std::thread::scope(|threads| {
        let other = threads.spawn(|| part_of(halves.1));
        findings.extend(part_of(halves.0));
        findings.extend(other.join().unwrap());
    });
    findings.assert_none(TABLE.len());
}

#[test]
fn a_state_directory_that_is_none_is_said() {
    let all = cases();
    let mut findings = Findings::default();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    fs::create_dir(folder.path().join("closed")).unwrap();
    let mut closed = fs::metadata(folder.path().join("closed")).unwrap().permissions();
    closed.set_mode(0o500);
    fs::set_permissions(folder.path().join("closed"), closed).unwrap();
    let places = [
        PathBuf::from("/dev/null"),
        folder.path().join("file"),
        PathBuf::from("/proc/self"),
    ];
    for (case, place) in all[TABLE.len()..].iter().zip(places) {
        let World { model, home } = World::with_shell_codex("say").with_change();
        let home = home.with_variable("CROSSCHECK_STATE_DIR", &place);
        let world = World { model, home };
        let watch = Watch::over([folder.path().join("file")]);
        let mut server = world.server();
        let mut wrong = Vec::new();
        for (tool, arguments) in [
            ("consult", json!({"prompt": "x"})),
            ("job", json!({})),
            ("dry_run", json!({"tool": "delegate", "arguments": {"task": "x"}})),
        ] {
            let told = server.call(tool, &arguments);
            if told["error"]["code"] == "internal" || (tool == "consult" && told["ok"] == true) {
                wrong.push(format!("{tool}: {told:#}"));
            }
        }
        wrong.extend(watch.changes());
        findings.note(case, wrong);
    }
    findings.assert_none(3);
}

/// The negative control: the same verbs do write where they are meant to, and the detectors see it.
#[test]
fn an_undo_writes_what_it_is_about_and_that_is_seen() {
    let scene = Scene::new();
    let watch = Watch::over([scene.world.work()]);
    let mut server = scene.world.server();
    assert!(scene.world.work().join("new.txt").exists());
    server.ok("apply", &json!({"id": scene.landed, "action": "undo"}));
    assert!(!scene.world.work().join("new.txt").exists());
    assert!(!watch.changes().is_empty());
    fs::write(scene.world.work().join("leak"), fs::read(scene.secret()).unwrap()).unwrap();
    assert_eq!(scene.canaries.seen_below(&scene.world.work()).len(), 1);
}
