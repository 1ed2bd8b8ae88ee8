//! What a consult takes beyond the `codex exec` inside it.
//!
//! Both sides use the same codex, configuration, arguments, prompt and model, which answers at once. They take turns, so
//! that what else the machine does meets both.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crosscheck::model::{Reply, Turn};
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::host::Host;
use crate::others;
use crate::table::Row;
use crate::world::World;

/// Runs of each side.
const RUNS: usize = 20;
/// Runs before, which fill the caches of either side.
const WARM_UP: usize = 2;
/// What is asked.
const QUESTION: &str = "Is this a question?";

/// Measures ours, the bare run and the one other bridge that can be measured.
pub(crate) fn measure() -> Vec<Row> {
    let world = World::new(|_: &Turn| Reply::text("It is."));
    let mut ours = world.server();
    let mut other =
        others::codex_in_claude().map(|other| (other.name, Host::start(others::configured(other, &world))));
    let (mut bare_times, mut our_times, mut other_times) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..WARM_UP + RUNS {
        let consult = timed(|| {
            let answer = ours.call_ok("consult", &json!({"prompt": QUESTION}));
            assert_eq!(answer["answer"], "It is.", "{answer:#}");
        });
        let mut exec = bare(&world, &mut ours);
        let prompt = newest_prompt(&world);
        let alone = timed(|| run_bare(&mut exec, &prompt));
        let theirs = other.as_mut().map(|(_, host)| {
            let arguments = json!({"question": QUESTION, "workspace_root": world.home.work()});
            timed(|| drop(host.call_ok("codex_consult", &arguments)))
        });
        if run >= WARM_UP {
            bare_times.push(alone);
            our_times.push(consult);
            other_times.extend(theirs);
        }
    }
    let bare = Figure::of_times(&bare_times);
    let ours = Figure::of_times(&our_times);
    let added = |with: &Figure| Figure::once(with.median() - bare.median(), "ms");
    let mut row = Row::new(
        "time added to a bare `codex exec`, difference of the medians",
        "30 ms",
        &added(&ours),
    );
    let mut whole = Row::new("the whole consult", "", &ours).beside("bare `codex exec`", &bare);
    if let Some((name, _)) = other {
        let theirs = Figure::of_times(&other_times);
        row = row.beside(name, &added(&theirs));
        whole = whole.beside(name, &theirs);
    }
    vec![row, whole]
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Returns the command that our worker runs, to be run by hand.
fn bare(world: &World, server: &mut Host) -> Command {
    let preview = server.call_ok(
        "dry_run",
        &json!({"tool": "consult", "arguments": {"prompt": QUESTION}}),
    );
    let scratch = world.home.private().join("bare");
    fs::create_dir_all(&scratch).unwrap();
    let arguments = preview["would_run"]["arguments"].as_array().unwrap();
    let arguments = arguments.iter().map(|argument| {
        let argument = argument.as_str().unwrap();
        match argument.strip_prefix("JOB/tmp/") {
            Some(file) => scratch.join(file).into_os_string(),
            None => argument.into(),
        }
    });
    let mut command = world.home.command(&world.codex);
    command.args(arguments).env("TMPDIR", &scratch);
    command
}

/// Returns the prompt that our newest job sent.
fn newest_prompt(world: &World) -> Vec<u8> {
    let jobs = fs::read_dir(world.home.state().join("jobs")).unwrap();
    let newest = jobs.map(|job| job.unwrap().path()).max().unwrap();
    fs::read(newest.join("prompt.txt")).unwrap()
}

fn run_bare(command: &mut Command, prompt: &[u8]) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(prompt).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let answered = output
        .stdout
        .split(|byte| *byte == b'\n')
        .any(|line| serde_json::from_slice(line).is_ok_and(|event: Value| event["item"]["text"] == "It is."));
    assert!(answered, "{output:?}");
}
