//! A file of somebody else's on the disk: read whole, kept beside itself, and exchanged in one step.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::time::rfc3339;
use crate::service::setup::registration::Outcome;
use crate::sys::{clock, files};

/// Bytes of a configuration. The largest that people have are some hundred kilobytes, of trusted projects.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Copies that may be made within one second.
const COPIES: usize = 100;
/// The mode of a file that did not exist: what is configured may name keys.
const MODE: u32 = 0o600;
/// The bits of a mode by which anybody may write.
const WRITABLE: u32 = 0o222;

/// Why a file cannot be read or exchanged. Nothing of it is lost.
#[derive(Debug, Error)]
pub enum TargetError {
    /// It cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a link that leads nowhere.
    #[error("`{0}` is a link to a file that does not exist")]
    Dangling(PathBuf),
    /// Somebody made it, or the folder around it, read-only.
    #[error("`{0}` is read-only")]
    ReadOnly(PathBuf),
    /// Somebody else wrote it meanwhile.
    #[error("`{0}` was changed by another program just now")]
    Changed(PathBuf),
    /// It cannot be written.
    #[error("`{path}` cannot be written: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A file as it was read.
#[derive(Debug)]
pub struct Target {
    /// The file itself, behind all links.
    path: PathBuf,
    /// What it held; absent when it does not exist.
    bytes: Option<Vec<u8>>,
    mode: u32,
    /// Who owned it, and its group.
    owner: Option<(u32, u32)>,
}

impl Target {
    /// Reads a file; one that does not exist is one that can be made.
    pub fn read(named: &Path) -> Result<Self, TargetError> {
        let failed = |source| TargetError::Read {
            path: named.to_owned(),
            source,
        };
        let path = match named.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::symlink_metadata(named).is_ok() {
                    return Err(TargetError::Dangling(named.to_owned()));
                }
                return Ok(Self {
                    path: named.to_owned(),
                    bytes: None,
                    mode: MODE,
                    owner: None,
                });
            }
            Err(error) => return Err(failed(error)),
        };
        let bytes = files::read_bounded(&path, FILE_BYTES).map_err(failed)?;
        let about = fs::metadata(&path).map_err(failed)?;
        Ok(Self {
            path,
            bytes: Some(bytes),
            mode: about.mode() & 0o7777,
            owner: Some((about.uid(), about.gid())),
        })
    }

    /// Returns what it holds.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// Returns where it is, behind all links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does what was decided, and returns where the old file is kept, if there was one.
    ///
    /// The new file has the permissions and the owner of the old one. A link stays a link. The old file is kept beside the new one, or in
    /// `copies`: a project's folder is no place for it, where the next commit would take it along.
    pub fn put(&self, outcome: &Outcome, copies: Option<&Path>) -> Result<Option<PathBuf>, TargetError> {
        let failed = |source| TargetError::Write {
            path: self.path.clone(),
            source,
        };
        if *outcome == Outcome::Same {
            return Ok(None);
        }
        let folder = self
            .path
            .parent()
            .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        if self.bytes.is_none() {
            files::create_private_dir(folder).map_err(failed)?;
        }
        self.check_writable(folder)?;
        let now = Self::read(&self.path)?;
        if now.bytes != self.bytes {
            return Err(TargetError::Changed(self.path.clone()));
        }
        let kept = match outcome {
            // Nothing in it was anybody else's.
            Outcome::Same | Outcome::Gone => None,
            Outcome::Text(_) => self.keep(copies).map_err(failed)?,
        };
        match outcome {
            Outcome::Same => {}
            Outcome::Text(text) => self.exchange(folder, text).map_err(failed)?,
            Outcome::Gone => fs::remove_file(&self.path).map_err(failed)?,
        }
        Ok(kept)
    }

    /// A file can be exchanged in a folder although it is read-only itself; whoever made it so did not mean that. Root may
    /// write everything, so the modes are looked at too.
    fn check_writable(&self, folder: &Path) -> Result<(), TargetError> {
        let is_closed = |path: &Path| {
            let mode = fs::metadata(path).map(|about| about.permissions().mode());
            mode.is_ok_and(|mode| mode & WRITABLE == 0)
        };
        let closed = [self.path.as_path(), folder]
            .into_iter()
            .find(|path| path.exists() && (is_closed(path) || files::check_writable(path).is_err()));
        closed.map_or(Ok(()), |path| Err(TargetError::ReadOnly(path.to_owned())))
    }

    fn keep(&self, copies: Option<&Path>) -> io::Result<Option<PathBuf>> {
        let Some(bytes) = &self.bytes else {
            return Ok(None);
        };
        let time = rfc3339(clock::now_ms()).replace([':', '-'], "");
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{time}"));
        for copy in 0..COPIES {
            let mut name = name.clone();
            if copy > 0 {
                name.push(format!("-{copy}"));
            }
            name.push(".bak");
            let path = match copies {
                Some(folder) => folder.join(name),
                None => self.path.with_file_name(name),
            };
            match files::create_new_synced(&path, bytes) {
                Ok(()) => return Ok(Some(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn exchange(&self, folder: &Path, text: &[u8]) -> io::Result<()> {
        let mut draft = tempfile::Builder::new()
            .prefix(".crosscheck-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder)?;
        draft.write_all(text)?;
        let about = draft.as_file().metadata()?;
        if let Some((user, group)) = self.owner
            && (user, group) != (about.uid(), about.gid())
        {
            // Before the mode, since a change of the owner takes bits of it away.
            fchown(draft.as_file(), Some(user), Some(group))?;
        }
        draft
            .as_file()
            .set_permissions(Permissions::from_mode(self.mode))?;
        files::sync(draft.as_file())?;
        draft.persist(&self.path).map_err(|failed| failed.error)?;
        files::sync_dir(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_behind_a_link_is_exchanged_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (
            dir.path().join("real/config.toml"),
            dir.path().join("config.toml"),
        );
        fs::create_dir(dir.path().join("real")).unwrap();
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real/config.toml", &link).unwrap();
        let target = Target::read(&link).unwrap();
        let kept = target
            .put(&Outcome::Text(b"new".to_vec()), None)
            .unwrap()
            .unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((mode(&real), mode(&kept)), (0o640, 0o600));
        assert_eq!(fs::read(&kept).unwrap(), b"old");
        assert_eq!(kept.parent(), real.canonicalize().unwrap().parent());
        // Where the tests may give files away, the owner stays too.
        if std::os::unix::fs::chown(&real, Some(12), Some(34)).is_ok() {
            let target = Target::read(&link).unwrap();
            target.put(&Outcome::Text(b"new".to_vec()), None).unwrap();
            let about = fs::metadata(&real).unwrap();
            assert_eq!((about.uid(), about.gid(), mode(&real)), (12, 34, 0o640));
        }
        let again = Target::read(&link).unwrap();
        let second = again
            .put(&Outcome::Text(b"newer".to_vec()), None)
            .unwrap()
            .unwrap();
        assert_ne!(second, kept);
    }

    #[test]
    fn what_must_not_or_cannot_be_written_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        let new = Outcome::Text(b"new".to_vec());
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
        let refused = Target::read(&file).unwrap().put(&new, None);
        assert!(matches!(refused, Err(TargetError::ReadOnly(path)) if path.ends_with("config.toml")));
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let target = Target::read(&file).unwrap();
        fs::write(&file, "by another").unwrap();
        assert!(matches!(target.put(&new, None), Err(TargetError::Changed(_))));
        assert_eq!(fs::read(&file).unwrap(), b"by another");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(matches!(Target::read(&link), Err(TargetError::Dangling(_))));
        assert!(matches!(Target::read(dir.path()), Err(TargetError::Read { .. })));
        let made = dir.path().join("a/b/config.toml");
        let target = Target::read(&made).unwrap();
        assert_eq!(target.put(&new, None).unwrap(), None);
        assert_eq!(
            (fs::read(&made).unwrap().as_slice(), mode(&made)),
            (b"new".as_slice(), 0o600)
        );
        assert_eq!(
            Target::read(&made).unwrap().put(&Outcome::Same, None).unwrap(),
            None
        );
    }
}
