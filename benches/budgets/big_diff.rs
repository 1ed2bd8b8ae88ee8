//! How long the preview of a review takes when the change is large, against git alone.

use std::fmt::Write;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crosscheck::model::{Reply, Turn};
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::host::Host;
use crate::others;
use crate::table::Row;
use crate::world::World;

/// Changed files.
const FILES: usize = 2_000;
/// Lines of each; every one is changed, so it is in the diff twice.
const LINES: usize = 100;
/// Previews, after one that fills the caches.
const PREVIEWS: usize = 5;

/// Measures `dry_run tool=review` of the working tree.
pub(crate) fn measure() -> Vec<Row> {
    let world = World::new(|_: &Turn| Reply::text("It is."));
    world.git(&["init", "-q"]);
    write_files(&world, "old");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    write_files(&world, "new");
    let mut host = world.server();
    let mut other =
        others::codex_in_claude().map(|other| (other.name, Host::start(others::configured(other, &world))));
    let (mut ours, mut raw, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut refused) = (0, false);
    for run in 0..=PREVIEWS {
        let (raw_time, raw_bytes) = git_diff(&world);
        let (our_time, our_refused) = preview(&mut host);
        // Once: the other one takes many seconds.
        let other_time = other.as_mut().filter(|_| run == PREVIEWS).map(|(_, host)| {
            let begun = Instant::now();
            host.call_ok(
                "codex_dry_run",
                &json!({"scope": "working_tree", "workspace_root": world.home.work()}),
            );
            begun.elapsed()
        });
        (bytes, refused) = (raw_bytes, our_refused);
        if run > 0 {
            raw.push(raw_time);
            ours.push(our_time);
            theirs.extend(other_time);
        }
    }
    let (ours, raw) = (Figure::of_times(&ours), Figure::of_times(&raw));
    let outcome = if refused {
        "refused with the plan, being too large for one prompt"
    } else {
        "planned whole"
    };
    let remark = format!(
        "{:.1} x raw; {} MB of diff, {outcome}",
        ours.median() / raw.median(),
        bytes / 1_000_000
    );
    let mut row = Row::new("dry run of a 20 MB diff", "1.5 x raw `git diff`", &ours)
        .remark(&remark)
        .beside("raw `git diff`", &raw);
    if let Some((name, _)) = other {
        row = row.beside(name, &Figure::of_times(&theirs));
    }
    vec![row]
}

fn write_files(world: &World, prefix: &str) {
    for file in 0..FILES {
        let folder = world.home.work().join(format!("src/part{}", file % 50));
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

/// Runs `git diff` as the user would, and takes all of its output.
pub(crate) fn git_diff(world: &World) -> (Duration, usize) {
    let mut command = world.home.command("git");
    command.args(["--no-pager", "diff", "HEAD"]).stdin(Stdio::null());
    let begun = Instant::now();
    let output = command.output().unwrap();
    let time = begun.elapsed();
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
    (time, output.stdout.len())
}

/// Returns how long the preview took, and whether it was a refusal, which must then carry a way on.
fn preview(host: &mut Host) -> (Duration, bool) {
    let begun = Instant::now();
    let answer: Value = host.call(
        "dry_run",
        &json!({"tool": "review", "arguments": {"scope": "working_tree"}}),
    );
    let time = begun.elapsed();
    let refused = answer["ok"] != true;
    if refused {
        assert_eq!(answer["error"]["code"], "input_too_large", "{answer:#}");
        assert!(answer["error"]["repair"]["hint"].is_string(), "{answer:#}");
    }
    (time, refused)
}
