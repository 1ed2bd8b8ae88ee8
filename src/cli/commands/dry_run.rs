//! `crosscheck dry-run`.

use clap::{Args, Subcommand};

use crate::cli::commands::apply::TargetFlags;
use crate::cli::commands::consult::ConsultFlags;
use crate::cli::commands::delegate::DelegateFlags;
use crate::cli::commands::output::OutputFlags;
use crate::cli::commands::review::SubjectFlags;
use crate::cli::input::Input;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::{ApplyAction, DryRunRequest};
use crate::service::call::Request;

/// Show what a consult, review or delegate would send and run, without doing it (free)
///
/// Takes exactly the flags of the command it previews. Nothing is sent and no job is made.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(crate) struct DryRunFlags {
    #[command(subcommand)]
    pub(crate) command: Previewed,
}

/// The commands that have a preview.
#[derive(Debug, Subcommand)]
pub(crate) enum Previewed {
    /// What `crosscheck consult` would send and run (free)
    #[command(about = "Show what `crosscheck consult` would send and run (free)", long_about = None)]
    Consult(ConsultFlags),
    /// What `crosscheck delegate` would send and run (free)
    #[command(about = "Show what `crosscheck delegate` would send and run (free)", long_about = None)]
    Delegate(DelegateFlags),
    /// What `crosscheck review` would send and run (free)
    #[command(about = "Show what `crosscheck review` would send and run (free)", long_about = None)]
    Review(SubjectFlags),
    /// What `crosscheck apply --land` would put into your files (free)
    #[command(about = "Show what `crosscheck apply --land` would put into your files (free)", long_about = None)]
    Apply(TargetFlags),
}

impl DryRunFlags {
    /// Returns how the answer is printed.
    pub(crate) fn output(&self) -> OutputFlags {
        match &self.command {
            Previewed::Consult(flags) => flags.paid.output,
            Previewed::Delegate(flags) => flags.paid.output,
            Previewed::Review(flags) => flags.paid.output,
            Previewed::Apply(flags) => flags.output,
        }
    }

    /// Returns what is asked. Reads stdin or a file where the flags say so.
    pub(crate) fn request(self, input: &mut Input<'_>) -> Result<DryRunRequest, Fault> {
        match self.command {
            Previewed::Consult(flags) => Ok(match flags.routed(input)?.0 {
                Request::Review(request) => DryRunRequest::Review(request),
                Request::Consult(request) => DryRunRequest::Consult(request),
                // Nothing else comes of a question, however it is read.
                _ => {
                    return Err(Fault::new(
                        FaultCode::Internal,
                        "a question became something else",
                    ));
                }
            }),
            Previewed::Delegate(flags) => flags.request(input).map(DryRunRequest::Delegate),
            Previewed::Review(flags) => flags.request(input).map(DryRunRequest::Review),
            Previewed::Apply(flags) => Ok(DryRunRequest::Apply(flags.request(ApplyAction::Preview, input))),
        }
    }
}
