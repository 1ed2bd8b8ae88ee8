//! What `/proc` tells: which processes belong to a job, and who holds which lock.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often the arguments of a process that holds a lock are looked for, and the time between: a start takes
/// microseconds, on a machine that is busy some milliseconds. One that has ended has none for ever.
const ARGUMENT_LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// A live process that belongs to a job or holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// The name of the job's directory; empty for one that only holds a lock.
    pub(crate) job: String,
    arguments: Vec<Vec<u8>>,
}

impl Process {
    /// Tells whether this process may hold the lock of the job in this directory: its worker, or a process of ours that
    /// makes it or clears up after it.
    pub(crate) fn is_ours(&self, directory: &Path) -> bool {
        let directory = directory.as_os_str().as_bytes();
        let program = self.arguments.first().map_or(&[][..], Vec::as_slice);
        let program = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        program.starts_with(b"crosscheck")
            || self.arguments.get(1).is_some_and(|word| word == b"worker")
                && self.arguments.get(2).is_some_and(|word| word == directory)
    }
}

/// What was seen at one moment.
#[derive(Debug)]
pub(crate) struct Processes {
    /// Those that belong to a job: its worker, and all that have its folder for temporary files.
    pub(crate) all: Vec<Process>,
    /// Each locked file below the state directory with those who hold it.
    pub(crate) locks: BTreeMap<PathBuf, Vec<u32>>,
    holders: BTreeMap<u32, Process>,
}

impl Processes {
    /// Looks at all processes that this user may look at, without itself.
    pub(crate) fn look(state: &Path) -> Self {
        let mut seen = Self {
            all: Vec::new(),
            locks: BTreeMap::new(),
            holders: BTreeMap::new(),
        };
        let jobs = [state.as_os_str().as_bytes(), b"/jobs/"].concat();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            // A zombie has neither arguments nor environment nor descriptors any more.
            let held = locks_of(&entry.path(), state);
            let line = if held.is_empty() {
                read("cmdline")
            } else {
                wait_for_arguments(|| read("cmdline"))
            };
            let arguments: Vec<Vec<u8>> = line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
            let job = job_of(&arguments, &read("environ"), &jobs);
            let process = Process {
                pid,
                job: job.clone().unwrap_or_default(),
                arguments,
            };
            for path in &held {
                seen.locks.entry(path.clone()).or_default().push(pid);
            }
            if !held.is_empty() {
                seen.holders.insert(pid, process.clone());
            }
            if job.is_some() {
                seen.all.push(process);
            }
        }
        seen
    }

    /// Returns who holds this lock.
    pub(crate) fn holders(&self, path: &Path) -> Vec<&Process> {
        let pids = self.locks.get(path).into_iter().flatten();
        pids.filter_map(|pid| self.holders.get(pid)).collect()
    }
}

/// The arguments of a process that holds a lock. One that is just being started has the descriptors already and its
/// arguments a moment later: the kernel lets the parent go on before it has written them down.
fn wait_for_arguments(read: impl Fn() -> Vec<u8>) -> Vec<u8> {
    for _ in 0..ARGUMENT_LOOKS {
        let line = read();
        if !line.is_empty() {
            return line;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Vec::new()
}

/// The job that a process belongs to: its second argument is the job's directory, as a worker has it, or its temporary
/// files go into the job's.
fn job_of(arguments: &[Vec<u8>], environment: &[u8], jobs: &[u8]) -> Option<String> {
    let named = |path: &[u8]| {
        let inside = path.strip_prefix(jobs)?;
        let name = inside.split(|byte| *byte == b'/').next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    };
    let worker = (arguments.get(1).map(Vec::as_slice) == Some(b"worker"))
        .then(|| arguments.get(2))
        .flatten();
    worker.and_then(|path| named(path)).or_else(|| {
        let pairs = environment.split(|byte| *byte == 0);
        pairs
            .filter_map(|pair| pair.strip_prefix(b"TMPDIR="))
            .find_map(named)
    })
}

/// The files below the state directory that a process holds an exclusive lock of. A shared one is somebody's look.
fn locks_of(process: &Path, state: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
        let Some(path) = fs::read_link(entry.path())
            .ok()
            .filter(|path| path.starts_with(state))
        else {
            continue;
        };
        let about = fs::read_to_string(process.join("fdinfo").join(entry.file_name())).unwrap_or_default();
        let locked = about
            .lines()
            .any(|line| line.starts_with("lock:") && line.contains(" WRITE "));
        if locked && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}
