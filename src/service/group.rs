//! Groups.
use crate::domain::fault::{Fault, FaultCode};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::reply::Outcome;
use crate::service::submit::Ready;
/// Starts.
pub async fn submit(_service: &Service, _members: Vec<Ready<'_>>, _call: &Call) -> Outcome {
    Err(Fault::new(FaultCode::Internal, "not built").into())
}
