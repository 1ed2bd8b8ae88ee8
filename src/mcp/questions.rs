//! Questions that were asked by answering a call, until the call comes back with what the person said.
//!
//! From 2026-07-28 on a server sends no requests: it answers a call with its question and a handle, and the host repeats the call
//! with both. The repeated call is decided anew from its beginning. What the person said counts only if it asks the very same
//! then, so an answer is never taken for another question, another call or other files; and it counts once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::domain::fingerprint::{hex, sha256_hex};
use crate::mcp::bounds::{APPROVAL_WAIT, OPEN_QUESTIONS};

/// Bytes of a handle: nobody guesses it.
const HANDLE_BYTES: usize = 16;

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject(String);

impl Subject {
    /// Names a question of a call: the tool, its arguments as the host wrote them, and the words.
    pub(super) fn of(tool: &str, arguments: &str, question: &str) -> Self {
        // Each part with its length, so that no two lists of parts make the same bytes.
        let parts = [tool, arguments, question].map(|part| format!("{}:{part}", part.len()));
        Self(sha256_hex(parts.concat().as_bytes()))
    }
}

struct Open {
    handle: String,
    subject: Subject,
    since: Instant,
}

/// The questions of one server that nobody answered yet.
#[derive(Default)]
pub(super) struct Questions(Mutex<VecDeque<Open>>);

impl Questions {
    fn open(&self) -> std::sync::MutexGuard<'_, VecDeque<Open>> {
        // Nothing panics while the lock is held; a poisoned list is still in order.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a question and returns its handle; `None` when the system has no randomness, and then nobody is asked.
    pub(super) fn ask(&self, subject: Subject) -> Option<String> {
        let mut random = [0; HANDLE_BYTES];
        getrandom::fill(&mut random).ok()?;
        let handle = hex(&random);
        let mut open = self.open();
        // The oldest is forgotten: its call is asked again when it comes back.
        if open.len() >= OPEN_QUESTIONS {
            open.pop_front();
        }
        open.push_back(Open {
            handle: handle.clone(),
            subject,
            since: Instant::now(),
        });
        Some(handle)
    }

    /// Tells whether a handle stands for this question, and forgets it either way.
    pub(super) fn take(&self, handle: &str, subject: &Subject) -> bool {
        let mut open = self.open();
        let Some(place) = open.iter().position(|open| open.handle == handle) else {
            return false;
        };
        open.remove(place)
            .is_some_and(|open| open.subject == *subject && open.since.elapsed() < APPROVAL_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_and_for_its_own_question() {
        let questions = Questions::default();
        let subject = || Subject::of("apply", "{}", "May it land?");
        let handle = questions.ask(subject()).unwrap();
        assert!(!questions.take("another", &subject()));
        assert!(questions.take(&handle, &subject()));
        assert!(!questions.take(&handle, &subject()), "once");
        for other in [
            Subject::of("apply", "{}", "May it land now?"),
            Subject::of("apply", "{\"id\":1}", "May it land?"),
            Subject::of("applyi", "d{}", "May it land?"),
        ] {
            let handle = questions.ask(subject()).unwrap();
            assert!(!questions.take(&handle, &other));
            assert!(!questions.take(&handle, &subject()), "forgotten either way");
        }
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let questions = Questions::default();
        let subject = || Subject::of("t", "a", "q");
        let handles: Vec<String> = (0..=OPEN_QUESTIONS)
            .map(|_| questions.ask(subject()).unwrap())
            .collect();
        assert!(!questions.take(&handles[0], &subject()));
        assert!(questions.take(&handles[OPEN_QUESTIONS], &subject()));
    }
}
