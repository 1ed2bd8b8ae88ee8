//! Runs one command to its end: input given, pipes read, a deadline kept.

use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a command of a test may run. A run against a local model takes less than a second.
const DEADLINE: Duration = Duration::from_secs(120);

/// How long its pipes may stay open after a command's end.
const PIPE_DEADLINE: Duration = Duration::from_secs(10);

/// How a command ended and what it printed.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Returns the lines of stdout that are JSON objects.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }

    /// Returns the first event of this type, or fails with everything that was printed.
    pub(crate) fn event(&self, kind: &str) -> Value {
        self.events()
            .into_iter()
            .find(|event| event["type"] == kind)
            .unwrap_or_else(|| panic!("no {kind}: {self:#?}"))
    }
}

/// Runs `command` with `input` on its stdin, which is then closed, and waits for its end.
pub(crate) fn finish(mut command: Command, input: &str) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // The child may end without reading everything.
    let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let stdout = Pipe::read(child.stdout.take().expect("stdout is piped"));
    let stderr = Pipe::read(child.stderr.take().expect("stderr is piped"));
    let end = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "{command:?} did not end in {DEADLINE:?}; it printed {}{}",
                stdout.text(),
                stderr.text()
            );
        }
        thread::sleep(Duration::from_millis(5));
    };
    for pipe in [&stdout, &stderr] {
        let closed = pipe.closed.recv_timeout(PIPE_DEADLINE);
        assert!(
            closed.is_ok(),
            "a process that {command:?} left behind holds its pipes"
        );
    }
    writer.join().expect("the writer does not panic");
    Finished {
        status,
        stdout: stdout.text(),
        stderr: stderr.text(),
    }
}

/// What came through a pipe so far.
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Receiver<()>,
}

impl Pipe {
    /// Reads in a thread of its own until every writer has closed the pipe.
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (close, closed) = mpsc::channel();
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut piece = [0; 16 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                kept.lock()
                    .expect("no reader panics")
                    .extend_from_slice(&piece[..count]);
            }
            // The test may have failed already and not listen any more.
            let _ = close.send(());
        });
        Self { bytes, closed }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no reader panics")).into_owned()
    }
}
