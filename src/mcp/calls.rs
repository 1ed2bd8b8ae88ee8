//! The calls that are read and not yet answered, by the id that the host gave them.
//!
//! rmcp tells a handler that its call was cancelled, but not why, and the reason decides whether a paid run goes on.
//! So the reason is taken from the message before rmcp sees it, and each call carries its own record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{ProgressToken, RequestId};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Sender;

use crate::domain::visible::make_visible;
use crate::mcp::bounds::{ID_BYTES, PROGRESS_CHARS};
use crate::mcp::writer::Outgoing;
use crate::service::call::{CancelReason, CancelSignal, ProgressSink};

/// One call from its first byte to its answer. Travels to the handler in the request's extensions.
#[derive(Debug)]
pub(super) struct OpenCall {
    pub(super) cancelled: CancelSignal,
    lines: Sender<Outgoing>,
    outbox: Mutex<Outbox>,
}

#[derive(Debug, Default)]
struct Outbox {
    /// The answer is on its way, or will never be given: nothing more may be said about this call.
    over: bool,
    /// Progress lines sent; the protocol wants rising numbers.
    progress: u64,
    /// Held until the answer is handed to the writer, so that answers cannot pile up in between.
    permits: Vec<OwnedSemaphorePermit>,
}

impl OpenCall {
    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        // Nothing panics while the lock is held; a poisoned outbox is still in order.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a permit until the call is answered. A call that is over gives it back at once.
    pub(super) fn hold(&self, permit: OwnedSemaphorePermit) {
        let mut outbox = self.outbox();
        if !outbox.over {
            outbox.permits.push(permit);
        }
    }

    /// Ends the call and returns what it holds.
    fn close(&self) -> Vec<OwnedSemaphorePermit> {
        let mut outbox = self.outbox();
        outbox.over = true;
        std::mem::take(&mut outbox.permits)
    }

    /// Makes the sink for the progress of this call.
    pub(super) fn progress(self: &Arc<Self>, token: &ProgressToken) -> Option<ProgressSink> {
        // It is repeated with every line. Known hosts use numbers or short texts.
        let token = serde_json::to_string(token)
            .ok()
            .filter(|token| token.len() <= ID_BYTES)?;
        let call = self.clone();
        Some(ProgressSink::new(move |text| call.tell(&token, text)))
    }

    /// Writes one progress line, past rmcp: in order with the answer, and lost rather than late.
    fn tell(&self, token: &str, text: &str) {
        let line: String = make_visible(text)
            .chars()
            .take(PROGRESS_CHARS)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let message = serde_json::Value::from(line);
        let mut outbox = self.outbox();
        if outbox.over {
            return;
        }
        outbox.progress += 1;
        let number = outbox.progress;
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\
             \"progress\":{number},\"message\":{message}}}}}"
        );
        // Under the lock, so that neither two lines nor the answer can overtake this one.
        let _ = self.lines.try_send(Outgoing::Line(line.into_bytes().into()));
    }
}

/// All open calls of one host.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenCalls(Arc<Mutex<HashMap<RequestId, Arc<OpenCall>>>>);

impl OpenCalls {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, Arc<OpenCall>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a call.
    pub(super) fn open(
        &self,
        id: RequestId,
        lines: Sender<Outgoing>,
        permit: OwnedSemaphorePermit,
    ) -> Arc<OpenCall> {
        let call = Arc::new(OpenCall {
            cancelled: CancelSignal::default(),
            lines,
            outbox: Mutex::new(Outbox {
                permits: vec![permit],
                ..Outbox::default()
            }),
        });
        if let Some(older) = self.map().insert(id, call.clone()) {
            // The host's defect: of two calls with one id only one can be answered.
            tracing::warn!("two calls in flight have the same id");
            older.close();
        }
        call
    }

    /// Ends a call that is being answered. The permits are to be dropped when the answer is handed over.
    pub(super) fn answer(&self, id: &RequestId) -> Vec<OwnedSemaphorePermit> {
        let call = self.map().remove(id);
        call.map(|call| call.close()).unwrap_or_default()
    }

    /// Ends a call that the host gave up. Its use case may go on working, unheard.
    pub(super) fn cancel(&self, id: &RequestId, reason: Option<&str>) {
        let call = self.map().remove(id);
        if let Some(call) = call {
            call.close();
            call.cancelled.cancel(CancelReason::of(reason));
        }
    }
}
