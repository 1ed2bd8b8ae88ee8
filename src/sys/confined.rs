//! Files below one folder, reached component by component, so that no link on the way leads out of it.
//!
//! Owns the system calls with which files of the user are looked at, moved and made. It decides nothing: what may be
//! replaced, and by what, is its caller's.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Timestamps};
use rustix::io::Errno;

use crate::sys::seam::{self, Operation};

/// Bytes of the text of a link that are read; Linux and macOS hold less.
const LINK_BYTES: usize = 64 * 1024;

/// The folder that nothing leaves.
#[derive(Debug)]
pub struct Top(OwnedFd);

/// A name in an open folder; something may be there or not.
#[derive(Debug)]
pub struct Place {
    folder: OwnedFd,
    name: Vec<u8>,
}

/// Where a path leads.
#[derive(Debug)]
pub enum Way {
    /// To a name in a real folder.
    Reached(Place),
    /// Nowhere: a folder on the way is missing, or is a file.
    Missing,
    /// Out: a link is on the way, or the path is none that could be meant, such as one with `..`.
    Blocked,
}

/// What kind of thing is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A device, a socket or a FIFO.
    Other,
}

/// A time of change as the file system keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modified {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds.
    pub nanoseconds: u32,
}

/// What a place tells without being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits, at most `0o7777`.
    pub mode: u32,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was changed last.
    pub modified: Modified,
}

/// Whether two places could be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanged {
    /// They were, in one step.
    Done,
    /// This file system or system cannot do it in one step; nothing was done.
    Unsupported,
}

impl Top {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        seam::before(Operation::Open)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Follows a path, whose parts are separated by `/`, to its last name.
    pub fn way(&self, path: &[u8]) -> io::Result<Way> {
        let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
        if parts.iter().any(|part| is_no_name(part)) {
            return Ok(Way::Blocked);
        }
        let Some((name, folders)) = parts.split_last() else {
            return Ok(Way::Blocked);
        };
        let mut folder = self.0.try_clone()?;
        for part in folders {
            folder = match open_folder(&folder, part) {
                Ok(next) => next,
                Err(Errno::NOENT) => return Ok(Way::Missing),
                // The same error for a file and for a link; only a link leads elsewhere.
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return match rustix::fs::statat(&folder, *part, AtFlags::SYMLINK_NOFOLLOW) {
                        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Symlink => {
                            Ok(Way::Blocked)
                        }
                        Ok(_) | Err(Errno::NOENT) => Ok(Way::Missing),
                        Err(error) => Err(error.into()),
                    };
                }
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Way::Reached(Place {
            folder,
            name: name.to_vec(),
        }))
    }

