//! Somebody who writes into the files while results land.

use crate::world::{World, job};
use crosscheck::state::landing::{
    LandError, LandingState, Node, Step, UndoError, land, landed_by, look, undo,
};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Landings tried while the editor writes.
const LANDINGS: u32 = 150;

/// Ends the editor, also when a check fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nothing_that_an_editor_saves_is_ever_lost() {
    let world = World::new();
    world.write("f", "edit 0");
    world.write("g", "g");
    let top = world.top();
    let is_over = AtomicBool::new(false);
    let mut landed = BTreeMap::new();
    let last = std::thread::scope(|scope| {
        let editor = scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                // As editors save: a new file takes the place of the old one.
                fs::write(top.join("saving"), format!("edit {number}")).unwrap();
                fs::rename(top.join("saving"), top.join("f")).unwrap();
                std::thread::yield_now();
            }
            number
        });
        let ends = Ends(&is_over);
        for number in 1..=LANDINGS {
            let step = |path: &str, text: String| Step {
                path: path.as_bytes().to_vec(),
                before: look(&top, path.as_bytes()).unwrap(),
                after: Some((0o100_644, text.into_bytes())),
            };
            let steps = [
                step("f", format!("peer {number}")),
                step("g", format!("g {number}")),
            ];
            match land(&world.state, &top, &job(number), &steps, 1) {
                Ok(landing) => {
                    landed.insert(format!("peer {number}"), landing);
                }
                Err(LandError::Changed { .. } | LandError::Io { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
            let names: Vec<_> = fs::read_dir(&top)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            let is_ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(".crosscheck");
            assert!(!names.iter().any(is_ours), "{names:?}");
        }
        drop(ends);
        editor.join().unwrap()
    });
    // Whatever stands over the last save has it in its journal.
    let mut text = fs::read_to_string(top.join("f")).unwrap();
    while let Some(landing) = landed.get(&text) {
        assert_eq!(landing.sides[0].path, b"f");
        text = fs::read_to_string(landing.folder.join("before/0")).unwrap();
    }
    assert_eq!(text, format!("edit {last}"));
}

#[test]
fn an_undo_does_not_overwrite_what_was_saved_since() {
    let world = World::new();
    world.write("f", "1");
    let step = Step {
        path: b"f".to_vec(),
        before: look(&world.top(), b"f").unwrap(),
        after: Some((0o100_644, b"2".to_vec())),
    };
    world.land(1, &[step]).unwrap();
    world.write("f", "saved");
    match undo(&world.state, &job(1)) {
        Err(UndoError::Land(LandError::Changed { paths })) => assert_eq!(paths, [b"f"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(look(&world.top(), b"f").unwrap(), Node::of(0o100_644, b"saved"));
    let landing = landed_by(&world.state, &job(1)).unwrap().unwrap();
    assert_eq!(landing.state, LandingState::Landed);
}

#[test]
fn the_right_to_run_as_the_owner_does_not_pass_to_other_bytes() {
    let world = World::new();
    world.write("tool", "mine\n");
    world.commit();
    let vault = world.vault();
    let tool = world.top().join("tool");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o6755)).unwrap();
    let mode = || fs::metadata(&tool).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o6755);
    let present = world.snapshot(&vault);
    let result = world.peer(&vault, |top| fs::write(top.join("tool"), "the peer's\n").unwrap());
    world.land(1, &World::steps(&vault, &present, &result)).unwrap();
    assert_eq!(
        (fs::read(&tool).unwrap(), mode()),
        (b"the peer's\n".to_vec(), 0o755)
    );
    undo(&world.state, &job(1)).unwrap();
    assert_eq!((fs::read(&tool).unwrap(), mode()), (b"mine\n".to_vec(), 0o6755));
}
