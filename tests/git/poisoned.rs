//! A repository that names programs wherever git lets it: none of them runs.

use crate::setup::{Setup, branch, commit, revision, with_a_commit};
use crosscheck::domain::scope::Scope;
use crosscheck::git::{Keep, Renames, Snapshot, SnapshotOf, Vault};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Programs that a repository can name. Each leaves a file of its name when it runs.
struct Poison<'a> {
    setup: &'a Setup,
}

impl Poison<'_> {
    fn markers(&self) -> std::path::PathBuf {
        self.setup.folder().join("markers")
    }

    /// Writes a program that leaves a marker and passes its input on.
    fn program(&self, name: &str) -> String {
        let path = self.setup.folder().join(format!("poison-{name}"));
        let marker = self.markers().join(name);
        let script = format!(
            "#!/bin/sh\n: > '{}'\ncat 2>/dev/null </dev/null\nexit 0\n",
            marker.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn left(&self) -> BTreeSet<String> {
        std::fs::read_dir(self.markers())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn clear(&self) {
        let _ = std::fs::remove_dir_all(self.markers());
        std::fs::create_dir(self.markers()).unwrap();
    }

    /// Poisons a repository that has commits and changes.
    fn spread(&self) {
        self.spread_in(&self.setup.top(), &self.setup.top().join(".git"));
    }

    /// Poisons the repository of a folder, whose git directory may be elsewhere.
    fn spread_in(&self, top: &Path, git_directory: &Path) {
        let setup = self.setup;
        let config = |key: &str, value: &str| {
            setup.run_in(top, &["config", "--local", key, value]);
        };
        let hooks = setup.folder().join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        for hook in [
            "post-index-change",
            "reference-transaction",
            "post-checkout",
            "pre-commit",
            "fsmonitor-watchman",
        ] {
            let program = self.program(&format!("hook-{hook}"));
            for folder in [&hooks, &git_directory.join("hooks")] {
                std::fs::create_dir_all(folder).unwrap();
                std::fs::copy(&program, folder.join(hook)).unwrap();
            }
        }
        config("core.hooksPath", hooks.to_str().unwrap());
        for driver in ["d", "a=b", "x y"] {
            let safe: String = driver.chars().filter(char::is_ascii_alphabetic).collect();
            for key in ["textconv", "command"] {
                config(
                    &format!("diff.{driver}.{key}"),
                    &self.program(&format!("diff-{safe}-{key}")),
                );
            }
            for key in ["clean", "smudge"] {
                config(
                    &format!("filter.{driver}.{key}"),
                    &self.program(&format!("filter-{safe}-{key}")),
                );
            }
            config(&format!("filter.{driver}.required"), "true");
            config(
                &format!("merge.{driver}.driver"),
                &self.program(&format!("merge-{safe}")),
            );
        }
        config("filter.p.process", &self.program("filter-process"));
        config("filter.p.required", "true");
        for key in [
            "core.pager",
            "core.sshCommand",
            "core.editor",
            "core.askPass",
            "core.alternateRefsCommand",
            "sequence.editor",
            "pager.diff",
        ] {
            config(key, &self.program(&key.replace('.', "-")));
        }
        for (key, name) in [
            ("alias.rev-parse", "alias"),
            ("alias.diff", "alias"),
            ("alias.ls-files", "alias"),
        ] {
            config(key, &format!("!{}", self.program(name)));
        }
        let included = setup.folder().join("included");
        let credential = self.program("included-credential");
        std::fs::write(
            &included,
            format!(
                "[diff]\n\texternal = {}\n[credential]\n\thelper = !{credential}\n",
                self.program("diff-external")
            ),
        )
        .unwrap();
        config("include.path", included.to_str().unwrap());
        config("core.fsmonitor", &self.program("fsmonitor"));
        config("extensions.partialClone", "evil");
        config("core.repositoryFormatVersion", "1");
        config("remote.evil.promisor", "true");
        config("remote.evil.url", &format!("ext::{}", self.program("promisor")));
        config("remote.evil.uploadpack", &self.program("uploadpack"));
        config("protocol.allow", "always");
        config("gpg.program", &self.program("gpg"));
        config("log.showSignature", "true");
        config("submodule.recurse", "true");
        config("diff.submodule", "log");
        config("status.submoduleSummary", "true");
        let attributes = "*.d diff=d filter=d merge=d\n*.ab diff=a=b filter=a=b merge=a=b\n*.p filter=p\n";
        std::fs::create_dir_all(git_directory.join("info")).unwrap();
        std::fs::write(git_directory.join("info/attributes"), attributes).unwrap();
        std::fs::write(top.join(".gitattributes"), attributes).unwrap();
    }
}

/// Leaves committed, staged, unstaged and untracked changes, and some in another worktree.
fn make_changes(setup: &Setup) {
    for name in ["a.d", "b.ab", "c.p"] {
        setup.write(name, "1\n2\n3\n");
    }
    setup.commit("second");
    setup.run(&["checkout", "-q", "-b", "topic"]);
    for name in ["a.d", "b.ab", "c.p"] {
        setup.write(name, "1\ntwo\n3\n");
    }
    setup.write("f", "third\n");
    setup.commit("third");
    setup.write("a.d", "1\nzwei\n3\n");
    setup.run(&["add", "a.d"]);
    setup.write("b.ab", "1\nzwei\n3\n");
    // Changed, or git would only read it, and so run its filter, when its time is that of the index.
    setup.write("c.p", "1\nzwei\n3\n");
    setup.write("new.d", "new\n");
    let linked = setup.folder().join("linked");
    setup.run(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
    std::fs::write(linked.join("a.d"), "linked\n").unwrap();
}

#[test]
fn a_poisoned_repository_runs_nothing() {
    with_a_commit(|setup| {
        let poison = Poison { setup };
        poison.clear();
        make_changes(setup);
        poison.spread();

        // The user's own git is the control: it does run them. One program that fails ends it, so it is asked often.
        for arguments in [
            &["status"][..],
            &["diff", "--", "a.d"],
            &["diff", "--", "b.ab"],
            &["diff", "--", "c.p"],
            &["diff", "HEAD~1", "HEAD", "--", "a.d"],
            &["diff", "HEAD~1", "HEAD", "--", "f"],
            &["diff", "--no-ext-diff", "HEAD~1", "HEAD", "--", "a.d"],
            &["diff", "--no-ext-diff", "HEAD~1", "HEAD", "--", "b.ab"],
        ] {
            setup.try_run_in(&setup.top(), arguments);
        }
        // Only a written index calls this hook, and the broken filter would end git before it writes.
        let blob = setup.oid("HEAD:f");
        for change in [
            &["--add", "--cacheinfo", "100644", &blob, "g"][..],
            &["--force-remove", "g"],
        ] {
            let quiet = [
                "-c",
                "filter.p.process=",
                "-c",
                "filter.p.required=false",
                "update-index",
            ];
            setup.run(&[&quiet, change].concat());
        }
        let control = poison.left();
        for name in [
            "diff-ab-command",
            "diff-ab-textconv",
            "diff-d-command",
            "diff-d-textconv",
            "diff-external",
            "filter-ab-clean",
            "filter-d-clean",
            "filter-process",
            "fsmonitor",
            "hook-post-index-change",
        ] {
            assert!(control.contains(name), "{name} is missing in {control:?}");
        }

        poison.clear();
        let scopes = [
            Scope::Auto,
            Scope::WorkingTree,
            Scope::Staged,
            branch(),
            commit("HEAD"),
            Scope::Range {
                from: revision("HEAD~1"),
                to: revision("HEAD"),
            },
            Scope::Range {
                from: revision("HEAD"),
                to: revision("HEAD"),
            },
        ];
        for scope in &scopes {
            let change = setup.read(scope);
            assert_eq!(poison.left(), BTreeSet::new(), "{}", scope.as_str());
            assert!(change.is_empty() == change.elsewhere.is_some());
        }
        let working_tree = setup.read(&Scope::WorkingTree);
        let read: Vec<String> = crate::setup::names(&working_tree);
        assert!(
            ["a.d", "b.ab", "new.d"]
                .iter()
                .all(|name| read.iter().any(|read| read == name)),
            "{read:?}"
        );
        for text in ["HEAD", "main", "absent", ":/third", "HEAD@{upstream}"] {
            let _ = setup.repository().resolve(&revision(text));
        }

        // Objects that only the promised remote has are not asked for, neither a file nor a commit.
        let objects = [setup.oid("HEAD~1:a.d"), setup.oid("HEAD~1")];
        for oid in &objects {
            let path = setup.top().join(".git/objects").join(&oid[..2]).join(&oid[2..]);
            std::fs::remove_file(path).unwrap();
        }
        poison.clear();
        for scope in &scopes {
            let _ = setup.try_read(scope);
        }
        for text in ["main", "HEAD~1", "HEAD~2", &objects[1]] {
            let _ = setup.repository().resolve(&revision(text));
        }
        assert_eq!(poison.left(), BTreeSet::new());
        for oid in &objects {
            poison.clear();
            setup.try_run_in(&setup.top(), &["cat-file", "-p", oid]);
            assert!(poison.left().contains("promisor"), "the control did not fetch");
        }
    });
}

/// Uses everything of a vault that reads or writes a repository's content.
fn use_vault(setup: &Setup) -> Snapshot {
    let vault = Vault::open(&setup.repository(), &setup.folder().join("vault")).unwrap();
    let take = |of: &SnapshotOf, keep| {
        vault
            .snapshot(&setup.repository(), of, keep, &setup.scratch())
            .unwrap()
    };
    take(&SnapshotOf::WorkingTree, Keep::Nothing);
    let taken = take(&SnapshotOf::WorkingTree, Keep::Objects);
    let head = taken.head.clone().unwrap();
    let committed = take(&SnapshotOf::Commit(head.clone()), Keep::Objects);
    let (from, to) = (committed.commit.unwrap(), taken.commit.clone().unwrap());
    vault.set_ref("refs/jobs/a/base", &from).unwrap();
    vault.set_ref("refs/jobs/a/base", &to).unwrap();
    let changes = vault.changes(&from, &to, Renames::Found).unwrap();
    assert!(!changes.is_empty());
    let paths = [changes[0].path.clone()];
    assert!(!vault.patch(&from, &to, &paths).unwrap().is_empty());
    assert!(!vault.patch(&from, &to, &[]).unwrap().is_empty());
    vault.keep_change(&from, &to).unwrap();
    let oids: Vec<_> = changes
        .iter()
        .filter_map(|change| change.new.as_ref())
        .map(|entry| &entry.oid)
        .collect();
    vault.blobs(&oids).unwrap();
    vault.paths(&to).unwrap();
    vault.delete_refs("refs/jobs").unwrap();
    taken
}

#[test]
fn a_snapshot_of_a_poisoned_repository_runs_nothing() {
    with_a_commit(|setup| {
        let poison = Poison { setup };
        poison.clear();
        make_changes(setup);
        poison.spread();
        let taken = use_vault(setup);
        assert_eq!(poison.left(), BTreeSet::new());
        let told = &taken.uncommitted;
        for name in ["a.d", "b.ab", "c.p", "new.d"] {
            assert!(told.iter().any(|path| path == name.as_bytes()), "{name}");
        }
        // The user's own git is the control.
        setup.try_run_in(&setup.top(), &["add", "-A"]);
        assert!(poison.left().contains("fsmonitor"), "{:?}", poison.left());
    });
}

#[test]
fn a_snapshot_runs_nothing_in_a_poisoned_submodule() {
    with_a_commit(|setup| {
        let poison = Poison { setup };
        poison.clear();
        let top = setup.top();
        for (name, inner) in [("module", "module"), ("nested", "nested")] {
            let folder = top.join(inner);
            setup.run(&["init", "-q", inner]);
            setup.write(format!("{inner}/in.d"), "1\n");
            setup.run_in(&folder, &["add", "-A"]);
            setup.run_in(&folder, &["commit", "-q", "-m", "in"]);
            if name == "module" {
                setup.run(&["submodule", "add", "-q", "./module", "module"]);
                setup.run(&["commit", "-q", "-m", "module"]);
            }
            // Edited within a poisoned repository, at another commit than the outer one has.
            setup.write(format!("{inner}/in.d"), "2\n");
            setup.run_in(&folder, &["commit", "-q", "-a", "-m", "more"]);
            setup.write(format!("{inner}/in.d"), "3\n");
            poison.spread_in(&folder, &folder.join(".git"));
        }
        setup.write("f", "changed\n");
        poison.clear();
        let taken = use_vault(setup);
        assert_eq!(poison.left(), BTreeSet::new());
        assert_eq!(taken.left_out, [b"module".to_vec(), b"nested".to_vec()]);
        assert_eq!(taken.uncommitted, [b"f".to_vec()]);
        // The user's own git is the control.
        setup.try_run_in(&top, &["status"]);
        assert!(poison.left().contains("fsmonitor"), "{:?}", poison.left());
    });
}
