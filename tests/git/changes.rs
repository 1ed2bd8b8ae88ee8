//! Every kind of change, with names and contents as odd as git allows.

use crate::setup::{commit, file, lines, names, with_a_commit, with_each_git};
use crosscheck::diff::patch::{ChangeKind, Content};
use crosscheck::diff::render::render;
use crosscheck::domain::scope::Scope;
use crosscheck::git::GitError;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

#[test]
fn names_are_bytes() {
    with_each_git(|setup| {
        let odd: [&[u8]; 7] = [
            b"with space",
            b"with \"quotes\" and \\",
            b"line\nfeed",
            b"tab\there",
            // Only some file systems take a name that is no text.
            if cfg!(target_os = "linux") {
                b"not utf8 \xff\xfe"
            } else {
                b"ascii"
            },
            "ünï 漢".as_bytes(),
            b"a b/c",
        ];
        for name in odd {
            setup.write(OsStr::from_bytes(name), "before\n");
        }
        setup.commit("odd");
        for (at, name) in odd.iter().enumerate() {
            setup.write(OsStr::from_bytes(name), format!("after {at}\n"));
            let untracked = [name, &b" untracked"[..]].concat();
            setup.write(OsStr::from_bytes(&untracked), "u\n");
        }
        let change = setup.read(&Scope::WorkingTree);
        for (at, name) in odd.iter().enumerate() {
            let name = OsStr::from_bytes(name);
            assert_eq!(
                lines(file(&change, name)),
                ["-before".to_owned(), format!("+after {at}")]
            );
        }
        assert_eq!(change.patch.files.len(), 14);
        let text = render(&change.patch).text;
        assert!(text.contains("File: line<U+000A>feed (modified)\n"));
        assert!(!cfg!(target_os = "linux") || text.contains("File: not utf8 <0xFF><0xFE> (modified)\n"));
    });
}

#[test]
fn contents_are_bytes() {
    with_each_git(|setup| {
        setup.write("no-newline", "a\nb");
        setup.write("form-feed", "a\n\x0cb\nc\n");
        setup.write("crlf", "a\r\nb\r\n");
        setup.write("latin", b"caf\xe9\n");
        setup.write("looks-like-a-diff", "diff --git a/x b/x\n@@ -1 +1 @@\n-x\n");
        setup.commit("first");
        setup.write("no-newline", "a\nc");
        setup.write("form-feed", "a\n\x0cB\nc\n");
        setup.write("crlf", "a\r\nB\r\n");
        setup.write("latin", b"th\xe9\n");
        setup.write(
            "looks-like-a-diff",
            "diff --git a/y b/y\n@@ -1 +1 @@\n-x\n--- a/z\n",
        );
        let change = setup.read(&Scope::WorkingTree);
        let check =
            |name: &str, expected: &[&str]| assert_eq!(lines(file(&change, name)), expected, "{name}");
        check("no-newline", &["-b", "+c"]);
        check("form-feed", &["-\x0cb", "+\x0cB"]);
        check("crlf", &["-b\r", "+B\r"]);
        check("latin", &["-caf\u{fffd}", "+th\u{fffd}"]);
        check(
            "looks-like-a-diff",
            &["-diff --git a/x b/x", "+diff --git a/y b/y", "+--- a/z"],
        );
        let Content::Text(hunks) = &file(&change, "no-newline").content else {
            panic!("no text")
        };
        let ends: Vec<bool> = hunks[0].lines.iter().map(|line| line.no_newline).collect();
        assert_eq!(ends, [false, true, true]);
    });
}

