//! One call of a tool: what is asked, who asks, and how to tell the asker something meanwhile.
//!
//! A call knows nothing of the protocol that brought it, so the terminal can make one too.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::domain::request::{
    ApplyRequest, CancelRequest, ConsultRequest, DelegateRequest, DryRunRequest, JobRequest, ReviewRequest,
    StatusRequest,
};
use crate::state::record::Starter;
use crate::sys::signal::ProcessIdentity;

/// What a caller asks for, parsed and within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The state of things.
    Status(StatusRequest),
    /// A free preview of a paid call.
    DryRun(DryRunRequest),
    /// A question for the peer.
    Consult(ConsultRequest),
    /// A review by the peer.
    Review(ReviewRequest),
    /// A look at one job or many.
    Job(JobRequest),
    /// The end of a job.
    Cancel(CancelRequest),
    /// A task for the peer.
    Delegate(DelegateRequest),
    /// What to do with its result.
    Apply(ApplyRequest),
}

impl Request {
    /// Returns the name of the tool.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::DryRun(_) => "dry_run",
            Self::Consult(_) => "consult",
            Self::Review(_) => "review",
            Self::Job(_) => "job",
            Self::Cancel(_) => "cancel",
            Self::Delegate(_) => "delegate",
            Self::Apply(_) => "apply",
        }
    }
}

/// The program that calls, as it names itself. Its words are not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, such as `claude-code` or `codex-mcp-client`; at most 128 bytes.
    pub name: String,
    /// Its version; at most 128 bytes.
    pub version: String,
}

/// Who asks, and how to reach them.
///
/// Clones are cheap and speak for the same call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Names the call in logs and envelopes.
    pub request_id: String,
    /// The host, when it said who it is.
    pub host: Option<Arc<Host>>,
    /// The host's own name of this use of the tool. The same one again is a retry, which must not be paid twice.
    pub tool_use_id: Option<String>,
    /// The host's conversation, when it says so: codex sends its thread.
    pub host_thread: Option<String>,
    /// The process of the host, which may have a session that is told when a job is over; absent in a terminal.
    pub host_process: Option<ProcessIdentity>,
    /// Who makes the call where nobody asked for it.
    pub starter: Option<Starter>,
    /// Tells the host how it goes; absent when the host did not ask.
    pub progress: Option<ProgressSink>,
    /// Asks the person at the other end; absent where nobody can be asked.
    pub approver: Option<Approver>,
    /// Fires when the host gives the call up. The job goes on unless the use case decides otherwise.
    pub cancelled: CancelSignal,
    /// Fires when this server is about to end: a signal, the end of its input, or a host that stopped reading.
    pub closing: CancellationToken,
}

impl Call {
    /// Makes a call that nobody can cancel and that nobody watches.
    pub fn new(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            host: None,
            tool_use_id: None,
            host_thread: None,
            host_process: None,
            starter: None,
            progress: None,
            approver: None,
            cancelled: CancelSignal::default(),
            closing: CancellationToken::new(),
        }
    }
}

/// Sends progress to whoever made the call.
#[derive(Clone)]
pub struct ProgressSink(Arc<dyn Fn(&str) + Send + Sync>);

impl ProgressSink {
    /// Makes a sink that hands each text to `send`, which must not block.
    pub fn new(send: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Tells one line. Returns at once; a line is lost when the receiver is slow or the call is over.
    pub fn send(&self, text: impl AsRef<str>) {
        (self.0)(text.as_ref());
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ProgressSink")
    }
}

/// What a person said when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Given,
    /// No, or the question was closed.
    Withheld,
    /// Nobody answered: the host could not ask, or went away.
    Unheard,
}

/// Asks a person whether something may be done.
#[derive(Clone)]
pub struct Approver(Arc<dyn Fn(String) -> Answering + Send + Sync>);

/// An answer that may take as long as a person does.
pub type Answering = Pin<Box<dyn Future<Output = Consent> + Send>>;

impl Approver {
    /// Makes an approver that puts each question, a few lines of plain text, to `ask`.
    pub fn new(ask: impl Fn(String) -> Answering + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Makes an approver for a person who said yes already.
    pub fn given() -> Self {
        Self::new(|_| Box::pin(std::future::ready(Consent::Given)))
    }

    /// Asks and waits for the answer.
    pub async fn ask(&self, question: String) -> Consent {
        (self.0)(question).await
    }
}

impl fmt::Debug for Approver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Approver")
    }
}

/// Why a host gave a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// The person did.
    ///
    /// Claude Code says so also when it is being closed, 10 to 40 ms before its signal arrives. Seen with 2.1.197.
    User,
    /// The person pressed Ctrl-C in a terminal. No host is closing, so there is nothing to wait for.
    Keyboard,
    /// A time-out, or anything else.
    Other,
}

impl CancelReason {
    /// What Claude Code 2.1.197 and 2.1.329 send when a person presses Esc.
    const USER: &str = "AbortError: user-cancel";

    /// Reads the reason of a `notifications/cancelled`.
    pub fn of(text: Option<&str>) -> Self {
        match text {
            Some(text) if text.starts_with(Self::USER) => Self::User,
            _ => Self::Other,
        }
    }
}

/// Tells whether and why a call was given up. Fires once and stays.
#[derive(Clone, Debug, Default)]
pub struct CancelSignal(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    reason: OnceLock<CancelReason>,
    fired: CancellationToken,
}

impl CancelSignal {
    /// Gives the call up. Only the first reason counts.
    pub fn cancel(&self, reason: CancelReason) {
        if self.0.reason.set(reason).is_ok() {
            self.0.fired.cancel();
        }
    }

    /// Returns the reason if the call was given up already.
    pub fn reason(&self) -> Option<CancelReason> {
        self.0.reason.get().copied()
    }

    /// Tells whether the call was given up.
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Waits until the call is given up; for ever if it never is. Safe to drop and call again.
    pub async fn wait(&self) -> CancelReason {
        self.0.fired.cancelled().await;
        self.reason().unwrap_or(CancelReason::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_persons_own_cancel_counts_as_theirs() {
        let check = |text, expected| assert_eq!(CancelReason::of(text), expected, "{text:?}");
        check(Some("AbortError: user-cancel"), CancelReason::User);
        check(Some("AbortError: user-cancel (Esc)"), CancelReason::User);
        check(
            Some("McpError: MCP error -32001: Request timed out"),
            CancelReason::Other,
        );
        check(Some("user-cancel"), CancelReason::Other);
        check(Some("aborterror: user-cancel"), CancelReason::Other);
        check(None, CancelReason::Other);
    }

    #[tokio::test]
    async fn the_first_reason_stays() {
        let signal = CancelSignal::default();
        assert!(!signal.is_cancelled());
        signal.cancel(CancelReason::User);
        signal.cancel(CancelReason::Other);
        assert_eq!(signal.wait().await, CancelReason::User);
        assert_eq!(signal.reason(), Some(CancelReason::User));
    }
}
