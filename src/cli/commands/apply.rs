//! `crosscheck apply`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::cli::input::Input;
use crate::domain::job::JobName;
use crate::domain::request::{ApplyAction, ApplyRequest};

const EXAMPLES: &str = "\
Examples:
  crosscheck apply latest                    what would land, and what stands in its way
  crosscheck apply latest --land             show it, ask, and put it into your files
  crosscheck apply latest --land --file a.rs only this file
  crosscheck apply latest --branch           commit it on a new branch instead
  crosscheck undo latest                     take it out again";

/// Look at what a delegate did, and put it into your files (free)
///
/// Without --land, --branch or --discard it only shows what would happen. A result lands whole or not at all, merged with
/// what you changed meanwhile; the index is not touched, and `crosscheck undo` takes it out again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ApplyFlags {
    #[command(flatten)]
    pub(crate) target: TargetFlags,
    /// Put it into your files, after showing it and asking
    #[arg(long, conflicts_with_all = ["branch", "discard"])]
    pub(crate) land: bool,
    /// Commit it on a new local branch; nothing is checked out
    #[arg(long, value_name = "NAME", num_args = 0..=1, conflicts_with = "discard")]
    #[expect(clippy::option_option, reason = "the flag may stand without a name")]
    pub(crate) branch: Option<Option<String>>,
    /// Give it up; it is kept until the job's record is deleted
    #[arg(long)]
    pub(crate) discard: bool,
    /// With --land: do not ask
    #[arg(short, long, requires = "land")]
    pub(crate) yes: bool,
    /// With --land: although checks failed
    #[arg(long, requires = "land")]
    pub(crate) accept_failed_checks: bool,
}

/// Which result, and which part of it.
#[derive(Debug, Args)]
pub(crate) struct TargetFlags {
    /// Its id, the beginning of one, or `latest` of this project
    #[arg(default_value = "latest", hide_default_value = true)]
    pub(crate) id: JobName,
    /// Only this file, as the list shows it; repeatable
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Another working tree of the same repository to land in; the job's own when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl TargetFlags {
    /// Returns a call of this action.
    pub(crate) fn request(self, action: ApplyAction, input: &Input<'_>) -> ApplyRequest {
        ApplyRequest {
            name: self.id,
            action,
            files: self.files,
            workspace: input.folder(self.workspace),
        }
    }
}

/// A landing that asks first.
#[derive(Clone, Debug)]
pub(crate) struct Landing {
    /// Its preview.
    pub(crate) preview: ApplyRequest,
    /// Whether nobody is asked.
    pub(crate) yes: bool,
    /// Whether it lands although checks failed.
    pub(crate) accept_failed_checks: bool,
    /// How the answer is printed.
    pub(crate) output: OutputFlags,
}

impl Landing {
    /// Returns the call that lands what a preview with this token showed.
    pub(crate) fn request(&self, token: Option<String>) -> ApplyRequest {
        ApplyRequest {
            action: ApplyAction::Land {
                token,
                accept_failed_checks: self.accept_failed_checks,
            },
            ..self.preview.clone()
        }
    }
}

/// What the flags come to.
pub(crate) enum Asked {
    /// A call that needs no question.
    Call(ApplyRequest, OutputFlags),
    /// A landing.
    Land(Landing),
}

impl ApplyFlags {
    /// Returns what is asked.
    pub(crate) fn asked(self, input: &Input<'_>) -> Asked {
        let Self {
            target,
            land,
            branch,
            discard,
            yes,
            accept_failed_checks,
        } = self;
        let output = target.output;
        let action = match branch {
            Some(name) => ApplyAction::Branch { name },
            None if discard => ApplyAction::Discard,
            None => ApplyAction::Preview,
        };
        let request = target.request(action, input);
        if land {
            Asked::Land(Landing {
                preview: request,
                yes,
                accept_failed_checks,
                output,
            })
        } else {
            Asked::Call(request, output)
        }
    }
}
