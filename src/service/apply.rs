//! What becomes of a delegate's result: preview, land, branch, discard, undo.

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::ApplyRequest;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::reply::Outcome;

/// Applies.
pub async fn run(_service: &Service, _request: &ApplyRequest, _call: &Call) -> Outcome {
    Err(Fault::new(FaultCode::Internal, "not built").into())
}
