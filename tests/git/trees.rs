//! What differs between trees, and what of it is kept.

use crate::setup::{Setup, with_a_commit, with_each_git};
use crate::snapshots::{in_tree, on_disk, take};
use crate::vaults::{head, open};
use crosscheck::git::{Keep, Oid, Renames, Snapshot, SnapshotOf, TreeChange, Vault};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// Takes a snapshot into a vault.
fn snapshot(setup: &Setup, vault: &Vault) -> Snapshot {
    vault
        .snapshot(
            &setup.repository(),
            &SnapshotOf::WorkingTree,
            Keep::Objects,
            &setup.scratch(),
        )
        .unwrap()
}

/// Makes a working tree with everything that a patch must carry, commits it, and changes all of it.
fn change_all(setup: &Setup, vault: &Vault) -> (Snapshot, Snapshot) {
    let top = setup.top();
    let long: String = "one line of many\n".repeat(100);
    for (name, bytes) in [
        ("crlf", &b"1\r\n2\r\n3\r\n"[..]),
        ("latin-1", b"caf\xe9\nbar\n"),
        ("binary", b"\0\x01\x02"),
        ("feed", b"a\x0cb\xe2\x80\xa8c\n"),
        ("no end", b"1\n2"),
        ("empty", b""),
        ("gone", b"g\n"),
        ("run", b"#!/bin/sh\n"),
        ("to-link", b"t\n"),
        ("moved", long.as_bytes()),
        ("folder/in", b"in\n"),
        ("same", b"same\n"),
    ] {
        setup.write(name, bytes);
    }
    setup.write(OsStr::from_bytes(b"\xff odd\n\"name\""), "odd\n");
    setup.commit("second");
    let before = snapshot(setup, vault);
    for (name, bytes) in [
        ("crlf", &b"1\r\ntwo\r\n3\r\n"[..]),
        ("latin-1", b"caf\xe9\nb\xe4r\n"),
        ("binary", b"\0\x01\x03\0"),
        ("feed", b"a\x0cB\xe2\x80\xa8c\n"),
        ("no end", b"1\ntwo"),
        ("empty", b"full\n"),
        ("new/empty", b""),
    ] {
        setup.write(name, bytes);
    }
    setup.write(OsStr::from_bytes(b"\xff odd\n\"name\""), "even\n");
    std::fs::remove_file(top.join("gone")).unwrap();
    std::fs::remove_file(top.join("to-link")).unwrap();
    symlink("same", top.join("to-link")).unwrap();
    std::fs::set_permissions(top.join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(top.join("moved"), top.join("elsewhere")).unwrap();
    std::fs::remove_dir_all(top.join("folder")).unwrap();
    setup.write("folder", "a file\n");
    (before, snapshot(setup, vault))
}

/// Makes a folder that holds a tree, of the user's objects alone.
fn lay_out(setup: &Setup, name: &str, files: &crate::snapshots::Files) -> std::path::PathBuf {
    let folder = setup.folder().join(name);
    std::fs::create_dir(&folder).unwrap();
    setup.run_in(&folder, &["init", "-q", "."]);
    for (path, (mode, bytes)) in files {
        let path = folder.join(OsStr::from_bytes(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if *mode == 0o120_000 {
            symlink(OsStr::from_bytes(bytes), &path).unwrap();
        } else {
            std::fs::write(&path, bytes).unwrap();
            let mode = std::fs::Permissions::from_mode(mode & 0o777);
            std::fs::set_permissions(&path, mode).unwrap();
        }
    }
    folder
}

/// Applies a patch with the user's git and returns what lies there then.
fn apply(setup: &Setup, folder: &Path, patch: &[u8]) -> crate::snapshots::Files {
    let file = setup.folder().join("patch");
    std::fs::write(&file, patch).unwrap();
    setup.run_in(
        folder,
        &["apply", "--binary", "--whitespace=nowarn", file.to_str().unwrap()],
    );
    on_disk(folder, &[])
}

#[test]
fn a_patch_carries_every_byte_and_mode() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let (before, after) = change_all(setup, &vault);
        let patch = vault.patch(&before.tree, &after.tree, &[]).unwrap();
        let folder = lay_out(setup, "applied", &in_tree(setup, &vault, &before.tree));
        let applied = apply(setup, &folder, &patch);
        assert!(applied == on_disk(&setup.top(), &[]));
        assert_eq!(vault.patch(&before.tree, &before.tree, &[]).unwrap(), b"");
        // Of a part, and backwards.
        let part = [b"crlf".to_vec(), b"folder".to_vec(), b"folder/in".to_vec()];
        let patch = vault.patch(&before.tree, &after.tree, &part).unwrap();
        let folder = lay_out(setup, "part", &in_tree(setup, &vault, &before.tree));
        let picked = vault.pick(&before.tree, &after.tree, &part).unwrap();
        assert!(apply(setup, &folder, &patch) == in_tree(setup, &vault, &picked));
        let back = vault.patch(&after.tree, &before.tree, &[]).unwrap();
        let folder = lay_out(setup, "back", &in_tree(setup, &vault, &after.tree));
        assert!(apply(setup, &folder, &back) == in_tree(setup, &vault, &before.tree));
    });
}

