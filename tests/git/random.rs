//! Whatever is done to a working tree, its snapshot is what lies on the disk.

use crate::setup::{Setup, with_each_git};
use crate::snapshots::{Files, differing, in_tree, on_disk, take, take_with};
use crate::vaults::open;
use crosscheck::git::{Keep, Oid, SnapshotOf};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// Paths that get into each other's way as file and folder, and odd ones.
const PATHS: [&[u8]; 8] = [
    b"a",
    b"a/b",
    b"a/b/c",
    b"d.txt",
    b"d.bat",
    b"e/id.c",
    b"\xff \"x\"\ny",
    b"e/z",
];

/// Contents that conversions change, or not, some of the same size.
const CONTENTS: [&[u8]; 9] = [
    b"",
    b"1\n2\n",
    b"1\r\n2\r\n",
    b"1\r\n2\n",
    b"3\n4\n",
    b"$Id$\n",
    b"$Id: 0123 $\n",
    b"\0\r\n\xff",
    b"caf\xe9",
];

/// Attributes and settings of the repository.
const ATTRIBUTES: [&str; 4] = [
    "",
    "* text=auto\n*.bat eol=crlf\n*.c ident\n",
    "*.txt text\n*.bat -text\n*.c ident text=auto\n",
    "* text=auto eol=crlf\n",
];
const SETTINGS: [&str; 3] = ["false", "input", "true"];

#[derive(Clone, Debug)]
enum Edit {
    Write(usize, usize),
    Link(usize),
    Run(usize),
    Delete(usize),
    Stage(usize),
    Unstage(usize),
    Assume(usize),
    Rewrite,
    Commit,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let path = 0..PATHS.len();
    let edit = prop_oneof![
        6 => (path.clone(), 0..CONTENTS.len()).prop_map(|(path, content)| Edit::Write(path, content)),
        1 => path.clone().prop_map(Edit::Link),
        1 => path.clone().prop_map(Edit::Run),
        2 => path.clone().prop_map(Edit::Delete),
        3 => path.clone().prop_map(Edit::Stage),
        1 => path.clone().prop_map(Edit::Unstage),
        1 => path.prop_map(Edit::Assume),
        1 => Just(Edit::Rewrite),
        2 => Just(Edit::Commit),
    ];
    prop::collection::vec(edit, 1..25)
}

fn make_room(top: &Path, path: &Path) {
    // Whatever is no folder on the way goes, and a folder at the path itself.
    for folder in path.ancestors().skip(1) {
        if folder.starts_with(top) && folder.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            std::fs::remove_file(folder).unwrap();
        }
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    delete(path);
}

fn delete(path: &Path) {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn edit(setup: &Setup, edit: &Edit) {
    let top = setup.top();
    let place = |at: &usize| top.join(OsStr::from_bytes(PATHS[*at]));
    // The path as an argument; git refuses some of these steps, which is no matter.
    let run = |arguments: &[&str], at: &usize| {
        let mut command = std::process::Command::new(setup.git.program());
        let home = setup.folder().join("home");
        let command = command.args(arguments).arg(OsStr::from_bytes(PATHS[*at]));
        let command = command.current_dir(&top).env("HOME", home);
        assert!(command.env("GIT_LITERAL_PATHSPECS", "1").output().is_ok());
    };
    match edit {
        Edit::Write(at, content) => {
            make_room(&top, &place(at));
            std::fs::write(place(at), CONTENTS[*content]).unwrap();
        }
        Edit::Link(at) => {
            make_room(&top, &place(at));
            symlink("e", place(at)).unwrap();
        }
        Edit::Run(at) => {
            if place(at).symlink_metadata().is_ok_and(|found| found.is_file()) {
                std::fs::set_permissions(place(at), std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        Edit::Delete(at) => delete(&place(at)),
        Edit::Stage(at) => run(&["add", "-A", "--"], at),
        Edit::Unstage(at) => run(&["rm", "-r", "-q", "-f", "--cached", "--"], at),
        Edit::Assume(at) => run(&["update-index", "--assume-unchanged", "--"], at),
        // All files as git writes them; this fails where an edit is in the way.
        Edit::Rewrite => drop(setup.try_run_in(&top, &["checkout", "-q", "--", "."])),
        Edit::Commit => drop(setup.try_run_in(&top, &["commit", "-q", "-m", "next"])),
    }
}

/// Sees that the commit that is checked out is taken as it is stored, but for what is the same in the working tree.
fn check_head(setup: &Setup, disk: &Files) {
    let (is_born, head) = setup.try_run_in(&setup.top(), &["rev-parse", "-q", "--verify", "HEAD"]);
    if !is_born {
        return;
    }
    let head = Oid::parse(String::from_utf8(head).unwrap().trim()).unwrap();
    let vault = open(setup);
    let taken = take_with(setup, &vault, &SnapshotOf::Commit(head.clone()), Keep::Objects).unwrap();
    let found = in_tree(setup, &vault, &taken.tree);
    let stored = in_tree(setup, &vault, &vault.tree_of(&head).unwrap());
    assert!(found.keys().eq(stored.keys()));
    // By `diff`, for `status` calls a file changed whose size alone is another, until it is added again.
    let differing = |more: &[&str]| {
        let arguments = [&["diff", "--name-only", "-z", "--no-renames"], more].concat();
        setup.run(&arguments)
    };
    let told = [differing(&[]), differing(&["--cached"])].concat();
    let told: Vec<&[u8]> = told.split(|&byte| byte == 0).collect();
    let assumed = setup.run(&["ls-files", "-z", "-v"]);
    let assumed: Vec<&[u8]> = assumed
        .split(|&byte| byte == 0)
        .filter_map(|record| record.strip_prefix(b"h "))
        .collect();
    for (path, file) in &found {
        let is_changed = told.contains(&path.as_slice()) || assumed.contains(&path.as_slice());
        let expected = if is_changed { &stored[path] } else { &disk[path] };
        assert!(file == expected, "{}", String::from_utf8_lossy(path));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn a_snapshot_is_what_lies_on_the_disk(
        before in edits(),
        after in edits(),
        attributes in 0..ATTRIBUTES.len(),
        setting in 0..SETTINGS.len(),
    ) {
        with_each_git(|setup| {
            setup.run(&["config", "core.autocrlf", SETTINGS[setting]]);
            setup.write(".gitattributes", ATTRIBUTES[attributes]);
            for edits in [&before, &after] {
                for one in edits {
                    edit(setup, one);
                }
                let disk = on_disk(&setup.top(), &[]);
                let (vault, taken) = take(setup);
                let found = in_tree(setup, &vault, &taken.tree);
                assert!(found == disk, "{:?}", differing(&found, &disk));
                check_head(setup, &disk);
            }
        });
    }
}
