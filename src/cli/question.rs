//! A question to the person at the terminal, yes or no.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};

/// The terminal of this process, whatever its streams are.
const TERMINAL: &str = "/dev/tty";

/// Bytes read of an answer: more than a line is none.
const ANSWER_BYTES: u64 = 1024;

/// Asks, and waits for a line. Everything but a clear yes is a no.
pub(super) async fn ask(question: &'static str) -> io::Result<bool> {
    tokio::task::spawn_blocking(move || {
        let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
        write!(terminal, "{question} [y/N] ")?;
        terminal.flush()?;
        read(&terminal)
    })
    .await
    .unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn read(answer: impl Read) -> io::Result<bool> {
    let mut line = String::new();
    BufReader::new(answer.take(ANSWER_BYTES)).read_line(&mut line)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        let check =
            |line: &str, expected: bool| assert_eq!(read(line.as_bytes()).unwrap(), expected, "{line:?}");
        check("y\n", true);
        check("Yes\n", true);
        check(" y ", true);
        check("\n", false);
        check("", false);
        check("n\n", false);
        check("yy\n", false);
        check("no\ny\n", false);
    }
}
