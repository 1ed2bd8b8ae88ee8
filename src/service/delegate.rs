//! A task for the peer that comes back as a diff.

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::DelegateRequest;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::reply::Outcome;

/// Delegates.
pub async fn run(_service: &Service, _request: &DelegateRequest, _call: &Call) -> Outcome {
    Err(Fault::new(FaultCode::Internal, "not built").into())
}

/// Previews a delegate.
pub async fn preview(_service: &Service, _request: &DelegateRequest, _call: &Call) -> Outcome {
    Err(Fault::new(FaultCode::Internal, "not built").into())
}
