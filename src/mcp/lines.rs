//! Lines from the host, bounded: whatever the bytes, memory is bounded and the next line is found.

use std::io::{BufRead, BufReader, Read, Result};

use crate::mcp::bounds::{LINE_BYTES, LINE_ENDS_BYTES};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// A byte order mark, which some hosts on Windows put before their first line.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// One line that is not blank, without its end, surrounding blanks and byte order mark.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A whole line.
    Whole(&'a [u8]),
    /// A line over the limit, of which only both ends are kept.
    TooLong {
        /// Its beginning.
        head: &'a [u8],
        /// Its end.
        tail: &'a [u8],
    },
}

/// Reads lines.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    tail: Vec<u8>,
    limit: usize,
}

impl<R: Read> Lines<R> {
    /// Reads lines of up to [`LINE_BYTES`].
    pub(super) fn new(input: R) -> Self {
        Self::with_limit(input, LINE_BYTES)
    }

    fn with_limit(input: R, limit: usize) -> Self {
        Self {
            input: BufReader::with_capacity(CHUNK_BYTES, input),
            line: Vec::new(),
            tail: Vec::new(),
            limit,
        }
    }

    /// Returns the next line; `None` at the end of the input. A last line without a line end is a line too.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        loop {
            self.line.clear();
            // A large line leaves its memory behind otherwise.
            self.line.shrink_to(CHUNK_BYTES);
            // One byte for the line end, one to notice that the line is longer.
            let most = self.limit as u64 + 2;
            if (&mut self.input).take(most).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            let ended = self.line.last() == Some(&b'\n');
            if trim(&self.line).len() > self.limit || (!ended && self.line.len() > self.limit) {
                self.keep_tail();
                if !ended {
                    self.skip_rest()?;
                }
                return Ok(Some(Line::TooLong {
                    head: &self.line[..LINE_ENDS_BYTES.min(self.line.len())],
                    tail: trim(&self.tail),
                }));
            }
            if !trim(&self.line).is_empty() {
                return Ok(Some(Line::Whole(trim(&self.line))));
            }
        }
    }

    /// Tells whether the next line has been read already, so that [`Self::next`] returns it without waiting for input.
    pub(super) fn has_next(&self) -> bool {
        let mut rest = self.input.buffer();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if !trim(&rest[..end]).is_empty() {
                return true;
            }
            rest = &rest[end + 1..];
        }
        false
    }

    /// Keeps the last bytes of what was read of a line that is too long.
    fn keep_tail(&mut self) {
        self.tail.clear();
        let kept = self.line.len().saturating_sub(LINE_ENDS_BYTES);
        self.tail.extend_from_slice(&self.line[kept..]);
    }

    /// Reads to the end of a line that is too long and keeps its last bytes.
    fn skip_rest(&mut self) -> Result<()> {
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let rest = &chunk[..end.unwrap_or(chunk.len())];
            self.tail
                .extend_from_slice(&rest[rest.len().saturating_sub(LINE_ENDS_BYTES)..]);
            let surplus = self.tail.len().saturating_sub(LINE_ENDS_BYTES);
            self.tail.drain(..surplus);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    line.strip_prefix(BOM).unwrap_or(line).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out its bytes in pieces of the given sizes.
    struct Pieces {
        bytes: Vec<u8>,
        sizes: Vec<usize>,
        at: usize,
        turn: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, out: &mut [u8]) -> Result<usize> {
            let size = self.sizes[self.turn % self.sizes.len()];
            self.turn += 1;
            let size = size.min(out.len()).min(self.bytes.len() - self.at);
            out[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
            self.at += size;
            Ok(size)
        }
    }

    fn read(bytes: &[u8], sizes: &[usize], limit: usize) -> Vec<Option<Vec<u8>>> {
        let pieces = Pieces {
            bytes: bytes.to_vec(),
            sizes: sizes.to_vec(),
            at: 0,
            turn: 0,
        };
        let mut lines = Lines::with_limit(pieces, limit);
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push(match line {
                Line::Whole(line) => Some(line.to_vec()),
                Line::TooLong { .. } => None,
            });
        }
        read
    }

    #[test]
    fn line_ends_blanks_and_marks_are_no_part_of_a_line() {
        let check = |input: &str, expected: &[&str]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|line| Some(line.as_bytes().to_vec()))
                .collect();
            assert_eq!(read(input.as_bytes(), &[3], 100), expected, "{input:?}");
        };
        check("", &[]);
        check("\n\r\n  \n", &[]);
        check("{}\n", &["{}"]);
        check("{}", &["{}"]);
        check("\u{feff}{}\r\n {1} \n\n{2}", &["{}", "{1}", "{2}"]);
    }

    #[test]
    fn a_long_line_keeps_its_ends_and_hides_nothing_after_it() {
        let long = format!("HEAD{}TAIL\r\n{{}}\n", "x".repeat(5000));
        let mut lines = Lines::with_limit(long.as_bytes(), 1000);
        match lines.next().unwrap() {
            Some(Line::TooLong { head, tail }) => {
                assert!(head.starts_with(b"HEAD") && head.len() == LINE_ENDS_BYTES);
                assert!(tail.ends_with(b"TAIL") && tail.len() <= LINE_ENDS_BYTES);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"{}")));
        assert_eq!(lines.next().unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_chunking_loses_a_line(
            lines in proptest::collection::vec("[ -~äß€\u{1f600}]{0,40}", 0..20),
            sizes in proptest::collection::vec(1usize..50, 1..5),
            ends in proptest::collection::vec(any::<bool>(), 20),
            last in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            for (at, line) in lines.iter().enumerate() {
                bytes.extend_from_slice(line.as_bytes());
                if at + 1 < lines.len() || last {
                    bytes.extend_from_slice(if ends[at] { b"\r\n" } else { b"\n" });
                }
            }
            let expected: Vec<_> = lines
                .iter()
                .map(|line| line.as_bytes().trim_ascii())
                .filter(|line| !line.is_empty())
                .map(|line| if line.len() > 30 { None } else { Some(line.to_vec()) })
                .collect();
            let read = read(&bytes, &sizes, 30);
            // Blanks around a line count towards its length, so only longer ones may differ.
            prop_assert_eq!(read.len(), expected.len());
            for (read, expected) in read.iter().zip(&expected) {
                prop_assert!(read == expected || read.is_none());
            }
        }

        #[test]
        fn no_bytes_stop_the_next_line(
            junk in any::<Vec<u8>>(),
            sizes in proptest::collection::vec(1usize..20, 1..5),
        ) {
            let mut bytes = junk;
            bytes.extend_from_slice(b"\n{\"id\":1}\n");
            let read = read(&bytes, &sizes, 64);
            prop_assert_eq!(read.last(), Some(&Some(b"{\"id\":1}".to_vec())));
        }
    }
}
