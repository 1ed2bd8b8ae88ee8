//! Files that are whole or absent: write beside the target, sync, rename, sync the directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::sys::seam::{self, Operation};

/// Makes a directory and its parents, each new one readable by its owner alone.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    seam::before(Operation::MakeDirectory)?;
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Replaces or makes a file: afterwards it holds `bytes`, also after a power cut, or it is unchanged.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = draft_in(directory)?;
    seam::write_all(&mut file, bytes)?;
    sync(file.as_file())?;
    seam::before(Operation::Rename)?;
    file.persist(path).map_err(|failed| failed.error)?;
    sync_dir(directory)
}

/// Makes a file that did not exist, whole or not at all and synced; `AlreadyExists` otherwise.
pub fn create_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = draft_in(directory)?;
    seam::write_all(&mut file, bytes)?;
    sync(file.as_file())?;
    seam::before(Operation::Rename)?;
    file.persist_noclobber(path).map_err(|failed| failed.error)?;
    sync_dir(directory)
}

/// Replaces or makes a file, whole for every reader. It is not synced: for what means nothing after a power cut.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = draft_in(directory)?;
    seam::write_all(&mut file, bytes)?;
    seam::before(Operation::Rename)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Appends to a file that is there, in one write; `NotFound` otherwise. It is not synced.
pub fn append_existing(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_private(private().append(true), path)?;
    seam::write_all(&mut file, bytes)
}

/// Makes a file that vanishes unless it is given its name.
fn draft_in(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    seam::before(Operation::Open)?;
    tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(directory)
}

/// Renames a file or directory.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    seam::before(Operation::Rename)?;
    std::fs::rename(from, to)
}

/// Syncs the content of a file.
pub fn sync(file: &File) -> io::Result<()> {
    seam::before(Operation::Sync)?;
    file.sync_all()
}

/// Makes a file that did not exist; `AlreadyExists` otherwise. It is not synced: the caller says what must survive.
pub fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_private(private().create_new(true).write(true), path)?;
    seam::write_all(&mut file, bytes)
}

/// Makes a file that did not exist and syncs it with its directory.
pub fn create_new_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_new_content_synced(path, bytes)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes a file that did not exist and syncs its content. Its name survives a power cut only once the caller has synced
/// the directory, which one call does for all files in it.
pub fn create_new_content_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_private(private().create_new(true).write(true), path)?;
    seam::write_all(&mut file, bytes)?;
    sync(&file)
}

/// Makes an existing file at least so long. The new part is a hole, which takes no room.
pub fn lengthen(path: &Path, bytes: u64) -> io::Result<()> {
    let file = open_private(private().write(true), path)?;
    if file.metadata()?.len() < bytes {
        file.set_len(bytes)?;
    }
    Ok(())
}

/// Opens a file for appending, made if absent.
pub fn open_append(path: &Path) -> io::Result<File> {
    open_private(private().create(true).append(true), path)
}

/// Returns options that make files readable by their owner alone, never follow a link at the end of a path and never
/// wait for the other end of a FIFO.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(no_follow() | nonblocking());
    options
}

/// Opens a file with options that [`private`] gave.
pub fn open_private(options: &OpenOptions, path: &Path) -> io::Result<File> {
    seam::before(Operation::Open)?;
    options.open(path)
}

/// Opens a regular file for reading; a link or FIFO is refused, and never waited for.
pub fn open_regular(path: &Path) -> io::Result<File> {
    seam::before(Operation::Open)?;
    regular(
        OpenOptions::new()
            .read(true)
            .custom_flags(no_follow() | nonblocking())
            .open(path)?,
    )
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// Reads a regular file of at most `limit` bytes; a larger one is `FileTooLarge`, a link or FIFO is refused.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_whole(open_regular(path)?, limit)
}

/// Opens a regular file of at most `limit` bytes; a link or FIFO is refused, and a larger one is `FileTooLarge`.
pub fn open_bounded(path: &Path, limit: u64) -> io::Result<File> {
    let file = open_regular(path)?;
    if file.metadata()?.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(file)
}