#[test]
fn kinds_and_modes_are_told_apart() {
    with_each_git(|setup| {
        let long = "1\n2\n3\n4\n5\n6\n7\n8\n9\n".repeat(5);
        for name in ["delete", "mode", "become-link", "moved-from"] {
            setup.write(name, format!("{name}\n{long}"));
        }
        setup.write("binary", b"a\0b");
        symlink("old-target", setup.top().join("link")).unwrap();
        setup.commit("first");
        std::fs::remove_file(setup.top().join("delete")).unwrap();
        std::fs::set_permissions(setup.top().join("mode"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::remove_file(setup.top().join("become-link")).unwrap();
        symlink("somewhere", setup.top().join("become-link")).unwrap();
        setup.run(&["mv", "moved-from", "moved-to"]);
        setup.write("moved-to", format!("moved-from\n{long}more\n"));
        setup.write("binary", b"a\0c");
        std::fs::remove_file(setup.top().join("link")).unwrap();
        symlink("new-target", setup.top().join("link")).unwrap();
        setup.write("empty", "");
        setup.run(&["add", "empty"]);
        setup.write("intended", "i\n");
        setup.run(&["add", "-N", "intended"]);
        let change = setup.read(&Scope::WorkingTree);
        let kind = |name: &str| {
            let found = file(&change, name);
            (found.kind, found.old_mode, found.new_mode)
        };
        assert_eq!(kind("delete"), (ChangeKind::Deleted, Some(0o100_644), None));
        assert_eq!(
            kind("mode"),
            (ChangeKind::Modified, Some(0o100_644), Some(0o100_755))
        );
        assert_eq!(file(&change, "mode").content, Content::Unchanged);
        assert_eq!(
            kind("become-link"),
            (ChangeKind::TypeChanged, Some(0o100_644), Some(0o120_000))
        );
        assert_eq!(lines(file(&change, "become-link")).last().unwrap(), "+somewhere");
        assert_eq!(
            kind("moved-to"),
            (ChangeKind::Renamed, Some(0o100_644), Some(0o100_644))
        );
        assert_eq!(file(&change, "moved-to").old_path, b"moved-from");
        assert_eq!(lines(file(&change, "moved-to")), ["+more"]);
        assert_eq!(file(&change, "binary").content, Content::Binary);
        assert_eq!(lines(file(&change, "link")), ["-old-target", "+new-target"]);
        assert_eq!(kind("empty"), (ChangeKind::Added, None, Some(0o100_644)));
        assert_eq!(file(&change, "empty").content, Content::Unchanged);
        assert_eq!(lines(file(&change, "intended")), ["+i"]);
    });
}

#[test]
fn a_submodule_is_its_pointer() {
    with_a_commit(|setup| {
        let inner = setup.folder().join("inner");
        std::fs::create_dir(&inner).unwrap();
        setup.run_in(&inner, &["init", "-q", "."]);
        setup.run_in(&inner, &["commit", "-q", "--allow-empty", "-m", "1"]);
        setup.run(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            inner.to_str().unwrap(),
            "sub",
        ]);
        setup.commit("sub");
        // Nothing runs inside it, which is what looking for dirt does; the user's own git is the control.
        let marker = setup.folder().join("ran-inside");
        let program = format!("touch {};", marker.display());
        setup.run_in(&setup.top().join("sub"), &["config", "core.fsmonitor", &program]);
        setup.run(&["diff"]);
        assert!(marker.exists());
        std::fs::remove_file(&marker).unwrap();
        // Dirt inside is not ours; another commit is.
        setup.write("sub/dirt", "d\n");
        assert!(setup.read(&Scope::WorkingTree).is_empty());
        setup.run_in(
            &setup.top().join("sub"),
            &[
                "-c",
                "core.fsmonitor=",
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                "2",
            ],
        );
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(names(&change), ["sub"]);
        assert_eq!(file(&change, "sub").content, Content::Submodule);
        assert!(!marker.exists());
    });
}

#[test]
fn a_conflict_is_shown_as_it_lies_in_the_working_tree() {
    with_a_commit(|setup| {
        setup.run(&["checkout", "-q", "-b", "side"]);
        setup.write("f", "side\n");
        setup.commit("side");
        setup.run(&["checkout", "-q", "main"]);
        setup.write("f", "main\n");
        setup.commit("main");
        let (is_merged, _) = setup.try_run_in(&setup.top(), &["merge", "-q", "side"]);
        assert!(!is_merged);
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(names(&change), ["f"]);
        assert!(lines(&change.patch.files[0]).contains(&"+=======".to_owned()));
        let staged = setup.read(&Scope::Staged);
        assert_eq!(staged.patch.files[0].content, Content::Unreadable);
    });
}

#[test]
fn an_edit_in_the_same_tick_as_the_index_is_seen() {
    with_a_commit(|setup| {
        // An edit that keeps the size and happens in the second in which the index was written: only the time of the
        // index tells git to look again. Here that second is long ago.
        let tick = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
        let set_time = |path: &str| {
            let file = std::fs::File::options()
                .append(true)
                .open(setup.top().join(path))
                .unwrap();
            file.set_modified(tick).unwrap();
        };
        setup.run(&["config", "core.trustctime", "false"]);
        setup.write("f", "before\n");
        set_time("f");
        setup.run(&["add", "f"]);
        setup.run(&["commit", "-q", "-m", "second"]);
        set_time(".git/index");
        setup.write("f", "after!\n");
        set_time("f");
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(lines(file(&change, "f")), ["-before", "+after!"]);
    });
}

#[test]
fn objects_that_a_partial_clone_lacks_are_an_error_and_not_fetched() {
    with_a_commit(|setup| {
        setup.write("f", "changed\n");
        setup.commit("second");
        let marker = setup.folder().join("fetched");
        setup.run(&["config", "extensions.partialClone", "origin"]);
        setup.run(&["config", "core.repositoryFormatVersion", "1"]);
        setup.run(&["config", "remote.origin.promisor", "true"]);
        let url = format!("ext::touch {}", marker.display());
        setup.run(&["config", "remote.origin.url", &url]);
        let blob = setup.oid("HEAD~1:f");
        std::fs::remove_file(setup.top().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
        assert!(matches!(
            setup.try_read(&commit("HEAD")),
            Err(GitError::MissingObjects { partial_clone: true })
        ));
        assert!(!marker.exists());
    });
}

#[test]
fn the_edge_of_a_shallow_clone_is_not_a_first_commit() {
    with_a_commit(|setup| {
        setup.write("f", "changed\n");
        setup.commit("second");
        let shallow = setup.folder().join("shallow");
        let url = format!("file://{}", setup.top().display());
        setup.run(&["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()]);
        let repository = setup.git.discover(&shallow).unwrap();
        let read = repository.read_change(
            &commit("HEAD"),
            &[],
            crosscheck::git::Untracked::Read,
            &setup.scratch(),
        );
        assert!(matches!(
            read,
            Err(GitError::MissingObjects { partial_clone: false })
        ));
    });
}

#[test]
fn special_layouts_read_as_plain_ones() {
    let layouts: [&[&[&str]]; 4] = [
        &[&["update-index", "--split-index"]],
        &[
            &["sparse-checkout", "init", "--cone", "--sparse-index"],
            &["sparse-checkout", "set", "in"],
        ],
        &[&["repack", "-a", "-d", "-q"], &["pack-refs", "--all"]],
        &[&["update-index", "--index-version", "4"]],
    ];
    for layout in layouts {
        with_a_commit(|setup| {
            setup.write("in/a", "a\n");
            setup.write("out/b", "b\n");
            setup.commit("second");
            for arguments in layout {
                setup.run(arguments);
            }
            setup.write("in/a", "changed\n");
            setup.write("f", "changed\n");
            assert_eq!(names(&setup.read(&Scope::WorkingTree)), ["f", "in/a"]);
        });
    }
}

#[test]
fn a_repository_of_sha256_reads_as_any_other() {
    with_each_git(|setup| {
        let top = setup.folder().join("sha256");
        std::fs::create_dir(&top).unwrap();
        setup.run_in(&top, &["init", "-q", "--object-format=sha256", "."]);
        std::fs::write(top.join("f"), "1\n").unwrap();
        let read = |scope: &Scope| {
            let repository = setup.git.discover(&top).unwrap();
            let untracked = crosscheck::git::Untracked::Read;
            repository
                .read_change(scope, &[], untracked, &setup.scratch())
                .unwrap()
        };
        assert_eq!(names(&read(&Scope::Auto)), ["f"]);
        setup.run_in(&top, &["add", "f"]);
        assert_eq!(names(&read(&Scope::Staged)), ["f"]);
        setup.run_in(&top, &["commit", "-q", "-m", "1"]);
        std::fs::write(top.join("f"), "2\n").unwrap();
        assert_eq!(lines(file(&read(&Scope::WorkingTree), "f")), ["-1", "+2"]);
        assert_eq!(names(&read(&commit("HEAD"))), ["f"]);
    });
}
