//! The check of a peer that is not tried against a model of ours: whether it still knows every flag that is sent to it.
//!
//! The program is started with the arguments of a paid run, in a home of its own and without a prompt, at which it ends before
//! it asks anybody.

use std::path::Path;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{Effort, ModelName, ThreadId};
use crate::domain::tier::{Isolation, Tools};
use crate::peer::exec::{Access, Exec, Schema};
use crate::run::contract::check::{Check, CheckOutcome, Report};
use crate::run::masking::mask;
use crate::run::program::Program;
use crate::state::store::Store;
use crate::sys::process::run_captured;

/// Bytes that the program may print; it prints one line.
const OUTPUT_BYTES: usize = 64 * 1024;
/// Characters kept of what it said.
const SAID_CHARS: usize = 200;

/// The runs whose arguments are tried: together they have every flag.
const RUNS: [&str; 3] = ["read", "edit", "resume"];

/// Tries the arguments of each kind of run.
///
/// # Errors
/// When the check itself cannot be made.
pub(super) async fn check(
    environment: &Environment,
    config: &Config,
    store: &Store,
    program: &Program,
) -> Result<Report, Fault> {
    let home = store.folder("version-home")?;
    let empty = store.folder("empty")?;
    let environment = environment.clone().with(program.peer.home_variable(), home);
    let mut report = Report::default();
    for run in RUNS {
        let arguments = program.peer.arguments(&exec(run, &empty));
        let invocation = program.invocation(arguments, &empty, config, &environment);
        let outcome = match run_captured(&invocation, b"", limits::PROBE_TIMEOUT, OUTPUT_BYTES).await {
            Ok(captured) => judge(program, &String::from_utf8_lossy(&captured.stderr)),
            Err(error) => CheckOutcome::NotChecked {
                why: error.to_string(),
            },
        };
        report.checks.push(Check {
            name: format!("{run}_flags"),
            guarantee: format!("every flag of a run is known: {run}"),
            outcome,
        });
    }
    Ok(report)
}

/// Judges what the program said of a run without a prompt: that it has none, if it understood the rest.
fn judge(program: &Program, stderr: &str) -> CheckOutcome {
    let line = stderr
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    if program.peer.misses_only_a_prompt(stderr) {
        CheckOutcome::Held
    } else {
        CheckOutcome::Broken {
            seen: mask(line).chars().take(SAID_CHARS).collect(),
        }
    }
}

fn exec(run: &str, directory: &Path) -> Exec {
    let thread = ThreadId::of(run);
    let edits = run == "edit";
    Exec {
        access: if edits {
            Access::Write {
                top: directory.to_owned(),
                network: false,
            }
        } else {
            Access::Read
        },
        directory: directory.to_owned(),
        resume: (run == "resume").then(|| thread.clone()),
        fork: false,
        roots: Vec::new(),
        session: thread,
        record: None,
        model: ModelName::try_from("sonnet".to_owned()).ok(),
        effort: Effort::try_from("low".to_owned()).ok(),
        schema: Some(Schema {
            path: directory.join("schema.json"),
            text: r#"{"type":"object","properties":{}}"#.to_owned(),
        }),
        last_message: directory.join("last"),
        isolation: Isolation::Clean,
        project: directory.to_owned(),
        servers: Vec::new(),
        tools: Tools::Files,
        web_search: run == "read",
        ephemeral: edits,
        withheld: vec![".env".to_owned()],
        budget_microusd: Some(1_000_000),
        max_turns: Some(1),
        counts_tokens: true,
    }
}
