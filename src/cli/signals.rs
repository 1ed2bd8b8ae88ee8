//! What the signals of a terminal mean to a command that waits for a job.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::service::call::{Call, CancelReason};

/// A signal that asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl Signal {
    /// Returns what a shell says of a command that such a signal ended: 128 and its number.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// The signals, taken over from the moment this is made.
pub(super) struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
    /// The first one that came.
    pub(super) first: Option<Signal>,
}

impl Signals {
    /// Takes them over. Must be called inside the runtime.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            first: None,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Signal {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Hangup,
        };
        self.first.get_or_insert(signal);
        signal
    }

    /// Hands the first signal to a call, and returns on the second: then the command leaves without waiting.
    ///
    /// Ctrl-C is the person's own wish, so the job that this call started ends. A closing terminal or a SIGTERM only
    /// ends the wait: what was paid for goes on. `told` hears of the first one.
    pub(super) async fn pass_on(&mut self, call: &Call, told: impl FnOnce(Signal)) -> Signal {
        let first = self.next().await;
        match first {
            Signal::Interrupt => call.cancelled.cancel(CancelReason::Keyboard),
            Signal::Terminate | Signal::Hangup => call.closing.cancel(),
        }
        told(first);
        self.next().await
    }
}
