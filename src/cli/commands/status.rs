//! `crosscheck status`.

use std::path::PathBuf;

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

/// The topics.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TopicFlag {
    /// Ready or not, and why
    Overview,
    /// The models your account may name
    Models,
    /// What is left of your allowance
    Quota,
    /// The keys of --option
    Options,
    /// The settings in force and where each comes from
    Policy,
    /// Our worktrees, what landed, and the room it takes
    Worktrees,
    /// The error codes with their exit codes
    Errors,
    /// What the tools can do and cost, and the bounds
    Capabilities,
    /// What the stop gate is set to, and what it last said
    Gate,
}

impl StatusFlags {
    /// Returns what is asked.
    pub(crate) fn request(self, input: &Input<'_>) -> StatusRequest {
        StatusRequest {
            topic: match self.topic {
                TopicFlag::Overview => Topic::Overview,
                TopicFlag::Models => Topic::Models,
                TopicFlag::Quota => Topic::Quota,
                TopicFlag::Options => Topic::Options,
                TopicFlag::Policy => Topic::Policy,
                TopicFlag::Worktrees => Topic::Worktrees,
                TopicFlag::Errors => Topic::Errors,
                TopicFlag::Capabilities => Topic::Capabilities,
                TopicFlag::Gate => Topic::Gate,
            },
            workspace: input.folder(self.workspace),
            ..StatusRequest::default()
        }
    }
}
