//! One call of apply.

use crate::domain::request::{ApplyAction, ApplyRequest};
use crate::service::apply::subject::Subject;
use crate::service::apply::{branch, discard, land, preview, undo};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::reply::Outcome;

/// Does what is asked with a result.
pub async fn run(service: &Service, request: &ApplyRequest, call: &Call) -> Outcome {
    let subject = Subject::find(service, request).await?;
    match &request.action {
        ApplyAction::Preview => preview::run(service, subject, request).await,
        ApplyAction::Land {
            token,
            accept_failed_checks,
        } => {
            let wish = land::Wish {
                token: token.as_deref(),
                accept_failed_checks: *accept_failed_checks,
            };
            land::run(subject, request, &wish, call).await
        }
        ApplyAction::Branch { name } => branch::run(subject, request, name.as_deref()).await,
        ApplyAction::Discard => discard::run(subject).await,
        ApplyAction::Undo => undo::run(subject).await,
    }
}
