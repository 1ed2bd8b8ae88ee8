//! Commands that do one thing of the terminal's own and come back with an envelope.

use crate::cli::commands::baseline::{self, BaselineFlags};
use crate::cli::commands::clean::{self, CleanFlags};
use crate::cli::commands::contract::{self, ContractFlags};
use crate::cli::commands::doctor::{self, DoctorFlags};
use crate::cli::commands::output::OutputFlags;
use crate::cli::commands::print_config::{self, PrintConfigFlags};
use crate::cli::commands::setup::{self, SetupFlags};
use crate::cli::commands::suppress::{self, SuppressFlags};
use crate::cli::commands::transfer::{self, TransferFlags};
use crate::cli::commands::uninstall::{self, UninstallFlags};
use crate::cli::work::OnSignal;
use crate::domain::envelope::Envelope;
use crate::service::call::Call;
use crate::service::context::Service;

/// One of them, with what was typed.
pub(super) enum Errand {
    Baseline(BaselineFlags),
    Clean(CleanFlags),
    Contract(ContractFlags),
    Doctor(DoctorFlags),
    PrintConfig(PrintConfigFlags),
    Setup(SetupFlags),
    Suppress(SuppressFlags),
    Transfer(TransferFlags),
    Uninstall(UninstallFlags),
}

impl Errand {
    /// Does it.
    pub(super) async fn run(&self, service: &Service, call: &Call) -> Envelope {
        match self {
            Self::Baseline(flags) => Box::pin(baseline::run(service, flags, call)).await,
            Self::Clean(flags) => clean::run(service, flags, call).await,
            Self::Contract(flags) => contract::run(service, flags, call).await,
            Self::Doctor(flags) => Box::pin(doctor::run(service, flags, call)).await,
            Self::PrintConfig(flags) => print_config::run(service, flags, call),
            Self::Setup(flags) => Box::pin(setup::run(service, flags, call)).await,
            Self::Suppress(flags) => Box::pin(suppress::run(service, flags, call)).await,
            Self::Transfer(flags) => Box::pin(transfer::run(service, flags, call)).await,
            Self::Uninstall(flags) => Box::pin(uninstall::run(service, flags, call)).await,
        }
    }

    /// Returns how it is printed.
    pub(super) fn output(&self) -> OutputFlags {
        match self {
            Self::Baseline(flags) => flags.output(),
            Self::Clean(flags) => flags.output,
            Self::Contract(flags) => flags.output,
            Self::Doctor(flags) => flags.output,
            Self::PrintConfig(flags) => flags.output,
            Self::Setup(flags) => flags.output,
            Self::Suppress(flags) => flags.output,
            Self::Transfer(flags) => flags.output,
            Self::Uninstall(flags) => flags.output,
        }
    }

    /// Returns what a first signal does to it: what changes things is finished.
    pub(super) fn on_signal(&self) -> OnSignal {
        match self {
            Self::Baseline(_) | Self::Clean(_) | Self::Setup(_) | Self::Suppress(_) | Self::Uninstall(_) => {
                OnSignal::Finish
            }
            Self::Contract(_) | Self::Doctor(_) | Self::PrintConfig(_) | Self::Transfer(_) => OnSignal::Leave,
        }
    }
}
