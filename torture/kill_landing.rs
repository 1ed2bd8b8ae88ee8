//! Landings that are broken in the middle: at each step the server is killed or told to end, or an operation on the disk
//! fails. Then everything is started again, somebody looks, and the user's files are as they were or as they landed.

use rustix::process::Signal;

use crate::landing_play::{Act, Case, Fault, Play};
use crate::parts::{Asked, Length, Report, side_by_side};

/// Cases that run side by side.
const THREADS: usize = 2;
/// A series of failures that has not ended here would never end.
const MOST: u64 = 400;
/// Places of the short run: every so manieth, up to here.
const SAMPLE_STEP: usize = 11;
const SAMPLE_MOST: u64 = 40;
/// Error numbers: EIO, ENOSPC, EROFS on Linux.
const ERRNOS: [i32; 3] = [5, 28, 30];
/// Operations that a landing does.
const OPERATIONS: [&str; 6] = ["open", "write", "sync", "rename", "mkdir", "lock"];

/// Each step, and for the how manieth time it is passed; the first row of a point is in the short run.
const SPOTS: &[(&str, Act, u64)] = &[
    ("apply.decided", Act::Land, 1),
    ("landing.checked", Act::Land, 1),
    ("landing.journaled", Act::Land, 1),
    ("landing.staging", Act::Land, 4),
    ("landing.staged", Act::Land, 1),
    ("landing.swapped", Act::Land, 6),
    ("landing.folder_made", Act::Land, 2),
    ("landing.in_place", Act::Land, 1),
    ("landing.landed", Act::Land, 1),
    ("landing.sweeping", Act::Land, 3),
    ("landing.folder_removed", Act::Undo, 1),
    ("landing.undone", Act::Undo, 1),
    ("landing.putting_back", Act::Recover, 3),
    ("landing.swapped", Act::Undo, 6),
    // The same at other files.
    ("landing.staging", Act::Land, 1),
    ("landing.swapped", Act::Land, 1),
    ("landing.swapped", Act::Land, 2),
    ("landing.swapped", Act::Land, 3),
    ("landing.swapped", Act::Land, 4),
    ("landing.swapped", Act::Land, 8),
    ("landing.swapped", Act::Land, 10),
    ("landing.folder_made", Act::Land, 1),
    ("landing.sweeping", Act::Land, 1),
    ("landing.checked", Act::Undo, 1),
    ("landing.journaled", Act::Undo, 1),
    ("landing.staging", Act::Undo, 4),
    ("landing.staged", Act::Undo, 1),
    ("landing.swapped", Act::Undo, 1),
    ("landing.swapped", Act::Undo, 3),
    ("landing.swapped", Act::Undo, 9),
    ("landing.folder_removed", Act::Undo, 2),
    ("landing.in_place", Act::Undo, 1),
    ("landing.landed", Act::Undo, 1),
    ("landing.sweeping", Act::Undo, 2),
    ("landing.putting_back", Act::Recover, 1),
    ("landing.putting_back", Act::Recover, 9),
];

/// Spots of the short run.
const SHORT: usize = 14;

/// How somebody looks when everything is started again.
const LOOKS: [&str; 4] = ["preview", "undo", "land", "delegate"];

/// Tells whether a point is one of a landing.
pub fn knows(point: &str) -> bool {
    SPOTS.iter().any(|(known, _, _)| *known == point)
}

/// Kills at every step.
pub fn run(asked: &Asked) -> Report {
    let mut cases = Vec::new();
    for (number, (point, act, nth)) in SPOTS.iter().enumerate() {
        for (at, signal) in [Signal::KILL, Signal::TERM].into_iter().enumerate() {
            for (way, look) in LOOKS.into_iter().enumerate() {
                let number = (number * 2 + at) * LOOKS.len() + way;
                let fault = Fault::Halt {
                    point,
                    nth: *nth,
                    signal,
                };
                cases.push(Case {
                    number: number as u64,
                    act: *act,
                    fault,
                    look,
                });
            }
        }
    }
    if asked.length == Length::Short && asked.case.is_none() {
        cases.truncate(SHORT * 2 * LOOKS.len());
        // Each step once with each signal; who looks goes round.
        cases.retain(|case| case.number % 4 == (case.number / 4) % 4);
    }
    cases.retain(|case| asked.wants(case.number));
    let mut report = new_report("points");
    let mut points: Vec<_> = SPOTS.iter().map(|(point, _, _)| *point).collect();
    points.sort_unstable();
    points.dedup();
    report.count("points", points.len() as u64);
    report.merge(side_by_side(&cases, THREADS, |kept, case| {
        in_a_world(kept, case, one)
    }));
    report
}

/// Lets the n-th operation fail, for each n there is.
pub fn run_disk(asked: &Asked) -> Report {
    let mut cases = Vec::new();
    for act in [Act::Land, Act::Undo] {
        for operation in OPERATIONS {
            for errno in ERRNOS {
                for stays in [false, true] {
                    let number = cases.len();
                    cases.push(Case {
                        number: number as u64,
                        act,
                        fault: Fault::Fail {
                            operation,
                            errno,
                            nth: 1,
                            stays,
                        },
                        look: LOOKS[number % LOOKS.len()],
                    });
                }
            }
        }
    }
    let every = match asked.length {
        Length::Short => 7,
        Length::Long => 1,
    };
    if asked.case.is_none() {
        cases.retain(|case| case.number % every == 0);
    }
    cases.retain(|case| asked.wants(case.number));
    let mut report = new_report("series");
    report.count("series", cases.len() as u64);
    let series = if asked.length == Length::Short && asked.case.is_none() {
        sample
    } else {
        series
    };
    report.merge(side_by_side(&cases, THREADS, |kept, case| {
        in_a_world(kept, case, series)
    }));
    report
}

fn new_report(first: &'static str) -> Report {
    let mut report = Report::default();
    for name in [
        first,
        "cases",
        "as before",
        "as landed",
        "undone afterwards",
        "landed afterwards",
    ] {
        report.count(name, 0);
    }
    report
}

/// One case.
fn one(play: &mut Play, case: Case) {
    play.run(case);
}

/// All places at which an operation can fail.
fn series(play: &mut Play, case: Case) {
    places(play, case, 1, MOST);
}

/// Some of them.
fn sample(play: &mut Play, case: Case) {
    places(play, case, SAMPLE_STEP, SAMPLE_MOST);
}

fn places(play: &mut Play, case: Case, step: usize, most: u64) {
    for place in (1..=most).step_by(step) {
        let mut case = case;
        if let Fault::Fail { nth, .. } = &mut case.fault {
            *nth = place;
        }
        if !play.run(case) {
            return;
        }
        if place == MOST {
            play.violation(case, "the series does not end");
        }
    }
}

/// Plays a case in the world that its thread keeps: a case leaves it as it found it.
fn in_a_world(kept: &mut Option<Play>, case: Case, run: fn(&mut Play, Case)) -> Report {
    let play = kept.get_or_insert_with(Play::new);
    run(play, case);
    let report = std::mem::take(&mut play.report);
    if report.is_broken() {
        *kept = None;
    }
    report
}
