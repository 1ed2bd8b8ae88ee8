//! Lines to the host, from one thread: many small answers become one write.

use std::io::{self, Write};

use tokio::sync::mpsc::Receiver;

use crate::mcp::bounds::WRITE_BYTES;

/// What the writer is asked to do.
pub(super) enum Outgoing {
    /// Write one message; the line end is added.
    Line(Vec<u8>),
    /// Stop after everything before this is written.
    End,
}

/// Writes until it is told to end or the host stops reading, which is an error.
pub(super) fn write(mut lines: Receiver<Outgoing>, mut output: impl Write) -> io::Result<()> {
    let mut batch = Vec::with_capacity(WRITE_BYTES);
    let mut next = lines.blocking_recv();
    loop {
        let ending = loop {
            match next {
                Some(Outgoing::Line(line)) => {
                    batch.extend_from_slice(&line);
                    batch.push(b'\n');
                }
                Some(Outgoing::End) | None => break true,
            }
            if batch.len() >= WRITE_BYTES {
                break false;
            }
            match lines.try_recv() {
                Ok(line) => next = Some(line),
                Err(_) => break false,
            }
        };
        output.write_all(&batch)?;
        output.flush()?;
        if ending {
            return Ok(());
        }
        batch.clear();
        // A large answer leaves its memory behind otherwise.
        batch.shrink_to(WRITE_BYTES);
        next = lines.blocking_recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[test]
    fn everything_before_the_end_is_written_and_nothing_after() {
        let (send, receive) = mpsc::channel(8);
        for line in ["a", "b"] {
            send.try_send(Outgoing::Line(line.into())).ok().unwrap();
        }
        send.try_send(Outgoing::End).ok().unwrap();
        send.try_send(Outgoing::Line("c".into())).ok().unwrap();
        let mut written = Vec::new();
        write(receive, &mut written).unwrap();
        assert_eq!(written, b"a\nb\n");
    }

    #[test]
    fn a_host_that_stopped_reading_ends_the_writer() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (send, receive) = mpsc::channel(8);
        send.try_send(Outgoing::Line("a".into())).ok().unwrap();
        assert_eq!(
            write(receive, Closed).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert!(send.try_send(Outgoing::End).is_err());
    }
}
