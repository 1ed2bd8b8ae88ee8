//! Damaged stores as a part of the harness: every verb is asked about each of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::mutate;
use crate::parts::{Asked, Length, Report};
use crate::{PLAN_VARIABLE, world};

/// Stores of the short run: enough that every kind of damage is among them.
const SHORT: u64 = 150;
/// Stores of the long run: enough that a record is cut at each of its bytes.
const LONG: u64 = 5_000;

/// Damages stores and tells what came of it.
pub fn run(asked: &Asked) -> Report {
    let count = asked.rounds.unwrap_or(match asked.length {
        Length::Short => SHORT,
        Length::Long => LONG,
    });
    let folder = tempfile::tempdir().expect("a folder can be made");
    let program = program(folder.path());
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let summary = mutate::run(&program, count, asked.seed);
    println!("\n{summary}");
    let mut report = Report::default();
    let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    report.count("stores", whole(summary.stores));
    report.count("calls answered", whole(summary.calls));
    report.count("cuts of a record", whole(summary.cuts.0));
    report.count("of", whole(summary.cuts.1));
    report.count("records counted as unreadable", whole(summary.unread));
    report.count("records moved aside", whole(summary.quarantined));
    let longest = u64::try_from(summary.longest().as_millis()).unwrap_or(u64::MAX);
    report.count("longest answer, ms", longest);
    for finding in &summary.findings {
        report.violation(None, finding.clone());
    }
    if summary.found > summary.findings.len() {
        report.violation(None, format!("{} findings in all", summary.found));
    }
    if summary.longest() >= world::PATIENCE {
        report.violation(None, "a verb took a minute");
    }
    report
}

/// Writes a program that is crosscheck with a plan of no faults.
fn program(folder: &Path) -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let program = folder.join("crosscheck");
    fs::write(folder.join("plan"), "").expect("a plan can be written");
    let script = format!(
        "#!/bin/sh\n{PLAN_VARIABLE}='{}' exec '{}' \"$@\"\n",
        folder.display(),
        own.display()
    );
    fs::write(&program, script).expect("a script can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    program
}
