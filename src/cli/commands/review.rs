//! `crosscheck review`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::commands::paid::{PaidFlags, checked_count};
use crate::cli::commands::report::{Form, FormFlags};
use crate::cli::input::{Input, STDIN};
use crate::domain::fault::Fault;
use crate::domain::finding::Severity;
use crate::domain::job::JobName;
use crate::domain::limits;
use crate::domain::request::{ReviewRequest, Subject, checked_argument};
use crate::domain::review_plan::Depth;
use crate::report::Format;
use crate::service::target::Target;

const EXAMPLES: &str = "\
Examples:
  crosscheck review                            what you have changed, or the branch
  crosscheck review --scope staged --focus \"error handling\"
  crosscheck review --base main                the branch since it left main
  crosscheck review --commit HEAD~3..HEAD --paths src tests
  crosscheck review --snippet src/lock.rs      one file as it is, without git
  crosscheck review --fail-on fail             for scripts: exit 8 when it fails
  crosscheck review --base origin/main --fail-on high -o out.sarif";

/// Have codex review a change (paid: tokens of your account; reads only)
///
/// Reads the change from git, withholds files that are secrets, masks values that look like some, and has codex review the
/// rest. Each finding is checked against the lines of the change; the verdict never says more than was examined.
/// `crosscheck dry-run review` shows what would be sent, for free. Ctrl-C ends the run and keeps what it had said.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReviewFlags {
    #[command(flatten)]
    pub(crate) subject: SubjectFlags,
    /// Exit with 8 when the verdict is this bad, or a finding in the change this severe
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "never")]
    pub(crate) fail_on: FailOn,
    #[command(flatten)]
    pub(crate) form: FormFlags,
}

/// What to review and how.
#[derive(Debug, Args)]
pub(crate) struct SubjectFlags {
    /// Which change
    #[arg(long, value_enum)]
    pub(crate) scope: Option<ScopeFlag>,
    /// Of a branch: where it left; found when absent
    #[arg(long, value_name = "REVISION")]
    pub(crate) base: Option<String>,
    /// Of a branch: its tip; HEAD when absent
    #[arg(long, value_name = "REVISION")]
    pub(crate) head: Option<String>,
    /// One commit, or a range A..B
    #[arg(long, value_name = "REVISION")]
    pub(crate) commit: Option<String>,
    /// What a delegate left: its job's id, the beginning of one, or `latest`
    #[arg(long, value_name = "ID")]
    pub(crate) job: Option<String>,
    /// Only these files or folders, relative to the workspace
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) paths: Vec<String>,
    /// Review a file as it is instead of a change; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) snippet: Option<PathBuf>,
    /// What to look for
    #[arg(long, value_name = "TEXT")]
    pub(crate) focus: Option<String>,
    /// What the author meant; `-` reads stdin
    #[arg(long, value_name = "TEXT")]
    pub(crate) context: Option<String>,
    /// How thorough; standard when absent
    #[arg(long, value_enum, value_name = "DEPTH")]
    pub(crate) depth: Option<DepthFlag>,
    /// Only what is new in the change of this review, committed or not: its id, the beginning of one, or `latest`
    #[arg(long, value_name = "JOB")]
    pub(crate) since: Option<JobName>,
    #[command(flatten)]
    pub(crate) paid: PaidFlags,
}

/// The scopes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ScopeFlag {
    /// That of the review that is followed; else the working tree when anything differs from HEAD, else the branch
    Auto,
    /// Everything that differs from HEAD: staged, unstaged and untracked
    #[value(alias = "working_tree")]
    WorkingTree,
    /// What the next commit would hold
    Staged,
    /// The commits since the branch left its base
    Branch,
    /// One commit or a range
    Commit,
    /// What a delegate left
    Job,
}

impl ScopeFlag {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WorkingTree => "working_tree",
            Self::Staged => "staged",
            Self::Branch => "branch",
            Self::Commit => "commit",
            Self::Job => "job",
        }
    }
}

/// The depths.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DepthFlag {
    /// One look
    Quick,
    /// One look, and a second model call that tries to refute what it found
    Standard,
    /// Three looks that know nothing of each other, merged and voted, then tried to refute
    Deep,
}

impl DepthFlag {
    fn depth(self) -> Depth {
        match self {
            Self::Quick => Depth::Quick,
            Self::Standard => Depth::Standard,
            Self::Deep => Depth::Deep,
        }
    }
}

/// Which verdict, or which finding, fails the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// The verdict fail
    Fail,
    /// The verdicts concerns, unknown (not enough was examined) and fail
    Concerns,
    /// A critical finding
    Critical,
    /// A high finding or worse
    High,
    /// A medium finding or worse
    Medium,
    /// A low finding or worse
    Low,
    /// None
    #[default]
    Never,
}

impl FailOn {
    /// Returns the mildest severity that fails the command; `None` where the verdict decides.
    pub(crate) fn severity(self) -> Option<Severity> {
        match self {
            Self::Critical => Some(Severity::Critical),
            Self::High => Some(Severity::High),
            Self::Medium => Some(Severity::Medium),
            Self::Low => Some(Severity::Low),
            Self::Fail | Self::Concerns | Self::Never => None,
        }
    }
}

impl ReviewFlags {
    /// Returns the form that is asked for; `None` where it is the usual one. A report is written when the review is over, so
    /// it cannot be had from one that only begins.
    pub(crate) fn form(&self, input: &Input<'_>) -> Result<Option<Form>, Fault> {
        let paid = &self.subject.paid;
        let form = self.form.form(input, paid.output, Format::Text);
        if form.is_usual() {
            return Ok(None);
        }
        if paid.background {
            return Err(Fault::argument(
                "background",
                "`--background` returns before there is a report to write",
            )
            .hint("leave out one of them; `crosscheck report ID` writes it later"));
        }
        form.check().map(|()| Some(form))
    }
}

impl SubjectFlags {
    /// Returns what is asked. Reads stdin or a file where the flags say so.
    pub(crate) fn request(self, input: &mut Input<'_>) -> Result<ReviewRequest, Fault> {
        checked_count("paths", self.paths.len(), limits::REVIEW_PATHS)?;
        let mut paths = self.paths;
        let target = Target {
            scope: self.scope.map(|scope| scope.name().to_owned()),
            base: self.base,
            head: self.head,
            commit: self.commit,
            job: self.job,
        };
        let subject = match self.snippet {
            Some(file) => {
                target.refuse_with_snippet()?;
                if paths.len() > 1 {
                    return Err(Fault::argument(
                        "paths",
                        "`--paths` names more than the one file of the `--snippet`",
                    )
                    .hint("pass at most one path, the snippet's own name"));
                }
                // The reviewer reads the language off the name, so a file brings its own.
                if paths.is_empty() && file.as_os_str() != STDIN {
                    paths.extend(file.to_str().map(str::to_owned));
                }
                let text = input.file("snippet", &file)?;
                Subject::Snippet(checked_argument("snippet", text)?)
            }
            None => target.parse()?,
        };
        let context = match self.context {
            Some(text) => {
                let text = input.text("context", text)?;
                Some(checked_argument("context", text)?)
            }
            None => None,
        };
        let mut common = self.paid.common("review", input)?;
        common.options.since = self.since.or(common.options.since);
        Ok(ReviewRequest {
            subject,
            paths,
            focus: self
                .focus
                .map(|text| checked_argument("focus", text))
                .transpose()?,
            context,
            depth: self.depth.map_or(Depth::UNSAID, DepthFlag::depth),
            common,
        })
    }
}
