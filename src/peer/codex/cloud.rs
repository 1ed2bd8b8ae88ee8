//! `codex cloud`: its arguments, and what its answers mean.
//!
//! Owns every word, flag and shape of it, and starts nothing. It never names `cloud apply`, which writes conflict markers and
//! an index into the folder that it runs in. What is believed here was seen with codex-cli 0.169.0: the flags and the answers
//! of somebody who is not signed in with the program itself, the answers of the service in recordings;
//! `the_real_program_knows_what_it_is_started_with` pins the former.
//!
//! Two traps decide the form of all of it: an exit code says nothing (a pending task and a broken connection are both 1), and
//! what is printed after an error may be a whole page of somebody's HTML.

use std::ffi::OsString;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::domain::runner::{TaskId, TaskStatus};
use crate::peer::ended::End;

/// How the address of a task begins.
const TASK_URL: &str = "https://chatgpt.com/codex/tasks/";
/// Characters of the service's own words that are repeated: one line of people's length.
const SAID_CHARS: usize = 200;
/// Tasks on one page of the list; the command takes 1 to 20.
pub const PAGE: usize = 20;

/// Returns the arguments that hand a task over; the prompt goes to standard input.
pub fn submit_arguments(environment: &str, branch: &str, attempts: u32) -> Vec<OsString> {
    // Joined with `=`, so that no value is ever taken for a flag. Without a branch codex asks the git of the folder it runs in.
    [
        "cloud".to_owned(),
        "exec".to_owned(),
        format!("--env={environment}"),
        format!("--branch={branch}"),
        format!("--attempts={attempts}"),
        "-".to_owned(),
    ]
    .map(OsString::from)
    .into()
}

/// Returns the arguments that ask for the state of a task.
pub fn status_arguments(task: &TaskId) -> Vec<OsString> {
    ["cloud", "status", "--", task.as_str()]
        .map(OsString::from)
        .into()
}

/// Returns the arguments that ask for the diff of one attempt, from 1. Never without its number: then the diff of another
/// attempt stands in for one that is absent, and nothing says so.
pub fn diff_arguments(task: &TaskId, attempt: u32) -> Vec<OsString> {
    let attempt = format!("--attempt={attempt}");
    ["cloud", "diff", &attempt, "--", task.as_str()]
        .map(OsString::from)
        .into()
}

/// Returns the arguments that ask for a page of the list, of one environment or of all.
pub fn list_arguments(environment: Option<&str>, limit: usize, cursor: Option<&str>) -> Vec<OsString> {
    let mut arguments = vec![
        "cloud".to_owned(),
        "list".to_owned(),
        "--json".to_owned(),
        format!("--limit={}", limit.clamp(1, PAGE)),
    ];
    arguments.extend(environment.map(|environment| format!("--env={environment}")));
    arguments.extend(cursor.map(|cursor| format!("--cursor={cursor}")));
    arguments.into_iter().map(OsString::from).collect()
}

/// Returns the address at which a person finds a task.
pub fn task_url(task: &TaskId) -> String {
    format!("{TASK_URL}{task}")
}

/// What one command printed and how it ended.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a> {
    /// How it ended.
    pub end: End,
    /// Its standard output.
    pub stdout: &'a [u8],
    /// Its standard error.
    pub stderr: &'a [u8],
}

/// Why a command gave no answer about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub kind: TroubleKind,
    /// One line for people. The body of an answer is no part of it.
    pub said: String,
}

/// What kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nobody is signed in with the account that it takes.
    SignedOut,
    /// The service refuses this account.
    Refused,
    /// The service does not know the environment, or the account has none.
    NoEnvironment,
    /// The service does not know the task.
    Gone,
    /// It could not be reached, or failed.
    Unanswered,
    /// It said something that is not understood.
    Unreadable,
}

impl TroubleKind {
    /// Tells whether no other task can be asked about either.
    pub fn is_of_all(self) -> bool {
        match self {
            Self::SignedOut | Self::Refused | Self::Unanswered | Self::Unreadable => true,
            Self::Gone | Self::NoEnvironment => false,
        }
    }
}

/// What became of handing a task over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The service has it.
    Task(TaskId),
    /// It certainly has not.
    NotSent(Trouble),
    /// Nobody can tell.
    Unknown(String),
}

