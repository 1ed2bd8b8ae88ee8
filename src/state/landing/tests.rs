//! Landings that are killed, hindered and raced, at every step there is.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::land::land_at_pace;
use super::recover::recover_held;
use super::swap::{Exchanging, Pace};
use super::undo::undo_at_pace;
use super::*;
use crate::domain::job::JobId;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;

/// What a path holds: its permission bits, its time of change and its bytes or the text of its link.
type Tree = BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)>;

struct World {
    _dir: tempfile::TempDir,
    top: PathBuf,
    repository: RepositoryFolder,
}

fn job(number: u8) -> JobId {
    format!("01m7yptqjp-t9cew2-8rhn17gx{number:02}").parse().unwrap()
}

impl World {
    /// A working tree with everything that a landing can meet.
    fn new() -> Self {
        // In memory where there is such a disk: these tests make thousands of small files and sync each.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let top = dir.path().join("top");
        let repository = RepositoryFolder::of(&Store::at(dir.path().join("state")), &top.join(".git"));
        let world = Self {
            _dir: dir,
            top,
            repository,
        };
        for (path, text, mode) in [
            ("text", "one\ntwo\n", 0o640),
            ("tool", "#!/bin/sh\n", 0o755),
            ("gone/deep/only", "x", 0o644),
            ("stays/gone", "x", 0o600),
            ("stays/other", "y", 0o644),
            ("to-folder", "a file", 0o644),
            ("to-file/a", "a", 0o644),
            ("to-file/b/c", "c", 0o664),
            ("to-link", "text", 0o604),
        ] {
            world.write(path, text, mode);
        }
        symlink("text", world.top.join("from-link")).unwrap();
        symlink("stays", world.top.join("link-to-folder")).unwrap();
        fs::set_permissions(world.top.join("to-file/b"), fs::Permissions::from_mode(0o750)).unwrap();
        world
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        let path = self.top.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_456_789);
        fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    }

    fn steps(&self) -> Vec<Step> {
        let file = |bytes: &str| Some((0o100_644, bytes.as_bytes().to_vec()));
        [
            ("text", file("one\r\n2\n")),
            ("tool", Some((0o100_644, b"#!/bin/sh\n".to_vec()))),
            ("gone/deep/only", None),
            ("stays/gone", None),
            ("new", Some((0o100_755, b"new".to_vec()))),
            ("made/here/file", file("")),
            ("to-folder", None),
            ("to-folder/now/file", file("f")),
            ("to-file/a", None),
            ("to-file/b/c", None),
            ("to-file", file("a file now")),
            ("to-link", Some((0o120_000, b"nowhere".to_vec()))),
            ("from-link", file("no link any more")),
            ("link-to-folder", None),
            ("link-to-folder/file", file("a folder now")),
            ("stays/other", file("y")),
        ]
        .map(|(path, after)| self.step(path, after))
        .to_vec()
    }

    fn step(&self, path: &str, after: Option<(u32, Vec<u8>)>) -> Step {
        let before = match look(&self.top, path.as_bytes()).unwrap() {
            // As a tree of git's tells it, which knows no folders.
            Node::Folder | Node::Other => Node::Absent,
            node => node,
        };
        Step {
            path: path.as_bytes().to_vec(),
            before,
            after,
        }
    }

    fn land(&self, number: u8, steps: &[Step], pace: Pace<'_>) -> Result<Landing, LandError> {
        land_at_pace(
            &self.repository,
            &self.top,
            &job(number),
            steps,
            1_700_000_000_000,
            pace,
        )
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        collect(&self.top, &self.top, &mut tree);
        tree
    }
}

fn collect(top: &Path, folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(top).unwrap().to_owned();
        if about.is_dir() {
            // A folder's time of change tells of what went on in it; nobody restores it.
            tree.insert(name, (about.mode(), 0, 0, Vec::new()));
            collect(top, &path, tree);
        } else {
            let bytes = if about.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            tree.insert(name, (about.mode(), about.mtime(), about.mtime_nsec(), bytes));
        }
    }
}

