//! Arguments of `cancel`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::request::CancelRequest;
use crate::mcp::arguments::{decode, job};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelArguments {
    /// Job id, its beginning, or latest
    id: String,
    /// Also delete our record of the job
    forget: Option<bool>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<CancelRequest, Fault> {
    let CancelArguments { id, forget } = decode::decode("cancel", arguments)?;
    Ok(CancelRequest {
        name: job::name(&id)?,
        forget: forget.unwrap_or(false),
        // The working directory decides what `latest` means here: ending a job of another folder takes its id.
        workspace: None,
    })
}
