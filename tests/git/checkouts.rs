//! Worktrees of the vault: what a peer leaves in one comes back to the byte, and a reset one is as good as new.

use crate::setup::{Setup, make_fifo, with_a_commit, with_each_git};
use crate::vaults::open;
use crosscheck::git::{Collected, Head, Oid, Vault, remove_tree};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A worktree of the repository's only commit.
struct Tree<'a> {
    setup: &'a Setup,
    vault: Vault,
    base: Oid,
    place: PathBuf,
}

impl<'a> Tree<'a> {
    fn of(setup: &'a Setup) -> Self {
        let vault = open(setup);
        let Head::Born { oid: base, .. } = setup.repository().head().clone() else {
            panic!("there is a commit")
        };
        let place = setup.folder().join("tree");
        vault.check_out(&place, &base).unwrap();
        Self {
            setup,
            vault,
            base,
            place,
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), bytes).unwrap();
    }

    fn collect(&self) -> Collected {
        self.vault.collect(&self.place, &self.base, &[]).unwrap()
    }

    fn base_tree(&self) -> Oid {
        self.vault.tree_of(&self.base).unwrap()
    }

    /// Makes a worktree of a tree beside this one and lists it.
    fn listed_elsewhere(&self, tree: &Oid) -> Listing {
        let commit = self.vault.commit(tree, &[&self.base], "result\n").unwrap();
        let place = self.setup.folder().join("elsewhere");
        self.vault.check_out(&place, &commit).unwrap();
        let listed = list(&place);
        self.vault.forget(&place).unwrap();
        remove_tree(&place).unwrap();
        listed
    }

    /// Resets it and checks that it is what a new one is.
    fn check_reset(&self) {
        self.vault.reset(&self.place, &self.base).unwrap();
        assert_eq!(list(&self.place), self.listed_elsewhere(&self.base_tree()));
        assert_eq!(everything(&self.place), everything_of(&list(&self.place)));
        let git_file = fs::read_to_string(self.at(".git")).unwrap();
        assert!(git_file.starts_with("gitdir: "), "{git_file}");
        let status = self
            .setup
            .run_in(&self.place, &["status", "--porcelain", "--ignored"]);
        assert_eq!(String::from_utf8_lossy(&status), "");
        assert_eq!(self.collect().tree, self.base_tree());
    }

    /// Runs the peer's git in it.
    fn git(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.setup.run_in(&self.place, arguments)).unwrap()
    }
}

/// Path, kind with the permissions, and bytes of every file and link below a folder, without the `.git` at its top.
type Listing = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

fn list(top: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let relative = path.strip_prefix(top).unwrap();
            if relative == Path::new(".git") {
                continue;
            }
            let bytes = if about.is_dir() {
                folders.push(path.clone());
                continue;
            } else if about.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_vec()
            } else if about.is_file() {
                fs::read(&path).unwrap()
            } else {
                continue;
            };
            listing.insert(relative.as_os_str().as_bytes().to_vec(), (about.mode(), bytes));
        }
    }
    listing
}

