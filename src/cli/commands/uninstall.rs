//! `crosscheck uninstall`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::uninstall::{self, Wanted};

/// Remove what stays when the plugin is uninstalled (free)
///
/// Without --yes it only says what is there. With it, the programs that the plugin installed, the link on PATH and idle
/// worktrees go. The results of runs were paid for and stay, unless --with-results is given too. Your configuration, codex and
/// its threads are never touched.
#[derive(Debug, Args)]
pub(crate) struct UninstallFlags {
    /// Remove it
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Remove the results of all runs too, read or not; nothing brings them back
    #[arg(long, requires = "yes")]
    pub(crate) with_results: bool,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Removes, or says what it would remove.
pub(crate) async fn run(service: &Service, flags: &UninstallFlags, call: &Call) -> Envelope {
    let wanted = match (flags.yes, flags.with_results) {
        (false, _) => Wanted::Look,
        (true, false) => Wanted::Remove,
        (true, true) => Wanted::RemoveWithResults,
    };
    uninstall::call(service, wanted, call).await
}
