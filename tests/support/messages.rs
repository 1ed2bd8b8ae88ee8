//! A fake of the Anthropic Messages API on loopback, for driving the real Claude Code.
//!
//! A script turns each request into an [`Answer`]. Plain threads, because a test asks for a handful of answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crosscheck::model::http::{Head, parse_head, write_head};
use serde_json::{Value, json};

use super::model::wait_until;

/// How often a connection that waits looks whether the server has ended.
const TICK: Duration = Duration::from_millis(20);

/// What the model answers to one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Content blocks, see [`text`] and [`tool_use`].
    Blocks(Vec<Value>),
    /// An HTTP error, such as 401 with `authentication_error`, with extra headers.
    Error {
        status: u16,
        kind: &'static str,
        message: String,
        headers: Vec<(String, String)>,
    },
    /// A stream that begins with this text and is cut off.
    Cut(String),
    /// Nothing until the client goes away.
    Silence,
}

impl Answer {
    /// Returns an answer that is one text.
    pub(crate) fn text(words: &str) -> Self {
        Self::Blocks(vec![text(words)])
    }

    /// Returns an error without extra headers.
    pub(crate) fn error(status: u16, kind: &'static str, message: &str) -> Self {
        Self::Error {
            status,
            kind,
            message: message.to_owned(),
            headers: Vec::new(),
        }
    }
}

/// Returns a block of text.
pub(crate) fn text(words: &str) -> Value {
    json!({"type": "text", "text": words})
}

/// Returns a call of a tool.
pub(crate) fn tool_use(name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "name": name, "input": input})
}

/// Returns the tool results of a request in their order.
pub(crate) fn tool_results(request: &Value) -> Vec<&Value> {
    let messages = request["messages"].as_array().into_iter().flatten();
    let blocks = messages
        .filter(|message| message["role"] == "user")
        .filter_map(|message| message["content"].as_array());
    blocks
        .flatten()
        .filter(|block| block["type"] == "tool_result")
        .collect()
}

