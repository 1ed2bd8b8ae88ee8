//! Children: each has an owner, a deadline, bounded pipes, an explicit directory and environment, and an end that is
//! waited for.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::domain::environment::Environment;
use crate::domain::limits;
use crate::sys::seam::{self, Operation};
use crate::sys::signal::{self, ProcessIdentity};

/// What to start and where.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The program's path; PATH is not searched.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its directory.
    pub directory: PathBuf,
    /// Its whole environment.
    pub environment: Environment,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Signaled(i32),
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        status
            .code()
            .map_or_else(|| Self::Signaled(status.signal().unwrap_or(0)), Self::Exited)
    }
}

/// A started process in a group of its own.
#[derive(Debug)]
pub struct Running {
    child: Child,
    identity: ProcessIdentity,
    /// Its standard input, until somebody takes it.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, until somebody takes it.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, until somebody takes it.
    pub stderr: Option<ChildStderr>,
}

impl Running {
    /// Starts a process with three pipes.
    pub fn start(invocation: &Invocation) -> io::Result<Self> {
        Self::start_with(invocation, Stdio::piped())
    }

    /// As [`Self::start`], with a file in the place of standard output: what it prints is there whatever becomes of us.
    pub fn start_into(invocation: &Invocation, output: std::fs::File) -> io::Result<Self> {
        Self::start_with(invocation, Stdio::from(output))
    }

    fn start_with(invocation: &Invocation, output: Stdio) -> io::Result<Self> {
        seam::before(Operation::Spawn)?;
        let mut child = Command::new(&invocation.program)
            .args(&invocation.arguments)
            .current_dir(&invocation.directory)
            .env_clear()
            .envs(invocation.environment.iter())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().unwrap_or(0);
        // A child that is not reaped keeps its number, so the identity is that of this child also if it ended already.
        let identity = ProcessIdentity::of(pid).unwrap_or(ProcessIdentity {
            pid,
            start: 0,
            boot: String::new(),
            namespace: None,
        });
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Self {
            child,
            identity,
            stdin,
            stdout,
            stderr,
        })
    }

    /// Returns who it is.
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Waits for its end and reaps it. Cancel-safe.
    pub async fn wait(&mut self) -> io::Result<Ended> {
        self.child.wait().await.map(Ended::from)
    }

    /// Ends it and everything below it: interrupt, grace, TERM to the group, grace, KILL, then every descendant seen.
    ///
    /// Returns how it ended and the numbers of processes that survived all of that.
    pub async fn terminate(&mut self) -> (Option<Ended>, Vec<u32>) {
        let mut below = signal::descendants(self.identity.pid);
        self.identity.signal(Signal::INT);
        let mut ended = timeout(limits::INTERRUPT_GRACE, self.child.wait())
            .await
            .ok()
            .and_then(Result::ok);
        if ended.is_none() {
            merge(&mut below, signal::descendants(self.identity.pid));
            self.identity.signal_group(Signal::TERM);
            ended = timeout(limits::TERM_GRACE, self.child.wait())
                .await
                .ok()
                .and_then(Result::ok);
        }
        if ended.is_none() {
            merge(&mut below, signal::descendants(self.identity.pid));
            self.identity.signal_group(Signal::KILL);
            ended = timeout(limits::KILL_GRACE, self.child.wait())
                .await
                .ok()
                .and_then(Result::ok);
        }
        (ended.map(Ended::from), end_all(below).await)
    }
}

/// Ends processes seen earlier that may have outlived their parent; returns the numbers of those that still live.
pub async fn end_all(below: Vec<ProcessIdentity>) -> Vec<u32> {
    // Most die with their parent within milliseconds; only what is left then is killed.
    for round in 0..40u64 {
        let alive: Vec<&ProcessIdentity> = below.iter().filter(|process| process.is_alive()).collect();
        if alive.is_empty() {
            return Vec::new();
        }
        if round >= 4 {
            for process in alive {
                process.signal(Signal::KILL);
            }
        }
        tokio::time::sleep(Duration::from_millis(10 + 5 * round.min(10))).await;
    }
    below
        .iter()
        .filter(|process| process.is_alive())
        .map(|process| process.pid)
        .collect()
}

fn merge(known: &mut Vec<ProcessIdentity>, more: Vec<ProcessIdentity>) {
    for process in more {
        if !known.contains(&process) {
            known.push(process);
        }
    }
}

