//! The git directory of ours that lasts.

use crate::setup::{Setup, make_fifo, with_a_commit, with_each_git};
use crosscheck::git::{GitError, Head, Oid, Vault};

/// Opens the vault of the repository.
pub(crate) fn open(setup: &Setup) -> Vault {
    Vault::open(&setup.repository(), &setup.folder().join("vault")).unwrap()
}

pub(crate) fn head(setup: &Setup) -> Oid {
    let Head::Born { oid, .. } = setup.repository().head().clone() else {
        panic!("there is a commit")
    };
    oid
}

#[test]
fn a_ref_holds_a_commit_until_it_is_deleted() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let head = head(setup);
        let tree = vault.tree_of(&head).unwrap();
        let commit = vault.commit(&tree, &[&head], "of ours\n").unwrap();
        assert_eq!(vault.read_ref("refs/jobs/a/base").unwrap(), None);
        for name in ["refs/jobs/a/base", "refs/jobs/a/result", "refs/jobs/ab/base"] {
            vault.set_ref(name, &commit).unwrap();
        }
        assert_eq!(
            vault.read_ref("refs/jobs/a/base").unwrap().as_ref(),
            Some(&commit)
        );
        assert_eq!(
            vault.list_refs("refs/jobs/a").unwrap(),
            ["refs/jobs/a/base", "refs/jobs/a/result"]
        );
        vault.delete_refs("refs/jobs/a/").unwrap();
        vault.delete_refs("refs/jobs/a").unwrap();
        assert_eq!(vault.list_refs("refs").unwrap(), ["refs/jobs/ab/base"]);
        // The user's repository has neither the ref nor the commit.
        let (is_there, _) = setup.try_run_in(&setup.top(), &["cat-file", "-e", commit.as_str()]);
        assert!(!is_there);
        assert_eq!(setup.run(&["for-each-ref", "refs/jobs"]), b"");
    });
}

#[test]
fn a_vault_outlives_its_repository() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let tree = vault.tree_of(&head(setup)).unwrap();
        let commit = vault.commit(&tree, &[], "kept\n").unwrap();
        vault.set_ref("refs/jobs/a/base", &commit).unwrap();
        std::fs::remove_dir_all(setup.top()).unwrap();
        let folder = setup.folder().join("vault");
        let vault = Vault::existing(&setup.git, &folder).unwrap();
        assert_eq!(vault.read_ref("refs/jobs/a/base").unwrap(), Some(commit));
        assert!(Vault::existing(&setup.git, &setup.folder().join("absent")).is_err());
    });
}

#[test]
fn locks_of_a_killed_git_keep_nobody_out() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let commit = head(setup);
        vault.set_ref("refs/jobs/b/base", &commit).unwrap();
        let directory = setup.folder().join("vault/git");
        std::fs::create_dir_all(directory.join("refs/jobs/a")).unwrap();
        for left in [
            "refs/jobs/a/result.lock",
            "refs/jobs/b/base.lock",
            "packed-refs.lock",
        ] {
            std::fs::write(directory.join(left), "").unwrap();
        }
        // Each waits for as long as git does for a lock that somebody may hold.
        std::thread::scope(|threads| {
            threads.spawn(|| vault.set_ref("refs/jobs/a/result", &commit).unwrap());
            threads.spawn(|| vault.delete_refs("refs/jobs/b/").unwrap());
        });
        assert_eq!(vault.list_refs("refs").unwrap(), ["refs/jobs/a/result"]);
    });
}

#[test]
fn many_open_it_at_once_for_the_first_time() {
    with_a_commit(|setup| {
        let repository = setup.repository();
        let folder = setup.folder().join("vault");
        let head = head(setup);
        std::thread::scope(|threads| {
            for at in 0..8 {
                let (repository, folder, head) = (&repository, &folder, &head);
                threads.spawn(move || {
                    let vault = Vault::open(repository, folder).unwrap();
                    let tree = vault.tree_of(head).unwrap();
                    let commit = vault.commit(&tree, &[], "x").unwrap();
                    vault.set_ref(&format!("refs/jobs/{at}/base"), &commit).unwrap();
                    vault.delete_refs(&format!("refs/jobs/{at}")).unwrap();
                });
            }
        });
        let vault = open(setup);
        assert!(vault.list_refs("refs").unwrap().is_empty());
        let left = std::fs::read_dir(vault.directory()).unwrap();
        let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with('.')).count(), 0);
    });
}

