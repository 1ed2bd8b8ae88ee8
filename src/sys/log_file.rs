//! A log file that cannot fill a disk: at its bound it becomes the older one, and a new one begins.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::sys::files;

/// Bytes of one log file; with the older one twice that is on disk at most.
pub const LOG_BYTES: u64 = 8 * 1024 * 1024;

/// Appends to a file and turns it over at a bound.
#[derive(Debug)]
pub struct CappedLog {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl CappedLog {
    /// Opens a log of at most `limit` bytes, made if absent.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = files::open_append(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            written,
            limit,
        })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        fs::rename(&self.path, older)?;
        self.file = files::open_append(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

impl Write for CappedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + bytes.len() as u64 > self.limit {
            self.turn_over()?;
        }
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_never_grows_beyond_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = CappedLog::open(&path, 100).unwrap();
        for number in 0..50 {
            writeln!(log, "line {number}").unwrap();
        }
        let newest = fs::read_to_string(&path).unwrap();
        assert!(newest.ends_with("line 49\n") && newest.len() <= 100);
        assert!(fs::metadata(dir.path().join("log.1")).unwrap().len() <= 100);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
