//! The working tree as a tree, byte for byte.

use crate::setup::{Setup, make_fifo, with_a_commit, with_each_git};
use crate::vaults::{head, open};
use crosscheck::git::{GitError, Keep, Oid, Snapshot, SnapshotOf, Vault};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// No path at all.
const NO_PATHS: [Vec<u8>; 0] = [];

/// Mode and bytes by path.
pub(crate) type Files = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// Reads a folder, without what stands in `without`.
pub(crate) fn on_disk(top: &Path, without: &[&str]) -> Files {
    fn walk(top: &Path, folder: &Path, files: &mut Files) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes().to_vec();
            let found = path.symlink_metadata().unwrap();
            if name == b".git" {
                continue;
            }
            if found.is_dir() {
                walk(top, &path, files);
            } else if found.is_symlink() {
                let target = std::fs::read_link(&path).unwrap().into_os_string();
                files.insert(name, (0o120_000, target.into_vec()));
            } else if found.is_file() {
                let mode = if found.mode() & 0o100 == 0 {
                    0o100_644
                } else {
                    0o100_755
                };
                files.insert(name, (mode, std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut files = Files::new();
    walk(top, top, &mut files);
    files.retain(|path, _| !without.iter().any(|name| path == name.as_bytes()));
    files
}

/// Reads a tree of the vault; a submodule has no bytes.
pub(crate) fn in_tree(setup: &Setup, vault: &Vault, tree: &Oid) -> Files {
    let git_dir = format!("--git-dir={}", vault.directory().display());
    let listed = setup.run(&[&git_dir, "ls-tree", "-r", "-z", "--full-tree", tree.as_str()]);
    let mut entries = Vec::new();
    for record in listed
        .split(|&byte| byte == 0)
        .filter(|record| !record.is_empty())
    {
        let tab = record.iter().position(|&byte| byte == b'\t').unwrap();
        let words = String::from_utf8(record[..tab].to_vec()).unwrap();
        let words: Vec<&str> = words.split(' ').collect();
        let mode = u32::from_str_radix(words[0], 8).unwrap();
        entries.push((record[tab + 1..].to_vec(), mode, Oid::parse(words[2]).unwrap()));
    }
    let blobs: Vec<&Oid> = entries
        .iter()
        .filter(|(_, mode, _)| *mode != 0o160_000)
        .map(|(_, _, oid)| oid)
        .collect();
    let mut bytes = vault.blobs(&blobs).unwrap().into_iter();
    entries
        .into_iter()
        .map(|(path, mode, _)| {
            let bytes = if mode == 0o160_000 {
                Vec::new()
            } else {
                bytes.next().unwrap()
            };
            (path, (mode, bytes))
        })
        .collect()
}

pub(crate) fn take_with(
    setup: &Setup,
    vault: &Vault,
    of: &SnapshotOf,
    keep: Keep,
) -> Result<Snapshot, GitError> {
    let taken = vault.snapshot(&setup.repository(), of, keep, &setup.scratch());
    assert_eq!(std::fs::read_dir(setup.scratch()).unwrap().count(), 0);
    taken
}

/// Takes the working tree, and sees that a mere look tells the same.
pub(crate) fn take(setup: &Setup) -> (Vault, Snapshot) {
    let vault = open(setup);
    let looked = take_with(setup, &vault, &SnapshotOf::WorkingTree, Keep::Nothing).unwrap();
    let taken = take_with(setup, &vault, &SnapshotOf::WorkingTree, Keep::Objects).unwrap();
    assert_eq!(looked.commit, None);
    let kept = Snapshot {
        commit: taken.commit.clone(),
        ..looked
    };
    assert_eq!(kept, taken);
    assert_eq!(vault.tree_of(taken.commit.as_ref().unwrap()).unwrap(), taken.tree);
    (vault, taken)
}

/// Sees that the snapshot is what lies on the disk, and returns it.
fn check(setup: &Setup, without: &[&str]) -> Snapshot {
    let (vault, taken) = take(setup);
    let files = in_tree(setup, &vault, &taken.tree);
    let expected = on_disk(&setup.top(), without);
    assert!(files == expected, "{:?}", differing(&files, &expected));
    assert_eq!(taken.files, files.len() as u64);
    taken
}

pub(crate) fn differing(one: &Files, other: &Files) -> Vec<String> {
    let mut paths: Vec<_> = one.keys().chain(other.keys()).collect();
    paths.sort();
    paths.dedup();
    paths.retain(|path| one.get(*path) != other.get(*path));
    let shown = |found: Option<&(u32, Vec<u8>)>| {
        found.map(|(mode, bytes)| format!("{mode:o} {:?}", String::from_utf8_lossy(bytes)))
    };
    paths
        .into_iter()
        .map(|path| {
            format!(
                "{:?}: {:?} {:?}",
                String::from_utf8_lossy(path),
                shown(one.get(path)),
                shown(other.get(path))
            )
        })
        .collect()
}

fn texts(paths: &[Vec<u8>]) -> Vec<String> {
    paths
        .iter()
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect()
}

#[test]
fn staged_unstaged_and_untracked_files_are_taken_and_ignored_ones_are_not() {
    with_a_commit(|setup| {
        setup.write(".gitignore", "*.log\n");
        setup.write("both", "1\n");
        setup.write("gone", "1\n");
        setup.write("tracked.log", "1\n");
        setup.run(&["add", "-f", "tracked.log"]);
        setup.commit("second");
        setup.write("staged", "s\n");
        setup.write("both", "2\n");
        setup.run(&["add", "staged", "both"]);
        setup.write("both", "3\n");
        setup.write("folder/untracked", "u\n");
        setup.write("a.log", "ignored\n");
        std::fs::remove_file(setup.top().join("gone")).unwrap();
        let taken = check(setup, &["a.log"]);
        assert_eq!(
            texts(&taken.uncommitted),
            ["both", "folder/untracked", "gone", "staged"]
        );
        assert_eq!(taken.head, Some(head(setup)));
        assert_eq!(taken.left_out, NO_PATHS);
    });
}

#[test]
fn every_kind_of_file_is_taken() {
    with_each_git(|setup| {
        let kinds: [(&[u8], &[u8]); 14] = [
            (b"empty", b""),
            (b"no end", b"no line feed"),
            (b"crlf", b"1\r\n2\r\n"),
            (b"latin-1", b"caf\xe9\n"),
            (b"binary", b"\0\x01\xff\r\n\0"),
            (b"feed", b"a\x0cb\xe2\x80\xa8c\n"),
            (b"a \"quoted\" name", b"q\n"),
            (b"it's", b"q\n"),
            (b"line\nfeed", b"n\n"),
            (b"tab\tname", b"t\n"),
            (b"\xff\xfe", b"bytes\n"),
            (b"-n", b"dash\n"),
            (b":(glob)*", b"magic\n"),
            ("ü/é".as_bytes(), b"u\n"),
        ];
        let write = |suffix: &[u8]| {
            for (name, bytes) in kinds {
                setup.write(OsStr::from_bytes(&[name, suffix].concat()), bytes);
            }
            let run = setup.top().join(OsStr::from_bytes(&[b"run", suffix].concat()));
            std::fs::write(&run, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o755)).unwrap();
            symlink(
                "nowhere\n",
                setup.top().join(OsStr::from_bytes(&[b"link", suffix].concat())),
            )
            .unwrap();
        };
        // Before the first commit, untracked; then committed, and again untracked beside them.
        write(b"");
        let taken = check(setup, &[]);
        assert_eq!((taken.head, taken.files), (None, 16));
        setup.run(&["add", "-A"]);
        let taken = check(setup, &[]);
        assert_eq!(taken.uncommitted.len(), 16);
        setup.commit("first");
        write(b"2");
        assert_eq!(check(setup, &[]).uncommitted.len(), 16);
    });
}

#[test]
fn kinds_that_change_into_each_other_are_taken() {
    with_a_commit(|setup| {
        let top = setup.top();
        for name in [
            "to-link",
            "to-folder",
            "to-run",
            "to-nothing",
            "to-empty",
            "moved",
        ] {
            setup.write(name, format!("{name}\n"));
        }
        setup.write("folder/a", "a\n");
        setup.write("folder/b", "b\n");
        setup.write("linked/a", "a\n");
        symlink("f", top.join("from-link")).unwrap();
        setup.commit("second");
        for name in ["to-link", "to-folder", "to-nothing", "from-link"] {
            std::fs::remove_file(top.join(name)).unwrap();
        }
        symlink("f", top.join("to-link")).unwrap();
        setup.write("to-folder/file", "in\n");
        std::fs::set_permissions(top.join("to-run"), std::fs::Permissions::from_mode(0o755)).unwrap();
        setup.write("to-empty", "");
        setup.write("from-link", "file\n");
        std::fs::rename(top.join("moved"), top.join("elsewhere")).unwrap();
        std::fs::remove_dir_all(top.join("folder")).unwrap();
        setup.write("folder", "file\n");
        // What lies behind a link is another place, even when it looks like a tracked file.
        std::fs::rename(top.join("linked"), top.join("real")).unwrap();
        symlink("real", top.join("linked")).unwrap();
        check(setup, &[]);
        setup.run(&["add", "-A"]);
        check(setup, &[]);
    });
}

#[test]
fn converted_files_are_taken_with_the_bytes_of_the_user() {
    let utf_16: Vec<u8> = "\u{feff}\u{e9}\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let files: [(&str, &[u8]); 9] = [
        ("auto.txt", b"1\r\n2\r\n"),
        ("auto-lf.txt", b"1\n2\n"),
        ("crlf.bat", b"1\r\n2\r\n"),
        ("lf.sh", b"1\r\n2\r\n"),
        ("u.utf16", &utf_16),
        ("id.c", b"$Id$\n"),
        ("raw.bin", b"1\r\n\0"),
        ("plain", b"1\r\n2\r\n"),
        ("not.dat", b"1\r\n2\r\n"),
    ];
    let attributes = "*.txt text=auto\n*.bat text eol=crlf\n*.sh eol=lf\n\
                      *.utf16 text working-tree-encoding=UTF-16LE-BOM\n*.c ident\n*.bin binary\n*.dat -text\n";
    for settings in [
        &[][..],
        &[("core.autocrlf", "true")],
        &[("core.autocrlf", "input")],
        &[("core.eol", "crlf")],
    ] {
        with_a_commit(|setup| {
            for (key, value) in settings {
                setup.run(&["config", key, value]);
            }
            setup.write(".gitattributes", attributes);
            for (name, bytes) in files {
                setup.write(name, bytes);
            }
            setup.commit("second");
            // Written by git, so that `$Id$` and the like are expanded.
            for (name, _) in files
                .iter()
                .filter(|(name, _)| *name != "auto.txt" && *name != "lf.sh")
            {
                std::fs::remove_file(setup.top().join(name)).unwrap();
                setup.run(&["checkout", "-q", "--", name]);
            }
            assert_eq!(setup.run(&["status", "--porcelain"]), b"");
            let taken = check(setup, &[]);
            assert_eq!(taken.uncommitted, NO_PATHS, "{settings:?}");
            let files = on_disk(&setup.top(), &[]);
            assert!(files[&b"id.c"[..]].1.starts_with(b"$Id: "), "a control");

            // The commit that is checked out has the same bytes, but for what is not committed.
            setup.write("crlf.bat", "changed\r\n");
            setup.write("auto.txt", "staged\r\n");
            setup.run(&["add", "auto.txt"]);
            setup.write("new", "n\n");
            std::fs::remove_file(setup.top().join("raw.bin")).unwrap();
            let taken = check(setup, &[]);
            assert_eq!(
                texts(&taken.uncommitted),
                ["auto.txt", "crlf.bat", "new", "raw.bin"],
                "{settings:?}"
            );
            let vault = open(setup);
            let of = SnapshotOf::Commit(head(setup));
            let looked = take_with(setup, &vault, &of, Keep::Nothing).unwrap();
            let taken = take_with(setup, &vault, &of, Keep::Objects).unwrap();
            assert_eq!((&looked.tree, &taken.uncommitted), (&taken.tree, &Vec::new()));
            let mut expected = files;
            for name in ["crlf.bat", "auto.txt", "raw.bin"] {
                let stored = setup.run(&["cat-file", "blob", &format!("HEAD:{name}")]);
                expected.get_mut(name.as_bytes()).unwrap().1 = stored;
            }
            let found = in_tree(setup, &vault, &taken.tree);
            assert!(
                found == expected,
                "{settings:?} {:?}",
                differing(&found, &expected)
            );
        });
    }
}

#[test]
fn a_file_of_git_lfs_is_taken_as_it_lies_there() {
    with_a_commit(|setup| {
        setup.write(".gitattributes", "*.big filter=lfs diff=lfs merge=lfs -text\n");
        // What `sha256sum` says of the bytes `big` and a line feed, in the form that the store has.
        let pointer = "version https://git-lfs.github.com/spec/v1\n\
                       oid sha256:5e46266be5fda8508117bfafcbb22d0e177a3b476ed603a39e47f1586b2ef4a3\nsize 4\n";
        setup.write("pointer.big", pointer);
        setup.write("smudged.big", pointer);
        setup.commit("second");
        let config = |value: &str| setup.run(&["config", "filter.lfs.clean", value]);
        let script = setup.folder().join("clean");
        std::fs::write(
            &script,
            format!("#!/bin/sh\nprintf '%s\\n' '{}'\n", pointer.trim_end()),
        )
        .unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        config(script.to_str().unwrap());
        setup.write("smudged.big", "big\n");
        setup.run(&["add", "smudged.big"]);
        assert_eq!(setup.run(&["status", "--porcelain"]), b"");
        let taken = check(setup, &[]);
        assert_eq!(taken.uncommitted, NO_PATHS);
    });
}

#[test]
fn an_edit_within_the_same_tick_of_the_clock_is_never_missed() {
    with_a_commit(|setup| {
        for at in 0..20 {
            setup.write("f", format!("before {at:02}\n"));
            setup.run(&["add", "f"]);
            setup.write("f", format!("after! {at:02}\n"));
            check(setup, &[]);
        }
    });
}

#[test]
fn entries_that_git_does_not_look_at_are_taken_as_their_bits_say() {
    with_a_commit(|setup| {
        for name in ["assumed", "assumed-gone", "skipped", "intended", "intended-gone"] {
            if !name.starts_with("intended") {
                setup.write(name, "1\n");
            }
        }
        setup.commit("second");
        setup.run(&["update-index", "--assume-unchanged", "assumed", "assumed-gone"]);
        setup.run(&["update-index", "--skip-worktree", "skipped"]);
        setup.write("assumed", "2\n");
        std::fs::remove_file(setup.top().join("assumed-gone")).unwrap();
        std::fs::remove_file(setup.top().join("skipped")).unwrap();
        setup.write("intended", "i\n");
        setup.write("intended-gone", "i\n");
        setup.run(&["add", "-N", "intended", "intended-gone"]);
        std::fs::remove_file(setup.top().join("intended-gone")).unwrap();
        let (vault, taken) = take(setup);
        let mut expected = on_disk(&setup.top(), &[]);
        expected.insert(b"skipped".to_vec(), (0o100_644, b"1\n".to_vec()));
        let found = in_tree(setup, &vault, &taken.tree);
        assert!(found == expected, "{:?}", differing(&found, &expected));
        assert_eq!(taken.files, 4);
    });
}

#[test]
fn a_conflict_is_taken_as_the_file_that_lies_there() {
    with_a_commit(|setup| {
        setup.run(&["checkout", "-q", "-b", "topic"]);
        setup.write("f", "topic\n");
        setup.write("gone", "1\n");
        setup.commit("topic");
        setup.run(&["checkout", "-q", "main"]);
        setup.write("f", "main\n");
        setup.commit("main");
        let (is_merged, _) = setup.try_run_in(&setup.top(), &["merge", "topic"]);
        assert!(!is_merged);
        let taken = check(setup, &[]);
        assert!(texts(&taken.uncommitted).contains(&"f".to_owned()));
        // The commit has no conflict.
        let vault = open(setup);
        let of = SnapshotOf::Commit(head(setup));
        let taken = take_with(setup, &vault, &of, Keep::Objects).unwrap();
        assert_eq!(taken.tree.as_str(), setup.oid("HEAD^{tree}"));
        std::fs::remove_file(setup.top().join("f")).unwrap();
        check(setup, &[]);
    });
}

#[test]
fn what_is_no_file_of_this_repository_is_left_out_and_told() {
    with_a_commit(|setup| {
        let top = setup.top();
        let inner = |path: &str| {
            setup.run(&["init", "-q", path]);
            setup.write(format!("{path}/in"), "in\n");
            setup.run_in(&top.join(path), &["add", "-A"]);
            setup.run_in(&top.join(path), &["commit", "-q", "-m", "in"]);
        };
        inner("module");
        setup.run(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "add",
            "-q",
            "./module",
            "module",
        ]);
        for name in ["to-fifo", "to-socket", "to-repository"] {
            setup.write(name, "1\n");
        }
        setup.commit("second");
        setup.write("module/in", "dirty\n");
        setup.run_in(&top.join("module"), &["commit", "-q", "-a", "-m", "moved"]);
        inner("nested/deeply");
        for name in ["to-fifo", "to-socket", "to-repository"] {
            std::fs::remove_file(top.join(name)).unwrap();
        }
        make_fifo(&top.join("to-fifo"));
        make_fifo(&top.join("new-fifo"));
        let _socket = std::os::unix::net::UnixListener::bind(top.join("to-socket")).unwrap();
        inner("to-repository");
        setup.write("git~1", "refused\n");
        let (vault, taken) = take(setup);
        assert_eq!(
            texts(&taken.left_out),
            [
                "git~1",
                "module",
                "nested/deeply",
                "to-fifo",
                "to-repository",
                "to-socket"
            ]
        );
        let found = in_tree(setup, &vault, &taken.tree);
        let names: Vec<&str> = found
            .keys()
            .map(|path| std::str::from_utf8(path).unwrap())
            .collect();
        assert_eq!(names, [".gitmodules", "f", "module"]);
        assert_eq!(taken.files, 2);
    });
}

