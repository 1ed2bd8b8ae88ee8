//! `crosscheck clean`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::job::JobName;
use crate::service::call::Call;
use crate::service::clean::{self, Mode};
use crate::service::context::Service;

/// Clear away idle worktrees and what nobody can reach any more (free)
///
/// Without --yes it only says what it would remove. What a run left is kept under a ref of ours before its worktree goes;
/// your repositories are not touched.
#[derive(Debug, Args)]
pub(crate) struct CleanFlags {
    /// Only what belongs to this job or group: its id, the beginning of one, or `latest` of this project
    pub(crate) id: Option<JobName>,
    /// Remove it
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Cleans, or says what it would clean.
pub(crate) async fn run(service: &Service, flags: &CleanFlags, call: &Call) -> Envelope {
    let mode = if flags.yes { Mode::Remove } else { Mode::Look };
    clean::call(service, mode, flags.id.as_ref(), call).await
}
