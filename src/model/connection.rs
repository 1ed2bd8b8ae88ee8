//! One connection: reads requests, asks the script, sends what it decided.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::model::answers::{self, Route};
use crate::model::http::{self, Head, LAST_CHUNK, MAX_HEAD_BYTES, parse_head, write_chunk, write_head};
use crate::model::recording::Recording;
use crate::model::reply::{Close, HttpReply, Reply, Step};
use crate::model::script::Script;
use crate::model::sse::{Encoder, Frame};
use crate::model::turn::Turn;

/// How long a connection may wait for its next request. Peers keep theirs open between turns, and a command that
/// the model asked for runs in between.
const IDLE: Duration = Duration::from_secs(3_600);
/// How long the rest of a request that has begun may take, and how long a client may refuse to read.
const STALLED: Duration = Duration::from_secs(60);
/// How long one pause or one silence lasts at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3_600);
/// How many bytes one read asks for.
const READ_BYTES: usize = 16 * 1024;

/// Why a connection ends. None of these is a fault of the server, so nothing is reported.
enum End {
    /// The client closed the connection, does not read or stopped in the middle of a request.
    ClientGone,
    /// A script asked for it, or the last response said so.
    Closed,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::ClientGone
    }
}

/// Serves one connection until either side ends it.
pub(crate) async fn serve(stream: TcpStream, script: &dyn Script, recording: &Recording) {
    // Events are small and must arrive one by one; an error here costs only speed.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        stream,
        buffer: Vec::new(),
    };
    loop {
        let Ok(request) = connection.read_request().await else {
            return;
        };
        let (head, body) = match request {
            Ok(request) => request,
            Err(refusal) => {
                // The rest of the stream cannot be understood, so the connection ends with the refusal.
                let _ = connection.send_http(&refusal, "", false).await;
                return;
            }
        };
        match connection.respond(&head, &body, script, recording).await {
            Ok(()) if head.keep_alive => {}
            Ok(()) | Err(End::Closed) => return,
            Err(End::ClientGone) => {
                recording.count_gone();
                return;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// Bytes that were read and not used yet.
    buffer: Vec<u8>,
}

impl Connection {
    /// Reads one whole request. The inner error is the response to one that is refused.
    async fn read_request(&mut self) -> Result<Result<(Head, Vec<u8>), HttpReply>, End> {
        let mut patience = IDLE;
        let (head, length) = loop {
            match parse_head(&self.buffer) {
                Ok(Some(parsed)) => break parsed,
                Ok(None) => {}
                Err(error) => return Ok(Err(HttpReply::error(error.status(), &error.to_string(), &[]))),
            }
            if !self.buffer.is_empty() {
                patience = STALLED;
            }
            self.read_more(patience).await?;
        };
        let end = length + head.body_bytes;
        if head
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        while self.buffer.len() < end {
            self.read_more(STALLED).await?;
        }
        let rest = self.buffer.split_off(end);
        let mut request = std::mem::replace(&mut self.buffer, rest);
        Ok(Ok((head, request.split_off(length))))
    }

    async fn read_more(&mut self, patience: Duration) -> Result<(), End> {
        self.buffer.reserve(READ_BYTES);
        match timeout(patience, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(count)) if count > 0 => Ok(()),
            Ok(_) | Err(_) => Err(End::ClientGone),
        }
    }

    async fn respond(
        &mut self,
        head: &Head,
        body: &[u8],
        script: &dyn Script,
        recording: &Recording,
    ) -> Result<(), End> {
        let parsed = if body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice::<Value>(body)
        };
        recording.keep(head, parsed.as_ref().unwrap_or(&Value::Null));
        let Ok(body) = parsed else {
            // A compressed body, most likely; codex compresses for its own provider only (0.169.0).
            return self
                .send_http(
                    &HttpReply::error(415, "send plain JSON", &[]),
                    &head.method,
                    head.keep_alive,
                )
                .await;
        };
        let route = answers::route(head);
        if route != Route::Responses || !body.is_object() {
            let reply = script
                .other(&head.method, head.path())
                .unwrap_or_else(|| answers::respond(route, &script.quota(), now_s()));
            return self.send_http(&reply, &head.method, head.keep_alive).await;
        }
        let turn = counted(body, recording);
        match script.reply(&turn) {
            Reply::Http(reply) => self.send_http(&reply, &head.method, head.keep_alive).await,
            Reply::Stream { headers, steps } => {
                self.send_stream(&turn, headers, &steps, head.keep_alive).await
            }
            Reply::Silence => {
                self.pause(LONGEST_PAUSE).await?;
                Err(End::Closed)
            }
        }
    }

    async fn send_http(&mut self, reply: &HttpReply, method: &str, keep_alive: bool) -> Result<(), End> {
        let mut headers = reply.headers.clone();
        let given = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let (typed, closing) = (given("content-type"), given("connection"));
        if !typed {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        if !keep_alive && !closing {
            headers.push(("connection".to_owned(), "close".to_owned()));
        }
        headers.push(("content-length".to_owned(), reply.body.len().to_string()));
        let mut bytes = write_head(reply.status, &headers);
        if method != "HEAD" {
            bytes.extend_from_slice(reply.body.as_bytes());
        }
        self.write(&bytes).await?;
        if keep_alive && !closing {
            return Ok(());
        }
        // Without an orderly end the client could lose the response together with the connection.
        self.stream.shutdown().await?;
        Err(End::Closed)
    }

    async fn send_stream(
        &mut self,
        turn: &Turn,
        extra: Vec<(String, String)>,
        steps: &[Step],
        keep_alive: bool,
    ) -> Result<(), End> {
        let mut headers: Vec<(String, String)> = [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("transfer-encoding", "chunked"),
            ("connection", if keep_alive { "keep-alive" } else { "close" }),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        headers.push(("x-request-id".to_owned(), format!("req_{}", turn.ordinal)));
        headers.extend(extra);
        self.write(&write_head(200, &headers)).await?;
        let mut encoder = Encoder::new(turn);
        for step in steps {
            for frame in encoder.encode(step) {
                match frame {
                    Frame::Event(text) => self.write(&write_chunk(text.as_bytes())).await?,
                    Frame::Pause(duration) => self.pause(duration).await?,
                    Frame::Close(close) => return Err(self.close(close).await),
                }
            }
        }
        self.write(LAST_CHUNK).await
    }

    async fn close(&mut self, close: Close) -> End {
        match close {
            Close::Finish => {
                let _ = self.stream.shutdown().await;
            }
            Close::Reset => {
                let _ = self.stream.set_zero_linger();
            }
        }
        End::Closed
    }

    /// Waits, and ends early when the client goes away: an interrupted peer must not leave its connection behind.
    async fn pause(&mut self, duration: Duration) -> Result<(), End> {
        let until = sleep(duration.min(LONGEST_PAUSE));
        tokio::pin!(until);
        loop {
            // What a client sends early is kept for its next request, up to the longest one there can be.
            if self.buffer.len() > MAX_HEAD_BYTES + http::MAX_BODY_BYTES {
                return Err(End::Closed);
            }
            tokio::select! {
                () = &mut until => return Ok(()),
                read = self.read_more(LONGEST_PAUSE) => read?,
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        match timeout(STALLED, self.stream.write_all(bytes)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(End::ClientGone),
        }
    }
}

fn counted(body: Value, recording: &Recording) -> Turn {
    let mut turn = Turn::new(body, 0, 0);
    let (attempt, ordinal) = recording.count(turn.thread(), turn.items().len());
    turn.attempt = attempt;
    turn.ordinal = ordinal;
    turn
}

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
