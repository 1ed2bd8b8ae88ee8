//! `crosscheck contract`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::contract;

/// Prove that the installed codex honours what this program relies on (free)
///
/// Tries every flag and every pin of a run against the installed codex, without a model and without spending anything. Run
/// it after an update of codex, or when `status` says that a version is untested.
#[derive(Debug, Args)]
pub(crate) struct ContractFlags {
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Runs the check.
pub(crate) async fn run(service: &Service, flags: &ContractFlags, call: &Call) -> Envelope {
    let ContractFlags { output: _ } = flags;
    contract::call(service, call).await
}
