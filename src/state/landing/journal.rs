//! One landing on disk: `landings/<time>-<job>/{journal.json, before/<n>, staged, landed, swept, undone, late/<n>, undo/}`.
//!
//! The journal is whole and synced before anything in the working tree changes. What a landing is follows from which of
//! the marks beside it exist; each is written once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::Node;
use crate::state::repositories::RepositoryFolder;
use crate::sys::files;

/// The version of the format that this program writes.
const VERSION: u32 = 1;

/// Files of one landing: more than any repository that can be worked in has.
pub(super) const FILES: usize = 200_000;

/// Bytes of a journal that are read: about a kilobyte for each of the files.
const JOURNAL_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of a list of paths that are read.
const LEFT_BYTES: u64 = 64 * 1024 * 1024;

/// Digits of the time in a folder's name, so that names sort as times do until the year 2286.
const TIME_DIGITS: usize = 13;

/// Names in a landing's folder.
pub(super) const JOURNAL: &str = "journal.json";
/// Folder of what the files were.
pub(super) const BEFORE: &str = "before";
/// Everything new lies beside its target, whole.
pub(super) const STAGED: &str = "staged";
/// Everything is in place.
pub(super) const LANDED: &str = "landed";
/// What was replaced is deleted from the working tree.
pub(super) const SWEPT: &str = "swept";
/// It was taken back, and what could not be is listed in [`LEFT`].
pub(super) const UNDONE: &str = "undone";
/// The paths that could not be put back.
pub(super) const LEFT: &str = "left.json";
/// Folder of what somebody else wrote while the landing went on.
pub(super) const LATE: &str = "late";
/// Folder of the journal of the undo.
pub(super) const UNDO: &str = "undo";

/// One file of a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its path below the top of the working tree.
    #[serde(with = "path_bytes")]
    pub path: Vec<u8>,
    /// What was there.
    pub before: Node,
    /// What was put there.
    pub after: Node,
}

/// A landing as its journal tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its folder.
    pub folder: PathBuf,
    /// The job whose result it is.
    pub job: JobId,
    /// The working tree it is in.
    pub top_level: PathBuf,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its files.
    pub sides: Vec<Side>,
    /// How far it got.
    pub state: LandingState,
    /// Files that somebody else changed meanwhile and that are left as they are; what they were is in the folder's
    /// `before`, numbered as in its journal.
    pub left: Vec<Vec<u8>>,
}

/// How far a landing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandingState {
    /// It was begun; whoever began it was killed unless they hold the repository's lock.
    Begun,
    /// All of it is in place.
    Landed,
    /// It was taken back.
    Undone,
}

/// What was at a path, beyond its content, so that it can be put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The number of the file in `before` that holds the bytes or the link's text.
    pub number: usize,
    /// Permission bits; absent where only git's mode is known.
    pub mode: Option<u32>,
    /// When it was changed last, seconds and nanoseconds; absent where that is not known.
    pub modified: Option<(i64, u32)>,
}

/// One path of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What it is about.
    #[serde(flatten)]
    pub side: Side,
    /// Where the new content waits, and then the earlier one.
    #[serde(with = "path_bytes")]
    pub temporary: Vec<u8>,
    /// The earlier content; absent where nothing or a folder was.
    pub kept: Option<Kept>,
}

/// A folder that a landing removes because it leaves it empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removed {
    /// Its path.
    #[serde(with = "path_bytes")]
    pub path: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// A folder that a landing makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// Its path.
    #[serde(with = "path_bytes")]
    pub path: Vec<u8>,
    /// Its permission bits; without them those that the process's umask leaves.
    pub mode: Option<u32>,
}

/// A path in a list.
#[derive(Serialize, Deserialize)]
struct Listed(#[serde(with = "path_bytes")] Vec<u8>);

/// The journal as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    version: u32,
    /// The job.
    pub job: JobId,
    /// The top of the working tree.
    #[serde(with = "path_bytes")]
    top_level: Vec<u8>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// The paths.
    pub entries: Vec<Entry>,
    /// Folders that go, deepest first.
    pub removed: Vec<Removed>,
    /// Folders that come, outermost first.
    pub made: Vec<Made>,
    /// Whether somebody else made the change, so that it is not known which folders came with it.
    #[serde(default)]
    pub is_adopted: bool,
}

