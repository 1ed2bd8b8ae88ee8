//! Arguments of `dry_run`: those of the tool it previews.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::request::DryRunRequest;
use crate::mcp::arguments::{apply, choice, consult, decode, delegate, review};

/// The tools that have a preview.
const PREVIEWED: [&str; 4] = ["consult", "review", "delegate", "apply"];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DryRunArguments {
    /// The tool to preview
    #[schemars(extend("enum" = PREVIEWED))]
    tool: String,
    /// Exactly what that tool would get
    arguments: Map<String, Value>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<DryRunRequest, Fault> {
    let DryRunArguments { tool, arguments } = decode::decode("dry_run", arguments)?;
    match tool.as_str() {
        "consult" => consult::parse(arguments)
            .map(DryRunRequest::Consult)
            .map_err(inner),
        "review" => review::parse(arguments).map(DryRunRequest::Review).map_err(inner),
        "delegate" => delegate::parse(arguments)
            .map(DryRunRequest::Delegate)
            .map_err(inner),
        "apply" => apply::parse_preview(arguments)
            .map(DryRunRequest::Apply)
            .map_err(inner),
        _ => Err(choice::not_one_of("tool", &tool, &PREVIEWED)),
    }
}

/// Makes a field of the previewed tool a field of this one.
fn inner(mut fault: Fault) -> Fault {
    fault.field = fault.field.map(|field| format!("arguments.{field}"));
    fault
}