#[test]
fn a_sparse_checkout_keeps_what_is_not_checked_out() {
    with_each_git(|setup| {
        for name in ["in/a", "out/b", "out/c"] {
            setup.write(name, "1\n");
        }
        setup.commit("first");
        for mode in ["--no-sparse-index", "--sparse-index"] {
            setup.run(&["sparse-checkout", "set", "--cone", mode, "in"]);
            assert!(!setup.top().join("out").exists());
            setup.write("in/a", "2\n");
            let (vault, taken) = take(setup);
            let found = in_tree(setup, &vault, &taken.tree);
            assert_eq!(found.len(), 3);
            assert_eq!(found[&b"in/a"[..]].1, b"2\n");
            assert_eq!(texts(&taken.uncommitted), ["in/a"]);
            // A file that is there all the same is looked at.
            setup.write("out/b", "2\n");
            let (vault, taken) = take(setup);
            let found = in_tree(setup, &vault, &taken.tree);
            assert_eq!(found[&b"out/b"[..]].1, b"2\n");
            assert_eq!(found[&b"out/c"[..]].1, b"1\n");
            std::fs::remove_dir_all(setup.top().join("out")).unwrap();
            setup.run(&["sparse-checkout", "disable"]);
            setup.run(&["checkout", "-q", "--", "."]);
        }
    });
}

