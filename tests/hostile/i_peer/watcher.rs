//! Looks at the memory of the workers for as long as they live.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time between two looks. The kernel keeps the highest mark, so only what a worker takes in its last moment is missed.
const EVERY: Duration = Duration::from_millis(4);

/// The highest mark of each worker so far, by the name of its job.
pub(crate) struct Watcher {
    most: Arc<Mutex<BTreeMap<String, u64>>>,
    jobs: PathBuf,
    over: Arc<AtomicBool>,
}

impl Watcher {
    /// Looks at the workers of a state directory.
    pub(crate) fn over(state: &Path) -> Self {
        let jobs = state.join("jobs");
        let watcher = Self {
            most: Arc::default(),
            jobs: jobs.clone(),
            over: Arc::default(),
        };
        let (most, over) = (Arc::clone(&watcher.most), Arc::clone(&watcher.over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for (job, pid) in workers(&jobs) {
                    if let Some(kb) = most_kb_of(pid) {
                        let mut most = most.lock().unwrap();
                        let mark = most.entry(job).or_default();
                        *mark = kb.max(*mark);
                    }
                }
                std::thread::sleep(EVERY);
            }
        });
        watcher
    }

    /// Returns the highest mark of a job's worker; `None` when no look found it.
    pub(crate) fn most_kb(&self, job: &str) -> Option<u64> {
        self.most.lock().unwrap().get(job).copied()
    }

    /// Tells whether a job's worker lives.
    pub(crate) fn lives(&self, job: &str) -> bool {
        workers(&self.jobs).iter().any(|(found, _)| found == job)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn workers(jobs: &Path) -> Vec<(String, u32)> {
    let folder = jobs.to_string_lossy();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0');
        words.find(|word| *word == "worker")?;
        let job = words.next()?.strip_prefix(&*folder)?.trim_matches('/').to_owned();
        Some((job, pid))
    })
    .collect()
}

/// Returns the most memory that a process had so far, in kB.
pub(crate) fn most_kb_of(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
