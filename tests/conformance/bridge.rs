//! Stands between a suite that speaks HTTP and a server that speaks lines: passes on every message as it is.
//!
//! What HTTP adds is added here and is no part of what is judged: statuses, streams, and sessions of the older revisions,
//! each of which gets a server of its own. Requests of the newer revision share one server, as they do in a host.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How often a waiting stream looks whether its client is still there.
const TICK: Duration = Duration::from_millis(50);
/// Longest time for one request.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest request.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// A listening bridge. Its servers end with it.
pub(crate) struct Bridge {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    sessions: Mutex<HashMap<String, Arc<Server>>>,
    count: AtomicUsize,
    ended: AtomicBool,
}

/// One server and who waits for what it says.
struct Server {
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    waiting: Arc<Mutex<Vec<Waiter>>>,
}

/// A request that is not answered yet.
struct Waiter {
    id: Value,
    token: Option<Value>,
    frames: Sender<Value>,
}

impl Bridge {
    /// Listens on a free port of loopback; `command` starts a server.
    pub(crate) fn start(command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            command: Box::new(command),
            sessions: Mutex::default(),
            count: AtomicUsize::new(1),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    // A client that goes away is its own business.
                    let _ = serve(stream, &shared);
                });
            }
        });
        Self { address, shared }
    }

    /// Returns the address that the suite is given.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // One last connection wakes the thread that accepts them.
        let _ = TcpStream::connect(self.address);
        self.shared.sessions.lock().unwrap().clear();
    }
}

impl Shared {
    /// Returns the server of a session, and starts it when there is none.
    fn server(&self, session: &str) -> Arc<Server> {
        let mut sessions = self.sessions.lock().unwrap();
        let server = sessions
            .entry(session.to_owned())
            .or_insert_with(|| Arc::new(Server::start((self.command)())));
        Arc::clone(server)
    }
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().unwrap();
        let waiting = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&waiting);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                deliver(&told, message);
            }
            // Whoever still waits hears that nothing comes any more.
            told.lock().unwrap().clear();
        });
        Self {
            child: Mutex::new(child),
            stdin: Mutex::new(stdin),
            waiting,
        }
    }

    fn send(&self, message: &Value) {
        if let Some(stdin) = self.stdin.lock().unwrap().as_mut() {
            // A server that ended is seen by whoever waits for its answer.
            let _ = writeln!(stdin, "{message}");
        }
    }

    /// Sends a request and returns what is said about it. Two requests with one id never run at once.
    fn ask(&self, message: &Value) -> Receiver<Value> {
        let (frames, heard) = channel();
        let begun = Instant::now();
        loop {
            let mut waiting = self.waiting.lock().unwrap();
            if !waiting.iter().any(|waiter| waiter.id == message["id"]) {
                waiting.push(Waiter {
                    id: message["id"].clone(),
                    token: message.pointer("/params/_meta/progressToken").cloned(),
                    frames,
                });
                break;
            }
            drop(waiting);
            assert!(begun.elapsed() < PATIENCE, "an id is never free again");
            thread::sleep(TICK);
        }
        self.send(message);
        heard
    }

    /// Tells the server that nobody waits for a request any more.
    fn give_up(&self, id: &Value) {
        self.waiting.lock().unwrap().retain(|waiter| waiter.id != *id);
        self.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}),
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server ends with its input; it is asked for nothing else here.
        drop(self.stdin.lock().unwrap().take());
        let mut child = self.child.lock().unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Hands a message to the request that it belongs to.
fn deliver(waiting: &Mutex<Vec<Waiter>>, message: Value) {
    let mut waiting = waiting.lock().unwrap();
    if message["method"].is_null() {
        let place = waiting.iter().position(|waiter| waiter.id == message["id"]);
        // An error that names no request is about the only one there can be.
        let place = place.or_else(|| (message["id"].is_null() && !waiting.is_empty()).then_some(0));
        if let Some(place) = place {
            let _ = waiting.remove(place).frames.send(message);
        }
        return;
    }
    let token = message.pointer("/params/progressToken");
    let belongs = |waiter: &&Waiter| token.is_none() || waiter.token.as_ref() == token;
    if let Some(waiter) = waiting.iter().find(belongs) {
        let _ = waiter.frames.send(message);
    }
}

struct Request {
    method: String,
    session: Option<String>,
    body: Vec<u8>,
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let request = read(&stream)?;
    let message: Value = match request.method.as_str() {
        "POST" => serde_json::from_slice(&request.body)?,
        "DELETE" => {
            let known = request
                .session
                .map(|id| shared.sessions.lock().unwrap().remove(&id));
            let status = if known.flatten().is_some() {
                "200 OK"
            } else {
                "404 Not Found"
            };
            return plain(&mut stream, status, "", None);
        }
        _ => return plain(&mut stream, "405 Method Not Allowed", "", None),
    };
    let is_modern = message
        .pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion")
        .is_some();
    let opens = message["method"] == "initialize" && !is_modern;
    let session = match request.session {
        Some(id) if !shared.sessions.lock().unwrap().contains_key(&id) => {
            return plain(&mut stream, "404 Not Found", "", None);
        }
        Some(id) => id,
        None if opens => format!("session-{}", shared.count.fetch_add(1, Ordering::Relaxed)),
        None => "shared".to_owned(),
    };
    let server = shared.server(&session);
    let named = if opens {
        format!("Mcp-Session-Id: {session}\r\n")
    } else {
        String::new()
    };
    if message["method"].is_null() || message["id"].is_null() {
        server.send(&message);
        return plain(&mut stream, "202 Accepted", &named, None);
    }
    let frames = server.ask(&message);
    let result = answer(&mut stream, &frames, &named);
    if result.is_err() {
        server.give_up(&message["id"]);
    }
    result
}

/// Writes what the server says about a request: its answer alone, or a stream when something comes before.
fn answer(stream: &mut TcpStream, frames: &Receiver<Value>, named: &str) -> std::io::Result<()> {
    let gone = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let mut streams = false;
    let end = Instant::now() + PATIENCE;
    loop {
        let frame = match frames.recv_timeout(TICK) {
            Ok(frame) => frame,
            Err(RecvTimeoutError::Timeout) if Instant::now() < end && is_there(stream) => continue,
            Err(_) => return Err(gone()),
        };
        let is_last = frame["method"].is_null();
        if is_last && !streams {
            return plain(stream, status(&frame), named, Some(&frame));
        }
        if !streams {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{named}Connection: close\r\n\r\n"
            )?;
            streams = true;
        }
        write!(stream, "event: message\ndata: {frame}\n\n")?;
        if is_last {
            return Ok(());
        }
    }
}

/// Returns the status that HTTP has for an error of the protocol.
fn status(answer: &Value) -> &'static str {
    match answer.pointer("/error/code").and_then(Value::as_i64) {
        Some(-32601) => "404 Not Found",
        Some(-32600 | -32602 | -32700 | -32021 | -32022) => "400 Bad Request",
        _ => "200 OK",
    }
}

/// Tells whether the client still holds its connection.
fn is_there(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut byte));
    let _ = stream.set_nonblocking(false);
    !matches!(looked, Ok(0))
        && !matches!(looked, Err(error) if error.kind() != std::io::ErrorKind::WouldBlock)
}

fn plain(stream: &mut TcpStream, status: &str, named: &str, body: Option<&Value>) -> std::io::Result<()> {
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{named}Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    let (mut length, mut session) = (0, None);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header"))?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| broken("a length"))?,
            "mcp-session-id" => session = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    if length > BODY_BYTES {
        return Err(broken("a body"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request {
        method,
        session,
        body,
    })
}
