//! What a delegate would do, for free.
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::DelegateRequest;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::reply::Outcome;
/// Previews a delegate.
pub async fn preview(_service: &Service, _request: &DelegateRequest, _call: &Call) -> Outcome {
    Err(Fault::new(FaultCode::Internal, "not built").into())
}
