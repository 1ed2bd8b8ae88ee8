//! `crosscheck consult`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::commands::paid::{PaidFlags, checked_count};
use crate::cli::input::Input;
use crate::cli::streams::Device;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{ConsultKind, ConsultRequest, ReviewRequest, Subject, checked_argument};
use crate::domain::review_plan::Depth;
use crate::domain::route::words::{Guess, guess};
use crate::domain::scope::Scope;
use crate::service::call::Request;

const EXAMPLES: &str = "\
Examples:
  crosscheck consult \"Can this deadlock?\" --files src/lock.rs src/pool.rs
  crosscheck consult --kind review-plan --file plan.md
  crosscheck consult --auto \"Check what I changed\"
  crosscheck consult --resume latest \"And with two readers?\"
  git diff | crosscheck consult \"What did I miss?\" --context -

The prompt stands before --files, or behind --.";

/// How a task is done instead.
const WRITES: &str = "To have it done as a diff: crosscheck delegate TEXT";

/// Ask codex a question (paid: tokens of your account; reads only)
///
/// Codex answers in your project folder, where it can read but not write and has no network. Secrets in what is sent are
/// masked first. `crosscheck dry-run consult` shows what would be sent, for free. Ctrl-C ends the run and keeps what it
/// had said.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConsultFlags {
    /// The question; `-`, or nothing while stdin is piped, reads it from stdin
    pub(crate) prompt: Option<String>,
    /// Read the question from a file
    #[arg(long, value_name = "PROMPT_FILE", conflicts_with = "prompt")]
    pub(crate) file: Option<PathBuf>,
    /// Let the words decide: a question, or a review of what has changed; never a task
    #[arg(long, conflicts_with_all = ["kind", "files", "resume"])]
    pub(crate) auto: bool,
    /// What kind of answer
    #[arg(long, value_enum, default_value = "answer")]
    pub(crate) kind: KindFlag,
    /// What you know already; `-` reads stdin
    #[arg(long, value_name = "TEXT")]
    pub(crate) context: Option<String>,
    /// Files to send along, relative to the workspace
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) paid: PaidFlags,
}

/// The kinds of answer.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindFlag {
    /// An answer to a question
    Answer,
    /// The strongest case against what you believe
    Challenge,
    /// A structured report on a plan
    #[value(alias = "review_plan")]
    ReviewPlan,
    /// Code in blocks; nothing is written to your files
    #[value(alias = "write_code")]
    WriteCode,
}

impl ConsultFlags {
    /// Returns what is asked, and what a person is told of how it was read. With `--auto` the words decide, except that a
    /// guess which would write is only ever asked as a question: whoever wants a task done says so.
    pub(crate) fn routed(self, input: &mut Input<'_>) -> Result<(Request, Option<String>), Fault> {
        let auto = self.auto;
        let request = self.request(input)?;
        if !auto {
            return Ok((Request::Consult(request), None));
        }
        Ok(match guess(&request.prompt) {
            Guess::Ask => (
                Request::Consult(request),
                Some("read as a question: it is asked".to_owned()),
            ),
            Guess::Write => (
                Request::Consult(request),
                Some(format!(
                    "read as a task, and asked as a question: nothing is written. {WRITES}"
                )),
            ),
            Guess::Review => (
                Request::Review(ReviewRequest {
                    subject: Subject::Change(Scope::Auto),
                    paths: Vec::new(),
                    focus: Some(request.prompt),
                    context: request.context,
                    depth: Depth::UNSAID,
                    common: request.common,
                }),
                Some(
                    "read as a review of what has changed; without --auto it is asked as a question"
                        .to_owned(),
                ),
            ),
        })
    }

    /// Returns what is asked. Reads stdin or a file where the flags say so.
    pub(crate) fn request(self, input: &mut Input<'_>) -> Result<ConsultRequest, Fault> {
        checked_count("files", self.files.len(), limits::CONTEXT_FILES)?;
        let context = match self.context {
            Some(text) => {
                let text = input.text("context", text)?;
                Some(checked_argument("context", text)?)
            }
            None => None,
        };
        let prompt = match (self.prompt, self.file) {
            (Some(text), _) => input.text("prompt", text)?,
            (None, Some(path)) => input.file("prompt", &path)?,
            (None, None) if input.stdin_device == Device::Other => input.stdin("prompt")?,
            (None, None) => {
                return Err(Fault::argument("prompt", "there is no prompt")
                    .hint("pass it before --files or behind --, with --file, or on stdin"));
            }
        };
        Ok(ConsultRequest {
            prompt: checked_argument("prompt", prompt)?,
            kind: match self.kind {
                KindFlag::Answer => ConsultKind::Answer,
                KindFlag::Challenge => ConsultKind::Challenge,
                KindFlag::ReviewPlan => ConsultKind::ReviewPlan,
                KindFlag::WriteCode => ConsultKind::WriteCode,
            },
            context,
            files: self.files,
            common: self.paid.common("consult", input)?,
        })
    }
}
