//! A host that says anything to the real server and listens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::model::PATIENCE;
use crate::support::scripts::Scripted;
use crate::world::{PROGRAM, World};

/// The server with its streams.
pub(super) struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Longest wait for an answer.
    pub(super) patience: Duration,
    /// Kept for its folders.
    _world: Option<World>,
}

impl Host {
    /// Starts our server and shakes hands.
    pub(super) fn start() -> Self {
        let mut host = Self::silent();
        host.shake_hands();
        host
    }

    /// Starts our server. No codex is there, so no frame can start one.
    pub(super) fn silent() -> Self {
        let World { model, home } = World::new(Scripted::well());
        let nowhere = home.private().join("no-codex");
        let home = home.with_variable("CROSSCHECK_CODEX_BIN", nowhere);
        let world = World { model, home };
        let mut command = world.home.command(PROGRAM);
        command.arg("serve");
        Self::run(command, Some(world))
    }

    /// Starts a shell in the place of the server.
    pub(super) fn of(script: &str) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Self::run(command, None)
    }

    fn run(mut command: Command, world: Option<World>) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| json!({"broken": line}));
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            patience: PATIENCE,
            _world: world,
        }
    }

    pub(super) fn shake_hands(&mut self) {
        let hello = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}});
        self.send(hello.to_string().as_bytes());
        self.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        self.answers_until_well("shaken")
            .expect("the server opens its session");
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line. A server that is gone is seen when it does not answer.
    pub(super) fn send(&mut self, line: &[u8]) {
        self.send_bytes(line);
        self.send_bytes(b"\n");
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stdin.as_mut().unwrap().write_all(bytes);
    }

    /// Asks whether the server is well, and returns what it said before it answered; `None` when it does not.
    pub(super) fn answers_until_well(&mut self, barrier: &str) -> Option<Vec<Value>> {
        self.answers_of(barrier, |_| true)
    }

    /// Asks whether the server is well, and listens until what it said is enough: calls run beside each other, and the
    /// answer to one may come behind that to the question.
    pub(super) fn answers_of(
        &mut self,
        barrier: &str,
        enough: impl Fn(&[Value]) -> bool,
    ) -> Option<Vec<Value>> {
        let ping = json!({"jsonrpc": "2.0", "id": barrier, "method": "ping"});
        self.send(ping.to_string().as_bytes());
        let mut said =
            self.listen(|said| said.iter().any(|answer| answer["id"] == barrier) && enough(said))?;
        // One that is too many comes at once.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(10)) {
            said.push(line);
        }
        said.retain(|line| line.get("method").is_none() && line["id"] != barrier);
        Some(said)
    }

    /// Listens until there are as many answers, or until no more come.
    pub(super) fn answers_until(&mut self, count: usize, barrier: &str) -> Option<Vec<Value>> {
        let ping = json!({"jsonrpc": "2.0", "id": barrier, "method": "ping"});
        self.send(ping.to_string().as_bytes());
        let mut well = false;
        let mut said = Vec::new();
        let end = Instant::now() + self.patience;
        while said.len() < count && Instant::now() < end {
            match self.lines.recv_timeout(Duration::from_secs(2)) {
                Ok(line) if line["id"] == barrier => well = true,
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Timeout) if well => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        well.then_some(said)
    }

    fn listen(&mut self, enough: impl Fn(&[Value]) -> bool) -> Option<Vec<Value>> {
        let end = Instant::now() + self.patience;
        let mut said = Vec::new();
        while !enough(&said) {
            let left = end.saturating_duration_since(Instant::now());
            said.push(self.lines.recv_timeout(left).ok()?);
        }
        Some(said)
    }

    /// The most memory that the server had so far.
    pub(super) fn most_memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Closes the input, and tells whether the server ended well.
    pub(super) fn close(mut self) -> bool {
        drop(self.stdin.take());
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
