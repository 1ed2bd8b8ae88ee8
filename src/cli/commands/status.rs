//! `crosscheck status`.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::cli::commands::output::OutputFlags;
use crate::cli::input::Input;
use crate::domain::request::{StatusRequest, Topic};

const EXAMPLES: &str = "\
Examples:
  crosscheck status                   codex, login, sandbox, git, state folder
  crosscheck status --topic options   every key that --option takes
  crosscheck status --topic policy    the settings in force and their origin";

/// Say whether everything is ready, and what to do if it is not (free)
///
/// Looks at codex and its version, login, sandbox and allowance, at git and at the state folder. Starts no run and changes
/// nothing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusFlags {
    /// What to tell about
    #[arg(long, value_enum, default_value = "overview")]
    pub(crate) topic: TopicFlag,
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// A topic, with the words that the help has for it. What suits a task is asked with a command of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicFlag(Topic);

impl TopicFlag {
    fn help(self) -> Option<&'static str> {
        Some(match self.0 {
            Topic::Overview => "Ready or not, and why",
            Topic::Models => "The models your account may name",
            Topic::Quota => "What is left of your allowance",
            Topic::Options => "The keys of --option",
            Topic::Policy => "The settings in force and where each comes from",
            Topic::Worktrees => "Our worktrees, what landed, and the room it takes",
            Topic::Errors => "The error codes with their exit codes",
            Topic::Capabilities => "What the tools can do and cost, and the bounds",
            Topic::Gate => "What the stop gate is set to, and what it last said",
            Topic::Runners => "Who can do tasks: this machine, and Codex Cloud",
            Topic::Route => return None,
        })
    }
}

impl ValueEnum for TopicFlag {
    fn value_variants<'a>() -> &'a [Self] {
        // Only what the command takes: the parser asks each of these for its name.
        static ALL: LazyLock<Vec<TopicFlag>> = LazyLock::new(|| {
            let all = Topic::ALL.into_iter().map(TopicFlag);
            all.filter(|topic| topic.help().is_some()).collect()
        });
        ALL.as_slice()
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()).help(self.help()?))
    }
}

impl StatusFlags {
    /// Returns what is asked.
    pub(crate) fn request(self, input: &Input<'_>) -> StatusRequest {
        StatusRequest {
            topic: self.topic.0,
            workspace: input.folder(self.workspace),
            ..StatusRequest::default()
        }
    }
}
