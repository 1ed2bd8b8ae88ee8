//! The service is what answers the tools.

use std::future::Future;
use std::pin::Pin;

use crate::domain::envelope::Envelope;
use crate::domain::fault::Fault;
use crate::domain::peer::Peer;
use crate::domain::request::Topic;
use crate::mcp::backend::Backend;
use crate::service::call::{Call, Request};
use crate::service::context::Service;
use crate::service::status::error_rows;

impl Backend for Service {
    fn peer(&self) -> Peer {
        Service::peer(self)
    }

    fn call(&self, request: Request, call: Call) -> Pin<Box<dyn Future<Output = Envelope> + Send + '_>> {
        if asks_for_errors(&request) {
            return Box::pin(std::future::ready(self.errors_head(&call)));
        }
        Box::pin(Self::call(self, request, call))
    }

    fn refuse(&self, tool: &'static str, fault: Fault, call: &Call) -> Envelope {
        Self::refuse(self, tool, fault, call)
    }

    fn constant_fields(&self, request: &Request) -> Option<&'static str> {
        asks_for_errors(request).then(error_rows)
    }
}

fn asks_for_errors(request: &Request) -> bool {
    matches!(request, Request::Status(status) if status.topic == Topic::Errors)
}
