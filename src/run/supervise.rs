//! One peer process from its start to its end.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::peer::ended::End;
use crate::peer::event::Event;
use crate::peer::interface::Stream;
use crate::peer::transcript::{Transcript, truncate};
use crate::redact::Redactor;
use crate::run::control::{Control, Stop};
use crate::run::patience::Patience;
use crate::run::said::Said;
use crate::run::shared::Shared;
use crate::run::tokens::Tokens;
use crate::state::directory::JobDirectory;
use crate::sys::clock::{Clocks, millis};
use crate::sys::process::{Ended, Invocation, Running, end_all};
use crate::sys::{seam, signal};

/// Lines in flight between the pipe and the log. Each may have [`limits::PEER_LINE_BYTES`], so more would be memory.
const LINES_IN_FLIGHT: usize = 1;

/// How long lines are read after the peer's end, however many come: somebody else may hold the pipe and go on.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Time between two looks for a suspend. It only says when one is told: none is missed.
const CLOCK_LOOK: Duration = Duration::from_secs(15);

/// What a run was.
#[derive(Debug)]
pub struct Run {
    /// How the peer ended; `None` when even KILL did not end it.
    pub end: Option<End>,
    /// Why it was ended, if it did not end by itself.
    pub stop: Option<Stop>,
    /// What it reported.
    pub transcript: Transcript,
    /// The beginning and the end of its standard error, with secrets masked.
    pub stderr: String,
    /// Processes that outlived it.
    pub leaked: Vec<u32>,
}

/// What a run writes to and obeys.
pub struct Supervision<'a> {
    /// The peer.
    pub peer: Peer,
    /// The job.
    pub directory: &'a JobDirectory,
    /// What its peers share.
    pub shared: &'a Shared,
    /// Which of its passes this is, where there are several.
    pub pass: Option<u32>,
    /// The peer's temporary folder, which no other pass has.
    pub tmp: &'a Path,
    /// What can end the run.
    pub control: &'a Control,
    /// The clocks when they were looked at last.
    pub clocks: Clocks,
    /// How long a run may wait for the network; absent for one that does not wait.
    pub patience: Option<Patience>,
    /// The tokens of the job, over all its runs.
    pub tokens: Tokens<'a>,
}

