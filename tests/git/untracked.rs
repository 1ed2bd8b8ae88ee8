//! Untracked files: what is read, what is listed, and what is never opened.

use crate::setup::{file, lines, make_fifo, names, with_a_commit};
use crosscheck::diff::count::coverage;
use crosscheck::diff::patch::Content;
use crosscheck::domain::coverage::{CoverageStatus, Omission, OmissionReason, RedactionReport};
use crosscheck::domain::limits::{UNTRACKED_FILE_BYTES, UNTRACKED_FILES};
use crosscheck::domain::scope::Scope;
use crosscheck::git::Untracked;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

#[test]
fn what_is_no_plain_file_is_listed_and_not_opened() {
    with_a_commit(|setup| {
        let top = setup.top();
        let secret = setup.folder().join("secret");
        std::fs::write(&secret, "secret\n").unwrap();
        symlink(&secret, top.join("link")).unwrap();
        make_fifo(&top.join("fifo"));
        let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
        setup.write("binary", b"a\0b");
        setup.write("script", "#!/bin/sh\n");
        std::fs::set_permissions(top.join("script"), std::fs::Permissions::from_mode(0o755)).unwrap();
        setup.write("nested/file", "n\n");
        setup.run_in(&top.join("nested"), &["init", "-q", "."]);
        setup.run_in(&top.join("nested"), &["commit", "-q", "--allow-empty", "-m", "1"]);
        setup.write("ignored", "i\n");
        setup.write(".git/info/exclude", "ignored\n");
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(lines(file(&change, "link")), [format!("+{}", secret.display())]);
        assert_eq!(file(&change, "link").new_mode, Some(0o120_000));
        assert_eq!(file(&change, "binary").content, Content::Binary);
        assert_eq!(file(&change, "script").new_mode, Some(0o100_755));
        assert_eq!(file(&change, "nested").content, Content::Submodule);
        // Git lists neither FIFOs nor sockets, so they cannot be opened either.
        assert_eq!(names(&change), ["binary", "link", "nested", "script"]);
    });
}

#[test]
fn limits_leave_files_out_and_say_so() {
    with_a_commit(|setup| {
        let limit = usize::try_from(UNTRACKED_FILE_BYTES).unwrap();
        setup.write("a-large", vec![b'x'; limit + 1]);
        setup.write("a-full", vec![b'x'; limit]);
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(
            file(&change, "a-large").content,
            Content::TooLarge {
                bytes: UNTRACKED_FILE_BYTES + 1
            }
        );
        assert!(matches!(file(&change, "a-full").content, Content::Text(_)));
        for at in 0..20 {
            setup.write(format!("b-{at:02}"), vec![b'x'; limit]);
        }
        // 1 MiB in all are sixteen full files.
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!((change.patch.files.len(), change.left_out.len()), (17, 5));
        for at in 0..20 {
            std::fs::remove_file(setup.top().join(format!("b-{at:02}"))).unwrap();
        }
        for at in 0..UNTRACKED_FILES {
            setup.write(format!("c-{at:03}"), "c\n");
        }
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(change.patch.files.len(), UNTRACKED_FILES);
        assert_eq!(
            change.left_out,
            ["c-198", "c-199"].map(|path| Omission {
                path: path.to_owned(),
                reason: OmissionReason::UntrackedLimit
            })
        );
        let account = coverage(
            &change.patch,
            &change.left_out,
            &|file| (file.new_path == b"c-000").then_some(OmissionReason::Secret),
            RedactionReport::default(),
        );
        assert_eq!(account.status, CoverageStatus::Partial);
        assert_eq!(
            (account.files, account.hunks.total, account.hunks.sent),
            (202, 202, 198)
        );
    });
}

