//! Asks the person behind a host, where the host says that it can show a question (elicitation).
//!
//! Up to 2025-11-25 a question is a request of ours while the call waits. From 2026-07-28 on it is the answer to the call, which the
//! host repeats with what the person said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams,
    ElicitationAction, ElicitationSchema, InputRequest, InputRequiredResult, ProtocolVersion, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, RoleServer};
use tokio::sync::oneshot;

use crate::mcp::bounds::APPROVAL_WAIT;
use crate::mcp::questions::{Questions, Subject};
use crate::service::call::{Approver, CancelSignal, Consent};

/// The name of our question among those of one answer. There is never another.
const QUESTION: &str = "approval";

/// How the person behind one call is asked.
pub(super) enum Asking {
    /// Not at all: the host cannot show a question.
    Nobody,
    /// While the call waits.
    Within(Approver),
    /// By an answer that is a question, which comes out of the receiver. Whoever asks waits for ever then.
    Instead(Approver, oneshot::Receiver<InputRequiredResult>),
}

/// Returns the way to ask, for a host that declared it.
pub(super) fn asking(
    context: &RequestContext<RoleServer>,
    params: &CallToolRequestParams,
    cancelled: &CancelSignal,
    questions: &Arc<Questions>,
) -> Asking {
    if !context
        .client_capabilities()
        .is_some_and(|capabilities| can_ask(&capabilities))
    {
        return Asking::Nobody;
    }
    let is_modern = context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    if is_modern {
        let (asked, question) = oneshot::channel();
        return Asking::Instead(instead(params, questions.clone(), asked), question);
    }
    let (peer, cancelled) = (context.peer.clone(), cancelled.clone());
    Asking::Within(Approver::new(move |question| {
        let (peer, cancelled) = (peer.clone(), cancelled.clone());
        Box::pin(async move {
            // Without this a host that gave its call up would leave the call waiting for an answer that nobody gives.
            tokio::select! {
                consent = ask(&peer, question, APPROVAL_WAIT) => consent,
                _ = cancelled.wait() => Consent::Unheard,
            }
        })
    }))
}

/// Asks by answering: takes what the host brought along if it belongs to this very question, else hands the question out.
fn instead(
    params: &CallToolRequestParams,
    questions: Arc<Questions>,
    asked: oneshot::Sender<InputRequiredResult>,
) -> Approver {
    let tool = params.name.to_string();
    let arguments = serde_json::to_string(&params.arguments).unwrap_or_default();
    let brought = params.request_state.clone().zip(said(params));
    let asked = Arc::new(Mutex::new(Some(asked)));
    Approver::new(move |question| {
        let subject = Subject::of(&tool, &arguments, &question);
        if let Some((handle, consent)) = &brought
            && questions.take(handle, &subject)
        {
            return Box::pin(std::future::ready(*consent));
        }
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let handle = questions.ask(subject);
        let (Some(asked), Some(handle)) = (asked, handle) else {
            return Box::pin(std::future::ready(Consent::Unheard));
        };
        let request = InputRequest::Elicitation(ElicitRequest::new(form(question)));
        let requests = BTreeMap::from([(QUESTION.to_owned(), request)]);
        if asked
            .send(InputRequiredResult::new(Some(requests), Some(handle)))
            .is_err()
        {
            return Box::pin(std::future::ready(Consent::Unheard));
        }
        // The call ends with the question: nothing goes on here, and nothing was done yet.
        Box::pin(std::future::pending())
    })
}

/// Returns what the person said, if the host brought it along. What is no answer is as good as none: the question is asked again.
fn said(params: &CallToolRequestParams) -> Option<Consent> {
    let response = params.input_responses.as_ref()?.get(QUESTION)?;
    match response.get("action")?.as_str()? {
        "accept" => Some(Consent::Given),
        "decline" | "cancel" => Some(Consent::Withheld),
        _ => None,
    }
}

/// Tells whether a host shows forms. One that names no mode means forms: there was nothing else at first.
fn can_ask(capabilities: &ClientCapabilities) -> bool {
    capabilities
        .elicitation
        .as_ref()
        .is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
}

fn form(question: String) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question,
        // Yes or no is what every form asks anyway; it needs no fields.
        requested_schema: ElicitationSchema::new(BTreeMap::new()),
    }
}

async fn ask(peer: &Peer<RoleServer>, question: String, wait: Duration) -> Consent {
    let mut options = PeerRequestOptions::no_options();
    options.timeout = Some(wait);
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form(question)));
    let answered = match peer.send_cancellable_request(request, options).await {
        Ok(asked) => asked.await_response().await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(ClientResult::ElicitResult(result)) => match result.action {
            ElicitationAction::Accept => Consent::Given,
            // Decline, cancel, and whatever else a later revision knows: none of them is a yes.
            _ => Consent::Withheld,
        },
        Ok(_) => Consent::Unheard,
        Err(error) => {
            tracing::warn!(%error, "the host did not answer a question");
            Consent::Unheard
        }
    }
}
