//! Failing operations: the first, second, third … operation of each kind fails, once or from then on, in the server or in
//! the worker, until a run in which there is no such operation any more. After each the disk heals, the same call is
//! repeated under its key, a new one is made, and the disk is audited.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::disk_case;
use crate::parts::{Asked, Length, Report};
use crate::random::Random;
use crate::world::World;

/// Series that run side by side.
const THREADS: usize = 2;
/// Failures of the short version.
const SAMPLE: u64 = 150;
/// A series that has not ended here would never end.
const MOST: u64 = 400;

const OPERATIONS: [&str; 7] = ["open", "write", "sync", "rename", "mkdir", "lock", "spawn"];
/// EIO, ENOSPC, EDQUOT, EMFILE, EROFS on Linux.
const ERRNOS: [i32; 5] = [5, 28, 122, 24, 30];
const ROLES: [&str; 2] = ["server", "worker"];

/// What is done while the operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A consult is asked and waited for.
    Consult,
    /// A review is asked and waited for.
    Review,
    /// A running consult is cancelled.
    Cancel,
}

/// For how long it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// This once.
    Once,
    /// From then on, until the disk heals.
    FromThenOn,
}

/// One kind of failure; its place in the order of operations is not part of it.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// What fails.
    pub operation: &'static str,
    /// With which error number.
    pub errno: i32,
    /// In whom.
    pub role: &'static str,
    /// During what.
    pub act: Act,
    /// For how long.
    pub spread: Spread,
}

/// Lists all series. Their places are the numbers of the cases.
fn all() -> Vec<Series> {
    let mut all = Vec::new();
    for act in [Act::Consult, Act::Review, Act::Cancel] {
        for role in ROLES {
            for operation in OPERATIONS {
                for errno in ERRNOS {
                    for spread in [Spread::Once, Spread::FromThenOn] {
                        all.push(Series {
                            operation,
                            errno,
                            role,
                            act,
                            spread,
                        });
                    }
                }
            }
        }
    }
    all
}

/// Runs the series, or a sample of them.
pub fn run(asked: &Asked) -> Report {
    let series = all();
    let work: Vec<(usize, Option<u64>)> = match (asked.case, asked.length) {
        (Some(case), _) => vec![(usize::try_from(case).unwrap_or(usize::MAX), None)],
        (None, Length::Long) => (0..series.len()).map(|number| (number, None)).collect(),
        (None, Length::Short) => sample(asked, &series),
    };
    let (next, total) = (
        AtomicUsize::new(0),
        Mutex::new((Report::default(), BTreeMap::new())),
    );
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let world = World::new();
                loop {
                    let Some((number, nth)) = work.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    let Some(one) = series.get(*number) else { return };
                    let (report, largest) = run_series(&world, *number as u64, *one, *nth);
                    let mut total = total.lock().expect("nothing panics while it is held");
                    total.0.merge(report);
                    let most: &mut u64 = total.1.entry((one.operation, one.role)).or_default();
                    *most = largest.max(*most);
                }
            });
        }
    });
    let (mut report, most) = total.into_inner().expect("nothing panicked");
    if asked.case.is_none() {
        report.count("file systems without locks", 1);
        for what in disk_case::without_locks(&World::new()) {
            report.violation(None, what);
        }
    }
    report.count("operations", OPERATIONS.len() as u64);
    report.count("error numbers", ERRNOS.len() as u64);
    for ((operation, role), most) in most {
        report.count(largest_name(operation, role), most);
    }
    report
}

/// Chooses failures; a place at which there is no such operation is one that missed.
fn sample(asked: &Asked, series: &[Series]) -> Vec<(usize, Option<u64>)> {
    let mut random = Random::new(asked.seed, 0xD15C);
    (0..asked.rounds.unwrap_or(SAMPLE))
        .map(|_| {
            let number = usize::try_from(random.below(series.len() as u64)).unwrap_or(0);
            (number, Some(1 + random.below(usual_places(series[number]))))
        })
        .collect()
}

/// Returns about how many such operations a call has. The long version counts them; this only chooses.
fn usual_places(series: Series) -> u64 {
    match (series.operation, series.role) {
        ("open", "server") => 60,
        ("open", _) => 11,
        ("mkdir" | "write", "server") => 6,
        ("write", _) => 9,
        ("sync", _) => 5,
        ("rename", "server") => 3,
        ("lock", "server") => 10,
        _ => 1,
    }
}

/// Runs one series to its end, or one place of it. Also returns the largest place at which something failed.
fn run_series(world: &World, number: u64, series: Series, only: Option<u64>) -> (Report, u64) {
    let mut report = Report::default();
    let mut largest = 0;
    let places = only.map_or(1..=MOST, |nth| nth..=nth);
    for nth in places {
        let outcome = disk_case::run(world, series, nth);
        if !outcome.fired {
            report.count("runs without a failure", 1);
            break;
        }
        largest = nth;
        report.count("failures", 1);
        report.count(outcome.told, 1);
        for what in outcome.violations {
            report.violation(Some(number), format!("{series:?}, place {nth}: {what}"));
        }
    }
    if largest == MOST {
        report.violation(Some(number), format!("{series:?} does not end"));
    }
    (report, largest)
}

/// Returns the line of the table that tells the largest place of an operation.
fn largest_name(operation: &str, role: &str) -> &'static str {
    match (operation, role) {
        ("open", "server") => "largest place, open, server",
        ("open", _) => "largest place, open, worker",
        ("write", "server") => "largest place, write, server",
        ("write", _) => "largest place, write, worker",
        ("sync", "server") => "largest place, sync, server",
        ("sync", _) => "largest place, sync, worker",
        ("rename", "server") => "largest place, rename, server",
        ("rename", _) => "largest place, rename, worker",
        ("mkdir", "server") => "largest place, mkdir, server",
        ("mkdir", _) => "largest place, mkdir, worker",
        ("lock", "server") => "largest place, lock, server",
        ("lock", _) => "largest place, lock, worker",
        ("spawn", "server") => "largest place, spawn, server",
        _ => "largest place, spawn, worker",
    }
}
