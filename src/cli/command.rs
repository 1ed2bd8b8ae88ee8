//! The command line as clap sees it.

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::commands::apply::ApplyFlags;
use crate::cli::commands::baseline::BaselineFlags;
use crate::cli::commands::cancel::CancelFlags;
use crate::cli::commands::clean::CleanFlags;
use crate::cli::commands::config::ConfigFlags;
use crate::cli::commands::consult::ConsultFlags;
use crate::cli::commands::contract::ContractFlags;
use crate::cli::commands::delegate::DelegateFlags;
use crate::cli::commands::demo::DemoFlags;
use crate::cli::commands::doctor::DoctorFlags;
use crate::cli::commands::doors::{HookFlags, ServeFlags, WorkerFlags};
use crate::cli::commands::dry_run::DryRunFlags;
use crate::cli::commands::gate::GateFlags;
use crate::cli::commands::job::{JobFlags, JobsFlags};
use crate::cli::commands::logs::LogsFlags;
use crate::cli::commands::print_config::PrintConfigFlags;
use crate::cli::commands::report::ReportFlags;
use crate::cli::commands::review::ReviewFlags;
use crate::cli::commands::route::RouteFlags;
use crate::cli::commands::setup::SetupFlags;
use crate::cli::commands::status::StatusFlags;
use crate::cli::commands::suppress::SuppressFlags;
use crate::cli::commands::transfer::TransferFlags;
use crate::cli::commands::undo::UndoFlags;
use crate::cli::commands::uninstall::UninstallFlags;
use crate::domain::peer::Peer;

const ABOUT: &str = "A second model at your side: asks Codex, has it review your changes, hands it tasks";

const LONG_ABOUT: &str = "\
A second model at your side: asks Codex for an opinion, has it review your git changes, and hands it tasks that come back \
as a diff.

consult, review and delegate are paid: they run codex with your own login and spend tokens of your account. Everything else \
is free. A delegate works in a worktree of its own; nothing changes your files before you land its diff. Every paid run is a job that outlives this terminal, so an answer that \
was paid for is never lost: `crosscheck jobs` finds it again.";

const AFTER_HELP: &str = "\
Examples:
  crosscheck demo                        see a review without an account
  crosscheck status                      is everything ready?
  crosscheck review                      review what you have changed
  crosscheck consult \"Is this safe?\" --files src/lock.rs
  crosscheck delegate \"Fix the flaky test\" --check \"make test\"
  git log -5 | crosscheck consult \"What is the theme?\" --context -

Exit codes:
  0    done, or handed to a job that goes on
  1    a defect of this program, or output that could not be written
  2    a mistake in the command
  3    codex: missing, logged out, limited, failed
  4    the run ended without an answer: cancelled, timed out, lost
  5    the repository: none here, nothing to review, git failed
  6    refused by a policy
  7    this machine: configuration, state folder, disk, too many jobs
  8    the verdict, or a finding, is as bad as --fail-on says
  130  ended by Ctrl-C; 129 and 143 by a closed terminal and SIGTERM";

/// What `--version` prints. The launcher reads it: the number changes when the plugin's commands and hooks need another
/// program, and an older program with the same number serves until its successor is installed.
const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\nplugin interface 1");

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "crosscheck",
    version,
    long_version = LONG_VERSION,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = AFTER_HELP,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(super) struct CommandLine {
    /// Ask this peer instead of codex
    #[arg(long, value_name = "NAME", value_parser = Peer::NAMES)]
    pub(super) peer: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Demo(DemoFlags),
    Status(StatusFlags),
    Doctor(DoctorFlags),
    Setup(SetupFlags),
    PrintConfig(PrintConfigFlags),
    Consult(ConsultFlags),
    Review(ReviewFlags),
    Delegate(DelegateFlags),
    Apply(ApplyFlags),
    Undo(UndoFlags),
    DryRun(DryRunFlags),
    Jobs(JobsFlags),
    Job(JobFlags),
    Report(ReportFlags),
    Suppress(SuppressFlags),
    Baseline(BaselineFlags),
    Logs(LogsFlags),
    Cancel(CancelFlags),
    Clean(CleanFlags),
    Uninstall(UninstallFlags),
    Transfer(TransferFlags),
    Route(RouteFlags),
    Gate(GateFlags),
    Config(ConfigFlags),
    Contract(ContractFlags),
    Serve(ServeFlags),
    Worker(WorkerFlags),
    Hook(HookFlags),
}

/// Returns the command line for a terminal of this width.
pub(super) fn command(width: usize) -> clap::Command {
    CommandLine::command().term_width(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declarations_fit_together() {
        command(80).debug_assert();
    }

    #[test]
    fn every_help_text_is_pinned() {
        let mut root = command(80);
        root.build();
        insta::assert_snapshot!("help", root.render_long_help().to_string());
        for command in root.get_subcommands_mut() {
            let name = command.get_name().to_owned();
            insta::assert_snapshot!(format!("help_{name}"), command.render_long_help().to_string());
            let inner: Vec<String> = command
                .get_subcommands()
                .map(|inner| inner.get_name().to_owned())
                .collect();
            for inner in inner {
                let text = command.find_subcommand_mut(&inner).unwrap().render_long_help();
                insta::assert_snapshot!(format!("help_{name}_{inner}"), text.to_string());
            }
        }
    }
}
