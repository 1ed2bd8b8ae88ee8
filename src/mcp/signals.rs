//! The signals that end a server.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// A signal that asks the server to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: the first one that Claude Code sends.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

/// Takes over the signals at once and returns a future of the first one. Must be called inside the runtime.
///
/// Without this SIGINT ends the process where it stands, in the middle of an answer.
pub fn ending_signals() -> io::Result<impl Future<Output = Signal> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            _ = hangup.recv() => Signal::Hangup,
        }
    })
}