/// What came of asking for a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The diff as it was printed.
    Diff(Vec<u8>),
    /// The attempt has none: it changed nothing, or is not done.
    None(String),
    /// There are fewer attempts.
    NoSuchAttempt(String),
}

/// One task of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The task.
    pub task: TaskId,
    /// Its state.
    pub status: TaskStatus,
    /// The id and the label of its environment, as far as they are told.
    pub environment: (Option<String>, Option<String>),
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The tasks, those that can be read.
    pub tasks: Vec<Listed>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// Finds the task that was made in what `codex cloud exec` has printed so far. A line without its end may be half an address.
pub fn parse_task_url(stdout: &[u8]) -> Option<TaskId> {
    let whole = stdout.iter().rposition(|byte| *byte == b'\n')?;
    let text = String::from_utf8_lossy(&stdout[..whole]);
    text.lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(TASK_URL)?.parse().ok())
}

/// Says what became of handing a task over.
pub fn parse_submitted(printed: Printed<'_>) -> Submitted {
    if let Some(task) = parse_task_url(printed.stdout) {
        return Submitted::Task(task);
    }
    let stderr = String::from_utf8_lossy(printed.stderr);
    let trouble = trouble(&stderr, printed.stdout);
    let not_sent = match trouble.kind {
        TroubleKind::SignedOut | TroubleKind::NoEnvironment => true,
        // Environments are asked for first and the task is sent then. A task that was refused was not made.
        TroubleKind::Refused | TroubleKind::Gone | TroubleKind::Unanswered | TroubleKind::Unreadable => {
            http_failure(&stderr).is_some_and(|failure| {
                failure.is_get || (400..500).contains(&failure.status) && failure.status != 408
            }) || is_usage_error(printed.end, &stderr)
                || stderr
                    .lines()
                    .any(|line| line.contains("must use a trusted HTTPS origin"))
        }
    };
    if not_sent {
        Submitted::NotSent(trouble)
    } else {
        Submitted::Unknown(trouble.said)
    }
}

/// Reads the state of a task. The words count; the exit code is 1 for a task that is pending as well.
pub fn parse_status(printed: Printed<'_>) -> Result<TaskStatus, Trouble> {
    let text = String::from_utf8_lossy(printed.stdout);
    let first = text.lines().map(str::trim_start).find(|line| !line.is_empty());
    let word = first.and_then(|line| line.strip_prefix('[')?.split_once(']'));
    match word.and_then(|(word, _)| status_of(word)) {
        Some(status) => Ok(status),
        None => Err(trouble(&String::from_utf8_lossy(printed.stderr), printed.stdout)),
    }
}

/// Reads a diff.
pub fn parse_diff(printed: Printed<'_>) -> Result<Fetched, Trouble> {
    let stderr = String::from_utf8_lossy(printed.stderr);
    if printed.end == End::Exited(0) && is_diff(printed.stdout) {
        return Ok(Fetched::Diff(printed.stdout.to_vec()));
    }
    let error = first_error(&stderr).unwrap_or_default();
    if error.starts_with("No diff available for task") {
        return Ok(Fetched::None(short(error)));
    }
    if error.starts_with("Attempt ") && error.contains(" not available") {
        return Ok(Fetched::NoSuchAttempt(short(error)));
    }
    Err(trouble(&stderr, printed.stdout))
}

/// Reads a page of the list. What of it is not understood is left out.
pub fn parse_list(printed: Printed<'_>) -> Result<Page, Trouble> {
    let page = serde_json::from_slice::<Value>(printed.stdout).ok();
    let tasks = page.as_ref().and_then(|page| page.get("tasks")?.as_array());
    let Some(tasks) = tasks else {
        return Err(trouble(&String::from_utf8_lossy(printed.stderr), printed.stdout));
    };
    let text = |task: &Value, name: &str| task.get(name).and_then(Value::as_str).map(str::to_owned);
    let read = |task: &Value| {
        Some(Listed {
            task: text(task, "id")?.parse().ok()?,
            status: status_of(&text(task, "status")?)?,
            environment: (text(task, "environment_id"), text(task, "environment_label")),
        })
    };
    Ok(Page {
        tasks: tasks.iter().filter_map(read).collect(),
        cursor: page.as_ref().and_then(|page| text(page, "cursor")),
    })
}

