//! A host: starts a server of any make and talks to it in lines of JSON.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A started server that has shaken hands.
pub(crate) struct Host {
    child: Child,
    /// Taken only when the server is closed.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
    /// From before the start of the process to the whole answer to `initialize`.
    pub(crate) start: Duration,
}

impl Host {
    /// Starts a server and waits for its answer to `initialize`.
    pub(crate) fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let begun = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
        let mut host = Self {
            child,
            stdin,
            stdout,
            next_id: 0,
            start: Duration::ZERO,
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "budgets", "version": "1.0.0"}});
        host.ask("initialize", &hello);
        host.start = begun.elapsed();
        host.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        host
    }

    /// Returns the number of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.send_bytes(format!("{message}\n").as_bytes());
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// Reads one line without its end.
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = String::new();
        let count = self.stdout.read_line(&mut line).unwrap();
        assert!(count > 0, "the server ended");
        line.pop();
        line
    }

    /// Tells whether a whole line has been received already.
    pub(crate) fn has_line(&self) -> bool {
        self.stdout.buffer().contains(&b'\n')
    }

    /// Sends a request and returns the result and the bytes of its line.
    pub(crate) fn ask(&mut self, method: &str, parameters: &Value) -> (Value, usize) {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
        loop {
            let line = self.read_line();
            let mut message: Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {line}");
                return (message["result"].take(), line.len());
            }
        }
    }

    /// Calls a tool and returns its structured answer, or the JSON of its text.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let (mut result, _) = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        if result["structuredContent"].is_object() {
            return result["structuredContent"].take();
        }
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|_| panic!("{tool}: {result}"))
    }

    /// Calls a tool that must succeed.
    pub(crate) fn call_ok(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.call(tool, arguments);
        assert_eq!(answer["ok"], true, "{tool}: {answer:#}");
        answer
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // A server ends with its input. One that does not is not what is measured here.
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
