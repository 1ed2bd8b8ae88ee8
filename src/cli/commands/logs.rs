//! `crosscheck logs`: the events of a job as lines.

use std::io::{self, Write};

use clap::Args;

use crate::cli::commands::job::count;
use crate::cli::render::event::event_line;
use crate::cli::render::page::Page;
use crate::cli::streams::Streams;
use crate::domain::fault::Fault;
use crate::domain::job::{JobName, JobState};
use crate::domain::limits;
use crate::service::context::Service;
use crate::service::jobs;
use crate::service::workspace::Workspace;
use crate::state::directory::{Job, JobDirectory};
use crate::state::events;
use crate::sys::watch::DirectoryWatch;

/// Print what a job did, one line per event (free)
///
/// Times are UTC. `crosscheck job ID --detail log --json` has the same as data.
#[derive(Debug, Args)]
pub(crate) struct LogsFlags {
    /// Its id, the beginning of one, or `latest` of this project
    #[arg(default_value = "latest", hide_default_value = true)]
    pub(crate) id: JobName,
    /// Go on until the job ends; Ctrl-C ends only the looking
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the last so many events
    #[arg(long, value_name = "N", default_value_t = limits::TAIL_DEFAULT as u64, value_parser = clap::value_parser!(u64).range(0..=limits::TAIL_MAX as u64))]
    pub(crate) tail: u64,
}

/// Why a log was not printed to its end.
#[derive(Debug)]
pub(crate) enum LogsError {
    /// The job cannot be read.
    Fault(Box<Fault>),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<Fault> for LogsError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<io::Error> for LogsError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Prints the log, and goes on until the job ends when `--follow` asks for it.
///
/// Dropping the future ends the looking and nothing else.
pub(crate) async fn run(
    service: &Service,
    flags: &LogsFlags,
    streams: &mut Streams<'_>,
) -> Result<(), LogsError> {
    let config = service.config()?;
    let store = service.store()?;
    let workspace = Workspace::resolve(service, None, &config)?;
    let Job { directory, spec, .. } = jobs::find(&store, &flags.id, &workspace)?;
    let mut log = Log {
        directory,
        offset: 0,
        colour: streams.colours_stdout(),
        width: streams.width,
    };
    // Watched before the first look, so that nothing falls between the two.
    let watch = DirectoryWatch::start(log.directory.path());
    let mut state = log.state()?;
    log.print_new(count(flags.tail), streams)?;
    while flags.follow && state.is_active() {
        watch.changed().await;
        // The state first: what a worker writes before its end is then still read.
        state = log.state()?;
        log.print_new(usize::MAX, streams)?;
    }
    let id = spec.id;
    let mut note = Page::new(streams.width, streams.colours_stderr());
    match state {
        JobState::Queued | JobState::Running => {
            note.line(&format!(
                "{}; `crosscheck logs {id} -f` goes on with it",
                state.as_str()
            ));
        }
        _ => note.line(&format!(
            "{}; `crosscheck job {id}` shows what came of it",
            state.as_str()
        )),
    }
    streams.stderr.write_all(note.as_bytes())?;
    Ok(())
}

struct Log {
    directory: JobDirectory,
    offset: u64,
    colour: bool,
    width: usize,
}

impl Log {
    fn state(&self) -> Result<JobState, LogsError> {
        self.directory.state().map_err(|error| Fault::from(error).into())
    }

    /// Prints the last `tail` of the events that came since the last time.
    fn print_new(&mut self, tail: usize, streams: &mut Streams<'_>) -> io::Result<()> {
        let (entries, offset) = events::read_from(&self.directory.events_path(), self.offset);
        self.offset = offset;
        let mut page = Page::new(self.width, self.colour);
        for entry in &entries[entries.len().saturating_sub(tail)..] {
            event_line(&mut page, entry.at_ms, &entry.event);
        }
        streams.stdout.write_all(page.as_bytes())?;
        streams.stdout.flush()
    }
}
