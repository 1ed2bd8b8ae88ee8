//! One damage to a state directory, chosen by a number: the same number does the same again.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::domain::job::JobState;
use crosscheck::state::record::VERSION;
use serde_json::{Value, json};

use super::healthy::Healthy;

/// The two records of a job, which decide whether it can be read.
pub(super) const RECORDS: [&str; 2] = ["spec.json", "result.json"];
/// The other names of a job's directory.
const OTHERS: [&str; 15] = [
    "prompt.txt",
    "schema.json",
    "change.json",
    "started",
    "peers",
    "peers/1",
    "events.jsonl",
    "stderr.log",
    "cancel",
    "fetched",
    "waiting",
    "answer.md",
    "worker.log",
    "reserve",
    "tmp",
];
/// Bytes of a huge file. It has holes, so it takes no room.
const HUGE: u64 = 10 << 30;

/// What must be true of the job that was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// It is told as ever.
    Intact,
    /// It can never be read: counted, moved aside in time, and forgotten when somebody says so.
    Bad,
    /// It belongs to a newer version: counted, and left alone by everybody.
    Newer,
    /// It is listed or counted; which of them is up to the damage.
    Either,
}

/// What was done.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    /// In words, for a person who looks for it.
    pub(super) what: String,
    /// The place of the damaged job; `None` when no job was touched.
    pub(super) job: Option<usize>,
    /// What must be true of it.
    pub(super) expect: Expect,
}

