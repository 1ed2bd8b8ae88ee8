//! Lets go of what the repositories' folders hold for jobs whose records are gone.
//!
//! A job's refs keep what it started from and what came of it, as long as its record does. Landings have refs of their own,
//! which are theirs to delete. Nothing of the user's repository is touched.

use std::collections::BTreeSet;

use crate::domain::job::JobId;
use crate::git::{Git, GitError, Vault};
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::state::{groups, quarantine, trees};
use crate::sys::clock;
use crate::sys::lock::HeldLock;

/// Milliseconds from the making of a job's id within which its record appears: its refs are set first.
const YOUNG_MS: u64 = 60 * 60 * 1000;
/// The refs of jobs.
const JOBS: &str = "refs/jobs";

/// Deletes refs, worktrees and groups of jobs that do not exist any more, finishes deletions that were cut off, and prunes
/// a vault that has grown large while nobody works. What fails is logged and tried again after the next job. Blocks.
pub fn release_gone(store: &Store, git: &Git) {
    groups::sweep(store);
    for repository in RepositoryFolder::all(store).into_iter().flatten() {
        trees::sweep(&repository);
        // One that was never made whole, or belongs to a newer version.
        let Ok(vault) = repository.vault(git) else {
            continue;
        };
        if let Err(error) = release(store, &repository, &vault) {
            tracing::warn!(%error, "what a deleted job kept is not released yet");
        }
    }
}

fn release(store: &Store, repository: &RepositoryFolder, vault: &Vault) -> Result<(), GitError> {
    let names = vault.list_refs(JOBS)?;
    let jobs: BTreeSet<JobId> = names
        .iter()
        .filter_map(|name| name.strip_prefix(JOBS)?.split('/').nth(1)?.parse().ok())
        .collect();
    for job in jobs.iter().filter(|job| is_gone(store, job)) {
        vault.delete_refs(&format!("{JOBS}/{job}"))?;
    }
    trees::release(repository, |job| is_gone(store, job));
    if vault.is_large() {
        prune(store, repository, vault)?;
    }
    Ok(())
}

fn is_gone(store: &Store, job: &JobId) -> bool {
    let is_young = job.created_ms().saturating_add(YOUNG_MS) > clock::now_ms();
    !is_young && !store.has(job) && quarantine::place_of(store, job).is_none()
}

