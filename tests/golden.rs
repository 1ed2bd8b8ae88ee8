//! Records of other versions. Each golden directory is read by the present program, and what it tells is compared word
//! for word: a change of the format that breaks an old record fails here, before it costs somebody a result.
//!
//! `CROSSCHECK_WRITE_GOLDEN=v2 cargo test --test golden` keeps what the present program writes as a new directory.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails is a failed test"
)]

#[path = "golden/make.rs"]
mod make;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crosscheck::domain::job::{JobId, JobName, JobState, WorkspaceHash};
use crosscheck::domain::request::StateFilter;
use crosscheck::state::error::StateError;
use crosscheck::state::keys::LockedKey;
use crosscheck::state::quarantine;
use crosscheck::state::record::{REMOTE_VERSION, ResultRecord, Spec, VERSION};
use crosscheck::state::store::Store;
use crosscheck::state::sweep::sweep;
use serde_json::{Map, Value, json};

/// Fields of an old record that its writer might not have known. None is ever added here by a change that also raises the
/// version.
const NEWER_FIELDS: [&str; 13] = [
    "repo_root",
    "model",
    "effort",
    "resume",
    "usage_before",
    "host",
    "raw",
    "partial",
    "thread",
    "usage",
    "thread_usage",
    "more_commands",
    "leaked",
];

/// A state directory that a test may change.
struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    /// Copies a golden directory.
    fn of(golden: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        let state = dir.path().join("state");
        copy(golden, &state);
        let store = Store::at(state);
        Self { dir, store }
    }

    fn newest() -> Self {
        Self::of(goldens().last().unwrap())
    }

    fn id(&self, name: &str) -> JobId {
        let number = 1 + make::NAMES.iter().position(|known| *known == name).unwrap();
        let ids = self.store.ids(None).unwrap();
        let end = number.to_string();
        ids.into_iter().find(|id| id.as_str().ends_with(&end)).unwrap()
    }

    /// Runs the terminal's command and returns its envelope without what differs from call to call.
    fn run(&self, arguments: &[&str]) -> Value {
        let ended = Command::new(env!("CARGO_BIN_EXE_crosscheck"))
            .args(arguments)
            .arg("--json")
            .env_clear()
            .env("HOME", self.dir.path().join("home"))
            .env("CROSSCHECK_STATE_DIR", self.store.root())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(ended.stdout).unwrap();
        let text = text.replace(&self.store.root().display().to_string(), "[STATE]");
        let mut envelope: Value = serde_json::from_str(&text).unwrap();
        for name in ["request_id", "elapsed_ms", "server_version"] {
            envelope["meta"].as_object_mut().unwrap().remove(name);
        }
        without_advice(&mut envelope);
        envelope
    }

    /// Changes a record.
    fn change(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut record = read(path);
        change(record.as_object_mut().unwrap());
        fs::write(path, record.to_string()).unwrap();
    }
}

/// Leaves out what is no fact of the record: the advice, whose words may change with any version.
fn without_advice(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| {
                !["fingerprint", "repair", "next_steps", "next", "legend"].contains(&name.as_str())
            });
            map.values_mut().for_each(without_advice);
        }
        Value::Array(items) => items.iter_mut().for_each(without_advice),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn goldens() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix('v')?.parse::<u32>().ok();
    let mut found: Vec<PathBuf> = entries.filter(|path| number(path).is_some()).collect();
    found.sort_by_key(number);
    assert!(!found.is_empty());
    found
}

/// The jobs of a golden directory: the first version knew no delegate, and the first four none that is done elsewhere.
fn names(golden: &Path) -> &'static [&'static str] {
    let is_of = |names: &[&str]| names.iter().any(|name| golden.ends_with(name));
    if is_of(&["v1"]) {
        &make::NAMES[..6]
    } else if is_of(&["v2", "v3", "v4"]) {
        &make::NAMES[..7]
    } else {
        &make::NAMES
    }
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

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Names every field of a value, down to the leaves.
fn shape(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, inner)| shape(inner, &format!("{at}.{name}"), into)),
        Value::Array(items) => items
            .iter()
            .for_each(|inner| shape(inner, &format!("{at}[]"), into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.insert(at.to_owned());
        }
    }
}

/// Returns the files of a state directory with their fields, under names that do not depend on when it was made.
fn shapes(state: &Path) -> BTreeSet<String> {
    let store = Store::at(state);
    let mut found = BTreeSet::new();
    for id in store.ids(None).unwrap() {
        let number = &id.as_str()[id.as_str().len() - 1..];
        let directory = store.directory(&id);
        for entry in fs::read_dir(directory.path()).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let at = format!("{number}/{name}");
            found.insert(at.clone());
            if Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                shape(&read(&entry.path()), &at, &mut found);
            }
        }
        for line in fs::read_to_string(directory.events_path()).unwrap().lines() {
            shape(
                &serde_json::from_str(line).unwrap(),
                &format!("{number}/event"),
                &mut found,
            );
        }
    }
    found
}

