//! rmcp's transport over two plain threads, which is ten times faster than its own and answers what that drops.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::vec::IntoIter;

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, GetExtensions, GetMeta, JsonRpcResponse,
    ProtocolVersion, RequestId, ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::mcp::bounds::{BATCH_MESSAGES, OPEN_CALLS, QUEUE_BATCHES, QUEUE_MESSAGES};
use crate::mcp::calls::OpenCalls;
use crate::mcp::decode::{Decoded, decode};
use crate::mcp::lines::Lines;
use crate::mcp::reply::{self, Constants};
use crate::mcp::writer::{self, Outgoing};

/// What the transport's owner keeps of it.
pub(super) struct Ends {
    /// Fires when the host closed our input.
    pub(super) input_ended: CancellationToken,
    /// Fires when the host stopped reading our output.
    pub(super) output_closed: CancellationToken,
    lines: mpsc::Sender<Outgoing>,
    written: oneshot::Receiver<()>,
}

impl Ends {
    /// Waits until everything handed over so far is written. Nothing is written after it.
    pub(super) async fn finish(self) {
        let _ = self.lines.send(Outgoing::End).await;
        let _ = self.written.await;
    }
}

/// A message could not be handed to the host.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// Nobody reads any more.
    #[error("the host stopped reading")]
    Closed,
    /// It holds something that JSON cannot.
    #[error("the message cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
}

/// Messages that were read at once, so that the thread which takes them is woken once.
type Batch = Vec<ClientJsonRpcMessage>;

/// The transport.
pub(super) struct HostTransport {
    batches: mpsc::Receiver<Batch>,
    /// The rest of the batch that was received last.
    batch: IntoIter<ClientJsonRpcMessage>,
    lines: mpsc::Sender<Outgoing>,
    calls: OpenCalls,
    room: Arc<Semaphore>,
    constants: Constants,
    versions: &'static [ProtocolVersion],
    opened: bool,
    /// A request of which the answer is dropped, since it has one.
    answered: Option<RequestId>,
}

/// Starts the two threads.
///
/// `versions` are the protocol versions that the server takes; they decide which request opens the session. `answered` is the
/// request that somebody else answered in our place.
pub(super) fn open(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    versions: &'static [ProtocolVersion],
    constants: Constants,
    answered: Option<RequestId>,
) -> (HostTransport, Ends) {
    let (lines, outgoing) = mpsc::channel(QUEUE_MESSAGES);
    let (incoming, batches) = mpsc::channel(QUEUE_BATCHES);
    let (done, written) = oneshot::channel();
    let (input_ended, output_closed) = (CancellationToken::new(), CancellationToken::new());
    let refusals = lines.clone();
    let ended = input_ended.clone();
    thread::spawn(move || {
        read(Lines::new(input), &incoming, &refusals);
        // Before the channel closes with this thread, so that its end is never seen without its reason.
        ended.cancel();
        drop(incoming);
    });
    let closed = output_closed.clone();
    thread::spawn(move || {
        if let Err(error) = writer::write(outgoing, output) {
            tracing::debug!(%error, "the host stopped reading");
            closed.cancel();
        }
        let _ = done.send(());
    });
    let transport = HostTransport {
        batches,
        batch: Batch::new().into_iter(),
        lines: lines.clone(),
        calls: OpenCalls::default(),
        room: Arc::new(Semaphore::new(OPEN_CALLS)),
        constants,
        versions,
        opened: false,
        answered,
    };
    let ends = Ends {
        input_ended,
        output_closed,
        lines,
        written,
    };
    (transport, ends)
}

/// Reads until the input ends or nobody takes the messages any more.
fn read(mut lines: Lines<impl Read>, batches: &mpsc::Sender<Batch>, refusals: &mpsc::Sender<Outgoing>) {
    let mut batch = Batch::new();
    loop {
        // A message never waits for the next one to arrive.
        let is_due = !batch.is_empty() && (batch.len() >= BATCH_MESSAGES || !lines.has_next());
        if is_due && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
            return;
        }
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the host's input cannot be read");
                return;
            }
        };
        match decode(&line) {
            Decoded::Message(message) => batch.push(*message),
            Decoded::Refused(answers) => {
                tracing::warn!(answers = answers.len(), "a line of the host is no message");
                for answer in answers {
                    if refusals.blocking_send(Outgoing::Line(answer.into())).is_err() {
                        return;
                    }
                }
            }
            Decoded::Ignored => tracing::debug!("a line of the host is no message and needs no answer"),
        }
    }
}

impl HostTransport {
    /// Tells whether rmcp may see a message now.
    ///
    /// rmcp 3.9.0 ends the server at a notification or answer that comes before the session is open, and a host may
    /// well send one: after a probe that timed out, or out of habit. This mirrors rmcp's own rule for what opens a
    /// session, see `a_notification_before_the_session_is_dropped`.
    fn admits(&mut self, message: &ClientJsonRpcMessage) -> bool {
        let ClientJsonRpcMessage::Request(request) = message else {
            return self.opened;
        };
        self.opened = self.opened
            || match &request.request {
                ClientRequest::InitializeRequest(_) => true,
                ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
                other => {
                    let meta = other.get_meta();
                    meta.missing_required_keys(&ProtocolVersion::V_2026_07_28)
                        .is_empty()
                        && meta
                            .protocol_version()
                            .is_some_and(|version| self.versions.contains(&version))
                }
            };
        true
    }
}

impl Transport<RoleServer> for HostTransport {
    type Error = SendError;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        let id = match &message {
            ServerJsonRpcMessage::Response(response) => Some(&response.id),
            ServerJsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        let permits = id.map(|id| self.calls.answer(id));
        let is_answered = self.answered.is_some() && self.answered.as_ref() == id;
        if is_answered {
            self.answered = None;
        }
        let line = match message {
            ServerJsonRpcMessage::Response(JsonRpcResponse {
                result: ServerResult::CallToolResult(result),
                id,
                ..
            }) => reply::line(&id, result, &self.constants),
            other => serde_json::to_vec(&other).map(reply::Line::from),
        };
        let lines = self.lines.clone();
        async move {
            let line = line.map_err(SendError::NotJson)?;
            if is_answered {
                return Ok(());
            }
            let sent = lines
                .send(Outgoing::Line(line))
                .await
                .map_err(|_| SendError::Closed);
            drop(permits);
            sent
        }
    }

    // rmcp drops this future whenever something else happens first. No message may be held across an await.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            let permit = self.room.clone().acquire_owned().await.ok()?;
            let Some(mut message) = self.batch.next() else {
                self.batch = self.batches.recv().await?.into_iter();
                continue;
            };
            if !self.admits(&message) {
                continue;
            }
            match &mut message {
                ClientJsonRpcMessage::Request(request) => {
                    if let ClientRequest::CallToolRequest(call) = &mut request.request {
                        let open = self.calls.open(request.id.clone(), self.lines.clone(), permit);
                        call.extensions_mut().insert(open);
                    }
                }
                ClientJsonRpcMessage::Notification(notification) => {
                    if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        self.calls.cancel(id, cancelled.params.reason.as_deref());
                    }
                }
                _ => {}
            }
            return Some(message);
        }
    }

    // The writer is ended by the owner of the transport, who also ends it when rmcp never got this far.
    async fn close(&mut self) -> Result<(), SendError> {
        Ok(())
    }
}
