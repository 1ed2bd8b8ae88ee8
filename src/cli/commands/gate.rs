//! `crosscheck gate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::cli::input::Input;
use crate::domain::request::{StatusRequest, Topic};

/// Say what the stop gate is set to, what it last said, and how it is switched (free)
///
/// The gate reviews what a turn of Claude Code or Codex changed before the turn ends. It is off unless you switch it on, and
/// it never keeps a turn from ending but for findings.
#[derive(Debug, Args)]
pub(crate) struct GateFlags {
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl GateFlags {
    /// Returns what is asked.
    pub(crate) fn request(self, input: &Input<'_>) -> StatusRequest {
        StatusRequest {
            topic: Topic::Gate,
            workspace: input.folder(self.workspace),
            ..StatusRequest::default()
        }
    }
}
