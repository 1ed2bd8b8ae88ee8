//! `crosscheck delegate`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::commands::paid::{PaidFlags, checked_count};
use crate::cli::input::Input;
use crate::cli::streams::Device;
use crate::domain::delegation::ATTEMPTS_MAX;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::DelegateRequest;
use crate::service::delegate::wanted::{Wanted, WantedTask};

const EXAMPLES: &str = "\
Examples:
  crosscheck delegate \"Make parse() accept a BOM\" --check \"cargo test parse\"
  crosscheck delegate --file task.md --allow-path 'src/**' --attempts 3
  crosscheck delegate --task docs=\"Document parse()\" --task tests=\"Test parse()\"
  crosscheck delegate --resume latest \"Handle the empty file too\"

The result is a diff that lies aside: `crosscheck apply ID` shows what landing it would do.";

/// Hand a task to codex (paid: tokens of your account; your files stay as they are)
///
/// Codex works on a copy of your files, uncommitted ones too, in a throw-away worktree where commands can neither write
/// elsewhere nor use the network. What it changed comes back as a diff, judged by your checks. Nothing of it is in your
/// files before you land it. `crosscheck dry-run delegate` shows what would be sent, for free. Ctrl-C ends the run and
/// keeps what it had changed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DelegateFlags {
    /// What to do; `-`, or nothing while stdin is piped, reads it from stdin
    pub(crate) task: Option<String>,
    /// Read the task from a file; with several, each is a task of its own, named after its file
    #[arg(long = "file", value_name = "TASK_FILE", conflicts_with = "task")]
    pub(crate) task_files: Vec<PathBuf>,
    /// One of several tasks that run side by side, such as `docs=Document parse()`; repeatable
    #[arg(long = "task", value_name = "ID=TEXT", conflicts_with_all = ["task", "task_files"])]
    pub(crate) tasks: Vec<String>,
    /// A glob of files that may change, relative to the workspace; repeatable; any file when absent
    #[arg(long = "allow-path", value_name = "GLOB")]
    pub(crate) allowed_paths: Vec<String>,
    /// A line for `sh -c` that judges the result, run in codex's sandbox; repeatable
    #[arg(long = "check", value_name = "COMMAND")]
    pub(crate) checks: Vec<String>,
    /// Files to read first, relative to the workspace
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// What you know already; `-` reads stdin
    #[arg(long, value_name = "TEXT")]
    pub(crate) context: Option<String>,
    /// Attempts at each task, side by side; the best one is named
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=i64::from(ATTEMPTS_MAX)))]
    pub(crate) attempts: u32,
    /// What to do with uncommitted changes; snapshot when absent
    #[arg(long, value_enum)]
    pub(crate) dirty: Option<DirtyFlag>,
    /// Start from this commit instead of the files as they are
    #[arg(long, value_name = "REVISION")]
    pub(crate) base: Option<String>,
    #[command(flatten)]
    pub(crate) paid: PaidFlags,
}

/// What to do with uncommitted changes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DirtyFlag {
    /// Codex starts from the files as they are
    Snapshot,
    /// Codex starts from the last commit
    Committed,
    /// Refuse, and say what is uncommitted
    Ask,
}

impl DirtyFlag {
    fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Committed => "committed",
            Self::Ask => "ask",
        }
    }
}

impl DelegateFlags {
    /// Returns what is asked. Reads stdin or files where the flags say so.
    pub(crate) fn request(self, input: &mut Input<'_>) -> Result<DelegateRequest, Fault> {
        checked_count("files", self.files.len(), limits::CONTEXT_FILES)?;
        let context = match self.context {
            Some(text) => Some(input.text("context", text)?),
            None => None,
        };
        let (task, tasks) = if self.tasks.is_empty() {
            read(self.task, &self.task_files, input)?
        } else {
            let named: Result<Vec<WantedTask>, Fault> = self.tasks.iter().map(|text| named(text)).collect();
            (None, named?)
        };
        Wanted {
            task,
            tasks,
            allowed_paths: self.allowed_paths,
            checks: self.checks,
            files: self.files,
            context,
            attempts: self.attempts,
            dirty: self.dirty.map(|dirty| dirty.name().to_owned()),
            base: self.base,
            common: self.paid.common("delegate", input)?,
        }
        .parse()
    }
}

/// Reads the one task, or one from each of several files.
fn read(
    task: Option<String>,
    files: &[PathBuf],
    input: &mut Input<'_>,
) -> Result<(Option<String>, Vec<WantedTask>), Fault> {
    match (task, files) {
        (Some(text), _) => Ok((Some(input.text("task", text)?), Vec::new())),
        (None, [only]) => Ok((Some(input.file("task", only)?), Vec::new())),
        (None, []) if input.stdin_device == Device::Other => Ok((Some(input.stdin("task")?), Vec::new())),
        (None, []) => Err(Fault::argument("task", "there is no task")
            .hint("pass it before --files or behind --, with --file or --task, or on stdin")),
        (None, files) => {
            let tasks: Result<Vec<WantedTask>, Fault> = files
                .iter()
                .map(|path| {
                    Ok(WantedTask {
                        id: id_of(path),
                        task: input.file("task", path)?,
                        ..WantedTask::default()
                    })
                })
                .collect();
            Ok((None, tasks?))
        }
    }
}

/// Makes the id of a task of its file's name.
fn id_of(path: &Path) -> String {
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let plain = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            c
        } else {
            '-'
        }
    };
    let id: String = stem.chars().map(plain).collect();
    id.trim_matches('-').to_owned()
}

/// Reads one of several tasks.
fn named(text: &str) -> Result<WantedTask, Fault> {
    let Some((id, task)) = text.split_once('=') else {
        return Err(Fault::argument("tasks", "a `--task` holds no `=`")
            .hint("write it as --task ID=TEXT, such as --task docs=\"Document parse()\""));
    };
    Ok(WantedTask {
        id: id.to_owned(),
        task: task.to_owned(),
        ..WantedTask::default()
    })
}
