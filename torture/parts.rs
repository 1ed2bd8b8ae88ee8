//! The parts of the harness: which there are, which were asked for, and how what they found is told.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::{
    clients, clock, damaged, delegates, disk, full, keys, kill, kill_clouds, kill_landing, kill_random,
    mixed, queue,
};

/// One part.
pub struct Part {
    /// Its name behind `--part`.
    pub name: &'static str,
    /// What it breaks, in one line.
    pub what: &'static str,
    /// Runs it.
    pub run: fn(&Asked) -> Report,
}

/// Every part, in the order in which they run.
pub const PARTS: &[Part] = &[
    Part {
        name: "kill-points",
        what: "kills servers, workers and peers at every step of a job's life",
        run: kill::run,
    },
    Part {
        name: "kill-real",
        what: "kills workers and a real codex (--codex PATH) at the core of those steps",
        run: kill::run_real,
    },
    Part {
        name: "kill-delegates",
        what: "the same at every step of a delegate's life; what its peer left is never lost",
        run: kill::run_delegates,
    },
    Part {
        name: "kill-clouds",
        what: "kills who hands a task over, follows it or fetches it; it is sent once and its end is told",
        run: kill_clouds::run,
    },
    Part {
        name: "kill-landings",
        what: "kills servers at every step of landing, undoing and taking back; the files are as before or as landed",
        run: kill_landing::run,
    },
    Part {
        name: "disk-landings",
        what: "lets the n-th operation of a landing or an undo fail: all of it or nothing",
        run: kill_landing::run_disk,
    },
    Part {
        name: "clients",
        what: "8 servers and 32 clients on one store, with kills, against the sequential model",
        run: clients::run,
    },
    Part {
        name: "queue",
        what: "40 jobs in 3 slots while workers that hold one are killed",
        run: queue::run,
    },
    Part {
        name: "keys",
        what: "one call from 32 clients of 8 servers at once, with kills: one peer starts",
        run: keys::run,
    },
    Part {
        name: "mixed",
        what: "many jobs of every kind through one server and the terminal; then nothing is left",
        run: mixed::run,
    },
    Part {
        name: "kill-random",
        what: "kills servers, workers and peers at random instants",
        run: kill_random::run,
    },
    Part {
        name: "delegates",
        what: "delegates, groups, landings and undos of which anybody is killed at random instants",
        run: delegates::run,
    },
    Part {
        name: "disk",
        what: "lets the n-th operation on the disk fail, for each n there is",
        run: disk::run,
    },
    Part {
        name: "full-disk",
        what: "fills small file systems, takes their entries, makes them read-only",
        run: full::run,
    },
    Part {
        name: "clock",
        what: "sets clocks, starts the machine again and gives process numbers away",
        run: clock::run,
    },
    Part {
        name: "damaged",
        what: "damages records in thousands of stores and asks every verb about each",
        run: damaged::run,
    },
];

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Minutes: what runs for every change.
    Short,
    /// An hour and more: what is published for a release.
    Long,
}

/// What was asked for on the command line.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How much.
    pub length: Length,
    /// What all random choices follow from.
    pub seed: u64,
    /// Only this case, of a part that numbers its cases.
    pub case: Option<u64>,
    /// So many rounds instead of the length's own.
    pub rounds: Option<u64>,
    /// A real codex, for the part that drives one.
    pub codex: Option<PathBuf>,
    /// The parts, all when none is named.
    parts: Vec<String>,
}

impl Asked {
    /// Tells whether a case was asked for.
    pub fn wants(&self, case: u64) -> bool {
        self.case.is_none_or(|only| only == case)
    }
}

/// What a part did and found.
#[derive(Debug, Default)]
pub struct Report {
    counts: BTreeMap<&'static str, u64>,
    order: Vec<&'static str>,
    violations: Vec<(Option<u64>, String)>,
}

impl Report {
    /// Adds to a count; the table shows counts in the order in which they were first named.
    pub fn count(&mut self, what: &'static str, more: u64) {
        if !self.counts.contains_key(what) {
            self.order.push(what);
        }
        *self.counts.entry(what).or_default() += more;
    }

