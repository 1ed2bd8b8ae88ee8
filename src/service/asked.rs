//! A peer that is asked a free question.

use crate::config::Config;
use crate::domain::fault::Fault;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::service::context::Service;
use crate::state::store::Store;

/// The peer with what a question to it needs.
#[derive(Debug)]
pub struct Asked {
    /// The peer.
    pub program: Program,
    config: Config,
    store: Store,
}

impl Asked {
    /// Finds the peer.
    pub async fn open(service: &Service) -> Result<Self, Fault> {
        let (config, store) = (service.config()?, service.store()?);
        let program = Program::find(service.peer(), &config, service.environment(), &store).await?;
        Ok(Self {
            program,
            config,
            store,
        })
    }

    /// Returns what asks it.
    pub fn probe<'a>(&'a self, service: &'a Service) -> Probe<'a> {
        Probe {
            program: &self.program,
            config: &self.config,
            environment: service.environment(),
            store: &self.store,
        }
    }
}
