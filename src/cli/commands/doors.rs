//! The three commands that programs start, declared for their help alone: `main` runs them before clap is asked, because a
//! host waits for the first answer of `serve`.

use std::path::PathBuf;

use clap::Args;

/// Serve the tools to an MCP host on stdin and stdout
///
/// This is what Claude Code and other MCP hosts start; a person does not. The server holds no paid work: ending it ends no
/// job. Starting it touches no file and starts no process.
#[derive(Debug, Args)]
pub(crate) struct ServeFlags {
    /// The peer that the tools ask: codex, or claude for hosts such as Codex
    #[arg(long, value_name = "NAME", value_parser = crate::domain::peer::Peer::NAMES)]
    pub(crate) peer: Option<String>,
}

/// Answer a hook; started by Claude Code or Codex alone
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct HookFlags {
    /// Which one
    pub(crate) name: String,
    /// Whose it is, where it is not Claude Code's
    #[arg(long, value_parser = ["codex"], requires = "gate")]
    pub(crate) host: Option<String>,
    /// What the stop gate does there
    #[arg(long, value_parser = ["off", "soft", "hard"], requires = "host")]
    pub(crate) gate: Option<String>,
}

/// Run one job; started by this program alone
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct WorkerFlags {
    /// The job's directory
    pub(crate) directory: PathBuf,
}