    /// Notes that a rule was broken, in this case where there are numbered ones.
    pub fn violation(&mut self, case: Option<u64>, what: impl Into<String>) {
        self.violations.push((case, what.into()));
    }

    /// Tells whether a rule was broken.
    pub fn is_broken(&self) -> bool {
        !self.violations.is_empty()
    }

    /// Takes over what another report has.
    pub fn merge(&mut self, other: Self) {
        for name in other.order {
            self.count(name, other.counts[name]);
        }
        self.violations.extend(other.violations);
    }

    fn print(&self, part: &Part, asked: &Asked, seconds: f64) {
        println!("\n{}: {}", part.name, part.what);
        let width = self.order.iter().map(|name| name.len()).max().unwrap_or(0);
        for name in &self.order {
            println!("  {name:<width$}  {:>8}", self.counts[name]);
        }
        println!("  {:<width$}  {:>8}", "violations", self.violations.len());
        println!("  {:<width$}  {seconds:>8.1}", "seconds");
        for (case, what) in &self.violations {
            let case = case.map(|case| format!(" --case {case}")).unwrap_or_default();
            let length = match asked.length {
                Length::Short => "--short",
                Length::Long => "--long",
            };
            println!(
                "  VIOLATION: {what}\n    again: torture {length} --part {} --seed {}{case}",
                part.name, asked.seed
            );
        }
    }
}

/// Runs what was asked for; fails when a rule was broken, or when the command line cannot be read.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let asked = match parse(arguments) {
        Ok(Some(asked)) => asked,
        Ok(None) => return ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("torture: {wrong}\nhint: torture --help");
            return ExitCode::from(2);
        }
    };
    let mut broken = 0;
    for part in PARTS {
        if !asked.parts.is_empty() && !asked.parts.iter().any(|name| name == part.name) {
            continue;
        }
        let begun = Instant::now();
        let report = (part.run)(&asked);
        report.print(part, &asked, begun.elapsed().as_secs_f64());
        broken += report.violations.len();
    }
    println!("\n{broken} violations, seed {}", asked.seed);
    if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads the command line; `None` when all it asked for was told already.
fn parse(arguments: &[OsString]) -> Result<Option<Asked>, String> {
    let mut asked = Asked {
        length: Length::Short,
        seed: 1,
        case: None,
        rounds: None,
        codex: None,
        parts: Vec::new(),
    };
    let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("`{text}` is no number"));
        match word.as_str() {
            "--short" => asked.length = Length::Short,
            "--long" => asked.length = Length::Long,
            "--seed" => asked.seed = number(value()?)?,
            "--case" => asked.case = Some(number(value()?)?),
            "--rounds" => asked.rounds = Some(number(value()?)?),
            "--codex" => asked.codex = Some(value()?.into()),
            "--part" => {
                let name = value()?;
                if !PARTS.iter().any(|part| part.name == name) {
                    return Err(format!("no part is called `{name}`"));
                }
                asked.parts.push(name);
            }
            "--list" => {
                for part in PARTS {
                    println!("{:<14} {}", part.name, part.what);
                }
                return Ok(None);
            }
            "--help" => {
                print!("{HELP}");
                return Ok(None);
            }
            _ => return Err(format!("`{word}` is not known")),
        }
    }
    Ok(Some(asked))
}

const HELP: &str = "\
Breaks things on purpose and audits the disk afterwards.

  --short        minutes (the default)
  --long         an hour and more
  --part NAME    only this part; may be repeated
  --seed N       what all random choices follow from (default 1)
  --case N       only this case of a part
  --rounds N     so many rounds instead of the length's own
  --codex PATH   a real codex, for the part that drives one
  --list         name the parts
  --help         say this

Exits with 0 when no rule was broken, 1 when one was, 2 when it cannot read its command line.
";

/// Runs cases in a few threads; each thread keeps what it makes for its first case as long as it likes.
pub fn side_by_side<C: Copy + Sync, P>(
    cases: &[C],
    threads: usize,
    run: impl Fn(&mut Option<P>, C) -> Report + Sync,
) -> Report {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut kept = None;
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = run(&mut kept, *case);
                    all.lock().expect("no case panics").merge(report);
                }
            });
        }
    });
    all.into_inner().expect("no case panics")
}
