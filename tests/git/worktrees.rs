//! Who gets which worktree, and what is left of each.

use crate::setup::{Setup, with_a_commit};
use crosscheck::domain::job::{JobId, WorkspaceHash};
use crosscheck::domain::limits::IDLE_TREES;
use crosscheck::git::{Head, Oid, Vault};
use crosscheck::state::repositories::RepositoryFolder;
use crosscheck::state::store::Store;
use crosscheck::state::trees::{self, HeldTree};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// Longer than any removal of a few files takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Trees {
    repository: RepositoryFolder,
    vault: Vault,
    start: Oid,
}

impl Trees {
    fn of(setup: &Setup) -> Self {
        let store = Store::at(setup.folder().join("state"));
        let user = setup.repository();
        let repository = RepositoryFolder::of(&store, user.common_directory());
        let vault = repository.open_vault(&user).unwrap();
        let Head::Born { oid: start, .. } = user.head().clone() else {
            panic!("there is a commit")
        };
        assert_eq!(
            RepositoryFolder::all(&store).unwrap(),
            std::slice::from_ref(&repository)
        );
        assert_eq!(repository.origin(), Some(setup.top()));
        Self {
            repository,
            vault,
            start,
        }
    }

    fn take(&self, number: u64) -> HeldTree {
        self.take_from(number, &self.start, None)
    }

    fn take_from(&self, number: u64, start: &Oid, continues: Option<u64>) -> HeldTree {
        let continues = continues.map(job);
        HeldTree::take(
            &self.repository,
            &self.vault,
            &job(number),
            start,
            continues.as_ref(),
        )
        .unwrap()
    }

    fn give_back(&self, held: HeldTree) {
        assert!(held.give_back().wait(PATIENCE));
        let _ = self;
    }

    /// Commits what a worktree holds.
    fn result(&self, held: &HeldTree) -> Oid {
        let collected = self.vault.collect(&held.path(), &self.start, &[]).unwrap();
        self.vault
            .commit(&collected.tree, &[&self.start], "result\n")
            .unwrap()
    }

    /// Names everything in the folder of the worktrees but the numbered folders and the turn of those who add.
    fn strangers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.repository.trees_path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.parse::<u32>().is_err() && name != "adding")
            .collect()
    }
}

fn job(number: u64) -> JobId {
    JobId::new(number, WorkspaceHash::of(b"w"), number)
}

fn read(held: &HeldTree, path: &str) -> Option<String> {
    fs::read_to_string(held.path().join(path)).ok()
}

fn write(held: &HeldTree, path: &str, text: &str) {
    fs::write(held.path().join(path), text).unwrap();
}

#[test]
fn an_idle_worktree_is_taken_again_and_holds_nothing_of_the_last_job() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let first = trees.take(1);
        let path = first.path();
        let original = read(&first, "f");
        write(&first, "f", "changed\n");
        write(&first, "new", "new\n");
        let result = trees.result(&first);
        trees.give_back(first);
        let second = trees.take(2);
        assert_eq!(
            (
                second.path(),
                second.is_continued,
                read(&second, "f"),
                read(&second, "new")
            ),
            (path, false, original, None)
        );
        trees.give_back(second);
        let third = trees.take_from(3, &result, Some(1));
        assert!(!third.is_continued, "another job has had it");
        assert_eq!(read(&third, "f").as_deref(), Some("changed\n"));
    });
}

#[test]
fn a_continued_job_finds_its_worktree_as_it_left_it() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let other = trees.take(1);
        let first = trees.take(2);
        write(&first, ".gitignore", "out\n");
        write(&first, "out", "built\n");
        let result = trees.result(&first);
        symlink("/nowhere", first.path().join("node_modules")).unwrap();
        first.set_linked(&[b"node_modules".to_vec()]).unwrap();
        let path = first.path();
        trees.give_back(first);
        // Given back later, so that it would be the first choice.
        trees.give_back(other);
        let second = trees.take_from(3, &result, Some(2));
        assert!(second.is_continued);
        assert_eq!(second.path(), path);
        assert_eq!(read(&second, "out").as_deref(), Some("built\n"));
        assert_eq!(
            setup.run_in(&path, &["status", "--porcelain"]),
            b"?? node_modules\n"
        );
        // Somebody else changed it meanwhile: the result counts.
        trees.give_back(second);
        fs::write(path.join("f"), "by hand\n").unwrap();
        let third = trees.take_from(4, &result, Some(3));
        assert_eq!((third.path(), third.is_continued), (path, false));
        assert_ne!(read(&third, "f").as_deref(), Some("by hand\n"));
        assert_eq!(read(&third, "out"), None);
    });
}

#[test]
fn what_a_killed_worker_left_is_kept_until_it_is_collected() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let killed = trees.take(1);
        let path = killed.path();
        write(&killed, "paid", "paid\n");
        assert!(trees::left_by(&trees.repository, &job(1)).is_none(), "it is held");
        // Its lock is free and nothing else is done, as when a worker dies.
        drop(killed);
        let other = trees.take(2);
        assert_ne!(other.path(), path);
        assert_eq!(trees::sweep(&trees.repository), 0);
        assert!(trees::left_by(&trees.repository, &job(3)).is_none());
        let left = trees::left_by(&trees.repository, &job(1)).unwrap();
        assert_eq!(read(&left, "paid").as_deref(), Some("paid\n"));
        let views = trees::list(&trees.repository).unwrap();
        let [view, _] = views.as_slice() else {
            panic!("{views:?}")
        };
        assert!(view.is_held && !view.is_idle && view.bytes > 0);
        trees.give_back(left);
        let next = trees.take(4);
        assert_eq!((next.path(), read(&next, "paid")), (path, None));
    });
}

