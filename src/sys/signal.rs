//! Signals to processes that are proven to be the ones meant.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use serde::{Deserialize, Serialize};

use crate::sys::clock;

/// A process, so that its number cannot be mistaken after it was given to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: u32,
    /// When it started, in the kernel's ticks since boot.
    pub start: u64,
    /// The boot it belongs to.
    pub boot: String,
    /// The space of process numbers it belongs to, of which each container has its own; absent in notes of a version
    /// that did not know it, and where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u64>,
}

impl ProcessIdentity {
    /// Looks at a live process; `None` when there is none or the system does not tell.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            start: Stat::read(pid)?.start,
            boot: clock::boot_id(),
            namespace: own_namespace(),
        })
    }

    /// Tells whether its number means anything here: same boot of the same machine, and same container.
    pub fn is_of_here(&self) -> bool {
        self.boot == clock::boot_id() && (self.namespace.is_none() || self.namespace == own_namespace())
    }

    /// Tells whether exactly this process still runs. A zombie does not.
    pub fn is_alive(&self) -> bool {
        self.is_of_here()
            && Stat::read(self.pid)
                .is_some_and(|stat| stat.start == self.start && stat.state != b'Z' && stat.state != b'X')
    }

    /// Sends a signal if exactly this process still runs.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Self::raw(self.pid)
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends a signal to the process group led by this process, if exactly this process still runs.
    pub fn signal_group(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Self::raw(self.pid)
        {
            let _ = kill_process_group(pid, signal);
        }
    }

    fn raw(pid: u32) -> Option<Pid> {
        i32::try_from(pid).ok().and_then(Pid::from_raw)
    }
}

/// Returns our parent, unless it is gone already or the system does not tell.
pub fn parent() -> Option<ProcessIdentity> {
    let pid = rustix::process::getppid()?.as_raw_nonzero().get();
    // Whoever lost a parent gets the first process, which starts no program of ours.
    ProcessIdentity::of(u32::try_from(pid).ok().filter(|pid| *pid > 1)?)
}

/// Returns the space of process numbers that this process sees. It never changes in a process's life.
fn own_namespace() -> Option<u64> {
    static OWN: OnceLock<Option<u64>> = OnceLock::new();
    *OWN.get_or_init(|| Some(fs::metadata("/proc/self/ns/pid").ok()?.ino()))
}

/// Returns the live descendants of a process, found by parents, whatever group or session they are in.
///
/// Only Linux tells; elsewhere the list is empty.
pub fn descendants(root: u32) -> Vec<ProcessIdentity> {
    if root == std::process::id() && !has_children() {
        // Reading every process of the machine takes milliseconds, and each run ends with this question.
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let all: Vec<(u32, Stat)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
        .collect();
    let boot = clock::boot_id();
    let mut found: Vec<ProcessIdentity> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, stat) in all
            .iter()
            .filter(|(pid, stat)| stat.parent == parent && *pid != parent)
        {
            if !found.iter().any(|known| known.pid == *pid) {
                parents.push(*pid);
                found.push(ProcessIdentity {
                    pid: *pid,
                    start: stat.start,
                    boot: boot.clone(),
                    namespace: own_namespace(),
                });
            }
        }
    }
    found
}

/// Tells whether this process has a child, dead or alive, of which nobody has taken note yet. Reaps none.
///
/// Whoever has a descendant has a child: the first link of the chain.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, options), Err(Errno::CHILD))
}

/// Returns the live processes in whose environment this variable names this folder or one below it, whoever their parents
/// are now.
///
/// Only Linux tells, and only of processes of the same user; elsewhere the list is empty. This process is never in it: it
/// may itself be a command of the run that is looked at.
pub fn with_folder(name: &str, folder: &Path) -> Vec<ProcessIdentity> {
    let wanted = [name.as_bytes(), b"=", folder.as_os_str().as_encoded_bytes()].concat();
    let is_wanted = |pair: &[u8]| {
        let below = pair.strip_prefix(wanted.as_slice());
        below.is_some_and(|below| below.is_empty() || below.starts_with(b"/"))
    };
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(is_wanted))
        })
        .filter_map(ProcessIdentity::of)
        .collect()
}

/// The three facts of `/proc/<pid>/stat` that are used here.
struct Stat {
    state: u8,
    parent: u32,
    start: u64,
}

impl Stat {
    /// Reads once: the facts stand in the first 600 bytes, and the kernel makes the line anew for each reader.
    fn read(pid: u32) -> Option<Self> {
        let mut line = [0; 1024];
        let mut file = fs::File::open(format!("/proc/{pid}/stat")).ok()?;
        let bytes = file.read(&mut line).ok()?;
        Self::parse(&line[..bytes])
    }

    /// Fields are counted from the last `)`, since a program's name may hold anything, parentheses too.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let after = bytes.iter().rposition(|byte| *byte == b')')? + 1;
        let text = std::str::from_utf8(&bytes[after..]).ok()?;
        let mut fields = text.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let start = fields.nth(17)?.parse().ok()?;
        Some(Self { state, parent, start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_named_like_a_stat_line_is_read_right() {
        let line = b"42 (a) R 1) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.state, stat.parent, stat.start), (b'S', 7, 98_765));
    }

    #[test]
    fn a_reused_number_is_not_the_process() {
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert!(
            !ProcessIdentity {
                start: me.start + 1,
                ..me.clone()
            }
            .is_alive()
        );
        assert!(
            !ProcessIdentity {
                boot: "another".into(),
                ..me.clone()
            }
            .is_alive()
        );
        let other = own_namespace().map(|own| own + 1);
        if other.is_some() {
            assert!(
                !ProcessIdentity {
                    namespace: other,
                    ..me
                }
                .is_alive(),
                "of another container"
            );
        }
    }

    #[test]
    fn a_note_of_an_older_version_is_still_a_process() {
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        let old = format!(
            r#"{{"pid":{},"start":{},"boot":"{}"}}"#,
            me.pid, me.start, me.boot
        );
        let read: ProcessIdentity = serde_json::from_str(&old).unwrap();
        assert!(read.is_alive());
    }

    #[test]
    fn descendants_in_other_sessions_are_found() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "setsid sleep 30 & wait"])
            .stdin(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut found = Vec::new();
        while found.is_empty() && std::time::Instant::now() < deadline {
            found = descendants(child.id());
            std::thread::yield_now();
        }
        let of_us: Vec<u32> = descendants(std::process::id())
            .iter()
            .map(|below| below.pid)
            .collect();
        for process in &found {
            process.signal(Signal::KILL);
        }
        let _ = child.kill();
        let _ = child.wait();
        assert!(!found.is_empty());
        assert!(
            of_us.contains(&child.id()) && of_us.contains(&found[0].pid),
            "{of_us:?}"
        );
    }
}