/// Lists the paths of really everything, folders and special files too.
fn everything(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.path() == top.join(".git") {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path().strip_prefix(top).unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// Lists files and the folders that they need.
fn everything_of(listing: &Listing) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = listing
        .keys()
        .flat_map(|path| {
            let path = Path::new(OsStr::from_bytes(path));
            path.ancestors()
                .filter(|part| !part.as_os_str().is_empty())
                .map(Path::to_owned)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Leaves of the permissions what git keeps: whether the owner may run it.
fn kept(listing: &Listing) -> Listing {
    let keep = |&(mode, ref bytes): &(u32, Vec<u8>)| (mode & 0o170_100, bytes.clone());
    listing
        .iter()
        .map(|(path, file)| (path.clone(), keep(file)))
        .collect()
}

fn names(paths: &[Vec<u8>]) -> Vec<String> {
    paths
        .iter()
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect()
}

#[test]
fn the_peers_own_git_works_in_a_worktree_and_the_user_sees_none_of_it() {
    with_a_commit(|setup| {
        let before = setup.run(&["status", "--porcelain=v2", "--branch"]);
        let tree = Tree::of(setup);
        assert_eq!(tree.git(&["status", "--porcelain"]), "");
        assert!(tree.git(&["log", "--oneline"]).contains("first"));
        tree.write("f", "changed\n");
        assert!(tree.git(&["diff"]).contains("+changed"));
        assert_eq!(setup.run(&["worktree", "list"]).split(|&b| b == b'\n').count(), 2);
        assert!(!setup.top().join(".git/worktrees").exists());
        assert_eq!(setup.run(&["status", "--porcelain=v2", "--branch"]), before);
        tree.vault.forget(&tree.place).unwrap();
        assert!(
            fs::read_dir(tree.vault.directory().join("worktrees"))
                .unwrap()
                .next()
                .is_none()
        );
    });
}

#[test]
fn a_worktree_that_cannot_be_made_leaves_nothing() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let absent = Oid::parse(&"1".repeat(40)).unwrap();
        let place = setup.folder().join("tree");
        vault.check_out(&place, &absent).unwrap_err();
        assert!(!place.exists());
        assert_eq!(
            fs::read_dir(vault.directory().join("worktrees")).unwrap().count(),
            0
        );
        fs::create_dir(&place).unwrap();
        vault.check_out(&place, &absent).unwrap_err();
        assert!(place.exists(), "it was there before");
    });
}

#[test]
fn bytes_are_not_converted_on_the_way_out_or_in() {
    with_each_git(|setup| {
        let attributes =
            "* text=auto eol=crlf\n*.id ident\n*.u working-tree-encoding=UTF-16\n*.l filter=lfs\n";
        setup.write(".gitattributes", attributes);
        setup.run(&["config", "core.autocrlf", "true"]);
        setup.write("a.txt", "one\r\ntwo\n\u{c}\u{2028}three");
        setup.write("c.l", "version https://git-lfs.example/spec/v1\n");
        setup.run(&["add", "-A"]);
        // Past the conversions, as the snapshot stores them.
        for (name, bytes) in [
            ("a.txt", &b"one\r\ntwo\n"[..]),
            ("b.id", b"$Id: mine$\n"),
            ("d.u", b"\xff\xfea\0"),
        ] {
            setup.write("raw", bytes);
            let oid = setup.run(&["hash-object", "-w", "--no-filters", "raw"]);
            let oid = String::from_utf8(oid).unwrap();
            let entry = format!("100644,{},{name}", oid.trim());
            setup.run(&["update-index", "--add", "--cacheinfo", &entry]);
        }
        setup.run(&["commit", "-qm", "first"]);
        let tree = Tree::of(setup);
        assert_eq!(fs::read(tree.at("a.txt")).unwrap(), b"one\r\ntwo\n");
        assert_eq!(fs::read(tree.at("b.id")).unwrap(), b"$Id: mine$\n");
        assert_eq!(fs::read(tree.at("d.u")).unwrap(), b"\xff\xfea\0");
        assert_eq!(tree.collect().tree, tree.base_tree());
        tree.write("a.txt", b"mixed\r\n\xe9\n\r");
        tree.write("e.u", b"\xff\xfeb\0");
        let collected = tree.collect();
        let listed = tree.listed_elsewhere(&collected.tree);
        assert_eq!(listed, list(&tree.place));
        assert_eq!(listed[&b"a.txt"[..]].1, b"mixed\r\n\xe9\n\r");
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_a_peer_does_to_files_is_collected_and_undone() {
    /// Something that a peer does, and the paths that are left out then.
    type Case = (&'static str, fn(&Tree<'_>), &'static [&'static str]);
    let cases: [Case; 20] = [
        ("nothing", |_| {}, &[]),
        ("deletes everything", |tree| remove_all(&tree.place), &[]),
        (
            "deletes the folder itself",
            |tree| fs::remove_dir_all(&tree.place).unwrap(),
            &[],
        ),
        (
            "replaces a folder by a link to another place",
            |tree| {
                fs::rename(tree.at("d"), tree.setup.folder().join("moved")).unwrap();
                symlink(tree.setup.folder().join("moved"), tree.at("d")).unwrap();
            },
            &[],
        ),
        (
            "hides a folder behind a link beside it",
            |tree| {
                fs::rename(tree.at("d"), tree.at(".hidden")).unwrap();
                symlink(".hidden", tree.at("d")).unwrap();
            },
            &[],
        ),
        (
            "replaces a file by a folder",
            |tree| {
                fs::remove_file(tree.at("f")).unwrap();
                tree.write("f/inner", "new\n");
            },
            &[],
        ),
        (
            "replaces a file by a repository",
            |tree| {
                fs::remove_file(tree.at("f")).unwrap();
                fs::create_dir(tree.at("f")).unwrap();
                repository_in(tree, "f");
            },
            &["f"],
        ),
        (
            "makes a repository",
            |tree| {
                fs::create_dir(tree.at("n")).unwrap();
                repository_in(tree, "n");
            },
            &["n"],
        ),
        (
            "makes a repository of a folder with files of the commit",
            |tree| {
                repository_in(tree, "d");
                tree.write("d/more", "more\n");
            },
            &["d/.git"],
        ),
        (
            "makes a repository of the worktree itself",
            |tree| {
                fs::remove_file(tree.at(".git")).unwrap();
                tree.setup.run_in(&tree.place, &["init", "-q"]);
                fs::write(
                    tree.at(".git/config"),
                    "[core]\n\tfsmonitor = \"touch ../ran\"\n\tbare = false\n",
                )
                .unwrap();
            },
            &[],
        ),
        (
            "replaces the link to the vault by a link to the user's",
            |tree| {
                fs::remove_file(tree.at(".git")).unwrap();
                symlink(tree.setup.top().join(".git"), tree.at(".git")).unwrap();
            },
            &[],
        ),
        (
            "names another git directory",
            |tree| {
                let line = format!("gitdir: {}\n", tree.setup.top().join(".git").display());
                fs::write(tree.at(".git"), line).unwrap();
            },
            &[],
        ),
        (
            "makes pipes",
            |tree| {
                make_fifo(&tree.at("pipe"));
                fs::remove_file(tree.at("f")).unwrap();
                make_fifo(&tree.at("f"));
            },
            &["f", "pipe"],
        ),
        (
            "closes files and folders",
            |tree| {
                tree.write("closed/new", "new\n");
                for (path, mode) in [
                    ("d/e/g", 0o000),
                    ("f", 0o000),
                    ("closed/new", 0o000),
                    ("d/e", 0o000),
                    ("d", 0o500),
                    ("closed", 0o000),
                ] {
                    fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).unwrap();
                }
            },
            &[],
        ),
        (
            "makes files runnable",
            |tree| {
                fs::set_permissions(tree.at("f"), fs::Permissions::from_mode(0o777)).unwrap();
                fs::set_permissions(tree.at("x"), fs::Permissions::from_mode(0o600)).unwrap();
            },
            &[],
        ),
        (
            "pretends that a file is old",
            |tree| {
                let about = fs::metadata(tree.at("f")).unwrap();
                let bytes = vec![b'#'; usize::try_from(about.len()).unwrap()];
                fs::write(tree.at("f"), bytes).unwrap();
                let file = fs::File::options().write(true).open(tree.at("f")).unwrap();
                file.set_modified(about.modified().unwrap()).unwrap();
            },
            &[],
        ),
        (
            "shares a file with another place",
            |tree| {
                fs::hard_link(tree.at("f"), tree.setup.folder().join("shared")).unwrap();
                fs::hard_link(tree.setup.top().join("x"), tree.at("linked")).unwrap();
            },
            &[],
        ),
        (
            "uses a name of git's",
            |tree| tree.write("d/.GIT/config", "x"),
            &["d/.GIT"],
        ),
        (
            "ignores things",
            |tree| {
                tree.write(".gitignore", "out/\n");
                tree.write("out/a", "a");
                make_fifo(&tree.at("out/pipe"));
            },
            &[],
        ),
        (
            "commits",
            |tree| {
                tree.write("own", "own\n");
                tree.git(&["add", "-A"]);
                tree.git(&["commit", "-qm", "the peer's own"]);
            },
            &[],
        ),
    ];
    for (name, does, left_out) in cases {
        with_each_git(|setup| {
            println!("the peer {name}");
            setup.write("f", "1\n2\n3\n");
            setup.write("d/e/g", "g\n");
            setup.write("d/h", "h\n");
            setup.write("x", "#!/bin/sh\n");
            fs::set_permissions(setup.top().join("x"), fs::Permissions::from_mode(0o755)).unwrap();
            symlink("d/h", setup.top().join("l")).unwrap();
            setup.commit("first");
            let user = list(&setup.top());
            let tree = Tree::of(setup);
            does(&tree);
            let collected = tree.collect();
            assert_eq!(names(&collected.left_out), left_out);
            // A second look sees the same.
            assert_eq!(tree.collect(), collected);
            let mut expected = kept(&list(&tree.place));
            expected.retain(|path, _| {
                let path = String::from_utf8_lossy(path).into_owned();
                !path.starts_with("out/") && !left_out.iter().any(|out| path.starts_with(&format!("{out}/")))
            });
            assert_eq!(kept(&tree.listed_elsewhere(&collected.tree)), expected);
            tree.check_reset();
            assert_eq!(list(&setup.top()), user);
            let moved = setup.folder().join("moved/h");
            assert!(
                !moved.parent().unwrap().exists() || moved.exists(),
                "it is not ours"
            );
            assert!(!setup.folder().join("ran").exists());
            if let Ok(shared) = fs::read(setup.folder().join("shared")) {
                assert_eq!(shared, b"1\n2\n3\n");
            }
        });
    }
}

fn remove_all(top: &Path) {
    for entry in fs::read_dir(top).unwrap() {
        remove_tree(&entry.unwrap().path()).unwrap();
    }
}

fn repository_in(tree: &Tree<'_>, path: &str) {
    let folder = tree.at(path);
    tree.setup.run_in(&folder, &["init", "-q"]);
    fs::write(folder.join("inner"), "inner\n").unwrap();
    tree.setup.run_in(&folder, &["add", "inner"]);
    tree.setup.run_in(&folder, &["commit", "-qm", "inner"]);
}

#[test]
fn an_edit_within_the_same_second_and_size_is_seen_and_undone() {
    with_a_commit(|setup| {
        let tree = Tree::of(setup);
        let base = tree.base_tree();
        let original = fs::read(tree.at("f")).unwrap();
        for round in 0..20_u8 {
            // At once after the reset, so within the same second as the index and mostly the file as well.
            let edited = vec![b'a' + round; original.len()];
            fs::write(tree.at("f"), &edited).unwrap();
            if round % 2 == 0 {
                assert_ne!(tree.collect().tree, base, "round {round}");
            }
            tree.vault.reset(&tree.place, &tree.base).unwrap();
            assert_eq!(fs::read(tree.at("f")).unwrap(), original, "round {round}");
            assert_eq!(tree.collect().tree, base, "round {round}");
        }
    });
}

#[test]
fn paths_that_take_no_part_stay_as_they_were() {
    with_a_commit(|setup| {
        let tree = Tree::of(setup);
        symlink("/nowhere", tree.at("node_modules")).unwrap();
        tree.write("node_modules2", "mine\n");
        fs::remove_file(tree.at("f")).unwrap();
        let without = [b"node_modules".to_vec(), b"f".to_vec()];
        let collected = tree.vault.collect(&tree.place, &tree.base, &without).unwrap();
        let listed = tree.listed_elsewhere(&collected.tree);
        assert_eq!(
            names(&listed.into_keys().collect::<Vec<_>>()),
            ["f", "node_modules2"]
        );
    });
}

#[test]
fn an_adopted_worktree_counts_from_the_new_commit() {
    with_a_commit(|setup| {
        let tree = Tree::of(setup);
        tree.write("made/x", "x\n");
        tree.write(".gitignore", "later\n");
        let first = tree.collect();
        let commit = tree.vault.commit(&first.tree, &[&tree.base], "one\n").unwrap();
        tree.write("later", "ignored\n");
        tree.vault.adopt(&tree.place, &commit).unwrap();
        assert_eq!(tree.git(&["status", "--porcelain"]), "");
        assert_eq!(fs::read(tree.at("later")).unwrap(), b"ignored\n");
        // What is ignored from now on is part of the result all the same once it is part of the commit.
        tree.write(".gitignore", "later\nmade\n");
        tree.write("made/x", "y\n");
        for base in [&commit, &tree.base] {
            let again = tree.vault.collect(&tree.place, base, &[]).unwrap();
            let listed = tree.listed_elsewhere(&again.tree);
            assert_eq!(listed.contains_key(&b"made/x"[..]), base == &commit);
        }
    });
}

#[test]
fn a_folder_of_any_depth_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    let name = "n".repeat(200);
    // Built from the inside out, because its whole path is longer than the system takes.
    fs::create_dir(&top).unwrap();
    for _ in 0..60 {
        let above = folder.path().join("above");
        fs::create_dir(&above).unwrap();
        fs::write(above.join("file"), "x").unwrap();
        fs::rename(&top, above.join(&name)).unwrap();
        fs::rename(&above, &top).unwrap();
    }
    symlink(folder.path(), top.join("out")).unwrap();
    fs::set_permissions(&top, fs::Permissions::from_mode(0o000)).unwrap();
    remove_tree(&top).unwrap();
    remove_tree(&top).unwrap();
    assert!(folder.path().is_dir() && !top.exists());
}