impl Journal {
    /// Begins a journal without paths.
    pub(super) fn new(job: JobId, top_level: &Path, at_ms: u64) -> Self {
        Self {
            version: VERSION,
            job,
            top_level: top_level.as_os_str().as_encoded_bytes().to_vec(),
            at_ms,
            entries: Vec::new(),
            removed: Vec::new(),
            made: Vec::new(),
            is_adopted: false,
        }
    }

    /// Returns the top of the working tree.
    pub(super) fn top_level(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        PathBuf::from(std::ffi::OsStr::from_bytes(&self.top_level))
    }

    /// Writes it, synced.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StateError> {
        let path = folder.join(JOURNAL);
        let text = serde_json::to_vec(self).map_err(|source| StateError::Damaged {
            path: path.clone(),
            source,
        })?;
        files::create_new_synced(&path, &text).map_err(StateError::io("write", path))
    }

    /// Reads it. One that a newer version wrote is [`StateError::Newer`].
    pub(super) fn read(folder: &Path) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let path = folder.join(JOURNAL);
        let text = files::read_bounded(&path, JOURNAL_BYTES).map_err(StateError::io("read", &path))?;
        let damaged = |source| StateError::Damaged {
            path: path.clone(),
            source,
        };
        let versioned: Versioned = serde_json::from_slice(&text).map_err(damaged)?;
        if versioned.version > VERSION {
            return Err(StateError::Newer { path });
        }
        serde_json::from_slice(&text).map_err(damaged)
    }
}

impl Landing {
    /// Reads one from its folder.
    pub(super) fn read(folder: &Path) -> Result<Self, StateError> {
        Ok(Self::of(&Journal::read(folder)?, folder))
    }

    /// Tells a journal as a landing; its state follows from the marks.
    pub(super) fn of(journal: &Journal, folder: &Path) -> Self {
        let state = if has(folder, UNDONE) {
            LandingState::Undone
        } else if has(folder, LANDED) {
            LandingState::Landed
        } else {
            LandingState::Begun
        };
        Self {
            folder: folder.to_owned(),
            job: journal.job.clone(),
            top_level: journal.top_level(),
            at_ms: journal.at_ms,
            sides: journal.entries.iter().map(|entry| entry.side.clone()).collect(),
            state,
            left: read_left(folder),
        }
    }

    /// Tells whether two landings have to do with the same files: one path is the other's, or lies below it.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let below = |inner: &[u8], outer: &[u8]| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        let mut paths: Vec<(&[u8], bool)> = self
            .sides
            .iter()
            .map(|side| (side.path.as_slice(), true))
            .collect();
        paths.extend(other.sides.iter().map(|side| (side.path.as_slice(), false)));
        paths.sort_unstable();
        // In sorted order a path's neighbours may be strangers such as `a-b` between `a` and `a/b`, so all outer paths that
        // are still open are kept.
        let mut open: Vec<(&[u8], bool)> = Vec::new();
        for (path, whose) in paths {
            if open
                .iter()
                .any(|(outer, owner)| *owner != whose && below(path, outer))
            {
                return true;
            }
            open.retain(|(outer, _)| path.starts_with(outer));
            open.push((path, whose));
        }
        false
    }
}

/// Tells whether a mark is there.
pub(super) fn has(folder: &Path, mark: &str) -> bool {
    folder.join(mark).symlink_metadata().is_ok()
}

/// Sets a mark, synced. One that is there stays.
pub(super) fn mark(folder: &Path, mark: &str) -> Result<(), StateError> {
    let path = folder.join(mark);
    match files::create_new_synced(&path, b"") {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StateError::io("write", path)(error))
        }
        _ => Ok(()),
    }
}

/// Lists the paths that stay as somebody else made them.
pub(super) fn write_left(folder: &Path, left: &[Vec<u8>]) -> Result<(), StateError> {
    let path = folder.join(LEFT);
    let list: Vec<Listed> = left.iter().cloned().map(Listed).collect();
    let text = serde_json::to_vec(&list).map_err(|source| StateError::Damaged {
        path: path.clone(),
        source,
    })?;
    files::write_atomic(&path, &text).map_err(StateError::io("write", path))
}

fn read_left(folder: &Path) -> Vec<Vec<u8>> {
    let list = files::read_bounded(&folder.join(LEFT), LEFT_BYTES).unwrap_or_default();
    let list: Vec<Listed> = serde_json::from_slice(&list).unwrap_or_default();
    list.into_iter().map(|Listed(path)| path).collect()
}

