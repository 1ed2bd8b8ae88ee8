//! The server: one listener on loopback and a bounded number of connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::model::connection;
use crate::model::recording::{RecordedRequest, Recording};
use crate::model::script::Script;

/// The most connections at once; further ones wait in the listener's queue. A peer holds one or two.
const MAX_CONNECTIONS: usize = 256;

/// A running model server. It stops when it is dropped.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    recording: Arc<Recording>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl ModelServer {
    /// Binds a free port of 127.0.0.1 and serves `script` on the current runtime.
    pub async fn start(script: Arc<dyn Script>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let recording = Arc::new(Recording::default());
        let stop = CancellationToken::new();
        let serving = serve(listener, script, Arc::clone(&recording));
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = stopped => {}
                () = serving => {}
            }
        });
        Ok(Self {
            address,
            recording,
            stop,
            task,
        })
    }

    /// Returns the base URL for a provider of the Responses API, without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// Returns the URL without a path, for the other services that a login uses.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests seen so far, in their order, up to a limit.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.recording.requests()
    }

    /// Returns how many requests were seen beyond those in [`Self::requests`].
    pub fn unrecorded(&self) -> u64 {
        self.recording.unrecorded()
    }

    /// Returns how many clients went away before their response was complete.
    pub fn clients_gone(&self) -> u64 {
        self.recording.gone()
    }

    /// Closes the listener and every connection, and waits until they are closed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // An error can only mean that the runtime is ending, and then nothing is left to close.
        let _ = (&mut self.task).await;
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Accepts connections until the future is dropped, which also ends the connections.
async fn serve(listener: TcpListener, script: Arc<dyn Script>, recording: Arc<Recording>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            // Finished connections are taken out so that the set does not grow.
            Some(_) = connections.join_next() => continue,
        };
        // A connection that was gone before it was accepted is no reason to stop.
        let Ok((stream, _)) = stream else { continue };
        let script = Arc::clone(&script);
        let recording = Arc::clone(&recording);
        connections.spawn(async move {
            connection::serve(stream, script.as_ref(), &recording).await;
            drop(slot);
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::model::reply::{Close, HttpReply, Message, Reply, Step, Usage};
    use crate::model::turn::Turn;

    fn by_prompt(turn: &Turn) -> Reply {
        match turn.last_user_text().as_str() {
            "http" => Reply::Http(HttpReply::error(429, "slow down", &[]).with_header("retry-after", "1")),
            "cut" => Reply::stream([
                Step::Unfinished(vec!["never".to_owned()]),
                Step::Close(Close::Finish),
            ]),
            "reset" => Reply::stream([Step::Start, Step::Close(Close::Reset)]),
            "silence" => Reply::Silence,
            other => Reply::stream([
                Step::Message(Message::new(format!("{other} {} {}", turn.attempt, turn.ordinal))),
                Step::Completed(Usage::default()),
            ]),
        }
    }

    fn request(prompt: &str) -> String {
        let body =
            json!({"prompt_cache_key": "t", "input": [{"role": "user", "content": prompt}]}).to_string();
        format!(
            "POST /v1/responses HTTP/1.1\r\nX-Test: yes\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Sends `requests` on one connection and returns what comes back until the server closes it.
    async fn exchange(server: &ModelServer, requests: &str) -> String {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset ends the answer like an orderly close does.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn one_connection_serves_many_requests_in_their_order() {
        let server = ModelServer::start(Arc::new(by_prompt)).await.unwrap();
        let requests = [
            request("hello"),
            request("hello"),
            "GET /v1/models HTTP/1.1\r\n\r\n".to_owned(),
            "HEAD / HTTP/1.1\r\n\r\n".to_owned(),
            request("http"),
            "POST /backend-api/ps/mcp HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(),
        ];
        let answer = exchange(&server, &requests.concat()).await;
        let statuses: Vec<_> = answer
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|response| &response[..3])
            .collect();
        assert_eq!(statuses, ["200", "200", "200", "200", "429", "404"]);
        assert!(
            answer.contains("hello 1 1") && answer.contains("hello 2 2"),
            "{answer}"
        );
        assert!(answer.contains("retry-after: 1"), "{answer}");
        let seen = server.requests();
        assert_eq!(seen.iter().filter(|request| request.is_turn()).count(), 3);
        assert_eq!(seen[0].header("x-test"), Some("yes"));
        assert_eq!(seen[0].body["prompt_cache_key"], json!("t"));
        server.shutdown().await;
    }

    #[tokio::test]
    async fn a_cut_stream_has_no_last_chunk() {
        let server = ModelServer::start(Arc::new(by_prompt)).await.unwrap();
        let answer = exchange(&server, &request("cut")).await;
        assert!(
            answer.contains("never") && !answer.ends_with("0\r\n\r\n"),
            "{answer}"
        );
        let answer = exchange(&server, &request("reset")).await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_refused_and_the_connection_ends() {
        let server = ModelServer::start(Arc::new(by_prompt)).await.unwrap();
        let check = async |request: &str, expected: &str| {
            let answer = exchange(&server, request).await;
            assert!(answer.starts_with(expected), "{request:?}: {answer}");
        };
        check("nonsense\r\n\r\n", "HTTP/1.1 400 ").await;
        check(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 411 ",
        )
        .await;
        check(
            "POST /v1/responses HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\r\n{{{",
            "HTTP/1.1 415 ",
        )
        .await;
        check(
            "GET /v1/responses HTTP/1.1\r\nupgrade: websocket\r\n\r\n",
            "HTTP/1.1 426 ",
        )
        .await;
    }

    #[tokio::test]
    async fn a_client_that_goes_away_during_a_silence_is_noticed() {
        let server = ModelServer::start(Arc::new(by_prompt)).await.unwrap();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request("silence").as_bytes()).await.unwrap();
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        drop(stream);
        while server.clients_gone() == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_server_that_was_shut_down_holds_no_connection_and_no_port() {
        let server = ModelServer::start(Arc::new(by_prompt)).await.unwrap();
        let address = server.address;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request("silence").as_bytes()).await.unwrap();
        server.shutdown().await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
        assert!(TcpStream::connect(address).await.is_err());
    }
}
