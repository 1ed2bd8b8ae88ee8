//! A host made of two sockets, and use cases that do as their prompt says.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crosscheck::domain::envelope::{Envelope, Failure, Meta, Success};
use crosscheck::domain::fault::Fault;
use crosscheck::mcp::{Backend, Eras, ExitReason, Signal, serve};
use crosscheck::service::call::{Call, CancelReason, ProgressSink, Request};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longest time any test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Use cases that do as they are told.
#[derive(Default)]
pub(crate) struct Stub {
    /// Calls that came to an end.
    pub(crate) done: AtomicUsize,
    /// Questions that differ each time.
    pub(crate) asked: AtomicUsize,
    /// Why calls were given up.
    pub(crate) cancelled: Mutex<Vec<CancelReason>>,
    /// The progress sink of the last call that asked for one.
    pub(crate) sink: Mutex<Option<ProgressSink>>,
}

fn meta(call: &Call) -> Meta {
    Meta {
        request_id: call.request_id.clone(),
        peer: Some("codex"),
        server_version: "0",
        host: call
            .host
            .as_ref()
            .map(|host| format!("{} {}", host.name, host.version)),
        ..Meta::default()
    }
}

fn success(tool: &'static str, call: &Call, said: Value) -> Envelope {
    let mut body = Map::new();
    body.insert("said".to_owned(), said);
    body.insert("tool_use_id".to_owned(), json!(call.tool_use_id));
    body.insert("host_thread".to_owned(), json!(call.host_thread));
    Envelope::Success(Box::new(Success {
        ok: true,
        tool,
        summary: format!("{tool} is \"done\""),
        job: None,
        body,
        next_steps: Vec::new(),
        warnings: Vec::new(),
        meta: meta(call),
        fingerprint: "f".to_owned(),
    }))
}

impl Stub {
    async fn consult(&self, prompt: &str, call: &Call) -> Value {
        let (word, number) = prompt.split_once(' ').unwrap_or((prompt, "0"));
        let number: u64 = number.parse().unwrap_or(0);
        match word {
            "panic" => panic!("told to"),
            "panic_later" => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                panic!("told to, after an await")
            }
            "sleep" => tokio::time::sleep(Duration::from_millis(number)).await,
            "block" => std::thread::sleep(Duration::from_millis(number)),
            "wait" => tokio::select! {
                reason = call.cancelled.wait() => {
                    self.cancelled.lock().unwrap().push(reason);
                    return json!("cancelled");
                }
                () = call.closing.cancelled() => return json!("closing"),
            },
            "ask" => {
                return match &call.approver {
                    Some(approver) => {
                        json!(format!("{:?}", approver.ask(format!("Question {number}?")).await))
                    }
                    None => json!("nobody"),
                };
            }
            // Another question each time.
            "ask_anew" => {
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                let approver = call.approver.as_ref().unwrap();
                return json!(format!("{:?}", approver.ask(format!("Question {number}?")).await));
            }
            "big" => return json!("x".repeat(usize::try_from(number).unwrap())),
            "progress" => {
                let sink = call.progress.clone();
                for step in 0..number {
                    if let Some(sink) = &sink {
                        sink.send(format!("step {step}\nof \"{number}\""));
                    }
                }
                *self.sink.lock().unwrap() = sink;
            }
            _ => return json!(prompt),
        }
        json!(word)
    }
}

impl Backend for Stub {
    fn call(&self, request: Request, call: Call) -> Pin<Box<dyn Future<Output = Envelope> + Send + '_>> {
        Box::pin(async move {
            let said = match &request {
                Request::Consult(consult) => self.consult(&consult.prompt, &call).await,
                other => json!(format!("{other:?}")),
            };
            self.done.fetch_add(1, Ordering::SeqCst);
            success(request.tool(), &call, said)
        })
    }

    fn refuse(&self, tool: &'static str, fault: Fault, call: &Call) -> Envelope {
        Envelope::Failure(Box::new(Failure {
            ok: false,
            tool,
            error: fault.into(),
            job: None,
            meta: meta(call),
            fingerprint: "f".to_owned(),
        }))
    }
}

/// A host and the server it talks to.
pub(crate) struct Host {
    pub(crate) stub: Arc<Stub>,
    pub(crate) input: Option<UnixStream>,
    pub(crate) output: Option<BufReader<UnixStream>>,
    pub(crate) signal: Option<oneshot::Sender<Signal>>,
    server: Option<JoinHandle<ExitReason>>,
    runtime: Option<Runtime>,
}

impl Host {
    /// Starts a server and says nothing.
    pub(crate) fn silent(eras: Eras) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (input, server_input) = UnixStream::pair().unwrap();
        let (output, server_output) = UnixStream::pair().unwrap();
        output.set_read_timeout(Some(PATIENCE)).unwrap();
        input.set_write_timeout(Some(PATIENCE)).unwrap();
        let stub = Arc::new(Stub::default());
        let (signal, signalled) = oneshot::channel();
        let backend = stub.clone();
        let server = runtime.spawn(async move {
            let signal = async {
                match signalled.await {
                    Ok(signal) => signal,
                    Err(_) => std::future::pending().await,
                }
            };
            serve(backend, eras, server_input, server_output, None, signal).await
        });
        Self {
            stub,
            input: Some(input),
            output: Some(BufReader::new(output)),
            signal: Some(signal),
            server: Some(server),
            runtime: Some(runtime),
        }
    }

    /// Starts a server and shakes hands the older way.
    pub(crate) fn legacy() -> Self {
        let mut host = Self::silent(Eras::Both);
        let answer = host.ask(&initialize("2025-11-25"));
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        host.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        host
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Returns the next message, or `None` at the end.
    pub(crate) fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        (count > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Sends a request and returns the next message.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        self.send(&request.to_string());
        self.read().expect("an answer")
    }

    /// Calls a tool and returns its result.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask(&tool_call(&json!(1), tool, arguments));
        assert_eq!(answer["id"], 1, "{answer}");
        answer["result"].clone()
    }

    /// Shows that the server still works and that nothing else was said.
    pub(crate) fn is_well(&mut self) {
        let answer = self.ask(&json!({"jsonrpc": "2.0", "id": "well", "method": "ping"}));
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": "well", "result": {}}));
    }

    /// Waits for the server's end and returns its reason and how long it took.
    pub(crate) fn ended(&mut self) -> (ExitReason, Duration) {
        let start = std::time::Instant::now();
        let server = self.server.take().unwrap();
        let runtime = self.runtime.as_ref().unwrap();
        let reason = runtime.block_on(async { tokio::time::timeout(PATIENCE, server).await });
        (reason.expect("the server ends").unwrap(), start.elapsed())
    }

    /// Closes the input and returns everything that was still said.
    pub(crate) fn hang_up(&mut self) -> Vec<Value> {
        self.input = None;
        let (reason, _) = self.ended();
        assert_eq!(reason, ExitReason::InputEnded);
        self.rest()
    }

    /// Returns everything that was said until the end.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let mut text = String::new();
        self.output.take().unwrap().read_to_string(&mut text).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.input = None;
        self.output = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": version,
        "capabilities": {"roots": {}, "elicitation": {}},
        "clientInfo": {"name": "claude-code", "title": "Claude Code", "version": "2.1.197"}}})
}

pub(crate) fn tool_call(id: &Value, tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}