/// Returns the text of a content that is a string or a list of blocks.
pub(crate) fn flat(content: &Value) -> String {
    match content {
        Value::String(words) => words.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().map(|block| {
                block["text"]
                    .as_str()
                    .map_or_else(|| block.to_string(), str::to_owned)
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// Returns the names of the tools that a request offers.
pub(crate) fn tool_names(request: &Value) -> Vec<&str> {
    request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

type Script = dyn Fn(&Value) -> Answer + Send + Sync;

/// The running API. It ends when it is dropped.
pub(crate) struct FakeMessages {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Value>>,
    ids: AtomicU64,
    ended: AtomicBool,
}

impl FakeMessages {
    /// Starts the API on a free port. The script is asked for every message but the title of a session.
    pub(crate) fn start(script: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(0, script)
    }

    /// Starts the API on this port, which nobody may listen on; 0 is a free one.
    pub(crate) fn start_at(port: u16, script: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("loopback has this port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            ids: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if shared.ended() {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || serve(stream, &shared));
                }
            })
        };
        Self {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    /// Returns the URL for `ANTHROPIC_BASE_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the bodies that the script was asked for so far. Each of them would have been paid.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.shared
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until the script was asked `count` times.
    pub(crate) fn wait_for_requests(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} messages"), || self.requests().len() >= count);
        self.requests()
    }
}

impl Drop for FakeMessages {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // One last connection wakes the thread that accepts them.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn id(&self, kind: &str) -> String {
        format!("{kind}_{:024}", self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

/// Serves one connection; an error means that the client is gone.
fn serve(mut stream: TcpStream, shared: &Shared) {
    if stream.set_read_timeout(Some(TICK)).is_err() || stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer, shared) {
        if respond(&mut stream, &mut buffer, &head, &body, shared).is_err() || !head.keep_alive {
            return;
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Option<(Head, Vec<u8>)> {
    let (head, length) = loop {
        match parse_head(buffer) {
            Ok(Some(parsed)) => break parsed,
            Ok(None) => read_more(stream, buffer, shared)?,
            Err(error) => panic!("Claude Code sent what the fake does not understand: {error}"),
        }
    };
    let end = length + head.body_bytes;
    while buffer.len() < end {
        read_more(stream, buffer, shared)?;
    }
    let rest = buffer.split_off(end);
    let mut request = std::mem::replace(buffer, rest);
    Some((head, request.split_off(length)))
}

/// Reads some bytes; nothing means that the client or the server has ended.
fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Option<()> {
    let mut bytes = [0; 8_192];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return None,
            Ok(count) => {
                buffer.extend_from_slice(&bytes[..count]);
                return Some(());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if shared.ended() {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
}

fn respond(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    head: &Head,
    body: &[u8],
    shared: &Shared,
) -> std::io::Result<()> {
    match (head.method.as_str(), head.path()) {
        // Asked at start, to see whether anybody is there.
        ("HEAD", _) => send(stream, 200, &[], ""),
        ("POST", "/v1/messages/count_tokens") => {
            let tokens = (body.len() / 4).max(1);
            send(stream, 200, &[], &json!({ "input_tokens": tokens }).to_string())
        }
        ("POST", "/v1/messages") => {
            let request: Value = serde_json::from_slice(body)?;
            let answer = if is_title(&request) {
                Answer::text("{\"title\":\"A session\"}")
            } else {
                shared
                    .requests
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(request.clone());
                (shared.script)(&request)
            };
            match answer {
                Answer::Blocks(blocks) => send_message(stream, &request, blocks, shared),
                Answer::Error {
                    status,
                    kind,
                    message,
                    headers,
                } => {
                    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
                    send(stream, status, &headers, &body.to_string())
                }
                Answer::Cut(words) => {
                    send_stream_head(stream)?;
                    send_event(
                        stream,
                        "message_start",
                        &json!({"message": message(&request, shared)}),
                    )?;
                    send_block(stream, 0, &text(&words))?;
                    Err(ErrorKind::ConnectionAborted.into())
                }
                Answer::Silence => {
                    while read_more(stream, buffer, shared).is_some() {}
                    Err(ErrorKind::ConnectionAborted.into())
                }
            }
        }
        _ => {
            let body =
                json!({"type": "error", "error": {"type": "not_found_error", "message": "no such path"}});
            send(stream, 404, &[], &body.to_string())
        }
    }
}

/// An interactive session asks for its title without tools and with a schema that has nothing else in it.
fn is_title(request: &Value) -> bool {
    let properties = request["output_config"]["format"]["schema"]["properties"].as_object();
    tool_names(request).is_empty() && properties.is_some_and(|properties| properties.keys().eq(["title"]))
}

fn message(request: &Value, shared: &Shared) -> Value {
    json!({"id": shared.id("msg"), "type": "message", "role": "assistant", "model": request["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 9,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}})
}

fn send_message(
    stream: &mut TcpStream,
    request: &Value,
    mut blocks: Vec<Value>,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut stop = "end_turn";
    for block in blocks.iter_mut().filter(|block| block["type"] == "tool_use") {
        block["id"] = json!(shared.id("toolu"));
        stop = "tool_use";
    }
    let mut message = message(request, shared);
    if request["stream"] != json!(true) {
        message["content"] = json!(blocks);
        message["stop_reason"] = json!(stop);
        return send(stream, 200, &[], &message.to_string());
    }
    send_stream_head(stream)?;
    send_event(stream, "message_start", &json!({ "message": message }))?;
    for (index, block) in blocks.iter().enumerate() {
        send_block(stream, index, block)?;
        send_event(stream, "content_block_stop", &json!({ "index": index }))?;
    }
    let delta = json!({"delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 9}});
    send_event(stream, "message_delta", &delta)?;
    send_event(stream, "message_stop", &json!({}))?;
    // The end of the connection is the end of the body.
    Err(ErrorKind::ConnectionAborted.into())
}

/// Begins a block and sends its content in one piece.
fn send_block(stream: &mut TcpStream, index: usize, block: &Value) -> std::io::Result<()> {
    let (empty, delta) = if block["type"] == "tool_use" {
        let input = json!({"type": "input_json_delta", "partial_json": block["input"].to_string()});
        (
            json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}),
            input,
        )
    } else {
        (text(""), json!({"type": "text_delta", "text": block["text"]}))
    };
    send_event(
        stream,
        "content_block_start",
        &json!({"index": index, "content_block": empty}),
    )?;
    send_event(
        stream,
        "content_block_delta",
        &json!({"index": index, "delta": delta}),
    )
}

fn send_stream_head(stream: &mut TcpStream) -> std::io::Result<()> {
    let headers = [("content-type", "text/event-stream"), ("connection", "close")];
    stream.write_all(&write_head(
        200,
        &headers.map(|(name, value)| (name.to_owned(), value.to_owned())),
    ))
}

fn send_event(stream: &mut TcpStream, kind: &str, members: &Value) -> std::io::Result<()> {
    let mut data = json!({ "type": kind });
    for (name, value) in members.as_object().into_iter().flatten() {
        data[name] = value.clone();
    }
    stream.write_all(format!("event: {kind}\ndata: {data}\n\n").as_bytes())
}

fn send(stream: &mut TcpStream, status: u16, extra: &[(String, String)], body: &str) -> std::io::Result<()> {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("content-length".to_owned(), body.len().to_string()),
    ];
    headers.extend_from_slice(extra);
    let mut bytes = write_head(status, &headers);
    bytes.extend_from_slice(body.as_bytes());
    stream.write_all(&bytes)
}
