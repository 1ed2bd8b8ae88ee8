//! A job's event log: one JSON object a line, written by the worker alone, read by anybody at any time.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::limits;
use crate::peer::event::Event;
use crate::peer::transcript::truncate;
use crate::sys::{clock, files};

/// Bytes after which nothing is written any more: the log's own bound and an answer or two.
const VITAL_BYTES: u64 = limits::EVENT_LOG_BYTES + 4 * limits::ANSWER_BYTES as u64;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
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
        let vital = matches!(
            event,
            Event::Message { .. }
                | Event::TurnFailed { .. }
                | Event::TurnCompleted { .. }
                | Event::Tokens { .. }
                | Event::ThreadStarted { .. }
        );
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
        let mut entry = Entry {
            at_ms: clock::now_ms(),
            event: event.clone(),
        };
        if !vital {
            entry
                .event
                .map_texts(&mut |text| truncate(text, limits::EVENT_BYTES));
        }
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, &entry)?;
        line.push(b'\n');
        self.written += line.len() as u64;
        // A full disk takes half a line; the next one must not be joined to it.
        let written = self.file.write_all(&line);
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

/// Reads the entries after a byte offset and returns the offset to go on from.
pub fn read_from(path: &Path, offset: u64) -> (Vec<Entry>, u64) {
    use std::io::{Read, Seek, SeekFrom};
    // The last event may exceed the bound by itself.
    let limit = VITAL_BYTES + 2 * limits::PEER_LINE_BYTES as u64;
    let mut bytes = Vec::new();
    let read = files::open_regular(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(offset))?;
        file.take(limit).read_to_end(&mut bytes)
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