fn status_of(word: &str) -> Option<TaskStatus> {
    match word.to_ascii_lowercase().as_str() {
        "pending" => Some(TaskStatus::Pending),
        "ready" => Some(TaskStatus::Ready),
        "applied" => Some(TaskStatus::Applied),
        "error" => Some(TaskStatus::Error),
        _ => None,
    }
}

/// Tells whether this begins as a diff of git does.
fn is_diff(stdout: &[u8]) -> bool {
    let start = stdout.trim_ascii_start();
    start.starts_with(b"diff --git ") || start.starts_with(b"--- ")
}

/// An answer of HTTP that codex tells as an error.
struct HttpFailure {
    is_get: bool,
    status: u16,
}

fn http_failure(stderr: &str) -> Option<HttpFailure> {
    // The method and the address stand before the status, and a body may follow: only the line's beginning is ours to read.
    static STATUS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:[a-z _]{0,80}: ?){0,4}(GET|POST) https://\S{1,400} failed: ([1-5][0-9]{2})\b")
            .expect("the pattern is a constant that a test compiles")
    });
    // Where no address is told.
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^http error: ([a-z_]{1,60}) failed: ([1-5][0-9]{2})\b")
            .expect("the pattern is a constant that a test compiles")
    });
    let line = first_error(stderr)?;
    let (found, is_get) = if let Some(found) = STATUS.captures(line) {
        let is_get = &found[1] == "GET";
        (found, is_get)
    } else {
        let found = BARE.captures(line)?;
        let is_get = &found[1] != "create_task";
        (found, is_get)
    };
    let status = found[2].parse().ok()?;
    Some(HttpFailure { is_get, status })
}

/// Returns the first line that codex calls an error, without that word. What follows may be a body that says anything.
fn first_error(stderr: &str) -> Option<&str> {
    stderr.lines().find_map(|line| {
        line.strip_prefix("Error: ")
            .or_else(|| line.strip_prefix("error: "))
    })
}

fn is_usage_error(end: End, stderr: &str) -> bool {
    end == End::Exited(2) && stderr.lines().any(|line| line.starts_with("error: "))
}

/// Says why there is no answer.
fn trouble(stderr: &str, stdout: &[u8]) -> Trouble {
    let told = |kind, said: &str| Trouble {
        kind,
        said: said.to_owned(),
    };
    if stderr.lines().any(|line| line.starts_with("Not signed in")) {
        return told(TroubleKind::SignedOut, "nobody is signed in with ChatGPT");
    }
    if let Some(failure) = http_failure(stderr) {
        let status = failure.status;
        return match status {
            401 => told(
                TroubleKind::SignedOut,
                "the service does not accept the login (401)",
            ),
            403 => told(TroubleKind::Refused, "the service refuses this account (403)"),
            404 => told(TroubleKind::Gone, "the service does not know it (404)"),
            429 => told(
                TroubleKind::Unanswered,
                "the service wants to be asked less often (429)",
            ),
            _ => told(
                TroubleKind::Unanswered,
                &format!("the service answers with {status}"),
            ),
        };
    }
    match first_error(stderr) {
        Some(line)
            if line.starts_with("environment ") && line.contains(" not found")
                || line.starts_with("environment label ")
                || line.starts_with("no cloud environments") =>
        {
            Trouble {
                kind: TroubleKind::NoEnvironment,
                said: short(line),
            }
        }
        Some(line) => Trouble {
            kind: TroubleKind::Unanswered,
            said: short(line),
        },
        None if stdout.trim_ascii().is_empty() => told(TroubleKind::Unreadable, "it says nothing"),
        None => told(TroubleKind::Unreadable, "its answer is not understood"),
    }
}

/// Cuts a line to what people read. What may hold a body is left out.
fn short(line: &str) -> String {
    let head = ["; content-type=", "; body="]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min()
        .map_or(line, |at| &line[..at]);
    head.chars()
        .filter(|c| !c.is_control())
        .take(SAID_CHARS)
        .collect()
}

#[cfg(test)]
#[path = "cloud_tests.rs"]
mod tests;
