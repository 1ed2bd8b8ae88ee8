//! Prints what the program costs, beside what other bridges cost in the same run.
//!
//! `cargo bench` measures everything; `cargo bench -- NAME...` only the measures whose names contain one of the words.
//! Nothing here judges a time: a slow machine prints large figures. What does not work at all ends the run loudly.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop where it stands"
)]
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

#[path = "budgets/added.rs"]
mod added;
#[path = "budgets/big_diff.rs"]
mod big_diff;
#[path = "budgets/calls.rs"]
mod calls;
#[path = "budgets/claude.rs"]
mod claude;
#[path = "budgets/figure.rs"]
mod figure;
#[path = "budgets/files.rs"]
mod files;
#[path = "budgets/host.rs"]
mod host;
#[path = "budgets/idle.rs"]
mod idle;
#[path = "budgets/job_list.rs"]
mod job_list;
#[path = "budgets/machine.rs"]
mod machine;
#[path = "budgets/many_findings.rs"]
mod many_findings;
#[path = "budgets/memory.rs"]
mod memory;
#[path = "budgets/others.rs"]
mod others;
#[path = "budgets/planning.rs"]
mod planning;
#[path = "budgets/running.rs"]
mod running;
#[path = "budgets/table.rs"]
mod table;
#[path = "budgets/tokens.rs"]
mod tokens;
#[path = "budgets/worktrees.rs"]
mod worktrees;
#[path = "budgets/world.rs"]
mod world;

#[path = "../tests/support/mod.rs"]
mod support;

use crate::table::Row;

/// A measure: its name for the command line, and what it does.
type Measure = (&'static str, fn() -> Vec<Row>);

/// All measures, in the order of the table.
const MEASURES: [Measure; 13] = [
    ("start", idle::measure),
    ("calls", calls::measure),
    ("added", added::measure),
    ("claude", claude::measure),
    ("running", running::measure),
    ("jobs", job_list::measure),
    ("diff", big_diff::measure),
    ("planning", planning::measure),
    ("findings", many_findings::measure),
    ("worktree", worktrees::measure),
    ("scan", files::measure_scan),
    ("tokens", tokens::measure),
    ("size", files::measure_size),
];

fn main() {
    // cargo passes `--bench`; only plain words are ours.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    println!("{}", machine::line());
    println!("{}", table::HEAD);
    for (name, measure) in MEASURES {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            for row in measure() {
                println!("{row}");
            }
        }
    }
    println!("\n{}", machine::line());
}
