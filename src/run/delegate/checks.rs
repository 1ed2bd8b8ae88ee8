//! Lines of shell in the worktree: the setup before the peer, and the checks that its work has to pass.
//!
//! They run where the peer's own commands run: inside codex's sandbox, with the same pins. Their environment holds no keys.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use crate::domain::delegation::CheckOutcome;
use crate::domain::environment::Environment;
use crate::domain::limits;
use crate::peer::checker::WriteAccess;
use crate::run::control::{Control, Stop};
use crate::run::masking::mask;
use crate::sys::clock::millis;
use crate::sys::process::{Ended, Invocation, Running, end_all};
use crate::sys::signal;

/// Bytes kept while a line runs. Secrets are masked in all of it before the end is cut off, and none is that long.
const KEPT_BYTES: usize = 16 * limits::CHECK_TAIL_BYTES;

/// Where lines are run.
pub(super) struct Sandbox<'a> {
    /// The peer's program.
    pub(super) program: &'a Path,
    /// What the lines may reach.
    pub(super) access: &'a WriteAccess,
    /// What they know, with the job's own folder for temporary files.
    pub(super) environment: &'a Environment,
    /// What ends them early.
    pub(super) control: &'a Control,
}

/// What came of a line.
#[derive(Debug)]
pub(super) struct Ran {
    /// What is told of it.
    pub(super) outcome: CheckOutcome,
    /// Why it was ended, when that was not its own doing.
    pub(super) stop: Option<Stop>,
    /// Processes that outlived it.
    pub(super) leaked: Vec<u32>,
}

impl Sandbox<'_> {
    /// Runs one line to its end, at most [`limits::CHECK_TIMEOUT`].
    pub(super) async fn run(&self, line: &str) -> Ran {
        let begun = Instant::now();
        let invocation = Invocation {
            program: self.program.to_owned(),
            arguments: self.access.shell(line),
            directory: self.access.directory.clone(),
            environment: self.environment.clone(),
        };
        let outcome = |exit_code, tail: String| CheckOutcome {
            command: mask(line),
            exit_code,
            ms: millis(begun.elapsed()),
            tail,
        };
        let mut running = match Running::start(&invocation) {
            Ok(running) => running,
            Err(error) => {
                return Ran {
                    outcome: outcome(None, format!("it could not be started: {error}")),
                    stop: None,
                    leaked: Vec::new(),
                };
            }
        };
        drop(running.stdin.take());
        // One for both streams, so that their order is kept as well as two pipes allow.
        let tail = Arc::new(Mutex::new(Tail::default()));
        let out = tokio::spawn(read(running.stdout.take(), Arc::clone(&tail)));
        let err = tokio::spawn(read(running.stderr.take(), Arc::clone(&tail)));
        let woken = tokio::select! {
            biased;
            stop = self.control.stop() => Woken::Stop(stop),
            ended = running.wait() => Woken::Ended(ended.ok()),
            () = tokio::time::sleep(limits::CHECK_TIMEOUT) => Woken::Late,
        };
        let (mut leaked, stop, ended) = match woken {
            Woken::Ended(ended) => (Vec::new(), None, ended),
            Woken::Stop(stop) => (running.terminate().await.1, Some(stop), None),
            Woken::Late => (running.terminate().await.1, None, None),
        };
        // The worker adopts what codex leaves behind (see `worker::main`) and has no other children now.
        leaked.extend(end_all(signal::descendants(std::process::id())).await);
        let both = async { tokio::join!(out, err) };
        let _ = tokio::time::timeout(limits::DRAIN_GRACE, both).await;
        let printed = tail.lock().map(|tail| tail.text()).unwrap_or_default();
        let (exit_code, why) = match (woken, ended) {
            (Woken::Stop(_), _) => (None, "ended with the run".to_owned()),
            (Woken::Late, _) => (None, format!("ended after {}", seconds(limits::CHECK_TIMEOUT))),
            (Woken::Ended(_), Some(Ended::Exited(code))) => (Some(code), String::new()),
            (Woken::Ended(_), Some(Ended::Signaled(signal))) => (None, format!("ended by signal {signal}")),
            (Woken::Ended(_), None) => (None, "its end is not known".to_owned()),
        };
        let text = [printed, why].map(|part| part.trim_end().to_owned());
        let text = text
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>();
        Ran {
            outcome: outcome(exit_code, text.join("\n")),
            stop,
            leaked,
        }
    }
}

