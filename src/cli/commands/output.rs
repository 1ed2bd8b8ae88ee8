//! How an answer is printed.

use clap::Args;

/// The form of the answer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputFlags {
    /// Print the result envelope, one JSON object on one line, also for a failure
    #[arg(long)]
    pub(crate) json: bool,
}

impl OutputFlags {
    /// For people.
    pub(crate) const HUMAN: Self = Self { json: false };
}
