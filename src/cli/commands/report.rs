//! `crosscheck report`, and the form in which a review is written.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::commands::output::OutputFlags;
use crate::cli::input::{Input, STDIN};
use crate::domain::fault::Fault;
use crate::domain::job::JobName;
use crate::report::Format;
use crate::sys::files;

const EXAMPLES: &str = "\
Examples:
  crosscheck report                          the newest job of this project
  crosscheck report latest --open            the page, in your browser
  crosscheck report 01m7yq -o review.html    the form follows the file's ending
  crosscheck report 01m7yq --format markdown | gh pr comment --body-file -";

/// Write an ended review as text, JSON, Markdown, SARIF or a page (free)
///
/// The page shows the change as the reviewer saw it, each finding below its line, and needs nothing else: no network, no
/// other file. All forms are made of the job's record, so they say the same.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportFlags {
    /// Its id, the beginning of one, or `latest` of this project
    #[arg(default_value = "latest", hide_default_value = true)]
    pub(crate) id: JobName,
    #[command(flatten)]
    pub(crate) form: FormFlags,
    /// Open it in your browser, where stdout is a terminal, and print its path
    #[arg(long)]
    pub(crate) open: bool,
    /// The project folder that `latest` is looked for in; the current directory when absent
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// In which form, and where to.
#[derive(Clone, Debug, Args)]
pub(crate) struct FormFlags {
    /// The form; told by the file's ending when absent
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    pub(crate) format: Option<FormatFlag>,
    /// Write it to a file that only you can read, instead of to stdout
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "file")]
    pub(crate) force: bool,
}

/// The forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatFlag {
    /// For a terminal
    Text,
    /// The result envelope, one JSON object
    Json,
    /// A comment on a pull request
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// One self-contained page
    Html,
}

impl From<FormatFlag> for Format {
    fn from(flag: FormatFlag) -> Self {
        match flag {
            FormatFlag::Text => Self::Text,
            FormatFlag::Json => Self::Json,
            FormatFlag::Markdown => Self::Markdown,
            FormatFlag::Sarif => Self::Sarif,
            FormatFlag::Html => Self::Html,
        }
    }
}

/// A form that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) format: Format,
    /// Where to; absolute. To stdout when absent.
    pub(crate) file: Option<PathBuf>,
    /// What happens to a file that is there.
    pub(crate) existing: Existing,
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// It is replaced.
    Replace,
}

impl FormFlags {
    /// Returns the form that the flags ask for, `usual` where they say nothing.
    pub(crate) fn form(&self, input: &Input<'_>, json: OutputFlags, usual: Format) -> Form {
        let file = self.file.as_deref().filter(|file| *file != Path::new(STDIN));
        let format = match (self.format, json.json) {
            (Some(format), _) => format.into(),
            (None, true) => Format::Json,
            (None, false) => file.and_then(Format::of_file).unwrap_or(usual),
        };
        Form {
            format,
            file: file.map(|file| input.directory.join(file)),
            existing: if self.force {
                Existing::Replace
            } else {
                Existing::Keep
            },
        }
    }
}

impl Form {
    /// Tells whether a command prints this anyway.
    pub(crate) fn is_usual(&self) -> bool {
        self.file.is_none() && matches!(self.format, Format::Text | Format::Json)
    }

    /// Refuses what could not be written: before anything is paid for.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        match std::fs::symlink_metadata(file) {
            Ok(about) if about.is_dir() => {
                return Err(
                    Fault::argument("output", "the file of `--output` is a folder").hint("name a file in it")
                );
            }
            Ok(_) if self.existing == Existing::Keep => {
                return Err(Fault::argument("output", "the file of `--output` exists already")
                    .hint("name another one, or add --force to replace it"));
            }
            _ => {}
        }
        let folder = file.parent().unwrap_or(file);
        files::check_writable(folder).map_err(|error| {
            Fault::argument(
                "output",
                format!("nothing can be written to the folder of `--output`: {error}"),
            )
            .hint("name a file in a folder that exists and is yours")
        })
    }
}

impl ReportFlags {
    /// Returns the form that is asked for: a page where it is to be opened.
    pub(crate) fn form(&self, input: &Input<'_>) -> Result<Form, Fault> {
        let usual = if self.open { Format::Html } else { Format::Text };
        let form = self.form.form(input, self.output, usual);
        if self.open && form.file.is_none() && form.format != Format::Html {
            return Err(Fault::argument(
                "open",
                "`--open` without a file opens the page, and another form is asked for",
            )
            .hint("leave out the form, or name a file with --output"));
        }
        Ok(form)
    }
}