#[test]
fn changes_are_listed_with_both_sides_and_their_lines() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let (before, after) = change_all(setup, &vault);
        let told = |renames| {
            let changes = vault.changes(&before.tree, &after.tree, renames).unwrap();
            changes.iter().map(tell).collect::<Vec<String>>()
        };
        let found = told(Renames::Found);
        let expected = [
            "binary 100644 100644 -",
            "crlf 100644 100644 +1 -1",
            "elsewhere < moved 100644 100644 +0 -0",
            "empty 100644 100644 +1 -0",
            "feed 100644 100644 +1 -1",
            "folder 0 100644 +1 -0",
            "folder/in 100644 0 +0 -1",
            "gone 100644 0 +0 -1",
            "latin-1 100644 100644 +1 -1",
            "new/empty 0 100644 +0 -0",
            "no end 100644 100644 +1 -1",
            "run 100644 100755 +0 -0",
            "to-link 100644 120000 +1 -1",
            "\u{fffd} odd\n\"name\" 100644 100644 +1 -1",
        ];
        assert_eq!(found, expected);
        let split = told(Renames::Split);
        assert!(split.contains(&"moved 100644 0 +0 -100".to_owned()), "{split:?}");
        assert!(
            split.contains(&"elsewhere 0 100644 +100 -0".to_owned()),
            "{split:?}"
        );
        assert_eq!(split.len(), expected.len() + 1);
    });
}

fn tell(change: &TreeChange) -> String {
    let name = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let mode = |side: &Option<crosscheck::git::TreeEntry>| side.as_ref().map_or(0, |entry| entry.mode);
    let from = change.from.as_ref().map(|from| format!(" < {}", name(from)));
    let lines = change
        .lines
        .map(|(added, removed)| format!("+{added} -{removed}"));
    format!(
        "{}{} {:o} {:o} {}",
        name(&change.path),
        from.unwrap_or_default(),
        mode(&change.old),
        mode(&change.new),
        lines.unwrap_or_else(|| "-".to_owned())
    )
}

#[test]
fn a_pick_takes_its_paths_and_nothing_else() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let (before, after) = change_all(setup, &vault);
        let files = [
            in_tree(setup, &vault, &before.tree),
            in_tree(setup, &vault, &after.tree),
        ];
        for picked in [
            &[][..],
            &["gone"],
            &["folder", "folder/in"],
            &["elsewhere", "to-link", "run", "absent"],
        ] {
            let paths: Vec<Vec<u8>> = picked.iter().map(|path| path.as_bytes().to_vec()).collect();
            let tree = vault.pick(&before.tree, &after.tree, &paths).unwrap();
            let mut expected = files[0].clone();
            for path in &paths {
                match files[1].get(path) {
                    Some(file) => expected.insert(path.clone(), file.clone()),
                    None => expected.remove(path),
                };
            }
            assert!(in_tree(setup, &vault, &tree) == expected, "{picked:?}");
        }
        let all = vault.paths(&after.tree).unwrap();
        assert!(all.iter().eq(files[1].keys()));
        assert_eq!(
            std::fs::read_dir(vault.directory().join("tmp")).unwrap().count(),
            0
        );
    });
}

#[test]
fn a_kept_change_outlives_the_users_objects() {
    with_each_git(|setup| {
        setup.write("f", "1\n");
        setup.commit("first");
        let vault = open(setup);
        let (before, after) = change_all(setup, &vault);
        setup.commit("third");
        let (from, to) = (before.commit.unwrap(), after.commit.unwrap());
        vault.keep_change(&from, &to).unwrap();
        let patch = vault.patch(&from, &to, &[]).unwrap();
        let changes = vault.changes(&from, &to, Renames::Split).unwrap();
        let sides = || {
            let both = changes.iter().flat_map(|change| [&change.old, &change.new]);
            both.flatten().map(|entry| &entry.oid).collect::<Vec<&Oid>>()
        };
        let bytes = vault.blobs(&sides()).unwrap();
        // What the vault hashed itself is no proof: the user's history goes, and what was hashed loosely goes too.
        setup.run(&["checkout", "-q", "--orphan", "empty"]);
        setup.run(&["rm", "-q", "-r", "-f", "."]);
        setup.run(&["branch", "-D", "main"]);
        setup.run(&["reflog", "expire", "--expire=now", "--all"]);
        setup.run(&["gc", "-q", "--prune=now"]);
        for entry in std::fs::read_dir(vault.directory().join("objects")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().len() == 2 {
                std::fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        assert!(vault.tree_of(before.head.as_ref().unwrap()).is_err(), "a control");
        let vault = Vault::existing(&setup.git, &setup.folder().join("vault")).unwrap();
        assert_eq!(vault.patch(&from, &to, &[]).unwrap(), patch);
        assert_eq!(vault.blobs(&sides()).unwrap(), bytes);
        let same = setup.folder().join("same");
        std::fs::write(&same, "same\n").unwrap();
        let oid = setup.run(&["hash-object", same.to_str().unwrap()]);
        let oid = Oid::parse(String::from_utf8(oid).unwrap().trim()).unwrap();
        assert!(vault.blobs(&[&oid]).is_err(), "what did not change is not kept");
    });
}

#[test]
fn a_snapshot_of_the_same_files_is_the_same_tree() {
    with_a_commit(|setup| {
        setup.write("f", "changed\n");
        let (vault, one) = take(setup);
        setup.run(&["add", "f"]);
        let (_, other) = take(setup);
        assert_eq!(one.tree, other.tree);
        let changes = vault.changes(&one.tree, &other.tree, Renames::Found).unwrap();
        assert_eq!(changes, []);
        let parent = vault
            .changes(&head(setup), one.commit.as_ref().unwrap(), Renames::Found)
            .unwrap();
        assert_eq!(parent.len(), 1);
    });
}