/// Prunes a vault that nobody works with: a running job of any repository, or one that prunes already, is reason enough to
/// leave it for later.
fn prune(store: &Store, repository: &RepositoryFolder, vault: &Vault) -> Result<(), GitError> {
    let Ok(Some(_lock)) = HeldLock::try_take(&repository.lock_path()) else {
        return Ok(());
    };
    if store.list_active(1).is_ok_and(|active| active.is_empty()) {
        vault.prune()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;
    use crate::git::{Environment, Head, Oid};
    use crate::state::trees::HeldTree;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    struct World {
        dir: tempfile::TempDir,
        store: Store,
        git: Git,
        repository: RepositoryFolder,
        vault: Vault,
        start: Oid,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let user = dir.path().join("user");
            fs::create_dir(&user).unwrap();
            let path = std::env::var_os("PATH").unwrap();
            let run = |arguments: &[&str]| {
                let mut command = Command::new("git");
                command.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"]);
                command
                    .args(arguments)
                    .current_dir(&user)
                    .env_clear()
                    .env("PATH", &path);
                let output = command.output().unwrap();
                assert!(output.status.success(), "{output:?}");
            };
            run(&["init", "-q"]);
            run(&["commit", "-q", "--allow-empty", "-m", "one"]);
            let git = Git::locate(Environment::new([("PATH".into(), path.clone())])).unwrap();
            let found = git.discover(&user).unwrap();
            let Head::Born { oid: start, .. } = found.head().clone() else {
                panic!("there is a commit")
            };
            let store = Store::at(dir.path().join("state"));
            let repository = RepositoryFolder::of(&store, found.common_directory());
            let vault = repository.open_vault(&found).unwrap();
            Self {
                dir,
                store,
                git,
                repository,
                vault,
                start,
            }
        }

        /// Has a job start and end, with a worktree that it gives back and a ref.
        fn work(&self, job: &JobId) {
            let held = HeldTree::take(&self.repository, &self.vault, job, &self.start, None).unwrap();
            self.vault
                .set_ref(&format!("refs/jobs/{job}/base"), &self.start)
                .unwrap();
            assert!(held.give_back().wait(std::time::Duration::from_secs(30)));
        }

        fn refs(&self) -> Vec<String> {
            self.vault.list_refs("refs").unwrap()
        }

        fn loose(&self) -> usize {
            let folders = fs::read_dir(self.repository.git_path().join("objects")).unwrap();
            let two = folders.flatten().filter(|entry| entry.file_name().len() == 2);
            two.map(|entry| fs::read_dir(entry.path()).unwrap().count()).sum()
        }
    }

    fn id(time: u64) -> JobId {
        JobId::new(time, WorkspaceHash::of(b"w"), time)
    }

    #[test]
    fn what_a_deleted_job_kept_is_released_and_nothing_else() {
        let world = World::new();
        let (old, kept, young) = (id(1), id(2), id(clock::now_ms()));
        fs::create_dir_all(world.store.directory(&kept).path()).unwrap();
        for job in [&old, &kept, &young] {
            let base = format!("refs/jobs/{job}/base");
            world.vault.set_ref(&base, &world.start).unwrap();
        }
        world.vault.set_ref("refs/landings/x", &world.start).unwrap();
        world.work(&old);
        release_gone(&world.store, &world.git);
        let expected = [
            format!("refs/jobs/{kept}/base"),
            format!("refs/jobs/{young}/base"),
            "refs/landings/x".to_owned(),
        ];
        assert_eq!(world.refs(), expected);
        assert_eq!(trees::list(&world.repository).unwrap(), []);
        world.work(&kept);
        release_gone(&world.store, &world.git);
        assert_eq!(trees::list(&world.repository).unwrap().len(), 1);
        assert!(world.dir.path().join("user/.git/HEAD").exists());
    }

    #[test]
    fn useless_objects_go_once_they_are_many_and_old() {
        let world = World::new();
        let tree = world.vault.tree_of(&world.start).unwrap();
        let [useless, young, kept] =
            ["a", "b", "c"].map(|text| world.vault.commit(&tree, &[], text).unwrap());
        world.vault.set_ref("refs/jobs/x/base", &kept).unwrap();
        let object = |oid: &Oid| {
            let (folder, name) = oid.as_str().split_at(2);
            world
                .repository
                .git_path()
                .join("objects")
                .join(folder)
                .join(name)
        };
        let age = |path: &Path| {
            let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(400_000);
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(path, permissions).unwrap();
            fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
        };
        for oid in [&useless, &kept] {
            age(&object(oid));
        }
        let before = world.loose();
        release_gone(&world.store, &world.git);
        assert_eq!(world.loose(), before, "few are left alone");
        let sample = world.repository.git_path().join("objects/17");
        let _ = fs::create_dir(&sample);
        let number = |number: u32| format!("{number:038x}");
        for at in 0..30 {
            fs::write(sample.join(number(at)), "").unwrap();
            // Git looks into young ones, and these are no objects.
            age(&sample.join(number(at)));
        }
        release_gone(&world.store, &world.git);
        assert!(!object(&useless).exists());
        assert!(object(&young).exists() && object(&kept).exists());
        let pack = world.repository.git_path().join("objects/pack/pack-x.pack");
        fs::write(&pack, "").unwrap();
        age(&pack);
        world.vault.prune().unwrap();
        assert!(pack.exists(), "something is still named");
        world.vault.delete_refs("refs").unwrap();
        world.vault.prune().unwrap();
        assert!(!pack.exists() && !object(&kept).exists() && object(&young).exists());
    }
}
