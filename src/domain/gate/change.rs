//! What changed since the gate's last verdict, decided from two looks at a working tree.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Files of a look that are remembered one by one. A change with more is reviewed whole.
pub const FILES: usize = 200;

/// A working tree as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The tree of all its files, staged or not and untracked ones too.
    pub tree: String,
    /// How it differs from its commit.
    pub state: State,
}

/// How a working tree differs from its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The commit that is checked out; absent where there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The files that differ from it, with a hash of each; absent where they are more than [`FILES`] or have no plain names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
}

/// What is left of earlier looks at a working tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The tree of the last look, whatever came of it.
    pub tree: String,
    /// How it was at the last verdict, or when the conversation came to it.
    pub judged: State,
}

/// What is to be reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Nothing.
    Nothing,
    /// The working tree, against a commit if one is named and else against the one that is checked out.
    Since {
        /// The commit.
        commit: Option<String>,
        /// Only these paths, relative to the top; all when empty.
        paths: Vec<String>,
    },
}

/// Finds what changed.
pub fn delta(seen: Option<&Seen>, now: &Look) -> Delta {
    let whole = |commit: Option<&String>| Delta::Since {
        commit: commit.cloned(),
        paths: Vec::new(),
    };
    let Some(seen) = seen else {
        return if now.state.files.as_ref().is_some_and(BTreeMap::is_empty) {
            Delta::Nothing
        } else {
            whole(None)
        };
    };
    if seen.tree == now.tree {
        return Delta::Nothing;
    }
    let (then, now) = (&seen.judged, &now.state);
    if then.head != now.head {
        // What was committed meanwhile is in the change as well.
        return whole(then.head.as_ref());
    }
    match (&then.files, &now.files) {
        (Some(then), Some(now)) => {
            let changed = now.iter().filter(|(path, hash)| then.get(*path) != Some(*hash));
            let paths: BTreeSet<&String> = changed.map(|(path, _)| path).collect();
            if paths.is_empty() {
                // All that happened is that something was taken back.
                Delta::Nothing
            } else {
                Delta::Since {
                    commit: None,
                    paths: paths.into_iter().cloned().collect(),
                }
            }
        }
        _ => whole(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(head: &str, files: Option<&[(&str, &str)]>) -> State {
        let files = files.map(|files| {
            files
                .iter()
                .map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned()))
                .collect()
        });
        State {
            head: Some(head.to_owned()),
            files,
        }
    }

    #[test]
    fn only_what_changed_since_the_last_verdict_is_reviewed() {
        let seen = |tree: &str, judged: State| {
            Some(Seen {
                tree: tree.to_owned(),
                judged,
            })
        };
        let since = |commit: Option<&str>, paths: &[&str]| Delta::Since {
            commit: commit.map(str::to_owned),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        let check = |seen: Option<Seen>, now: State, expected: Delta| {
            let look = Look {
                tree: "t2".to_owned(),
                state: now,
            };
            assert_eq!(delta(seen.as_ref(), &look), expected, "{seen:?}");
        };
        let two = state("c1", Some(&[("a", "1"), ("b", "2")]));
        check(None, state("c1", Some(&[])), Delta::Nothing);
        check(None, two.clone(), since(None, &[]));
        check(None, state("c1", None), since(None, &[]));
        check(seen("t2", state("c1", None)), two.clone(), Delta::Nothing);
        check(
            seen("t1", state("c1", Some(&[("a", "1")]))),
            two.clone(),
            since(None, &["b"]),
        );
        check(
            seen("t1", state("c1", Some(&[("a", "0"), ("b", "2")]))),
            two.clone(),
            since(None, &["a"]),
        );
        // Taken back.
        check(
            seen("t1", state("c1", Some(&[("a", "1"), ("b", "2"), ("c", "3")]))),
            two.clone(),
            Delta::Nothing,
        );
        check(seen("t1", state("c1", None)), two.clone(), since(None, &[]));
        // Committed, with or without more.
        check(seen("t1", state("c0", Some(&[]))), two, since(Some("c0"), &[]));
        check(
            seen("t1", state("c0", Some(&[("a", "1")]))),
            state("c1", Some(&[])),
            since(Some("c0"), &[]),
        );
        // A repository without a commit gets its first one.
        check(
            seen("t1", State::default()),
            state("c1", Some(&[("a", "1")])),
            since(None, &[]),
        );
    }
}
