//! Whether locks work where the jobs are kept. Without them a dead job looks alive, or two workers own one job, so no job
//! is started there.

use rustix::io::Errno;

use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::lock::HeldLock;
use crate::sys::mounts::{Mount, mount_of};

/// Held for a moment by whoever tries the locks.
const PROBE: &str = "lock-probe";

/// Tries the locks of the state directory, which is made if it is absent. Takes microseconds, so it is done before each
/// job: a folder may be mounted elsewhere tomorrow.
pub fn check(store: &Store) -> Result<(), StateError> {
    store.folder("jobs")?;
    if let Some(why) = broken_by_mount(store) {
        return Err(refused(store, why));
    }
    let path = store.root().join(PROBE);
    let take = || {
        HeldLock::try_take(&path).map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                refused(store, format!("it refuses them: {error}"))
            }
            _ => StateError::io("lock", &path)(error),
        })
    };
    let held = take()?;
    // Somebody else who tries just now has shut us out already, which is all that is to be shown.
    if held.is_some() && take()?.is_some() {
        return Err(refused(store, "two can hold one lock there".to_owned()));
    }
    Ok(())
}

/// Says why the locks of the state directory hold nobody off, as far as its mount tells. Touches nothing.
pub fn broken_by_mount(store: &Store) -> Option<String> {
    let is_nfs = rustix::fs::statfs(store.root()).is_ok_and(|about| is_nfs_magic(&about));
    // The table of mounts is read only where it matters: this is asked before each job.
    if !is_nfs {
        return None;
    }
    mount_of(store.root()).and_then(|mount| local_locks(&mount))
}

#[cfg(target_os = "linux")]
fn is_nfs_magic(about: &rustix::fs::StatFs) -> bool {
    about.f_type == rustix::fs::NFS_SUPER_MAGIC
}

#[cfg(not(target_os = "linux"))]
fn is_nfs_magic(_about: &rustix::fs::StatFs) -> bool {
    false
}

/// A lock on a mount with local locks is known to this machine alone: another one would hold it too.
fn local_locks(mount: &Mount) -> Option<String> {
    let local = ["nolock", "local_lock=flock", "local_lock=all"];
    let option = mount
        .options
        .iter()
        .find(|option| local.contains(&option.as_str()))?;
    let nfs = matches!(mount.kind.as_str(), "nfs" | "nfs4");
    nfs.then(|| format!("it is mounted with `{option}`, so two machines could hold one lock"))
}

fn refused(store: &Store, why: String) -> StateError {
    StateError::NoLocks {
        path: store.root().to_owned(),
        kind: mount_of(store.root()).map(|mount| mount.kind),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::{Fault, FaultCode};

    #[test]
    fn a_local_disk_has_locks_also_while_somebody_tries_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("state"));
        check(&store).unwrap();
        let _held = HeldLock::try_take(&store.root().join(PROBE)).unwrap().unwrap();
        check(&store).unwrap();
    }

    #[test]
    fn a_network_disk_with_local_locks_is_none_for_jobs() {
        let check = |kind: &str, options: &[&str], expected: bool| {
            let mount = Mount {
                point: "/home".into(),
                kind: kind.to_owned(),
                options: options.iter().map(|option| (*option).to_owned()).collect(),
            };
            assert_eq!(local_locks(&mount).is_some(), expected, "{mount:?}");
        };
        check("nfs", &["rw", "nolock"], true);
        check("nfs", &["rw", "local_lock=flock"], true);
        check("nfs4", &["local_lock=all"], true);
        check("nfs", &["local_lock=none"], false);
        check("nfs", &["local_lock=posix"], false);
        check("ext4", &["nolock"], false);
    }

    #[test]
    fn a_refusal_names_the_place_the_file_system_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let fault = Fault::from(refused(&store, "it refuses them".to_owned()));
        assert_eq!(fault.code, FaultCode::StateUnavailable);
        assert!(fault.message.contains(&dir.path().display().to_string()));
        if cfg!(target_os = "linux") {
            let kind = mount_of(dir.path()).unwrap().kind;
            assert!(fault.message.contains(&format!("({kind})")), "{}", fault.message);
        }
        assert!(fault.repair.hint.contains("CROSSCHECK_STATE_DIR"));
    }
}