#[test]
fn excluded_files_are_named_and_not_read() {
    with_a_commit(|setup| {
        setup.write("new", "n\n");
        let read = |scope: &Scope| {
            setup
                .repository()
                .read_change(scope, &[], Untracked::Exclude, &setup.scratch())
                .unwrap()
        };
        let change = read(&Scope::WorkingTree);
        assert!(change.patch.files.is_empty() && change.elsewhere.is_none());
        assert_eq!(
            change.left_out,
            [Omission {
                path: "new".to_owned(),
                reason: OmissionReason::UntrackedExcluded
            }]
        );
        // `auto` does not stop at files that it must not read.
        setup.run(&["checkout", "-q", "-b", "topic"]);
        setup.write("f", "topic\n");
        setup.run(&["commit", "-q", "-a", "-m", "topic"]);
        assert_eq!(names(&read(&Scope::Auto)), ["f"]);
    });
}

#[test]
fn the_users_own_ignore_file_counts() {
    with_a_commit(|setup| {
        let home = setup.folder().join("home");
        std::fs::create_dir_all(home.join(".config/git")).unwrap();
        std::fs::write(home.join(".config/git/ignore"), "by-default\n").unwrap();
        for name in ["by-default", "by-setting", "kept"] {
            setup.write(name, "x\n");
        }
        assert_eq!(names(&setup.read(&Scope::WorkingTree)), ["by-setting", "kept"]);
        std::fs::write(home.join("patterns"), "by-setting\n").unwrap();
        setup.run(&["config", "--global", "core.excludesFile", "~/patterns"]);
        assert_eq!(names(&setup.read(&Scope::WorkingTree)), ["by-default", "kept"]);
        // A FIFO at that place would wait for ever.
        std::fs::remove_file(home.join("patterns")).unwrap();
        make_fifo(&home.join("patterns"));
        assert_eq!(setup.read(&Scope::WorkingTree).patch.files.len(), 3);
        std::fs::remove_file(setup.top().join(".git/index")).unwrap();
        make_fifo(&setup.top().join(".git/index"));
        assert_eq!(setup.read(&Scope::WorkingTree).patch.files.len(), 5);
    });
}

#[test]
fn more_names_than_are_listed_leave_their_folder_out() {
    with_a_commit(|setup| {
        // Names of 3,000 bytes: six thousand of them are more than 16 MiB.
        let folder: std::path::PathBuf = std::iter::repeat_n("d".repeat(249), 12).collect();
        let folder = Path::new("many").join(folder);
        std::fs::create_dir_all(setup.top().join(&folder)).unwrap();
        for at in 0..6000 {
            std::fs::File::create(setup.top().join(&folder).join(at.to_string())).unwrap();
        }
        setup.write("new", "n\n");
        let change = setup.read(&Scope::WorkingTree);
        assert_eq!(names(&change), ["new"]);
        assert_eq!(
            change.left_out,
            [Omission {
                path: "many/".to_owned(),
                reason: OmissionReason::UntrackedLimit
            }]
        );
    });
}

#[test]
fn a_folder_is_ignored_as_a_whole_or_not_at_all() {
    with_a_commit(|setup| {
        setup.write(".gitignore", "out/\npartly/\nvendor/\n:odd*/\n");
        setup.write("partly/tracked", "t\n");
        setup.run(&["add", "-f", "."]);
        setup.commit("2");
        for path in ["out/a", "partly/b", "vendor/bundle/c", "own/d", ":odd*/e"] {
            setup.write(path, "x\n");
        }
        setup.write(".git/info/exclude", "elsewhere\n");
        setup.write("elsewhere/f", "x\n");
        let repository = setup.repository();
        let check = |folder: &str, expected: bool| {
            let found = repository.ignores(Path::new(folder), &setup.scratch()).unwrap();
            assert_eq!(found, expected, "{folder}");
        };
        check("out", true);
        check("vendor/bundle", true);
        check("elsewhere", true);
        check(":odd*", true);
        check("partly", false);
        check("own", false);
        check("absent", false);
    });
}
