//! One run of git: started, read, bounded, ended.

use crate::diff::text::shown_path;
use crate::git::{Environment, GitError};
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// The bounds of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Longest run.
    pub deadline: Duration,
    /// Most bytes of standard output.
    pub stdout_bytes: usize,
}

/// For questions of a few lines. They take milliseconds; a slow disk or a huge packed-refs file takes seconds.
pub(super) const QUERY: Bounds = Bounds {
    deadline: Duration::from_secs(30),
    stdout_bytes: 1024 * 1024,
};

/// For lists of paths or of settings: 16 MiB are some 200,000 paths.
pub(super) const LIST: Bounds = Bounds {
    deadline: Duration::from_secs(120),
    stdout_bytes: 16 * 1024 * 1024,
};

/// For a diff. A cold cache and a hundred thousand files take a minute.
pub(super) const DIFF: Bounds = Bounds {
    deadline: Duration::from_secs(180),
    stdout_bytes: crate::domain::limits::DIFF_BYTES,
};

/// For what writes, hashes or checks out files of a whole tree: a hundred thousand of them on a cold disk take minutes. Its
/// lists have several fields for each path.
pub(super) const CHECKOUT: Bounds = Bounds {
    deadline: Duration::from_secs(900),
    stdout_bytes: 256 * 1024 * 1024,
};

/// Bytes kept of standard error: the first line is told, the rest tells nothing more.
const STDERR_BYTES: usize = 16 * 1024;
/// Characters of standard error that an error repeats.
const MESSAGE_CHARS: usize = 300;
/// Time for the pipes to close after the process group was killed. A process that left the group may hold them.
const REAP: Duration = Duration::from_secs(2);

/// Bytes of output from which on room for much more is taken at once.
const SMALL_BYTES: usize = 4 * 1024 * 1024;
/// So much of it. The allocator of most systems keeps what is freed of a thread's blocks of up to 32 MiB; larger ones it gives
/// back. What is not written takes no memory.
const LARGE_BYTES: usize = 36 * 1024 * 1024;

/// Time between two looks at whether git waits for a FIFO. Most runs are over before the first.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes of memory that one git may take for itself: several times what the largest repositories need. Packs that it maps do
/// not count. A repository can hold a `.gitignore` of a terabyte of holes, which git reads into memory whole.
#[cfg(target_os = "linux")]
const MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How git ended by itself, with what it wrote.
#[derive(Debug)]
pub(super) struct Output {
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// Standard error, its first [`STDERR_BYTES`].
    pub stderr: Vec<u8>,
    /// Exit code; nothing when a signal ended it.
    pub exit_code: Option<i32>,
}

impl Output {
    /// Tells whether the exit code is 0.
    pub(super) fn is_success(&self) -> bool {
        self.exit_code == Some(0)
    }
}

/// A git command that is not running yet.
#[derive(Debug)]
pub(super) struct Command<'a> {
    program: &'a Path,
    name: &'static str,
    directory: &'a Path,
    environment: &'a Environment,
    variables: Vec<(&'static str, OsString)>,
    arguments: Vec<OsString>,
    stdin: Option<Vec<u8>>,
}

/// What the reading threads report.
enum Event {
    Stdout(Pipe),
    Stderr(Pipe),
}

/// A pipe that was read to its end or to its limit.
enum Pipe {
    Whole(Vec<u8>),
    TooLong,
}

impl<'a> Command<'a> {
    /// Makes `git NAME` in a directory.
    pub(super) fn new(
        program: &'a Path,
        name: &'static str,
        directory: &'a Path,
        environment: &'a Environment,
    ) -> Self {
        Self {
            program,
            name,
            directory,
            environment,
            variables: Vec::new(),
            arguments: Vec::new(),
            stdin: None,
        }
    }

    /// Adds arguments.
    pub(super) fn args<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub(super) fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Gives it bytes to read; without them it reads nothing.
    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Runs it and fails unless it exits with 0.
    pub(super) fn run_ok(self, bounds: &Bounds) -> Result<Vec<u8>, GitError> {
        let name = self.name;
        let output = self.run(bounds)?;
        if output.is_success() {
            Ok(output.stdout)
        } else {
            Err(failure(name, &output))
        }
    }

