//! `crosscheck transfer`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::output::OutputFlags;
use crate::domain::envelope::Envelope;
use crate::domain::fault::Fault;
use crate::domain::peer::Peer;
use crate::domain::request::ThreadId;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::transfer::{self, Wanted};

/// Hand a conversation of Claude Code's over to codex, or the other way round (free)
///
/// It becomes a thread of codex's, which `codex resume ID` goes on with, or with `--to claude` a session that
/// `claude --resume ID` goes on with; that is paid. No model is asked now. What tools were given and returned is left out,
/// values that look like secrets are masked, and the newest 400 kB are kept. Each call makes a new one.
#[derive(Debug, Args)]
pub(crate) struct TransferFlags {
    /// Who goes on with it
    #[arg(long, value_name = "NAME", value_parser = Peer::NAMES, default_value = "codex")]
    pub(crate) to: String,
    /// The transcript; the newest conversation about this project when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
    /// With `--to claude`: the thread of codex's
    #[arg(long, value_name = "ID", conflicts_with = "transcript")]
    pub(crate) thread: Option<String>,
    /// Only say what would be handed over
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// Hands it over.
pub(crate) async fn run(service: &Service, flags: &TransferFlags, call: &Call) -> Envelope {
    let placed = |path: &PathBuf| service.directory().join(path);
    let to = Peer::parse(&flags.to).unwrap_or_default();
    let thread = flags.thread.clone().map(ThreadId::try_from).transpose();
    let thread = match thread {
        Ok(thread) if thread.is_none() || to == Peer::Claude => thread,
        Ok(_) | Err(_) => {
            let fault = Fault::argument(
                "thread",
                "`--thread` is not the id of a thread of codex's to hand to claude",
            )
            .hint("pass it with --to claude, in the form that `codex resume` shows");
            return service.refuse("transfer", fault, call);
        }
    };
    let wanted = Wanted {
        to,
        thread,
        transcript: flags.transcript.as_ref().map(placed),
        workspace: flags.workspace.as_ref().map(placed),
        dry_run: flags.dry_run,
    };
    transfer::call(service, &wanted, call).await
}
