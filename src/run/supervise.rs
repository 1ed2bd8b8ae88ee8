//! One peer process from its start to its end.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::peer::codex::classify::End;
use crate::peer::codex::events::parse_line;
use crate::peer::event::Event;
use crate::peer::transcript::Transcript;
use crate::redact::Redactor;
use crate::run::control::{Control, Stop};
use crate::state::directory::JobDirectory;
use crate::state::events::EventLog;
use crate::sys::files;
use crate::sys::process::{Ended, Invocation, Running, end_all};
use crate::sys::tail::HeadTail;
use crate::sys::{seam, signal};

/// Lines in flight between the pipe and the log. Each may have [`limits::PEER_LINE_BYTES`], so more would be memory.
const LINES_IN_FLIGHT: usize = 1;

/// How long lines are read after the peer's end, however many come: somebody else may hold the pipe and go on.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What a run was.
#[derive(Debug)]
pub struct Run {
    /// How the peer ended; `None` when even KILL did not end it.
    pub end: Option<End>,
    /// Why it was ended, if it did not end by itself.
    pub stop: Option<Stop>,
    /// What it reported.
    pub transcript: Transcript,
    /// The beginning and the end of its standard error.
    pub stderr: String,
    /// Processes that outlived it.
    pub leaked: Vec<u32>,
}

/// What a run writes to and obeys.
pub struct Supervision<'a> {
    /// The job.
    pub directory: &'a JobDirectory,
    /// Its event log.
    pub log: &'a mut EventLog,
    /// What can end the run.
    pub control: &'a Control,
}

impl Supervision<'_> {
    /// Runs a peer to its end. `number` counts the peers of this job from 1.
    ///
    /// The peer's identity is on disk before the first byte of the prompt: a worker that dies earlier leaves a peer
    /// that reads an empty prompt and ends unpaid.
    pub async fn run(&mut self, invocation: &Invocation, prompt: &str, number: u32) -> Result<Run, Fault> {
        let mut running = Running::start(invocation).map_err(|error| {
            Fault::new(
                FaultCode::PeerNotFound,
                format!("cannot start `{}`: {error}", invocation.program.display()),
            )
        })?;
        seam::point("peer.spawned");
        if let Err(error) = self.directory.write_peer(number, running.identity()) {
            running.terminate().await;
            return Err(error.into());
        }
        seam::point("peer.noted");
        let feeding = tokio::spawn(feed(running.stdin.take(), prompt.as_bytes().to_vec()));
        let (send, mut lines) = mpsc::channel(LINES_IN_FLIGHT);
        let reading = tokio::spawn(read_lines(running.stdout.take(), send));
        let said = Arc::new(Mutex::new(HeadTail::new(limits::PEER_STDERR_BYTES)));
        let errors = read_stderr(
            running.stderr.take(),
            self.directory.stderr_path(),
            Arc::clone(&said),
        );
        let mut errors = tokio::spawn(errors);

        seam::point("peer.fed");
        let mut transcript = Transcript::default();
        let mut ended: Option<Ended> = None;
        let (mut stop, mut leaked) = (None, Vec::new());
        let mut drained_by: Option<Instant> = None;
        let mut drain_end = Instant::now();
        loop {
            let drain = drained_by.unwrap_or_else(|| Instant::now() + limits::TIMEOUT_MAX);
            let woken = tokio::select! {
                biased;
                // A flood of lines must not keep the end of the run waiting, so a reason to stop is asked for first.
                reason = self.control.stop(), if ended.is_none() => Woken::Stop(reason),
                line = lines.recv() => Woken::Line(line),
                end = running.wait(), if ended.is_none() => Woken::Ended(end.ok()),
                () = tokio::time::sleep_until(drain), if drained_by.is_some() => Woken::Drained,
            };
            let stop_now = match woken {
                Woken::Line(Some(Line::Text(line))) => {
                    self.take(&line, &mut transcript);
                    // Reading a long line takes longer than the grace, and the lines behind it were never waited for.
                    drained_by = drained_by.map(|_| drain_end.min(Instant::now() + limits::DRAIN_GRACE));
                    None
                }
                Woken::Line(Some(Line::TooLong)) => {
                    transcript.too_long += 1;
                    None
                }
                Woken::Line(Some(Line::Limit)) => Some(Stop::OutputLimit),
                Woken::Line(None) if ended.is_some() => break,
                Woken::Line(None) => {
                    // The peer closed its output; it is over when it also ends, which it is given a moment for.
                    lines.close();
                    if let Ok(end) = tokio::time::timeout(limits::INTERRUPT_GRACE, running.wait()).await {
                        ended = end.ok();
                    } else {
                        stop = Some(Stop::ClosedOutput);
                        (ended, leaked) = running.terminate().await;
                    }
                    leaked.extend(end_orphans().await);
                    break;
                }
                Woken::Ended(end) => {
                    ended = end;
                    // They may hold the pipes, which would otherwise never be read to their end.
                    leaked.extend(end_orphans().await);
                    drained_by = Some(Instant::now() + limits::DRAIN_GRACE);
                    drain_end = Instant::now() + DRAIN_MAX;
                    None
                }
                Woken::Stop(reason) => Some(reason),
                Woken::Drained => break,
            };
            if let Some(reason) = stop_now
                && ended.is_none()
            {
                tracing::info!(?reason, "ending the peer");
                seam::point("cancel.seen");
                stop = Some(reason);
                (ended, leaked) = running.terminate().await;
                leaked.extend(end_orphans().await);
                drained_by = Some(Instant::now() + limits::DRAIN_GRACE);
                drain_end = Instant::now() + DRAIN_MAX;
            }
        }
        reading.abort();
        feeding.abort();
        if tokio::time::timeout(limits::DRAIN_GRACE, &mut errors)
            .await
            .is_err()
        {
            errors.abort();
        }
        let stderr = said.lock().map(|said| said.text()).unwrap_or_default();
        Ok(Run {
            end: ended.map(End::from),
            stop,
            transcript,
            stderr,
            leaked,
        })
    }

    /// Takes one line: into the transcript as it is, into the log with secrets masked.
    fn take(&mut self, line: &[u8], transcript: &mut Transcript) {
        let Some(mut event) = parse_line(line) else {
            transcript.malformed += u32::from(!line.iter().all(u8::is_ascii_whitespace));
            return;
        };
        seam::point("peer.said");
        transcript.push(&event);
        event.map_texts(&mut |text| {
            if let Some(masked) = Redactor::shared().mask_found(text) {
                *text = masked.text;
            }
        });
        // Only now: half a secret is not recognised any more.
        event.keep_end_of_output();
        // A log that cannot be written must not cost a paid answer: the result has its own reserved room.
        if let Err(error) = self.log.append(&event) {
            tracing::warn!(%error, "an event is not in the log");
        }
        seam::point("peer.logged");
        if let Event::ThreadStarted { thread } = &event {
            tracing::info!(%thread, "the peer opened its thread");
        }
    }
}

