//! Arguments of `job`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::job::JobName;
use crate::domain::limits;
use crate::domain::request::{Detail, JobRequest, StateFilter};
use crate::mcp::arguments::whole::Whole;
use crate::mcp::arguments::{choice, common, decode, options};

const DETAILS: [Detail; Detail::NAMES.len()] = [Detail::Summary, Detail::Full, Detail::Diff, Detail::Log];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobArguments {
    /// Job id, its beginning, or latest
    id: Option<String>,
    /// Seconds to wait for its end; default 0
    #[schemars(extend("minimum" = 0, "maximum" = limits::WAIT_MAX.as_secs()))]
    wait_s: Option<Whole>,
    /// Log lines to show; default 50
    #[schemars(extend("minimum" = 0, "maximum" = limits::TAIL_MAX))]
    tail: Option<Whole>,
    /// How much to show; default summary
    #[schemars(extend("enum" = Detail::NAMES))]
    detail: Option<String>,
    /// Without id: which jobs; default all
    #[schemars(extend("enum" = StateFilter::names()))]
    state: Option<String>,
    /// Without id: how many; default 20
    #[schemars(extend("minimum" = 1, "maximum" = limits::LIST_MAX))]
    limit: Option<Whole>,
    /// Absolute path of the project folder
    workspace: Option<String>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<JobRequest, Fault> {
    let JobArguments {
        id,
        wait_s,
        tail,
        detail,
        state,
        limit,
        workspace,
    } = decode::decode("job", arguments)?;
    let workspace = common::workspace(workspace)?;
    if let Some(group) = id.as_deref().and_then(|id| id.strip_prefix("group:")) {
        if !options::is_group(group) {
            return Err(Fault::argument("id", "`id` names no label after `group:`")
                .hint("pass group: and the label that the calls had in options.group"));
        }
        return Ok(JobRequest::List {
            filter: state.map_or(Ok(StateFilter::default()), |text| filter(&text))?,
            limit: limit.map_or(Ok(limits::LIST_DEFAULT), |limit| {
                count(limit, "limit", 1, limits::LIST_MAX)
            })?,
            group: Some(group.to_owned()),
            workspace,
        });
    }
    let Some(id) = id else {
        let misplaced = [
            ("wait_s", wait_s.is_some()),
            ("tail", tail.is_some()),
            ("detail", detail.is_some()),
        ];
        if let Some((field, _)) = misplaced.iter().find(|(_, given)| *given) {
            return Err(Fault::argument(
                *field,
                format!("`{field}` is about one job, and no `id` was given"),
            )
            .hint("add `id`, which may be `latest`, or leave it out to list the jobs"));
        }
        return Ok(JobRequest::List {
            filter: state.map_or(Ok(StateFilter::default()), |text| filter(&text))?,
            limit: limit.map_or(Ok(limits::LIST_DEFAULT), |limit| {
                count(limit, "limit", 1, limits::LIST_MAX)
            })?,
            group: None,
            workspace,
        });
    };
    for (field, given) in [("state", state.is_some()), ("limit", limit.is_some())] {
        if given {
            return Err(
                Fault::argument(field, format!("`{field}` is about a list, and an `id` was given"))
                    .hint(format!("leave out `{field}` or `id`")),
            );
        }
    }
    Ok(JobRequest::Show {
        name: name(&id)?,
        wait: wait_s.map_or(Ok(Duration::ZERO), common::wait)?,
        tail: tail.map_or(Ok(limits::TAIL_DEFAULT), |tail| {
            count(tail, "tail", 0, limits::TAIL_MAX)
        })?,
        detail: match detail {
            Some(text) => choice::choose("detail", &text, &Detail::NAMES, &DETAILS)?,
            None => Detail::default(),
        },
        workspace,
    })
}

/// Reads the name of a job.
pub(super) fn name(text: &str) -> Result<JobName, Fault> {
    text.parse().map_err(|_| {
        Fault::argument("id", "`id` is not the id of a job").hint("call job without an id to list the jobs")
    })
}

fn filter(text: &str) -> Result<StateFilter, Fault> {
    StateFilter::parse(text).ok_or_else(|| choice::not_one_of("state", text, &StateFilter::names()))
}

fn count(number: Whole, field: &str, low: usize, high: usize) -> Result<usize, Fault> {
    let number = number.within(field, low as u64..=high as u64)?;
    Ok(usize::try_from(number).unwrap_or(high))
}