#[test]
fn names_that_git_takes_for_its_own_in_silence_are_told() {
    with_a_commit(|setup| {
        let tree = Tree::of(setup);
        for name in [".git ", ".git.", ".git::$DATA", "GIT~1", "d/.git . ", "a\\.git"] {
            tree.write(name, "the peer's\n");
        }
        symlink("f", tree.at(".gitmodules")).unwrap();
        tree.write("seen", "seen\n");
        let collected = tree.collect();
        let listed = tree.listed_elsewhere(&collected.tree);
        assert_eq!(names(&listed.into_keys().collect::<Vec<_>>()), ["f", "seen"]);
        assert_eq!(
            names(&collected.left_out),
            [
                ".git ",
                ".git.",
                ".git::$DATA",
                ".gitmodules",
                "GIT~1",
                "a\\.git",
                "d/.git . "
            ]
        );
    });
}

#[test]
fn what_a_peer_writes_into_a_submodules_folder_is_told() {
    with_a_commit(|setup| {
        let link = format!("160000,{},module", setup.oid("HEAD"));
        setup.run(&["update-index", "--add", "--cacheinfo", &link]);
        setup.run(&["commit", "-qm", "a submodule"]);
        let tree = Tree::of(setup);
        assert_eq!(
            names(&tree.collect().left_out),
            [""; 0],
            "an empty one is as it was"
        );
        tree.write("module/d/new", "the peer's\n");
        let collected = tree.collect();
        assert_eq!(collected.tree, tree.base_tree());
        assert_eq!(names(&collected.left_out), ["module"]);
        fs::remove_dir_all(tree.at("module")).unwrap();
        fs::create_dir(tree.at("module")).unwrap();
        repository_in(&tree, "module");
        let collected = tree.collect();
        assert_eq!(collected.tree, tree.base_tree());
        assert_eq!(names(&collected.left_out), ["module"]);
        tree.vault.reset(&tree.place, &tree.base).unwrap();
        assert_eq!(names(&tree.collect().left_out), [""; 0]);
    });
}

