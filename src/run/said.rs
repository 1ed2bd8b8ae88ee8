//! What the peer writes to standard error: masked as it comes, kept with its beginning and its end, and written beside the
//! job. It must never be kept or written as it came: secrets are cut by no bound of ours before they are masked.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::domain::limits;
use crate::redact::Stream;
use crate::sys::files;
use crate::sys::tail::HeadTail;

/// Standard error of one run.
#[derive(Debug)]
pub(super) struct Said {
    stream: Stream,
    kept: HeadTail,
    /// Absent when it cannot be written, which must not cost a paid answer.
    file: Option<File>,
    written: usize,
}

impl Said {
    /// Keeps what is said and writes it to the end of a file.
    pub(super) fn to(path: &Path) -> Self {
        Self {
            stream: Stream::default(),
            kept: HeadTail::new(limits::PEER_STDERR_BYTES),
            file: files::open_append(path).ok(),
            written: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let shown = self.stream.push(bytes);
        self.keep(&shown);
    }

    /// Takes what was held back, and returns the beginning and the end of everything.
    pub(super) fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.stream).rest();
        self.keep(&rest);
        self.kept.text()
    }

    fn keep(&mut self, shown: &str) {
        self.kept.push(shown.as_bytes());
        if let Some(file) = &mut self.file
            && self.written < limits::PEER_STDERR_BYTES
        {
            self.written += shown.len();
            let _ = file.write_all(shown.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_back_is_kept_and_written_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stderr.log");
        let mut said = Said::to(&path);
        said.push(b"one\nError loading");
        said.push(b" config");
        assert_eq!(said.finish(), "one\nError loading config");
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "one\nError loading config"
        );
    }

    #[test]
    fn the_file_stays_within_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stderr.log");
        let mut said = Said::to(&path);
        for _ in 0..100 {
            said.push("words of an endless line ".repeat(1000).as_bytes());
        }
        let text = said.finish();
        assert!(text.contains("bytes left out"));
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * limits::PEER_STDERR_BYTES as u64);
    }
}
