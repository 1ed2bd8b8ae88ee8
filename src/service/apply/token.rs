//! The token of a preview: says that nothing it stands for has changed since.
//!
//! It is a hash over a secret of the state directory, the job, what it started from, what would land, and what is at every
//! place now. Whoever has it has seen the preview; it holds for no other job, choice of files or state of them.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::domain::fault::Fault;
use crate::domain::fingerprint::hex;
use crate::domain::job::JobId;
use crate::service::apply::plan::Plan;
use crate::state::error::StateError;
use crate::state::landing::Node;
use crate::state::store::Store;
use crate::sys::files;

/// Bytes of the secret.
const KEY_BYTES: usize = 32;
/// Name of the secret's file.
const KEY: &str = "apply-key";

/// Makes the token of a plan for one working tree.
pub(super) fn token(store: &Store, job: &JobId, top_level: &Path, plan: &Plan) -> Result<String, Fault> {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two lists of parts make the same bytes.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(&key(store)?);
    part(job.as_str().as_bytes());
    part(top_level.as_os_str().as_encoded_bytes());
    part(plan.base.as_str().as_bytes());
    part(plan.result.as_str().as_bytes());
    for file in plan.selection.files.iter().filter(|file| file.can_land()) {
        part(&file.change.path);
    }
    for step in &plan.steps {
        part(&step.path);
        part(told(&step.before).as_bytes());
        match &step.after {
            Some((mode, bytes)) => {
                part(&mode.to_be_bytes());
                part(bytes);
            }
            None => part(b""),
        }
    }
    Ok(hex(&hash.finalize()))
}

fn told(node: &Node) -> String {
    match node {
        Node::Absent => "absent".to_owned(),
        Node::File {
            executable,
            bytes,
            sha256,
        } => format!("file {executable} {bytes} {sha256}"),
        Node::Link { sha256 } => format!("link {sha256}"),
        Node::Folder => "folder".to_owned(),
        Node::Other => "other".to_owned(),
    }
}

/// Returns the secret; the first call makes it, readable by the user alone. Of several first calls at once one wins.
fn key(store: &Store) -> Result<Vec<u8>, Fault> {
    let root = store.root();
    let path = root.join(KEY);
    let read = || files::read_bounded(&path, 2 * KEY_BYTES as u64);
    let known = match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut fresh = [0; KEY_BYTES];
            getrandom::fill(&mut fresh)
                .map_err(|error| StateError::io("make", &path)(io::Error::other(error)))?;
            files::create_private_dir(root).map_err(StateError::io("make", root))?;
            make(root, &path, &fresh).and_then(|()| read())
        }
        known => known,
    };
    let known = known.map_err(StateError::io("read", &path))?;
    if known.len() != KEY_BYTES {
        return Err(StateError::damaged(
            &path,
            "it is no key; delete it, and every preview is to be made anew",
        )
        .into());
    }
    Ok(known)
}

/// Writes it whole under another name and gives it its own only if nobody has it: a reader never sees a part of it.
fn make(root: &Path, path: &Path, fresh: &[u8]) -> io::Result<()> {
    let draft = root.join(format!(".{KEY}-{}", hex(&fresh[..8])));
    files::create_new_content_synced(&draft, fresh)?;
    let made = std::fs::hard_link(&draft, path);
    let _ = std::fs::remove_file(&draft);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| files::sync_dir(root)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_secret_is_made_once_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("state"));
        let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let made: Vec<_> = (0..8).map(|_| scope.spawn(|| key(&store).unwrap())).collect();
            made.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == KEY_BYTES));
        let path = store.root().join(KEY);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(store.root()).unwrap().count(),
            1,
            "no draft is left"
        );
        std::fs::write(&path, "short").unwrap();
        assert_eq!(
            key(&store).unwrap_err().code,
            crate::domain::fault::FaultCode::StateUnavailable
        );
    }
}
