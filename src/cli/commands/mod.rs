//! One file per command: its flags, and the request they become.

pub(super) mod apply;
pub(super) mod baseline;
pub(super) mod cancel;
pub(super) mod clean;
pub(super) mod config;
pub(super) mod consult;
pub(super) mod contract;
pub(super) mod delegate;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod doors;
pub(super) mod dry_run;
pub(super) mod gate;
pub(super) mod job;
pub(super) mod logs;
pub(super) mod output;
pub(super) mod paid;
pub(super) mod print_config;
pub(super) mod report;
pub(super) mod review;
pub(super) mod route;
pub(super) mod setup;
pub(super) mod status;
pub(super) mod suppress;
pub(super) mod transfer;
pub(super) mod undo;
pub(super) mod uninstall;
pub(super) mod watch;

#[cfg(test)]
mod migrating_tests;
#[cfg(test)]
mod offered;
#[cfg(test)]
mod tests;
