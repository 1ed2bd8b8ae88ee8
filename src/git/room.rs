//! How much of a working tree is read anew: a file or a sum of files beyond the bounds is left out and told.
//!
//! A peer, or whoever packed an archive, makes a file of a terabyte from nothing but a hole; reading it takes hours.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::domain::limits::{FILE_BYTES, FILES_BYTES};

/// What may still be read below one folder.
#[derive(Debug)]
pub(super) struct Room<'a> {
    top: &'a Path,
    left_bytes: u64,
}

impl<'a> Room<'a> {
    /// All of it.
    pub(super) fn below(top: &'a Path) -> Self {
        Self {
            top,
            left_bytes: FILES_BYTES,
        }
    }

    /// Takes the room of a file; says whether there was enough. What is no regular file needs none.
    pub(super) fn take(&mut self, path: &[u8]) -> bool {
        let about = self.top.join(OsStr::from_bytes(path)).symlink_metadata();
        let bytes = about.map_or(0, |about| if about.is_file() { about.len() } else { 0 });
        if bytes > FILE_BYTES {
            return false;
        }
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => {
                self.left_bytes = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_file_or_a_sum_beyond_the_bounds_has_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        let make = |name: &str, bytes: u64| File::create(top.join(name)).unwrap().set_len(bytes).unwrap();
        make("terabyte", 1 << 40);
        for number in 0..10 {
            make(&format!("large-{number}"), FILE_BYTES);
        }
        std::os::unix::fs::symlink("terabyte", top.join("link")).unwrap();
        let mut room = Room::below(top);
        assert!(!room.take(b"terabyte"));
        assert!(room.take(b"link") && room.take(b"absent"));
        let taken = (0..10).filter(|number| room.take(format!("large-{number}").as_bytes()));
        assert_eq!(taken.count() as u64, FILES_BYTES / FILE_BYTES);
        assert!(!room.take(b"large-0"));
    }
}