#[test]
fn a_folder_deeper_than_the_system_takes_costs_no_work_beside_it() {
    with_a_commit(|setup| {
        let tree = Tree::of(setup);
        let name = "n".repeat(200);
        let mut deep = tree.at("deep");
        let spare = setup.folder().join("spare");
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        for _ in 0..30 {
            fs::create_dir(&spare).unwrap();
            fs::rename(&deep, spare.join(&name)).unwrap();
            fs::rename(&spare, &deep).unwrap();
        }
        deep = tree.at("f");
        fs::write(&deep, "the peer's\n").unwrap();
        let collected = tree.collect();
        let listed = tree.listed_elsewhere(&collected.tree);
        assert_eq!(listed[&b"f"[..]].1, b"the peer's\n");
        assert_eq!(collected.left_out.len(), 1);
        assert!(collected.left_out[0].starts_with(b"deep/nnn"));
        tree.check_reset();
    });
}

#[test]
fn a_repository_that_ignores_case_hides_no_new_file() {
    with_a_commit(|setup| {
        setup.run(&["config", "core.ignorecase", "true"]);
        let tree = Tree::of(setup);
        if tree.at("F").exists() {
            return;
        }
        tree.write("F", "another one\n");
        let listed = tree.listed_elsewhere(&tree.collect().tree);
        assert_eq!(names(&listed.into_keys().collect::<Vec<_>>()), ["F", "f"]);
    });
}

