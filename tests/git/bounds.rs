//! Sizes, concurrency and leftovers.

use crate::setup::{commit, file, names, with_a_commit};
use crosscheck::diff::patch::Content;
use crosscheck::domain::scope::Scope;
use crosscheck::git::{GitError, Untracked};

const MIB: usize = 1024 * 1024;

#[test]
fn a_huge_file_is_listed_with_its_size() {
    with_a_commit(|setup| {
        let huge = std::fs::File::create(setup.top().join("huge")).unwrap();
        huge.set_len(100 * MIB as u64).unwrap();
        setup.write("long", "a line of text\n".repeat(9 * MIB / 15));
        setup.run(&["add", "huge", "long"]);
        let size = u64::try_from(9 * MIB / 15 * 15).unwrap();
        for scope in [Scope::WorkingTree, Scope::Staged] {
            let change = setup.read(&scope);
            let expected = Content::TooLarge {
                bytes: 100 * MIB as u64,
            };
            assert_eq!(file(&change, "huge").content, expected);
            assert_eq!(file(&change, "long").content, Content::TooLarge { bytes: size });
        }
        setup.commit("huge");
        let change = setup.read(&commit("HEAD"));
        assert_eq!(file(&change, "long").content, Content::TooLarge { bytes: size });
        // Edited and not staged: the working tree knows the size.
        setup.write("long", "another line of text\n".repeat(9 * MIB / 15));
        let change = setup.read(&Scope::WorkingTree);
        assert!(matches!(file(&change, "long").content, Content::TooLarge { .. }));
    });
}

#[test]
fn a_tracked_file_that_became_a_terabyte_is_named_and_not_read() {
    with_a_commit(|setup| {
        let terabyte = 1 << 40;
        for name in ["f", "new"] {
            setup.write(name, "small\n");
        }
        setup.run(&["add", "f", "new"]);
        setup.write("other", "changed\n");
        setup.run(&["add", "other"]);
        for name in ["f", "new"] {
            let hole = std::fs::File::create(setup.top().join(name)).unwrap();
            hole.set_len(terabyte).unwrap();
        }
        // Reading either of them would take longer than any bound.
        let change = setup.read(&Scope::WorkingTree);
        for name in ["f", "new"] {
            assert_eq!(file(&change, name).content, Content::TooLarge { bytes: terabyte });
        }
        assert!(matches!(file(&change, "other").content, Content::Text(_)));
        assert_eq!(names(&change).len(), 3, "each stands there once");
    });
}

#[test]
fn a_diff_beyond_the_limit_names_its_largest_files() {
    with_a_commit(|setup| {
        for at in 1..=10 {
            setup.write(format!("part-{at}"), "0123456\n".repeat((70 + at) * MIB / 80));
        }
        setup.run(&["add", "-A"]);
        let Err(GitError::DiffTooLarge { largest, .. }) = setup.try_read(&Scope::Staged) else {
            panic!("the diff was read")
        };
        assert_eq!(largest.len(), 10);
        assert_eq!(largest[0].path, "part-10");
        assert_eq!((largest[0].added, largest[0].removed), (MIB as u64, 0));
        // Narrowed, it is read.
        let narrowed = setup.read_paths(&Scope::Staged, &["part-1"]);
        assert_eq!(names(&narrowed), ["part-1"]);
    });
}

#[test]
fn several_calls_share_a_scratch_folder_and_leave_it_empty() {
    with_a_commit(|setup| {
        setup.write("f", "changed\n");
        let repository = setup.repository();
        let scratch = setup.scratch();
        std::thread::scope(|threads| {
            let calls: Vec<_> = (0..8)
                .map(|_| {
                    threads.spawn(|| repository.read_change(&Scope::Auto, &[], Untracked::Read, &scratch))
                })
                .collect();
            for call in calls {
                assert_eq!(names(&call.join().unwrap().unwrap()), ["f"]);
            }
        });
        assert!(setup.try_read(&commit("absent")).is_err());
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    });
}