    /// Runs it to its end, however it ends by itself.
    pub(super) fn run(self, bounds: &Bounds) -> Result<Output, GitError> {
        let name = self.name;
        let end = Instant::now() + bounds.deadline;
        let mut child = self.spawn()?;
        let (sender, events) = channel();
        read_pipe(
            child.stdout.take(),
            bounds.stdout_bytes,
            Keep::All,
            &sender,
            Event::Stdout,
        );
        read_pipe(
            child.stderr.take(),
            STDERR_BYTES,
            Keep::First,
            &sender,
            Event::Stderr,
        );
        drop(sender);
        if let (Some(bytes), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            // A git that ends early closes the pipe; how it ended is told by its exit code.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let outcome = collect(&events, end, || waits_for_a_fifo(child.id()));
        let outcome = outcome.and_then(|pipes| wait(&mut child, end).map(|status| (pipes, status)));
        match outcome {
            Ok(((stdout, stderr), status)) => Ok(Output {
                stdout,
                stderr,
                exit_code: status.code(),
            }),
            Err(stop) => {
                kill(&mut child, &events);
                Err(match stop {
                    Stop::Deadline => GitError::Deadline {
                        command: name,
                        after: bounds.deadline,
                    },
                    Stop::TooLong => GitError::OutputTooLarge {
                        command: name,
                        limit: bounds.stdout_bytes,
                    },
                    Stop::Fifo => GitError::Fifo { command: name },
                    Stop::Wait(source) => GitError::Spawn {
                        command: name,
                        source,
                    },
                })
            }
        }
    }

    fn spawn(&self) -> Result<Child, GitError> {
        let mut command = std::process::Command::new(self.program);
        command
            .arg("--no-pager")
            .arg(self.name)
            .args(&self.arguments)
            .current_dir(self.directory)
            .env_clear()
            .envs(self.environment.iter())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(if self.stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let child = command.spawn().map_err(|source| GitError::Spawn {
            command: self.name,
            source,
        })?;
        bound_memory(&child);
        Ok(child)
    }
}

/// Bounds the memory of a process that has just begun. Where that cannot be done git runs as it would for its user.
fn bound_memory(child: &Child) {
    #[cfg(target_os = "linux")]
    if let Some(process) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let bound = rustix::process::Rlimit {
            current: Some(MEMORY_BYTES),
            maximum: Some(MEMORY_BYTES),
        };
        // It may be over already.
        let _ = rustix::process::prlimit(Some(process), rustix::process::Resource::Data, bound);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}

/// Why a run was stopped by us.
enum Stop {
    Deadline,
    /// It opened a FIFO that nobody writes.
    Fifo,
    TooLong,
    Wait(std::io::Error),
}

/// What of a pipe is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// All of it; more than the limit is a failure.
    All,
    /// Its beginning; the rest is read and dropped.
    First,
}

fn read_pipe(
    pipe: Option<impl Read + Send + 'static>,
    limit: usize,
    keep: Keep,
    events: &Sender<Event>,
    event: fn(Pipe) -> Event,
) {
    let Some(mut pipe) = pipe else { return };
    let events = events.clone();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error means that the other end is gone, which the exit code explains.
        let _ = pipe
            .by_ref()
            .take(limit.min(SMALL_BYTES) as u64)
            .read_to_end(&mut bytes);
        if bytes.len() == SMALL_BYTES {
            bytes.reserve_exact(limit.saturating_sub(SMALL_BYTES).min(LARGE_BYTES));
            let rest = limit.saturating_sub(SMALL_BYTES) as u64;
            let _ = pipe.by_ref().take(rest).read_to_end(&mut bytes);
        }
        let mut more = [0_u8; 4096];
        let mut is_longer = false;
        while let Ok(1..) = pipe.read(&mut more) {
            is_longer = true;
            if keep == Keep::All {
                break;
            }
        }
        let read = if is_longer && keep == Keep::All {
            Pipe::TooLong
        } else {
            Pipe::Whole(bytes)
        };
        // The receiver is gone only when the run was given up.
        let _ = events.send(event(read));
    });
}

fn collect(
    events: &Receiver<Event>,
    end: Instant,
    is_stuck: impl Fn() -> bool,
) -> Result<(Vec<u8>, Vec<u8>), Stop> {
    let mut stdout = None;
    let mut stderr = None;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match events.recv_timeout(left.min(LOOK)) {
            Ok(Event::Stdout(Pipe::TooLong) | Event::Stderr(Pipe::TooLong)) => return Err(Stop::TooLong),
            Ok(Event::Stdout(Pipe::Whole(bytes))) => stdout = Some(bytes),
            Ok(Event::Stderr(Pipe::Whole(bytes))) => stderr = Some(bytes),
            Err(RecvTimeoutError::Timeout) if left <= LOOK => return Err(Stop::Deadline),
            Err(RecvTimeoutError::Timeout) if is_stuck() => return Err(Stop::Fifo),
            Err(RecvTimeoutError::Timeout) => {}
            // Both threads are done.
            Err(RecvTimeoutError::Disconnected) => {
                return Ok((stdout.unwrap_or_default(), stderr.unwrap_or_default()));
            }
        }
    }
}

/// Tells whether a thread of a process waits for the other end of a FIFO that it opens. A repository can hold one in the
/// place of any file that git reads (`HEAD`, `.gitignore`, an included configuration), and git opens nothing else of the
/// kind. Where the system does not tell, the deadline is what is left.
fn waits_for_a_fifo(process: u32) -> bool {
    // What the kernel calls the place where it waits; seen with Linux 6.18.
    const WAITING: &str = "wait_for_partner";
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    threads.into_iter().flatten().flatten().any(|thread| {
        std::fs::read_to_string(thread.path().join("wchan")).is_ok_and(|place| place == WAITING)
    })
}

