//! How a run ended, in terms of no particular peer.

use regex::Regex;

use crate::domain::fault::FaultCode;

/// How the process ended, for the classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit code.
    Exited(i32),
    /// By a signal that we did not send.
    Signaled(i32),
}

/// A run that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is.
    pub code: FaultCode,
    /// What we say about it.
    pub message: &'static str,
    /// The peer's own words, for the log and, masked, for the fault.
    pub said: Option<String>,
}

/// A pattern on a message and what it means. The order is the order of trial.
pub(super) struct Pattern {
    pub(super) regex: &'static str,
    pub(super) code: FaultCode,
    pub(super) message: &'static str,
}

/// Finds what a text says in a table of what is known.
pub(super) fn from_table(compiled: &[Regex], table: &[Pattern], text: &str) -> Option<Failure> {
    let at = compiled.iter().position(|regex| regex.is_match(text))?;
    Some(Failure {
        code: table[at].code,
        message: table[at].message,
        said: Some(text.to_owned()),
    })
}

/// Compiles a table's patterns.
pub(super) fn compile(table: &[Pattern]) -> Vec<Regex> {
    table
        .iter()
        .map(|pattern| Regex::new(pattern.regex).expect("the patterns are constants that a test compiles"))
        .collect()
}

/// Returns the last line that says something.
pub(super) fn last_line(stderr: &str) -> Option<String> {
    stderr
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}
