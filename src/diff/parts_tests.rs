//! Properties of dividing a change: every hunk in exactly one part, no part over its budget, related files together.

use super::*;
use crate::diff::added::{added_file, untracked_file};
use crate::diff::measure::{Size, measure};
use crate::diff::patch::Content;
use crate::diff::render::render_runs;
use proptest::prelude::*;

fn patch(files: &[(&str, usize)]) -> Patch {
    let file = |(path, hunks): &(&str, usize)| {
        let mut file = added_file(path.as_bytes(), 0o100_644, b"0123456789\n");
        if let Content::Text(own) = &mut file.content {
            *own = std::iter::repeat_n(own[0].clone(), *hunks).collect();
            if *hunks == 0 {
                file.content = Content::Unchanged;
            }
        }
        file
    };
    Patch {
        files: files.iter().map(file).collect(),
    }
}

fn divided(patch: &Patch, weight: usize) -> Vec<Part> {
    divide(patch, &measure(patch), Room::new(weight, weight), &|_| true)
}

#[test]
fn a_change_that_fits_is_one_part() {
    let patch = patch(&[("a.rs", 2), ("b.rs", 0)]);
    let parts = divided(&patch, 10_000);
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].runs, [(0, 0, 2), (1, 0, 1)]);
    assert_eq!(parts[0].weight, render_runs(&patch, &parts[0].runs).len());
    assert!(divided(&Patch::default(), 100).is_empty());
}

#[test]
fn folders_stay_together_where_it_costs_nothing() {
    // Each file weighs about as much as the others; three parts of four files would tear the second folder apart.
    let files = [
        ("a/1.rs", 3),
        ("a/2.rs", 3),
        ("a/3.rs", 3),
        ("b/1.rs", 3),
        ("b/2.rs", 3),
        ("b/3.rs", 3),
        ("c/1.rs", 3),
        ("c/2.rs", 3),
        ("c/3.rs", 3),
    ];
    let patch = patch(&files);
    let one = divided(&patch, 100_000)[0].weight;
    let parts = divided(&patch, one / 3 + 60);
    let first: Vec<usize> = parts.iter().map(|part| part.runs[0].0).collect();
    assert_eq!(first, [0, 3, 6]);
}

#[test]
fn a_test_goes_with_what_it_tests() {
    let check = |paths: &[&str], expected: &[usize]| {
        let files: Vec<(&str, usize)> = paths.iter().map(|path| (*path, 1)).collect();
        assert_eq!(related_order(&patch(&files)), expected, "{paths:?}");
    };
    check(&["src/a.rs", "src/b.rs", "tests/a.rs"], &[0, 2, 1]);
    check(&["lib/x.py", "lib/y.py", "tests/test_x.py"], &[0, 2, 1]);
    check(&["a.ts", "b.ts", "z/a.test.ts", "z/b.spec.ts"], &[0, 2, 1, 3]);
    // Two files could be meant, or none.
    check(&["one/a.rs", "two/a.rs", "tests/a.rs"], &[0, 1, 2]);
    check(&["tests/a.rs", "README"], &[0, 1]);
    check(&["test_.py", "_test.go"], &[0, 1]);
}

#[test]
fn files_that_are_not_sent_are_in_no_part() {
    let patch = patch(&[("a.rs", 2), ("vendor/b.rs", 5), ("c.rs", 1)]);
    let sizes = measure(&patch);
    let parts = divide(&patch, &sizes, Room::new(5000, 5000), &|file| file != 1);
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].runs, [(0, 0, 2), (2, 0, 1)]);
}

#[test]
fn a_hunk_that_is_too_large_counts_as_many_parts() {
    let patch = patch(&[("a.rs", 1)]);
    let mut sizes = measure(&patch);
    sizes[0].hunks[0] = Size {
        bytes: 1000,
        chars: 1000,
    };
    let room = Room::new(300, 300);
    let parts = divide(&patch, &sizes, room, &|_| true);
    assert_eq!((parts.len(), least(&parts, room)), (1, 4));
}

proptest! {
    #[test]
    fn every_hunk_is_in_exactly_one_part_and_every_part_fits(
        hunks in prop::collection::vec((0_usize..6, 0_usize..3, any::<bool>()), 0..40),
        weight in 70_usize..600,
    ) {
        let mut files: Vec<(String, usize)> = hunks
            .iter()
            .enumerate()
            .map(|(at, (hunks, folder, test))| {
                let name = if *test { format!("test_{}", at / 2) } else { format!("{at}") };
                (format!("{}/{name}.py", ["a", "b", "c"][*folder]), *hunks)
            })
            .collect();
        files.sort();
        let named: Vec<(&str, usize)> = files.iter().map(|(path, hunks)| (path.as_str(), *hunks)).collect();
        let mut patch = patch(&named);
        patch.files.push(untracked_file(b"z.bin", None, Content::Binary));
        let parts = divided(&patch, weight);
        let mut seen: Vec<(usize, usize)> = Vec::new();
        for part in &parts {
            let text = render_runs(&patch, &part.runs);
            prop_assert_eq!(part.weight, text.len());
            prop_assert!(part.weight <= weight, "{} of {weight}", part.weight);
            for &(file, first, end) in &part.runs {
                seen.extend((first..end).map(|hunk| (file, hunk)));
            }
        }
        let total = seen.len();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), total);
        let expected: usize = patch.files.iter().map(|file| crate::diff::count::hunks(file) as usize).sum();
        prop_assert_eq!(total, expected);
        prop_assert_eq!(&divided(&patch, weight), &parts);
        // As few as can be: filling each part as far as it goes makes no fewer.
        let sizes = measure(&patch);
        let room = Room::new(weight, weight);
        let order: Vec<usize> = (0..patch.files.len()).collect();
        prop_assert!(parts.len() <= Sequence::new(&patch, &sizes, room, &order).count(0, weight));
    }
}