#[test]
fn a_file_larger_than_a_patch_makes_no_patch_and_costs_no_memory() {
    with_a_commit(|setup| {
        let tree = Tree::of(setup);
        let file = fs::File::create(tree.at("huge")).unwrap();
        file.set_len(300 * 1024 * 1024).unwrap();
        let collected = tree.collect();
        let refused = tree.vault.patch(&tree.base_tree(), &collected.tree, &[]);
        assert!(
            matches!(refused, Err(crosscheck::git::GitError::DiffTooLarge { .. })),
            "its zeros would fit, and git would hold all of it twice"
        );
    });
}

/// What a random peer does to one path.
#[derive(Clone, Debug)]
enum Edit {
    Write(Vec<u8>, u32),
    WriteUnseen(u8),
    Delete,
    Link(PathBuf),
    MoveTo(PathBuf),
    Mode(u32),
    Folder,
    Pipe,
}

fn name() -> impl Strategy<Value = PathBuf> {
    let names: [&[u8]; 10] = [
        b"a",
        b"b",
        b"B",
        b"d d",
        b"q\"'\\",
        b"new\nline",
        b"\xff\xe9",
        b"-x",
        b":(glob)*",
        b"tab\t",
    ];
    prop::sample::select(names.to_vec()).prop_map(|name| PathBuf::from(OsStr::from_bytes(name)))
}

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(name(), 1..4).prop_map(|names| names.iter().collect())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let texts: [&[u8]; 6] = [
        b"",
        b"one\ntwo\n",
        b"one\r\ntwo\r\n",
        b"no end",
        b"\0\xff\0",
        b"one\nTWO\n",
    ];
    prop_oneof![
        prop::sample::select(texts.to_vec()).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let mode = prop::sample::select(vec![0o644, 0o755, 0o600, 0o700, 0o444]);
    prop_oneof![
        4 => (bytes(), mode.clone()).prop_map(|(bytes, mode)| Edit::Write(bytes, mode)),
        2 => any::<u8>().prop_map(Edit::WriteUnseen),
        3 => Just(Edit::Delete),
        2 => path().prop_map(Edit::Link),
        3 => path().prop_map(Edit::MoveTo),
        2 => mode.prop_map(Edit::Mode),
        1 => Just(Edit::Folder),
        1 => Just(Edit::Pipe),
    ]
}