/// What remains of a tree when times are left out: new files have new ones.
fn timeless(tree: &Tree) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    tree.iter()
        .map(|(path, (mode, _, _, bytes))| (path.clone(), (*mode, bytes.clone())))
        .collect()
}

/// Runs something that is stopped at its n-th step as by a kill: nothing is cleaned up. Tells whether it came that far.
fn killed_at(step: usize, exchanging: Exchanging, run: impl FnOnce(Pace<'_>)) -> bool {
    let count = Cell::new(0);
    let at = |_: &'static str| {
        if count.get() == step {
            std::panic::resume_unwind(Box::new("killed"));
        }
        count.set(count.get() + 1);
    };
    let pace = Pace { at: &at, exchanging };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(pace))).is_err()
}

#[test]
fn everything_lands_and_comes_back_to_the_nanosecond() {
    for exchanging in [Exchanging::AtOnce, Exchanging::InSteps] {
        let world = World::new();
        let before = world.tree();
        let pace = Pace {
            exchanging,
            ..Pace::STRAIGHT
        };
        let landing = world.land(1, &world.steps(), pace).unwrap();
        assert_eq!((landing.state, landing.left.len()), (LandingState::Landed, 0));
        let after = world.tree();
        let check = |path: &str, mode: u32, text: &str| {
            let (found, _, _, bytes) = &after[Path::new(path)];
            assert_eq!(
                (found & 0o7777, String::from_utf8_lossy(bytes).as_ref()),
                (mode, text),
                "{path}"
            );
        };
        check("text", 0o640, "one\r\n2\n");
        check("tool", 0o644, "#!/bin/sh\n");
        check("made/here/file", 0o644, "");
        check("to-folder/now/file", 0o644, "f");
        check("to-file", 0o644, "a file now");
        check("from-link", 0o644, "no link any more");
        check("link-to-folder/file", 0o644, "a folder now");
        check("new", 0o755, "new");
        assert_eq!(after[Path::new("to-link")].3, b"nowhere");
        assert_eq!(after[Path::new("stays/other")], before[Path::new("stays/other")]);
        for gone in ["gone", "stays/gone", "to-file/a"] {
            assert!(!after.contains_key(Path::new(gone)), "{gone}");
        }
        assert_eq!(list(&world.repository, 10).unwrap().found.len(), 1);
        let undone = undo_at_pace(&world.repository, &job(1), None, pace).unwrap();
        assert_eq!(undone.state, LandingState::Undone);
        assert_eq!(world.tree(), before);
        assert!(matches!(
            undo(&world.repository, &job(1)),
            Err(UndoError::NothingLanded)
        ));
    }
}

#[test]
fn a_landing_killed_at_any_step_is_whole_or_gone() {
    for exchanging in [Exchanging::AtOnce, Exchanging::InSteps] {
        let whole = World::new();
        whole.land(1, &whole.steps(), Pace::STRAIGHT).unwrap();
        let after = timeless(&whole.tree());
        let mut step = 0;
        loop {
            let world = World::new();
            let before = world.tree();
            let steps = world.steps();
            if !killed_at(step, exchanging, |pace| drop(world.land(1, &steps, pace))) {
                break;
            }
            let taken_back = recover(&world.repository).unwrap();
            let landed = landed_by(&world.repository, &job(1)).unwrap();
            if let Some(landed) = landed {
                assert_eq!(landed.state, LandingState::Landed, "{step}");
                assert_eq!(timeless(&world.tree()), after, "{step}");
            } else {
                assert!(taken_back.iter().all(|landing| landing.left.is_empty()), "{step}");
                assert_eq!(world.tree(), before, "{step}");
            }
            assert_eq!(recover(&world.repository).unwrap(), Vec::new(), "{step}");
            step += 1;
        }
        assert!(step > 40, "{step}");
    }
}

