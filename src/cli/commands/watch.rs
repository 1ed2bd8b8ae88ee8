//! `crosscheck jobs --watch`: the jobs that are not over, as they go.
//!
//! It only looks: leaving it ends no job. On a terminal that can, the picture is redrawn in place; else each change is a
//! line of its own, for people or as JSON.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::cli::commands::logs::LogsError;
use crate::cli::commands::output::OutputFlags;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::watch::{Picture, Row, Size, change, picture};
use crate::cli::streams::{Device, Streams};
use crate::domain::fault::Fault;
use crate::domain::job::{JobId, JobState, WorkspaceHash};
use crate::run::reap::reap;
use crate::service::context::Service;
use crate::service::jobs;
use crate::service::workspace::Workspace;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::clock;
use crate::sys::watch::DirectoryWatch;

/// Changes within this time are looked at together: a flood of events must not become a flood of pictures.
const PAUSE: Duration = Duration::from_millis(100);
/// Jobs kept in the view; of more, those that are over go first.
const ROWS: usize = 200;
/// Time between two lists of all jobs, of which there may be thousands.
const LIST_EVERY: Duration = Duration::from_secs(1);
/// Characters of an id that are shown at least: its beginning is the time, so fewer are soon not unique any more.
const ID_CHARS: usize = 8;

/// What to watch.
#[derive(Debug)]
pub(crate) struct WatchFlags {
    /// The jobs of every project.
    pub(crate) all: bool,
    /// The project; the current directory when absent.
    pub(crate) workspace: Option<PathBuf>,
    /// The form of the changes.
    pub(crate) output: OutputFlags,
}

/// Shows the jobs until none is queued or running.
///
/// Dropping the future ends the looking and nothing else.
pub(crate) async fn run(
    service: &Service,
    flags: &WatchFlags,
    streams: &mut Streams<'_>,
) -> Result<(), LogsError> {
    let config = service.config()?;
    let store = service.store()?;
    let workspace = if flags.all {
        None
    } else {
        Some(Workspace::resolve(service, flags.workspace.as_deref(), &config)?.hash())
    };
    let dumb = matches!(service.environment().text("TERM"), None | Some("dumb"));
    let mut drawn = None;
    let redraws = streams.stdout_device == Device::Terminal && !dumb && !flags.output.json;
    let mut board = Board::open(store, workspace);
    loop {
        let changed = board.look().await.map_err(Fault::from)?;
        if redraws {
            if !board.jobs.is_empty() {
                drawn = Some(redraw(drawn.as_ref(), &board, streams)?);
            }
        } else {
            for at in changed {
                tell(&board.jobs[at], flags.output, streams)?;
            }
        }
        if !board.is_active() {
            break;
        }
        board.tidy();
        board.wait().await;
    }
    let more = if board.jobs.is_empty() { "" } else { " any more" };
    let mut note = Page::new(streams.width, streams.colours_stderr());
    note.wrapped(
        Style::Plain,
        &format!("nothing is queued or running{more}; `crosscheck jobs` lists what is over"),
    );
    streams.stderr.write_all(note.as_bytes())?;
    Ok(())
}

/// Draws over the last picture and leaves the cursor below the new one.
fn redraw(last: Option<&Picture>, board: &Board, streams: &mut Streams<'_>) -> io::Result<Picture> {
    let (width, height) = streams.size();
    let ids = board.id_chars();
    let rows: Vec<Row> = board
        .jobs
        .iter()
        .map(|job| Row {
            id: job.id.as_str()[..ids].to_owned(),
            ..job.row.clone()
        })
        .collect();
    let picture = picture(&rows, Size { width, height }, streams.colours_stdout());
    // A terminal that became narrower has broken the lines of the last picture, so they take more rows now.
    let above: usize = last.map_or(0, |last| {
        last.columns
            .iter()
            .map(|columns| columns.div_ceil(width).max(1))
            .sum()
    });
    let mut text = Vec::new();
    if above > 0 {
        text.extend_from_slice(format!("\r\u{1b}[{above}A").as_bytes());
    }
    for line in picture.page.as_bytes().split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        text.extend_from_slice(line);
        text.extend_from_slice(b"\x1b[K\n");
    }
    text.extend_from_slice(b"\x1b[J");
    // In one piece, so that no half of a picture is seen.
    streams.stdout.write_all(&text)?;
    streams.stdout.flush()?;
    Ok(picture)
}

fn tell(job: &Watched, output: OutputFlags, streams: &mut Streams<'_>) -> io::Result<()> {
    if output.json {
        let mut line = serde_json::to_vec(&job.told)?;
        line.push(b'\n');
        streams.stdout.write_all(&line)?;
    } else {
        let mut page = Page::new(streams.width, streams.colours_stdout());
        change(&mut page, clock::now_ms(), &job.row);
        streams.stdout.write_all(page.as_bytes())?;
    }
    streams.stdout.flush()
}

/// One job of the view.
struct Watched {
    id: JobId,
    row: Row,
    /// The same as a list tells it.
    told: Map<String, Value>,
}

/// The jobs of the view and what wakes it.
struct Board {
    store: Store,
    workspace: Option<WorkspaceHash>,
    /// All ids that were there at the last look.
    ids: BTreeSet<JobId>,
    jobs: Vec<Watched>,
    /// When they were listed.
    listed: Option<Instant>,
    /// Wakes for a new job and for what happens in one that is not over.
    watch: DirectoryWatch,
}