#[test]
fn indexes_and_repositories_of_all_forms_are_read() {
    for arguments in [
        &["update-index", "--split-index"][..],
        &["update-index", "--index-version", "4"],
        &["update-index", "--untracked-cache"],
        &["config", "core.filemode", "false"],
        &["config", "core.ignoreCase", "true"],
    ] {
        with_a_commit(|setup| {
            setup.write("g", "g\n");
            setup.commit("second");
            setup.run(arguments);
            setup.write("f", "split\n");
            setup.write("new", "new\n");
            setup.run(&["add", "new"]);
            setup.write("g", "h\n");
            check(setup, &[]);
            setup.commit("third");
            let taken = check(setup, &[]);
            assert_eq!(taken.uncommitted, NO_PATHS);
            assert_eq!(taken.tree.as_str(), setup.oid("HEAD^{tree}"), "{arguments:?}");
        });
    }
    with_each_git(|setup| {
        std::fs::remove_dir_all(setup.top().join(".git")).unwrap();
        setup.run(&["init", "-q", "--object-format=sha256", "."]);
        for name in ["f", "gone"] {
            setup.write(name, "1\n");
        }
        setup.commit("first");
        setup.write("f", "2\n");
        setup.write("new", "n\n");
        std::fs::remove_file(setup.top().join("gone")).unwrap();
        let taken = check(setup, &[]);
        assert_eq!(taken.tree.as_str().len(), 64);
    });
}

