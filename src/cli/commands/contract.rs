//! `crosscheck contract`.

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::fault::{Fault, FaultCode};
use crate::service::call::Call;
use crate::service::context::Service;

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
#[expect(
    clippy::unused_async,
    reason = "the check starts processes and waits for them"
)]
pub(crate) async fn run(service: &Service, flags: &ContractFlags, call: &Call) -> Envelope {
    let ContractFlags { output: _ } = flags;
    service.refuse(
        "contract",
        Fault::new(FaultCode::Internal, "the contract check is not connected"),
        call,
    )
}
