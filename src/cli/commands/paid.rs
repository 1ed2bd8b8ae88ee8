//! The flags that consult and review share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::commands::output::OutputFlags;
use crate::cli::input::Input;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{self, BadName, Common, Wait};
use crate::service::options;

/// What a paid run may be told.
#[derive(Debug, Args)]
pub(crate) struct PaidFlags {
    /// Continue the thread of a job: its id, the beginning of one, `latest`, or a codex thread id
    #[arg(long, value_name = "ID")]
    pub(crate) resume: Option<String>,
    /// The model; codex's own default when absent (see `status --topic models`)
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The reasoning effort; codex's own default when absent
    #[arg(long)]
    pub(crate) effort: Option<String>,
    /// Wait at most so many seconds, then hand back the job, which goes on; until done when absent
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=limits::WAIT_MAX.as_secs()))]
    pub(crate) wait_s: Option<u64>,
    /// Start the job and return at once
    #[arg(long, conflicts_with = "wait_s")]
    pub(crate) background: bool,
    /// A rare knob, such as `timeout_s=600`; repeatable (see `status --topic options`)
    #[arg(long = "option", value_name = "KEY=VALUE")]
    pub(crate) options: Vec<String>,
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl PaidFlags {
    /// Reads the flags of a call of `tool`.
    pub(crate) fn common(self, tool: &str, input: &Input<'_>) -> Result<Common, Fault> {
        let resume = self.resume.map(|text| request::parse_resume(&text)).transpose()?;
        let options = options::parse(tool, knobs(self.options)?)?;
        if options.ephemeral && resume.is_some() {
            return Err(Fault::argument(
                "options.ephemeral",
                "`--option ephemeral=true` and `--resume` contradict each other",
            )
            .hint("leave out one of them: an ephemeral run keeps no thread to continue"));
        }
        let wait = match (self.background, self.wait_s) {
            (true, _) => Wait::Background,
            (false, Some(seconds)) => Wait::AtMost(Duration::from_secs(seconds)),
            // Nobody cuts a terminal off, so a command waits as long as any call may.
            (false, None) => Wait::AtMost(limits::WAIT_MAX),
        };
        Ok(Common {
            workspace: input.folder(self.workspace),
            model: self.model.map(|text| name("model", text)).transpose()?,
            effort: self.effort.map(|text| name("effort", text)).transpose()?,
            wait,
            resume,
            options,
        })
    }
}

fn name<T: TryFrom<String, Error = BadName>>(field: &str, text: String) -> Result<T, Fault> {
    T::try_from(text).map_err(|error| {
        Fault::argument(field, format!("`--{field}` is not a name: {error}"))
            .call("status", serde_json::json!({"topic": "models"}))
    })
}

/// Turns `key=value` words into the object that a tool call would carry.
fn knobs(words: Vec<String>) -> Result<Map<String, Value>, Fault> {
    let mut knobs = Map::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Fault::argument("options", "an `--option` holds no `=`")
                .hint("write it as --option KEY=VALUE, such as --option timeout_s=600"));
        };
        let row = options::TABLE.iter().find(|row| row.name == key);
        let is_switch = row.is_some_and(|row| row.kind == options::SWITCH);
        let is_list = row.is_some_and(|row| row.kind.starts_with(options::LIST));
        // Only a switch is not written as text: `language=true` is a language that nobody speaks, but text.
        let value = match value {
            "true" if is_switch => Value::Bool(true),
            "false" if is_switch => Value::Bool(false),
            text if is_list => text.split(',').map(str::trim).collect(),
            text => Value::String(text.to_owned()),
        };
        if knobs.insert(key.to_owned(), value).is_some() {
            return Err(Fault::argument("options", "an `--option` is given twice").hint("give each key once"));
        }
    }
    Ok(knobs)
}

/// Refuses more paths than a call takes.
pub(crate) fn checked_count(field: &str, count: usize, at_most: usize) -> Result<(), Fault> {
    if count <= at_most {
        return Ok(());
    }
    Err(Fault::argument(
        field,
        format!("`--{field}` has {count} entries; the limit is {at_most}"),
    )
    .hint("name fewer, or a folder that holds them"))
}
