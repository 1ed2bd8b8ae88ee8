//! The model server for tests that do not run in a runtime of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crosscheck::model::{ModelServer, RecordedRequest, Script};
use tokio::runtime::Runtime;

/// How long a test waits for something that is about to happen. Generous, since builds share the machine with tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A model server with its own runtime. It ends when it is dropped.
pub(crate) struct FakeModel {
    server: Option<ModelServer>,
    runtime: Option<Runtime>,
}

impl FakeModel {
    /// Starts a server for `script` on a free port of loopback.
    pub(crate) fn start(script: impl Script + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let server = runtime
            .block_on(ModelServer::start(Arc::new(script)))
            .expect("loopback has a free port");
        Self {
            server: Some(server),
            runtime: Some(runtime),
        }
    }

    fn server(&self) -> &ModelServer {
        self.server
            .as_ref()
            .expect("the server lives as long as its owner")
    }

    /// Returns the base URL for codex's provider.
    pub(crate) fn base_url(&self) -> String {
        self.server().base_url()
    }

    /// Returns the URL without a path.
    pub(crate) fn origin(&self) -> String {
        self.server().origin()
    }

    /// Returns every request so far.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.server().requests()
    }

    /// Returns the requests for an answer so far. Each of them would have been paid.
    pub(crate) fn turns(&self) -> Vec<RecordedRequest> {
        self.requests()
            .into_iter()
            .filter(RecordedRequest::is_turn)
            .collect()
    }

    /// Waits until `count` answers were asked for.
    pub(crate) fn wait_for_turns(&self, count: usize) -> Vec<RecordedRequest> {
        wait_until(&format!("{count} requests for an answer"), || {
            self.turns().len() >= count
        });
        self.turns()
    }

    /// Waits until a client has gone away in the middle of a response.
    pub(crate) fn wait_for_gone_client(&self) {
        wait_until("a client that goes away", || self.server().clients_gone() > 0);
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        drop(self.server.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits until `condition` holds, and fails naming `what` when it does not in time.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