/// Ends what the peer started and left behind. The worker adopts it (see `worker::main`) and has no other children
/// while a peer runs, so whatever is below the worker now is the run's.
async fn end_orphans() -> Vec<u32> {
    seam::point("peer.ended");
    let leaked = end_all(signal::descendants(std::process::id())).await;
    seam::point("peer.swept");
    leaked
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Exited(code) => Self::Exited(code),
            Ended::Signaled(signal) => Self::Signaled(signal),
        }
    }
}

enum Woken {
    Line(Option<Line>),
    Ended(Option<Ended>),
    Stop(Stop),
    Drained,
}

enum Line {
    Text(Vec<u8>),
    TooLong,
    Limit,
}

async fn feed(stdin: Option<ChildStdin>, prompt: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        // A peer that ends early closes its input; why it ended says more than this.
        let _ = stdin.write_all(&prompt).await;
        let _ = stdin.shutdown().await;
    }
}

async fn read_lines(stdout: Option<ChildStdout>, send: mpsc::Sender<Line>) {
    let Some(stdout) = stdout else { return };
    let mut reader = BufReader::with_capacity(64 * 1024, stdout);
    let mut total = 0u64;
    loop {
        let mut line = Vec::new();
        let read = (&mut reader)
            .take(limits::PEER_LINE_BYTES as u64)
            .read_until(b'\n', &mut line)
            .await;
        let Ok(bytes @ 1..) = read else { return };
        total += bytes as u64;
        let whole = line.last() == Some(&b'\n');
        let long = !whole && line.len() >= limits::PEER_LINE_BYTES;
        if long && skip_line(&mut reader, &mut total).await.is_err() {
            return;
        }
        let item = if total > limits::PEER_OUTPUT_BYTES {
            Line::Limit
        } else if long {
            Line::TooLong
        } else {
            Line::Text(line)
        };
        let last = matches!(item, Line::Limit);
        if send.send(item).await.is_err() || last {
            return;
        }
    }
}

async fn skip_line(reader: &mut BufReader<ChildStdout>, total: &mut u64) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() || *total > limits::PEER_OUTPUT_BYTES {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        *total += used as u64;
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// Keeps the head and the tail of standard error, and writes it masked and capped beside the job as it comes.
///
/// What was kept so far stays readable when the task is aborted: a process that codex left may hold the pipe for ever.
async fn read_stderr(stderr: Option<ChildStderr>, path: PathBuf, kept: Arc<Mutex<HeadTail>>) {
    use std::io::Write;
    let Some(stderr) = stderr else { return };
    let mut inside_key = false;
    let mut file = files::open_append(&path).ok();
    let mut written = 0;
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        // A line without an end is taken in pieces of this size.
        let read = (&mut reader).take(16 * 1024).read_until(b'\n', &mut line).await;
        let Ok(1..) = read else { return };
        if is_key_line(&line, &mut inside_key) {
            line = b"[private key withheld]\n".to_vec();
        }
        if let Ok(mut kept) = kept.lock() {
            kept.push(&line);
        }
        if let Some(file) = &mut file
            && written < limits::PEER_STDERR_BYTES
        {
            let masked = Redactor::shared().mask(&String::from_utf8_lossy(&line)).text;
            written += masked.len();
            let _ = file.write_all(masked.as_bytes());
        }
    }
}

/// Tells whether a line belongs to a private key in PEM form, whose lines are no secrets to a scan of single lines.
fn is_key_line(line: &[u8], inside: &mut bool) -> bool {
    let text = String::from_utf8_lossy(line);
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        *inside = true;
    }
    let belongs = *inside;
    if text.contains("-----END") {
        *inside = false;
    }
    belongs
}
