//! Arguments of `consult`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{ConsultKind, ConsultRequest, checked_argument};
use crate::mcp::arguments::common::{self, CommonArguments};
use crate::mcp::arguments::whole::Whole;
use crate::mcp::arguments::{choice, decode};

const KINDS: [ConsultKind; ConsultKind::NAMES.len()] = [
    ConsultKind::Answer,
    ConsultKind::Challenge,
    ConsultKind::ReviewPlan,
    ConsultKind::WriteCode,
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsultArguments {
    /// The question, plan or task
    prompt: String,
    /// Kind of answer; default answer
    #[schemars(extend("enum" = ConsultKind::NAMES))]
    kind: Option<String>,
    /// What you know already
    context: Option<String>,
    /// Workspace files to send along
    #[schemars(extend("maxItems" = limits::CONTEXT_FILES))]
    files: Option<Vec<String>>,
    /// Job or thread id to continue
    resume: Option<String>,
    /// Absolute path of the project folder
    workspace: Option<String>,
    /// Model; default the user's own
    model: Option<String>,
    /// Reasoning effort; default the user's
    effort: Option<String>,
    /// Seconds to wait; then the job's handle
    #[schemars(extend("minimum" = 0, "maximum" = limits::WAIT_MAX.as_secs()))]
    wait_s: Option<Whole>,
    /// Return the job's handle at once
    background: Option<bool>,
    /// Rare knobs: see status topic=options
    options: Option<Map<String, Value>>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<ConsultRequest, Fault> {
    let ConsultArguments {
        prompt,
        kind,
        context,
        files,
        resume,
        workspace,
        model,
        effort,
        wait_s,
        background,
        options,
    } = decode::decode("consult", arguments)?;
    let files = common::paths("files", files.unwrap_or_default(), limits::CONTEXT_FILES)?;
    Ok(ConsultRequest {
        prompt: checked_argument("prompt", prompt)?,
        kind: match kind {
            Some(text) => choice::choose("kind", &text, &ConsultKind::NAMES, &KINDS)?,
            None => ConsultKind::default(),
        },
        context: context
            .map(|text| checked_argument("context", text))
            .transpose()?,
        files: files.into_iter().map(PathBuf::from).collect(),
        common: CommonArguments {
            workspace,
            model,
            effort,
            wait_s,
            background,
            resume,
            options,
        }
        .parse("consult")?,
    })
}
