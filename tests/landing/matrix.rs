//! Every kind of edit of a peer against every kind of thing that a user did meanwhile: it lands whole and comes out again,
//! or not a byte changes.

use crate::world::{World, assert_same, copy, set_mode, write};
use crosscheck::git::{Merged, Oid, Vault};
use crosscheck::state::landing::{LandError, LandingState, recover, undo};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

type Edit = fn(&Path);
/// What somebody does; the git is the user's own.
type Disturb = fn(&World, &Path);

fn text(changes: &[(usize, &str)]) -> String {
    let mut lines: Vec<String> = (1..=12).map(|number| format!("line {number}\n")).collect();
    for (at, line) in changes {
        (*line).clone_into(&mut lines[at - 1]);
    }
    lines.concat()
}

fn put(top: &Path, path: &str, content: impl AsRef<[u8]>) {
    write(top, path.as_bytes(), content.as_ref());
}

fn gone(top: &Path, path: &str) {
    let path = top.join(path);
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path).unwrap();
    } else {
        let _ = fs::remove_file(path);
    }
}

const EDITS: [(&str, Edit); 16] = [
    ("text", |top| put(top, "text", text(&[(6, "peer\n")]))),
    ("crlf", |top| {
        put(top, "crlf", text(&[(6, "peer\n")]).replace('\n', "\r\n"));
    }),
    ("binary", |top| put(top, "binary", b"\0peer\xff")),
    ("mode", |top| set_mode(&top.join("text"), 0o755)),
    ("rename", |top| {
        fs::rename(top.join("text"), top.join("renamed")).unwrap();
        put(top, "renamed", text(&[(6, "peer\n")]));
    }),
    ("delete", |top| gone(top, "text")),
    ("delete a folder", |top| gone(top, "dir")),
    ("new", |top| put(top, "new", "by the peer\n")),
    ("new in folders", |top| put(top, "deep/er/new", "by the peer\n")),
    ("link", |top| {
        gone(top, "link");
        symlink("peer", top.join("link")).unwrap();
    }),
    ("file to link", |top| {
        gone(top, "text");
        symlink("dir", top.join("text")).unwrap();
    }),
    ("file to folder", |top| {
        gone(top, "text");
        put(top, "text/inside", "by the peer\n");
    }),
    ("folder to file", |top| {
        gone(top, "dir");
        put(top, "dir", "a file now\n");
    }),
    ("odd names", |top| {
        write(top, b"sp ace/qu\"ote\n\xff", b"odd\n");
        put(top, "-dash", "odd\n");
        put(top, "odd \\ name", text(&[(6, "peer\n")]));
    }),
    ("case", |top| {
        fs::rename(top.join("text"), top.join("TEXT")).unwrap();
        put(top, "TEXT", text(&[(6, "peer\n")]));
    }),
    ("everything", |top| {
        for path in [
            "text",
            "dir",
            "binary",
            "link",
            "crlf",
            "odd \\ name",
            ".gitignore",
        ] {
            gone(top, path);
        }
        put(top, "only", "this\n");
    }),
];

const DISTURBANCES: [(&str, Disturb); 18] = [
    ("nothing", |_, _| ()),
    ("same lines", |_, top| put(top, "text", text(&[(6, "user\n")]))),
    ("other lines", |_, top| put(top, "text", text(&[(12, "user\n")]))),
    ("same lines staged", |world, top| {
        put(top, "text", text(&[(6, "user\n")]));
        world.run_in(top, &["add", "-A"]);
    }),
    ("staged and edited again", |world, top| {
        put(top, "text", text(&[(11, "staged\n")]));
        world.run_in(top, &["add", "-A"]);
        put(top, "text", text(&[(12, "user\n")]));
    }),
    ("crlf edited", |_, top| {
        put(top, "crlf", text(&[(6, "user\n")]).replace('\n', "\r\n"));
    }),
    ("binary edited", |_, top| put(top, "binary", b"\0user")),
    ("untracked in the way", |_, top| {
        for path in ["new", "deep", "renamed", "only"] {
            put(top, path, "in the way\n");
        }
    }),
    ("ignored in the way", |_, top| {
        put(top, ".gitignore", "/new\n/deep\n/renamed\n/only\n/-dash\n*.o\n");
        for path in ["new", "deep", "renamed", "only", "-dash", "dir/ignored.o"] {
            put(top, path, "ignored\n");
        }
    }),
    ("deleted", |_, top| gone(top, "text")),
    ("deleted and staged", |world, top| {
        gone(top, "dir");
        world.run_in(top, &["add", "-A"]);
    }),
    ("renamed", |world, top| {
        world.run_in(top, &["mv", "text", "moved"]);
    }),
    ("mode", |_, top| set_mode(&top.join("text"), 0o755)),
    ("private mode", |_, top| set_mode(&top.join("text"), 0o600)),
    ("link changed", |_, top| {
        gone(top, "link");
        symlink("user", top.join("link")).unwrap();
    }),
    ("folder behind a link", |_, top| {
        fs::rename(top.join("dir"), top.join("real")).unwrap();
        symlink("real", top.join("dir")).unwrap();
        symlink("/tmp", top.join("deep")).unwrap();
    }),
    ("committed", |world, top| {
        put(top, "text", text(&[(1, "committed\n")]));
        put(top, "another", "x\n");
        world.run_in(top, &["add", "-A"]);
        world.run_in(top, &["commit", "-q", "-m", "more"]);
    }),
    ("odd name edited", |_, top| {
        put(top, "odd \\ name", text(&[(6, "user\n")]));
        write(top, b"sp ace/qu\"ote\n\xff", b"user's\n");
    }),
];

