//! `crosscheck route`.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::cli::commands::output::OutputFlags;
use crate::domain::request::{StatusRequest, Topic};
use crate::domain::route::{CONTEXT_TOKENS_MAX, Complexity, Task, TaskType};

const EXAMPLES: &str = "\
Examples:
  crosscheck route --type security --complexity complex
  crosscheck route --context-size 150000
  crosscheck route \"Explain the design of the cache\"";

/// Say which peer suits a task, and how sure that is (free)
///
/// A table decides, not a model. The words of a text alone are little more than a guess, and the answer says so.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RouteFlags {
    /// The task in words; looked at only where no flag is given
    pub(crate) text: Option<String>,
    /// What kind of work it is
    #[arg(long = "type", value_name = "TYPE", value_parser = PossibleValuesParser::new(TaskType::NAMES))]
    pub(crate) task_type: Option<String>,
    /// How hard it is
    #[arg(long, value_name = "HOW", value_parser = PossibleValuesParser::new(Complexity::NAMES))]
    pub(crate) complexity: Option<String>,
    /// How much has to be read, in tokens
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(0..=CONTEXT_TOKENS_MAX))]
    pub(crate) context_size: Option<u64>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl RouteFlags {
    /// Returns what is asked.
    pub(crate) fn request(self) -> StatusRequest {
        StatusRequest {
            topic: Topic::Route,
            task: Task {
                task_type: self
                    .task_type
                    .and_then(|name| named(&name, &TaskType::NAMES, &TaskType::ALL)),
                complexity: self
                    .complexity
                    .and_then(|name| named(&name, &Complexity::NAMES, &Complexity::ALL)),
                context_tokens: self.context_size,
                text: self.text,
            },
            ..StatusRequest::default()
        }
    }
}

/// Looks up a name that clap has checked.
fn named<T: Copy>(name: &str, names: &[&str], values: &[T]) -> Option<T> {
    let at = names.iter().position(|known| *known == name)?;
    values.get(at).copied()
}
