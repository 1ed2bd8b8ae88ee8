//! What each scope compares, and what is said when there is nothing.

use crate::setup::{branch, commit, lines, names, revision, with_a_commit, with_each_git};
use crosscheck::domain::scope::Scope;
use crosscheck::git::{Elsewhere, GitError, ResolvedScope, RevisionRole, Untracked};

#[test]
fn the_working_tree_is_everything_that_differs_from_head() {
    with_a_commit(|setup| {
        setup.write("staged", "s\n");
        setup.run(&["add", "staged"]);
        setup.write("f", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
        setup.write("new", "n\n");
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(names(&change), ["f", "staged", "new"]);
        assert_eq!(change.base.as_ref().unwrap().as_str(), setup.oid("HEAD"));
        assert_eq!(change.head, None);
        assert_eq!(lines(&change.patch.files[0]), ["-5", "+five"]);
        assert!(change.patch.files[2].untracked);
        assert_eq!(setup.read(&Scope::Auto), change);
        assert_eq!(names(&setup.read(&Scope::Staged)), ["staged"]);
    });
}

#[test]
fn an_unborn_branch_is_compared_with_nothing() {
    with_each_git(|setup| {
        setup.write("a", "a\n");
        setup.write("b", "b\n");
        setup.run(&["add", "a"]);
        for scope in [Scope::WorkingTree, Scope::Auto] {
            let change = setup.read(&scope);
            assert_eq!(names(&change), ["a", "b"]);
            assert_eq!((change.base, change.scope), (None, ResolvedScope::WorkingTree));
        }
        assert_eq!(names(&setup.read(&Scope::Staged)), ["a"]);
        assert!(matches!(setup.try_read(&branch()), Err(GitError::NoCommitYet)));
        assert!(matches!(
            setup.try_read(&commit("HEAD")),
            Err(GitError::InvalidRevision {
                role: RevisionRole::Commit
            })
        ));
    });
}

#[test]
fn an_empty_unborn_repository_is_empty() {
    with_each_git(|setup| {
        let change = setup.read(&Scope::Auto);
        assert!(change.is_empty());
        assert_eq!(change.elsewhere, Some(Elsewhere::default()));
    });
}

#[test]
fn a_commit_is_compared_with_its_first_parent() {
    with_a_commit(|setup| {
        setup.run(&["checkout", "-q", "-b", "side"]);
        setup.write("side", "s\n");
        setup.commit("side");
        setup.run(&["checkout", "-q", "main"]);
        setup.write("other", "o\n");
        setup.commit("other");
        setup.run(&["merge", "-q", "--no-edit", "side"]);
        assert_eq!(names(&setup.read(&commit("HEAD"))), ["side"]);
        assert_eq!(names(&setup.read(&commit("HEAD^1"))), ["other"]);
        let root = setup.read(&commit("HEAD~2"));
        assert_eq!((names(&root), root.base), (vec!["f".to_owned()], None));
        let range = Scope::Range {
            from: revision("HEAD~2"),
            to: revision("HEAD"),
        };
        assert_eq!(names(&setup.read(&range)), ["other", "side"]);
    });
}

#[test]
fn a_branch_starts_where_it_left() {
    with_a_commit(|setup| {
        setup.run(&["checkout", "-q", "-b", "topic"]);
        setup.write("topic", "t\n");
        setup.commit("topic");
        setup.run(&["checkout", "-q", "main"]);
        setup.write("later", "l\n");
        setup.commit("later");
        setup.run(&["checkout", "-q", "topic"]);
        for scope in [
            branch(),
            Scope::Auto,
            Scope::Branch {
                base: Some(revision("main")),
                head: Some(revision("topic")),
            },
        ] {
            let change = setup.read(&scope);
            assert_eq!(names(&change), ["topic"]);
            assert_eq!(change.base_name.as_deref(), Some("main"));
            assert_eq!(change.base.unwrap().as_str(), setup.oid("main~1"));
            assert_eq!(change.head.unwrap().as_str(), setup.oid("topic"));
        }
        let unknown = Scope::Branch {
            base: Some(revision("absent")),
            head: None,
        };
        assert!(matches!(
            setup.try_read(&unknown),
            Err(GitError::InvalidRevision {
                role: RevisionRole::Base
            })
        ));
    });
}

#[test]
fn the_upstream_comes_before_the_default_branch() {
    with_a_commit(|setup| {
        let origin = setup.folder().join("origin.git");
        let origin = origin.to_str().unwrap();
        setup.run(&["clone", "-q", "--bare", ".", origin]);
        setup.run(&["remote", "add", "origin", origin]);
        setup.run(&["fetch", "-q", "origin"]);
        setup.run(&["remote", "set-head", "origin", "main"]);
        setup.run(&["checkout", "-q", "-b", "topic"]);
        setup.write("one", "1\n");
        setup.commit("one");
        let unpushed = setup.read(&branch());
        assert_eq!(unpushed.base_name.as_deref(), Some("origin/main"));
        setup.run(&["push", "-q", "-u", "origin", "topic"]);
        // Pushed and level with its upstream: what a pull request would show.
        let pushed = setup.read(&branch());
        assert_eq!(
            (pushed.base_name.as_deref(), names(&pushed)),
            (Some("origin/main"), vec!["one".to_owned()])
        );
        setup.write("two", "2\n");
        setup.commit("two");
        let ahead = setup.read(&branch());
        assert_eq!(
            (ahead.base_name.as_deref(), names(&ahead)),
            (Some("origin/topic"), vec!["two".to_owned()])
        );
        // Level with everything: empty, and nothing older is dug up.
        setup.run(&["checkout", "-q", "main"]);
        let level = setup.read(&Scope::Auto);
        assert!(level.is_empty());
        assert_eq!(level.scope, ResolvedScope::Branch);
    });
}

#[test]
fn a_missing_base_says_what_was_tried() {
    with_a_commit(|setup| {
        let Err(GitError::NoBase { tried }) = setup.try_read(&branch()) else {
            panic!("a base was found")
        };
        assert_eq!(
            tried,
            [
                "the upstream of `main`",
                "`origin/HEAD`",
                "`origin/main`",
                "`origin/master`",
                "`master`"
            ]
        );
        setup.run(&["checkout", "-q", "--orphan", "alone"]);
        setup.commit("alone");
        assert!(matches!(
            setup.try_read(&branch()),
            Err(GitError::NoMergeBase { base }) if base == "main"
        ));
        // `auto` then speaks of the working tree.
        let auto = setup.read(&Scope::Auto);
        assert!(auto.is_empty() && auto.scope == ResolvedScope::WorkingTree);
    });
}

#[test]
fn an_empty_change_says_where_changes_are() {
    with_a_commit(|setup| {
        setup.run(&["checkout", "-q", "-b", "topic"]);
        setup.write("g", "g\n");
        setup.commit("ahead");
        let linked = setup.folder().join("linked");
        setup.run(&[
            "worktree",
            "add",
            "-q",
            "-b",
            "elsewhere",
            linked.to_str().unwrap(),
        ]);
        std::fs::write(linked.join("h"), "h\n").unwrap();
        setup.write("f", "changed\n");
        setup.write("new", "n\n");
        let change = setup.read(&Scope::Staged);
        assert!(change.is_empty());
        let elsewhere = change.elsewhere.unwrap();
        assert_eq!(
            (elsewhere.staged, elsewhere.unstaged, elsewhere.untracked),
            (0, 1, 1)
        );
        let ahead = elsewhere.ahead_of_base.unwrap();
        assert_eq!((ahead.base.as_str(), ahead.commits), ("main", 1));
        assert_eq!(elsewhere.worktrees.len(), 1);
        assert_eq!(elsewhere.worktrees[0].path, linked);
        assert_eq!(elsewhere.worktrees[0].branch.as_deref(), Some("elsewhere"));
        assert_eq!(elsewhere.worktrees[0].changed, 1);
        // The linked worktree reads its own changes and knows of the main one.
        let linked = setup.git.discover(&linked).unwrap();
        let own = linked
            .read_change(&Scope::WorkingTree, &[], Untracked::Read, &setup.scratch())
            .unwrap();
        assert_eq!(names(&own), ["h"]);
        let staged = linked
            .read_change(&Scope::Staged, &[], Untracked::Read, &setup.scratch())
            .unwrap();
        let main = &staged.elsewhere.unwrap().worktrees[0];
        assert_eq!((&main.path, main.changed), (&setup.top(), 2));
    });
}

#[test]
fn paths_narrow_a_change_literally() {
    with_a_commit(|setup| {
        for path in ["a/x", "a/y", "ab", "*", ":(glob)a", "a/b/z"] {
            setup.write(path, "1\n");
        }
        setup.run(&["add", "a/x", "ab"]);
        let check = |paths: &[&str], expected: &[&str]| {
            let mut found = names(&setup.read_paths(&Scope::WorkingTree, paths));
            found.sort();
            assert_eq!(found, expected, "{paths:?}");
        };
        check(&["a"], &["a/b/z", "a/x", "a/y"]);
        check(&["a/"], &["a/b/z", "a/x", "a/y"]);
        check(&["*"], &["*"]);
        check(&[":(glob)a"], &[":(glob)a"]);
        check(&["ab", "a/b"], &["a/b/z", "ab"]);
        check(&["absent"], &[]);
        let outside = setup.repository().read_change(
            &Scope::Auto,
            &["f".to_owned(), "../x".to_owned()],
            Untracked::Read,
            &setup.scratch(),
        );
        assert!(matches!(outside, Err(GitError::PathOutside { index: 1 })));
        // From a sub-directory paths count from there; without paths the whole repository is read.
        let below = setup.git.discover(&setup.top().join("a")).unwrap();
        let read = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            below
                .read_change(&Scope::WorkingTree, &paths, Untracked::Read, &setup.scratch())
                .unwrap()
        };
        let narrowed = read(&["x"]);
        assert_eq!(names(&narrowed), ["a/x"]);
        assert_eq!(narrowed.paths, ["a/x"]);
        assert_eq!(read(&["."]).patch.files.len(), 3);
        assert_eq!(read(&[]).patch.files.len(), 6);
    });
}
