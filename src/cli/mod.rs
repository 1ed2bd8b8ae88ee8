//! Ring 5: the command line.
//!
//! The only place that knows clap and terminals. Flags become a [`crate::service::call::Request`], the same one that a
//! host's tool call becomes, and the envelope that comes back is either printed as it is (`--json`) or rendered for
//! people. Data goes to stdout, everything else to stderr.

mod command;
mod commands;
mod entry;
mod errand;
mod exit;
mod input;
mod next_call;
mod progress;
mod question;
mod render;
mod signals;
mod streams;
mod work;

pub use entry::{Place, run, run_with};
pub use streams::{Device, Streams};
