//! From the words of a command line to its exit code.

mod landing;

use std::cell::RefCell;
use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::Poll;

use tokio::runtime;
use tokio::sync::mpsc;

use crate::cli::command::{CommandLine, command};
use crate::cli::commands::config;
use crate::cli::commands::demo;
use crate::cli::commands::logs::{self, LogsError};
use crate::cli::commands::output::OutputFlags;
use crate::cli::commands::review::FailOn;
use crate::cli::commands::watch;
use crate::cli::exit::exit_code;
use crate::cli::input::Input;
use crate::cli::progress::Progress;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::{Look, render};
use crate::cli::signals::{Signal, Signals};
use crate::cli::streams::{Device, Streams};
use crate::cli::work::{OnSignal, Work, work_of};
use crate::domain::envelope::Envelope;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::domain::visible::make_visible;
use crate::service::call::{Approver, Call};
use crate::service::context::Service;
use crate::sys::{clock, files};

/// Notes for people that may wait to be printed; the demo says a handful.
const NOTES: usize = 64;
/// What a shell says of a command whose reader went away.
const BROKEN_PIPE: u8 = 141;
/// Threads of the runtime: one waits while another looks at git or the disk.
const THREADS: usize = 2;

/// Where a command runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The environment.
    pub environment: Environment,
    /// The current directory; absolute.
    pub directory: PathBuf,
    /// Our own executable, which workers are started from.
    pub program: PathBuf,
    /// The hash over schemas and codes.
    pub fingerprint: String,
}

/// Runs a command on the streams of this process. `arguments` begin with the program's own name.
///
/// `serve` and `worker` are not run here: whoever calls this runs them before, unless they ask for help.
pub fn run(
    arguments: Vec<OsString>,
    environment: Environment,
    directory: PathBuf,
    program: PathBuf,
    fingerprint: String,
) -> ExitCode {
    let mut streams = Streams::of_process(&environment);
    let place = Place {
        environment,
        directory,
        program,
        fingerprint,
    };
    ExitCode::from(run_with(arguments, place, &mut streams))
}

/// Runs a command on these streams and returns its exit code.
pub fn run_with(arguments: Vec<OsString>, place: Place, streams: &mut Streams<'_>) -> u8 {
    let ended = parse_and_run(arguments, place, streams).and_then(|code| {
        streams.stdout.flush()?;
        Ok(code)
    });
    match ended {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => BROKEN_PIPE,
        Err(error) => {
            // Nothing can be told when stderr is gone too.
            let _ = writeln!(streams.stderr, "error: the output cannot be written: {error}");
            1
        }
    }
}

fn parse_and_run(arguments: Vec<OsString>, place: Place, streams: &mut Streams<'_>) -> io::Result<u8> {
    let parsed = command(streams.width)
        .try_get_matches_from(arguments)
        .and_then(|matches| <CommandLine as clap::FromArgMatches>::from_arg_matches(&matches));
    let line = match parsed {
        Ok(line) => line,
        Err(error) => return usage(&error, streams),
    };
    let Place {
        environment,
        directory,
        program,
        fingerprint,
    } = place;
    let peer = line.peer.as_deref().and_then(Peer::parse).unwrap_or_default();
    let service = Service::of(peer, program, environment, directory, fingerprint);
    // Before signals are taken over: Ctrl-C while somebody types a prompt simply ends the command.
    let work = {
        let mut input = Input::new(service.directory(), &mut *streams.stdin, streams.stdin_device);
        work_of(line.command, &mut input)
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        let signals = Signals::take()?;
        let mut session = Session {
            service: &service,
            signals,
            streams,
        };
        Box::pin(session.run(work)).await
    });
    // A look at git or the disk that was given up may still block a thread; ending the process ends it.
    runtime.shutdown_background();
    code
}