/// Reads the last bytes of a regular file, at most `limit`; a link or FIFO is refused.
pub fn read_end(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read_bounded`], but follows links: for files of the user's own, which may be links into a folder of settings.
pub fn read_bounded_linked(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking())
        .open(path)?;
    read_whole(regular(file)?, limit)
}

/// Reads an open file of at most `limit` bytes; a larger one is `FileTooLarge`.
pub fn read_whole(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Syncs a directory, so that a rename in it survives a power cut.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    sync(&File::open(path)?)
}

/// Asks whether this user may write to a directory; a read-only file system says so too. Touches nothing.
pub fn check_writable(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
}

/// Returns the bytes that this user may still write to the file system of `path`.
pub fn available_bytes(path: &Path) -> io::Result<u64> {
    fs2::available_space(path)
}

/// Writes `bytes` into a file whose room was reserved first, so that a full disk cannot take it any more.
///
/// Allocate, write, cut to length, sync, rename: on a full disk the allocation fails while nothing is lost yet.
pub fn write_reserved(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = draft_in(directory)?;
    allocate(file.as_file(), bytes.len() as u64)?;
    seam::point("finish.allocated");
    seam::write_all(&mut file, bytes)?;
    file.as_file().set_len(bytes.len() as u64)?;
    sync(file.as_file())?;
    seam::point("finish.written");
    seam::before(Operation::Rename)?;
    file.persist(path).map_err(|failed| failed.error)?;
    seam::point("finish.renamed");
    sync_dir(directory)
}

/// Makes a file that takes up this many bytes.
pub fn reserve(path: &Path, bytes: u64) -> io::Result<()> {
    allocate(
        &open_private(private().create_new(true).write(true), path)?,
        bytes,
    )
}

/// Allocates where the file system can. One that cannot, such as NFS up to version 4.1, must not cost a result.
///
/// Not with fs2: its version 0.4.3 loses the reason on Linux, so that a full disk is not known as one.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    seam::before(Operation::Write)?;
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Err(errno) if is_unsupported(errno) => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn is_unsupported(errno: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL)
}

fn nonblocking() -> i32 {
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0)
}

fn no_follow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_written_is_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"one").unwrap();
        write_reserved(&path, b"two").unwrap();
        assert_eq!(read_bounded(&path, 3).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            read_bounded(&path, 2).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_file_is_appended_to_only_where_it_is_and_read_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let absent = append_existing(&path, b"x").unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        replace(&path, b"one ").unwrap();
        replace(&path, b"two ").unwrap();
        append_existing(&path, b"three").unwrap();
        assert_eq!(read_end(&path, 100).unwrap(), b"two three");
        assert_eq!(read_end(&path, 5).unwrap(), b"three");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_system_without_allocation_still_takes_a_result() {
        let check = |errno: rustix::io::Errno, expected: bool| {
            assert_eq!(is_unsupported(errno), expected, "{errno}");
        };
        check(rustix::io::Errno::OPNOTSUPP, true);
        check(rustix::io::Errno::NOSYS, true);
        check(rustix::io::Errno::NOSPC, false);
        check(rustix::io::Errno::DQUOT, false);
        // Nothing at all cannot be allocated anywhere.
        let dir = tempfile::tempdir().unwrap();
        write_reserved(&dir.path().join("empty"), b"").unwrap();
    }

    #[test]
    fn what_cannot_be_written_to_is_known_before() {
        let dir = tempfile::tempdir().unwrap();
        check_writable(dir.path()).unwrap();
        check_writable(&dir.path().join("absent")).unwrap_err();
    }

    #[test]
    fn a_link_or_fifo_is_never_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("link")).unwrap();
        assert!(read_bounded(&dir.path().join("link"), 10).is_err());
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert!(
            read_bounded(&fifo, 10).is_err(),
            "and it does not wait for a writer"
        );
    }

    #[test]
    fn a_new_file_never_replaces_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        create_new(&path, b"one").unwrap();
        assert_eq!(
            create_new_synced(&path, b"two").unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }
}
