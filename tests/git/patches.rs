//! A patch that comes from elsewhere, and what is known of a branch at its remote.

use crate::setup::{Setup, with_a_commit};
use crate::vaults::{head, open};
use crosscheck::git::{Patched, Pushed, Upstream, Vault};

fn tree_with(setup: &Setup, vault: &Vault, patch: &str) -> Patched {
    let base = vault.tree_of(&head(setup)).unwrap();
    vault.patched(&base, patch.as_bytes()).unwrap()
}

#[test]
fn a_patch_becomes_a_tree_whole_or_not_at_all() {
    with_a_commit(|setup| {
        let vault = open(setup);
        let whole = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -4,3 +4,3 @@\n 4\n-5\n+five\n 6\n\
                     diff --git a/new b/new\nnew file mode 100755\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n";
        let Patched::Tree(tree) = tree_with(setup, &vault, whole) else {
            panic!("it fits")
        };
        assert_eq!(vault.paths(&tree).unwrap(), [b"f".to_vec(), b"new".to_vec()]);
        let refused = [
            // Another text stands there.
            whole.replace(" 6\n", " six\n"),
            // It is cut off, with its counts as they were.
            whole[..whole.find(" 6").unwrap()].to_owned(),
            // Its counts are wrong.
            whole.replace("-4,3 +4,3", "-4,9 +4,9"),
            // It leads out of the tree, or into a git directory.
            whole.replace("b/new", "b/../new").replace("a/new", "a/../new"),
            whole.replace("/new", "/.git/hooks/post-checkout"),
            // The first part fits and the second does not.
            whole
                .replace("/dev/null", "a/new")
                .replace("new file mode 100755\n", ""),
            "no patch at all\n".to_owned(),
        ];
        for patch in refused {
            let became = tree_with(setup, &vault, &patch);
            assert!(
                matches!(&became, Patched::Refused(said) if !said.is_empty()),
                "{patch}\n{became:?}"
            );
        }
        assert_eq!(
            setup.run(&["status", "--porcelain"]),
            b"",
            "the user's files are as they were"
        );
    });
}

#[test]
fn a_branch_is_known_at_its_remote_by_what_was_fetched_or_pushed_last() {
    with_a_commit(|setup| {
        let first = head(setup);
        let unknown = Upstream::Unknown {
            branch: "main".to_owned(),
        };
        assert_eq!(setup.repository().upstream().unwrap(), unknown);
        let remote = setup.folder().join("remote.git");
        let remote = remote.to_str().unwrap();
        setup.run(&["init", "-q", "--bare", remote]);
        setup.run(&["remote", "add", "origin", remote]);
        setup.run(&["push", "-q", "origin", "main"]);
        let known = |branch: &str, tracking: &str| {
            Upstream::Known(Pushed {
                branch: branch.to_owned(),
                tracking: tracking.to_owned(),
                tip: first.clone(),
            })
        };
        // Without an upstream the branch of the same name at `origin` is the one.
        assert_eq!(
            setup.repository().upstream().unwrap(),
            known("main", "origin/main")
        );
        setup.run(&["push", "-q", "origin", "main:work/topic"]);
        setup.run(&["branch", "-q", "--set-upstream-to=origin/work/topic"]);
        let topic = known("work/topic", "origin/work/topic");
        assert_eq!(setup.repository().upstream().unwrap(), topic);
        // A commit that was not pushed changes nothing there, and is no ancestor of it.
        setup.write("f", "other\n");
        setup.commit("second");
        assert_eq!(setup.repository().upstream().unwrap(), topic);
        let vault = open(setup);
        let second = head(setup);
        assert!(vault.is_ancestor(&first, &second).unwrap() && vault.is_ancestor(&first, &first).unwrap());
        assert!(!vault.is_ancestor(&second, &first).unwrap());
        // Another branch of the same repository is no remote.
        setup.run(&["branch", "-q", "other"]);
        setup.run(&["checkout", "-q", "-b", "local", "--track", "other"]);
        assert!(matches!(
            setup.repository().upstream().unwrap(),
            Upstream::Unknown { .. }
        ));
        setup.run(&["checkout", "-q", "--detach"]);
        assert_eq!(setup.repository().upstream().unwrap(), Upstream::NoBranch);
    });
}
