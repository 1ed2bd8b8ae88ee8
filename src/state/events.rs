//! A job's event log: one JSON object a line, written by the worker alone, read by anybody at any time.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::limits;
use crate::peer::event::Event;
use crate::peer::transcript::truncate;
use crate::sys::{clock, files, seam};

/// Bytes after which nothing is written any more: the log's own bound and an answer or two.
const VITAL_BYTES: u64 = limits::EVENT_LOG_BYTES + 4 * limits::ANSWER_BYTES as u64;
/// Bytes of the longest log: the last event may exceed the bound by itself. A longer file is none that we wrote, and has no
/// entries.
const LOG_BYTES: u64 = VITAL_BYTES + 2 * limits::PEER_LINE_BYTES as u64;
/// Bytes read at once on the way from a log's end to its beginning.
const BLOCK_BYTES: usize = 64 * 1024;
/// Bytes of a line that is read whole on that way: two texts of an entry, each byte spelled out in six.
const LINE_BYTES: u64 = 2 * 6 * limits::EVENT_BYTES as u64;
/// Bytes read of a longer one. What shows single events cuts them far shorter.
const HEAD_BYTES: u64 = 16 * 1024;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which pass of a review it belongs to, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<u32>,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// An entry that is not copied to be written.
#[derive(Serialize)]
struct Written<'a> {
    at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<u32>,
    #[serde(flatten)]
    event: &'a Event,
}

/// The writing end.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    written: u64,
    left_out: u64,
    torn: bool,
}

impl EventLog {
    /// Opens the log of a job.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = files::open_append(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            file,
            written,
            left_out: 0,
            torn: false,
        })
    }

    /// Appends one event in one write. Long texts are cut; beyond the log's bound only `Message`, `TurnFailed`,
    /// `TurnCompleted`, `Tokens` and `ThreadStarted` are still written, since a lost job is salvaged from them; beyond
    /// `VITAL_BYTES` not even those: a peer that talks without end must not fill the disk.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        self.append_of(None, event)
    }

    /// As [`Self::append`], of one pass among several.
    pub fn append_of(&mut self, pass: Option<u32>, event: &Event) -> io::Result<()> {
        let vital = event.is_vital();
        if self.written
            > if vital {
                VITAL_BYTES
            } else {
                limits::EVENT_LOG_BYTES
            }
        {
            self.left_out += 1;
            return Ok(());
        }
        let mut cut;
        let event = if vital {
            event
        } else {
            cut = event.clone();
            cut.map_texts(&mut |text| truncate(text, limits::EVENT_BYTES));
            &cut
        };
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(
            &mut line,
            &Written {
                at_ms: clock::now_ms(),
                pass,
                event,
            },
        )?;
        line.push(b'\n');
        self.written += line.len() as u64;
        // A full disk takes half a line; the next one must not be joined to it.
        let written = seam::write_all(&mut self.file, &line);
        self.torn = written.is_err();
        written
    }

    /// Returns how many events were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Reads a whole log. A torn last line, as a killed worker leaves it, is no entry.
pub fn read_all(path: &Path) -> Vec<Entry> {
    read_from(path, 0).0
}

/// Reads the entries that stand whole in the first bytes of a log. An absent log has none.
pub fn opening(path: &Path, bytes: u64) -> Vec<Entry> {
    let mut text = Vec::new();
    if let Ok(file) = files::open_regular(path)
        && file.take(bytes).read_to_end(&mut text).is_err()
    {
        return Vec::new();
    }
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// Starts at a log's newest entry. An absent log has none.
pub fn newest(path: &Path) -> Newest {
    let mut newest = Newest {
        file: files::open_regular(path).ok(),
        block: Vec::new(),
        block_at: 0,
        end: 0,
        next: 0,
    };
    let bytes = newest.file.as_ref().and_then(|file| file.metadata().ok());
    let bytes = bytes.map_or(0, |metadata| metadata.len());
    let bytes = if bytes > LOG_BYTES { 0 } else { bytes };
    newest.end = newest.newline_before(bytes).map_or(0, |at| at + 1);
    newest.next = newest.end;
    newest
}

/// The entries of a log from the newest to the oldest, read from its end: a log may have tens of megabytes and a look
/// needs the last few entries. Of a very long entry only the beginning of its text comes, with a sign that more is missing.
#[derive(Debug)]
pub struct Newest {
    file: Option<File>,
    block: Vec<u8>,
    block_at: u64,
    end: u64,
    /// Where the entry that comes next ends.
    next: u64,
}

impl Newest {
    /// Returns the offset behind the newest entry, from which [`read_from`] goes on.
    pub fn end(&self) -> u64 {
        self.end
    }

    fn newline_before(&mut self, mut before: u64) -> Option<u64> {
        while before > 0 {
            if before <= self.block_at || before > self.block_at + self.block.len() as u64 {
                self.block_at = before.saturating_sub(BLOCK_BYTES as u64);
                let block = read_at(self.file.as_ref()?, self.block_at, before - self.block_at);
                self.block = block.unwrap_or_default();
            }
            let known = usize::try_from(before - self.block_at).ok()?;
            match self.block.get(..known)?.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => return Some(self.block_at + at as u64),
                None => before = self.block_at,
            }
        }
        None
    }
}

impl Iterator for Newest {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while self.next > 0 {
            let line_end = self.next - 1;
            let start = self.newline_before(line_end).map_or(0, |at| at + 1);
            self.next = start;
            let bytes = line_end - start;
            let whole = bytes <= LINE_BYTES;
            let line = read_at(self.file.as_ref()?, start, if whole { bytes } else { HEAD_BYTES })?;
            let entry = if whole {
                serde_json::from_slice(&line).ok()
            } else {
                parse_head(&line)
            };
            if entry.is_some() {
                return entry;
            }
        }
        None
    }
}