/// Numbers that look random and are the same for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    /// Begins anew for a store.
    pub(super) fn of(seed: u64, store: usize) -> Self {
        Self(seed ^ (store as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Every cut of the two records of one job, in an order that is spread over them: with as many stores as there are bytes
/// every one is tried.
pub(super) struct Cuts {
    lengths: [usize; 2],
}

impl Cuts {
    /// Looks how long the records of the first job are.
    pub(super) fn of(healthy: &Healthy) -> Self {
        let length = |name: &str| fs::read(path(healthy, 0, name)).map_or(0, |bytes| bytes.len());
        Self {
            lengths: RECORDS.map(length),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Returns the record and the byte of the `number`th cut.
    pub(super) fn at(&self, number: usize) -> (&'static str, usize) {
        // A prime that is longer than any record here has no divisor in common with their length.
        let at = number.wrapping_mul(7919) % self.count();
        if at < self.lengths[0] {
            (RECORDS[0], at)
        } else {
            (RECORDS[1], at - self.lengths[0])
        }
    }
}

fn path(healthy: &Healthy, job: usize, name: &str) -> PathBuf {
    healthy
        .state()
        .join("jobs")
        .join(healthy.jobs[job].0.as_str())
        .join(name)
}

/// Cuts a record of the first job.
pub(super) fn cut(healthy: &Healthy, record: &str, byte: usize) -> Damage {
    let path = path(healthy, 0, record);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(byte as u64)
        .unwrap();
    Damage {
        what: format!("{record} cut at byte {byte}"),
        job: Some(0),
        expect: Expect::Bad,
    }
}

/// Does one of all other damages.
pub(super) fn any(healthy: &Healthy, dice: &mut Dice) -> Damage {
    let job = dice.below(healthy.jobs.len());
    match dice.below(10) {
        0 => flip(healthy, job, dice),
        1 => retype(healthy, job, dice),
        2 => newer(healthy, job, dice),
        3 => foreign_names(healthy, dice),
        4 => replace_directory(healthy, job, dice),
        5 => replace_shared(healthy, dice),
        6 | 7 => {
            let record = record_of(healthy, job, dice);
            let what = replace(&path(healthy, job, record), dice);
            let expect = match what {
                // Root reads what nobody may read; everybody else cannot, and it may be readable again tomorrow.
                "mode 000" => Expect::Either,
                _ => Expect::Bad,
            };
            Damage {
                what: format!("{record} of job {job}: {what}"),
                job: Some(job),
                expect,
            }
        }
        8 => {
            let what = replace(&path(healthy, job, "worker.lock"), dice);
            // Whether a job without a result goes on is not known then, and a look at a lost job takes its lock.
            let expect = if healthy.jobs[job].1 == JobState::Lost {
                Expect::Either
            } else {
                Expect::Intact
            };
            Damage {
                what: format!("worker.lock of job {job}: {what}"),
                job: Some(job),
                expect,
            }
        }
        _ => {
            let name = *dice.one(&OTHERS);
            let what = replace(&path(healthy, job, name), dice);
            Damage {
                what: format!("{name} of job {job}: {what}"),
                job: Some(job),
                expect: Expect::Intact,
            }
        }
    }
}

/// A record that the job has.
fn record_of(healthy: &Healthy, job: usize, dice: &mut Dice) -> &'static str {
    if Healthy::is_unseen(job) {
        return RECORDS[0];
    }
    let record = *dice.one(&RECORDS);
    assert!(path(healthy, job, record).exists());
    record
}

fn flip(healthy: &Healthy, job: usize, dice: &mut Dice) -> Damage {
    let record = record_of(healthy, job, dice);
    let path = path(healthy, job, record);
    let mut bytes = fs::read(&path).unwrap();
    let bits = 1 + dice.below(8);
    for _ in 0..bits {
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
    }
    fs::write(path, bytes).unwrap();
    Damage {
        what: format!("{bits} bits of {record} of job {job}"),
        job: Some(job),
        expect: Expect::Either,
    }
}

fn retype(healthy: &Healthy, job: usize, dice: &mut Dice) -> Damage {
    let record = record_of(healthy, job, dice);
    let path = path(healthy, job, record);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let fields = value.as_object_mut().unwrap();
    let name = fields.keys().nth(dice.below(fields.len())).unwrap().clone();
    let deep = "[".repeat(500) + &"]".repeat(500);
    let others = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!("../../../etc"),
        json!([[]]),
        json!({"": ""}),
        json!("DEEP"),
    ];
    let other = dice.one(&others).clone();
    let what = format!("{name} of {record} of job {job} is {other}");
    fields.insert(name, other);
    let text = value.to_string().replace("\"DEEP\"", &deep);
    fs::write(path, text).unwrap();
    Damage {
        what,
        job: Some(job),
        expect: Expect::Either,
    }
}

fn newer(healthy: &Healthy, job: usize, dice: &mut Dice) -> Damage {
    let record = record_of(healthy, job, dice);
    let version = [VERSION + 1, VERSION + 2, 99, u32::MAX][dice.below(4)];
    let text = [
        json!({"version": version}),
        json!({"job": {"of": "tomorrow"}, "version": version}),
    ];
    fs::write(path(healthy, job, record), dice.one(&text).to_string()).unwrap();
    Damage {
        what: format!("{record} of job {job} is of version {version}"),
        job: Some(job),
        expect: Expect::Newer,
    }
}

/// Names in the folder of jobs that are no job ids.
fn foreign_names(healthy: &Healthy, dice: &mut Dice) -> Damage {
    let id = healthy.jobs[0].0.as_str();
    let names = [
        OsString::from_vec(vec![0xff, 0xfe, b'a']),
        OsString::from_vec([id.as_bytes(), &[0xff]].concat()),
        "x".into(),
        "-rf".into(),
        "..a".into(),
        "a\nb".into(),
        "n".repeat(255).into(),
        id.to_uppercase().into(),
        format!("{id}.json").into(),
        format!(".new-{id}").into(),
        format!(".gone-{id}").into(),
        "latest".into(),
    ];
    for name in &names {
        let path = healthy.state().join("jobs").join(name);
        match dice.below(4) {
            0 => fs::create_dir_all(path.join("spec.json")).unwrap(),
            1 => symlink("/", path).unwrap(),
            2 => fifo(&path),
            _ => fs::write(path, "x").unwrap(),
        }
    }
    Damage {
        what: "names that are no job ids".to_owned(),
        job: None,
        expect: Expect::Intact,
    }
}

/// Something else in the place of a job's whole directory.
fn replace_directory(healthy: &Healthy, job: usize, dice: &mut Dice) -> Damage {
    let directory = path(healthy, job, "");
    let directory = PathBuf::from(directory.to_string_lossy().trim_end_matches('/'));
    let mut expect = Expect::Bad;
    let what = match dice.below(6) {
        0 => {
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
            expect = Expect::Either;
            "mode 000"
        }
        1 => {
            fs::remove_dir_all(&directory).unwrap();
            fs::create_dir(&directory).unwrap();
            "empty"
        }
        2 => {
            let other = healthy.state().join("elsewhere");
            fs::rename(&directory, &other).unwrap();
            symlink(other, &directory).unwrap();
            "a link to itself elsewhere"
        }
        3 => {
            fs::remove_dir_all(&directory).unwrap();
            let other = &healthy.jobs[(job + 1) % healthy.jobs.len()].0;
            symlink(other.as_str(), &directory).unwrap();
            "a link to another job"
        }
        4 => {
            // The content of another job under this one's name.
            let other = path(healthy, (job + 1) % healthy.jobs.len(), "spec.json");
            fs::copy(other, directory.join("spec.json")).unwrap();
            "another job's record"
        }
        _ => {
            fs::remove_dir_all(&directory).unwrap();
            replace_absent(&directory, dice)
        }
    };
    Damage {
        what: format!("directory of job {job}: {what}"),
        job: Some(job),
        expect,
    }
}

/// Something else in the place of what belongs to no single job.
fn replace_shared(healthy: &Healthy, dice: &mut Dice) -> Damage {
    let state = healthy.state();
    let cached = fs::read_dir(state.join("cache"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = cached.collect();
    paths.sort();
    paths.push(state.join("keys").join(&healthy.key));
    paths.push(state.join("slots/0"));
    paths.push(state.join("slots/1"));
    for folder in ["cache", "version-home", "scratch", "quarantine"] {
        paths.push(state.join(folder));
    }
    let path = dice.one(&paths).clone();
    let what = replace(&path, dice);
    let name = path.strip_prefix(&state).unwrap().display();
    Damage {
        what: format!("{name}: {what}"),
        job: None,
        expect: Expect::Intact,
    }
}

/// Puts something else in the place of a file or folder that may be there or not. Says what.
fn replace(path: &Path, dice: &mut Dice) -> &'static str {
    let is_there = fs::symlink_metadata(path).is_ok();
    if is_there && dice.below(6) == 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        return "mode 000";
    }
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).unwrap();
    }
    replace_absent(path, dice)
}

fn replace_absent(path: &Path, dice: &mut Dice) -> &'static str {
    match dice.below(11) {
        0 => {
            fs::write(path, "").unwrap();
            "empty"
        }
        1 => {
            let bytes: Vec<u8> = (0..=dice.below(5000))
                .map(|_| dice.next().to_le_bytes()[0])
                .collect();
            fs::write(path, bytes).unwrap();
            "noise"
        }
        2 => {
            fifo(path);
            "a FIFO"
        }
        3 => {
            fs::create_dir(path).unwrap();
            fs::write(path.join("inside"), "x").unwrap();
            "a directory"
        }
        4 => {
            symlink("spec.json", path).unwrap();
            "a link inside"
        }
        5 => {
            symlink("/etc/hostname", path).unwrap();
            "a link outside"
        }
        6 => {
            symlink("/nowhere/at/all", path).unwrap();
            "a dangling link"
        }
        7 => {
            symlink(path.file_name().unwrap(), path).unwrap();
            "a link to itself"
        }
        8 => {
            File::create(path).unwrap().set_len(HUGE).unwrap();
            "10 GB"
        }
        9 => {
            // The path of a socket is bounded, so it is bound below a short name and moved.
            let short = std::env::temp_dir().join(format!("s{}", std::process::id()));
            let _ = fs::remove_file(&short);
            let moved = UnixListener::bind(&short).and_then(|_| fs::rename(&short, path));
            if moved.is_err() {
                fs::write(path, "").unwrap();
            }
            "a socket"
        }
        _ => {
            fs::write(path, "[".repeat(100_000)).unwrap();
            "a hundred thousand brackets"
        }
    }
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
