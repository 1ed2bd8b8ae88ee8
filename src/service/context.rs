//! The service: what every use case shares, and the one entry that both doors use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::domain::envelope::{Envelope, ErrorView, Failure, Meta, Success};
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::request::DryRunRequest;
use crate::service::call::{Call, Request};
use crate::service::reply::{Outcome, Refusal};
use crate::service::vigil::Vigil;
use crate::service::{apply, cancel, consult, delegate, dry_run, jobs, review, shown, status};
use crate::state::store::Store;
use crate::sys::clock::Stopwatch;
use crate::sys::files;

/// Our version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Bytes of the user's configuration file.
const CONFIG_BYTES: u64 = 1024 * 1024;

/// All use cases. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct Service(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    peer: Peer,
    program: PathBuf,
    environment: Environment,
    directory: PathBuf,
    fingerprint: String,
    vigil: Vigil,
}

impl Service {
    /// Makes the service. Touches nothing: no file, no process.
    ///
    /// `program` is our own executable, which workers are started from; `directory` is where we were started.
    pub fn new(program: PathBuf, environment: Environment, directory: PathBuf, fingerprint: String) -> Self {
        Self::of(Peer::default(), program, environment, directory, fingerprint)
    }

    /// As [`Self::new`], for another peer than the usual one.
    pub fn of(
        peer: Peer,
        program: PathBuf,
        environment: Environment,
        directory: PathBuf,
        fingerprint: String,
    ) -> Self {
        Self(Arc::new(Shared {
            peer,
            program,
            environment,
            directory,
            fingerprint,
            vigil: Vigil::default(),
        }))
    }

    /// Returns the peer that new jobs are made with.
    pub fn peer(&self) -> Peer {
        self.0.peer
    }

    /// Returns what watches over jobs that no call waits for.
    pub fn vigil(&self) -> &Vigil {
        &self.0.vigil
    }

    /// Returns our own executable.
    pub fn program(&self) -> &Path {
        &self.0.program
    }

    /// Returns our environment.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Returns where we were started.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// Returns the hash over schemas and codes.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// Reads the configuration, every time: a change holds for the next call, not for the next start.
    pub fn config(&self) -> Result<Config, Fault> {
        Config::layered(self.config_text()?.as_deref(), self.environment())
    }

    /// Reads the text of the user's file; `None` when the usual place is empty.
    pub(super) fn config_text(&self) -> Result<Option<String>, Fault> {
        match Config::path_from(self.environment()) {
            None => Ok(None),
            Some(path) => match files::read_bounded_linked(&path, CONFIG_BYTES) {
                Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
                    Fault::new(
                        FaultCode::ConfigInvalid,
                        format!("`{}` is not UTF-8", path.display()),
                    )
                }),
                // The usual place may be empty; a file that somebody named must be there.
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound
                        && self.environment().get("CROSSCHECK_CONFIG").is_none() =>
                {
                    Ok(None)
                }
                Err(error) => {
                    let message = format!("cannot read `{}`: {error}", path.display());
                    Err(Fault::new(FaultCode::ConfigInvalid, message))
                }
            },
        }
    }

    /// Returns the state directory's store.
    pub fn store(&self) -> Result<Store, Fault> {
        Store::path_from(self.environment())
            .map(Store::at)
            .ok_or_else(|| {
                Fault::new(
                    FaultCode::StateUnavailable,
                    "there is no home folder and CROSSCHECK_STATE_DIR is not set",
                )
            })
    }

    /// Runs a use case.
    pub async fn call(&self, request: Request, call: Call) -> Envelope {
        let watch = Stopwatch::start();
        let tool = request.tool();
        tracing::debug!(tool, request = %call.request_id, "call");
        if let (Some(host), Ok(store)) = (&call.host_process, self.store()) {
            self.vigil().adopt(&store, host);
        }
        let is_preview = matches!(request, Request::DryRun(_));
        let outcome = match request {
            Request::Status(request) => status::run(self, &request, &call).await,
            Request::DryRun(DryRunRequest::Consult(request)) => dry_run::consult(self, &request, &call).await,
            Request::DryRun(DryRunRequest::Review(request)) => dry_run::review(self, &request, &call).await,
            Request::Consult(request) => consult::run(self, &request, &call).await,
            Request::Review(request) => review::run(self, &request, &call).await,
            Request::Job(request) => jobs::run(self, &request, &call).await,
            Request::Cancel(request) => cancel::run(self, &request, &call).await,
            Request::Delegate(request) => delegate::run(self, &request, &call).await,
            Request::Apply(request) | Request::DryRun(DryRunRequest::Apply(request)) => {
                apply::run(self, &request, &call).await
            }
            Request::DryRun(DryRunRequest::Delegate(request)) => {
                delegate::preview(self, &request, &call).await
            }
        };
        let outcome = outcome.map_err(|mut refusal| {
            // Whoever asked for what is free is offered nothing that is paid.
            if is_preview {
                refusal.fault = refusal.fault.previewed();
            }
            refusal
        });
        self.wrap(tool, outcome, &call, watch)
    }

    /// Answers `status topic=errors` without its rows, for a door that keeps them serialised.
    pub fn errors_head(&self, call: &Call) -> Envelope {
        self.wrap("status", Ok(status::errors_head()), call, Stopwatch::start())
    }

    /// Wraps a fault that was found before a use case began.
    pub fn refuse(&self, tool: &'static str, fault: Fault, call: &Call) -> Envelope {
        self.wrap(tool, Err(Refusal::from(fault).into()), call, Stopwatch::start())
    }

    /// Makes the envelope of a use case.
    pub(super) fn wrap(
        &self,
        tool: &'static str,
        outcome: Outcome,
        call: &Call,
        watch: Stopwatch,
    ) -> Envelope {
        let complete = |meta: Meta| {
            shown::meta(Meta {
                request_id: call.request_id.clone(),
                // A job may be one of another peer.
                peer: meta.peer.or(Some(self.peer().as_str())),
                elapsed_ms: watch.elapsed_ms(),
                server_version: VERSION,
                host: call
                    .host
                    .as_ref()
                    .map(|host| format!("{} {}", host.name, host.version).trim().to_owned()),
                ..meta
            })
        };
        match outcome {
            Ok(mut reply) => {
                shown::reply(&mut reply);
                Envelope::Success(Box::new(Success {
                    ok: true,
                    tool,
                    summary: reply.summary,
                    job: reply.job,
                    body: reply.body,
                    next_steps: reply.next_steps,
                    warnings: reply.warnings,
                    meta: complete(reply.meta),
                    fingerprint: self.fingerprint().to_owned(),
                }))
            }
            Err(mut refusal) => {
                shown::refusal(&mut refusal);
                tracing::info!(tool, code = refusal.fault.code.as_str(), request = %call.request_id, "refused");
                Envelope::Failure(Box::new(Failure {
                    ok: false,
                    tool,
                    error: ErrorView::from(refusal.fault),
                    job: refusal.job,
                    meta: complete(refusal.meta),
                    fingerprint: self.fingerprint().to_owned(),
                }))
            }
        }
    }
}
