//! What the model server remembers of the requests it saw.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::model::http::Head;

/// The most requests that are kept; later ones are counted only.
const MAX_REQUESTS: usize = 1_000;
/// The most bytes of bodies that are kept, so that a peer with a long history cannot fill the memory.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// The most threads whose retries are counted; a request of a further one counts as the first.
const MAX_ATTEMPTS: usize = 10_000;

/// One request that the server saw.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The target with its query.
    pub path: String,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// The body; null when there was none or when it was not JSON.
    pub body: Value,
}

impl RecordedRequest {
    /// Returns the value of the header called `name`, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Says whether the request asked for the model's next output.
    pub fn is_turn(&self) -> bool {
        self.method == "POST"
            && self
                .path
                .split('?')
                .next()
                .unwrap_or_default()
                .ends_with("/responses")
    }
}

/// The memory that all connections share.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<RecordedRequest>,
    bytes: usize,
    unrecorded: u64,
    turns: u64,
    attempts: HashMap<(String, usize), u64>,
    gone: u64,
}

impl Recording {
    /// Keeps a request, or counts it when the memory is full.
    pub(crate) fn keep(&self, head: &Head, body: &Value) {
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(head.body_bytes);
        if state.requests.len() >= MAX_REQUESTS || bytes > MAX_BYTES {
            state.unrecorded += 1;
            return;
        }
        state.bytes = bytes;
        state.requests.push(RecordedRequest {
            method: head.method.clone(),
            path: head.target.clone(),
            headers: head.headers.clone(),
            body: body.clone(),
        });
    }

    /// Counts a request for an answer. Returns its number among the same requests and among all, both from 1.
    pub(crate) fn count(&self, thread: &str, items: usize) -> (u64, u64) {
        let mut state = self.lock();
        state.turns += 1;
        let ordinal = state.turns;
        let key = (thread.to_owned(), items);
        if state.attempts.len() >= MAX_ATTEMPTS && !state.attempts.contains_key(&key) {
            return (1, ordinal);
        }
        let attempt = state.attempts.entry(key).or_insert(0);
        *attempt += 1;
        (*attempt, ordinal)
    }

    /// Counts a client that went away before its response was complete.
    pub(crate) fn count_gone(&self) {
        self.lock().gone += 1;
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests.clone()
    }

    pub(crate) fn unrecorded(&self) -> u64 {
        self.lock().unrecorded
    }

    pub(crate) fn gone(&self) -> u64 {
        self.lock().gone
    }

    /// The lock is held for the length of a copy and never across a wait, and no code under it can panic half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::parse_head;

    #[test]
    fn requests_beyond_the_limit_are_counted_and_not_kept() {
        let recording = Recording::default();
        let (head, _) = parse_head(b"POST /v1/responses?x HTTP/1.1\r\nA: b\r\n\r\n")
            .unwrap()
            .unwrap();
        for _ in 0..=MAX_REQUESTS {
            recording.keep(&head, &Value::Null);
        }
        let requests = recording.requests();
        assert_eq!((requests.len(), recording.unrecorded()), (MAX_REQUESTS, 1));
        assert_eq!(
            (requests[0].is_turn(), requests[0].header("a")),
            (true, Some("b"))
        );
    }

    #[test]
    fn a_retry_is_the_same_thread_with_the_same_items() {
        let recording = Recording::default();
        let counts =
            [("a", 3), ("a", 3), ("a", 5), ("b", 3)].map(|(thread, items)| recording.count(thread, items));
        assert_eq!(counts, [(1, 1), (2, 2), (1, 3), (1, 4)]);
    }
}
