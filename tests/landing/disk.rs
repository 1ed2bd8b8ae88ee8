//! A disk that is full in the middle of a landing.
//!
//! A limit on the size of files stands for it: it hits a write in its middle, as a full disk does, and needs no rights. The
//! test runs itself once more under it.

use crate::world::{World, assert_same, job};
use crosscheck::state::landing::{LandError, Step, landed_by, look, undo};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Says that the process is limited, and where it leaves word that it came to its end.
const LIMITED: &str = "CROSSCHECK_TEST_LIMITED";
/// Blocks of 512 bytes that a file may have; a file of 64 KiB does not fit, and a journal does.
const BLOCKS: &str = "64";

fn step(world: &World, path: &str, bytes: Vec<u8>) -> Step {
    Step {
        path: path.as_bytes().to_vec(),
        before: look(&world.top(), path.as_bytes()).unwrap(),
        after: Some((0o100_644, bytes)),
    }
}

#[test]
fn a_full_disk_changes_nothing() {
    let word = tempfile::NamedTempFile::new().unwrap();
    // The signal is ignored, so that the write fails as it does on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" --exact disk::limited --nocapture");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(LIMITED, word.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(fs::read(word.path()).unwrap(), b"done", "{text}");
}

/// What runs under the limit. Without it, it shows that the same landing goes through.
#[test]
fn limited() {
    let done = std::env::var_os(LIMITED);
    let world = World::new();
    for path in ["a", "b", "z"] {
        world.write(path, path);
    }
    let before = world.everything();
    let mut steps = vec![
        step(&world, "a", b"changed".to_vec()),
        step(&world, "new/small", b"small".to_vec()),
        step(&world, "b", vec![b'x'; 256 * 1024]),
        step(&world, "z", b"changed".to_vec()),
    ];
    let outcome = world.land(1, &steps);
    if done.is_none() {
        outcome.unwrap();
        undo(&world.state, &job(1)).unwrap();
        assert_same(&world.everything(), &before, "without a limit");
        return;
    }
    match outcome {
        Err(LandError::Io { source, not_restored }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::FileTooLarge, "{source}");
            assert!(not_restored.is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert_same(&world.everything(), &before, "with a limit");
    assert!(landed_by(&world.state, &job(1)).unwrap().is_none());
    steps.remove(2);
    world.land(2, &steps).unwrap();
    undo(&world.state, &job(2)).unwrap();
    assert_same(&world.everything(), &before, "once there is room");
    fs::write(Path::new(&done.unwrap()), "done").unwrap();
}
