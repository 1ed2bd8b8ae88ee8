//! The seam between this door and the use cases.

use std::future::Future;
use std::pin::Pin;

use crate::domain::envelope::Envelope;
use crate::domain::fault::Fault;
use crate::domain::peer::Peer;
use crate::service::call::{Call, Request};

/// What answers the tools.
pub trait Backend: Send + Sync + 'static {
    /// Returns the peer that paid calls ask, whose name tools and instructions carry.
    fn peer(&self) -> Peer {
        Peer::default()
    }

    /// Answers a call. May take as long as the job it waits for; must return soon after `call.closing` fires.
    fn call(&self, request: Request, call: Call) -> Pin<Box<dyn Future<Output = Envelope> + Send + '_>>;

    /// Returns fields of the answer to a request that never change, written once as the inside of a JSON object, such as
    /// `"codes":[...]`.
    ///
    /// They are put into the body of a success, where [`Backend::call`] then leaves them out. A large constant answer so
    /// costs one copy on its way to the host instead of a tree of values for each call.
    fn constant_fields(&self, request: &Request) -> Option<&'static str> {
        let _ = request;
        None
    }

    /// Wraps a fault that was found before the use case began, mostly an argument that does not fit.
    fn refuse(&self, tool: &'static str, fault: Fault, call: &Call) -> Envelope;

    /// Answers a call whose use case panicked. The panic itself is in the log, not in the answer.
    fn internal(&self, tool: &'static str, call: &Call) -> Envelope {
        let fault = Fault::new(
            crate::domain::fault::FaultCode::Internal,
            "the tool stopped unexpectedly",
        );
        self.refuse(tool, fault, call)
    }
}
