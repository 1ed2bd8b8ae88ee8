//! `crosscheck setup`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::peer::Peer;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::setup::call;
use crate::service::setup::registration::Foreign;
use crate::service::setup::wanted::{Mode, Scope, Wanted};

const EXAMPLES: &str = "\
Examples:
  crosscheck setup --host codex              Codex can ask Claude, in every project
  crosscheck setup --host codex --dry-run    only show what would be written
  crosscheck setup --host claude             Claude Code can ask Codex
  crosscheck setup --allow-root ~/projects   calls may be about what is in this folder, and nothing else
  crosscheck uninstall --host codex --yes    take it out again";

/// Let Codex ask Claude, or Claude Code ask Codex (free)
///
/// For codex it edits its config.toml: one entry is put in, every other byte stays, and a copy of the old file is kept beside it.
/// Claude Code is told with its own commands. A second run has nothing to change. An entry of the same name that does not start
/// this program stays, unless --force is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["host", "allow_root"]))]
pub(crate) struct SetupFlags {
    /// The program that gets the tools: codex asks Claude then, and claude asks Codex
    #[arg(long, value_name = "NAME", value_parser = Peer::NAMES)]
    pub(crate) host: Option<String>,
    /// Whose configuration: your own, or that of this project alone
    #[arg(long, value_name = "SCOPE", value_parser = Scope::NAMES, default_value = "user")]
    pub(crate) scope: String,
    /// Print what to put in by hand; nothing is written
    #[arg(long, requires = "host", conflicts_with_all = ["dry_run", "force", "allow_root"])]
    pub(crate) print: bool,
    /// Replace an entry of the same name that is somebody else's
    #[arg(long, requires = "host")]
    pub(crate) force: bool,
    /// Add a folder to `[policy] roots` of your own configuration; with roots, calls are refused elsewhere
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_root: Option<PathBuf>,
    /// Show what would be written; nothing is
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Sets up.
pub(crate) async fn run(service: &Service, flags: &SetupFlags, call: &Call) -> Envelope {
    let mode = match (flags.print, flags.dry_run) {
        (true, _) => Mode::Print,
        (false, true) => Mode::Look,
        (false, false) => Mode::Do,
    };
    let wanted = Wanted {
        host: flags.host.as_deref().and_then(Peer::parse),
        scope: Scope::parse(&flags.scope).unwrap_or_default(),
        mode,
        foreign: if flags.force {
            Foreign::Replaced
        } else {
            Foreign::Kept
        },
        allow_root: flags
            .allow_root
            .as_ref()
            .map(|folder| service.directory().join(folder)),
    };
    call::set_up(service, &wanted, call).await
}
