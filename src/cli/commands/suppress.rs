//! `crosscheck suppress`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::day::Day;
use crate::domain::envelope::Envelope;
use crate::domain::job::JobName;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::suppress::{self, Suppress};

const EXAMPLES: &str = "\
Examples:
  crosscheck suppress latest 3f2a --reason \"read once at start\"
  crosscheck suppress 01m7yq 3f2a 9c01 --reason \"see the ticket\" --until 2026-12-31";

/// Live with findings of a review for a while: they leave the verdict and stay counted (free)
///
/// Writes an entry for each into .crosscheck/suppressions.toml and remembers that you said so: it holds for you at once, and for
/// others and in CI once the file is committed and in the base of a change. A change never silences its own review.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SuppressFlags {
    /// The review: its id, the beginning of one, or `latest` of this project
    pub(crate) job: JobName,
    /// Ids of its findings, or beginnings of them
    #[arg(required = true, num_args = 1..)]
    pub(crate) findings: Vec<String>,
    /// Why, in one line
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// The last day on which it holds, at most a year away; 90 days when absent
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<Day>,
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Suppresses what was named.
pub(crate) async fn run(service: &Service, flags: &SuppressFlags, call: &Call) -> Envelope {
    let wanted = Suppress {
        job: flags.job.clone(),
        findings: flags.findings.clone(),
        reason: flags.reason.clone(),
        until: flags.until,
        workspace: flags.workspace.clone(),
    };
    suppress::suppress(service, &wanted, call).await
}