/// Prints a help text, the version, or what is wrong with the command.
fn usage(error: &clap::Error, streams: &mut Streams<'_>) -> io::Result<u8> {
    let text = error.render();
    let (colour, stream) = if error.use_stderr() {
        (streams.colours_stderr(), &mut streams.stderr)
    } else {
        (streams.colours_stdout(), &mut streams.stdout)
    };
    if colour {
        write!(stream, "{}", text.ansi())?;
    } else {
        write!(stream, "{text}")?;
    }
    Ok(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// One command while it runs.
struct Session<'a, 's> {
    service: &'a Service,
    signals: Signals,
    streams: &'a mut Streams<'s>,
}

impl Session<'_, '_> {
    async fn run(&mut self, work: Work) -> io::Result<u8> {
        let service = self.service;
        let progress = Progress::start(self.streams.stderr_device, "starting");
        let mut call = Call::new(format!("cli-{}-{}", std::process::id(), clock::now_ms()));
        call.progress = progress.sink();
        let mut silent = mpsc::channel(1).1;
        let (envelope, output, fail_on) = match work {
            Work::Ask {
                tool,
                request,
                output,
                fail_on,
                note: told,
            } => {
                if let Some(told) = told {
                    progress.suspend(|| note(&told, &mut *self.streams))?;
                }
                let envelope = match request {
                    Err(fault) => Ok(service.refuse(tool, fault, &call)),
                    Ok(request) => {
                        let on_signal = OnSignal::of(&request);
                        // Whoever typed a command at a terminal has agreed to what it costs; a script has not.
                        let is_typed = self.streams.stdin_device == Device::Terminal
                            && self.streams.stderr_device == Device::Terminal;
                        call.approver = is_typed.then(Approver::given);
                        let work = Box::pin(service.call(request, call.clone()));
                        self.wait(on_signal, &call, &progress, &mut silent, work).await?
                    }
                };
                (envelope, output, fail_on)
            }
            Work::Demo(flags) => {
                let (send, mut notes) = mpsc::channel(NOTES);
                // A note more than the queue holds is lost, which people survive; waiting here they would not.
                let mut say = |text: &str| drop(send.try_send(text.to_owned()));
                let work = demo::run(service, &flags, &call, &mut say);
                let waiting = self.wait(OnSignal::EndRun, &call, &progress, &mut notes, work);
                let envelope = Box::pin(waiting).await?;
                (envelope, flags.output, FailOn::Never)
            }
            Work::Land(landing) => {
                let output = landing.output;
                match self.land(&landing, &call, progress).await? {
                    Ok(envelope) => {
                        self.print(&envelope, output)?;
                        return Ok(exit_code(&envelope, FailOn::Never, None));
                    }
                    Err(signal) => return Ok(signal.exit_code()),
                }
            }
            Work::Errand(errand) => {
                let work = Box::pin(errand.run(service, &call));
                let waiting = self.wait(errand.on_signal(), &call, &progress, &mut silent, work);
                (waiting.await?, errand.output(), FailOn::Never)
            }
            Work::CheckConfig(flags) => (
                Ok(config::check(service, &flags, &call)),
                flags.output,
                FailOn::Never,
            ),
            Work::Logs(flags) => {
                progress.finish();
                let look = self.look(async |service, streams| logs::run(service, &flags, streams).await);
                let ended = look.await;
                return self.tell(ended, OutputFlags::HUMAN, &call);
            }
            Work::Watch(flags) => {
                progress.finish();
                let look = self.look(async |service, streams| watch::run(service, &flags, streams).await);
                let ended = look.await;
                return self.tell(ended, flags.output, &call);
            }
            Work::Door => {
                let fault = Fault::new(FaultCode::Internal, "this command is run before any other");
                (
                    Ok(service.refuse("serve", fault, &call)),
                    OutputFlags::HUMAN,
                    FailOn::Never,
                )
            }
        };
        progress.finish();
        match envelope {
            Ok(envelope) => {
                self.print(&envelope, output)?;
                Ok(exit_code(&envelope, fail_on, self.signals.first))
            }
            Err(signal) => Ok(signal.exit_code()),
        }
    }

    /// Waits for an envelope and prints the notes that come meanwhile; a signal that makes the command leave without an
    /// envelope comes back instead.
    async fn wait(
        &mut self,
        on_signal: OnSignal,
        call: &Call,
        progress: &Progress,
        notes: &mut mpsc::Receiver<String>,
        work: impl Future<Output = Envelope>,
    ) -> io::Result<Result<Envelope, Signal>> {
        let Self { signals, streams, .. } = self;
        // The signals and the notes both write, never at once: neither holds it across a wait.
        let streams = RefCell::new(&mut **streams);
        let say = |text: &str| progress.suspend(|| note(text, &mut streams.borrow_mut()));
        let mut told = Ok(());
        let left = {
            let signalled = async {
                match on_signal {
                    OnSignal::Leave => signals.next().await,
                    OnSignal::Finish => std::future::pending().await,
                    OnSignal::EndRun | OnSignal::EndWait => {
                        let tell = |signal| {
                            if (signal, on_signal) == (Signal::Interrupt, OnSignal::EndRun) {
                                told = say("ending the run; press Ctrl-C again to leave at once");
                            }
                        };
                        signals.pass_on(call, tell).await
                    }
                }
            };
            tokio::pin!(signalled, work);
            loop {
                tokio::select! {
                    envelope = &mut work => {
                        while let Ok(text) = notes.try_recv() {
                            say(&text)?;
                        }
                        return Ok(Ok(envelope));
                    }
                    signal = &mut signalled => {
                        // The second signal may come before the work has heard of the first one, whose wish must be
                        // on disk when this leaves.
                        if let Some(envelope) = poll_once(work.as_mut()).await {
                            return Ok(Ok(envelope));
                        }
                        break signal;
                    }
                    Some(text) = notes.recv() => say(&text)?,
                }
            }
        };
        told?;
        if on_signal != OnSignal::Leave {
            say(
                "left without waiting: a job that was started may still run. `crosscheck jobs` shows it, \
                 `crosscheck cancel latest` ends it",
            )?;
        }
        Ok(Err(left))
    }

    /// Looks at jobs until the look ends by itself or by a signal, which ends nothing else.
    async fn look(
        &mut self,
        work: impl AsyncFnOnce(&Service, &mut Streams<'_>) -> Result<(), LogsError>,
    ) -> Result<u8, LogsError> {
        let Self {
            signals,
            streams,
            service,
        } = self;
        let signal = tokio::select! {
            ended = work(service, streams) => return ended.map(|()| 0),
            signal = signals.next() => signal,
        };
        if streams.stdout_device == Device::Terminal {
            // Below the `^C` that the terminal shows.
            streams.stdout.write_all(b"\n")?;
        }
        Ok(signal.exit_code())
    }

    fn tell(&mut self, ended: Result<u8, LogsError>, output: OutputFlags, call: &Call) -> io::Result<u8> {
        match ended {
            Ok(code) => Ok(code),
            Err(LogsError::Output(error)) => Err(error),
            Err(LogsError::Fault(fault)) => {
                let code = fault.code.exit_code();
                self.print(&self.service.refuse("job", *fault, call), output)?;
                Ok(code)
            }
        }
    }

    fn print(&mut self, envelope: &Envelope, output: OutputFlags) -> io::Result<()> {
        let streams = &mut *self.streams;
        if output.json {
            let mut line = serde_json::to_vec(envelope)?;
            line.push(b'\n');
            return streams.stdout.write_all(&line);
        }
        let look = Look {
            width: streams.width,
            colour_stdout: streams.colours_stdout(),
            colour_stderr: streams.colours_stderr(),
            now_ms: clock::now_ms(),
            asked: self.service.peer(),
        };
        let whole = whole_answer(envelope);
        let rendered = render(whole.as_ref().unwrap_or(envelope), look);
        // Data first: on one terminal the hints stand below what they are about.
        streams.stdout.write_all(rendered.stdout.as_bytes())?;
        streams.stdout.flush()?;
        streams.stderr.write_all(rendered.stderr.as_bytes())
    }
}

/// Lets a future go on once; returns what it came to, if it is over.
async fn poll_once<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Writes a line for people.
fn note(text: &str, streams: &mut Streams<'_>) -> io::Result<()> {
    let mut page = Page::new(streams.width, streams.colours_stderr());
    page.wrapped(Style::Plain, text);
    streams.stderr.write_all(page.as_bytes())
}

/// Bytes of an answer that are printed; a file of ours never holds more.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// Puts the whole text back into an answer that was cut to fit a host's context: a terminal has no such bound.
///
/// `None` when nothing was cut, or when the file is gone; then the rendered text says where it was.
fn whole_answer(envelope: &Envelope) -> Option<Envelope> {
    let Envelope::Success(success) = envelope else {
        return None;
    };
    let file = success.body.get("truncated")?.get("file")?.as_str()?;
    let is_text =
        success.body.contains_key("answer") && Path::new(file).extension().is_some_and(|end| end == "md");
    let bytes = is_text
        .then(|| files::read_bounded(Path::new(file), ANSWER_BYTES).ok())
        .flatten()?;
    let mut whole = success.clone();
    whole.body.insert(
        "answer".to_owned(),
        make_visible(&String::from_utf8_lossy(&bytes)).into(),
    );
    whole.body.shift_remove("truncated");
    Some(Envelope::Success(whole))
}
