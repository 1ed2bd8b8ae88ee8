//! How long a review of a large change is planned, up to the plan or to the fault that carries it, against git alone; and how
//! much memory the server had at most meanwhile.

use std::fmt::Write;
use std::fs;
use std::time::Instant;

use crosscheck::model::{Reply, Turn};
use serde_json::json;

use crate::big_diff::git_diff;
use crate::figure::Figure;
use crate::memory::read_peak;
use crate::table::Row;
use crate::world::World;

/// Changed files, and what the row says; each file is 2.5 kB of diff.
const CHANGES: [(usize, &str); 3] = [
    (400, "planning of a 1 MB diff, 400 files"),
    (4_000, "planning of a 10 MB diff, 4,000 files"),
    (20_000, "planning of a 50 MB diff, 20,000 files"),
];
/// Lines of a file; every one is changed, so it is in the diff twice.
const LINES: usize = 26;
/// Plans, after one that fills the caches.
const PLANS: usize = 5;

/// Measures the dry run of a review of each.
pub(crate) fn measure() -> Vec<Row> {
    CHANGES
        .iter()
        .flat_map(|(files, what)| one(*files, what))
        .collect()
}

fn one(files: usize, what: &'static str) -> [Row; 2] {
    let world = World::new(|_: &Turn| Reply::text("It is."));
    world.git(&["init", "-q"]);
    write_files(&world, files, "old");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    write_files(&world, files, "new");
    let mut host = world.server();
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    let (mut bytes, mut parts) = (0, 0);
    for run in 0..=PLANS {
        let (raw_time, raw_bytes) = git_diff(&world);
        let begun = Instant::now();
        let answer = host.call(
            "dry_run",
            &json!({"tool": "review", "arguments": {"scope": "working_tree", "depth": "deep"}}),
        );
        let our_time = begun.elapsed();
        // What does not run unasked is told with the same numbers.
        let told = [&answer["plan"]["parts"], &answer["error"]["needs"]["parts"]];
        parts = told.iter().find_map(|parts| parts.as_u64()).unwrap();
        bytes = raw_bytes;
        if run > 0 {
            raw.push(raw_time);
            ours.push(our_time);
        }
    }
    let peak = Figure::once(read_peak(host.pid()) / 1024.0, "MB");
    let (ours, raw) = (Figure::of_times(&ours), Figure::of_times(&raw));
    let remark = format!(
        "{:.1} x raw; {} MB of diff in {parts} parts",
        ours.median() / raw.median(),
        bytes / 1_000_000
    );
    let (budget, memory) = if files == CHANGES[2].0 {
        ("2 s", "150 MB")
    } else {
        ("", "")
    };
    [
        Row::new(what, budget, &ours)
            .remark(&remark)
            .beside("raw `git diff`", &raw),
        Row::new("most memory of the server meanwhile", memory, &peak),
    ]
}

fn write_files(world: &World, files: usize, prefix: &str) {
    for file in 0..files {
        let folder = world.home.work().join(format!("src/part{}", file % 200));
        fs::create_dir_all(&folder).unwrap();
        let mut text = String::new();
        for line in 0..LINES {
            writeln!(
                text,
                "    let {prefix}_value_{line} = compute(file_{file}, {line});"
            )
            .unwrap();
        }
        fs::write(folder.join(format!("file{file}.rs")), text).unwrap();
    }
}
