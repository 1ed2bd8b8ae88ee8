//! Asks the person behind a host, where the host says that it can show a question (elicitation).

use std::collections::BTreeMap;
use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitationAction,
    ElicitationSchema, ProtocolVersion, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, RoleServer};

use crate::mcp::bounds::APPROVAL_WAIT;
use crate::service::call::{Approver, CancelSignal, Consent};

/// Returns the way to ask, for a host that declared it.
///
/// From 2026-07-28 on a server asks by answering a call with a question instead of sending one, which no known host does
/// yet; there the host's own permission prompt has to do.
pub(super) fn approver(context: &RequestContext<RoleServer>, cancelled: &CancelSignal) -> Option<Approver> {
    let info = context.peer.peer_info()?;
    if info.protocol_version >= ProtocolVersion::V_2026_07_28 || !can_ask(&info.capabilities) {
        return None;
    }
    let (peer, cancelled) = (context.peer.clone(), cancelled.clone());
    Some(Approver::new(move |question| {
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

/// Tells whether a host shows forms. One that names no mode means forms: there was nothing else at first.
fn can_ask(capabilities: &ClientCapabilities) -> bool {
    capabilities
        .elicitation
        .as_ref()
        .is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
}

async fn ask(peer: &Peer<RoleServer>, question: String, wait: Duration) -> Consent {
    let params = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question,
        // Yes or no is what every form asks anyway; it needs no fields.
        requested_schema: ElicitationSchema::new(BTreeMap::new()),
    };
    let mut options = PeerRequestOptions::no_options();
    options.timeout = Some(wait);
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
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
