//! The service is what answers the tools.

use std::future::Future;
use std::pin::Pin;

use crate::domain::envelope::Envelope;
use crate::domain::fault::Fault;
use crate::mcp::backend::Backend;
use crate::service::call::{Call, Request};
use crate::service::context::Service;

impl Backend for Service {
    fn call(&self, request: Request, call: Call) -> Pin<Box<dyn Future<Output = Envelope> + Send + '_>> {
        Box::pin(Self::call(self, request, call))
    }

    fn refuse(&self, tool: &'static str, fault: Fault, call: &Call) -> Envelope {
        Self::refuse(self, tool, fault, call)
    }
}
