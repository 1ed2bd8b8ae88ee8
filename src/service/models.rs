//! The models that the account may name.

use std::time::Duration;

use serde_json::json;

use crate::domain::envelope::Meta;
use crate::run::masking::mask;
use crate::service::asked::Asked;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::reply::{Outcome, Reply};

/// Lists them. Not knowing them is no failure: a call without a model uses codex's own default.
pub async fn run(service: &Service, wait: Duration) -> Outcome {
    let asked = Asked::open(service).await?;
    let models = asked.probe(service).models(wait).await;
    let summary = match &models {
        Ok(models) => format!("{} models.", models.len()),
        Err(why) => format!("The models are unknown: {}.", mask(why)),
    };
    Ok(Reply {
        summary,
        body: object(json!({"known": models.is_ok(), "models": models.unwrap_or_default()})),
        next_steps: vec![format!(
            "pass an id as model; leave it out for {}'s own default",
            service.peer()
        )],
        meta: Meta {
            peer_version: Some(asked.program.version.to_string()),
            ..Meta::default()
        },
        ..Reply::default()
    })
}
