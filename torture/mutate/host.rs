//! A host that calls one tool after the other and measures how long each answer takes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long an answer may take before it counts as none. A loaded machine must not look like a hang.
const PATIENCE: Duration = Duration::from_secs(5);

/// Our server and its streams.
pub(super) struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    next_id: u64,
}

impl Host {
    /// Starts a server for a state directory, with a home of its own and nothing of this process's environment.
    pub(super) fn start(program: &Path, home: &Path, workspace: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("serve")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home)
            .env("CROSSCHECK_STATE_DIR", home.join("state"))
            .env("CROSSCHECK_CODEX_BIN", home.join("codex"))
            .current_dir(workspace)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or(Value::Null);
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut host = Self {
            child,
            stdin,
            lines,
            next_id: 0,
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "torture", "version": "1"}});
        host.request("initialize", &hello);
        assert!(host.answer().is_some(), "the server does not start");
        host.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        host
    }

    /// Calls a tool. Returns its envelope and how long that took; `None` when no answer came.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> (Option<Value>, Duration) {
        let begun = Instant::now();
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        let answer = self.answer();
        let time = begun.elapsed();
        let envelope = answer.and_then(|answer| {
            let result = &answer["result"];
            if result["isError"] == true {
                serde_json::from_str(result["content"][0]["text"].as_str()?).ok()
            } else {
                Some(result["structuredContent"].clone()).filter(Value::is_object)
            }
        });
        (envelope, time)
    }

    fn send(&mut self, message: &Value) {
        // A server that has ended gives no answer, which is what is told.
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{message}");
        }
    }

    fn request(&mut self, method: &str, parameters: &Value) {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
    }

    fn answer(&mut self) -> Option<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.lines.recv_timeout(left).ok()?;
            if message["id"] == self.next_id {
                return Some(message);
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
