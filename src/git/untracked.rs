//! Files that git does not track, read by us.

use crate::diff::added::{added_file, untracked_file};
use crate::diff::patch::{Content, FilePatch};
use crate::diff::text::shown_path;
use crate::domain::coverage::{Omission, OmissionReason};
use crate::domain::limits::{UNTRACKED_FILE_BYTES, UNTRACKED_FILES, UNTRACKED_TOTAL_BYTES};
use crate::git::GitError;
use crate::git::command::LIST;
use crate::git::private::Private;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, readlinkat, statat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What to do with untracked files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untracked {
    /// They are part of the change.
    Read,
    /// They are named as left out, and not read.
    Exclude,
}

/// Untracked files as parts of a change.
#[derive(Debug, Default)]
pub(super) struct UntrackedFiles {
    /// Those that were looked at.
    pub files: Vec<FilePatch>,
    /// The others.
    pub left_out: Vec<Omission>,
}

/// The names of untracked files.
#[derive(Debug)]
pub(super) struct UntrackedList {
    /// Relative to the top of the working tree.
    pub paths: Vec<Vec<u8>>,
    /// Whether folders without a tracked file stand for their files, because those are too many to list.
    is_collapsed: bool,
}

/// Lists files that are neither tracked nor ignored, below the given pathspecs.
pub(super) fn list_untracked(private: &Private, pathspecs: &[OsString]) -> Result<UntrackedList, GitError> {
    let list = |more: &[&str]| {
        private
            .command("ls-files")
            .args(["--others", "--exclude-standard", "-z"])
            .args(more)
            .args(["--"])
            .args(pathspecs)
            .run(&LIST)
    };
    let mut is_collapsed = false;
    let mut output = list(&[]);
    if matches!(output, Err(GitError::OutputTooLarge { .. })) {
        is_collapsed = true;
        output = list(&["--directory", "--no-empty-directory"]);
    }
    let output = output?;
    if !output.is_success() {
        return Err(private.explain("ls-files", &output));
    }
    Ok(UntrackedList {
        paths: names(&output.stdout).iter().map(|name| name.to_vec()).collect(),
        is_collapsed,
    })
}

/// Splits names that end in NULs.
pub(super) fn names(bytes: &[u8]) -> Vec<&[u8]> {
    bytes
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .collect()
}

/// What is at an untracked path.
enum Found {
    Bytes { mode: u32, bytes: Vec<u8> },
    TooLarge { bytes: u64 },
    Special,
    Unreadable,
}

/// Reads untracked files below `top`, in order, until a limit is reached; what is beyond it is left out.
pub(super) fn read_untracked(
    top: &Path,
    listed: &UntrackedList,
    untracked: Untracked,
) -> Result<UntrackedFiles, GitError> {
    let mut read = UntrackedFiles::default();
    let root = File::open(top).map_err(GitError::file("read", top))?;
    let mut total_bytes = 0_u64;
    for path in &listed.paths {
        let leave_out = |reason| Omission {
            path: shown_path(path),
            reason,
        };
        if untracked == Untracked::Exclude {
            read.left_out.push(leave_out(OmissionReason::UntrackedExcluded));
            continue;
        }
        let is_folder_of_many = listed.is_collapsed && path.ends_with(b"/");
        if is_folder_of_many || read.files.len() >= UNTRACKED_FILES {
            read.left_out.push(leave_out(OmissionReason::UntrackedLimit));
            continue;
        }
        // Git ends the name of a repository inside this one with a slash and does not look into it.
        if let Some(nested) = path.strip_suffix(b"/") {
            read.files.push(untracked_file(nested, None, Content::Submodule));
            continue;
        }
        let left_bytes = UNTRACKED_TOTAL_BYTES - total_bytes;
        let file = match look(&root, path) {
            Found::Bytes { bytes, .. } if bytes.len() as u64 > left_bytes => {
                read.left_out.push(leave_out(OmissionReason::UntrackedLimit));
                continue;
            }
            Found::Bytes { mode, bytes } => {
                total_bytes += bytes.len() as u64;
                added_file(path, mode, &bytes)
            }
            Found::TooLarge { bytes } => untracked_file(path, None, Content::TooLarge { bytes }),
            Found::Special => untracked_file(path, None, Content::Special),
            Found::Unreadable => untracked_file(path, None, Content::Unreadable),
        };
        read.files.push(file);
    }
    Ok(read)
}

/// Looks at one path. The file may change or go at any time; it is then what it was found to be, or unreadable.
fn look(root: &File, path: &[u8]) -> Found {
    try_look(root, path).unwrap_or(Found::Unreadable)
}

fn try_look(root: &File, path: &[u8]) -> Result<Found, std::io::Error> {
    let mut folders: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let name = OsStr::from_bytes(folders.pop().unwrap_or_default());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Each folder is opened from its parent, so none of them can be swapped for a symlink on the way.
    let mut folder: Option<OwnedFd> = None;
    for part in folders {
        let parent = folder
            .as_ref()
            .map_or_else(|| root.as_fd(), rustix::fd::AsFd::as_fd);
        let next = openat(
            parent,
            OsStr::from_bytes(part),
            flags | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        folder = Some(next);
    }
    let parent = folder
        .as_ref()
        .map_or_else(|| root.as_fd(), rustix::fd::AsFd::as_fd);
    let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Symlink => {
            let target = readlinkat(parent, name, Vec::new())?;
            return Ok(Found::Bytes {
                mode: 0o120_000,
                bytes: target.into_bytes(),
            });
        }
        FileType::RegularFile => {}
        _ => return Ok(Found::Special),
    }
    // Not blocking, in case a FIFO took the file's place since; the open file is asked again what it is.
    let file = File::from(openat(parent, name, flags | OFlags::NONBLOCK, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(Found::Special);
    }
    if found.len() > UNTRACKED_FILE_BYTES {
        return Ok(Found::TooLarge { bytes: found.len() });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the file grew meanwhile.
    let mode = {
        use std::os::unix::fs::PermissionsExt as _;
        found.permissions().mode()
    };
    file.take(UNTRACKED_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > UNTRACKED_FILE_BYTES {
        return Ok(Found::TooLarge {
            bytes: bytes.len() as u64,
        });
    }
    let mode = if mode & 0o100 == 0 { 0o100_644 } else { 0o100_755 };
    Ok(Found::Bytes { mode, bytes })
}