#[test]
fn taking_back_may_be_killed_as_well() {
    for exchanging in [Exchanging::AtOnce, Exchanging::InSteps] {
        // In the middle of the swap, where most is in the wrong place, and at its end.
        for first in [25, 34, 40] {
            let mut step = 0;
            loop {
                let world = World::new();
                let before = world.tree();
                let steps = world.steps();
                assert!(killed_at(first, exchanging, |pace| drop(
                    world.land(1, &steps, pace)
                )));
                let is_killed = killed_at(step, exchanging, |pace| {
                    drop(recover_held(&world.repository, pace));
                });
                recover(&world.repository).unwrap();
                if landed_by(&world.repository, &job(1)).unwrap().is_none() {
                    assert_eq!(world.tree(), before, "{first} {step}");
                }
                if !is_killed {
                    break;
                }
                step += 1;
            }
            assert!(step > 3, "{first} {step}");
        }
    }
}

#[test]
fn an_undo_killed_at_any_step_is_whole_or_was_never_begun() {
    for exchanging in [Exchanging::AtOnce, Exchanging::InSteps] {
        let mut step = 0;
        loop {
            let world = World::new();
            let before = world.tree();
            world.land(1, &world.steps(), Pace::STRAIGHT).unwrap();
            let after = world.tree();
            if !killed_at(step, exchanging, |pace| {
                drop(undo_at_pace(&world.repository, &job(1), None, pace));
            }) {
                break;
            }
            recover(&world.repository).unwrap();
            let landing = landed_by(&world.repository, &job(1)).unwrap().unwrap();
            match landing.state {
                LandingState::Undone => assert_eq!(world.tree(), before, "{step}"),
                LandingState::Landed => {
                    assert_eq!(world.tree(), after, "{step}");
                    undo(&world.repository, &job(1)).unwrap();
                    assert_eq!(world.tree(), before, "{step}");
                }
                LandingState::Begun => panic!("{step}: {landing:?}"),
            }
            step += 1;
        }
        assert!(step > 40, "{step}");
    }
}

#[test]
fn what_somebody_writes_at_any_step_is_never_lost() {
    let paths = [
        "text",
        "stays/gone",
        "new",
        "to-folder/now/file",
        "to-file",
        "from-link",
    ];
    for exchanging in [Exchanging::AtOnce, Exchanging::InSteps] {
        for path in paths {
            for way in ["replaced", "in place"] {
                let mut step = 0;
                while written_at(step, exchanging, path, way) {
                    step += 1;
                }
                assert!(step > 8, "{step}");
            }
        }
    }
}

