//! Arguments of `status`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::request::{StatusRequest, Topic};
use crate::domain::route::{CONTEXT_TOKENS_MAX, Complexity, Task, TaskType};
use crate::mcp::arguments::whole::Whole;
use crate::mcp::arguments::{choice, common, decode};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusArguments {
    /// What to tell about; default overview
    #[schemars(extend("enum" = Topic::NAMES))]
    topic: Option<String>,
    /// Of topic route: the task
    route: Option<RouteArguments>,
    /// Absolute path of the project folder
    workspace: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RouteArguments {
    /// What kind of work
    #[schemars(extend("enum" = TaskType::NAMES))]
    task_type: Option<String>,
    /// How hard
    #[schemars(extend("enum" = Complexity::NAMES))]
    complexity: Option<String>,
    /// Tokens to read
    context_tokens: Option<Whole>,
    /// The task in words
    text: Option<String>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<StatusRequest, Fault> {
    let StatusArguments {
        topic,
        route,
        workspace,
    } = decode::decode("status", arguments)?;
    let topic = match topic {
        Some(text) => choice::choose("topic", &text, &Topic::NAMES, &Topic::ALL)?,
        None if route.is_some() => Topic::Route,
        None => Topic::default(),
    };
    if topic != Topic::Route && route.is_some() {
        return Err(
            Fault::argument("route", "`route` means nothing to this topic").hint("pass it with topic=route")
        );
    }
    Ok(StatusRequest {
        topic,
        workspace: common::workspace(workspace)?,
        task: route.unwrap_or_default().parse()?,
    })
}

impl RouteArguments {
    fn parse(self) -> Result<Task, Fault> {
        let Self {
            task_type,
            complexity,
            context_tokens,
            text,
        } = self;
        Ok(Task {
            task_type: task_type
                .map(|text| choice::choose("route.task_type", &text, &TaskType::NAMES, &TaskType::ALL))
                .transpose()?,
            complexity: complexity
                .map(|text| choice::choose("route.complexity", &text, &Complexity::NAMES, &Complexity::ALL))
                .transpose()?,
            context_tokens: context_tokens
                .map(|tokens| tokens.within("route.context_tokens", 0..=CONTEXT_TOKENS_MAX))
                .transpose()?,
            text,
        })
    }
}