impl Supervision<'_> {
    /// Runs a peer to its end.
    ///
    /// The peer's identity is on disk before the first byte of the prompt: a worker that dies earlier leaves a peer
    /// that reads an empty prompt and ends unpaid.
    pub async fn run(&mut self, invocation: &Invocation, prompt: &str) -> Result<Run, Fault> {
        let number = self.shared.next_peer();
        let mut running = Running::start(invocation).map_err(|error| not_started(invocation, &error))?;
        seam::point("peer.spawned");
        if let Err(error) = self.directory.write_peer(number, running.identity()) {
            running.terminate().await;
            return Err(error.into());
        }
        seam::point("peer.noted");
        let feeding = tokio::spawn(feed(running.stdin.take(), prompt.as_bytes().to_vec()));
        let (send, mut lines) = mpsc::channel(LINES_IN_FLIGHT);
        let reading = tokio::spawn(read_lines(running.stdout.take(), send));
        let said = Arc::new(Mutex::new(Said::to(&self.directory.stderr_path())));
        let errors = tokio::spawn(read_stderr(running.stderr.take(), Arc::clone(&said)));

        seam::point("peer.fed");
        let mut transcript = Transcript::default();
        let mut stream = self.peer.stream();
        self.tokens.begun();
        let mut ended: Option<Ended> = None;
        let (mut stop, mut leaked) = (None, Vec::new());
        let mut drained_by: Option<Instant> = None;
        let mut drain_end = Instant::now();
        let mut next_look = Instant::now() + CLOCK_LOOK;
        loop {
            let drain = drained_by.unwrap_or_else(|| Instant::now() + limits::TIMEOUT_MAX);
            let woken = tokio::select! {
                biased;
                // A flood of lines must not keep the end of the run waiting, so a reason to stop is asked for first.
                reason = self.control.stop(), if ended.is_none() && stop.is_none() => Woken::Stop(reason),
                () = self.tokens.due(), if ended.is_none() && stop.is_none() => Woken::Look,
                line = lines.recv() => Woken::Line(line),
                end = running.wait(), if ended.is_none() => Woken::Ended(end.ok()),
                () = tokio::time::sleep_until(drain), if drained_by.is_some() => Woken::Drained,
                () = tokio::time::sleep_until(next_look) => Woken::Clock,
            };
            let stop_now = match woken {
                Woken::Line(Some(Line::Text(line))) => {
                    let enough = self.take(line, &mut stream, &mut transcript);
                    // Reading a long line takes longer than the grace, and the lines behind it were never waited for.
                    drained_by = drained_by.map(|_| drain_end.min(Instant::now() + limits::DRAIN_GRACE));
                    enough
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
                    let lived_on;
                    (ended, lived_on, leaked) = self.end_silent(&mut running).await;
                    stop = stop.or(lived_on);
                    break;
                }
                Woken::Ended(end) => {
                    ended = end;
                    // They may hold the pipes, which would otherwise never be read to their end.
                    leaked.extend(self.end_orphans().await);
                    drained_by = Some(Instant::now() + limits::DRAIN_GRACE);
                    drain_end = Instant::now() + DRAIN_MAX;
                    None
                }
                Woken::Stop(reason) => Some(reason),
                Woken::Look => self.count_tokens(&mut transcript),
                Woken::Drained => break,
                Woken::Clock => {
                    next_look = Instant::now() + CLOCK_LOOK;
                    self.look_at_clocks(&mut transcript);
                    None
                }
            };
            // Once is enough: what KILL does not end is told as such, and the job ends without it.
            if let Some(reason) = stop_now
                && ended.is_none()
                && stop.is_none()
            {
                tracing::info!(?reason, "ending the peer");
                seam::point("cancel.seen");
                stop = Some(reason);
                (ended, leaked) = running.terminate().await;
                leaked.extend(self.end_orphans().await);
                drained_by = Some(Instant::now() + limits::DRAIN_GRACE);
                drain_end = Instant::now() + DRAIN_MAX;
            }
        }
        self.look_at_clocks(&mut transcript);
        self.count_tokens(&mut transcript);
        reading.abort();
        feeding.abort();
        finish_reading(errors).await;
        let stderr = said.lock().map(|mut said| said.finish()).unwrap_or_default();
        Ok(Run {
            end: ended.map(End::from),
            stop,
            transcript,
            stderr,
            leaked,
        })
    }

    /// Notes a suspend since the last look.
    fn look_at_clocks(&mut self, transcript: &mut Transcript) {
        let now = Clocks::now();
        let slept = now.slept_since(&std::mem::replace(&mut self.clocks, now));
        if let Some(slept) = slept {
            let event = Event::Suspended {
                slept_ms: millis(slept),
            };
            transcript.push(&event);
            self.log(&event);
        }
    }

    /// Takes one line: into the transcript as it is, into the log with secrets masked. Says whether it ends the run.
    ///
    /// A line and what it holds may have megabytes: each is let go as soon as the next form of it is there.
    fn take(&mut self, line: Vec<u8>, stream: &mut Stream, transcript: &mut Transcript) -> Option<Stop> {
        let Some(events) = stream.read(&line) else {
            transcript.malformed += u32::from(!line.iter().all(u8::is_ascii_whitespace));
            return None;
        };
        drop(line);
        let mut stop = None;
        for event in events {
            stop = self.take_event(event, transcript).or(stop);
        }
        stop
    }

    fn take_event(&mut self, mut event: Event, transcript: &mut Transcript) -> Option<Stop> {
        seam::point("peer.said");
        self.tokens.heard(&mut event);
        transcript.push(&event);
        event.map_texts(&mut |text| {
            if let Some(masked) = Redactor::shared().mask_found(text) {
                *text = masked.text;
            }
        });
        // Only now: half a secret is not recognised any more.
        event.keep_end_of_output();
        let most = if event.is_vital() {
            limits::ANSWER_BYTES
        } else {
            limits::EVENT_BYTES
        };
        event.map_texts(&mut |text| {
            truncate(text, most);
            text.shrink_to_fit();
        });
        self.log(&event);
        seam::point("peer.logged");
        if let Event::ThreadStarted { thread } = &event {
            tracing::info!(%thread, "the peer opened its thread");
        }
        let patience = self.patience.as_mut();
        patience
            .is_some_and(|patience| patience.is_over(&event, Instant::now()))
            .then_some(Stop::NoNetwork)
    }

    /// Looks at the tokens so far, and says so when they are too many and no answer is there that would be lost.
    fn count_tokens(&mut self, transcript: &mut Transcript) -> Option<Stop> {
        if let Some(used) = self.tokens.look() {
            transcript.push(&Event::Tokens { used });
            self.log(&Event::Tokens { used });
        }
        let answered = transcript.completed_turns > 0 && transcript.failure.is_none();
        (self.tokens.are_spent() && !answered).then_some(Stop::Budget)
    }

    /// Writes an event. Tokens are written as those of the whole job, since whoever looks at it asks for these.
    fn log(&self, event: &Event) {
        let of_job = match event {
            Event::Tokens { used } => Some(Event::Tokens {
                used: self.shared.purse().note(self.pass, *used),
            }),
            _ => None,
        };
        self.shared.log(self.pass, of_job.as_ref().unwrap_or(event));
    }

    /// Ends what the peer started and left behind. The worker adopts it (see `worker::main`), so whatever is below the
    /// worker is the run's while no other pass is under way. Beside others only what has this pass's temporary folder is
    /// known to be its own; what hid from that is ended with the last pass.
    async fn end_orphans(&self) -> Vec<u32> {
        seam::point("peer.ended");
        let mut below = signal::descendants(std::process::id());
        if !self.shared.is_alone() && !below.is_empty() {
            let own = signal::with_folder("TMPDIR", self.tmp);
            below.retain(|process| own.contains(process));
        }
        let leaked = end_all(below).await;
        seam::point("peer.swept");
        leaked
    }

    /// Gives a peer that closed its output a moment to end, then ends it.
    async fn end_silent(&self, running: &mut Running) -> (Option<Ended>, Option<Stop>, Vec<u32>) {
        let by_itself = tokio::time::timeout(limits::INTERRUPT_GRACE, running.wait()).await;
        let (ended, stop, mut leaked) = if let Ok(end) = by_itself {
            (end.ok(), None, Vec::new())
        } else {
            let (ended, leaked) = running.terminate().await;
            (ended, Some(Stop::ClosedOutput), leaked)
        };
        leaked.extend(self.end_orphans().await);
        (ended, stop, leaked)
    }
}

