//! `crosscheck config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::commands::output::OutputFlags;
use crate::cli::input::Input;
use crate::domain::envelope::Envelope;
use crate::domain::request::{StatusRequest, Topic};
use crate::service::call::Call;
use crate::service::config_check;
use crate::service::context::Service;

/// Show the settings in force, or look for mistakes in them (free)
#[derive(Debug, Args)]
pub(crate) struct ConfigFlags {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Show every setting, its value and where it comes from
    ///
    /// Shows too what the project's own file narrows, what of it is ignored and why, and which other files of the
    /// repository have no say here. The same as `crosscheck status --topic policy`.
    Show(PlaceFlags),
    /// Look for mistakes: each with its file, its line and the keys that would be right
    ///
    /// Ends with 7 when there is a mistake. Entries of a project's file that are ignored are told and are no mistake.
    Check(PlaceFlags),
}

/// For which project.
#[derive(Debug, Args)]
pub(crate) struct PlaceFlags {
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl PlaceFlags {
    /// Returns what to ask for the settings in force.
    pub(crate) fn request(self, input: &Input<'_>) -> StatusRequest {
        StatusRequest {
            topic: Topic::Policy,
            workspace: input.folder(self.workspace),
            ..StatusRequest::default()
        }
    }

    /// Returns the same with the folder as a whole path.
    pub(crate) fn placed(self, input: &Input<'_>) -> Self {
        Self {
            workspace: input.folder(self.workspace),
            ..self
        }
    }
}

/// Looks for mistakes.
pub(crate) fn check(service: &Service, flags: &PlaceFlags, call: &Call) -> Envelope {
    let PlaceFlags { workspace, output: _ } = flags;
    config_check::call(service, workspace.as_deref(), call)
}