/// Makes the folder of a new landing. Its time is never before that of an earlier one, whatever the clock says, so that the
/// order of names is the order in which things happened.
pub(super) fn new_folder(
    repository: &RepositoryFolder,
    job: &JobId,
    now_ms: u64,
) -> Result<(PathBuf, u64), StateError> {
    let landings = repository.landings_path();
    repository.refuse_link(&landings)?;
    files::create_private_dir(&landings).map_err(StateError::io("make", &landings))?;
    let newest = folders(repository)?.first().and_then(|folder| {
        folder
            .file_name()?
            .to_str()?
            .get(..TIME_DIGITS)?
            .parse::<u64>()
            .ok()
    });
    let at_ms = newest.map_or(now_ms, |newest| now_ms.max(newest + 1));
    let folder = landings.join(format!("{at_ms:013}-{job}"));
    files::create_private_dir(&folder.join(BEFORE)).map_err(StateError::io("make", &folder))?;
    files::sync_dir(&landings).map_err(StateError::io("write", &landings))?;
    Ok((folder, at_ms))
}

/// Lists the folders of landings, newest first; none where nothing ever landed.
pub(super) fn folders(repository: &RepositoryFolder) -> Result<Vec<PathBuf>, StateError> {
    let path = repository.landings_path();
    repository.refuse_link(&path)?;
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::io("list", path)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StateError::io("list", &path))?;
        // We make folders alone; what a link leads to is not ours to take back or to delete.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let name = entry.file_name();
        let time = name.to_str().and_then(|name| name.get(..TIME_DIGITS));
        if time.is_some_and(|time| time.bytes().all(|byte| byte.is_ascii_digit())) {
            found.push(path.join(name));
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    Ok(found)
}

/// Paths as text where they are text, so that a person can read a journal; else as numbers.
mod path_bytes {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(path: &[u8], out: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(path) {
            Ok(text) => text.serialize(out),
            Err(_) => path.serialize(out),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Form::deserialize(from)? {
            Form::Text(text) => text.into_bytes(),
            Form::Bytes(bytes) => bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landing(paths: &[&str]) -> Landing {
        Landing {
            folder: PathBuf::new(),
            job: "01m7yptqjp-t9cew2-8rhn17gx15".parse().unwrap(),
            top_level: PathBuf::new(),
            at_ms: 0,
            sides: paths
                .iter()
                .map(|path| Side {
                    path: path.as_bytes().to_vec(),
                    before: Node::Absent,
                    after: Node::Absent,
                })
                .collect(),
            state: LandingState::Landed,
            left: Vec::new(),
        }
    }

    #[test]
    fn a_file_and_a_folder_of_its_name_are_the_same_files() {
        let check = |one: &[&str], other: &[&str], expected: bool| {
            let (one, other) = (landing(one), landing(other));
            assert_eq!(one.overlaps(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.overlaps(&one), expected, "{one:?} {other:?}");
        };
        check(&["a"], &["b"], false);
        check(&["a", "b"], &["c", "b"], true);
        check(&["a"], &["a/b"], true);
        check(&["a", "a-b"], &["a/b"], true);
        check(&["a-b"], &["a/b", "a"], false);
        check(&["ab"], &["a"], false);
        check(&[], &["a"], false);
    }

    #[test]
    fn a_journal_comes_back_as_it_was_written_and_a_newer_one_is_not_guessed_at() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(landing(&[]).job, Path::new("/a \"b\""), 7);
        journal.entries.push(Entry {
            side: Side {
                path: b"odd\xff\nname".to_vec(),
                before: Node::Absent,
                after: Node::of(0o100_644, b"x"),
            },
            temporary: b".crosscheck-1".to_vec(),
            kept: Some(Kept {
                number: 3,
                mode: Some(0o640),
                modified: Some((-1, 5)),
            }),
        });
        journal.removed.push(Removed {
            path: b"a".to_vec(),
            mode: 0o2775,
        });
        journal.made.push(Made {
            path: b"b".to_vec(),
            mode: None,
        });
        journal.write(dir.path()).unwrap();
        assert_eq!(Journal::read(dir.path()).unwrap(), journal);
        let path = dir.path().join(JOURNAL);
        fs::write(&path, br#"{"version":2,"unknown":[]}"#).unwrap();
        assert!(matches!(Journal::read(dir.path()), Err(StateError::Newer { .. })));
        fs::write(&path, br#"{"version":1}"#).unwrap();
        assert!(matches!(
            Journal::read(dir.path()),
            Err(StateError::Damaged { .. })
        ));
    }
}