/// Says why a peer could not be started. A machine without room for one more process says nothing about the program.
fn not_started(invocation: &Invocation, error: &std::io::Error) -> Fault {
    let code = match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => FaultCode::PeerNotFound,
        _ => FaultCode::PeerFailed,
    };
    let message = format!("cannot start `{}`: {error}", invocation.program.display());
    Fault::new(code, message)
}

/// Gives standard error a moment to be read to its end: somebody else may hold the pipe.
async fn finish_reading(mut errors: JoinHandle<()>) {
    let in_time = tokio::time::timeout(limits::DRAIN_GRACE, &mut errors).await;
    if in_time.is_err() {
        errors.abort();
    }
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
    Look,
    Clock,
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
        // Nothing is read before the line ahead was taken: two long lines are in memory at once and never three.
        let Ok(place) = send.reserve().await else { return };
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
        place.send(item);
        if last {
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

/// Reads standard error as it comes.
///
/// What was said so far stays readable when the task is aborted: a process that codex left may hold the pipe for ever.
async fn read_stderr(stderr: Option<ChildStderr>, said: Arc<Mutex<Said>>) {
    let Some(mut stderr) = stderr else { return };
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(bytes @ 1..) = stderr.read(&mut piece).await else {
            return;
        };
        if let Ok(mut said) = said.lock() {
            said.push(&piece[..bytes]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::Environment;
    use crate::domain::job::{JobId, WorkspaceHash};
    use tokio_util::sync::CancellationToken;

    // No test here starts a peer: after its end everything below this process would be ended, other tests' children too.

    /// Takes lines and then looks at the clocks. Returns what each line meant, the transcript and the log.
    fn take(
        lines: &[&str],
        patience: Option<Patience>,
        clocks: Clocks,
    ) -> (Vec<Option<Stop>>, Transcript, String) {
        let dir = tempfile::tempdir().unwrap();
        let directory = JobDirectory::at(dir.path());
        let deadline = Instant::now() + Duration::from_secs(60);
        let control = Control::new(&directory, deadline, CancellationToken::new());
        let shared = Shared::open(&directory).unwrap();
        let spec = crate::state::record::tests::spec(&JobId::new(1, WorkspaceHash::of(b"w"), 1));
        let environment = Environment::default();
        let mut supervision = Supervision {
            peer: Peer::Codex,
            directory: &directory,
            shared: &shared,
            pass: None,
            tmp: dir.path(),
            control: &control,
            clocks,
            patience,
            tokens: Tokens::of(&spec, &environment, shared.purse(), None),
        };
        let mut transcript = Transcript::default();
        let mut stream = Peer::Codex.stream();
        let meant = lines
            .iter()
            .map(|line| supervision.take(line.as_bytes().to_vec(), &mut stream, &mut transcript))
            .collect();
        supervision.look_at_clocks(&mut transcript);
        supervision.look_at_clocks(&mut transcript);
        (
            meant,
            transcript,
            std::fs::read_to_string(directory.events_path()).unwrap(),
        )
    }

    const SAID: &str = r#"{"type":"item.completed","item":{"type":"agent_message","text":"Half."}}"#;
    const RETRY: &str = r#"{"type":"error","message":"Reconnecting... waiting for network (Connection failed: error sending request)"}"#;

    #[test]
    fn a_peer_that_waits_for_the_network_for_too_long_is_ended() {
        let lines = [SAID, RETRY, RETRY];
        let check = |patience: Option<Duration>, expected: [Option<Stop>; 3]| {
            let (meant, transcript, log) = take(&lines, patience.map(Patience::new), Clocks::now());
            assert_eq!(meant, expected, "{patience:?}");
            assert_eq!(transcript.last_message.as_deref(), Some("Half."));
            assert_eq!(log.lines().count(), 3, "{log}");
        };
        check(
            Some(Duration::ZERO),
            [None, Some(Stop::NoNetwork), Some(Stop::NoNetwork)],
        );
        check(Some(Duration::from_secs(60)), [None; 3]);
        check(None, [None; 3]);
    }

    #[test]
    fn a_suspend_is_noted_once_in_the_log_and_in_what_the_run_amounts_to() {
        let slept = Duration::from_secs(60);
        let (_, transcript, log) = take(&[], None, Clocks::now().before_sleep(slept));
        assert!(
            millis(slept).abs_diff(transcript.slept_ms) < 1000,
            "{}",
            transcript.slept_ms
        );
        assert_eq!(log.matches("\"event\":\"suspended\"").count(), 1, "{log}");
    }
}
