//! Records a change that is in the user's files already, so that it can be undone like one that landed.

use std::path::Path;

use crate::domain::job::JobId;
use crate::state::error::StateError;
use crate::state::landing::journal::{self, BEFORE, Entry, Journal, Kept, LANDED, SWEPT, Side};
use crate::state::landing::land::take_lock;
use crate::state::landing::node::look_below;
use crate::state::landing::recover::recover_held;
use crate::state::landing::swap::Pace;
use crate::state::landing::{LandError, Landing, Node};
use crate::state::repositories::RepositoryFolder;
use crate::sys::confined::Top;
use crate::sys::files;

/// One file of such a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its path below the top of the working tree.
    pub path: Vec<u8>,
    /// What was there: mode as git writes it, and the bytes of the file or of the link; absent when nothing was.
    pub before: Option<(u32, Vec<u8>)>,
}

/// Records it as landed; what is in the files now counts as what was put there. Files that are now what they were are not
/// recorded. An undo restores the bytes; of the permission bits it knows the right to execute alone.
pub fn adopt(
    repository: &RepositoryFolder,
    top_level: &Path,
    job: &JobId,
    files: &[Adopted],
    now_ms: u64,
) -> Result<Landing, LandError> {
    let _lock = take_lock(repository)?;
    recover_held(repository, Pace::STRAIGHT)?;
    let unreadable = |source| LandError::Io {
        source,
        not_restored: Vec::new(),
    };
    let top = Top::open(top_level).map_err(unreadable)?;
    let (folder, at_ms) = journal::new_folder(repository, job, now_ms)?;
    let mut journal = Journal::new(job.clone(), top_level, at_ms);
    journal.is_adopted = true;
    let written = write(&folder, &mut journal, &top, files);
    if let Err(error) = written {
        let _ = std::fs::remove_dir_all(&folder);
        return Err(error);
    }
    Ok(Landing::read(&folder)?)
}

fn write(folder: &Path, journal: &mut Journal, top: &Top, files: &[Adopted]) -> Result<(), LandError> {
    for adopted in files {
        let before = adopted
            .before
            .as_ref()
            .map_or(Node::Absent, |(mode, bytes)| Node::of(*mode, bytes));
        let after = look_below(top, &adopted.path).map_err(|source| LandError::Io {
            source,
            not_restored: Vec::new(),
        })?;
        if before == after {
            continue;
        }
        let number = journal.entries.len();
        let mut kept = None;
        if let Some((_, bytes)) = &adopted.before {
            let path = folder.join(BEFORE).join(number.to_string());
            files::create_new_content_synced(&path, bytes).map_err(StateError::io("write", path))?;
            kept = Some(Kept {
                number,
                mode: None,
                modified: None,
            });
        }
        journal.entries.push(Entry {
            side: Side {
                path: adopted.path.clone(),
                before,
                after,
            },
            temporary: Vec::new(),
            kept,
        });
    }
    let before = folder.join(BEFORE);
    files::sync_dir(&before).map_err(StateError::io("write", before))?;
    journal.write(folder)?;
    // Without the first mark it counts as begun and nothing staged, and is forgotten; the second only saves a look.
    for name in [LANDED, SWEPT] {
        journal::mark(folder, name)?;
    }
    Ok(())
}