#[test]
fn every_golden_directory_is_told_as_it_always_was() {
    for golden in goldens() {
        let world = World::of(&golden);
        let version = golden.file_name().unwrap().to_str().unwrap();
        let hash = WorkspaceHash::of(make::WORKSPACE.as_bytes());
        let (jobs, damaged) = world.store.list(Some(hash), StateFilter::All, 100).unwrap();
        assert_eq!(
            (jobs.len(), damaged.len()),
            (names(&golden).len(), 0),
            "{version}"
        );
        for name in names(&golden) {
            let id = world.id(name);
            let mut told = Map::new();
            for detail in ["summary", "full", "log", "diff"] {
                let mut envelope = world.run(&["job", id.as_str(), "--detail", detail]);
                // A week from the first reading, which is now.
                if let Some(expires) = envelope.pointer_mut("/job/expires_at") {
                    assert!(expires.as_str().is_some_and(|at| at > "2026"), "{expires}");
                    *expires = json!("a week from now");
                }
                told.insert(detail.to_owned(), envelope);
            }
            let text = serde_json::to_string_pretty(&told).unwrap();
            insta::with_settings!({omit_expression => true, snapshot_path => "golden/snapshots", prepend_module_to_snapshot => false}, {
                insta::assert_snapshot!(format!("{version}_{name}"), text);
            });
        }
        let key = format!("key consult {} {}", make::WORKSPACE, make::KEY);
        assert!(
            matches!(
                LockedKey::take(&world.store, &key, b"other arguments"),
                Err(StateError::KeyConflict)
            ),
            "{version}: its key is known"
        );
    }
}

#[test]
fn every_field_of_a_golden_record_is_read() {
    for golden in goldens() {
        let world = World::of(&golden);
        for name in names(&golden) {
            let directory = world.store.directory(&world.id(name));
            let mut fields = BTreeSet::new();
            let mut known = BTreeSet::new();
            shape(&read(&directory.spec_path()), "spec", &mut fields);
            let spec = serde_json::to_value(directory.read_spec().unwrap()).unwrap();
            shape(&spec, "spec", &mut known);
            if let Some(result) = directory.read_result().unwrap() {
                shape(&read(&directory.result_path()), "result", &mut fields);
                shape(&serde_json::to_value(result).unwrap(), "result", &mut known);
            }
            let lost: Vec<_> = fields.difference(&known).collect();
            assert!(lost.is_empty(), "{name} of {}: {lost:?}", golden.display());
        }
    }
}

/// What the present program writes is what the newest golden directory holds: whoever changes the format adds one.
#[test]
fn the_present_format_is_the_newest_golden_one() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    make::make(&made);
    let text = fs::read_to_string(
        Store::at(&made)
            .directory(&World::of(&made).id("lost"))
            .path()
            .join("peers/1"),
    );
    assert!(
        text.unwrap().contains("00000000-0000"),
        "a golden directory names no boot of this machine"
    );
    if let Some(name) = std::env::var_os("CROSSCHECK_WRITE_GOLDEN") {
        let target = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        assert!(!target.exists(), "a golden directory is never written twice");
        copy(&made, &target);
    }
    let newest = shapes(goldens().last().unwrap());
    let present = shapes(&made);
    let differ: Vec<_> = newest.symmetric_difference(&present).collect();
    assert!(
        differ.is_empty(),
        "add a golden directory, as CONTRIBUTING.md says: {differ:#?}"
    );
}

#[test]
fn a_record_of_an_older_writer_that_knew_fewer_fields_is_read() {
    let world = World::newest();
    for name in make::NAMES {
        let id = world.id(name);
        let directory = world.store.directory(&id);
        for path in [directory.spec_path(), directory.result_path()] {
            if path.exists() {
                World::change(&path, |record| {
                    record.retain(|name, _| !NEWER_FIELDS.contains(&name.as_str()));
                });
            }
        }
        let job = world.store.read(&id).unwrap();
        assert_eq!(job.spec.repo_root, None);
        let expected = match name {
            "reviewed" | "delegated" | "clouded" => JobState::Succeeded,
            name => *JobState::ALL.iter().find(|state| state.as_str() == name).unwrap(),
        };
        assert_eq!(job.state, expected, "{name}");
        let told = world.run(&["job", id.as_str()]);
        assert_eq!(told["ok"], expected == JobState::Succeeded, "{told:#}");
    }
}