#[test]
fn few_idle_worktrees_stay_and_no_folder_is_forgotten() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let held: Vec<HeldTree> = (1..=4).map(|number| trees.take(number)).collect();
        let last = held[3].path();
        for held in held {
            trees.give_back(held);
        }
        let views = trees::list(&trees.repository).unwrap();
        assert_eq!(views.len(), IDLE_TREES);
        assert!(views.iter().all(|view| view.is_idle && !view.is_held));
        assert_eq!(trees.strangers(), Vec::<String>::new());
        let links = fs::read_dir(trees.vault.directory().join("worktrees")).unwrap();
        assert_eq!(links.count(), IDLE_TREES);
        assert_eq!(trees.take(5).path(), last, "the newest one is the warmest");
        // A process that ended while it deleted.
        fs::create_dir_all(trees.repository.trees_path().join(".gone-7-1-1/tree")).unwrap();
        assert_eq!(trees::sweep(&trees.repository), 1);
        assert_eq!(trees.strangers(), Vec::<String>::new());
    });
}

#[test]
fn a_half_made_worktree_is_removed() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let folder = trees.repository.trees_path().join("1");
        for by_sweep in [true, false] {
            // A worker killed while git writes the files leaves the owner and some of them.
            fs::create_dir_all(folder.join("tree/d")).unwrap();
            fs::write(folder.join("tree/d/half"), "ha").unwrap();
            fs::write(folder.join("owner"), format!("{}\n", job(1))).unwrap();
            assert!(trees::left_by(&trees.repository, &job(1)).is_none());
            if by_sweep {
                assert_eq!(trees::sweep(&trees.repository), 1);
                assert!(!folder.join("tree").exists());
            } else {
                let held = trees.take(2);
                assert_eq!(held.path(), folder.join("tree"));
                assert_eq!(read(&held, "d/half"), None);
            }
        }
    });
}

#[test]
fn a_worktree_that_cannot_be_reset_is_replaced() {
    let ruin: [fn(&Path); 4] = [
        |folder| fs::remove_dir_all(folder.join("tree")).unwrap(),
        |folder| {
            fs::remove_dir_all(folder.join("tree")).unwrap();
            symlink("/", folder.join("tree")).unwrap();
        },
        // From before the machine was started: content may be missing where size and time are not.
        |folder| fs::write(folder.join("ready"), "another boot").unwrap(),
        |folder| {
            let line = fs::read_to_string(folder.join("tree/.git")).unwrap();
            let named = Path::new(line.trim().strip_prefix("gitdir: ").unwrap()).to_owned();
            fs::remove_dir_all(named).unwrap();
        },
    ];
    for ruin in ruin {
        with_a_commit(|setup| {
            let trees = Trees::of(setup);
            let first = trees.take(1);
            let folder = first.path().parent().unwrap().to_owned();
            let original = read(&first, "f");
            trees.give_back(first);
            ruin(&folder);
            let second = trees.take(2);
            assert_eq!(read(&second, "f"), original);
            assert_eq!(setup.run_in(&second.path(), &["status", "--porcelain"]), b"");
            trees.give_back(second);
            trees::sweep(&trees.repository);
            assert_eq!(trees.strangers(), Vec::<String>::new());
        });
    }
}

#[test]
fn a_worktree_that_cannot_be_made_leaves_nothing() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let absent = Oid::parse(&"1".repeat(40)).unwrap();
        HeldTree::take(&trees.repository, &trees.vault, &job(1), &absent, None).unwrap_err();
        trees::sweep(&trees.repository);
        assert_eq!(trees::list(&trees.repository).unwrap(), []);
        assert_eq!(trees.strangers(), Vec::<String>::new());
        assert!(read(&trees.take(2), "f").is_some());
    });
}

#[test]
fn several_at_once_get_one_each() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        for round in 0..3 {
            let held: Vec<HeldTree> = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..4)
                    .map(|number| {
                        let trees = &trees;
                        scope.spawn(move || trees.take(10 * round + number))
                    })
                    .collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).collect()
            });
            let mut paths: Vec<_> = held.iter().map(HeldTree::path).collect();
            paths.sort();
            paths.dedup();
            assert_eq!(paths.len(), 4);
            for held in held {
                assert!(read(&held, "f").is_some());
                trees.give_back(held);
            }
        }
    });
}

#[test]
fn an_idle_worktree_is_removed_and_one_in_use_is_not() {
    with_a_commit(|setup| {
        let trees = Trees::of(setup);
        let held = trees.take(1);
        let folder = held.path().parent().unwrap().to_owned();
        let remove = |folder: &Path| trees::remove(&trees.repository, &trees.vault, folder).unwrap();
        assert!(!remove(&folder));
        assert!(held.path().exists());
        trees.give_back(held);
        assert!(!remove(&setup.top()), "it is none of ours");
        assert!(remove(&folder));
        assert!(!remove(&folder));
        assert_eq!(trees::list(&trees.repository).unwrap(), []);
        assert!(setup.top().join("f").exists());
        assert_eq!(trees.strangers(), Vec::<String>::new());
    });
}
