//! Groups: the jobs of one delegate call with several tasks or attempts. `groups/<id>.json`, written once, before the first
//! member starts. A group has no state of its own; it follows from its members'.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::delegation::MEMBERS_MAX;
use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::notice::{self, Marks};
use crate::state::store::Store;
use crate::sys::files;

/// The version of the record that is written.
pub const VERSION: u32 = 1;
/// The folder of the groups.
const FOLDER: &str = "groups";
/// Bytes read of one record: sixteen members of some hundred bytes, and a workspace of the longest path.
const RECORD_BYTES: u64 = 256 * 1024;

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
    /// Its jobs, by task and attempt; at most [`MEMBERS_MAX`].
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

/// What of a record must be known before the rest can be trusted.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Writes a group down, whole or not at all. One of the same id is replaced.
pub fn create(store: &Store, group: &Group) -> Result<(), StateError> {
    store.folder(FOLDER)?;
    let path = path(store, &group.id);
    let bytes = serde_json::to_vec(group).map_err(|source| StateError::Damaged {
        path: path.clone(),
        source,
    })?;
    files::write_atomic(&path, &bytes).map_err(StateError::io("write", path))
}

/// Reads a group; `None` when no group has this id. One that a newer version wrote is [`StateError::Newer`].
pub fn read(store: &Store, id: &JobId) -> Result<Option<Group>, StateError> {
    let path = path(store, id);
    let bytes = match files::read_bounded(&path, RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::io("read", path)(error)),
    };
    let damaged = |source| StateError::Damaged {
        path: path.clone(),
        source,
    };
    let versioned: Versioned = serde_json::from_slice(&bytes).map_err(damaged)?;
    if versioned.version > VERSION {
        return Err(StateError::Newer { path });
    }
    let group: Group = serde_json::from_slice(&bytes).map_err(damaged)?;
    if group.id != *id || group.members.len() > MEMBERS_MAX {
        return Err(StateError::damaged(path, "it is not the group of this name"));
    }
    Ok(Some(group))
}

/// Lists the ids of all groups, newest first, without opening any.
pub fn ids(store: &Store) -> Result<Vec<JobId>, StateError> {
    let folder = store.root().join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::io("list", folder)(error)),
    };
    let mut ids: Vec<JobId> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
        .collect();
    ids.sort_unstable_by(|one, other| other.cmp(one));
    Ok(ids)
}

/// Deletes a group's record; its jobs have their own. An absent one is no error.
pub fn delete(store: &Store, id: &JobId) -> Result<(), StateError> {
    let path = path(store, id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StateError::io("delete", path)(error)),
        _ => notice::delete(&marks(store, id)),
    }
}

/// Returns where it is marked that somebody was told of a group's end.
pub fn marks(store: &Store, id: &JobId) -> Marks {
    let folder = store.root().join(FOLDER);
    Marks {
        told: folder.join(format!("{id}.told")),
        mentioned: folder.join(format!("{id}.mentioned")),
    }
}

/// Deletes the groups none of whose jobs exists any more; returns how many.
pub fn sweep(store: &Store) -> usize {
    let is_over = |id: &JobId| {
        let group = read(store, id).ok().flatten();
        group.is_some_and(|group| group.members.iter().all(|member| !store.has(&member.job)))
    };
    // A group is written before its first job, so a young one may have none yet.
    let young = |id: &JobId| id.created_ms() + YOUNG_MS > crate::sys::clock::now_ms();
    let over = ids(store).into_iter().flatten();
    over.filter(|id| !young(id) && is_over(id) && delete(store, id).is_ok())
        .count()
}

/// Milliseconds within which the jobs of a new group appear: submitting sixteen takes seconds.
const YOUNG_MS: u64 = 60 * 60 * 1000;

fn path(store: &Store, id: &JobId) -> PathBuf {
    store.root().join(FOLDER).join(format!("{id}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;

    fn id(time: u64) -> JobId {
        JobId::new(time, WorkspaceHash::of(b"w"), time)
    }

    fn group(time: u64) -> Group {
        Group {
            version: VERSION,
            id: id(time),
            label: "two tasks".to_owned(),
            workspace: "/w".into(),
            members: vec![GroupMember {
                job: id(time + 1),
                task: "a".to_owned(),
                attempt: 1,
            }],
        }
    }

    #[test]
    fn a_group_is_read_as_it_was_written_until_it_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert_eq!(read(&store, &id(1)).unwrap(), None);
        assert_eq!(ids(&store).unwrap(), []);
        for time in [1, 5, 3] {
            create(&store, &group(time)).unwrap();
        }
        assert_eq!(ids(&store).unwrap(), [id(5), id(3), id(1)]);
        assert_eq!(read(&store, &id(3)).unwrap(), Some(group(3)));
        delete(&store, &id(3)).unwrap();
        delete(&store, &id(3)).unwrap();
        assert_eq!(read(&store, &id(3)).unwrap(), None);
    }

    #[test]
    fn what_is_no_group_of_this_version_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        create(&store, &group(1)).unwrap();
        let check = |bytes: &[u8], expected: fn(&StateError) -> bool| {
            fs::write(path(&store, &id(1)), bytes).unwrap();
            let error = read(&store, &id(1)).unwrap_err();
            assert!(expected(&error), "{error:?}");
        };
        check(b"{", StateError::is_damage);
        check(br#"{"version":2}"#, |error| {
            matches!(error, StateError::Newer { .. })
        });
        check(&serde_json::to_vec(&group(2)).unwrap(), StateError::is_damage);
        check(&vec![b' '; 300 * 1024], StateError::is_damage);
    }

    #[test]
    fn a_group_goes_with_its_last_job() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let young = group(crate::sys::clock::now_ms());
        for group in [&group(1), &group(10), &young] {
            create(&store, group).unwrap();
        }
        fs::create_dir_all(store.directory(&id(11)).path()).unwrap();
        assert_eq!(sweep(&store), 1);
        assert_eq!(ids(&store).unwrap(), [young.id, id(10)]);
    }
}
