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

/// Answer a hook of the plugin; started by Claude Code alone
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct HookFlags {
    /// Which one
    pub(crate) name: String,
}

/// Run one job; started by this program alone
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct WorkerFlags {
    /// The job's directory
    pub(crate) directory: PathBuf,
}