/// Makes the path free, and all above it folders.
fn make_room(top: &Path, path: &Path) {
    let mut at = top.to_owned();
    for part in path.parent().unwrap().components() {
        at.push(part);
        if !fs::symlink_metadata(&at).is_ok_and(|about| about.is_dir()) {
            remove_tree(&at).unwrap();
            fs::create_dir(&at).unwrap();
        }
    }
    remove_tree(&top.join(path)).unwrap();
}

/// Tells whether a path leads to something without passing through a link.
fn is_there(top: &Path, path: &Path) -> bool {
    let mut at = top.to_owned();
    let parts: Vec<_> = path.components().collect();
    parts.iter().enumerate().all(|(number, part)| {
        at.push(part);
        fs::symlink_metadata(&at).is_ok_and(|about| number + 1 == parts.len() || about.is_dir())
    })
}

fn apply(top: &Path, path: &Path, edit: &Edit) {
    let at = top.join(path);
    let exists = is_there(top, path);
    let is_file = exists && fs::symlink_metadata(&at).unwrap().is_file();
    match edit {
        Edit::Write(bytes, mode) => {
            make_room(top, path);
            fs::write(&at, bytes).unwrap();
            fs::set_permissions(&at, fs::Permissions::from_mode(*mode)).unwrap();
        }
        Edit::WriteUnseen(byte) if is_file => {
            let about = fs::metadata(&at).unwrap();
            fs::write(&at, vec![*byte; usize::try_from(about.len()).unwrap()]).unwrap();
            let file = fs::File::open(&at).unwrap();
            file.set_modified(about.modified().unwrap_or(SystemTime::UNIX_EPOCH))
                .unwrap();
        }
        Edit::Delete if exists => remove_tree(&at).unwrap(),
        Edit::Link(target) => {
            make_room(top, path);
            symlink(target, &at).unwrap();
        }
        Edit::MoveTo(other) if exists && !other.starts_with(path) && !path.starts_with(other) => {
            make_room(top, other);
            // Making room may have removed it.
            if is_there(top, path) {
                fs::rename(&at, top.join(other)).unwrap();
            }
        }
        Edit::Mode(mode) if is_file => fs::set_permissions(&at, fs::Permissions::from_mode(*mode)).unwrap(),
        Edit::Folder => {
            make_room(top, path);
            fs::create_dir(&at).unwrap();
        }
        Edit::Pipe => {
            make_room(top, path);
            make_fifo(&at);
        }
        _ => {}
    }
}

