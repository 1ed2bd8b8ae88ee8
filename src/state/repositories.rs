//! What is kept for each repository of the user's: its vault, its worktrees, and what landed in it.
//!
//! `repos/<key>/{origin, git/, trees/, landings/, lock}`; the key is a hash of the git directory that all worktrees of the
//! repository share, so every working tree of it finds the same.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::domain::fingerprint::sha256_hex;
use crate::git::{Git, GitError, Repository, Vault, common_directory};
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;

/// Characters of a key: 80 bits, so that two repositories never meet.
const KEY_CHARS: usize = 20;
/// The folder of them all.
const FOLDER: &str = "repos";
/// Bytes of a path.
const ORIGIN_BYTES: u64 = 64 * 1024;

fn key(common_directory: &Path) -> String {
    let mut digest = sha256_hex(common_directory.as_os_str().as_encoded_bytes());
    digest.truncate(KEY_CHARS);
    digest
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_symlink())
}

/// The folder of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryFolder(PathBuf);

impl RepositoryFolder {
    /// Names the folder of the repository with this common git directory; makes nothing.
    pub fn of(store: &Store, common_directory: &Path) -> Self {
        Self(store.root().join(FOLDER).join(key(common_directory)))
    }

    /// Returns all there are.
    pub fn all(store: &Store) -> Result<Vec<Self>, StateError> {
        let folder = store.root().join(FOLDER);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StateError::io("list", folder)(error)),
        };
        let is_key =
            |name: &str| name.len() == KEY_CHARS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut all: Vec<Self> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_key))
            .map(|entry| Self(entry.path()))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(all)
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Tells whether a folder is a working tree of this repository, as far as files tell: whoever plants a record of ours
    /// must not make us write elsewhere.
    pub fn has_working_tree(&self, top_level: &Path) -> bool {
        let common = common_directory(top_level);
        common.is_some_and(|common| {
            self.0
                .file_name()
                .is_some_and(|name| name == key(&common).as_str())
        })
    }

    /// Refuses a folder of this repository's in whose place a link lies: what it leads to is not ours to write.
    pub(in crate::state) fn refuse_link(&self, path: &Path) -> Result<(), StateError> {
        if [self.0.as_path(), path].into_iter().any(is_link) {
            return Err(StateError::damaged(path, "a link is in its place"));
        }
        Ok(())
    }

    /// Where the vault is.
    pub fn git_path(&self) -> PathBuf {
        self.0.join("git")
    }

    /// Held by whoever packs or prunes the vault.
    pub fn lock_path(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Returns the path of the repository, for people; it may be gone. Nothing when it was not written down.
    pub fn origin(&self) -> Option<PathBuf> {
        let bytes = files::read_bounded(&self.0.join("origin"), ORIGIN_BYTES).ok()?;
        Some(PathBuf::from(OsString::from_vec(bytes)))
    }

    /// Where the worktrees are.
    pub fn trees_path(&self) -> PathBuf {
        self.0.join("trees")
    }

    /// What landed in the user's working trees.
    pub fn landings_path(&self) -> PathBuf {
        self.0.join("landings")
    }

    /// Opens the vault, making folder and vault when they are absent. `origin` keeps the repository's path for people.
    pub fn open_vault(&self, repository: &Repository) -> Result<Vault, GitError> {
        let file =
            |action: &'static str, path: PathBuf| move |source| GitError::File { action, path, source };
        self.refuse_linked_vault()?;
        files::create_private_dir(&self.0).map_err(file("create", self.0.clone()))?;
        let vault = Vault::open(repository, &self.0)?;
        let top = repository.top_level();
        if self.origin().as_deref() != Some(top) {
            let path = self.0.join("origin");
            files::write_atomic(&path, top.as_os_str().as_bytes()).map_err(file("write", path))?;
        }
        Ok(vault)
    }

    /// Opens a vault that is there.
    pub fn vault(&self, git: &Git) -> Result<Vault, GitError> {
        self.refuse_linked_vault()?;
        Vault::existing(git, &self.0)
    }

    fn refuse_linked_vault(&self) -> Result<(), GitError> {
        let path = self.git_path();
        if is_link(&self.0) || is_link(&path) {
            let source = std::io::Error::from(ErrorKind::NotADirectory);
            return Err(GitError::File {
                action: "use",
                path,
                source,
            });
        }
        Ok(())
    }
}
