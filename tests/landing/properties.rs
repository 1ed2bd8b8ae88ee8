//! Random trees and random edits: what lands is what the peer has, and what comes out is what was there.

use crate::world::{World, as_git_sees, assert_same, copy, files, job, set_mode};
use crosscheck::state::landing::{LandingState, undo};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Names of files and folders alike, so that they stand in each other's way.
const NAMES: [&[u8]; 10] = [
    b"a",
    b"b",
    b"A",
    b"sp ace",
    b"qu\"ote'",
    b"line\nfeed",
    b"\xff\xfe",
    b"-dash",
    b"back\\slash",
    b"tab\t",
];

const CONTENTS: [&[u8]; 12] = [
    b"",
    b"one\ntwo\nthree\n",
    b"one\r\ntwo\r\nthree\r\n",
    b"no line feed at the end",
    b"mixed\r\nends\n",
    b"\0binary\xff\0",
    b"latin-1 \xe4\xf6\xfc\n",
    b"form\x0cfeed\n",
    "separator\u{2028}here\n".as_bytes(),
    b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n",
    b"\n\n\n",
    b"\r",
];

#[derive(Clone, Debug)]
enum Edit {
    Write(Vec<u8>, usize, bool),
    Append(Vec<u8>),
    Link(Vec<u8>, usize),
    Delete(Vec<u8>),
    Rename(Vec<u8>, Vec<u8>),
    Mode(Vec<u8>, u32),
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(0..NAMES.len(), 1..4).prop_map(|parts| {
        let parts: Vec<&[u8]> = parts.into_iter().map(|part| NAMES[part]).collect();
        parts.join(&b'/')
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (path(), 0..CONTENTS.len(), any::<bool>()).prop_map(|(path, content, tool)| Edit::Write(path, content, tool)),
        1 => path().prop_map(Edit::Append),
        1 => (path(), 0..NAMES.len()).prop_map(|(path, to)| Edit::Link(path, to)),
        2 => path().prop_map(Edit::Delete),
        1 => (path(), path()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (path(), prop_oneof![Just(0o644), Just(0o755), Just(0o600), Just(0o700), Just(0o664)])
            .prop_map(|(path, mode)| Edit::Mode(path, mode)),
    ]
}

/// Makes room for a path: whatever is in its way goes.
fn clear(top: &Path, path: &[u8]) -> PathBuf {
    let target = top.join(OsStr::from_bytes(path));
    let mut folder = top.to_owned();
    for part in target.strip_prefix(top).unwrap().parent().unwrap() {
        folder.push(part);
        if folder.symlink_metadata().is_ok_and(|about| !about.is_dir()) {
            fs::remove_file(&folder).unwrap();
        }
    }
    fs::create_dir_all(&folder).unwrap();
    remove(&target);
    target
}

fn remove(target: &Path) {
    match target.symlink_metadata() {
        Ok(about) if about.is_dir() => fs::remove_dir_all(target).unwrap(),
        Ok(_) => fs::remove_file(target).unwrap(),
        Err(_) => {}
    }
}

/// Tells whether a path leads through real folders to something.
fn is_there(top: &Path, path: &[u8]) -> bool {
    let target = top.join(OsStr::from_bytes(path));
    let mut folder = top.to_owned();
    for part in target.strip_prefix(top).unwrap().parent().unwrap() {
        folder.push(part);
        if !folder.symlink_metadata().is_ok_and(|about| about.is_dir()) {
            return false;
        }
    }
    target.symlink_metadata().is_ok()
}

fn apply(top: &Path, edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::Write(path, content, tool) => {
                let target = clear(top, path);
                fs::write(&target, CONTENTS[*content]).unwrap();
                set_mode(&target, if *tool { 0o755 } else { 0o644 });
            }
            Edit::Append(path) => {
                let target = top.join(OsStr::from_bytes(path));
                if is_there(top, path) && target.is_file() && !target.is_symlink() {
                    let content = fs::read(&target).unwrap();
                    fs::write(&target, [content.as_slice(), b"more\n"].concat()).unwrap();
                }
            }
            Edit::Link(path, to) => {
                let target = clear(top, path);
                symlink(OsStr::from_bytes(NAMES[*to]), target).unwrap();
            }
            Edit::Delete(path) => {
                if is_there(top, path) {
                    remove(&top.join(OsStr::from_bytes(path)));
                }
            }
            Edit::Rename(from, to) => {
                if is_there(top, from) && !to.starts_with(from) && !from.starts_with(to) {
                    let from = top.join(OsStr::from_bytes(from));
                    let to = clear(top, to);
                    // Clearing may have taken away the source.
                    let _ = fs::rename(from, to);
                }
            }
            Edit::Mode(path, mode) => {
                let target = top.join(OsStr::from_bytes(path));
                if is_there(top, path) && target.is_file() && !target.is_symlink() {
                    set_mode(&target, *mode);
                }
            }
        }
    }
}

/// Git knows no folder without files; a peer's tree has none.
fn prune(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() && path.file_name() != Some(OsStr::new(".git")) {
            prune(&path);
            let _ = fs::remove_dir(&path);
        }
    }
}

fn check(committed: &[Edit], staged: &[Edit], unstaged: &[Edit], of_peer: &[Edit]) {
    let world = World::new();
    let top = world.top();
    world.write("kept", "kept\n");
    apply(&top, committed);
    world.commit();
    apply(&top, staged);
    world.run(&["add", "-A"]);
    apply(&top, unstaged);
    prune(&top);
    let vault = world.vault();
    let base = world.snapshot(&vault);
    let result = world.peer(&vault, |top| {
        apply(top, of_peer);
        prune(top);
    });
    let peer = as_git_sees(&files(&world.folder().join("peer"), false));
    let status = |top: &Path| world.run_in(top, &["status", "--porcelain=v2", "-z", "--untracked-files=all"]);

    let patch = vault.patch(&base, &result, &[]).unwrap();
    let clone = world.folder().join("clone");
    copy(&top, &clone);
    if !patch.is_empty() {
        let file = world.folder().join("patch");
        fs::write(&file, patch).unwrap();
        world.run_in(
            &clone,
            &["apply", "--binary", "--whitespace=nowarn", file.to_str().unwrap()],
        );
    }
    assert_eq!(as_git_sees(&files(&clone, false)), peer, "the patch");

    let before = world.everything();
    let status_before = status(&top);
    let steps = World::steps(&vault, &base, &result);
    let landing = world.land(1, &steps).unwrap();
    assert_eq!(landing.state, LandingState::Landed);
    assert_eq!(as_git_sees(&files(&top, false)), peer, "the landing");
    assert_eq!(world.snapshot(&vault), result);
    let index = Path::new(".git/index");
    assert_eq!(world.everything()[index], before[index]);
    undo(&world.state, &job(1)).unwrap();
    assert_same(&world.everything(), &before, "the undo");
    assert_eq!(status(&top), status_before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_lands_is_what_the_peer_has_and_what_comes_out_is_what_was_there(
        committed in proptest::collection::vec(edit(), 0..14),
        staged in proptest::collection::vec(edit(), 0..4),
        unstaged in proptest::collection::vec(edit(), 0..4),
        of_peer in proptest::collection::vec(edit(), 0..10),
    ) {
        check(&committed, &staged, &unstaged, &of_peer);
    }
}