/// Writes to a file at the n-th step of a landing; tells whether there was such a step.
fn written_at(step: usize, exchanging: Exchanging, path: &str, way: &str) -> bool {
    const THEIRS: &[u8] = b"somebody's own";
    let world = World::new();
    let before = world.tree();
    let first = |path: &[u8]| path.split(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
    let mut steps = world.steps();
    steps.retain(|step| step.path == b"tool" || first(&step.path) == first(path.as_bytes()));
    // An editor that has the file open writes to it wherever it was moved to.
    let is_file = |path: &Path| path.symlink_metadata().is_ok_and(|about| about.is_file());
    let open = Some(world.top.join(path))
        .filter(|path| is_file(path))
        .map(|path| fs::File::options().write(true).open(path).unwrap());
    let count = Cell::new(0);
    let is_written = Cell::new(false);
    let at = |_: &'static str| {
        if count.get() == step {
            let target = world.top.join(path);
            if way == "in place" {
                // What is written into a file without a name is lost to whoever deletes a file, git included.
                if let Some(file) = open.as_ref().filter(|file| file.metadata().unwrap().nlink() > 0) {
                    use std::os::unix::fs::FileExt as _;
                    file.set_len(0).unwrap();
                    file.write_all_at(THEIRS, 0).unwrap();
                    is_written.set(true);
                }
            } else if target.parent().unwrap().is_dir() {
                let beside = world.top.join("editor");
                fs::write(&beside, THEIRS).unwrap();
                is_written.set(fs::rename(&beside, &target).is_ok());
                let _ = fs::remove_file(&beside);
            }
        }
        count.set(count.get() + 1);
    };
    let outcome = world.land(1, &steps, Pace { at: &at, exchanging });
    let tree = world.tree();
    assert!(
        tree.keys()
            .all(|path| !path.to_string_lossy().contains(".crosscheck-")),
        "{path} {way} {step}: {:?}",
        tree.keys()
    );
    if is_written.get() {
        let is_in_place = tree.get(Path::new(path)).is_some_and(|found| found.3 == THEIRS);
        let mut kept = Tree::new();
        collect(world.repository.path(), world.repository.path(), &mut kept);
        let is_kept = kept.values().any(|found| found.3 == THEIRS);
        assert!(is_in_place || is_kept, "{path} {way} {step}: {outcome:?}");
        if matches!(outcome, Err(LandError::Changed { .. })) {
            // All but their own file is as it was.
            let mut expected = before.clone();
            let mut found = tree;
            expected.remove(Path::new(path));
            found.remove(Path::new(path));
            if path != "to-file" && path != "to-folder/now/file" {
                assert_eq!(found, expected, "{path} {way} {step}");
            }
        }
    }
    count.get() > step
}

