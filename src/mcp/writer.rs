//! Lines to the host, from one thread: many small answers become one write.

use std::io::{self, Write};

use tokio::sync::mpsc::Receiver;

use crate::mcp::bounds::WRITE_BYTES;
use crate::mcp::reply;

/// What the writer is asked to do.
pub(super) enum Outgoing {
    /// Write one message; the line end is added.
    Line(reply::Line),
    /// Stop after everything before this is written.
    End,
}

/// Writes until it is told to end or the host stops reading, which is an error.
pub(super) fn write(mut lines: Receiver<Outgoing>, mut output: impl Write) -> io::Result<()> {
    // Never grows: memory that comes and goes with each write costs more than the write.
    let mut batch = Vec::with_capacity(WRITE_BYTES);
    let mut next = lines.blocking_recv();
    loop {
        let ending = loop {
            match next {
                Some(Outgoing::Line(line)) => put(&line, &mut batch, &mut output)?,
                Some(Outgoing::End) | None => break true,
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
        next = lines.blocking_recv();
    }
}

/// Adds a line to the batch, which is written first when it is full. A line larger than a batch is written alone.
fn put(line: &reply::Line, batch: &mut Vec<u8>, output: &mut impl Write) -> io::Result<()> {
    let bytes = line.len() + 1;
    if batch.len() + bytes > WRITE_BYTES {
        output.write_all(batch)?;
        batch.clear();
    }
    if bytes > WRITE_BYTES {
        for piece in line.pieces() {
            output.write_all(piece)?;
        }
    } else {
        for piece in line.pieces() {
            batch.extend_from_slice(piece);
        }
    }
    batch.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn line_of(text: &str) -> Outgoing {
        Outgoing::Line(text.as_bytes().to_vec().into())
    }

    #[test]
    fn everything_before_the_end_is_written_and_nothing_after() {
        let (send, receive) = mpsc::channel(8);
        for line in ["a", "b"] {
            send.try_send(line_of(line)).ok().unwrap();
        }
        send.try_send(Outgoing::End).ok().unwrap();
        send.try_send(line_of("c")).ok().unwrap();
        let mut written = Vec::new();
        write(receive, &mut written).unwrap();
        assert_eq!(written, b"a\nb\n");
    }

    #[test]
    fn lines_of_any_size_come_whole_and_in_order() {
        let sizes = [
            0,
            1,
            WRITE_BYTES - 2,
            WRITE_BYTES - 1,
            WRITE_BYTES,
            3 * WRITE_BYTES,
            5,
        ];
        let (send, receive) = mpsc::channel(sizes.len());
        let mut expected = String::new();
        for (letter, size) in ('a'..).zip(sizes) {
            let line = letter.to_string().repeat(size);
            send.try_send(line_of(&line)).ok().unwrap();
            expected += &line;
            expected.push('\n');
        }
        drop(send);
        let mut written = Vec::new();
        write(receive, &mut written).unwrap();
        assert!(written == expected.as_bytes());
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
        send.try_send(line_of("a")).ok().unwrap();
        assert_eq!(
            write(receive, Closed).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert!(send.try_send(Outgoing::End).is_err());
    }
}
