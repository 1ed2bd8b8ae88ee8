//! `crosscheck jobs` and `crosscheck job`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::commands::output::OutputFlags;
use crate::cli::commands::watch::WatchFlags;
use crate::cli::input::Input;
use crate::domain::job::JobName;
use crate::domain::limits;
use crate::domain::request::{Detail, JobRequest, StateFilter};

const LIST_EXAMPLES: &str = "\
Examples:
  crosscheck jobs --state active   what is queued or running
  crosscheck jobs --watch          the same, live; Ctrl-C ends only the looking
  crosscheck jobs --watch --json   one JSON object per change, each on a line";

/// List the jobs of this project, newest first (free)
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct JobsFlags {
    /// Show queued and running jobs as they go, and end when none is left
    #[arg(short, long, conflicts_with_all = ["state", "limit"])]
    pub(crate) watch: bool,
    /// With --watch: the jobs of every project
    #[arg(long, requires = "watch", conflicts_with = "workspace")]
    pub(crate) all: bool,
    /// Only jobs in a state
    #[arg(long, help = "Only jobs in a state: all, active, ended, queued, running, succeeded, failed, cancelled, timed_out, lost", default_value = "all", value_parser = parse_filter, hide_default_value = true)]
    pub(crate) state: StateFilter,
    /// Only jobs that were started with `--option group=LABEL`
    #[arg(long, value_name = "LABEL", conflicts_with = "watch")]
    pub(crate) group: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = limits::LIST_DEFAULT as u64, value_parser = clap::value_parser!(u64).range(1..=limits::LIST_MAX as u64))]
    pub(crate) limit: u64,
    /// The project folder; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

const EXAMPLES: &str = "\
Examples:
  crosscheck job                      the newest job of this project
  crosscheck job 01m7yq --wait-s 600  wait for it, then show its result
  crosscheck job latest --detail full the raw answer, commands and what was sent";

/// Show one job: how it goes, or its result (free)
///
/// A result can be read as often as you like, from any directory, until it is deleted 7 days after it was first
/// read. What nobody has read is kept.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct JobFlags {
    /// Its id, the beginning of one, or `latest` of this project
    #[arg(default_value = "latest", hide_default_value = true)]
    pub(crate) id: JobName,
    /// Wait for its end, at most so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u64).range(0..=limits::WAIT_MAX.as_secs()))]
    pub(crate) wait_s: u64,
    /// Events to show of a running job or of the log
    #[arg(long, value_name = "N", default_value_t = limits::TAIL_DEFAULT as u64, value_parser = clap::value_parser!(u64).range(0..=limits::TAIL_MAX as u64))]
    pub(crate) tail: u64,
    /// How much to show
    #[arg(long, value_enum, default_value = "summary")]
    pub(crate) detail: DetailFlag,
    /// The project folder that `latest` is looked for in; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// How much of a job.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DetailFlag {
    /// The result as the command would have shown it
    Summary,
    /// Also the raw text, the commands and what was sent
    Full,
    /// The change as the reviewer saw it
    Diff,
    /// The event log
    Log,
}

impl JobsFlags {
    /// Returns what is to be watched.
    pub(crate) fn watched(self, input: &Input<'_>) -> WatchFlags {
        WatchFlags {
            all: self.all,
            workspace: input.folder(self.workspace),
            output: self.output,
        }
    }

    /// Returns what is asked.
    pub(crate) fn request(self, input: &Input<'_>) -> JobRequest {
        JobRequest::List {
            filter: self.state,
            limit: count(self.limit),
            group: self.group,
            workspace: input.folder(self.workspace),
        }
    }
}

impl JobFlags {
    /// Returns what is asked.
    pub(crate) fn request(self, input: &Input<'_>) -> JobRequest {
        JobRequest::Show {
            name: self.id,
            wait: Duration::from_secs(self.wait_s),
            tail: count(self.tail),
            detail: match self.detail {
                DetailFlag::Summary => Detail::Summary,
                DetailFlag::Full => Detail::Full,
                DetailFlag::Diff => Detail::Diff,
                DetailFlag::Log => Detail::Log,
            },
            workspace: input.folder(self.workspace),
        }
    }
}

/// Narrows a number whose bounds clap has checked.
pub(crate) fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(limits::TAIL_MAX)
}

fn parse_filter(text: &str) -> Result<StateFilter, String> {
    StateFilter::parse(&text.replace('-', "_"))
        .ok_or_else(|| format!("use one of: {}", StateFilter::names().join(", ")))
}