#[derive(Debug, Default)]
struct Counts {
    landed: usize,
    merged: usize,
    conflicts: usize,
    refused: usize,
}

impl Counts {
    fn all(&self) -> usize {
        self.landed + self.merged + self.conflicts + self.refused
    }
}

fn world() -> World {
    let world = World::new();
    for path in ["text", "odd \\ name"] {
        world.write(path, text(&[]));
    }
    world.write("crlf", text(&[]).replace('\n', "\r\n"));
    world.write("binary", b"\0\x01\x02");
    world.write("dir/one", "1\n");
    world.write("dir/sub/two", "2\n");
    world.write(".gitignore", "*.o\n");
    set_mode(&world.top().join("dir/one"), 0o664);
    symlink("text", world.top().join("link")).unwrap();
    world.commit();
    world
}

/// Runs all disturbances against some edits.
fn run(edits: &[(&str, Edit)]) -> Counts {
    let mut counts = Counts::default();
    let world = world();
    let vault = world.vault();
    let base = world.snapshot(&vault);
    let pristine = world.folder().join("pristine");
    copy(&world.top(), &pristine);
    let mut number = 0;
    for (edit_name, edit) in edits {
        copy(&pristine, &world.top());
        let result = world.peer(&vault, edit);
        assert_ne!(result, base, "{edit_name} edits something");
        for (name, disturb) in DISTURBANCES {
            let about = format!("{edit_name} / {name}");
            copy(&pristine, &world.top());
            disturb(&world, &world.top());
            number += 2;
            one(&world, &vault, (&base, &result), number, &about, &mut counts);
        }
    }
    counts
}

/// Lands, or not; then once more with a file that changes between the look and the landing.
fn one(
    world: &World,
    vault: &Vault,
    (base, result): (&Oid, &Oid),
    number: u32,
    about: &str,
    counts: &mut Counts,
) {
    let before = world.everything();
    let present = world.snapshot(vault);
    let tree = match World::fit(vault, base, &present, result) {
        Merged::Clean { tree } => tree,
        Merged::Conflicts(conflicts) => {
            assert!(!conflicts.is_empty());
            assert_same(&world.everything(), &before, about);
            counts.conflicts += 1;
            // A caller that lands all the same finds the files as it did not see them.
            let steps = World::steps(vault, base, result);
            match world.land(number, &steps) {
                Err(LandError::Changed { paths }) => assert!(!paths.is_empty()),
                other => panic!("{about}: {other:?}"),
            }
            assert_same(&world.everything(), &before, about);
            counts.refused += 1;
            return;
        }
    };
    let steps = World::steps(vault, &present, &tree);
    // Somebody writes after the look, to another file each time.
    let saved = world.folder().join("saved");
    copy(&world.top(), &saved);
    let from = number as usize / 2 % steps.len().max(1);
    let is_written = steps[from..].iter().chain(&steps[..from]).any(|step| {
        let target = world.top().join(std::ffi::OsStr::from_bytes(&step.path));
        if target.is_symlink() {
            fs::remove_file(&target).unwrap();
        }
        // Where a folder is in the way, or a file where a folder is needed, it is the next one's turn.
        target
            .parent()
            .is_some_and(|folder| fs::create_dir_all(folder).is_ok())
            && fs::write(&target, "written after the look\n").is_ok()
    });
    if is_written {
        let raced = world.everything();
        match world.land(number, &steps) {
            Err(LandError::Changed { paths }) => assert!(!paths.is_empty()),
            other => panic!("{about}, raced: {other:?}"),
        }
        assert_same(&world.everything(), &raced, about);
        counts.refused += 1;
    }
    copy(&saved, &world.top());
    match world.land(number, &steps) {
        Ok(landing) => {
            assert_eq!(
                (landing.state, landing.left.len()),
                (LandingState::Landed, 0),
                "{about}"
            );
            assert_eq!(world.snapshot(vault), tree, "{about}");
            let untouched = |path: &Path| path.starts_with(".git");
            let mut found = world.everything();
            found.retain(|path, _| untouched(path));
            let mut expected = before.clone();
            expected.retain(|path, _| untouched(path));
            assert_same(&found, &expected, about);
            undo(&world.state, &landing.job).unwrap();
            if present == *base {
                counts.landed += 1;
            } else {
                counts.merged += 1;
            }
        }
        Err(LandError::Changed { paths }) => {
            // Only what git does not see can still be in the way.
            assert!(
                about.contains("ignored in the way") || about.contains("behind a link"),
                "{about}: {paths:?}"
            );
            counts.refused += 1;
        }
        Err(error) => panic!("{about}: {error:?}"),
    }
    assert_same(&world.everything(), &before, about);
    assert!(recover(&world.state).unwrap().is_empty());
}

#[test]
fn five_hundred_ways_to_apply_change_everything_or_nothing() {
    let halves = std::thread::scope(|scope| {
        let (first, second) = EDITS.split_at(EDITS.len() / 2);
        let first = scope.spawn(|| run(first));
        [run(second), first.join().unwrap()]
    });
    let all: usize = halves.iter().map(Counts::all).sum();
    assert!(all >= 500, "{all}: {halves:?}");
    let sum = |count: fn(&Counts) -> usize| halves.iter().map(count).sum::<usize>();
    assert!(sum(|counts| counts.landed) >= EDITS.len(), "{halves:?}");
    assert!(sum(|counts| counts.merged) >= 100, "{halves:?}");
    assert!(sum(|counts| counts.conflicts) >= 40, "{halves:?}");
    assert!(sum(|counts| counts.refused) >= 200, "{halves:?}");
}