/// Waits for a process whose pipes are closed; that is a matter of microseconds unless it closed them itself.
fn wait(child: &mut Child, end: Instant) -> Result<std::process::ExitStatus, Stop> {
    let mut pause = Duration::from_micros(50);
    loop {
        if let Some(status) = child.try_wait().map_err(Stop::Wait)? {
            return Ok(status);
        }
        if Instant::now() >= end {
            return Err(Stop::Deadline);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Ends the process group and waits for git itself. Git reads only here, so it is owed no grace.
fn kill(child: &mut Child, events: &Receiver<Event>) {
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // The group may be gone already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
    let end = Instant::now() + REAP;
    while events
        .recv_timeout(end.saturating_duration_since(Instant::now()))
        .is_ok()
    {}
}

/// Makes the error of a git that ended with a failure.
pub(super) fn failure(command: &'static str, output: &Output) -> GitError {
    let text = shown_path(first_line(&output.stderr));
    GitError::Failed {
        command,
        exit_code: output.exit_code,
        message: text.chars().take(MESSAGE_CHARS).collect(),
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == b'\n').next().unwrap_or_default()
}

/// Returns a path from git's output without its line feed.
pub(super) fn path_line(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(b"\n").unwrap_or(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// Runs a script in git's place; its arguments are those that git would get.
    fn run(script: &str, stdin: Option<&[u8]>, bounds: Bounds) -> Result<Output, GitError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("git");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = Environment::new([("PATH".into(), "/usr/bin:/bin".into())]);
        let mut command = Command::new(&program, "diff", folder.path(), &environment).args(["a b"]);
        if let Some(bytes) = stdin {
            command = command.stdin(bytes.to_vec());
        }
        command.run(&bounds)
    }

    fn bounds(milliseconds: u64, stdout_bytes: usize) -> Bounds {
        Bounds {
            deadline: Duration::from_millis(milliseconds),
            stdout_bytes,
        }
    }

    #[test]
    fn what_it_wrote_and_how_it_ended_is_kept() {
        let output = run(
            "printf '%s|' \"$@\"; cat; echo no >&2; exit 3",
            Some(b"in"),
            QUERY,
        )
        .unwrap();
        assert_eq!(output.stdout, b"--no-pager|diff|a b|in");
        assert_eq!(
            (output.stderr.as_slice(), output.exit_code),
            (&b"no\n"[..], Some(3))
        );
        let killed = run("kill -9 $$", None, QUERY).unwrap();
        assert_eq!(killed.exit_code, None);
    }

    #[test]
    fn both_pipes_are_read_at_once_and_standard_error_is_cut() {
        let script = "dd if=/dev/zero bs=1024 count=512 >&2 2>/dev/null; dd if=/dev/zero bs=1024 count=512 2>/dev/null";
        let script = script.replace(">&2 2>/dev/null", "2>/dev/null >&2");
        let output = run(&script, None, QUERY).unwrap();
        assert_eq!(output.stdout.len(), 512 * 1024);
        assert!(output.stderr.len() <= STDERR_BYTES);
    }

    #[test]
    fn output_beyond_the_limit_is_an_error() {
        assert_eq!(run("printf 123", None, bounds(30_000, 3)).unwrap().stdout, b"123");
        let start = Instant::now();
        let outcome = run("printf 1234; sleep 30", None, bounds(30_000, 3));
        assert!(matches!(
            outcome,
            Err(GitError::OutputTooLarge {
                command: "diff",
                limit: 3
            })
        ));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_deadline_ends_the_whole_group() {
        let marker = tempfile::NamedTempFile::new().unwrap();
        // The grandchild holds the pipes, and writes its own pid so that it can be asked for.
        let script = format!(
            "sh -c 'echo $$ > {}; exec sleep 30' & wait",
            marker.path().display()
        );
        let start = Instant::now();
        let outcome = run(&script, None, bounds(1500, 100));
        assert!(matches!(outcome, Err(GitError::Deadline { .. })));
        assert!(start.elapsed() < Duration::from_secs(10));
        let pid: i32 = std::fs::read_to_string(marker.path())
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        // A killed grandchild stays a zombie where nobody inherits it; its state tells.
        while !is_gone(pid) {
            assert!(Instant::now() < end, "the grandchild lives on");
            std::thread::yield_now();
        }
    }

    fn is_gone(pid: rustix::process::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.map_or_else(
            |_| rustix::process::test_kill_process(pid).is_err(),
            |stat| stat.contains(") Z"),
        )
    }

    #[test]
    fn an_error_repeats_one_short_visible_line() {
        let output = Output {
            stdout: Vec::new(),
            stderr: [&b"fatal: \x1b[31mno\nmore"[..]].concat(),
            exit_code: Some(128),
        };
        assert_eq!(
            failure("diff", &output).to_string(),
            "`git diff` failed: fatal: <U+001B>[31mno"
        );
    }
}
