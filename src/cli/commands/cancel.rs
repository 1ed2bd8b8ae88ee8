//! `crosscheck cancel`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::job::JobName;
use crate::domain::request::CancelRequest;

/// End a job and everything below it (free)
///
/// What the run had said is kept, and `--resume` can continue its thread. A job that is over is left as it is.
#[derive(Debug, Args)]
pub(crate) struct CancelFlags {
    /// Its id, the beginning of one, or `latest` of this project
    pub(crate) id: JobName,
    /// Also delete our record of it, after printing it whole; one that is too long must have been read before
    #[arg(long)]
    pub(crate) forget: bool,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl CancelFlags {
    /// Returns what is asked.
    pub(crate) fn request(self) -> CancelRequest {
        CancelRequest {
            name: self.id,
            forget: self.forget,
            workspace: None,
        }
    }
}
