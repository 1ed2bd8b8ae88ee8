//! Which prompts of hosts were commands of ours, so that a call can be told from one that nobody asked for.
//!
//! `typed/<hash>` is an empty file, made once for a prompt that was such a command. The name is a hash of the host's own
//! name of the prompt. Nothing of what was typed is kept.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::domain::fingerprint::sha256_hex;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;

/// The folder of the marks.
const TYPED: &str = "typed";
/// Time after which no prompt is worked on any more.
const AGE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// Bytes of a prompt's name. Claude Code uses 36; what is longer is none.
const NAME_BYTES: usize = 128;
/// Marks that are looked at when old ones are swept. Nobody types more within [`AGE`].
const MARKS: usize = 10_000;

fn mark(store: &Store, prompt: &str) -> Option<PathBuf> {
    let is_name = (1..=NAME_BYTES).contains(&prompt.len());
    is_name.then(|| store.root().join(TYPED).join(sha256_hex(prompt.as_bytes())))
}

/// Notes that this prompt is a command of ours. One without a name cannot be told from others and is not noted.
pub fn note(store: &Store, prompt: &str) -> Result<(), StateError> {
    let Some(path) = mark(store, prompt) else {
        return Ok(());
    };
    store.folder(TYPED)?;
    match files::create_new(&path, b"") {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(StateError::io("write", path)(error)),
        _ => Ok(()),
    }
}

/// Tells whether this prompt was noted.
pub fn is_noted(store: &Store, prompt: &str) -> bool {
    mark(store, prompt).is_some_and(|path| fs::symlink_metadata(path).is_ok())
}

/// Deletes the marks of prompts that are long over.
pub fn sweep(store: &Store) {
    let now = SystemTime::now();
    let entries = fs::read_dir(store.root().join(TYPED)).into_iter().flatten();
    for entry in entries.flatten().take(MARKS) {
        let written = entry.metadata().and_then(|about| about.modified());
        if written.is_ok_and(|written| now.duration_since(written).is_ok_and(|since| since >= AGE)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_known_by_its_name_until_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert!(!is_noted(&store, "p1"));
        note(&store, "p1").unwrap();
        note(&store, "p1").unwrap();
        assert!(is_noted(&store, "p1") && !is_noted(&store, "p2"));
        sweep(&store);
        assert!(is_noted(&store, "p1"));
        let long_ago = SystemTime::now() - 2 * AGE;
        let file = fs::File::options()
            .append(true)
            .open(mark(&store, "p1").unwrap())
            .unwrap();
        file.set_modified(long_ago).unwrap();
        sweep(&store);
        assert!(!is_noted(&store, "p1"));
    }

    #[test]
    fn what_is_no_name_is_not_noted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        for name in [String::new(), "x".repeat(NAME_BYTES + 1)] {
            note(&store, &name).unwrap();
            assert!(!is_noted(&store, &name));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made");
    }
}