    /// Follows a path that must lead to a name in a real folder.
    pub fn place(&self, path: &[u8]) -> io::Result<Place> {
        match self.way(path)? {
            Way::Reached(place) => Ok(place),
            Way::Missing => Err(io::ErrorKind::NotFound.into()),
            Way::Blocked => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Syncs the names in the top folder itself.
    pub fn sync(&self) -> io::Result<()> {
        sync_folder(&self.0)
    }
}

/// No path of a working tree has such a part, and `.git` is never a file of the user's.
fn is_no_name(part: &[u8]) -> bool {
    part.is_empty()
        || part == b"."
        || part == b".."
        || part.contains(&0)
        || part.eq_ignore_ascii_case(b".git")
}

fn open_folder(folder: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

fn sync_folder(folder: &OwnedFd) -> io::Result<()> {
    seam::before(Operation::Sync)?;
    match rustix::fs::fsync(folder) {
        // Some file systems know no syncing of folders, and then there is nothing to wait for.
        Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Place {
    /// Tells what is here; nothing when nothing is.
    pub fn about(&self) -> io::Result<Option<About>> {
        let found = match rustix::fs::statat(&self.folder, self.name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(About {
            kind: match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Symlink => Kind::Link,
                FileType::Directory => Kind::Folder,
                _ => Kind::Other,
            },
            mode: Mode::from_raw_mode(found.st_mode).bits(),
            bytes: u64::try_from(found.st_size).unwrap_or(0),
            modified: Modified {
                seconds: found.st_mtime,
                nanoseconds: u32::try_from(found.st_mtime_nsec).unwrap_or(0),
            },
        }))
    }

    /// Opens the regular file here for reading. A link is refused, and a FIFO is never waited for.
    pub fn open(&self) -> io::Result<File> {
        seam::before(Operation::Open)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(
            &self.folder,
            self.name.as_slice(),
            flags,
            Mode::empty(),
        )?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
    }

    /// Returns the text of the link here.
    pub fn link_text(&self) -> io::Result<Vec<u8>> {
        let text = rustix::fs::readlinkat(&self.folder, self.name.as_slice(), Vec::new())?.into_bytes();
        if text.len() > LINK_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(text)
    }

    /// Makes a file that was not there. The system takes the bits of the process's umask from `mode`.
    pub fn create(&self, mode: u32) -> io::Result<File> {
        seam::before(Operation::Open)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(
            &self.folder,
            self.name.as_slice(),
            flags,
            Mode::from_raw_mode(mode),
        )?;
        Ok(File::from(file))
    }

    /// Makes a link that was not there.
    pub fn make_link(&self, text: &[u8]) -> io::Result<()> {
        seam::before(Operation::Write)?;
        Ok(rustix::fs::symlinkat(text, &self.folder, self.name.as_slice())?)
    }

    /// Makes a folder that was not there; with `exact` bits, else with those that the process's umask leaves.
    pub fn make_folder(&self, exact: Option<u32>) -> io::Result<()> {
        seam::before(Operation::MakeDirectory)?;
        rustix::fs::mkdirat(&self.folder, self.name.as_slice(), Mode::from_raw_mode(0o777))?;
        if let Some(mode) = exact {
            let folder = open_folder(&self.folder, &self.name)?;
            rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode))?;
        }
        Ok(())
    }

    /// Sets the time of change of what is here, also of a link itself.
    pub fn set_modified(&self, modified: Modified) -> io::Result<()> {
        let time = rustix::fs::Timespec {
            tv_sec: modified.seconds,
            tv_nsec: modified.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: rustix::fs::Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_OMIT,
            },
            last_modification: time,
        };
        Ok(rustix::fs::utimensat(
            &self.folder,
            self.name.as_slice(),
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Deletes the file or link here.
    pub fn remove(&self) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.folder,
            self.name.as_slice(),
            AtFlags::empty(),
        )?)
    }

    /// Deletes the folder here if it is empty.
    pub fn remove_folder(&self) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.folder,
            self.name.as_slice(),
            AtFlags::REMOVEDIR,
        )?)
    }

    /// Tells whether every name in the folder here satisfies `is_known`. Stops at the first that does not.
    pub fn holds_only(&self, mut is_known: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        let folder = open_folder(&self.folder, &self.name)?;
        for entry in rustix::fs::Dir::new(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." && !is_known(name) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Moves what is here to a place where nothing is; `AlreadyExists` when something is there.
    pub fn move_to(&self, free: &Self) -> io::Result<()> {
        seam::before(Operation::Rename)?;
        match rename_with(self, free, RenameFlags::NOREPLACE) {
            Err(error) if is_unsupported(error) => self.move_by_link(free),
            outcome => Ok(outcome?),
        }
    }

    /// As [`Self::move_to`], for file systems that cannot do it in one step. A second name never replaces anything.
    fn move_by_link(&self, free: &Self) -> io::Result<()> {
        let linked = rustix::fs::linkat(
            &self.folder,
            self.name.as_slice(),
            &free.folder,
            free.name.as_slice(),
            AtFlags::empty(),
        );
        match linked {
            Ok(()) => self.remove(),
            // Neither: FAT and some network file systems. What is left is to look and then to move.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {
                if free.about()?.is_some() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                Ok(rustix::fs::renameat(
                    &self.folder,
                    self.name.as_slice(),
                    &free.folder,
                    free.name.as_slice(),
                )?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Exchanges what is at two places in one step, whatever it is.
    pub fn exchange_with(&self, other: &Self) -> io::Result<Exchanged> {
        seam::before(Operation::Rename)?;
        match rename_with(self, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(Exchanged::Done),
            Err(error) if is_unsupported(error) => Ok(Exchanged::Unsupported),
            Err(error) => Err(error.into()),
        }
    }

    /// Syncs the names in the folder of this place.
    pub fn sync_folder(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_with(from: &Place, to: &Place, flags: RenameFlags) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(
        &from.folder,
        from.name.as_slice(),
        &to.folder,
        to.name.as_slice(),
        flags,
    )
}

/// What a file system or kernel says that does not know a flag of `renameat2`: `EINVAL` on Linux for the former,
/// `ENOSYS` for the latter, `ENOTSUP` on macOS.
fn is_unsupported(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_path_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("top/a")).unwrap();
        fs::write(dir.path().join("top/file"), "x").unwrap();
        symlink(dir.path(), dir.path().join("top/out")).unwrap();
        symlink("a", dir.path().join("top/in")).unwrap();
        let top = Top::open(&dir.path().join("top")).unwrap();
        let check = |path: &str, expected: &str| {
            let way = match top.way(path.as_bytes()).unwrap() {
                Way::Reached(_) => "reached",
                Way::Missing => "missing",
                Way::Blocked => "blocked",
            };
            assert_eq!(way, expected, "{path}");
        };
        check("a", "reached");
        check("a/b", "reached");
        check("out", "reached");
        check("b/c", "missing");
        check("file/c", "missing");
        check("out/c", "blocked");
        check("in/c", "blocked");
        for path in [
            "",
            "/etc",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "./a",
            ".git/config",
            "a/.GIT/x",
            "a\0b",
        ] {
            check(path, "blocked");
        }
    }

    #[test]
    fn a_move_never_replaces_and_an_exchange_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        fs::write(dir.path().join("b"), "two").unwrap();
        let top = Top::open(dir.path()).unwrap();
        let place = |name: &str| top.place(name.as_bytes()).unwrap();
        for refused in [
            place("a").move_to(&place("b")),
            place("a").move_by_link(&place("b")),
        ] {
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        if place("a").exchange_with(&place("b")).unwrap() == Exchanged::Done {
            assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"two");
            assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"one");
        }
        place("a").move_by_link(&place("c")).unwrap();
        assert!(place("a").about().unwrap().is_none());
        place("c").move_to(&place("d")).unwrap();
        assert_eq!(place("d").about().unwrap().unwrap().bytes, 3);
    }

    #[test]
    fn a_time_of_change_comes_back_to_the_nanosecond() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        symlink("nowhere", dir.path().join("l")).unwrap();
        let top = Top::open(dir.path()).unwrap();
        let modified = Modified {
            seconds: 1_000_000_000,
            nanoseconds: 123_456_789,
        };
        for name in ["a", "l"] {
            let place = top.place(name.as_bytes()).unwrap();
            place.set_modified(modified).unwrap();
            assert_eq!(place.about().unwrap().unwrap().modified, modified);
        }
    }
}
