//! A program that holds one server, calls it from many threads at once, and starts it anew after it was killed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// An envelope, or the protocol's own error.
    Said(Value),
    /// The server was gone before it answered.
    Died,
    /// The server lives and said nothing for longer than anybody waits.
    Silent,
}

/// A host.
pub(crate) struct Host<'w> {
    world: &'w World,
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    line: Mutex<Option<Line>>,
    crashed: Arc<AtomicU64>,
}

/// Calls that wait for their answers; `None` once the server's output has ended.
type Pending = Arc<Mutex<Option<HashMap<u64, Sender<Value>>>>>;

struct Line {
    child: Child,
    input: ChildStdin,
    pending: Pending,
    killed: Arc<AtomicBool>,
    next: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'w> Host<'w> {
    /// Makes a host that calls itself `name`; its server starts with the first call, with these variables.
    pub(crate) fn new(
        world: &'w World,
        name: &'static str,
        settings: &'static [(&'static str, &'static str)],
    ) -> Self {
        std::fs::create_dir_all(world.path("tmp")).expect("folders of the world can be made");
        Self {
            world,
            name,
            settings,
            line: Mutex::new(None),
            crashed: Arc::default(),
        }
    }

    /// Calls a tool and waits for the answer.
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Answer {
        self.call_with(tool, arguments, None)
    }

    /// Calls a tool as [`Self::call`], with a `_meta` of the host.
    pub(crate) fn call_with(&self, tool: &str, arguments: &Value, meta: Option<&Value>) -> Answer {
        let mut parameters = json!({"name": tool, "arguments": arguments});
        if let Some(meta) = meta {
            parameters["_meta"] = meta.clone();
        }
        let (send, answer) = mpsc::channel();
        {
            let mut line = locked(&self.line);
            if line.as_ref().is_none_or(Line::is_over) {
                *line = Line::start(self);
            }
            if let Some(line) = line.as_mut() {
                line.request("tools/call", &parameters, Some(send));
            }
        }
        match answer.recv_timeout(PATIENCE) {
            Ok(message) => Answer::Said(envelope(&message)),
            Err(RecvTimeoutError::Disconnected) => Answer::Died,
            Err(RecvTimeoutError::Timeout) => Answer::Silent,
        }
    }

    /// Kills the server at once; `false` when there is none.
    pub(crate) fn kill(&self) -> bool {
        locked(&self.line).take().is_some()
    }

    /// Returns the server's process number.
    pub(crate) fn pid(&self) -> Option<u32> {
        locked(&self.line).as_ref().map(|line| line.child.id())
    }

    /// Returns how many servers ended although nobody killed them.
    pub(crate) fn crashed(&self) -> u64 {
        self.crashed.load(Ordering::Relaxed)
    }
}

impl Line {
    /// Starts a server and shakes hands; `None` when it died meanwhile.
    fn start(host: &Host<'_>) -> Option<Self> {
        let mut child = host
            .world
            .crosscheck(&host.world.path("plans/none"))
            .envs(host.settings.iter().copied())
            .env("TMPDIR", host.world.path("tmp"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server can be started");
        let input = child.stdin.take().expect("it was piped");
        let output = child.stdout.take().expect("it was piped");
        let mut line = Self {
            child,
            input,
            pending: Arc::new(Mutex::new(Some(HashMap::new()))),
            killed: Arc::default(),
            next: 0,
        };
        let (pending, killed, crashed) = (
            Arc::clone(&line.pending),
            Arc::clone(&line.killed),
            Arc::clone(&host.crashed),
        );
        // Ends with the server's output.
        std::thread::spawn(move || {
            hand_out(output, &pending);
            // Whoever waits learns now that nothing will come.
            locked(&pending).take();
            crashed.fetch_add(u64::from(!killed.load(Ordering::Relaxed)), Ordering::Relaxed);
        });
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": host.name, "version": "1"}});
        let (send, answer) = mpsc::channel();
        line.request("initialize", &hello, Some(send));
        answer.recv_timeout(PATIENCE).ok()?;
        line.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        Some(line)
    }

    fn is_over(&self) -> bool {
        locked(&self.pending).is_none()
    }

    fn request(&mut self, method: &str, parameters: &Value, send: Option<Sender<Value>>) {
        self.next += 1;
        if let (Some(pending), Some(send)) = (locked(&self.pending).as_mut(), send) {
            pending.insert(self.next, send);
        }
        self.send(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": parameters}));
    }

    fn send(&mut self, message: &Value) {
        // A server that is gone is told by the end of its output.
        let _ = writeln!(self.input, "{message}").and_then(|()| self.input.flush());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.killed.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives each answer to the call that waits for it, until the output ends.
fn hand_out(output: ChildStdout, pending: &Pending) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let Some(id) = message.get("id").and_then(Value::as_u64) else {
            continue;
        };
        let waits = locked(pending).as_mut().and_then(|pending| pending.remove(&id));
        if let Some(waits) = waits {
            let _ = waits.send(message);
        }
    }
}

/// Takes the envelope out of an answer; an error of the protocol is told as a fault.
fn envelope(message: &Value) -> Value {
    let result = &message["result"];
    if let Some(envelope) = result.get("structuredContent") {
        return envelope.clone();
    }
    let text = result["content"][0]["text"].as_str();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(
            || json!({"ok": false, "error": {"code": "protocol_error", "message": message["error"]}}),
        )
}