#[test]
fn what_is_not_as_it_was_seen_changes_nothing() {
    type Disturb = fn(&World);
    let cases: [(&str, Disturb); 9] = [
        ("text", |world| fs::write(world.top.join("text"), "else").unwrap()),
        ("tool", |world| {
            fs::set_permissions(world.top.join("tool"), fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("gone/deep/only", |world| {
            fs::remove_file(world.top.join("gone/deep/only")).unwrap();
        }),
        ("new", |world| {
            fs::write(world.top.join("new"), "in the way").unwrap();
        }),
        ("made/here/file", |world| {
            fs::write(world.top.join("made"), "a file").unwrap();
        }),
        ("made/here/file", |world| {
            symlink("/tmp", world.top.join("made")).unwrap();
        }),
        ("to-file", |world| {
            fs::write(world.top.join("to-file/ignored"), "i").unwrap();
        }),
        ("from-link", |world| {
            fs::remove_file(world.top.join("from-link")).unwrap();
            symlink("tool", world.top.join("from-link")).unwrap();
        }),
        ("stays/other", |world| {
            fs::write(world.top.join("stays/other"), "z").unwrap();
        }),
    ];
    for (path, disturb) in cases {
        let world = World::new();
        let steps = world.steps();
        disturb(&world);
        let before = world.tree();
        match world.land(1, &steps, Pace::STRAIGHT) {
            Err(LandError::Changed { paths }) => {
                assert_eq!(paths, [path.as_bytes()], "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
        assert_eq!(world.tree(), before, "{path}");
        assert_eq!(list(&world.repository, 10).unwrap(), Landings::default());
    }
}

#[test]
fn an_undo_waits_for_newer_landings_and_never_overwrites() {
    let world = World::new();
    let write = |number, text: &str| {
        let step = world.step("text", Some((0o100_644, text.as_bytes().to_vec())));
        world.land(number, &[step], Pace::STRAIGHT).unwrap()
    };
    write(1, "first");
    write(2, "second");
    let refused = undo(&world.repository, &job(1));
    assert!(matches!(refused, Err(UndoError::Newer { job: newer }) if newer == job(2)));
    undo(&world.repository, &job(2)).unwrap();
    world.write("text", "mine", 0o640);
    match undo(&world.repository, &job(1)) {
        Err(UndoError::Land(LandError::Changed { paths })) => assert_eq!(paths, [b"text"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(world.top.join("text")).unwrap(), b"mine");
    world.write("text", "first", 0o640);
    undo(&world.repository, &job(1)).unwrap();
    assert_eq!(fs::read(world.top.join("text")).unwrap(), b"one\ntwo\n");
    let states: Vec<_> = list(&world.repository, 10)
        .unwrap()
        .found
        .into_iter()
        .map(|landing| (landing.job, landing.state))
        .collect();
    assert_eq!(
        states,
        [(job(2), LandingState::Undone), (job(1), LandingState::Undone)]
    );
}

#[test]
fn folders_that_were_there_before_stay_after_an_undo() {
    let world = World::new();
    fs::create_dir(world.top.join("empty")).unwrap();
    let before = world.tree();
    let step = world.step("empty/file", Some((0o100_644, b"x".to_vec())));
    world.land(1, &[step], Pace::STRAIGHT).unwrap();
    undo(&world.repository, &job(1)).unwrap();
    assert_eq!(world.tree(), before);
}

#[test]
fn an_adopted_change_is_undone_like_one_that_landed() {
    let world = World::new();
    let before = timeless(&world.tree());
    let steps = world.steps();
    let kept: Vec<Adopted> = steps
        .iter()
        .map(|step| {
            let path = world.top.join(String::from_utf8(step.path.clone()).unwrap());
            let before = match &step.before {
                Node::File { executable, .. } => Some((
                    if *executable { 0o100_755 } else { 0o100_644 },
                    fs::read(path).unwrap(),
                )),
                Node::Link { .. } => {
                    let text = fs::read_link(path).unwrap().into_os_string();
                    Some((0o120_000, text.into_encoded_bytes()))
                }
                _ => None,
            };
            Adopted {
                path: step.path.clone(),
                before,
            }
        })
        .collect();
    // Another repository's folder stands for a peer that edits in place.
    let peer = RepositoryFolder::of(&Store::at(world.top.parent().unwrap().join("peer")), &world.top);
    land(&peer, &world.top, &job(9), &steps, 1).unwrap();
    let adopted = adopt(&world.repository, &world.top, &job(1), &kept, 5).unwrap();
    assert_eq!(adopted.state, LandingState::Landed);
    undo(&world.repository, &job(1)).unwrap();
    let after = timeless(&world.tree());
    let contents = |tree: &BTreeMap<PathBuf, (u32, Vec<u8>)>| -> Vec<(PathBuf, u32, Vec<u8>)> {
        tree.iter()
            .map(|(path, (mode, bytes))| (path.clone(), mode & 0o170_100, bytes.clone()))
            .collect()
    };
    assert_eq!(contents(&after), contents(&before));
}

#[test]
fn a_record_that_cannot_be_read_hides_no_other_and_two_never_land_at_once() {
    let world = World::new();
    let step = |text: &str| world.step("text", Some((0o100_644, text.as_bytes().to_vec())));
    let first = world.land(1, &[step("1")], Pace::STRAIGHT).unwrap();
    let second = world.land(2, &[step("2")], Pace::STRAIGHT).unwrap();
    assert!(second.at_ms > first.at_ms, "whatever the clock says");
    fs::write(second.folder.join("journal.json"), "{").unwrap();
    let listed = list(&world.repository, 10).unwrap();
    assert_eq!((listed.found.len(), listed.damaged), (1, vec![second.folder]));
    assert!(list(&world.repository, 1).unwrap().has_more);
    let inner = Cell::new(false);
    let at = |_: &'static str| {
        let refused = world.land(3, &[], Pace::STRAIGHT);
        inner.set(matches!(refused, Err(LandError::Busy)));
    };
    let pace = Pace {
        at: &at,
        ..Pace::STRAIGHT
    };
    world.land(3, &[step("3")], pace).unwrap();
    assert!(inner.get());
}
