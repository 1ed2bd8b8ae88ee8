//! The models that the account may name.

use std::time::Duration;

use serde_json::json;

use crate::domain::envelope::Meta;
use crate::run::conclude::mask;
use crate::run::probe::Probe;
use crate::run::program::Program;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::reply::{Outcome, Reply};

/// Lists them. Not knowing them is no failure: a call without a model uses codex's own default.
pub async fn run(service: &Service, wait: Duration) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    let program = Program::find(&config, service.environment(), &store).await?;
    let probe = Probe {
        program: &program,
        config: &config,
        environment: service.environment(),
        store: &store,
    };
    let models = probe.models(wait).await;
    let summary = match &models {
        Ok(models) => format!("{} models.", models.len()),
        Err(why) => format!("The models are unknown: {}.", mask(why)),
    };
    Ok(Reply {
        summary,
        body: object(json!({"known": models.is_ok(), "models": models.unwrap_or_default()})),
        next_steps: vec!["pass an id as model; leave it out for codex's own default".to_owned()],
        meta: Meta {
            peer_version: Some(program.version.to_string()),
            ..Meta::default()
        },
        ..Reply::default()
    })
}
