//! The tokens of a thread before a run, from the record that the peer keeps of it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::environment::Environment;
use crate::domain::peer::Peer;
use crate::domain::usage::Usage;
use crate::peer::interface::Counting;
use crate::peer::records;

/// Bytes read from the end of a record: the last counter is among the last lines.
pub(crate) const TAIL_BYTES: u64 = 4 * 1024 * 1024;
/// Day folders looked through, newest first.
const DAYS: usize = 400;
/// Folders of directories that were worked in.
const FOLDERS: usize = 10_000;

/// Returns the total of a thread so far; `None` when its record is not found or tells nothing.
pub fn thread_total(peer: Peer, environment: &Environment, thread: &str) -> Option<Usage> {
    if peer.counting() == Counting::InStream {
        return None;
    }
    let bytes = read_tail(&find_record(environment, thread)?)?;
    // A thread that no model ever answered has a record without a counter.
    let none = ((bytes.len() as u64) < TAIL_BYTES).then(Usage::default);
    records::last_total(bytes.split(|byte| *byte == b'\n')).or(none)
}

/// Finds the record of a thread that can be continued from any directory only by it.
pub(crate) fn record_to_continue(peer: Peer, environment: &Environment, thread: &str) -> Option<PathBuf> {
    let (folder, name) = peer.records_by_name(environment, thread)?;
    let mut folders = entries(&folder);
    folders.truncate(FOLDERS);
    folders
        .into_iter()
        .map(|folder| folder.join(&name))
        .find(|record| record.is_file())
}

/// Finds the record of a thread. A new one is in the newest day folder; a continued one is where it began.
pub(crate) fn find_record(environment: &Environment, thread: &str) -> Option<PathBuf> {
    let home = environment
        .path("CODEX_HOME")
        .or_else(|| environment.path("HOME").map(|home| home.join(".codex")))?;
    newest_days(&home.join("sessions"))
        .into_iter()
        .take(DAYS)
        .find_map(|day| {
            entries(&day).into_iter().find(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| records::is_record_of(name, thread))
            })
        })
}

/// Lists `sessions/YYYY/MM/DD`, newest first.
fn newest_days(sessions: &Path) -> Vec<PathBuf> {
    let mut level = vec![sessions.to_owned()];
    for _ in 0..3 {
        level = level.iter().flat_map(|folder| entries(folder)).collect();
        level.sort_unstable_by(|a, b| b.cmp(a));
        level.truncate(DAYS);
    }
    level
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

fn read_tail(path: &Path) -> Option<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
