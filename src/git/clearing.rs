//! Folders in which a peer worked: walked, made accessible, cleared of what a commit does not hold, or removed whole.
//!
//! A peer leaves anything: folders that nobody may enter, pipes, repositories in repositories, links in the place of folders,
//! paths longer than the system takes. Nothing here follows a link, and nothing outside the given folder is touched.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirEntry, FileType, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the owner needs to enter a folder and to change what is in it.
const OWNERS_FOLDER: u32 = 0o700;
/// What the owner needs to read a file.
const OWNERS_FILE: u32 = 0o400;
/// Folders in which everybody may write, and their special bits, are of the peer's making: git makes none. The bits of the
/// group are left out, because people's settings and folders do hand those down.
const FOREIGN_BITS: u32 = 0o5002;
/// What a folder of a worktree gets where the peer changed it.
const PLAIN_FOLDER: u32 = 0o755;
/// Bytes of a path below the removed folder from which on it is brought up first, so that no path grows beyond what the
/// system takes, which is 1024 bytes on some.
const DEEP: usize = 512;

/// Bytes of an absolute path that the system takes, with the zero at its end. Whatever is deeper can only be removed.
const PATH_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 1024 };

/// The paths of a commit, to compare a folder with.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    folders: HashSet<&'a [u8]>,
    files: HashMap<&'a [u8], Kind>,
    modules: HashSet<&'a [u8]>,
}

/// What stands at a path of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Program,
    Link,
}

impl<'a> Wanted<'a> {
    /// Reads the output of `git ls-tree -r -z`; nothing when it is not understood.
    pub(super) fn parse(listed: &'a [u8]) -> Option<Self> {
        let mut wanted = Self::default();
        for entry in listed.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()) {
            let tab = entry.iter().position(|&byte| byte == b'\t')?;
            let (about, path) = (&entry[..tab], &entry[tab + 1..]);
            if about.starts_with(b"160000 ") {
                wanted.modules.insert(path);
            } else {
                let kind = match about.get(..6)? {
                    b"100755" => Kind::Program,
                    b"120000" => Kind::Link,
                    _ => Kind::Plain,
                };
                wanted.files.insert(path, kind);
            }
            let mut folder = path;
            while let Some(slash) = folder.iter().rposition(|&byte| byte == b'/') {
                folder = &folder[..slash];
                // Its own folders are there as well then.
                if !wanted.folders.insert(folder) {
                    break;
                }
            }
        }
        Some(wanted)
    }
}

/// What a walk met that is neither a file nor a link nor a folder of them.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Pipes, sockets, devices.
    pub specials: Vec<Vec<u8>>,
    /// Whatever has a name that git takes for its own.
    pub git_names: Vec<Vec<u8>>,
    /// Whatever is so deep that its path is longer than the system takes.
    pub too_long: Vec<Vec<u8>>,
}

/// Files that git opens in every folder that it looks into.
const OPENED: [&[u8]; 2] = [b".gitattributes", b".gitignore"];

/// Removes what stands in the place of a file that git opens and is none: git would wait at a pipe for ever, and what is no
/// file holds nothing. Only for a worktree of ours that nobody works in any more.
pub(super) fn unblock(top: &Path, survey: &Survey) -> io::Result<()> {
    for path in &survey.specials {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if OPENED.contains(&name) {
            fs::remove_file(top.join(OsStr::from_bytes(path)))?;
        }
    }
    Ok(())
}

/// Removes everything below `top` that is not wanted, or is not of the wanted kind, and opens folders that were closed.
/// A `.git` at the top is left alone. What stays are folders that are wanted, and files and links of wanted names and kinds
/// with the permissions of new ones; `plain` are those of a new file that is no program.
///
/// Git itself asks for no more than whether the owner may run a file, and sees other changes of its permissions only where
/// they were made in a later second than the file. Such a file is removed, not changed: it may have another name elsewhere.
pub(super) fn clear(top: &Path, wanted: &Wanted<'_>, plain: u32) -> io::Result<()> {
    let plain = plain & 0o666;
    let program = plain | (plain & 0o444) >> 2;
    let is_as_new = |path: &[u8], entry: &DirEntry, kind: FileType| {
        let mode = match wanted.files.get(path) {
            Some(Kind::Plain) if kind.is_file() => plain,
            Some(Kind::Program) if kind.is_file() => program,
            Some(Kind::Link) => return Ok(kind.is_symlink()),
            _ => return Ok(false),
        };
        Ok::<bool, io::Error>(entry.metadata()?.permissions().mode() & 0o7777 == mode)
    };
    let too_long = walk(top, |path, entry, kind| {
        if path == b".git" {
            return Ok(Next::Pass);
        }
        if kind.is_dir() {
            if wanted.folders.contains(path) {
                return Ok(Next::Enter);
            }
            let is_kept = wanted.modules.contains(path) && fs::remove_dir(entry.path()).is_ok();
            return if is_kept {
                fs::create_dir(entry.path()).map(|()| Next::Pass)
            } else {
                remove_tree(&entry.path()).map(|()| Next::Pass)
            };
        }
        if !is_as_new(path, entry, kind)? {
            fs::remove_file(entry.path())?;
        }
        Ok(Next::Pass)
    })?;
    if too_long.is_empty() {
        Ok(())
    } else {
        Err(ErrorKind::InvalidFilename.into())
    }
}

