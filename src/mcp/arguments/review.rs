//! Arguments of `review`, and which of them go together.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{ReviewRequest, Subject, checked_argument};
use crate::domain::review_plan::Depth;
use crate::mcp::arguments::common::{self, CommonArguments};
use crate::mcp::arguments::whole::Whole;
use crate::mcp::arguments::{choice, decode};
use crate::service::target::{SCOPES, Target};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewArguments {
    /// Which change to review; default auto
    #[schemars(extend("enum" = SCOPES))]
    scope: Option<String>,
    /// Branch: where it left; else found
    base: Option<String>,
    /// Branch: its tip; default HEAD
    head: Option<String>,
    /// One commit, or a range A..B
    commit: Option<String>,
    /// Delegate job whose diff is reviewed
    job: Option<String>,
    /// Only these files or folders
    #[schemars(extend("maxItems" = limits::REVIEW_PATHS))]
    paths: Option<Vec<String>>,
    /// Code to review instead of a change
    snippet: Option<String>,
    /// What to look for
    focus: Option<String>,
    /// What the author meant
    context: Option<String>,
    /// How thorough; default standard
    #[schemars(extend("enum" = Depth::NAMES))]
    depth: Option<String>,
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

pub(super) fn parse(arguments: Map<String, Value>) -> Result<ReviewRequest, Fault> {
    let ReviewArguments {
        scope,
        base,
        head,
        commit,
        job,
        paths,
        snippet,
        focus,
        context,
        depth,
        resume,
        workspace,
        model,
        effort,
        wait_s,
        background,
        options,
    } = decode::decode("review", arguments)?;
    let depth = match depth {
        Some(depth) => choice::choose("depth", &depth, &Depth::NAMES, &Depth::ALL)?,
        None => Depth::UNSAID,
    };
    let paths = common::paths("paths", paths.unwrap_or_default(), limits::REVIEW_PATHS)?;
    let target = Target {
        scope,
        base,
        head,
        commit,
        job,
    };
    let subject = match snippet {
        Some(snippet) => {
            target.refuse_with_snippet()?;
            if paths.len() > 1 {
                return Err(Fault::argument(
                    "paths",
                    "`paths` names more than the one file of the `snippet`",
                )
                .hint("pass at most one path, the snippet's own name"));
            }
            Subject::Snippet(checked_argument("snippet", snippet)?)
        }
        None => target.parse()?,
    };
    Ok(ReviewRequest {
        subject,
        paths,
        focus: focus.map(|text| checked_argument("focus", text)).transpose()?,
        context: context
            .map(|text| checked_argument("context", text))
            .transpose()?,
        depth,
        common: CommonArguments {
            workspace,
            model,
            effort,
            wait_s,
            background,
            resume,
            options,
        }
        .parse("review")?,
    })
}