impl Board {
    fn open(store: Store, workspace: Option<WorkspaceHash>) -> Self {
        Self {
            watch: DirectoryWatch::start(&store.root().join("jobs")),
            store,
            workspace,
            ids: BTreeSet::new(),
            jobs: Vec::new(),
            listed: None,
        }
    }

    async fn wait(&self) {
        self.watch.changed().await;
        tokio::time::sleep(PAUSE).await;
    }

    fn is_active(&self) -> bool {
        self.jobs.iter().any(|job| job.row.state.is_active())
    }

    /// Looks at all of them and returns which have changed, by more than their age.
    async fn look(&mut self) -> Result<Vec<usize>, StateError> {
        let (mut changed, mut jobs) = (Vec::new(), Vec::new());
        for job in std::mem::take(&mut self.jobs) {
            if !job.row.state.is_active() {
                jobs.push(job);
                continue;
            }
            match self.read(&job.id).await {
                Ok(now) => {
                    if differ(&job, &now) {
                        changed.push(jobs.len());
                    }
                    jobs.push(now);
                }
                // Somebody has forgotten it.
                Err(StateError::NoSuchJob) => {}
                // What cannot be read now may be readable at the next look.
                Err(_) => jobs.push(job),
            }
        }
        self.jobs = jobs;
        if !self.is_active() || self.listed.is_none_or(|at| at.elapsed() >= LIST_EVERY) {
            for id in self.find_new()? {
                // Watched before the first look, so that nothing falls between the two.
                self.watch.add(self.store.directory(&id).path());
                if let Ok(job) = self.read(&id).await {
                    changed.push(self.jobs.len());
                    self.jobs.push(job);
                }
            }
        }
        Ok(changed)
    }

    /// Makes room for more: of too many jobs those that are over are not shown any more, the oldest first.
    fn tidy(&mut self) {
        let mut over = self.jobs.len().saturating_sub(ROWS);
        self.jobs.retain(|job| {
            let goes = over > 0 && !job.row.state.is_active();
            over -= usize::from(goes);
            !goes
        });
    }

    /// Returns the ids that were not there at the last look, the oldest first, so that a new job appears below the
    /// others. At the first look a job that is over is not new.
    fn find_new(&mut self) -> Result<Vec<JobId>, StateError> {
        let mut ids = self.store.ids(self.workspace)?;
        ids.reverse();
        let first = self.listed.is_none();
        let new = ids
            .iter()
            .filter(|id| !self.ids.contains(*id))
            .filter(|id| !first || !self.store.directory(id).result_path().exists())
            .cloned()
            .collect();
        self.ids = ids.into_iter().collect();
        self.listed = Some(Instant::now());
        Ok(new)
    }

    async fn read(&mut self, id: &JobId) -> Result<Watched, StateError> {
        let mut job = self.store.read(id)?;
        if job.state == JobState::Lost && reap(&job.directory).await.is_ok() {
            job = self.store.read(id)?;
        }
        if !job.state.is_active() {
            self.watch.remove(job.directory.path());
        }
        let result = job.directory.read_result().ok().flatten();
        let mut told = jobs::row(&job, result.as_ref());
        if let Some(usage) = result.and_then(|result| result.usage) {
            told.insert(
                "usage".to_owned(),
                serde_json::to_value(usage).unwrap_or_default(),
            );
        }
        Ok(Watched {
            id: id.clone(),
            row: row(id, job.spec.kind.as_str(), job.state, &told),
            told,
        })
    }

    /// Returns how many characters of the ids name each job of the view alone.
    fn id_chars(&self) -> usize {
        let alike = |id: &JobId, other: Option<&JobId>| {
            let other = other.map_or("", JobId::as_str);
            let pairs = id.as_str().bytes().zip(other.bytes());
            pairs.take_while(|(a, b)| a == b).count()
        };
        self.jobs
            .iter()
            .map(|job| {
                let before = self.ids.range(..&job.id).next_back();
                let after = self.ids.range(&job.id..).nth(1);
                alike(&job.id, before).max(alike(&job.id, after)) + 1
            })
            .fold(ID_CHARS, usize::max)
    }
}

fn row(id: &JobId, kind: &'static str, state: JobState, told: &Map<String, Value>) -> Row {
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
    let usage = told.get("usage");
    let tokens = usage.and_then(|usage| Some(number(usage, "input")? + number(usage, "output")?));
    let elapsed_ms = told.get("elapsed_ms").and_then(Value::as_u64).unwrap_or(0);
    let first = if state.is_active() {
        text("phase")
    } else {
        text("code")
    };
    Row {
        id: id.to_string(),
        kind,
        state,
        time_ms: match state {
            JobState::Queued => clock::now_ms().saturating_sub(id.created_ms()),
            _ => elapsed_ms,
        },
        tokens,
        doing: if first.is_empty() || first == state.as_str() {
            text("label").to_owned()
        } else {
            format!("{first}: {}", text("label"))
        },
    }
}

fn differ(before: &Watched, now: &Watched) -> bool {
    let seen = |job: &Watched| (job.row.state, job.row.tokens, job.row.doing.clone());
    seen(before) != seen(now)
}