#[test]
fn a_linked_worktree_has_a_snapshot_of_its_own() {
    with_a_commit(|setup| {
        let linked = setup.folder().join("linked");
        setup.run(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
        std::fs::write(linked.join("f"), "linked\n").unwrap();
        setup.write("f", "main\n");
        let vault = open(setup);
        let repository = setup.git.discover(&linked).unwrap();
        let taken = vault
            .snapshot(
                &repository,
                &SnapshotOf::WorkingTree,
                Keep::Objects,
                &setup.scratch(),
            )
            .unwrap();
        assert_eq!(in_tree(setup, &vault, &taken.tree)[&b"f"[..]].1, b"linked\n");
        check(setup, &[]);
    });
}

#[test]
fn a_commit_that_is_not_checked_out_is_taken_as_it_is_stored() {
    with_a_commit(|setup| {
        let first = head(setup);
        setup.write("f", "2\n");
        setup.write("g", "g\n");
        setup.commit("second");
        let vault = open(setup);
        let taken = take_with(setup, &vault, &SnapshotOf::Commit(first.clone()), Keep::Objects).unwrap();
        assert_eq!(taken.tree.as_str(), setup.oid("HEAD~1^{tree}"));
        assert_eq!((taken.files, taken.head), (1, Some(first)));
        let absent = Oid::parse(&"1".repeat(40)).unwrap();
        assert!(matches!(
            take_with(setup, &vault, &SnapshotOf::Commit(absent), Keep::Objects),
            Err(GitError::MissingObjects { partial_clone: false })
        ));
    });
}

#[test]
fn shallow_and_partial_clones_have_snapshots_and_fetch_nothing() {
    with_a_commit(|setup| {
        setup.write("in/a", "a\n");
        setup.write("out/b", "b\n");
        setup.commit("second");
        setup.run(&["config", "uploadpack.allowFilter", "true"]);
        let origin = format!("file://{}", setup.top().display());
        for (name, arguments) in [
            ("shallow", &["--depth=1"][..]),
            ("partial", &["--filter=blob:none", "--sparse"]),
        ] {
            let clone = setup.folder().join(name);
            let options = [&["clone", "-q"], arguments, &[&origin, clone.to_str().unwrap()]].concat();
            setup.run_in(&setup.folder(), &options);
            std::fs::write(clone.join("f"), "changed\n").unwrap();
            std::fs::write(clone.join("new"), "new\n").unwrap();
            let repository = setup.git.discover(&clone).unwrap();
            let vault = Vault::open(&repository, &setup.folder().join(format!("vault-{name}"))).unwrap();
            let taken = vault
                .snapshot(
                    &repository,
                    &SnapshotOf::WorkingTree,
                    Keep::Objects,
                    &setup.scratch(),
                )
                .unwrap();
            assert_eq!(taken.files, 4, "{name}");
            assert_eq!(texts(&taken.uncommitted), ["f", "new"], "{name}");
            let paths = vault.paths(&taken.tree).unwrap();
            assert_eq!(texts(&paths), ["f", "in/a", "new", "out/b"], "{name}");
            if name == "partial" {
                let missing = Oid::parse(&setup.oid("HEAD:out/b")).unwrap();
                assert!(matches!(
                    vault.blobs(&[&missing]),
                    Err(GitError::MissingObjects { partial_clone: true })
                ));
            }
        }
    });
}

#[test]
fn files_that_come_and_go_meanwhile_spoil_nothing_else() {
    with_a_commit(|setup| {
        for at in 0..50 {
            setup.write(format!("changed/{at}"), "changed\n");
        }
        let top = setup.top();
        let vault = open(setup);
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let (mut taken, mut failed) = (0, 0);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let (place, inner) = (top.join("churn"), top.join("churn/in"));
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    // Any of these steps may be the one that git meets.
                    std::fs::create_dir(&place).unwrap();
                    std::fs::write(&inner, "in\n").unwrap();
                    std::fs::remove_dir_all(&place).unwrap();
                    symlink("changed", &place).unwrap();
                    std::fs::remove_file(&place).unwrap();
                    std::fs::write(&place, "file\n").unwrap();
                    std::fs::remove_file(&place).unwrap();
                }
            });
            for _ in 0..15 {
                match take_with(setup, &vault, &SnapshotOf::WorkingTree, Keep::Objects) {
                    Ok(snapshot) => {
                        let mut files = in_tree(setup, &vault, &snapshot.tree);
                        files.retain(|path, _| !path.starts_with(b"churn"));
                        assert_eq!(files.len(), 51);
                        taken += 1;
                    }
                    // Only after it was tried several times.
                    Err(GitError::Failed { .. }) => failed += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(taken > failed, "{taken} taken, {failed} failed");
    });
}
