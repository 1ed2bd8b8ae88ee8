//! Which repositories are found, which are refused, and what is known of them.

use crate::setup::{Setup, revision, with_a_commit, with_each_git};
use crosscheck::git::{GitError, Head, ObjectFormat, RevisionRole};
use std::path::Path;

fn refused(setup: &Setup, directory: &Path) -> GitError {
    setup.git.discover(directory).map(|_| ()).unwrap_err()
}

#[test]
fn a_repository_is_found_from_any_of_its_folders() {
    with_a_commit(|setup| {
        setup.write("a/b/c", "");
        let found = setup.git.discover(&setup.top().join("a/b")).unwrap();
        assert_eq!(found.top_level(), setup.top());
        assert_eq!(found.directory(), setup.top().join("a/b"));
        assert_eq!(found.git_directory(), setup.top().join(".git"));
        assert_eq!(found.object_format(), ObjectFormat::Sha1);
        match found.head() {
            Head::Born { oid, branch } => {
                assert_eq!(oid.as_str(), setup.oid("HEAD"));
                assert_eq!(branch.as_deref(), Some("main"));
            }
            Head::Unborn { .. } => panic!("unborn"),
        }
    });
}

#[test]
fn a_linked_worktree_shares_the_common_directory() {
    with_a_commit(|setup| {
        let linked = setup.folder().join("linked");
        setup.run(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
        let found = setup.git.discover(&linked).unwrap();
        assert_eq!(found.top_level(), linked);
        assert_eq!(found.common_directory(), setup.top().join(".git"));
        assert_eq!(found.git_directory(), setup.top().join(".git/worktrees/linked"));
        assert!(matches!(found.head(), Head::Born { branch: None, .. }));
    });
}

#[test]
fn folders_without_a_working_tree_of_their_own_are_refused() {
    with_a_commit(|setup| {
        let outside = setup.folder().join("outside");
        std::fs::create_dir(&outside).unwrap();
        assert!(matches!(
            refused(setup, &outside),
            GitError::NotARepository { .. }
        ));
        assert!(matches!(
            refused(setup, &setup.folder().join("absent")),
            GitError::File { .. }
        ));
        assert!(matches!(
            refused(setup, &setup.top().join(".git")),
            GitError::NoWorkingTree { .. }
        ));
        setup.run_in(&outside, &["init", "-q", "--bare"]);
        assert!(matches!(refused(setup, &outside), GitError::Bare { .. }));
        // A repository that claims a folder above itself would have that folder's files read as its untracked ones.
        setup.run(&["config", "core.worktree", setup.folder().to_str().unwrap()]);
        assert!(matches!(
            refused(setup, &setup.top()),
            GitError::NoWorkingTree { .. }
        ));
    });
}

#[test]
fn a_repository_of_another_user_is_refused_unless_the_user_trusts_it() {
    // Giving a folder away takes root; without it there is no such repository to try.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    with_a_commit(|setup| {
        for path in [setup.top(), setup.top().join(".git")] {
            std::os::unix::fs::chown(path, Some(4242), None).unwrap();
        }
        assert!(matches!(refused(setup, &setup.top()), GitError::NotOwned { .. }));
        let top = setup.top();
        setup.run_in(
            &setup.folder(),
            &["config", "--global", "safe.directory", top.to_str().unwrap()],
        );
        assert!(setup.git.discover(&top).is_ok());
        assert!(
            setup
                .try_read(&crosscheck::domain::scope::Scope::WorkingTree)
                .is_ok()
        );
    });
}

#[test]
fn a_branch_without_a_commit_is_unborn() {
    with_each_git(|setup| {
        assert_eq!(
            setup.repository().head(),
            &Head::Unborn {
                branch: Some("main".to_owned())
            }
        );
    });
}

#[test]
fn odd_names_around_a_repository_do_no_harm() {
    with_a_commit(|setup| {
        setup.write("HEAD", "a file of this name");
        assert!(matches!(setup.repository().head(), Head::Born { .. }));
        let odd = setup.folder().join("odd\n\"name\" #");
        std::fs::rename(setup.top(), &odd).unwrap();
        let found = setup.git.discover(&odd).unwrap();
        assert_eq!(found.top_level(), odd);
        let change = found
            .read_change(
                &crosscheck::domain::scope::Scope::Auto,
                &[],
                crosscheck::git::Untracked::Read,
                &setup.scratch(),
            )
            .unwrap();
        assert_eq!(crate::setup::names(&change), ["HEAD"]);
    });
}

#[test]
fn revisions_are_commits_or_errors() {
    with_a_commit(|setup| {
        setup.run(&["tag", "-a", "-m", "t", "v1"]);
        let repository = setup.repository();
        let head = setup.oid("HEAD");
        for good in ["HEAD", "main", "v1", "refs/heads/main", &head, &head[..8], "@"] {
            assert_eq!(
                repository.resolve(&revision(good)).unwrap().as_str(),
                head,
                "{good}"
            );
        }
        for bad in [
            "absent",
            "HEAD:f",
            "HEAD^",
            "^HEAD",
            "HEAD..HEAD",
            "HEAD^{tree}",
            "f",
        ] {
            assert!(
                matches!(
                    repository.resolve(&revision(bad)),
                    Err(GitError::InvalidRevision {
                        role: RevisionRole::Revision
                    })
                ),
                "{bad}"
            );
        }
    });
}

#[test]
fn worktrees_of_bare_repositories_and_submodules_have_a_working_tree() {
    with_a_commit(|setup| {
        let bare = setup.folder().join("bare.git");
        let linked = setup.folder().join("linked");
        setup.run(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        setup.run_in(
            &bare,
            &["worktree", "add", "-q", linked.to_str().unwrap(), "main"],
        );
        setup.run(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            bare.to_str().unwrap(),
            "sub",
        ]);
        for top in [linked, setup.top().join("sub")] {
            std::fs::write(top.join("f"), "changed\n").unwrap();
            let found = setup.git.discover(&top).unwrap();
            assert_eq!(found.top_level(), top);
            let change = found
                .read_change(
                    &crosscheck::domain::scope::Scope::Auto,
                    &[],
                    crosscheck::git::Untracked::Read,
                    &setup.scratch(),
                )
                .unwrap();
            assert_eq!(crate::setup::names(&change), ["f"]);
        }
    });
}
