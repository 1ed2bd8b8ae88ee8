//! A change of many files, which several gits read at once, is the one that a single git shows.

use crate::parity::assert_same;
use crate::setup::{Setup, commit, file, with_a_commit};
use crosscheck::diff::patch::ChangeKind;
use crosscheck::domain::scope::Scope;
use std::fmt::Write as _;

/// More than a single git is given, also where an index of more than `INDEX_BYTES` says that it is worth a list.
const FILES: usize = 2_000;
/// The bound of the program.
const INDEX_BYTES: u64 = 128 * 1024;

fn text(at: usize, changed: &str) -> String {
    let mut text = String::new();
    for line in 0..12 {
        writeln!(text, "line {line} of {at}{changed}").unwrap();
    }
    text
}

/// Changes every file; some move to another folder, some come, some go, one becomes a link and one a folder.
fn change(setup: &Setup) {
    for at in 0..FILES {
        setup.write(format!("d{}/e{}/f{at}", at % 7, at % 3), text(at, ""));
    }
    setup.write("top", "1\n");
    setup.write("link", "1\n");
    setup.write("folder", "1\n");
    setup.commit("many");
    for at in 0..FILES {
        let path = format!("d{}/e{}/f{at}", at % 7, at % 3);
        let place = setup.top().join(&path);
        match at % 100 {
            // To the folder that is furthest from its own.
            0 => std::fs::rename(place, setup.top().join(format!("d{}/moved{at}", (at + 6) % 7))).unwrap(),
            1 => std::fs::remove_file(place).unwrap(),
            _ => setup.write(&path, text(at, if at % 5 == 0 { ", changed" } else { "!" })),
        }
    }
    setup.write("d3/came.x", "new\n");
    setup.write("d-3", "sorts before d3/\n");
    setup.write("top", "2\n");
    for name in ["link", "folder"] {
        std::fs::remove_file(setup.top().join(name)).unwrap();
    }
    std::os::unix::fs::symlink("top", setup.top().join("link")).unwrap();
    setup.write("folder/inner", "2\n");
    setup.run(&["add", "-A"]);
    let index = std::fs::metadata(setup.top().join(".git/index")).unwrap();
    assert!(index.len() >= INDEX_BYTES, "a smaller one is read by one git");
    // The index says less than the files.
    setup.write("d0/e0/f42", "not staged\n");
}

#[test]
fn it_is_what_one_git_shows() {
    with_a_commit(|setup| {
        change(setup);
        assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
        assert_same(setup, &Scope::Staged, &["--cached"]);
        let moved = setup.read(&Scope::WorkingTree);
        assert_eq!(file(&moved, "d6/moved0").kind, ChangeKind::Renamed);
        setup.commit("changed");
        assert_same(setup, &commit("HEAD"), &["HEAD~", "HEAD"]);
    });
}

#[test]
fn paths_narrow_it_as_ever() {
    with_a_commit(|setup| {
        change(setup);
        let paths = ["d0", "d4/e1"];
        let narrowed = setup.read_paths(&Scope::WorkingTree, &paths);
        let shown = setup.run(&[&["diff", "-M", "--name-only", "HEAD", "--"], &paths[..]].concat());
        let shown: Vec<_> = shown
            .split(|&byte| byte == b'\n')
            .filter(|name| !name.is_empty())
            .collect();
        assert!(shown.len() > 200);
        let read: Vec<_> = narrowed
            .patch
            .files
            .iter()
            .map(|file| file.new_path.as_slice())
            .collect();
        assert_eq!(read, shown);
    });
}
