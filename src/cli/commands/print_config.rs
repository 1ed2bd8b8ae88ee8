//! `crosscheck print-config`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::peer::Peer;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::setup::call;

/// Print what a host is told about this program, to put in by hand (free)
///
/// Without --host for both. Nothing is written, and no value of a variable is printed.
#[derive(Debug, Args)]
pub(crate) struct PrintConfigFlags {
    /// Only for this host
    #[arg(long, value_name = "NAME", value_parser = Peer::NAMES)]
    pub(crate) host: Option<String>,
    /// As it is started from this checkout of the source: what was built there in release, else cargo builds it first
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Prints.
pub(crate) fn run(service: &Service, flags: &PrintConfigFlags, call: &Call) -> Envelope {
    let host = flags.host.as_deref().and_then(Peer::parse);
    let source = flags
        .source
        .as_ref()
        .map(|folder| service.directory().join(folder));
    call::print_config(service, host, source.as_deref(), call)
}