/// What a short run printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub ended: Ended,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Why a short run gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It did not end in time and was ended.
    #[error("`{program}` did not end within {} ms", deadline.as_millis())]
    Deadline {
        /// The program.
        program: PathBuf,
        /// The time it had.
        deadline: Duration,
    },
    /// It printed more than is kept and was ended.
    #[error("`{program}` printed more than {limit} bytes")]
    TooMuch {
        /// The program.
        program: PathBuf,
        /// The bound in bytes.
        limit: usize,
    },
    /// Its pipes failed.
    #[error("cannot read what `{program}` prints")]
    Pipe {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Runs a process to its end with `input` on its standard input, within a deadline and an output bound in bytes.
pub async fn run_captured(
    invocation: &Invocation,
    input: &[u8],
    deadline: Duration,
    limit: usize,
) -> Result<Captured, CaptureError> {
    let program = || invocation.program.clone();
    let mut running = Running::start(invocation).map_err(|source| CaptureError::Start {
        program: program(),
        source,
    })?;
    let (stdin, stdout, stderr) = (running.stdin.take(), running.stdout.take(), running.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A child that reads nothing closes the pipe; what it prints matters, not that.
            let _ = stdin.write_all(input).await;
        }
    };
    let all = async {
        let ((), out, err) = tokio::join!(write, read_bounded(stdout, limit), read_bounded(stderr, limit));
        (out, err)
    };
    let Ok((out, err)) = timeout(deadline, all).await else {
        running.terminate().await;
        return Err(CaptureError::Deadline {
            program: program(),
            deadline,
        });
    };
    let piped = |read: io::Result<Option<Vec<u8>>>| match read {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(CaptureError::TooMuch {
            program: program(),
            limit,
        }),
        Err(source) => Err(CaptureError::Pipe {
            program: program(),
            source,
        }),
    };
    let (stdout, stderr) = match (piped(out), piped(err)) {
        (Ok(out), Ok(err)) => (out, err),
        (Err(error), _) | (_, Err(error)) => {
            running.terminate().await;
            return Err(error);
        }
    };
    match timeout(deadline, running.wait()).await {
        Ok(Ok(ended)) => Ok(Captured {
            ended,
            stdout,
            stderr,
        }),
        Ok(Err(source)) => Err(CaptureError::Pipe {
            program: program(),
            source,
        }),
        Err(_) => {
            running.terminate().await;
            Err(CaptureError::Deadline {
                program: program(),
                deadline,
            })
        }
    }
}

async fn read_bounded(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok((bytes.len() <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Invocation {
        Invocation {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            directory: "/".into(),
            environment: Environment::default().with("PATH", "/usr/bin:/bin"),
        }
    }

    const SHORT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_short_run_is_captured_whole() {
        let captured = run_captured(&sh("cat; echo e >&2; exit 3"), b"in", SHORT, 100)
            .await
            .unwrap();
        assert_eq!(
            captured,
            Captured {
                ended: Ended::Exited(3),
                stdout: b"in".to_vec(),
                stderr: b"e\n".to_vec()
            }
        );
    }

    #[tokio::test]
    async fn a_child_sees_only_its_environment() {
        let captured = run_captured(&sh("env"), b"", SHORT, 1000).await.unwrap();
        let text = String::from_utf8(captured.stdout).unwrap();
        assert!(
            text.lines()
                .all(|line| line.starts_with("PATH=") || line.starts_with("PWD=") || line.starts_with('_'))
        );
    }

    #[tokio::test]
    async fn endless_output_and_endless_time_are_bounded() {
        let flood = run_captured(&sh("yes"), b"", SHORT, 1000).await;
        assert!(matches!(flood, Err(CaptureError::TooMuch { .. })));
        let slow = run_captured(&sh("sleep 60"), b"", Duration::from_millis(50), 1000).await;
        assert!(matches!(slow, Err(CaptureError::Deadline { .. })));
    }

    #[tokio::test]
    async fn a_child_that_ignores_signals_dies_with_its_own_sessions() {
        let script = "trap '' INT TERM; setsid sh -c 'trap \"\" INT TERM; while :; do sleep 1; done' & echo up; while :; do sleep 1; done";
        let mut running = Running::start(&sh(script)).unwrap();
        let mut line = [0; 3];
        running
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut line)
            .await
            .unwrap();
        let before = signal::descendants(running.identity().pid);
        let started = std::time::Instant::now();
        let (ended, leaked) = running.terminate().await;
        assert_eq!((ended, leaked), (Some(Ended::Signaled(9)), vec![]));
        assert!(started.elapsed() < Duration::from_secs(6));
        assert!(before.iter().all(|process| !process.is_alive()));
    }
}