#[derive(Clone, Copy)]
enum Woken {
    Ended(Option<Ended>),
    Stop(Stop),
    Late,
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// Tells of a line that was not run because the run was ended before.
pub(super) fn not_run(line: &str) -> CheckOutcome {
    CheckOutcome {
        command: mask(line),
        exit_code: None,
        ms: 0,
        tail: "not run: the run was ended before".to_owned(),
    }
}

/// The end of what a line prints.
#[derive(Debug, Default)]
struct Tail {
    kept: VecDeque<u8>,
    dropped: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        let over = self.kept.len().saturating_sub(KEPT_BYTES);
        self.kept.drain(..over);
        self.dropped |= over > 0;
    }

    /// Returns the end as text of at most [`limits::CHECK_TAIL_BYTES`], secrets masked. Where more was printed it begins with
    /// a whole line, if that leaves anything.
    fn text(&self) -> String {
        let mut bytes: Vec<u8> = self.kept.iter().copied().collect();
        if self.dropped {
            // The first word may be the end of a secret, which no rule recognises.
            let word = bytes.iter().position(u8::is_ascii_whitespace);
            bytes.drain(..word.unwrap_or(0));
        }
        let text = mask(&String::from_utf8_lossy(&bytes));
        let text = text.trim_end();
        if !self.dropped && text.len() <= limits::CHECK_TAIL_BYTES {
            return text.to_owned();
        }
        let mut start = text.len().saturating_sub(limits::CHECK_TAIL_BYTES);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let end = &text[start..];
        let whole = end.split_once('\n').map_or(end, |(_, rest)| rest);
        format!("[...]\n{}", if whole.is_empty() { end } else { whole })
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, tail: Arc<Mutex<Tail>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(bytes @ 1..) = pipe.read(&mut buffer).await {
        if let Ok(mut tail) = tail.lock() {
            tail.push(&buffer[..bytes]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_kept_and_a_cut_is_said() {
        let check = |parts: &[&str], expected: &dyn Fn(&str) -> bool| {
            let mut tail = Tail::default();
            for part in parts {
                tail.push(part.as_bytes());
            }
            let text = tail.text();
            assert!(
                text.len() <= limits::CHECK_TAIL_BYTES + "[...]\n".len(),
                "{}",
                text.len()
            );
            assert!(expected(&text), "{text}");
        };
        check(&[], &|text| text.is_empty());
        check(&["one\n", "two\n"], &|text| text == "one\ntwo");
        let long = "0123456789\n".repeat(1000);
        check(&[&long, "last"], &|text| {
            text.starts_with("[...]\n0123456789\n") && text.ends_with("\nlast")
        });
        let line = "x".repeat(3 * KEPT_BYTES);
        check(&[&line], &|text| text.starts_with("[...]\nxxx"));
        check(&[&"é".repeat(KEPT_BYTES)], &|text| text.ends_with("éé"));
        let token = format!("gh{}", "p_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5");
        let many = format!("{}{}", "x".repeat(18), [token.as_str(); 800].join(" "));
        check(&[&many], &|text| !text.contains("tU1vW3"));
        let secret = format!(
            "{}gh{}",
            "a line\n".repeat(2000),
            "p_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
        );
        check(&[&secret], &|text| {
            !text.contains("aB3dE5") && text.contains("REDACTED")
        });
    }
}
