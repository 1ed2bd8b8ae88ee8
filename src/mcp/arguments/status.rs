//! Arguments of `status`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::request::{StatusRequest, Topic};
use crate::mcp::arguments::{choice, common, decode};

const TOPICS: [Topic; Topic::NAMES.len()] = [
    Topic::Overview,
    Topic::Models,
    Topic::Quota,
    Topic::Options,
    Topic::Policy,
    Topic::Worktrees,
    Topic::Errors,
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusArguments {
    /// What to tell about; default overview
    #[schemars(extend("enum" = Topic::NAMES))]
    topic: Option<String>,
    /// Absolute path of the project folder
    workspace: Option<String>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<StatusRequest, Fault> {
    let StatusArguments { topic, workspace } = decode::decode("status", arguments)?;
    Ok(StatusRequest {
        topic: match topic {
            Some(text) => choice::choose("topic", &text, &Topic::NAMES, &TOPICS)?,
            None => Topic::default(),
        },
        workspace: common::workspace(workspace)?,
    })
}
