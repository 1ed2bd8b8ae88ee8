//! `crosscheck undo`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::job::JobName;
use crate::domain::request::{ApplyAction, ApplyRequest};

/// Take what landed out of your files again (free)
///
/// Every file gets back exactly the bytes and the mode that it had before. Nothing is changed when one of them was changed
/// since, or when a later result landed on it.
#[derive(Debug, Args)]
pub(crate) struct UndoFlags {
    /// The job whose result landed: its id, the beginning of one, or `latest`, the newest landing of this project
    #[arg(default_value = "latest", hide_default_value = true)]
    pub(crate) id: JobName,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl UndoFlags {
    /// Returns what is asked.
    pub(crate) fn request(self) -> ApplyRequest {
        ApplyRequest {
            name: self.id,
            action: ApplyAction::Undo,
            files: Vec::new(),
            workspace: None,
        }
    }
}