fn read_at(file: &File, start: u64, bytes: u64) -> Option<Vec<u8>> {
    let mut block = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact_at(&mut block, start).ok()?;
    Some(block)
}

/// Reads the beginning of a line as an entry with the beginning of its text.
///
/// Only a model's words and a failure's are that long, and both stand last in their line. A cut may fall into a
/// character or into two escapes that are one character, so some bytes more are tried.
fn parse_head(line: &[u8]) -> Option<Entry> {
    (0..=12).find_map(|less| {
        let mut text = line.get(..line.len().checked_sub(less)?)?.to_vec();
        text.extend_from_slice("…\"}".as_bytes());
        serde_json::from_slice(&text).ok()
    })
}

/// Reads the entries after a byte offset and returns the offset to go on from. A log that became shorter than that is
/// read from its beginning.
pub fn read_from(path: &Path, offset: u64) -> (Vec<Entry>, u64) {
    use std::io::{Read, Seek, SeekFrom};
    let mut bytes = Vec::new();
    let mut offset = offset;
    let read = files::open_regular(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        if length > LOG_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length < offset {
            offset = 0;
        }
        file.seek(SeekFrom::Start(offset))?;
        file.take(LOG_BYTES).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return (Vec::new(), offset);
    }
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let entries = bytes[..whole]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok());
    (entries.collect(), offset + whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_torn_line_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::open(&path).unwrap();
        log.append(&Event::TurnStarted).unwrap();
        log.append(&Event::Message {
            text: "hi\nthere".into(),
        })
        .unwrap();
        files::open_append(&path)
            .unwrap()
            .write_all(b"{\"at_ms\":1,\"ev")
            .unwrap();
        let entries = read_all(&path);
        assert_eq!(entries.len(), 2);
        assert_eq!(
            entries[1].event,
            Event::Message {
                text: "hi\nthere".into()
            }
        );
        let (more, offset) = read_from(&path, 0);
        assert_eq!(more.len(), 2);
        assert_eq!(read_from(&path, offset).0, vec![]);
    }

    #[test]
    fn the_newest_come_first_and_end_where_reading_on_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        assert_eq!(newest(&path).count(), 0, "an absent log has no entry");
        let mut log = EventLog::open(&path).unwrap();
        // Lines of many lengths, so that some lie across two blocks.
        for number in 0..400 {
            let text = format!("{number} {}", "é".repeat(number * 7 % 1500));
            log.append(&Event::Thinking { text }).unwrap();
        }
        let mut file = files::open_append(&path).unwrap();
        file.write_all(b"no entry\n{\"at_ms\":1,\"ev").unwrap();
        let (mut all, offset) = read_from(&path, 0);
        assert_eq!((all.len(), newest(&path).end()), (400, offset));
        all.reverse();
        assert_eq!(newest(&path).collect::<Vec<_>>(), all);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(100).unwrap();
        assert_eq!(read_from(&path, offset), read_from(&path, 0), "it is read anew");
        assert_eq!(newest(&path).count(), 1);
    }

    #[test]
    fn of_a_huge_entry_the_beginning_comes_in_little_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::open(&path).unwrap();
        for text in ["x", "\"\u{1}", "é", "\u{10ffff}\u{1}"] {
            let text = text.repeat(2 * 1024 * 1024 / text.len());
            log.append(&Event::Message { text: text.clone() }).unwrap();
            log.append(&Event::TurnFailed {
                message: text.clone(),
            })
            .unwrap();
            let two: Vec<Event> = newest(&path).take(2).map(|entry| entry.event).collect();
            let [Event::TurnFailed { message }, Event::Message { text: said }] = &two[..] else {
                panic!("{two:?}");
            };
            for shown in [message, said] {
                let shown = shown.strip_suffix('…').unwrap();
                assert!(text.starts_with(shown));
                assert!((2000..=16_384).contains(&shown.len()), "{}", shown.len());
            }
        }
    }

    #[test]
    fn a_full_log_still_takes_what_a_lost_job_is_salvaged_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::open(&path).unwrap();
        log.written = limits::EVENT_LOG_BYTES + 1;
        log.append(&Event::Thinking { text: "t".into() }).unwrap();
        log.append(&Event::Message { text: "m".into() }).unwrap();
        assert_eq!(read_all(&path).len(), 1);
        assert_eq!(log.left_out(), 1);
    }

    #[test]
    fn half_a_line_of_a_full_disk_takes_no_other_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::open(&path).unwrap();
        let good = std::mem::replace(&mut log.file, File::open("/dev/null").unwrap());
        log.append(&Event::TurnStarted).unwrap_err();
        log.file = good;
        log.file.write_all(b"{\"at_ms\":1,\"ev").unwrap();
        log.append(&Event::TurnStarted).unwrap();
        assert_eq!(read_all(&path).len(), 1);
    }

    #[test]
    fn a_peer_that_talks_without_end_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::open(&path).unwrap();
        let text = "x".repeat(limits::ANSWER_BYTES);
        for _ in 0..10 {
            log.append(&Event::Message { text: text.clone() }).unwrap();
        }
        assert!(path.metadata().unwrap().len() <= VITAL_BYTES + 2 * limits::ANSWER_BYTES as u64);
        assert!(log.left_out() > 0);
    }
}
