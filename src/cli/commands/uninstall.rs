//! `crosscheck uninstall`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::peer::Peer;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::setup::call as setup;
use crate::service::setup::wanted::{Mode, Removal, Scope};
use crate::service::uninstall::{self, Wanted};

/// Remove what stays when the plugin is uninstalled (free)
///
/// Without --yes it only says what is there. With it, the programs that the plugin installed, the link on PATH and idle
/// worktrees go. The results of runs were paid for and stay, unless --with-results is given too. Your configuration, codex and
/// its threads are never touched. With --host, only our server is taken out of that host's configuration.
#[derive(Debug, Args)]
pub(crate) struct UninstallFlags {
    /// Remove it
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Remove the results of all runs too, read or not; nothing brings them back
    #[arg(long, requires = "yes")]
    pub(crate) with_results: bool,
    /// Only take our server out of this host's configuration again
    #[arg(long, value_name = "NAME", value_parser = Peer::NAMES, conflicts_with = "with_results")]
    pub(crate) host: Option<String>,
    /// With --host: whose configuration, your own or that of this project alone
    #[arg(long, value_name = "SCOPE", value_parser = Scope::NAMES, default_value = "user", requires = "host")]
    pub(crate) scope: String,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Removes, or says what it would remove.
pub(crate) async fn run(service: &Service, flags: &UninstallFlags, call: &Call) -> Envelope {
    if let Some(host) = flags.host.as_deref().and_then(Peer::parse) {
        let removal = Removal {
            host,
            scope: Scope::parse(&flags.scope).unwrap_or_default(),
            mode: if flags.yes { Mode::Do } else { Mode::Look },
        };
        return setup::remove(service, removal, call).await;
    }
    let wanted = match (flags.yes, flags.with_results) {
        (false, _) => Wanted::Look,
        (true, false) => Wanted::Remove,
        (true, true) => Wanted::RemoveWithResults,
    };
    uninstall::call(service, wanted, call).await
}
