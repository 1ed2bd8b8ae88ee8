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
use crate::state::error::StateError;
use crate::state::events::{self, Entry};
use crate::sys::watch::DirectoryWatch;

/// Print what a job did, one line per event (free)
///
/// Times are UTC. Ctrl-C leaves, and the job goes on. `crosscheck job ID --detail log --json` has the same as data.
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
    let Job { directory, spec, .. } = jobs::find_log(&store, &flags.id, &workspace)?;
    let mut log = Log {
        directory,
        offset: 0,
        last_ms: 0,
        colour: streams.colours_stdout(),
        width: streams.width,
    };
    // Watched before the first look, so that nothing falls between the two.
    let watch = DirectoryWatch::start(log.directory.path());
    let mut state = log.state()?;
    log.print_last(count(flags.tail), streams)?;
    if flags.follow && state == JobState::Queued {
        let mut note = Page::new(streams.width, streams.colours_stderr());
        note.line("queued: the run has not begun, and nothing has happened yet");
        streams.stderr.write_all(note.as_bytes())?;
    }
    while flags.follow && state.is_active() {
        watch.changed().await;
        // The state first: what a worker writes before its end is then still read.
        state = log.state()?;
        log.print_new(streams)?;
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
    /// When the last printed event was. A log that became shorter is read anew, and no event is printed twice.
    last_ms: u64,
    colour: bool,
    width: usize,
}

impl Log {
    fn state(&self) -> Result<JobState, LogsError> {
        let state = self.directory.state().map_err(Fault::from)?;
        if state == JobState::Lost && !self.directory.path().exists() {
            // Somebody has forgotten it.
            return Err(Fault::from(StateError::NoSuchJob).into());
        }
        Ok(state)
    }

    /// Prints the last events of those that are there.
    fn print_last(&mut self, tail: usize, streams: &mut Streams<'_>) -> io::Result<()> {
        let newest = events::newest(&self.directory.events_path());
        self.offset = newest.end();
        let mut entries: Vec<Entry> = newest.take(tail.max(1)).collect();
        entries.reverse();
        self.last_ms = entries.last().map_or(0, |entry| entry.at_ms);
        self.print(&entries[entries.len() - tail.min(entries.len())..], streams)
    }

    /// Prints the events that came since the last time.
    fn print_new(&mut self, streams: &mut Streams<'_>) -> io::Result<()> {
        let (mut entries, offset) = events::read_from(&self.directory.events_path(), self.offset);
        if offset < self.offset {
            entries.retain(|entry| entry.at_ms > self.last_ms);
        }
        self.offset = offset;
        self.last_ms = entries.last().map_or(self.last_ms, |entry| entry.at_ms);
        self.print(&entries, streams)
    }

    fn print(&self, entries: &[Entry], streams: &mut Streams<'_>) -> io::Result<()> {
        let mut page = Page::new(self.width, self.colour);
        for entry in entries {
            event_line(&mut page, entry.at_ms, entry.pass, &entry.event);
        }
        streams.stdout.write_all(page.as_bytes())?;
        streams.stdout.flush()
    }
}
