//! The rule of tasks that are done elsewhere, with the record of one as a released program left it.

use std::fs;
use std::path::{Path, PathBuf};

use crosscheck::domain::fingerprint::sha256_hex;

use super::audit::{Moment, Rule};
use super::{LOST, World, copy, edit, git, rules};

const LEAD: &str = "01m812j4x8-kpphwk-0000000008";
const SECOND: &str = "01m812j4x8-kpphwk-0000000009";
const OTHER: &str = "01m812j4x8-kpphwk-000000000a";

impl World {
    fn of_job(&self, id: &str, name: &str) -> PathBuf {
        self.store.root().join("jobs").join(id).join(name)
    }

    /// Adds a job of the golden record under an id.
    fn add(&self, id: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/v5/jobs")
            .join(LEAD);
        copy(&from, &self.of_job(id, ""));
        edit(&self.of_job(id, "spec.json"), |spec| spec["id"] = id.into());
    }

    fn arrived(&self, name: &str, prompt: &[u8]) {
        fs::create_dir_all(self.ledger("arrived")).unwrap();
        self.note(
            &format!("arrived/{name}"),
            &format!("prompt {}\n", sha256_hex(prompt)),
        );
    }

    fn prompt(&self) -> Vec<u8> {
        fs::read(self.of_job(LEAD, "prompt.txt")).unwrap()
    }
}

/// A clean store with a task of two attempts, of which the first handed over for both.
fn world() -> World {
    let mut world = World::new();
    world.add(LEAD);
    world.add(SECOND);
    for name in ["sent", "submit.out"] {
        fs::remove_file(world.of_job(SECOND, name)).unwrap();
    }
    edit(&world.of_job(SECOND, "spec.json"), |spec| {
        spec["expects"]["delegation"]["cloud"]["lead"] = LEAD.into();
    });
    // Each is kept in the vault as far as the rule of results asks for that.
    let vault = world.store.root().join("repos/0/git");
    fs::create_dir_all(&vault).unwrap();
    git(&vault, &["init", "-q", "--bare"]);
    let tree = git(&vault, &["write-tree"]);
    let commit = git(&vault, &["commit-tree", "-m", "result", &tree]);
    for id in [LEAD, SECOND, OTHER] {
        for name in ["base", "result"] {
            let name = format!("refs/jobs/{id}/{name}");
            git(&vault, &["update-ref", &name, &commit]);
        }
    }
    for id in [LEAD, SECOND] {
        edit(&world.of_job(id, "result.json"), |result| {
            result["work"]["commit"] = commit.clone().into();
        });
    }
    fs::remove_file(world.ledger("listed")).unwrap();
    world.arrived("one", &world.prompt());
    let now = world.now;
    let report = world.report(Moment::AtTheEnd(now));
    assert_eq!(report.violations, []);
    assert_eq!((report.counts.jobs, report.counts.tasks), (8, 1));
    world
}

/// Breaks one thing in a clean store and looks that the rule says so, and no other one.
fn check(what: &str, breaks: impl FnOnce(&World)) {
    let mut world = world();
    breaks(&world);
    world.memory = super::Memory::default();
    let report = world.report(Moment::Meanwhile(world.now));
    assert_eq!(rules(&report), [Rule::SentOnce], "{what}: {report:?}");
    let told = report.violations.iter().any(|wrong| wrong.what.contains(what));
    assert!(told, "{what}: {report:?}");
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn a_task_that_arrived_twice_or_that_nobody_noted_as_sent() {
    check("got 2 tasks", |world| world.arrived("two", &world.prompt()));
    check("got 1 tasks", |world| {
        world.arrived("two", b"another prompt");
    });
}

#[test]
fn an_attempt_that_was_handed_over_by_itself_too() {
    for name in ["sent", "submit.out"] {
        check("handed over by itself", |world| {
            fs::copy(world.of_job(LEAD, name), world.of_job(SECOND, name)).unwrap();
            // Even what is noted as it should be is one submission too many.
            fs::copy(world.of_job(LEAD, "sent"), world.of_job(SECOND, "sent")).unwrap();
        });
    }
}

#[test]
fn files_of_a_task_that_do_not_say_the_same() {
    check("the one that was printed is", |world| {
        edit(&world.of_job(LEAD, "task.json"), |task| {
            task["task"] = "task_e_other".into();
        });
    });
    check("was sent at another time", |world| {
        edit(&world.of_job(LEAD, "task.json"), |task| task["at_ms"] = 1.into());
    });
    check("handed over without a note", |world| {
        remove(&world.of_job(LEAD, "sent"));
    });
    check("was never sent", |world| remove(&world.of_job(LEAD, "sent")));
    for name in ["sent", "task.json", "seen.json"] {
        check("cannot be read", |world| {
            fs::write(world.of_job(LEAD, name), "{").unwrap();
        });
    }
}

#[test]
fn a_task_of_two_jobs_that_do_not_belong_together() {
    check("is the task of", |world| {
        world.add(OTHER);
        let commit = fs::read(world.of_job(LEAD, "result.json")).unwrap();
        fs::write(world.of_job(OTHER, "result.json"), commit).unwrap();
    });
}

#[test]
fn an_end_that_does_not_fit_what_is_known_of_the_task() {
    check("is told as lost and has a task", |world| {
        edit(&world.of_job(LEAD, "result.json"), |result| {
            result["state"] = "lost".into();
        });
    });
    let forget = |world: &World| {
        for id in [LEAD, SECOND] {
            remove(&world.of_job(id, "task.json"));
        }
        remove(&world.of_job(LEAD, "submit.out"));
    };
    check("succeeded and has no task", forget);
    check("was seen at the service and has no task", forget);
}

#[test]
fn a_job_of_this_machine_with_files_of_a_task() {
    for name in ["sent", "submit.out", "task.json", "seen.json", "remote.diff"] {
        check("is done here and has", |world| {
            fs::copy(world.of_job(LEAD, name), world.path(LOST, name)).unwrap();
        });
    }
}

#[test]
fn a_job_that_is_followed_at_the_end() {
    let mut world = world();
    let folder = world.store.root().join("following");
    fs::create_dir(&folder).unwrap();
    assert_eq!(world.rules_at_the_end(), []);
    fs::write(folder.join(LEAD), "").unwrap();
    assert_eq!(world.rules_at_the_end(), [Rule::Leftovers]);
}

#[test]
fn a_job_with_a_task_is_alive_without_a_worker_and_one_without_is_not() {
    let mut world = world();
    remove(&world.of_job(LEAD, "result.json"));
    world.memory = super::Memory::default();
    let list = |world: &World| {
        let mut rows: Vec<String> = super::ENDS
            .iter()
            .zip(&world.ids)
            .map(|(state, id)| format!("{id} {state}"))
            .collect();
        rows.extend([
            format!("{LEAD} running"),
            format!("{SECOND} succeeded"),
            "unread 0\n".to_owned(),
        ]);
        world.note("listed", &rows.join("\n"));
        world.listed_at(world.now);
    };
    list(&world);
    assert_eq!(world.rules(), []);
    world.later(60);
    list(&world);
    assert_eq!(world.rules(), []);
    for name in ["submit.out", "task.json", "seen.json", "remote.diff"] {
        remove(&world.of_job(LEAD, name));
    }
    remove(&world.of_job(SECOND, "task.json"));
    assert!(world.rules().contains(&Rule::Alive));
}
