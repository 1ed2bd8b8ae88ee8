//! How long claude takes to ask its model: from the start of `crosscheck --peer claude consult` to the request, beside the bare
//! `claude -p` with the same arguments and prompt.
//!
//! Both sides use the same claude, and a model on loopback that notes when it was asked. They take turns, so that what else the
//! machine does meets both. Each run is a cold start of claude: it has no server that stays.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crosscheck::peer::claude::pins::VARIABLES;
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::support::home::{ANTHROPIC_KEY, Home};
use crate::support::messages::{Answer, FakeMessages, tool_names, tool_use};
use crate::support::peers;
use crate::table::Row;
use crate::world::program;

/// Runs of each side.
const RUNS: usize = 10;
/// Runs before, which fill the caches of either side.
const WARM_UP: usize = 2;
/// What is asked.
const QUESTION: &str = "Is this a question?";

/// Measures ours and the bare run.
pub(crate) fn measure() -> Vec<Row> {
    let asked: Arc<Mutex<Option<Instant>>> = Arc::default();
    let noted = Arc::clone(&asked);
    let model = FakeMessages::start(move |request| {
        noted.lock().unwrap().get_or_insert_with(Instant::now);
        if tool_names(request).contains(&"StructuredOutput") {
            Answer::Blocks(vec![tool_use("StructuredOutput", &json!({"answer": "It is."}))])
        } else {
            Answer::text("It is.")
        }
    });
    let claude = peers::claude_newest();
    let home = Home::new("http://127.0.0.1:9/v1")
        .with_variable("CROSSCHECK_CLAUDE_BIN", &claude)
        .with_variable("ANTHROPIC_BASE_URL", model.url())
        .with_variable("ANTHROPIC_API_KEY", ANTHROPIC_KEY);
    let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
    for run in 0..WARM_UP + RUNS {
        let ours = until_asked(&asked, consult(&home));
        let bare = until_asked(&asked, bare(&home, &claude));
        if run >= WARM_UP {
            our_times.push(ours);
            bare_times.push(bare);
        }
    }
    let (ours, bare) = (Figure::of_times(&our_times), Figure::of_times(&bare_times));
    let added = Figure::once(ours.median() - bare.median(), "ms");
    vec![
        Row::new(
            "time added to the cold start of `claude -p`, to the request at its model",
            "",
            &added,
        ),
        Row::new("`crosscheck --peer claude consult` to that request", "", &ours)
            .beside("bare `claude -p`", &bare),
    ]
}

/// Runs a command to its end and returns the time from its start to the first request.
fn until_asked(asked: &Mutex<Option<Instant>>, mut command: Command) -> Duration {
    *asked.lock().unwrap() = None;
    let begun = Instant::now();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let at = asked.lock().unwrap().expect("the model was asked");
    at - begun
}

fn consult(home: &Home) -> Command {
    let mut command = home.command(program());
    command.args(["--peer", "claude", "consult", QUESTION, "--json", "--workspace"]);
    command.arg(home.work()).stdin(Stdio::null());
    command
}

/// Returns the command that our worker ran last, to be run by hand with the prompt that it sent.
fn bare(home: &Home, claude: &PathBuf) -> Command {
    let mut preview = home.command(program());
    preview.args([
        "--peer",
        "claude",
        "dry-run",
        "consult",
        QUESTION,
        "--json",
        "--workspace",
    ]);
    let output = preview.arg(home.work()).output().unwrap();
    let preview: Value = serde_json::from_slice(&output.stdout).unwrap();
    let arguments = preview["would_run"]["arguments"].as_array().unwrap();
    // A session has its name once.
    let session = format!("{:08x}-0000-4000-8000-000000000000", std::process::id() ^ fresh());
    let mut command = home.command(claude);
    let mut is_session = false;
    for argument in arguments {
        let text = argument.as_str().unwrap();
        command.arg(if is_session { &session } else { text });
        is_session = text == "--session-id";
    }
    let jobs = fs::read_dir(home.state().join("jobs")).unwrap();
    let newest = jobs.map(|job| job.unwrap().path()).max().unwrap();
    let prompt = fs::File::open(newest.join("prompt.txt")).unwrap();
    command.current_dir(home.work()).stdin(prompt);
    for (name, value, _) in VARIABLES {
        command.env(name, value);
    }
    command
}

/// Returns another number each time.
fn fresh() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1 << 24);
    NEXT.fetch_add(1 << 24, Ordering::Relaxed)
}
