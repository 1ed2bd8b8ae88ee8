//! One session with a host, from its first byte to the end of this process's usefulness.

use std::future::Future;
use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use rmcp::service::{DynService, RoleServer, ServiceExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::mcp::backend::Backend;
use crate::mcp::bounds::{CLOSING_GRACE, INPUT_ENDED_GRACE};
use crate::mcp::handed_over::HandedOver;
use crate::mcp::reply::Constants;
use crate::mcp::server::{Eras, Server};
use crate::mcp::signals::Signal;
use crate::mcp::transport;

/// What answers requests, with each request's future in a box of its own: rmcp moves it four times before it runs, and it has
/// room for every kind of request there is, 5.6 kB. It was the largest single cost of a quick call.
type Handler = Box<dyn DynService<RoleServer>>;

/// Why the session ended. All but the last are the ordinary ways for a host to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The host closed our input.
    InputEnded,
    /// The host stopped reading our output.
    OutputClosed,
    /// We were told to end.
    Signalled(Signal),
    /// The protocol's machinery gave up by itself: a defect.
    Broken,
}

/// Serves one host until it goes. Has no effect of its own: no file, no child, no lock.
///
/// When `signal` fires, the input ends or the output breaks, `closing` fires in every call; what is answered within half
/// a second is still written. `begun` is what a launcher read in our place. Threads that read or write may stay blocked in the input or output; ending the process
/// ends them.
pub async fn serve(
    backend: Arc<dyn Backend>,
    eras: Eras,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    begun: Option<HandedOver>,
    signal: impl Future<Output = Signal>,
) -> ExitReason {
    let handler = Server::into_dyn;
    serve_as(handler, backend, eras, (input, output), begun, signal).await
}

/// Serves like [`serve`], with the samples of the conformance suite beside the tools.
#[cfg(feature = "conformance")]
pub async fn serve_samples(
    backend: Arc<dyn Backend>,
    eras: Eras,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    begun: Option<HandedOver>,
    signal: impl Future<Output = Signal>,
) -> ExitReason {
    let handler = |server| crate::mcp::samples::Sampled::new(server).into_dyn();
    serve_as(handler, backend, eras, (input, output), begun, signal).await
}

async fn serve_as(
    handler: impl FnOnce(Server) -> Handler,
    backend: Arc<dyn Backend>,
    eras: Eras,
    (input, output): (impl Read + Send + 'static, impl Write + Send + 'static),
    begun: Option<HandedOver>,
    signal: impl Future<Output = Signal>,
) -> ExitReason {
    let closing = CancellationToken::new();
    let stop = CancellationToken::new();
    let constants = Constants::default();
    let (first, answered) = begun.map(HandedOver::into_parts).unzip();
    let input = Cursor::new(first.unwrap_or_default()).chain(input);
    let (transport, ends) = transport::open(input, output, eras.versions(), constants.clone(), answered);
    let server = Server::new(backend, eras, closing.clone(), constants);
    let mut session = tokio::spawn(session(handler(server), transport, stop.clone()));
    let reason = tokio::select! {
        // In this order: the session also ends when the input does, and then the input is the reason.
        biased;
        signal = signal => ExitReason::Signalled(signal),
        () = ends.output_closed.cancelled() => ExitReason::OutputClosed,
        () = ends.input_ended.cancelled() => ExitReason::InputEnded,
        _ = &mut session => ExitReason::Broken,
    };
    tracing::debug!(?reason, "the session ends");
    closing.cancel();
    let mut ended = reason == ExitReason::Broken;
    if reason == ExitReason::InputEnded {
        ended = timeout(INPUT_ENDED_GRACE, &mut session).await.is_ok();
    }
    stop.cancel();
    let rest = async {
        if !ended {
            let _ = session.await;
        }
        ends.finish().await;
    };
    if timeout(CLOSING_GRACE, rest).await.is_err() {
        tracing::debug!("some calls were not answered in time");
    }
    reason
}

/// Runs rmcp. How it ends does not matter here: the reason is known to [`serve`].
async fn session(server: Handler, transport: transport::HostTransport, stop: CancellationToken) {
    match server.serve_with_ct(transport, stop).await {
        Ok(running) => {
            if let Err(error) = running.waiting().await {
                tracing::error!(%error, "the session stopped unexpectedly");
            }
        }
        // Before the first request this is how an early end of the input or an early signal looks.
        Err(error) => tracing::debug!(%error, "the session never began"),
    }
}
