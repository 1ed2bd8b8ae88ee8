//! Reading leaves no trace in the repository.

use crate::setup::{branch, commit, revision, with_a_commit};
use crosscheck::domain::scope::Scope;
use crosscheck::git::{Keep, Oid, SnapshotOf, Vault};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Content and time of every file below a folder.
fn snapshot(folder: &Path, files: &mut BTreeMap<PathBuf, (Vec<u8>, SystemTime)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            snapshot(&path, files);
        } else {
            let modified = path.metadata().unwrap().modified().unwrap();
            files.insert(path.clone(), (std::fs::read(&path).unwrap(), modified));
        }
    }
}

#[test]
fn nothing_changes_in_the_repository() {
    with_a_commit(|setup| {
        setup.run(&["checkout", "-q", "-b", "topic"]);
        setup.write("g", "g\n");
        setup.commit("second");
        setup.write("staged", "s\n");
        setup.run(&["add", "staged"]);
        setup.write("f", "changed\n");
        setup.write("untracked", "u\n");
        // Stale times in the index tempt git to refresh it.
        let now = SystemTime::now();
        let file = std::fs::File::options()
            .append(true)
            .open(setup.top().join("g"))
            .unwrap();
        file.set_modified(now - std::time::Duration::from_secs(100))
            .unwrap();
        let linked = setup.folder().join("linked");
        setup.run(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
        // Nor must a snapshot, of a file whose bytes are not those of its object.
        setup.run(&["config", "core.autocrlf", "input"]);
        setup.write("crlf", "1\r\n");
        setup.run(&["add", "crlf"]);
        setup.run(&["commit", "-q", "-m", "third", "crlf"]);
        setup.write("stashed", "s\n");
        setup.run(&["stash", "-q", "-u", "--", "stashed"]);
        let status = |setup: &crate::setup::Setup| {
            setup.run(&["--no-optional-locks", "status", "--porcelain=v2", "--branch"])
        };
        let before_status = status(setup);
        let mut before = BTreeMap::new();
        snapshot(&setup.top(), &mut before);
        for scope in [
            Scope::Auto,
            Scope::WorkingTree,
            Scope::Staged,
            branch(),
            commit("HEAD"),
            Scope::Range {
                from: revision("HEAD~1"),
                to: revision("HEAD"),
            },
            // Empty, so everything else is looked at too.
            Scope::Range {
                from: revision("HEAD"),
                to: revision("HEAD"),
            },
        ] {
            setup.read(&scope);
            let mut after = BTreeMap::new();
            snapshot(&setup.top(), &mut after);
            assert!(before == after, "{}", scope.as_str());
            assert_eq!(before_status, status(setup), "{}", scope.as_str());
        }
        let head = Oid::parse(&setup.oid("HEAD")).unwrap();
        for (of, keep) in [
            (SnapshotOf::WorkingTree, Keep::Nothing),
            (SnapshotOf::WorkingTree, Keep::Objects),
            (SnapshotOf::Commit(head.clone()), Keep::Objects),
        ] {
            let vault = Vault::open(&setup.repository(), &setup.folder().join("vault")).unwrap();
            let taken = vault
                .snapshot(&setup.repository(), &of, keep, &setup.scratch())
                .unwrap();
            assert_ne!(taken.tree, vault.tree_of(&head).unwrap());
            if let Some(commit) = &taken.commit {
                vault.set_ref("refs/jobs/a/base", commit).unwrap();
                vault.keep_change(&head, commit).unwrap();
                vault.patch(&head, commit, &[b"crlf".to_vec()]).unwrap();
            }
            let mut after = BTreeMap::new();
            snapshot(&setup.top(), &mut after);
            assert!(before == after, "{of:?} {keep:?}");
            assert_eq!(before_status, status(setup), "{of:?} {keep:?}");
        }
    });
}
