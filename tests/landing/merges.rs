//! What fits together, and why not where it does not.

use crate::world::{World, set_mode, write};
use crosscheck::git::Merged;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

type Edit = fn(&Path);

/// Path, reason, lines of the present file.
type Expected = [(&'static str, &'static str, &'static [(u32, u32)])];
/// The same with a path of any length.
type Told<'a> = Vec<(String, &'a str, &'a [(u32, u32)])>;

fn lines(changes: &[(usize, &str)]) -> String {
    let mut lines: Vec<String> = (1..=20).map(|number| format!("{number}\n")).collect();
    for (at, text) in changes {
        (*text).clone_into(&mut lines[at - 1]);
    }
    lines.concat()
}

fn check(user: Edit, peer: Edit, expected: &Expected) {
    let world = World::new();
    world.write("text", lines(&[]));
    world.write("crlf", lines(&[]).replace('\n', "\r\n"));
    world.write("binary", b"a\0b");
    world.write("locked", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    world.write("union", "1\n2\n3\n");
    world.write("own", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    world.write(
        ".gitattributes",
        "locked -merge\nunion merge=union\nown merge=their-driver\n",
    );
    world.write("dir/file", "in a folder\n");
    symlink("one", world.top().join("link")).unwrap();
    // A driver of the repository's would leave a trace.
    let trace = world.folder().join("trace");
    world.run(&[
        "config",
        "merge.their-driver.driver",
        &format!("touch {}", trace.display()),
    ]);
    world.commit();
    let vault = world.vault();
    let base = world.snapshot(&vault);
    let result = world.peer(&vault, peer);
    user(&world.top());
    let present = world.snapshot(&vault);
    match vault.merge(&base, &present, &result).unwrap() {
        Merged::Clean { .. } => assert!(expected.is_empty(), "it fits; expected {expected:?}"),
        Merged::Conflicts(conflicts) => {
            let found: Told<'_> = conflicts
                .iter()
                .map(|conflict| {
                    let path = String::from_utf8_lossy(&conflict.path).into_owned();
                    (path, conflict.reason.as_str(), conflict.hunks.as_slice())
                })
                .collect();
            let expected: Told<'_> = expected
                .iter()
                .map(|(path, reason, hunks)| ((*path).to_owned(), *reason, *hunks))
                .collect();
            assert_eq!(found, expected);
        }
    }
    assert!(!trace.exists(), "a driver of the repository ran");
}

fn put(top: &Path, path: &str, content: &str) {
    write(top, path.as_bytes(), content.as_bytes());
}

#[test]
fn edits_of_different_lines_fit() {
    check(
        |top| {
            put(top, "text", &lines(&[(2, "user\n")]));
            put(top, "new-of-user", "x");
        },
        |top| {
            put(top, "text", &lines(&[(15, "peer\n")]));
            put(top, "crlf", &lines(&[(3, "peer\n")]).replace('\n', "\r\n"));
            fs::rename(top.join("dir/file"), top.join("dir/moved")).unwrap();
        },
        &[],
    );
}

#[test]
fn edits_of_the_same_lines_are_told_by_the_lines_of_the_present_file() {
    check(
        |top| {
            put(
                top,
                "text",
                &lines(&[(5, "user 5\n"), (6, "user 6\nuser more\n"), (18, "user 18\n")]),
            );
        },
        |top| {
            // Lines before the conflicts move what follows, in the merged text alone.
            put(
                top,
                "text",
                &lines(&[
                    (1, "peer\npeer\npeer\n"),
                    (6, "peer 6\n"),
                    (12, ""),
                    (18, "peer 18\n"),
                ]),
            );
        },
        &[("text", "both changed the same lines", &[(5, 7), (19, 19)])],
    );
}

#[test]
fn markers_in_the_text_and_ends_of_lines_confuse_nothing() {
    check(
        |top| {
            put(
                top,
                "crlf",
                &lines(&[(4, "<<<<<<< user\n=======\n")]).replace('\n', "\r\n"),
            );
        },
        |top| {
            put(
                top,
                "crlf",
                &lines(&[(4, ">>>>>>>>>> peer\n")]).replace('\n', "\r\n"),
            );
        },
        &[("crlf", "both changed the same lines", &[(4, 5)])],
    );
}

#[test]
fn each_other_conflict_has_its_reason() {
    check(
        |top| {
            put(top, "text", &lines(&[(2, "user\n")]));
            put(top, "binary", "a\0user");
            put(top, "added", "by the user\n");
            put(top, "dir/file", "changed\n");
            fs::remove_file(top.join("link")).unwrap();
            symlink("user", top.join("link")).unwrap();
            put(top, "locked", "user\n2\n3\n4\n5\n6\n7\n8\n9\n");
        },
        |top| {
            fs::remove_file(top.join("text")).unwrap();
            put(top, "binary", "a\0peer");
            put(top, "added", "by the peer\n");
            fs::remove_dir_all(top.join("dir")).unwrap();
            put(top, "dir", "a file now\n");
            fs::remove_file(top.join("link")).unwrap();
            symlink("peer", top.join("link")).unwrap();
        },
        &[
            ("added", "both added it", &[(1, 1)]),
            ("binary", "both changed it, and it is not text", &[]),
            ("dir", "it is a file on one side and a folder on the other", &[]),
            ("dir/file", "one side deleted it, the other changed it", &[]),
            ("link", "both changed the link", &[]),
            ("text", "one side deleted it, the other changed it", &[]),
        ],
    );
}

#[test]
fn attributes_that_forbid_a_merge_by_lines_are_kept_and_a_union_drops_nothing_silently() {
    let reason = "both changed it, and its attributes say not to merge it by lines";
    check(
        |top| put(top, "locked", "user\n2\n3\n4\n5\n6\n7\n8\n9\n"),
        |top| put(top, "locked", "1\n2\n3\n4\n5\n6\n7\n8\npeer\n"),
        &[("locked", reason, &[])],
    );
    check(
        |top| put(top, "own", "user\n2\n3\n4\n5\n6\n7\n8\n9\n"),
        |top| put(top, "own", "1\n2\n3\n4\n5\n6\n7\n8\npeer\n"),
        &[("own", reason, &[])],
    );
    check(
        |top| put(top, "union", "1\nuser\n3\n"),
        |top| put(top, "union", "1\npeer\n3\n"),
        &[("union", "both changed the same lines", &[(2, 2)])],
    );
}

#[test]
fn modes_and_the_same_edit_twice_fit() {
    check(
        |top| {
            set_mode(&top.join("text"), 0o755);
            put(top, "locked", "the same\n");
        },
        |top| {
            put(top, "text", &lines(&[(2, "peer\n")]));
            put(top, "locked", "the same\n");
        },
        &[],
    );
}
