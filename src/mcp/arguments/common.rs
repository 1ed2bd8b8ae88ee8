//! What consult and review have in common, and the texts and paths of all tools.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{self, Common, Effort, ModelName, Wait};
use crate::mcp::arguments::options;
use crate::mcp::arguments::whole::Whole;

/// Longest path taken, in bytes: the kernel's own limit.
const PATH_BYTES: usize = 4096;

/// The arguments both tools share, still as they were written.
pub(super) struct CommonArguments {
    pub(super) workspace: Option<String>,
    pub(super) model: Option<String>,
    pub(super) effort: Option<String>,
    pub(super) wait_s: Option<Whole>,
    pub(super) background: Option<bool>,
    pub(super) resume: Option<String>,
    pub(super) options: Option<Map<String, Value>>,
}

impl CommonArguments {
    pub(super) fn parse(self, tool: &str) -> Result<Common, Fault> {
        let Self {
            workspace,
            model,
            effort,
            wait_s,
            background,
            resume,
            options,
        } = self;
        let wait = match (wait_s, background.unwrap_or(false)) {
            (Some(_), true) => {
                return Err(
                    Fault::argument("wait_s", "`wait_s` and `background` contradict each other")
                        .hint("leave out `wait_s` to get the job's handle at once"),
                );
            }
            (None, true) => Wait::Background,
            (Some(seconds), false) => Wait::AtMost(wait(seconds)?),
            (None, false) => Wait::HostDefault,
        };
        let resume = resume.map(|text| request::parse_resume(&text)).transpose()?;
        let options = options::parse(tool, options.unwrap_or_default())?;
        if options.ephemeral && resume.is_some() {
            return Err(Fault::argument(
                "options.ephemeral",
                "`options.ephemeral` and `resume` contradict each other",
            )
            .hint("leave out one of them: an ephemeral run keeps no thread to continue"));
        }
        Ok(Common {
            workspace: self::workspace(workspace)?,
            model: model.map(|text| name::<ModelName>("model", text)).transpose()?,
            effort: effort.map(|text| name::<Effort>("effort", text)).transpose()?,
            wait,
            resume,
            options,
        })
    }
}

fn name<T: TryFrom<String, Error = request::BadName>>(field: &str, text: String) -> Result<T, Fault> {
    T::try_from(text).map_err(|error| {
        Fault::argument(field, format!("`{field}` is not a name: {error}"))
            .call("status", serde_json::json!({ "topic": "models" }))
    })
}

/// Checks a wait in seconds.
pub(super) fn wait(seconds: Whole) -> Result<Duration, Fault> {
    seconds
        .within("wait_s", 0..=limits::WAIT_MAX.as_secs())
        .map(Duration::from_secs)
}

/// Checks a workspace: an absolute path. Whether it exists is for the use case to say.
pub(super) fn workspace(text: Option<String>) -> Result<Option<PathBuf>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let text = path("workspace", text)?;
    if !Path::new(&text).is_absolute() {
        return Err(
            Fault::argument("workspace", "`workspace` is not an absolute path")
                .hint("pass the absolute path of the project folder, or leave it out"),
        );
    }
    Ok(Some(PathBuf::from(text)))
}

/// Checks a list of paths.
pub(super) fn paths(field: &str, texts: Vec<String>, at_most: usize) -> Result<Vec<String>, Fault> {
    if texts.len() > at_most {
        return Err(Fault::argument(
            field,
            format!("`{field}` has {} entries; the limit is {at_most}", texts.len()),
        )
        .hint("name fewer, or a folder that holds them"));
    }
    let checked = texts.into_iter().enumerate();
    checked
        .map(|(at, text)| path(&format!("{field}[{at}]"), text))
        .collect()
}

fn path(field: &str, text: String) -> Result<String, Fault> {
    let wrong = if text.trim().is_empty() {
        "is empty"
    } else if text.len() > PATH_BYTES {
        "is longer than a path can be"
    } else if text.contains('\0') {
        "holds a zero byte"
    } else {
        return Ok(text);
    };
    Err(Fault::argument(field, format!("`{field}` {wrong}")))
}