proptest! {
    // Each case runs git some forty times.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_come_back_and_go_away(
        files in prop::collection::vec((path(), bytes(), any::<bool>()), 1..10),
        links in prop::collection::vec((path(), path()), 0..3),
        edits in prop::collection::vec((path(), edit()), 0..16),
        second in prop::collection::vec((path(), edit()), 0..6),
    ) {
        with_each_git(|setup| {
            for (path, bytes, is_program) in &files {
                let mode = if *is_program { 0o755 } else { 0o644 };
                apply(&setup.top(), path, &Edit::Write(bytes.clone(), mode));
            }
            for (path, target) in &links {
                apply(&setup.top(), path, &Edit::Link(target.clone()));
            }
            setup.commit("first");
            let tree = Tree::of(setup);
            assert_eq!(kept(&list(&tree.place)), kept(&list(&setup.top())));
            let new = list(&tree.place);
            for edits in [&edits, &second] {
                for (path, edit) in edits {
                    apply(&tree.place, path, edit);
                }
                let collected = tree.collect();
                assert_eq!(kept(&tree.listed_elsewhere(&collected.tree)), kept(&list(&tree.place)));
                tree.vault.reset(&tree.place, &tree.base).unwrap();
                assert_eq!(list(&tree.place), new);
                assert_eq!(everything(&tree.place), everything_of(&new));
                assert_eq!(tree.collect().tree, tree.base_tree());
            }
        });
    }
}

#[test]
fn many_files_are_reset_in_little_time() {
    with_each_git(|setup| {
        for number in 0..2000 {
            setup.write(format!("d{}/f{number}", number % 40), format!("{number}\n"));
        }
        setup.commit("first");
        let tree = Tree::of(setup);
        let begun = Instant::now();
        tree.vault.reset(&tree.place, &tree.base).unwrap();
        // Some thirty milliseconds on an idle machine; a reset that reads or writes every file takes many times that on a
        // repository for which it matters.
        assert!(begun.elapsed() < Duration::from_secs(10));
        let before = fs::metadata(tree.at("d1/f1")).unwrap();
        tree.vault.reset(&tree.place, &tree.base).unwrap();
        let after = fs::metadata(tree.at("d1/f1")).unwrap();
        assert_eq!(
            (before.ino(), before.ctime()),
            (after.ino(), after.ctime()),
            "it was not written"
        );
    });
}