/// What lies on the disk while a task is done elsewhere decides whether its job runs: no later program may read it otherwise.
#[test]
fn a_job_that_was_elsewhere_when_the_program_was_replaced_still_is() {
    let world = World::newest();
    let directory = world.store.directory(&world.id("clouded"));
    assert_eq!(directory.read_spec().unwrap().version, REMOTE_VERSION);
    let check = |without: &[&str], expected: JobState, task: Option<&str>| {
        for name in without {
            fs::remove_file(directory.path().join(name)).unwrap();
        }
        assert_eq!(directory.state().unwrap(), expected, "without {without:?}");
        let found = directory.task().map(|task| task.task.to_string());
        assert_eq!(found.as_deref(), task, "without {without:?}");
    };
    let task = Some("task_e_golden");
    check(&[], JobState::Succeeded, task);
    check(&["result.json"], JobState::Running, task);
    // As codex printed it to a worker that did not live to keep it.
    check(&["task.json", "seen.json"], JobState::Running, task);
    check(&["submit.out"], JobState::Lost, None);
    assert!(directory.was_sent(), "it is never sent again");
}

#[test]
fn a_record_of_this_version_may_hold_fields_that_this_reader_does_not_know() {
    let world = World::newest();
    let id = world.id("succeeded");
    let directory = world.store.directory(&id);
    for path in [directory.spec_path(), directory.result_path()] {
        World::change(&path, |record| {
            record.insert("of_tomorrow".to_owned(), json!({"a": [1]}));
        });
    }
    assert_eq!(world.run(&["job", id.as_str()])["ok"], true);
}

/// A newer writer has a newer reader at hand: ours keeps its hands off.
#[test]
fn a_record_of_a_newer_writer_is_refused_and_never_touched() {
    let newer = |record: &mut Map<String, Value>| {
        let version = record["version"].as_u64().unwrap();
        record.clear();
        record.insert("version".to_owned(), json!(version + 1));
        record.insert("job".to_owned(), json!({"shape": "of tomorrow"}));
    };
    let world = World::newest();
    let ids = ["succeeded", "reviewed", "lost"].map(|name| world.id(name));
    let [whole, answered, lost] = &ids;
    let directory = |id: &JobId| world.store.directory(id);
    World::change(&directory(whole).spec_path(), newer);
    World::change(&directory(whole).result_path(), newer);
    World::change(&directory(answered).result_path(), newer);
    World::change(&directory(lost).spec_path(), newer);
    let before = ids.clone().map(|id| files(directory(&id).path()));

    for id in &ids {
        for detail in ["summary", "full", "log", "diff"] {
            refused(&world.run(&["job", id.as_str(), "--detail", detail]));
        }
        refused(&world.run(&["cancel", id.as_str()]));
        refused(&world.run(&["cancel", id.as_str(), "--forget"]));
    }
    let latest = JobName::Prefix(lost.as_str()[..20].to_owned());
    let hash = WorkspaceHash::of(make::WORKSPACE.as_bytes());
    assert!(matches!(
        world.store.find(&latest, hash),
        Err(StateError::Newer { .. } | StateError::Ambiguous { .. })
    ));
    let (jobs, unread) = world.store.list(Some(hash), StateFilter::All, 100).unwrap();
    assert_eq!(
        (jobs.len(), unread.len()),
        (make::NAMES.len() - ids.len(), ids.len()),
        "it hides no other"
    );
    sweep(&world.store);
    let key = format!("key consult {} {}", make::WORKSPACE, make::KEY);
    assert!(
        LockedKey::take(&world.store, &key, b"x").is_err(),
        "its key stands for it"
    );
    assert_eq!(quarantine::count(&world.store, None), 0);
    // Nobody has read the others yet, and what was paid for and never read stays for ever.
    for name in make::NAMES {
        let id = world.id(name);
        if !ids.contains(&id) {
            directory(&id).mark_fetched();
        }
    }
    world.store.evict(u64::MAX / 2);
    let left: BTreeSet<JobId> = world.store.ids(None).unwrap().into_iter().collect();
    assert_eq!(
        left,
        ids.iter().cloned().collect(),
        "those of this version are past their time, the newer are not ours"
    );
    assert_eq!(before, ids.map(|id| files(directory(&id).path())));
}

fn refused(envelope: &Value) {
    assert_eq!(envelope["error"]["code"], "state_unavailable", "{envelope:#}");
    let message = envelope["error"]["message"].as_str().unwrap();
    assert!(message.contains("newer version"), "{message}");
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

/// A version is what both records carry, and nothing else decides. A new field that old readers may ignore makes a golden
/// directory and no version.
#[test]
fn both_records_carry_the_version() {
    let mut newest = 0;
    for (number, golden) in (1..).zip(goldens()) {
        let world = World::of(&golden);
        let directory = world.store.directory(&world.id("succeeded"));
        let (spec, result): (Spec, Option<ResultRecord>) =
            (directory.read_spec().unwrap(), directory.read_result().unwrap());
        assert_eq!(spec.version, result.unwrap().version, "directory {number}");
        assert!((newest..=number).contains(&spec.version), "directory {number}");
        newest = spec.version;
    }
    assert_eq!(newest, VERSION);
}
