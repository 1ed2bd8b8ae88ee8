//! Groups: the jobs of one delegate call with several tasks or attempts. `groups/<id>.json`, written once, before the first
//! member starts. A group has no state of its own; it follows from its members'.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;

/// Bytes of a record: [`crate::domain::delegation::MEMBERS_MAX`] members take a few kilobytes.
const RECORD_BYTES: u64 = 256 * 1024;
/// How the file of a record ends.
const ENDING: &str = ".json";

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The version of the record.
    pub version: u32,
    /// Its id, of the same form as a job's.
    pub id: JobId,
    /// What it is about.
    pub label: String,
    /// The workspace.
    pub workspace: PathBuf,
    /// Its jobs, by task and attempt.
    pub members: Vec<GroupMember>,
}

/// One job of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// The job.
    pub job: JobId,
    /// The task's id.
    pub task: String,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// Writes a group down.
pub fn create(store: &Store, group: &Group) -> Result<(), StateError> {
    let path = store.folder("groups")?.join(name(&group.id));
    let bytes = serde_json::to_vec(group).map_err(|source| StateError::Damaged {
        path: path.clone(),
        source,
    })?;
    files::write_atomic(&path, &bytes).map_err(StateError::io("write", path))
}

/// Reads a group; `None` when no group has this id.
pub fn read(store: &Store, id: &JobId) -> Result<Option<Group>, StateError> {
    let path = path(store, id);
    let bytes = match files::read_bounded(&path, RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::io("read", path)(error)),
    };
    let group = serde_json::from_slice(&bytes).map_err(|source| StateError::Damaged { path, source })?;
    Ok(Some(group))
}

/// Returns the ids of all groups, newest first, without opening any.
pub fn ids(store: &Store) -> Result<Vec<JobId>, StateError> {
    let folder = folder(store);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::io("list", folder)(error)),
    };
    let id = |name: &str| name.strip_suffix(ENDING)?.parse().ok();
    let mut ids: Vec<JobId> = entries
        .flatten()
        .filter_map(|entry| id(entry.file_name().to_str()?))
        .collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(ids)
}

/// Deletes a group's record; its members' are their own. An absent one is no error.
pub fn delete(store: &Store, id: &JobId) -> Result<(), StateError> {
    let path = path(store, id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::io("delete", path)(error)),
        _ => Ok(()),
    }
}

fn folder(store: &Store) -> PathBuf {
    store.root().join("groups")
}

fn path(store: &Store, id: &JobId) -> PathBuf {
    folder(store).join(name(id))
}

fn name(id: &JobId) -> impl AsRef<Path> {
    format!("{id}{ENDING}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;
    use crate::state::record::VERSION;

    #[test]
    fn a_group_is_read_as_it_was_written_until_it_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("state"));
        let id = |random| JobId::new(1_700_000_000_000, WorkspaceHash::of(b"/w"), random);
        let group = Group {
            version: VERSION,
            id: id(1),
            label: "l".to_owned(),
            workspace: "/w".into(),
            members: vec![GroupMember {
                job: id(2),
                task: "task".to_owned(),
                attempt: 1,
            }],
        };
        assert_eq!(ids(&store).unwrap(), []);
        assert_eq!(read(&store, &group.id).unwrap(), None);
        create(&store, &group).unwrap();
        assert_eq!(read(&store, &group.id).unwrap(), Some(group.clone()));
        assert_eq!(read(&store, &id(2)).unwrap(), None);
        assert_eq!(ids(&store).unwrap(), [group.id.clone()]);
        delete(&store, &group.id).unwrap();
        delete(&store, &group.id).unwrap();
        assert_eq!(ids(&store).unwrap(), []);
    }
}
