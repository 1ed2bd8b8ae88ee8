//! `crosscheck doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::doctor;

/// Look at everything that a run needs, and say what to do about it (free)
///
/// Looks at this program, the one on PATH, our own server as a host sees it, codex with its login, its sandbox and every flag
/// that is sent to it, git, the state directory, the settings, the host and what killed runs left. Each is ready, wants
/// attention or is broken, with one thing to do.
///
/// Ends with 0 when runs can be started, also where something wants attention; else with 3 for codex, 5 for git and 7 for
/// this machine.
#[derive(Debug, Args)]
pub(crate) struct DoctorFlags {
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Looks.
pub(crate) async fn run(service: &Service, flags: &DoctorFlags, call: &Call) -> Envelope {
    let DoctorFlags { workspace, output: _ } = flags;
    let workspace = workspace.as_ref().map(|folder| service.directory().join(folder));
    doctor::call(service, workspace.as_deref(), call).await
}
