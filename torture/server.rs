//! A client of one server over standard input and output: as little MCP as is needed to call tools.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::PATIENCE;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    input: ChildStdin,
    lines: Receiver<Value>,
    next: u64,
    /// Answers that came while another one was waited for.
    early: HashMap<u64, Value>,
}

impl Server {
    /// Starts a server and shakes hands.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server can be started");
        let input = child.stdin.take().expect("it was piped");
        let output = BufReader::new(child.stdout.take().expect("it was piped"));
        let (send, lines) = mpsc::channel();
        // Ends with the server's output.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line)
                    && send.send(value).is_err()
                {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            input,
            lines,
            next: 0,
            early: HashMap::new(),
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "torture", "version": "1"}});
        server.ask("initialize", &hello);
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    /// Returns the server's process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Calls a tool and waits for its envelope; `None` when the server died or did not answer.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Option<Value> {
        let id = self.begin(tool, arguments)?;
        self.answer(id, PATIENCE)
    }

    /// Calls a tool without waiting; returns the call's number. `None` when the server is gone.
    pub fn begin(&mut self, tool: &str, arguments: &Value) -> Option<u64> {
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Waits for the answer of a call that was begun.
    pub fn answer(&mut self, id: u64, patience: Duration) -> Option<Value> {
        let result = self.result(id, patience)?;
        if let Some(envelope) = result.get("structuredContent") {
            return Some(envelope.clone());
        }
        let text = result.get("content")?.get(0)?.get("text")?.as_str()?;
        serde_json::from_str(text).ok()
    }

    /// Tells whether the server lives.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the server's own end; `false` when it lives on.
    pub fn ends_within(&mut self, patience: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Ends the server at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Option<Value> {
        let id = self.request(method, params)?;
        self.result(id, PATIENCE)
    }

    fn request(&mut self, method: &str, params: &Value) -> Option<u64> {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .then_some(id)
    }

    fn send(&mut self, message: &Value) -> bool {
        writeln!(self.input, "{message}").is_ok() && self.input.flush().is_ok()
    }

    fn result(&mut self, id: u64, patience: Duration) -> Option<Value> {
        loop {
            if let Some(result) = self.early.remove(&id) {
                return Some(result);
            }
            let mut message = self.lines.recv_timeout(patience).ok()?;
            if let Some(of) = message.get("id").and_then(Value::as_u64) {
                let result = message.get_mut("result").map(Value::take);
                if of == id {
                    return result;
                }
                self.early.extend(result.map(|result| (of, result)));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
