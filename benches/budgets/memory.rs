//! What a process holds in memory, as Linux counts it.

use std::fs;

/// Memory of one process in kilobytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All resident pages.
    pub(crate) rss_kb: f64,
    /// The same with shared pages divided among their users.
    pub(crate) pss_kb: f64,
}

/// Reads the memory of a process of ours. Stops loudly when it is gone.
pub(crate) fn read_memory(pid: u32) -> Memory {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let field = |name: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        let value = value.unwrap_or_else(|| panic!("{path} has no {name}"));
        value.parse().unwrap()
    };
    Memory {
        rss_kb: field("Rss:"),
        pss_kb: field("Pss:"),
    }
}

/// Returns the most kilobytes that a process of ours ever had at once. Stops loudly when it is gone.
pub(crate) fn read_peak(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Returns the processes below `pid`, from the nearest to the farthest.
pub(crate) fn read_descendants(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let tasks = fs::read_dir(format!("/proc/{}/task", found[at]));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    found.remove(0);
    found
}

/// Tells the first word of a process's command line, and the second.
pub(crate) fn read_command(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}