/// Opens all folders below `top` that were closed, and lists what git cannot keep. Folders in `without` are not entered.
pub(super) fn survey(top: &Path, without: &[Vec<u8>]) -> io::Result<Survey> {
    let mut survey = Survey::default();
    let too_long = walk(top, |path, _, kind| {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        if path == b".git" || without.iter().any(|other| other == path) {
            return Ok(Next::Pass);
        }
        if is_git_name(name) {
            survey.git_names.push(path.to_vec());
            return Ok(Next::Pass);
        }
        if kind.is_dir() {
            return Ok(Next::Enter);
        }
        if !kind.is_file() && !kind.is_symlink() {
            survey.specials.push(path.to_vec());
        }
        Ok(Next::Pass)
    })?;
    survey.too_long = too_long;
    Ok(survey)
}

/// Lets the owner read all files below `top`.
pub(super) fn make_readable(top: &Path) -> io::Result<()> {
    walk(top, |_, entry, kind| {
        if kind.is_file() {
            let about = entry.metadata()?;
            grant(&entry.path(), &about, OWNERS_FILE)?;
        }
        Ok(if kind.is_dir() { Next::Enter } else { Next::Pass })
    })?;
    Ok(())
}

/// Tells whether git takes a name for its own on some file system, and therefore keeps nothing of this name.
fn is_git_name(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1")
}

/// Where a walk goes on.
enum Next {
    /// Into this folder.
    Enter,
    /// Past it.
    Pass,
}

/// Visits everything below a folder by its path relative to it, but what is too deep to be named; that is returned.
fn walk(
    top: &Path,
    mut visit: impl FnMut(&[u8], &DirEntry, FileType) -> io::Result<Next>,
) -> io::Result<Vec<Vec<u8>>> {
    let mut too_long = Vec::new();
    let mut folders: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(folder) = folders.pop() {
        let path = if folder.is_empty() {
            top.to_owned()
        } else {
            top.join(OsStr::from_bytes(&folder))
        };
        open_folder(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let mut inner = folder.clone();
            if !inner.is_empty() {
                inner.push(b'/');
            }
            inner.extend(entry.file_name().into_vec());
            // One byte for the slash between them, one for the zero.
            if top.as_os_str().len() + inner.len() + 2 > PATH_BYTES {
                too_long.push(inner);
                continue;
            }
            if let Next::Enter = visit(&inner, &entry, kind)? {
                folders.push(inner);
            }
        }
    }
    Ok(too_long)
}

/// Lets the owner work in a folder of a worktree, and takes from it what only a peer can have given.
fn open_folder(path: &Path) -> io::Result<()> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    let mode = about.permissions().mode();
    if mode & OWNERS_FOLDER != OWNERS_FOLDER || mode & FOREIGN_BITS != 0 {
        fs::set_permissions(path, Permissions::from_mode(PLAIN_FOLDER))?;
    }
    Ok(())
}

fn grant(path: &Path, about: &Metadata, bits: u32) -> io::Result<()> {
    let mode = about.permissions().mode();
    if mode & bits == bits {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode | bits))
}

/// Removes a file, a link or a folder with all that is in it, however deep, closed or long-named. What is absent is no
/// error. A link is removed, not what it leads to.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(about) if !about.is_dir() => return gone(fs::remove_file(path)),
        Ok(_) => {}
    }
    let mut brought_up = 0_u64;
    let mut pending: Vec<(PathBuf, Stage)> = vec![(path.to_owned(), Stage::Full)];
    while let Some((folder, stage)) = pending.pop() {
        if let Stage::Emptied = stage {
            gone(fs::remove_dir(&folder))?;
            continue;
        }
        let about = match fs::symlink_metadata(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            about => about?,
        };
        grant(&folder, &about, OWNERS_FOLDER)?;
        pending.push((folder.clone(), Stage::Emptied));
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let mut inner = entry.path();
            if !entry.file_type()?.is_dir() {
                gone(fs::remove_file(&inner))?;
                continue;
            }
            if inner.as_os_str().len() > path.as_os_str().len() + DEEP {
                // A folder can only be moved by whoever may write in it.
                grant(&inner, &entry.metadata()?, OWNERS_FOLDER)?;
                brought_up += 1;
                let up = path.join(format!(".crosscheck-deep-{}-{brought_up}", std::process::id()));
                fs::rename(&inner, &up)?;
                inner = up;
            }
            pending.push((inner, Stage::Full));
        }
    }
    Ok(())
}

/// How far a folder is that is being removed.
enum Stage {
    Full,
    Emptied,
}

/// Somebody else may be removing the same.
fn gone(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
