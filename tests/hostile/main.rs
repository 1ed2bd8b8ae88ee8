//! The hostile corpus: what an attacker puts into a repository, an argument, a path, a patch, a frame, an answer or our
//! state directory, as data, and what must not happen then.
//!
//! Each group is a file: its cases as tables, one runner, and a negative control that shows that its detector fires. No case
//! leaves loopback, and what looks like a secret is put together when the tests run. How many got through before they were
//! stopped is in `docs/security-figures.md`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

mod case;
mod codex;
mod detect;
#[path = "../it/making.rs"]
mod making;
#[path = "../support/mod.rs"]
mod support;
#[expect(
    dead_code,
    reason = "the corpus uses its own part of the world of the other tests"
)]
#[path = "../it/world.rs"]
mod world;

mod a_git;
mod b_arguments;
mod c_paths;
mod d_patches;
mod e_secrets;
mod f_injection;
mod g_environment;
mod h_frames;
mod i_peer;
mod j_state;
mod late;

use std::collections::BTreeSet;
use std::process::Command;

use case::Case;

/// One group of the corpus.
struct Group {
    letter: char,
    title: &'static str,
    /// Fewest cases that the group must have.
    least: usize,
    cases: Vec<Case>,
}

/// All groups, in order.
fn groups() -> Vec<Group> {
    let group = |letter, title, least, cases| Group {
        letter,
        title,
        least,
        cases,
    };
    vec![
        group('A', "git configuration and state", 60, a_git::cases()),
        group('B', "revisions and arguments", 80, b_arguments::cases()),
        group('C', "paths", 70, c_paths::cases()),
        group('D', "patches from the model", 70, d_patches::cases()),
        group('E', "secrets", 170, with_late('E', e_secrets::cases())),
        group('F', "injection", 50, with_late('F', f_injection::cases())),
        group('G', "environment", 40, with_late('G', g_environment::cases())),
        group('H', "MCP frames", 60, with_late('H', h_frames::cases())),
        group('I', "peer output", 40, with_late('I', i_peer::cases())),
        group('J', "state directory", 40, j_state::cases()),
    ]
}

/// Adds to a group the ideas that came later.
fn with_late(letter: char, mut cases: Vec<Case>) -> Vec<Case> {
    cases.extend(
        late::cases()
            .into_iter()
            .filter(|case| case.id.starts_with(letter)),
    );
    cases
}

/// Fewest cases of all groups together.
const PROMISED: usize = 800;

/// Most bytes of all tracked files: a plugin's copy of the repository goes to every user.
const TRACKED_BYTES: u64 = 8_000_000;

#[test]
fn the_corpus_is_as_large_as_promised() {
    let mut ids = BTreeSet::new();
    let mut total = 0;
    for group in groups() {
        println!("| {} | {} | {} |", group.letter, group.title, group.cases.len());
        assert!(
            group.cases.len() >= group.least,
            "group {} is too small",
            group.letter
        );
        for case in &group.cases {
            assert!(
                case.id.starts_with(group.letter),
                "{} is in another group",
                case.id
            );
            assert!(
                !case.what.is_empty() && !case.forbidden.is_empty(),
                "{} says nothing",
                case.id
            );
            assert!(ids.insert(case.id.clone()), "{} is there twice", case.id);
        }
        total += group.cases.len();
    }
    println!("| | all | {total} |");
    assert!(total >= PROMISED, "{total} cases are fewer than {PROMISED}");
}

#[test]
fn the_tracked_files_stay_small() {
    let top = env!("CARGO_MANIFEST_DIR");
    let listed = Command::new("git")
        .args(["-C", top, "ls-files", "-z"])
        .output()
        .unwrap();
    // A copy of the sources without a repository has nothing to count.
    if !listed.status.success() {
        return;
    }
    let names = String::from_utf8(listed.stdout).unwrap();
    let sizes = names.split('\0').filter(|name| !name.is_empty()).map(|name| {
        std::fs::symlink_metadata(std::path::Path::new(top).join(name)).map_or(0, |found| found.len())
    });
    let bytes: u64 = sizes.sum();
    assert!(bytes < TRACKED_BYTES, "the tracked files have {bytes} bytes");
}
