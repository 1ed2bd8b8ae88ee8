//! `crosscheck transfer`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::transfer::{self, Wanted};

/// Hand a conversation of Claude Code's over to codex (free)
///
/// Codex writes it down as a thread of its own and asks no model; `codex resume ID` goes on with it, which is paid. What tools
/// were given and returned is left out, values that look like secrets are masked, and the newest 400 kB are kept. Each call
/// makes a new thread.
#[derive(Debug, Args)]
pub(crate) struct TransferFlags {
    /// The transcript; the newest conversation about this project when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
    /// Only say what would be handed over
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Hands it over.
pub(crate) async fn run(service: &Service, flags: &TransferFlags, call: &Call) -> Envelope {
    let placed = |path: &PathBuf| service.directory().join(path);
    let wanted = Wanted {
        transcript: flags.transcript.as_ref().map(placed),
        workspace: flags.workspace.as_ref().map(placed),
        dry_run: flags.dry_run,
    };
    transfer::call(service, &wanted, call).await
}
