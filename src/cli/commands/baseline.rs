//! `crosscheck baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::job::JobName;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::suppress;

/// Accept the findings of a review as they stand, so that later ones tell only what is new (free)
#[derive(Debug, Args)]
pub(crate) struct BaselineFlags {
    #[command(subcommand)]
    pub(crate) action: BaselineAction,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineAction {
    /// Add the findings of a review to .crosscheck/baseline.json, and take out those it saw vanish
    Write(WriteFlags),
    /// Show what is accepted
    Show(ShowFlags),
}

/// Which review is accepted.
#[derive(Debug, Args)]
pub(crate) struct WriteFlags {
    /// The review: its id, the beginning of one, or `latest` of this project
    #[arg(default_value = "latest", hide_default_value = true)]
    pub(crate) job: JobName,
    #[command(flatten)]
    pub(crate) place: ShowFlags,
}

/// Where.
#[derive(Debug, Args)]
pub(crate) struct ShowFlags {
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl BaselineFlags {
    /// Returns how it is printed.
    pub(crate) fn output(&self) -> OutputFlags {
        match &self.action {
            BaselineAction::Write(flags) => flags.place.output,
            BaselineAction::Show(flags) => flags.output,
        }
    }
}

/// Accepts, or shows what is.
pub(crate) async fn run(service: &Service, flags: &BaselineFlags, call: &Call) -> Envelope {
    match &flags.action {
        BaselineAction::Write(flags) => {
            suppress::write_baseline(service, &flags.job, flags.place.workspace.as_deref(), call).await
        }
        BaselineAction::Show(flags) => suppress::show_baseline(service, flags.workspace.as_deref(), call),
    }
}
