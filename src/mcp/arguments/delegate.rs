//! Arguments of `delegate`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::delegation::{ATTEMPTS_MAX, CHECKS_MAX, Dirty, GLOBS_MAX, TASKS_MAX};
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::DelegateRequest;
use crate::domain::runner::RunnerName;
use crate::mcp::arguments::common::{self, CommonArguments};
use crate::mcp::arguments::decode;
use crate::mcp::arguments::whole::Whole;
use crate::service::delegate::wanted::{Wanted, WantedTask};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DelegateArguments {
    /// What to do
    task: Option<String>,
    /// Several tasks instead, side by side
    #[schemars(extend("maxItems" = TASKS_MAX))]
    tasks: Option<Vec<TaskArguments>>,
    /// Globs of files it may change
    #[schemars(extend("maxItems" = GLOBS_MAX))]
    allowed_paths: Option<Vec<String>>,
    /// Workspace files to read first
    #[schemars(extend("maxItems" = limits::CONTEXT_FILES))]
    files: Option<Vec<String>>,
    /// What you know already
    context: Option<String>,
    /// Shell lines that judge the result
    #[schemars(extend("maxItems" = CHECKS_MAX))]
    checks: Option<Vec<String>>,
    /// Tries at each task; default 1
    #[schemars(extend("minimum" = 1, "maximum" = ATTEMPTS_MAX))]
    attempts: Option<Whole>,
    /// Uncommitted changes; default snapshot
    #[schemars(extend("enum" = Dirty::NAMES))]
    dirty: Option<String>,
    /// Commit to start from; default HEAD
    base: Option<String>,
    /// Delegate job to go on with
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskArguments {
    /// a-z, 0-9 and -
    id: String,
    /// What to do
    task: String,
    /// Else those of the call
    allowed_paths: Option<Vec<String>>,
    /// Else those of the call
    checks: Option<Vec<String>>,
    /// Else options.runner
    #[schemars(extend("enum" = RunnerName::NAMES))]
    runner: Option<String>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<DelegateRequest, Fault> {
    let DelegateArguments {
        task,
        tasks,
        allowed_paths,
        files,
        context,
        checks,
        attempts,
        dirty,
        base,
        resume,
        workspace,
        model,
        effort,
        wait_s,
        background,
        options,
    } = decode::decode("delegate", arguments)?;
    let tasks = tasks.unwrap_or_default().into_iter().map(|task| WantedTask {
        id: task.id,
        task: task.task,
        allowed_paths: task.allowed_paths.unwrap_or_default(),
        checks: task.checks.unwrap_or_default(),
        runner: task.runner,
    });
    let attempts = match attempts {
        Some(attempts) => attempts.within("attempts", 1..=u64::from(ATTEMPTS_MAX))?,
        None => 1,
    };
    let files = common::paths("files", files.unwrap_or_default(), limits::CONTEXT_FILES)?;
    Wanted {
        task,
        tasks: tasks.collect(),
        allowed_paths: allowed_paths.unwrap_or_default(),
        checks: checks.unwrap_or_default(),
        files: files.into_iter().map(PathBuf::from).collect(),
        context,
        attempts: u32::try_from(attempts).unwrap_or(ATTEMPTS_MAX),
        dirty,
        base,
        common: CommonArguments {
            workspace,
            model,
            effort,
            wait_s,
            background,
            resume,
            options,
        }
        .parse("delegate")?,
    }
    .parse()
}