#[test]
fn a_half_made_vault_is_completed() {
    with_a_commit(|setup| {
        let folder = setup.folder().join("vault");
        for left in ["objects/info", "info"] {
            std::fs::create_dir_all(folder.join("git").join(left)).unwrap();
        }
        std::fs::write(folder.join("git/config"), "[core").unwrap();
        assert!(Vault::existing(&setup.git, &folder).is_err());
        let vault = open(setup);
        vault.tree_of(&head(setup)).unwrap();
    });
}

#[test]
fn an_unchanged_file_is_not_written_again() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let inode = |name: &str| {
            use std::os::unix::fs::MetadataExt as _;
            vault.directory().join(name).metadata().unwrap().ino()
        };
        let before = ["config", "HEAD", "info/attributes", "info/exclude"].map(inode);
        open(setup);
        let after = ["config", "HEAD", "info/attributes", "info/exclude"].map(inode);
        assert_eq!(before, after);
        setup.write(".git/info/exclude", "*.log\n");
        open(setup);
        let exclude = std::fs::read(vault.directory().join("info/exclude")).unwrap();
        assert_eq!(exclude, b"*.log\n");
    });
}

#[test]
fn linked_worktrees_share_what_is_theirs() {
    with_a_commit(|setup| {
        let linked = setup.folder().join("linked");
        setup.run(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
        let one = setup.repository();
        let other = setup.git.discover(&linked).unwrap();
        assert_eq!(one.common_directory(), other.common_directory());
        let folder = setup.folder().join("vault");
        let vault = Vault::open(&one, &folder).unwrap();
        let tree = vault.tree_of(&head(setup)).unwrap();
        let commit = vault.commit(&tree, &[], "x").unwrap();
        vault.set_ref("refs/jobs/a/base", &commit).unwrap();
        let vault = Vault::open(&other, &folder).unwrap();
        assert_eq!(vault.read_ref("refs/jobs/a/base").unwrap(), Some(commit));
    });
}

#[test]
fn a_repository_with_longer_ids_has_a_vault() {
    with_each_git(|setup| {
        std::fs::remove_dir_all(setup.top().join(".git")).unwrap();
        setup.run(&["init", "-q", "--object-format=sha256", "."]);
        setup.write("f", "1\n");
        setup.commit("first");
        let vault = open(setup);
        let tree = vault.tree_of(&head(setup)).unwrap();
        assert_eq!(vault.commit(&tree, &[], "x").unwrap().as_str().len(), 64);
        // Made anew with shorter ids, it is another repository.
        std::fs::remove_dir_all(setup.top().join(".git")).unwrap();
        setup.run(&["init", "-q", "."]);
        let refused = Vault::open(&setup.repository(), &setup.folder().join("vault"));
        assert!(matches!(refused, Err(GitError::File { action: "use", .. })));
    });
}

#[test]
fn what_the_user_ignores_everywhere_is_copied_and_a_fifo_is_not_waited_for() {
    with_a_commit(|setup| {
        let ignored = setup.folder().join("ignored");
        std::fs::write(&ignored, "*.tmp\n").unwrap();
        setup.run(&["config", "core.excludesFile", ignored.to_str().unwrap()]);
        let copy = |vault: &Vault| std::fs::read(vault.directory().join("info/user-excludes")).unwrap();
        assert_eq!(copy(&open(setup)), b"*.tmp\n");
        for path in [ignored, setup.top().join(".git/info/exclude")] {
            std::fs::remove_file(&path).unwrap();
            make_fifo(&path);
        }
        assert_eq!(copy(&open(setup)), b"");
    });
}
