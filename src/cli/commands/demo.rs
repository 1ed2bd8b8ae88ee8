//! `crosscheck demo`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::demo::{self, DemoOptions};

/// See a review without an account (free, no network beyond this machine)
///
/// Makes a small repository whose change has three real defects and has the real codex review it, with a demo model on
/// this machine in place of a paid one. Everything else is the ordinary path of a review. It never touches your codex
/// configuration or account. When codex is not installed, the tested version is installed with npm into the state folder of
/// this program; only that step needs the network.
#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    /// Keep the demo's repository and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Runs the demo. `say` gets lines for people while it goes on.
pub(crate) async fn run(
    service: &Service,
    flags: &DemoFlags,
    call: &Call,
    say: &mut dyn FnMut(&str),
) -> Envelope {
    Box::pin(demo::run(
        service,
        DemoOptions { keep: flags.keep },
        call.clone(),
        say,
    ))
    .await
}
