//! Ring 4: one use case per file, between the doors and the supervised peer.
//!
//! A use case gets a parsed request, decides with pure code, acts through the rings below, and returns one envelope.
//! Nothing here knows a protocol or a terminal.

pub mod allowance;
pub mod apply;
pub mod asked;
pub mod call;
pub mod cancel;
pub(crate) mod choice;
pub mod claude;
pub mod clean;
pub mod config_check;
pub mod consult;
pub mod context;
mod context_files;
pub mod contract;
pub mod delegate;
pub mod deliver;
pub mod demo;
pub mod doctor;
pub mod dry_run;
pub mod git_fault;
pub mod group;
pub mod guidance;
pub mod hook;
pub mod host_wait;
pub mod jobs;
pub mod models;
pub mod namesake;
pub mod opening;
pub mod options;
pub mod plan;
pub mod plugin_settings;
pub mod preflight;
pub mod project;
pub mod recursion;
pub mod reply;
pub mod resume;
pub mod review;
pub mod review_input;
pub mod setup;
mod shown;
mod spending;
pub mod status;
pub mod submit;
pub(crate) mod target;
pub mod transfer;
pub mod uninstall;
pub mod vigil;
pub mod waiting;
pub(crate) mod whole;
pub mod workspace;
pub(crate) mod worktrees;
